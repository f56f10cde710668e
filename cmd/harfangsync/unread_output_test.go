package main

import (
	"bytes"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// A terminal that closes ends a run as SIGTERM does: what is in flight is through, the report says what is left, and the
// lock is free. The second SIGHUP, which comes when the shell is gone, changes nothing, and under nohup neither does the first.
func TestAHangupEndsARunInOrder(t *testing.T) {
	t.Parallel()
	hangups := make(chan os.Signal, 1) // what a process handles is not ignored by those that it starts, be this test under nohup
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	for _, tt := range []struct {
		name  string
		start string
		code  int
	}{
		{"of a terminal", `exec "$0" "$@"`, exit.Signal + int(syscall.SIGHUP)},
		{"under nohup", `trap "" HUP; exec "$0" "$@"`, exit.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newLeasedWorld(t, 60)
			dir := t.TempDir()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd := w.start(t, dir, &out, "sh", "-c", tt.start, self, "run", "--report", "report.json", "--parallelism", "1")
			until(t, "the first rules", func() bool { return len(w.hl.Rules("yara")) > 5 })
			for range 2 {
				if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
					t.Fatal(err)
				}
				_ = w.writes() // a request's time
			}
			if code := exitOf(t, cmd.Wait()); code != tt.code {
				t.Fatalf("it ended with %d, want %d\n%s", code, tt.code, lastOf(out.String()))
			}
			report, err := os.ReadFile(dir + "/report.json")
			if err != nil || strings.Contains(string(report), `"not_attempted"`) != (tt.code != exit.OK) {
				t.Errorf("the report (%v): %s", err, lastOf(string(report)))
			}
			if text, _ := w.octi.Connector(simConnectorID); strings.Contains(text, `"holder"`) {
				t.Error("the lock is still held")
			}
		})
	}
}

// Whoever reads what a command prints may go away. A command that works goes on to its end, and its code is that of the
// work; one that only prints ends with neither 0 nor 2, since nobody has read the plan.
func TestAReaderThatGoesAwayEndsNoWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   []string
		code   int
		writes bool
	}{
		{[]string{"apply", "--auto-approve", "--report", "report.json"}, exit.OK, true},
		{[]string{"run", "--json", "--report", "report.json"}, exit.OK, true},
		{[]string{"run", "--tail", "1s"}, exit.OK, true},
		{[]string{"snapshot", "--out", "snapshot"}, exit.OK, false},
		{[]string{"dump", "lists"}, exit.OK, false},
		{[]string{"plan", "--detailed-exitcode"}, exit.Unexpected, false},
		{[]string{"plan", "--format", "json"}, exit.Unexpected, false},
		{[]string{"apply"}, exit.Unexpected, false},
		{[]string{"doctor"}, exit.Unexpected, false},
		{[]string{"explain", "--value", "a.example"}, exit.Unexpected, false},
		{[]string{"unblock", "--list"}, exit.Unexpected, false},
		{[]string{"pull", "--dry-run"}, exit.Unexpected, false},
		{[]string{"config", "schema"}, exit.Unexpected, false},
		{[]string{"--help"}, exit.Unexpected, false},
		{[]string{"version"}, exit.Unexpected, false},
	} {
		for _, streams := range []string{"stdout", "both"} {
			t.Run(strings.Join(tt.args, " ")+", "+streams, func(t *testing.T) {
				t.Parallel()
				w := newLeasedWorld(t, 3)
				w.hl.HTTP.SetLatency(0)
				w.octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
				w.env = append(w.env, "CONNECTOR_LIVE_STREAM_ID="+demoStream, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true")
				self, err := os.Executable()
				if err != nil {
					t.Fatal(err)
				}
				nobody, gone, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer gone.Close()
				_ = nobody.Close()
				dir := t.TempDir()
				var errs bytes.Buffer
				cmd := w.prepare(dir, append([]string{self}, tt.args...)...)
				cmd.Stdout, cmd.Stderr = gone, &errs
				if streams == "both" {
					cmd.Stderr = gone
				}
				err = cmd.Run()
				if code := exitOf(t, err); code != tt.code {
					t.Errorf("it ended with %d, want %d\n%s", code, tt.code, lastOf(errs.String()))
				}
				if rules := len(w.hl.Rules("yara")); (rules == 3) != tt.writes {
					t.Errorf("%d rules", rules)
				}
				if said := errs.String(); tt.code != exit.OK && strings.Contains(said, "broken pipe") {
					t.Errorf("it complains:\n%s", said)
				}
				if _, err := os.Stat(dir + "/report.json"); err != nil && slices.Contains(tt.args, "--report") {
					t.Error(err)
				}
				if text, _ := w.octi.Connector(simConnectorID); strings.Contains(text, `"holder"`) {
					t.Error("the lock is still held")
				}
			})
		}
	}
}
