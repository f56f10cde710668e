package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// blocks says whether a domain is an IOC rule in force.
func (w *chaosWorld) blocks(value string) func() bool {
	return func() bool { return strings.Contains(strings.Join(w.values(), "\n"), " "+value) }
}

// logged starts a process that prints to a file.
func (w *chaosWorld) logged(t testing.TB, log string, args ...string) *exec.Cmd {
	t.Helper()
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // the process has its own
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := w.prepare(t.TempDir(), append([]string{self}, args...)...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // of a test that failed
	return cmd
}

// Run again and again, a run takes up what the last one left, whatever that ended with; OpenCTI is told when the next
// one comes; a signal ends the wait with its code.
func TestRunEveryGoesOnUntilASignal(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.stix(1, domainPattern("first.example"))
	w.env = append(w.env, "HARFANGSYNC_RUN_EVERY=1h", "HARFANGSYNC_STATE=opencti")
	log := filepath.Join(t.TempDir(), "log")
	cmd := w.logged(t, log, "run", "--every", "400ms", "--log-format", "json")
	said := func(word string) func() bool {
		return func() bool {
			b, _ := os.ReadFile(log)
			return strings.Contains(string(b), word)
		}
	}
	until(t, "the first run", w.blocks("first.example"))
	w.stix(2, domainPattern("second.example"))
	until(t, "the second run", w.blocks("second.example"))
	fails(t, w.hl.HTTP, simhttp.Fault{Do: simhttp.Answer, Status: 500})
	until(t, "a run that fails", said(`"msg":"run_complete","command":"run","code":8,`))
	w.hl.HTTP.Heal()
	w.stix(3, domainPattern("third.example"))
	until(t, "the run after it", w.blocks("third.example"))
	last, next := w.toldRuns(t)
	if got := next.Sub(last); got != 400*time.Millisecond {
		t.Errorf("OpenCTI is told that the next run comes after %s, want the 400ms of --every and not the setting's hour", got)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if got := exitOf(t, cmd.Wait()); got != exit.Signal+int(syscall.SIGTERM) {
		t.Errorf("code %d after SIGTERM", got)
	}
	if !said(`"msg":"run_complete","command":"run","code":0,`)() || !said(`"msg":"the run has ended","code":0,"next":"`)() {
		t.Error("the end of a run and the time of the next are not logged")
	}
}

// toldRuns is when the last run began and when the next one comes, as OpenCTI shows it.
func (w *chaosWorld) toldRuns(t testing.TB) (last, next time.Time) {
	t.Helper()
	const question = `{"query": "query { connector(id: \"` + simConnectorID + `\") { connector_info { last_run_datetime next_run_datetime } } }"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.octiURL+"/graphql", strings.NewReader(question))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+simOpenCTIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Connector struct {
				Info struct {
					Last time.Time `json:"last_run_datetime"`
					Next time.Time `json:"next_run_datetime"`
				} `json:"connector_info"`
			}
		}
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return answer.Data.Connector.Info.Last, answer.Data.Connector.Info.Next
}

// Settings that have become wrong end it: no repetition mends them.
func TestRunEveryEndsWithWrongSettings(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.stix(1, domainPattern("first.example"))
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("sync: {run_every: 200ms}\n")
	var out bytes.Buffer
	cmd := w.process(t, dir, &out, "run", "--every", "setting")
	until(t, "the first run", w.blocks("first.example"))
	write("sync: {run_every: 200ms, polcy: sync}\n")
	if got := exitOf(t, cmd.Wait()); got != exit.Usage {
		t.Errorf("code %d, want %d", got, exit.Usage)
	}
	if !strings.Contains(out.String(), "polcy") {
		t.Errorf("it is not said what is wrong:\n%s", lastOf(out.String()))
	}
}

// An override counts for the first plan alone.
func TestRunEveryForgetsItsOverrides(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	for n := range 30 {
		w.stix(n, domainPattern(fmt.Sprintf("d%d.example", n)))
	}
	w.must(t, exit.OK, "run")
	revoke := func(from, to int) {
		for n := from; n < to; n++ {
			w.edit(n, func(i *octisim.Indicator) { i.Revoked = true })
		}
	}
	revoke(0, 10)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	runs, refused := 0, false
	errs := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("the run has ended")) {
			if runs++; runs == 1 {
				revoke(10, 20)
			} else {
				refused = bytes.Contains(b, []byte("code=4"))
				stop()
			}
		}
		return len(b), nil
	})
	w.program(io.Discard, errs).run(ctx, []string{"harfangsync", "run", "--every", "10ms", "--accept-removals", "10"})
	if got := len(w.values()); !refused || got != 20 {
		t.Errorf("refused %t with %d rules of 30 left, want 20 after the ten that were accepted", refused, got)
	}
}

// Memory that a run took is free after it: nothing that a run makes is kept for the next.
func TestRunEveryDoesNotGrow(t *testing.T) {
	w := newChaosWorld(t)
	w.bulk(100)
	w.env = append(w.env, "HARFANGSYNC_STATE=none")
	w.must(t, exit.OK, "run")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const early, late = 5, 30
	runs := 0
	goroutines, heap := map[int]int{}, map[int]uint64{}
	errs := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("the run has ended")) {
			if runs++; runs == early || runs == late {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				goroutines[runs], heap[runs] = runtime.NumGoroutine(), m.HeapAlloc
			}
			if runs == late {
				stop()
			}
		}
		return len(b), nil
	})
	w.program(io.Discard, errs).run(ctx, []string{"harfangsync", "run", "--every", "1ms"})
	const slack = 20 // connections of the simulators that are being closed
	if goroutines[late] > goroutines[early]+slack {
		t.Errorf("%d goroutines after %d runs, %d after %d", goroutines[late], late, goroutines[early], early)
	}
	t.Logf("heap after %d runs %d kB, after %d %d kB", early, heap[early]>>10, late, heap[late]>>10)
	if heap[late] > heap[early]+2<<20 {
		t.Errorf("heap of %d kB after %d runs, %d kB after %d", heap[late]>>10, late, heap[early]>>10, early)
	}
}
