package pull_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

const oneAlert = "incident--alert-001 new identity--h; sighting--indicator--a-identity--h on identity--h +1"

// handed is a world whose first pull handed over a bundle and ended without knowing what came of it.
func handed(t *testing.T, workless bool) (r *platforms, store *memStore, bundle string) {
	t.Helper()
	r, store = newPlatforms(), &memStore{}
	r.workless = workless
	r.saw(1, "h", "a")
	r.take = func(_ *platforms, b, _ string) error { bundle = b; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	r.waited = func(*platforms) { cancel() }
	report, err := r.puller(t, store).Pull(ctx)
	if !errors.Is(err, pull.ErrPending) || report.Count("alert", pull.Waiting) != 1 || store.doc(t).Pull.Pending == nil || !store.doc(t).Pull.Alerts.IsZero() {
		t.Fatalf("%v, %+v, remembered %s", err, report.Items, store.text)
	}
	r.take, r.waited = nil, nil
	return r, store, bundle
}

// Whatever became of a bundle that an earlier run handed over, each alert is there once in the end.
func TestAPendingBundleIsSettledFirst(t *testing.T) {
	const later = 2 * time.Hour
	for _, tt := range []struct {
		name     string
		workless bool
		after    time.Duration
		turn     func(r *platforms, bundle string)
		want     error  // of the next pull
		result   string // of its items
		pushes   int    // further ones, until all is well
	}{
		{name: "imported meanwhile", after: later, turn: func(r *platforms, b string) { r.importBundle(b, "work-1") }},
		{name: "imported while it is waited for", after: time.Minute, turn: func(r *platforms, b string) {
			r.waited = func(r *platforms) {
				if !r.works["work-1"].Complete && r.now.After(t0.Add(time.Hour+2*time.Minute)) {
					r.importBundle(b, "work-1")
				}
			}
		}},
		{name: "its work was deleted", after: later, turn: func(r *platforms, _ string) { delete(r.works, "work-1") }, result: "imported", pushes: 1},
		{name: "lost, and nothing moves", after: later, turn: func(*platforms, string) {}, result: "imported", pushes: 1},
		{name: "imported but for the sighting", after: later, turn: func(r *platforms, b string) {
			r.refuse = func(o memObject) bool { return o.Type == "sighting" }
			r.importBundle(b, "work-1")
			r.refuse = nil
		}, result: "imported", pushes: 1},
		{name: "the last report never comes", after: later, turn: func(r *platforms, b string) {
			r.importBundle(b, "work-1")
			r.works["work-1"].Complete = false
		}, result: "imported", pushes: 1},
		{name: "its alert is gone in HarfangLab", after: later, turn: func(r *platforms, b string) {
			r.importBundle(b, "work-1")
			r.alerts = nil
		}},
		{name: "its indicator is gone in OpenCTI", after: later, turn: func(r *platforms, b string) {
			r.importBundle(b, "work-1")
			delete(r.indicators, "a")
		}},
		{name: "OpenCTI cannot be asked for the work", after: later, turn: func(r *platforms, _ string) { r.failing["Work"] = errA }, want: errA, result: "pending"},
		{name: "OpenCTI cannot be asked for the sightings", after: later, turn: func(r *platforms, b string) {
			r.importBundle(b, "work-1")
			r.failing["Sightings"] = errA
		}, want: errA, result: "pending"},
		{name: "without works, imported meanwhile", workless: true, after: later, turn: func(r *platforms, b string) { r.importBundle(b, "") }},
		{name: "without works, lost", workless: true, after: later, turn: func(*platforms, string) {}, result: "imported", pushes: 1},
		{name: "without works, HarfangLab is down", workless: true, after: later, turn: func(r *platforms, _ string) { r.broken["alert-001"] = errA }, want: errA, result: "pending"},
		{name: "without works, an alert cannot be read", workless: true, after: later, turn: func(r *platforms, b string) {
			r.importBundle(b, "")
			r.broken["alert-001"] = errors.New("its time is no time")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, store, bundle := handed(t, tt.workless)
			r.now = r.now.Add(tt.after)
			tt.turn(r, bundle)
			began, pushed := r.now, len(r.pushes)
			report, err := r.puller(t, store).Pull(t.Context())
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			var results []string
			for _, it := range report.Items {
				results = append(results, string(it.Result))
			}
			if d := cmp.Diff(tt.result, strings.Join(results, " ")); d != "" {
				t.Errorf("items (-want +got):\n%s", d)
			}
			if waited := r.now.Sub(began); waited > 6*time.Minute {
				t.Errorf("waited %s", waited)
			}
			if tt.want != nil {
				if store.doc(t).Pull.Pending == nil || len(store.doc(t).Pull.Failed) != 0 {
					t.Errorf("the bundle is forgotten because a side is down: %s", store.text)
				}
				r.down = false
				clear(r.failing)
				clear(r.broken)
				r.importBundle(bundle, "work-1")
				r.pull(t, store)
			} else if got := len(r.pushes) - pushed; got != tt.pushes {
				t.Errorf("%d bundles were pushed, want %d", got, tt.pushes)
			}
			want := oneAlert
			if got := strings.Join(r.graph(), "; "); got != want {
				t.Errorf("OpenCTI holds %s, want %s", got, want)
			}
			if p := store.doc(t).Pull; p.Pending != nil || len(p.Failed) != 0 {
				t.Errorf("still remembered: %s", store.text)
			}
		})
	}
}

// TestAPushThatFailedIsNotWaitedForForLong: the platform answered DATABASE_ERROR, and nothing more is heard of the bundle.
// The next run waited five minutes for it.
func TestAPushThatFailedIsNotWaitedForForLong(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(1, "h", "a")
	r.take = func(*platforms, string, string) error {
		return &memFault{reconcile.Fault{Side: true, Unsure: true}, "DATABASE_ERROR"}
	}
	if _, err := r.puller(t, store).Pull(t.Context()); !errors.Is(err, pull.ErrPending) {
		t.Fatal(err)
	}
	r.take = nil
	began := r.now
	if report := r.pull(t, store); report.Count("alert", pull.Imported) != 1 || r.now.Sub(began) > time.Minute {
		t.Errorf("%+v after %s", report.Items, r.now.Sub(began))
	}
	if got := strings.Join(r.graph(), "; "); got != oneAlert {
		t.Errorf("OpenCTI holds %s, want %s", got, oneAlert)
	}
}

// A bundle that is still young is not sent again: it waits in the queue.
func TestAYoungBundleIsNotSentTwice(t *testing.T) {
	r, store, _ := handed(t, false)
	ctx, cancel := context.WithCancel(t.Context())
	r.waited = func(r *platforms) {
		if r.now.After(t0.Add(time.Hour + 2*time.Minute)) {
			cancel()
		}
	}
	if _, err := r.puller(t, store).Pull(ctx); !errors.Is(err, pull.ErrPending) || len(r.pushes) != 1 || store.doc(t).Pull.Pending == nil {
		t.Errorf("%v, %d pushes, %s", err, len(r.pushes), store.text)
	}
}

// A run that was killed before it handed its bundle over holds up the next one for seconds, and nothing counts twice,
// whether or not it had handed it over after all.
func TestAKilledRunIsMadeUpForSoon(t *testing.T) {
	for _, handed := range []bool{false, true} {
		r, store := newPlatforms(), &memStore{}
		r.withdraws = true
		r.saw(1, "h", "a")
		var late func() // the worker's turn
		r.take = func(r *platforms, bundle, work string) error {
			late = func() {
				if handed && r.works[work] != nil { // it drops what belongs to no work
					r.importBundle(bundle, work)
				}
			}
			r.take = nil
			panic("killed")
		}
		func() {
			defer func() { _ = recover() }()
			_, _ = r.puller(t, store).Pull(t.Context())
		}()
		if store.doc(t).Pull.Pending == nil {
			t.Fatal("nothing is remembered of the bundle")
		}
		began := r.now
		report := r.pull(t, store)
		late()
		if took := r.now.Sub(began); took > 35*time.Second || report.Count("alert", pull.Imported) != 1 || store.doc(t).Pull.Pending != nil {
			t.Errorf("handed over %t: %s, %+v", handed, took, report.Items)
		}
		if got := strings.Join(r.graph(), "; "); got != oneAlert {
			t.Errorf("handed over %t: OpenCTI holds %s, want %s", handed, got, oneAlert)
		}
	}
}

// A bundle that was lost does not hold up runs that have less time than a work may stand still.
func TestRunsWithADeadlineGetPastALostBundle(t *testing.T) {
	for _, workless := range []bool{false, true} {
		r, store, _ := handed(t, workless)
		r.now = r.now.Add(10 * time.Minute)
		began := r.now
		ctx, cancel := context.WithCancel(t.Context())
		r.waited = func(r *platforms) {
			if r.now.Sub(began) > 2*time.Minute {
				cancel()
			}
		}
		report, err := r.puller(t, store).Pull(ctx)
		if err != nil || report.Count("alert", pull.Imported) != 1 || store.doc(t).Pull.Pending != nil {
			t.Errorf("workless %t: %v, %+v, remembered %s", workless, err, report.Items, store.text)
		}
		cancel()
	}
}

// A work that moves is waited for however long it takes, without asking all the time.
func TestAWorkThatMovesIsWaitedFor(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(1, "h", "a")
	var bundle string
	r.take = func(_ *platforms, b, _ string) error { bundle = b; return nil }
	began := r.now
	r.waited = func(r *platforms) {
		if w := r.works["work-1"]; r.now.Sub(began) > 40*time.Minute && !w.Complete {
			r.importBundle(bundle, "work-1")
		} else if !w.Complete {
			w.Processed = int(r.now.Sub(began) / (4 * time.Minute))
		}
	}
	report := r.pull(t, store)
	if report.Count("alert", pull.Imported) != 1 || r.reads["Work"] > 40*60/5 {
		t.Errorf("%+v, asked %d times", report.Items, r.reads["Work"])
	}
}

// Where a push may have been taken although it failed, it counts as handed over; where it was not, it
// does not, and no work is left behind.
func TestWhatBecomesOfAPushThatFails(t *testing.T) {
	unsure, down, verdict := &memFault{reconcile.Fault{Side: true, Unsure: true}, "cut"}, &memFault{reconcile.Fault{Side: true}, "down"}, &memFault{reconcile.Fault{Verdict: true}, "no bundle"}
	for _, tt := range []struct {
		name           string
		err            *memFault
		workless       bool
		result         pull.Result
		pending, wrote bool
		closed         string
	}{
		{"unsure", unsure, false, pull.Waiting, true, true, ""},
		{"not taken", down, false, pull.NotAttempted, false, false, "work-1"},
		{"not taken, without works", down, true, pull.NotAttempted, false, false, ""},
		{"refused", verdict, false, pull.Failed, false, false, "work-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, store := newPlatforms(), &memStore{}
			r.workless = tt.workless
			r.saw(1, "h", "a")
			r.take = func(*platforms, string, string) error { return tt.err }
			report, err := r.puller(t, store).Pull(t.Context())
			if tt.result == pull.Failed && err != nil || tt.result != pull.Failed && !errors.Is(err, tt.err) {
				t.Errorf("%v", err)
			}
			if report.Count("alert", tt.result) != 1 || report.Wrote != tt.wrote || (store.doc(t).Pull.Pending != nil) != tt.pending || strings.Join(r.closed, " ") != tt.closed {
				t.Errorf("%+v, wrote %v, closed %q, %s", report.Items, report.Wrote, r.closed, store.text)
			}
		})
	}
}

// Where bundles are tied to no works, a count is corrected only when what was pushed had time to come
// in: a correction that overtakes it would be overwritten.
func TestWithoutWorksACountIsNotCorrectedTooEarly(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.workless = true
	r.saw(30, "h", "a")
	r.sight("a", "h", 7, false)
	began := r.now
	var queued []memObject
	r.take = func(_ *platforms, bundle, _ string) error {
		for _, o := range memObjects(bundle) {
			if o.Type == "sighting" {
				queued = append(queued, o) // these come in late
			} else {
				r.importObject(o)
			}
		}
		return nil
	}
	r.waited = func(r *platforms) {
		if r.now.Sub(began) > 3*time.Second {
			for _, o := range queued {
				r.importObject(o)
			}
			queued = nil
		}
	}
	report := r.pull(t, store)
	if len(r.pushes) != 1 || r.sights[0].Count != 8 || !report.Clean() {
		t.Errorf("%d pushes, count %d, %v", len(r.pushes), r.sights[0].Count, report.Problems)
	}
}

// Without works a changed incident counts as brought up to date only when it is.
func TestWithoutWorksAChangeIsWaitedFor(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.workless = true
	r.saw(1, "h", "a")
	r.pull(t, store)
	r.triage(1, alert.Investigating)
	began := r.now
	var late string
	r.take = func(_ *platforms, bundle, _ string) error { late = bundle; return nil }
	r.waited = func(r *platforms) {
		if late != "" && r.now.Sub(began) > 20*time.Second {
			r.importBundle(late, "")
			late = ""
		}
	}
	report := r.pull(t, store)
	if report.Count("alert", pull.Updated) != 1 || late != "" || !strings.Contains(r.graph()[0], "investigating") {
		t.Errorf("%+v, %v", report.Items, r.graph())
	}
}

// A count that OpenCTI does not take is told, after a few tries.
func TestACountThatIsNotTakenIsTold(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(30, "h", "a")
	s := r.sight("a", "h", 7, false)
	r.take = func(r *platforms, bundle, work string) error {
		r.importBundle(bundle, work)
		s.Count = 3
		return nil
	}
	report := r.pull(t, store)
	if len(report.Problems) != 1 || report.Clean() || len(r.pushes) > 5 {
		t.Errorf("%v, %d pushes", report.Problems, len(r.pushes))
	}
	if want := "should count 8"; len(report.Problems) > 0 && !strings.Contains(report.Problems[0], want) {
		t.Errorf("%q lacks %q", report.Problems[0], want)
	}
}

// A correction that OpenCTI refuses as such ends no pull: the alerts of its bundle go one by one.
func TestARefusedCorrectionEndsNoPull(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(30, "h", "a")
	r.saw(40, "g", "b")
	s := r.sight("a", "h", 7, false)
	r.take = func(r *platforms, bundle, work string) error {
		if !strings.Contains(bundle, `"incident"`) {
			return &memFault{reconcile.Fault{Verdict: true}, "no such bundle"}
		}
		r.importBundle(bundle, work)
		s.Count = 3
		return nil
	}
	report, err := r.puller(t, store).Pull(t.Context())
	if err != nil || report.Count("alert", pull.Imported)+report.Count("alert", pull.Failed) != 2 || r.things["incident--alert-040"] == nil {
		t.Errorf("%v, %+v", err, report.Items)
	}
}

// A crash between a bundle that failed and its alerts' turn one by one leaves them to the next run.
func TestIsolatedAlertsAreRememberedBeforeTheirTurn(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	for i := range 5 {
		r.saw(i, "h", "a")
	}
	r.refuse = func(o memObject) bool { return o.ID == "incident--alert-003" }
	r.take = func(r *platforms, bundle, work string) error {
		if len(r.pushes) > 1 {
			return errA
		}
		r.importBundle(bundle, work)
		return nil
	}
	if _, err := r.puller(t, store).Pull(t.Context()); !errors.Is(err, errA) {
		t.Fatal(err)
	}
	if d := store.doc(t); len(d.Pull.Failed) != 5 || !d.Pull.Alerts.IsZero() {
		t.Fatalf("remembered %s", store.text)
	}
	r.take, r.refuse = nil, nil
	r.pull(t, store)
	if got := r.sights[0].Count; got != 5 || len(r.things) != 5 || len(store.doc(t).Pull.Failed) != 0 {
		t.Errorf("count %d, %v, %s", got, r.graph(), store.text)
	}
}
