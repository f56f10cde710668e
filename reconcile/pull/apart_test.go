package pull_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// TestOneLookUpThatFailsStopsNoOther: whatever cannot be looked up for one alert or one threat fails alone, is tried in
// five runs, and then given up. All imports stopped for it, for ever.
func TestOneLookUpThatFailsStopsNoOther(t *testing.T) {
	const runs = 5
	for name, turn := range map[string]func(r *platforms){
		"the rule of an alert": func(r *platforms) {
			r.saw(7, "h", "").Message = "domain_name=evil.example"
			r.broken["evil.example"] = errOne
		},
		"the sightings of an indicator": func(r *platforms) {
			r.saw(7, "h", "b")
			r.broken["b"] = errOne
		},
		"the incident of an alert": func(r *platforms) {
			r.saw(7, "h", "a")
			r.broken["incident--alert-007"] = errOne
		},
		"what an indicator is called": func(r *platforms) {
			r.saw(7, "h", "b")
			r.broken["indicator b"] = errOne
		},
		"the case of a threat": func(r *platforms) {
			r.threat("one", 20*time.Second, &r.alerts[0])
			r.threat("two", 30*time.Second, &r.alerts[1])
			r.broken["case-incident--one"] = errOne
		},
		"the note of a threat": func(r *platforms) {
			r.silent = true
			r.threat("one", 20*time.Second, &r.alerts[0])
			r.threat("two", 30*time.Second, &r.alerts[1])
			r.broken["one"] = errOne
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, store := newPlatforms(), &memStore{}
			for i := range 5 {
				r.saw(i, "h", "a")
			}
			turn(r)
			for run := 1; run <= runs+1; run++ {
				r.now = r.now.Add(time.Minute)
				r.saw(10+run, "h", "a")
				report, err := r.withThreats(t, store).Pull(t.Context())
				if err != nil {
					t.Fatalf("run %d: %v", run, err)
				}
				want := pull.Failed
				if run > runs {
					want = pull.GivenUp
				}
				if report.Count("", want) != 1 || report.Count("", pull.Failed)+report.Count("", pull.GivenUp) != 1 || report.Clean() != (run > runs) {
					t.Errorf("run %d: %+v", run, report.Items)
				}
			}
			want := 5 + runs + 1
			if s := r.sights[0]; s.Count != want {
				t.Errorf("%d of %d alerts in the sighting", s.Count, want)
			}
			if len(r.threats) > 0 && r.things["case-incident--two"] == nil {
				t.Error("the other threat is not there")
			}
			clear(r.broken)
			p := r.withThreats(t, store)
			p.Again = true
			if report, err := p.Pull(t.Context()); err != nil || !report.Clean() || len(store.doc(t).Pull.Failed) != 0 {
				t.Errorf("once it can be looked up: %v, %+v", err, report.Items)
			}
		})
	}
}

// What every alert in a row fails at is the platform, whatever else it answers.
func TestWhatFailsForAllInARowIsThePlatform(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	for i := range 30 {
		r.saw(i, "h", "").Message = fmt.Sprintf("domain_name=%d.example", i)
		r.broken[fmt.Sprintf("%d.example", i)] = errOne
	}
	if _, err := r.puller(t, store).Pull(t.Context()); !errors.Is(err, errOne) || !store.doc(t).Pull.Alerts.IsZero() {
		t.Errorf("%v, %s", err, store.text)
	}
	if n := len(store.doc(t).Pull.Failed); n != 10 || len(r.looked) > 41 {
		t.Errorf("%d alerts failed, after %d look-ups", n, len(r.looked))
	}
	for range 6 {
		_, _ = r.puller(t, store).Pull(t.Context())
	}
	for _, f := range store.doc(t).Pull.Failed {
		if f.Tries != 0 {
			t.Errorf("%d tries of %s count, which another platform's failure took", f.Tries, f.ID)
		}
	}
	clear(r.broken)
	if report := r.pull(t, store); report.Count("alert", pull.Imported) != 30 || !report.Clean() {
		t.Errorf("once it answers: %+v", report.Summary())
	}
}

// TestOneChangeThatFailsStopsNoOther: what OpenCTI has of an alert that was imported, or of the note of a threat, cannot be
// looked up any more, when its triage moves on.
func TestOneChangeThatFailsStopsNoOther(t *testing.T) {
	for name, broken := range map[string]string{
		"the incident":                     "incident--alert-000",
		"the indicators of the incident":   "of internal-incident--alert-000",
		"the note that OpenCTI has":        "note--one",
		"the case":                         "case-incident--one",
		"the sightings of its indicator":   "b",
		"what its indicator is called now": "indicator b",
	} {
		t.Run(name, func(t *testing.T) {
			r, store := newPlatforms(), &memStore{}
			for i := range 5 {
				r.saw(i, "h", "a")
			}
			r.saw(5, "h", "b")
			r.threat("one", 20*time.Second, &r.alerts[0])
			r.threat("two", 30*time.Second, &r.alerts[1])
			r.notes["one"] = &alert.Note{Content: "a note"}
			if report, err := r.withThreats(t, store).Pull(t.Context()); err != nil || !report.Clean() {
				t.Fatalf("%v, %+v", err, report.Items)
			}
			r.broken[broken] = errOne
			for run := 1; run <= 6; run++ {
				r.now = r.now.Add(time.Minute)
				for i := range 6 {
					r.triage(i, []alert.Status{alert.Closed, alert.Investigating}[run%2])
				}
				r.notes["one"] = &alert.Note{Content: fmt.Sprintf("a note, changed in run %d", run)}
				r.saw(20+run, "h", "a")
				report, err := r.withThreats(t, store).Pull(t.Context())
				if err != nil {
					t.Fatalf("run %d: %v", run, err)
				}
				if n := report.Count("", pull.Failed) + report.Count("", pull.GivenUp); n == 0 || n > 2 || report.Clean() != (run > 5) {
					t.Errorf("run %d: %+v", run, report.Items)
				}
			}
			if s := r.sights[0]; s.Count != 5+6 {
				t.Errorf("%d of %d alerts in the sighting", s.Count, 5+6)
			}
			if text := r.things["incident--alert-001"].text; !strings.HasPrefix(text, string(alert.Closed)) {
				t.Errorf("another alert's incident says %s", text)
			}
		})
	}
}

// TestOneWorkThatCannotBeReadStopsNothingForLong: nothing else was imported any more while a bundle waited for its work.
func TestOneWorkThatCannotBeReadStopsNothingForLong(t *testing.T) {
	r, store, bundle := handed(t, false)
	r.importBundle(bundle, "work-1")
	r.broken["work-1"] = errOne
	r.now = r.now.Add(10 * time.Minute)
	if _, err := r.puller(t, store).Pull(t.Context()); !errors.Is(err, errOne) || len(r.pushes) != 1 {
		t.Errorf("after ten minutes: %v, %d pushes", err, len(r.pushes))
	}
	r.saw(2, "h", "a")
	r.now = r.now.Add(time.Hour)
	if report := r.pull(t, store); !report.Clean() || report.Count("alert", pull.Imported) != 2 || r.sights[0].Count != 2 {
		t.Errorf("after an hour: %+v, %q", report.Items, r.graph())
	}
}

// A platform that takes no bundle at all, and answers all else, as without its message broker, is no alert's fault: none
// is given up, however long it lasts.
func TestNoAlertIsGivenUpWhileNothingCanBePushed(t *testing.T) {
	for name, fault := range map[string]reconcile.Fault{"turned away": {Side: true}, "in doubt": {Side: true, Unsure: true}} {
		for _, n := range []int{1, 2, 7} {
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				r, store := newPlatforms(), &memStore{}
				for i := range n {
					r.saw(i, "h", "a").ThreatKey = "one"
				}
				down := error(&memFault{fault, "no broker"})
				r.take = func(*platforms, string, string) error { return down }
				for run := range 9 {
					r.now = r.now.Add(10 * time.Minute)
					if report, err := r.withThreats(t, store).Pull(t.Context()); !errors.Is(err, down) && !errors.Is(err, pull.ErrPending) || report.Clean() {
						t.Errorf("run %d: %v, %+v", run, err, report.Items)
					}
				}
				for _, f := range store.doc(t).Pull.Failed {
					if f.Tries != 0 {
						t.Errorf("%s counts as tried: %+v", f.ID, f)
					}
				}
				r.take, r.now = nil, r.now.Add(10*time.Minute)
				if report := r.pull(t, store); report.Count("alert", pull.Imported) != n || r.sights[0].Count != n {
					t.Errorf("once it takes bundles: %+v, %q", report.Items, r.graph())
				}
			})
		}
	}
}

// TestOneBundleThatCannotBePushedStopsNoOther: the platform fails at one alert, or one threat, whenever it is handed over,
// and takes all others. Nothing else was ever imported again.
func TestOneBundleThatCannotBePushedStopsNoOther(t *testing.T) {
	for name, fault := range map[string]reconcile.Fault{"turned away": {Side: true}, "in doubt": {Side: true, Unsure: true}} {
		for _, what := range []string{`"incident--alert-003"`, `"case-incident--one"`} {
			t.Run(name+" "+what, func(t *testing.T) {
				r, store := newPlatforms(), &memStore{}
				for i := range 6 {
					r.saw(i, "h", "a")
				}
				r.threat("one", 20*time.Second, &r.alerts[0])
				r.threat("two", 30*time.Second, &r.alerts[1])
				r.take = func(r *platforms, bundle, work string) error {
					if strings.Contains(bundle, what) {
						return &memFault{fault, "500 of one push"}
					}
					r.importBundle(bundle, work)
					return nil
				}
				for run := 1; run <= 8; run++ {
					r.now = r.now.Add(10 * time.Minute)
					r.saw(10+run, "h", "a")
					report, err := r.withThreats(t, store).Pull(t.Context())
					if first := run == 1; first != (err != nil) || report.Clean() != (run > 6) {
						t.Errorf("run %d: %v, %+v", run, err, report.Items)
					}
				}
				whole := 6 + 8
				if strings.Contains(what, "alert") {
					whole--
				}
				if s := r.sights[0]; s.Count != whole || r.things["case-incident--two"] == nil {
					t.Errorf("%d of %d alerts in the sighting; %q", s.Count, whole, r.graph())
				}
				r.take = nil
				p := r.withThreats(t, store)
				p.Again = true
				if report, err := p.Pull(t.Context()); err != nil || !report.Clean() || r.sights[0].Count != 6+8 || r.things["case-incident--one"] == nil {
					t.Errorf("once it is taken: %v, %+v, %d", err, report.Items, r.sights[0].Count)
				}
			})
		}
	}
}

// An account that may not look something up is no alert's fault.
func TestARightThatLacksIsNoAlertsFault(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(1, "h", "").Message = "domain_name=evil.example"
	forbidden := &memFault{reconcile.Fault{Side: true, Account: true}, "403"}
	r.broken["evil.example"] = forbidden
	if _, err := r.puller(t, store).Pull(t.Context()); !errors.Is(err, forbidden) || len(store.doc(t).Pull.Failed) != 0 {
		t.Errorf("%v, %s", err, store.text)
	}
}

// TestMoreFailuresThanAreRemembered: 150 alerts whose incidents OpenCTI refuses, and whose sighting it takes, count 150
// in the end. Those that are forgotten are read again, and were counted again; the report says that there are some.
func TestMoreFailuresThanAreRemembered(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	const n = state.MostFailed + 50
	for i := range n {
		r.saw(i, "h", "a")
	}
	r.refuse = func(o memObject) bool { return o.Type == "incident" }
	for range 3 {
		r.now = r.now.Add(time.Minute)
		report := r.pull(t, store)
		if report.Clean() || !strings.Contains(strings.Join(report.Problems, "\n"), "50 more alerts or threats failed than the 100 that are remembered") {
			t.Fatalf("%q, %d failed", report.Problems, report.Count("", pull.Failed))
		}
	}
	r.refuse = nil
	for range 3 {
		r.now = r.now.Add(time.Minute)
		r.pull(t, store)
	}
	if got := r.sights[0].Count; got != n || len(r.things) != n {
		t.Errorf("%d alerts, %d in the sighting, want %d", len(r.things), got, n)
	}
}
