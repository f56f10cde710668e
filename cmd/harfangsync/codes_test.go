package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// What the user named and cannot be read or written is a mistake of theirs, found before the work where it can be; 1 is
// left for what nobody knows about.
func TestCodesOfWhatCannotBeReadOrWritten(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 2)
	w.hl.HTTP.SetLatency(0)
	dir := t.TempDir()
	file, lists := filepath.Join(dir, "file"), filepath.Join(dir, "lists")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	within, missing := filepath.Join(file, "x"), filepath.Join(dir, "missing", "x")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w.must(t, exit.OK, "dump", lists)
	for _, tt := range []struct {
		args string
		env  string
		code int
	}{
		{"plan --out " + missing, "", exit.Usage},
		{"plan --out " + dir, "", exit.Usage},
		{"plan --from " + missing, "", exit.Usage},
		{"plan --from " + dir, "", exit.Usage},
		{"plan --from " + file, "", exit.Stale},
		{"apply --auto-approve --report " + missing, "", exit.Usage},
		{"apply --auto-approve --backup " + within, "", exit.Usage},
		{"apply --auto-approve --backup " + lists, "", exit.Usage},
		{"apply " + missing, "", exit.Usage},
		{"apply " + dir, "", exit.Usage},
		{"apply " + file, "", exit.Stale},
		{"show " + missing, "", exit.Usage},
		{"pull --report " + missing, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", exit.Usage},
		{"snapshot --out " + missing, "", exit.Usage},
		{"dump " + within, "", exit.Usage},
		{"dump " + file, "", exit.Usage},
		{"dump " + lists, "", exit.Usage},
		{"restore " + missing, "", exit.Usage},
		{"restore " + file, "", exit.Usage},
		{"explain --patterns " + missing, "", exit.Usage},
		{"explain --patterns " + dir, "", exit.Usage},
		{"explain --file " + dir, "", exit.Usage},
		{"migrate --out " + within + " " + file, "", exit.Usage},
		{"simulate --env " + missing, "", exit.Usage},
		{"simulate --opencti-addr " + taken.Addr().String(), "", exit.Usage},
		{"simulate --indicators " + dir, "", exit.Usage},
		{"plan", "OPENCTI_TOKEN_FILE=" + missing, exit.Usage},
		{"plan", "HARFANGLAB_CA_BUNDLE=" + missing, exit.Usage},
		{"plan", "HARFANGSYNC_EXCLUSIONS=" + missing, exit.Usage},
		{"apply --auto-approve", "HARFANGSYNC_LOCK=file:" + within, exit.Usage},
		{"apply --auto-approve", "HARFANGSYNC_METRICS_TEXTFILE=" + missing, exit.OK}, // a warning
		{"run --every 1h", "HARFANGSYNC_LISTEN=" + taken.Addr().String(), exit.Usage},
		{"block never.example", "", exit.Usage},
	} {
		other := *w
		if tt.env != "" {
			other.env = append([]string{tt.env}, w.env...)
		}
		code, out, errs := other.command(t.Context(), strings.Fields(tt.args)...)
		if code != tt.code {
			t.Errorf("%s %s ended with %d, want %d\n%s", tt.env, tt.args, code, tt.code, lastOf(out+errs))
		}
	}
}

// A report that cannot be stored once the work is done is told, and neither hides that something was written nor keeps
// alerts from being imported.
func TestAReportThatCannotBeStoredAfterTheWork(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args   string
		before bool // the work is done already
		code   int
	}{
		{"apply --auto-approve", false, exit.Partly},
		{"run", false, exit.Partly},
		{"run", true, exit.Unexpected},
		{"pull", false, exit.Partly},
	} {
		w := newLeasedWorld(t, 2)
		w.hl.HTTP.SetLatency(0)
		w.env = append(w.env, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true")
		if tt.before {
			w.must(t, exit.OK, "run")
		} else {
			w.resolved(t)
			w.put(60, "new", "stix", domainPattern("new.example"), "")
		}
		w.octi.HTTP.SetLatency(20 * time.Millisecond)
		w.octi.HTTP.Forget()
		dir := filepath.Join(t.TempDir(), "gone")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		var said transcript
		p := w.program(&said, &said)
		ended := make(chan int, 1)
		go func() {
			ended <- p.run(t.Context(), append([]string{"harfangsync"}, append(strings.Fields(tt.args), "--report", filepath.Join(dir, "report.json"))...))
		}()
		until(t, "the platforms are asked", func() bool { return w.octi.HTTP.Count() > 0 })
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if code := <-ended; code != tt.code || !strings.Contains(said.String(), "--report: ") {
			t.Errorf("%s, done before %t: it ended with %d, want %d\n%s", tt.args, tt.before, code, tt.code, said.String())
		}
	}
}
