package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// What simulate serves is what the quickstart goes through.
func TestSimulateServesTheQuickstart(t *testing.T) {
	t.Parallel()
	env := filepath.Join(t.TempDir(), "sim.env")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		ended <- newProgram(strings.NewReader(""), io.Discard, io.Discard, nil).run(ctx, []string{"harfangsync", "simulate", "--env", env})
	}()
	var settings []byte
	for len(settings) == 0 {
		time.Sleep(10 * time.Millisecond)
		settings, _ = os.ReadFile(env)
	}
	var out bytes.Buffer
	newProgram(strings.NewReader(""), &out, io.Discard, strings.Fields(string(settings))).run(t.Context(), []string{"harfangsync", "plan", "--summary"})
	stop()
	<-ended
	page, err := os.ReadFile("docs/quickstart.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`(?m)^Plan: .*`)
	if got, want := said.FindString(out.String()), said.FindString(string(page)); got != want || got == "" {
		t.Errorf("planned %q, the quickstart says %q", got, want)
	}
}

func TestSimulateHoldsAlerts(t *testing.T) {
	tests := []struct {
		name, lines string
		held        int
		err         string
	}{
		{"one a line", "{\"id\": \"a\"}\n\n{}\n", 2, ""},
		{"a line that is no object is named", "{}\n[]\n", 1, "--alerts: line 2: it is no object"},
		{"no file", "", 0, "--alerts: open "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "alerts.jsonl")
			if tt.lines != "" {
				if err := os.WriteFile(file, []byte(tt.lines), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := startSimulators(&simOptions{alerts: file, octiAddr: "127.0.0.1:0", hlAddr: "127.0.0.1:0"})
			if tt.err != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.err) || exit.Code(err, 0) != exit.Usage {
					t.Errorf("%v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			if n := s.hl.AlertCount(); n != tt.held {
				t.Errorf("%d alerts, want %d", n, tt.held)
			}
		})
	}
}
