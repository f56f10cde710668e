package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"harfangsync/cmd/harfangsync/exit"
)

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
