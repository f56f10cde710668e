package pull_test

import (
	"context"
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

// threat adds one, made so long after t0, with its alerts.
func (r *platforms) threat(id string, made time.Duration, alerts ...*alert.Alert) *alert.Threat {
	at := t0.Add(made)
	r.threats = append(r.threats, alert.Threat{ID: id, Slug: id, Status: alert.New, Created: at, FirstSeen: at, LastUpdate: at, Count: len(alerts)})
	for _, a := range alerts {
		a.ThreatKey = id
	}
	return &r.threats[len(r.threats)-1]
}

func (r *platforms) withThreats(t *testing.T, store *memStore) *pull.Puller {
	puller := r.puller(t, store)
	puller.Threats = true
	return puller
}

func cases(r *platforms) string {
	var out []string
	for _, l := range r.graph() {
		if strings.HasPrefix(l, "case") || strings.HasPrefix(l, "note") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "; ")
}

// An open threat is followed for as long as it is open, however old it is.
func TestOldThreatsAreFollowed(t *testing.T) {
	r := newPlatforms()
	r.saw(10, "h", "a")
	r.threat("old", 20*time.Second, &r.alerts[0])
	store := &memStore{}
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := cases(r), "case-incident--old new, 1 of 1 alerts, 4 objects"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	r.threat("older, and never imported", -48*time.Hour)
	r.notes["old"] = &alert.Note{Content: "isolated the host"}
	r.now = r.now.Add(30 * 24 * time.Hour) // the default start has long passed it
	later := func() {
		t.Helper()
		puller := r.withThreats(t, store)
		puller.Start, puller.Rolling = r.now.Add(-7*24*time.Hour), true
		if _, err := puller.Pull(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	later()
	if got, want := cases(r), "case-incident--old new, 1 of 1 alerts, 4 objects; note--old isolated the host"; got != want {
		t.Errorf("after a month: %s, want %s", got, want)
	}
	pushed := len(r.pushes)
	later()
	if len(r.pushes) != pushed {
		t.Errorf("with nothing new, pushed %s", r.pushes[pushed:])
	}
	r.threats[0].Status, r.threats[0].LastUpdate = alert.Closed, r.now.Add(-time.Hour)
	later()
	if got, want := cases(r), "case-incident--old closed, 1 of 1 alerts, 4 objects; note--old isolated the host"; got != want {
		t.Errorf("closed: %s, want %s", got, want)
	}
}

// What a case counts does not depend on where reading began.
func TestACaseCountsTheSameWhereverReadingBegins(t *testing.T) {
	r := newPlatforms()
	r.saw(10, "h", "a")
	r.saw(600, "h", "a")
	r.threat("one", 20*time.Second, &r.alerts[0], &r.alerts[1])
	store := &memStore{}
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	puller := r.withThreats(t, store)
	puller.Since = t0.Add(300 * time.Second)
	if _, err := puller.Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := cases(r), "case-incident--one new, 2 of 2 alerts, 6 objects"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// While OpenCTI imports nothing, a pull waits for one case, not for each; the alerts and the changes of threats are read
// again, since cases are yet to have them.
func TestAStuckImportIsWaitedForOnce(t *testing.T) {
	r := newPlatforms()
	r.saw(600, "h", "a")
	r.triage(600, alert.Investigating)
	for _, id := range []string{"one", "two", "three"} {
		r.threat(id, 20*time.Second)
	}
	r.take = func(r *platforms, bundle, work string) error {
		if !strings.Contains(bundle, "case-incident") {
			r.importBundle(bundle, work)
		}
		return nil
	}
	began, store := r.now, &memStore{}
	report, err := r.withThreats(t, store).Pull(t.Context())
	if !errors.Is(err, pull.ErrPending) || report.Count("threat", pull.Waiting) != 1 || report.Clean() {
		t.Errorf("%v, %+v", err, report.Items)
	}
	if waited := r.now.Sub(began); waited > 10*time.Minute {
		t.Errorf("waited %s", waited)
	}
	if p := store.doc(t).Pull; !p.Alerts.IsZero() || !p.Changes.IsZero() {
		t.Errorf("cursors: alerts %v, changes %v", p.Alerts, p.Changes)
	}
	r.take = nil
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil || strings.Count(cases(r), "case-incident") != 3 {
		t.Errorf("then: %v, %s", err, cases(r))
	}
}

// A threat that OpenCTI refuses is named, tried again in the next runs, and given up after five.
func TestARefusedThreatBlocksNoOther(t *testing.T) {
	r := newPlatforms()
	r.threat("one", 20*time.Second)
	r.threat("two", 30*time.Second)
	r.refuse = func(o memObject) bool { return o.ID == "case-incident--one" }
	store := &memStore{}
	report, err := r.withThreats(t, store).Pull(t.Context())
	if err != nil || report.Count("threat", pull.Failed) != 1 || report.Count("threat", pull.Imported) != 1 {
		t.Errorf("%v, %+v", err, report.Items)
	}
	if !strings.Contains(report.Items[0].Error, "case-incident refused") {
		t.Errorf("it is not said why: %q", report.Items[0].Error)
	}
	for n := 2; n <= 6; n++ {
		report, err = r.withThreats(t, store).Pull(t.Context())
		want := pull.Failed
		if n > 5 {
			want = pull.GivenUp
		}
		if err != nil || report.Count("threat", want) != 1 || report.Clean() != (n > 5) {
			t.Errorf("run %d: %v, %+v", n, err, report.Items)
		}
	}
	r.refuse = nil
	puller := r.withThreats(t, store)
	puller.Again = true
	if report, err = puller.Pull(t.Context()); err != nil || report.Count("threat", pull.Imported) != 1 || len(store.doc(t).Pull.Failed) != 0 {
		t.Errorf("when asked for: %v, %+v, %s", err, report.Items, store.text)
	}
}

// Where a case's import is tied to no work, the case itself is waited for.
func TestCasesWithoutWorks(t *testing.T) {
	r := newPlatforms()
	r.workless = true
	r.threat("one", 20*time.Second)
	var late []string
	r.take = func(_ *platforms, bundle, _ string) error { late = append(late, bundle); return nil }
	r.waited = func(r *platforms) {
		if len(late) > 0 && r.now.After(t0.Add(time.Hour+5*time.Second)) {
			r.importBundle(late[0], "")
			late = late[1:]
		}
	}
	if report, err := r.withThreats(t, &memStore{}).Pull(t.Context()); err != nil || report.Count("threat", pull.Imported) != 1 {
		t.Errorf("%v, %+v", err, report.Items)
	}
	r.threat("two", 30*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	r.waited = func(*platforms) { cancel() }
	report, err := r.withThreats(t, &memStore{}).Pull(ctx)
	if !errors.Is(err, pull.ErrPending) || !errors.Is(err, context.Canceled) || report.Count("threat", pull.Waiting) != 1 {
		t.Errorf("interrupted: %v, %+v", err, report.Items)
	}
}

// A work whose bundle OpenCTI does not take is ended, or each run would leave one behind that waits for ever.
func TestTheWorkOfARefusedCaseIsEnded(t *testing.T) {
	for name, why := range map[string]error{"refused": &memFault{reconcile.Fault{Verdict: true}, "no such bundle"}, "down": errA} {
		r := newPlatforms()
		r.threat("one", 20*time.Second)
		r.take = func(*platforms, string, string) error { return why }
		_, _ = r.withThreats(t, &memStore{}).Pull(t.Context())
		if len(r.closed) != 1 || len(r.works) != 1 || r.works[r.closed[0]] == nil {
			t.Errorf("%s: works %v, ended %v", name, r.works, r.closed)
		}
	}
}

// asked is what was asked about threats and their alerts.
func (r *platforms) askedAboutThreats() (alerts, notes, cases, storedNotes int) {
	for _, q := range r.asked {
		if q.Threat != "" {
			alerts++
		}
	}
	return alerts, r.reads["Note"], r.reads["Cases"], r.reads["Notes"]
}

// Of an open threat to which nothing happened only that is asked which the list does not tell.
func TestOpenThreatsAtRestAreNotAskedAbout(t *testing.T) {
	const n = 30
	for _, tt := range []struct {
		name          string
		turn          func(r *platforms) // before the second pull
		alerts, notes int
		want          string // what has become of the first, besides what it was
	}{
		{"at rest", func(*platforms) {}, 0, 0, "new, 1 of 1 alerts, 4 objects"},
		{"a list that says nothing of notes", func(r *platforms) { r.silent = true }, 0, n, "new, 1 of 1 alerts, 4 objects"},
		{"a note in the list", func(r *platforms) { r.notes["threat-00"] = &alert.Note{Content: "real"} }, 1, 0, "new, 1 of 1 alerts, 4 objects; note--threat-00 real"},
		{"another count, of which no change is told", func(r *platforms) { r.threats[0].Count = 2 }, 1, 1, "new, 1 of 2 alerts, 4 objects"},
		{"another status", func(r *platforms) {
			r.threats[0].Status, r.threats[0].LastUpdate = alert.Investigating, r.now.Add(-time.Minute)
		}, 1, 1, "investigating, 1 of 1 alerts, 4 objects"},
		{"another alert, of which the threat says nothing", func(r *platforms) { r.saw(2*3600, "h", "a").ThreatKey = "threat-00" }, 1, 1, "new, 2 of 1 alerts, 6 objects"},
	} {
		r := newPlatforms()
		for i := range n {
			r.saw(10+i, "h", "a")
		}
		for i := range n {
			r.threat(fmt.Sprintf("threat-%02d", i), 20*time.Second, &r.alerts[i])
		}
		store := &memStore{}
		if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.now = r.now.Add(3 * time.Hour)
		r.asked, r.reads = nil, map[string]int{}
		tt.turn(r)
		if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
			t.Fatal(err)
		}
		alerts, notes, stored, storedNotes := r.askedAboutThreats()
		if alerts != tt.alerts || notes != tt.notes || stored > 4 || storedNotes > 2 { // one reads back
			t.Errorf("%s: asked %d times for the alerts of a threat and %d times for a note; OpenCTI %d times for cases and %d for notes", tt.name, alerts, notes, stored, storedNotes)
		}
		var got []string
		for l := range strings.SplitSeq(cases(r), "; ") {
			if strings.Contains(l, "threat-00") {
				got = append(got, strings.TrimPrefix(l, "case-incident--threat-00 "))
			}
		}
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, strings.Join(got, "; "), tt.want)
		}
	}
}

// A threat is not forgotten whose alert, which failed before, was imported by a pull that went no further.
func TestAThreatOfAnAlertThatCameBackIsReadAgain(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(10, "h", "a").ThreatKey = "one"
	r.threat("one", 20*time.Second, &r.alerts[0])
	r.saw(1800, "h", "a")
	r.refuse = func(o memObject) bool { return o.ID == "incident--alert-010" }
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.refuse, r.unread = nil, errA
	if _, err := r.withThreats(t, store).Pull(t.Context()); !errors.Is(err, errA) || r.things["incident--alert-010"] == nil {
		t.Fatal(err, r.graph())
	}
	r.unread, r.down, r.now = nil, false, r.now.Add(3*time.Hour)
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := cases(r), "case-incident--one new, 1 of 1 alerts, 4 objects"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A threat whose alert came in, and which was not reached, is read in the next run, whatever the list says.
func TestAThreatThatWasNotReachedIsReadAgain(t *testing.T) {
	r := newPlatforms()
	r.saw(10, "h", "a")
	r.saw(11, "h", "a")
	r.threat("one", 20*time.Second, &r.alerts[0])
	r.threat("two", 30*time.Second, &r.alerts[1])
	store := &memStore{}
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(3 * time.Hour)
	r.saw(2*3600, "h", "a").ThreatKey = "one"
	r.saw(2*3600+1, "h", "a").ThreatKey = "two"
	r.take = func(r *platforms, bundle, work string) error {
		if strings.Contains(bundle, "case-incident") {
			return r.fails(errA)
		}
		r.importBundle(bundle, work)
		return nil
	}
	if _, err := r.withThreats(t, store).Pull(t.Context()); !errors.Is(err, errA) {
		t.Fatal(err)
	}
	if p := store.doc(t).Pull; len(p.Failed) != 0 || p.Alerts.After(t0.Add(time.Hour)) {
		t.Errorf("remembered: %+v", p)
	}
	r.take, r.down, r.now = nil, false, r.now.Add(3*time.Hour)
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := cases(r), "case-incident--one new, 2 of 1 alerts, 6 objects; case-incident--two new, 2 of 1 alerts, 6 objects"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if p := store.doc(t).Pull; len(p.Failed) != 0 {
		t.Errorf("still remembered: %+v", p.Failed)
	}
}

// killed is a pull that ends as a killed process does, once the work for which when holds is imported.
func (r *platforms) killed(t *testing.T, store *memStore, when func(bundle string) bool, before bool) {
	t.Helper()
	r.take = func(r *platforms, bundle, work string) error {
		if before && when(bundle) {
			panic("killed")
		}
		r.importBundle(bundle, work)
		if when(bundle) {
			r.take = func(*platforms, string, string) error { panic("killed") }
		}
		return nil
	}
	defer func() {
		if recover() == nil {
			t.Error("it was not killed")
		}
		r.take = nil
	}()
	_, _ = r.withThreats(t, store).Pull(t.Context())
}

// TestACaseGetsAnAlertThatCameLate: the manager showed an alert long after its time, or OpenCTI took it in a later run, and
// the run was killed, or OpenCTI failed, before the case had it. It lacked the alert until its threat changed.
func TestACaseGetsAnAlertThatCameLate(t *testing.T) {
	hasCase := func(bundle string) bool { return strings.Contains(bundle, "case-incident") }
	hasAlert := func(bundle string) bool { return strings.Contains(bundle, `"incident--alert-020"`) }
	for name, ends := range map[string]func(*testing.T, *platforms, *memStore){
		"killed before the case":   func(t *testing.T, r *platforms, s *memStore) { r.killed(t, s, hasCase, true) },
		"killed before the bundle": func(t *testing.T, r *platforms, s *memStore) { r.killed(t, s, hasAlert, true) },
		"killed after the bundle":  func(t *testing.T, r *platforms, s *memStore) { r.killed(t, s, hasAlert, false) },
		"OpenCTI fails at the case": func(t *testing.T, r *platforms, s *memStore) {
			r.take = func(r *platforms, bundle, work string) error {
				if hasCase(bundle) {
					return r.fails(errA)
				}
				r.importBundle(bundle, work)
				return nil
			}
			if _, err := r.withThreats(t, s).Pull(t.Context()); !errors.Is(err, errA) {
				t.Error(err)
			}
			r.take, r.down = nil, false
		},
		"OpenCTI fails at the alert first": func(t *testing.T, r *platforms, s *memStore) {
			r.refuse = func(o memObject) bool { return o.ID == "incident--alert-020" }
			if report, err := r.withThreats(t, s).Pull(t.Context()); err != nil || report.Count("alert", pull.Failed) != 1 {
				t.Errorf("%v, %+v", err, report)
			}
			r.refuse = nil
			r.killed(t, s, hasCase, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, store := newPlatforms(), &memStore{}
			r.withdraws = true
			r.saw(10, "h", "a")
			r.saw(4000, "h", "a") // the cursor is well past what comes late
			r.threat("one", 20*time.Second, &r.alerts[0])
			r.now = t0.Add(2 * time.Hour)
			if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.now = r.now.Add(time.Hour)
			late := r.saw(20, "h", "a")
			late.ThreatKey, late.LastUpdate = "one", r.now.Add(-time.Minute) // its triage shows it
			ends(t, r, store)
			r.now = r.now.Add(time.Hour)
			if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := cases(r), "case-incident--one new, 2 of 1 alerts, 6 objects"; got != want {
				t.Errorf("%s, want %s; %s", got, want, store.text)
			}
			if p := store.doc(t).Pull; len(p.Failed) != 0 || p.Pending != nil {
				t.Errorf("still remembered: %s", store.text)
			}
		})
	}
}

// Threats of which nothing failed are no failures, however many there are.
func TestThreatsThatWereNotReachedAreNoFailures(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	const n = state.MostFailed + 50
	for i := range n {
		r.saw(i, "h", "a")
	}
	for i := range n {
		r.threat(fmt.Sprintf("threat-%03d", i), time.Duration(i)*time.Second, &r.alerts[i])
	}
	r.take = func(r *platforms, bundle, work string) error {
		if strings.Contains(bundle, "case-incident") {
			return r.fails(errA)
		}
		r.importBundle(bundle, work)
		return nil
	}
	report, err := r.withThreats(t, store).Pull(t.Context())
	if !errors.Is(err, errA) || len(report.Problems) != 0 || len(store.doc(t).Pull.Failed) != 0 {
		t.Errorf("%v, %q, %d remembered", err, report.Problems, len(store.doc(t).Pull.Failed))
	}
	r.take, r.down, r.now = nil, false, r.now.Add(3*time.Hour)
	if _, err := r.withThreats(t, store).Pull(t.Context()); err != nil || strings.Count(cases(r), "1 of 1 alert") != n {
		t.Errorf("%v, %d of %d cases", err, strings.Count(cases(r), "1 of 1 alert"), n)
	}
}
