package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// alertWorld is a pair of platforms with rules in force and n alerts of every form, all of which are imported.
func alertWorld(t testing.TB, n int, at time.Time) *chaosWorld {
	t.Helper()
	w := newChaosWorld(t)
	w.bulk(200)
	// One write at a time, so that the same alerts come of the same rules in every world.
	w.env = []string{"HARFANGSYNC_PARALLELISM=1"}
	w.ends(t, exit.OK, t.TempDir(), "apply", "--auto-approve")
	if _, err := w.hl.Generate(hlsim.Spec{Seed: 7, Count: n, Known: true, From: at.Add(-48 * time.Hour), To: at.Add(-time.Minute), Hosts: 25}); err != nil {
		t.Fatal(err)
	}
	w.env = []string{
		"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all",
		"HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new,investigating,probable_false_positive,false_positive,closed",
	}
	return w
}

// Alerts of every form, imported twice with crashes in between, give the graph of one import: none is
// lost, none is there twice, no count grows.
func TestAlertsImportedTwiceWithCrashesAreImportedOnce(t *testing.T) {
	n, crashes := 600, 3
	if *chaos {
		n, crashes = 5000, 12
	}
	at := time.Now().Truncate(time.Second)
	once := alertWorld(t, n, at)
	began := time.Now()
	out := once.ends(t, exit.OK, t.TempDir(), "pull")
	whole := time.Since(began)
	want := graphOf(once.octi)
	if got := once.octi.Held().Incidents; got != n {
		t.Fatalf("%d alerts gave %d incidents\n%s", n, got, lastOf(out))
	}

	w := alertWorld(t, n, at)
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.ImportTwice = 3 })
	dir := t.TempDir()
	for range crashes {
		cmd := w.process(t, dir, new(bytes.Buffer), "pull")
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for range 2 {
		w.ends(t, exit.OK, dir, "pull")
	}
	if diff := cmp.Diff(want, graphOf(w.octi)); diff != "" {
		t.Errorf("graph (-imported once +with crashes):\n%s", diff)
	}
}

// An import that OpenCTI takes late, loses or refuses in part leaves nothing out in the end.
func TestWhateverOpenCTIDoesWithBundlesNothingIsLost(t *testing.T) {
	at := time.Now().Truncate(time.Second)
	const n = 120
	plain := alertWorld(t, n, at)
	plain.ends(t, exit.OK, t.TempDir(), "pull")
	want := graphOf(plain.octi)
	for _, tt := range []struct {
		name string
		turn func(*octisim.Knobs)
	}{
		{"imported late", func(k *octisim.Knobs) { k.ImportDelay = 50 * time.Millisecond }},
		{"delivered twice", func(k *octisim.Knobs) { k.ImportTwice = 1000 }},
		{"its work lost with the bundle", func(k *octisim.Knobs) { k.DropWorks = 1 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := alertWorld(t, n, at)
			w.octi.SetKnobs(tt.turn)
			dir := t.TempDir()
			for range 2 {
				w.ends(t, exit.OK, dir, "pull")
			}
			if diff := cmp.Diff(want, graphOf(w.octi)); diff != "" {
				t.Errorf("graph (-plain +this):\n%s", diff)
			}
		})
	}
}

// One alert that OpenCTI refuses is named, tried again for five runs and then given up; all others are
// imported.
func TestOneBadAlertBlocksNoOther(t *testing.T) {
	at := time.Now().Truncate(time.Second)
	const n = 60
	w := alertWorld(t, n, at)
	// The incident of one alert is refused, whatever bundle it comes in.
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.FailImport = `"type":"incident".*` + w.alertID(t, 30) })
	dir := t.TempDir()
	for run := 1; run <= 6; run++ {
		want := exit.Partly
		if run > 5 {
			want = exit.OK
		}
		if out := w.ends(t, want, dir, "pull"); !strings.Contains(out, w.alertID(t, 30)) {
			t.Fatalf("run %d does not name the alert\n%s", run, lastOf(out))
		}
		if got := w.octi.Held().Incidents; got != n-1 {
			t.Fatalf("run %d: %d incidents, want all but one of %d", run, got, n)
		}
	}
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.FailImport = "" })
	w.ends(t, exit.OK, dir, "pull", "--retry-failed")
	if got := w.octi.Held().Incidents; got != n {
		t.Errorf("with --retry-failed: %d incidents, want %d", got, n)
	}
}

// alertID is the id of the i-th alert that HarfangLab holds.
func (w *chaosWorld) alertID(t testing.TB, i int) string {
	t.Helper()
	var a struct{ ID string }
	if err := json.Unmarshal(w.hl.Alerts()[i], &a); err != nil {
		t.Fatal(err)
	}
	return a.ID
}
