package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/octisim"

	"github.com/creack/pty"
)

// writes are the requests that changed a list.
func (w *chaosWorld) writes() int {
	n := 0
	for _, r := range w.hl.HTTP.Requests() {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// until waits for something to become true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

func newLeasedWorld(t testing.TB, rules int) *chaosWorld {
	w := newChaosWorld(t)
	w.env = []string{"HARFANGSYNC_STATE=opencti"}
	for i := range rules {
		w.put(i, "yara "+chaosID(i), "yara", yaraRule("y"+chaosID(i)[:8], "loader"), "")
	}
	w.hl.HTTP.SetLatency(40 * time.Millisecond)
	return w
}

// A run that is stopped for longer than its lease lasts finds another run's work when it goes on: it writes nothing
// any more, and does not call that a success.
func TestAPausedRunWritesNothingAfterItsLease(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 300)
	var out bytes.Buffer
	cmd := w.process(t, t.TempDir(), &out, "run")
	until(t, "the first rules", func() bool { return len(w.hl.Rules("yara")) > 20 })
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.hl.HTTP.SetLatency(0)
	if text := w.ends(t, exit.OK, t.TempDir(), "run"); !strings.Contains(text, "Apply complete: ") {
		t.Errorf("the second run: %s", text)
	}
	before := w.writes()
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if code := exitOf(t, cmd.Wait()); code != exit.Partly || !strings.Contains(out.String(), "the lock is lost: ") {
		t.Errorf("it ended with %d\n%s", code, lastOf(out.String()))
	}
	if n := w.writes() - before; n > 0 {
		t.Errorf("%d writes after its lease", n)
	}
	if held, doubled := w.held(); len(held) != 300 || len(doubled) > 0 {
		t.Errorf("%d rules, want 300; doubled %v", len(held), doubled)
	}
}

// The next run on the same host need not wait for the lease of one that was killed.
func TestAfterAKillTheNextRunOfTheHostStartsAtOnce(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 100)
	cmd := w.process(t, t.TempDir(), new(bytes.Buffer), "run")
	until(t, "the first rules", func() bool { return len(w.hl.Rules("yara")) > 20 })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	w.hl.HTTP.SetLatency(0)
	before, began := w.writes(), time.Now()
	next := w.process(t, t.TempDir(), new(bytes.Buffer), "run")
	until(t, "a write", func() bool { return w.writes() > before })
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the first write came after %v", took)
	}
	if code := exitOf(t, next.Wait()); code != exit.OK {
		t.Errorf("it ended with %d", code)
	}
	if held, doubled := w.held(); len(held) != 100 || len(doubled) > 0 {
		t.Errorf("%d rules, want 100; doubled %v", len(held), doubled)
	}
}

// One manager has one lock, by whatever name it is called, before it has lists and after.
func TestSpellingsOfOneManagerAreOneLock(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 100)
	for _, lists := range []string{"to be made", "there"} {
		cmd := w.process(t, t.TempDir(), new(bytes.Buffer), "run")
		until(t, "a lease", func() bool { text, _ := w.octi.Connector(simConnectorID); return strings.Contains(text, `"holder"`) })
		other := *w
		other.hlURL = strings.Replace(w.hlURL, "127.0.0.1", "localhost", 1)
		text := other.ends(t, exit.Locked, t.TempDir(), "run", "--lock-timeout", "0s")
		if !strings.Contains(text, "another run holds the lock (process ") {
			t.Errorf("lists %s: %s", lists, text)
		}
		if code := exitOf(t, cmd.Wait()); code != exit.OK {
			t.Errorf("lists %s: the first run ended with %d", lists, code)
		}
		w.hl.HTTP.SetLatency(300 * time.Millisecond)
	}
}

// An import that finds nothing new is cheap, its lock included.
func TestAPullWithNothingNewIsCheap(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 0)
	w.env = append(w.env, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true")
	w.ends(t, exit.OK, t.TempDir(), "pull")
	w.octi.HTTP.Forget()
	w.hl.HTTP.Forget()
	w.ends(t, exit.OK, t.TempDir(), "pull")
	if n := w.octi.HTTP.Count() + w.hl.HTTP.Count(); n > 8 { // one more where alerts are known, and one for a second page of them
		t.Errorf("%d requests, at most 8 are due", n)
	}
}

// A run that follows the stream afterwards has the lease of a tail from then on, which outlives a restart of OpenCTI.
func TestARunThatTailsHasTheLeaseOfATail(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 2)
	w.octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
	w.env = append(w.env, "CONNECTOR_LIVE_STREAM_ID="+demoStream)
	cmd := w.process(t, t.TempDir(), new(bytes.Buffer), "run", "--tail", "1m")
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	until(t, "a lease for longer", func() bool {
		text, _ := w.octi.Connector(simConnectorID)
		doc, err := state.Parse(text)
		for _, lease := range doc.Leases {
			return err == nil && lease.Term == 90
		}
		return false
	})
}

// What was planted in the state, or left there by a clock that was wrong, keeps no run away for long.
func TestALeaseOfNextYearKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 2)
	w.ends(t, exit.OK, t.TempDir(), "run")
	text, _ := w.octi.Connector(simConnectorID)
	doc, err := state.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	doc.LastGood.At = time.Now().AddDate(1, 0, 0)
	doc.Leases = map[string]state.Lease{}
	cmd := w.process(t, t.TempDir(), new(bytes.Buffer), "run") // whose keys are then known
	until(t, "a lease", func() bool { text, _ := w.octi.Connector(simConnectorID); return strings.Contains(text, `"holder"`) })
	text, _ = w.octi.Connector(simConnectorID)
	held, err := state.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for key := range held.Leases {
		doc.Leases[key] = state.Lease{Holder: "planted", Until: time.Now().AddDate(1, 0, 0)}
	}
	w.octi.SetConnector(simConnectorID, doc.Text())
	w.ends(t, exit.OK, t.TempDir(), "run", "--lock-timeout", "5s")
	text, _ = w.octi.Connector(simConnectorID)
	if doc, err = state.Parse(text); err != nil || time.Until(doc.LastGood.At) > 0 {
		t.Errorf("the last good run is still of %v (%v)", doc.LastGood.At, err)
	}
}

// While a person thinks others may work, and what they did is not undone by the answer.
func TestThePromptHoldsNoLock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		meant func(*chaosWorld) // while the question stands
		code  int
		says  string
	}{
		{"nothing happens", func(*chaosWorld) {}, exit.OK, "Apply complete: 0 added, 2 changed"},
		{"another run does it", func(w *chaosWorld) { w.ends(t, exit.OK, t.TempDir(), "run", "--lock-timeout", "0s") }, exit.Partly, "entry changed since the plan was made"},
	} {
		w := newLeasedWorld(t, 2)
		w.hl.HTTP.SetLatency(0)
		w.ends(t, exit.OK, t.TempDir(), "run")
		for i := range 2 {
			w.edit(i, func(ind *octisim.Indicator) { ind.Pattern = yaraRule("y"+chaosID(i)[:8], "another") })
		}
		terminal, theirs, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer terminal.Close()
		defer theirs.Close()
		var out shared
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := w.prepare(t.TempDir(), self, "apply")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the question", func() bool { return strings.Contains(out.String(), "Only 'yes'") })
		if text, _ := w.octi.Connector(simConnectorID); strings.Contains(text, `"holder"`) {
			t.Errorf("%s: the lock is held while nobody answers", tt.name)
		}
		tt.meant(w)
		if _, err := terminal.WriteString("yes\n"); err != nil {
			t.Fatal(err)
		}
		if code := exitOf(t, cmd.Wait()); code != tt.code || !strings.Contains(out.String(), tt.says) {
			t.Errorf("%s: code %d\n%s", tt.name, code, lastOf(out.String()))
		}
	}
}
