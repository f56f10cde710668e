package run_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/spool/spooltest"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// TestRecheck holds gate G6: a saved plan against lists that went on.
func TestRecheck(t *testing.T) {
	a := ind("a", "domain_name x.example")
	changed := a
	changed.Description = "other"
	for _, tt := range []struct {
		name      string
		held      bool // the first plan was applied, so the second updates
		meanwhile func(*sink)
		want      []string
		stale     bool
	}{
		{name: "nothing happened", held: true, meanwhile: func(*sink) {}, want: []string{"~ domain_name x.example applied"}},
		{name: "the row was edited", held: true, meanwhile: func(s *sink) { s.rows[0].Enabled = false }, want: []string{"~ domain_name x.example conflict"}},
		{name: "the row is gone", held: true, meanwhile: func(s *sink) { s.rows = nil }, want: []string{"~ domain_name x.example conflict"}},
		{name: "the list is gone", held: true, meanwhile: func(s *sink) { s.lists = map[reconcile.Kind]*reconcile.List{} }, stale: true},
		{name: "the list is another one", held: true, meanwhile: func(s *sink) { s.lists[reconcile.IOC] = &reconcile.List{ID: "other"} }, stale: true},
		{name: "the list was made meanwhile, empty", meanwhile: func(s *sink) { s.lists[reconcile.IOC] = &reconcile.List{ID: "list-ioc"} }, want: []string{"+ domain_name x.example applied"}},
		{name: "the list was made meanwhile and holds other rules", meanwhile: func(s *sink) {
			s.lists[reconcile.IOC] = &reconcile.List{ID: "list-ioc"}
			s.rows = []reconcile.Row{{Kind: reconcile.IOC, ID: "1", Type: "domain_name", Value: "other.example"}}
		}, stale: true},
	} {
		src, snk := &source{read: []reconcile.Indicator{a}}, newSink()
		j := job(t, src, snk)
		if tt.held {
			syncAll(t, j)
			src.read = []reconcile.Indicator{changed}
		}
		p := plan(t, j)
		tt.meanwhile(snk)
		snk.log = nil
		r, err := j.Apply(t.Context(), p, true)
		if errors.Is(err, run.ErrStale) != tt.stale || err != nil && !tt.stale {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.stale {
			if snk.writes() > 0 {
				t.Errorf("%s: a stale plan wrote: %q", tt.name, snk.log)
			}
			continue
		}
		if d := cmp.Diff(tt.want, brief(r)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestCommentsThatTheServerRefusesAreShortAfterOneApply(t *testing.T) {
	var inds []reconcile.Indicator
	for n := range 5 {
		i := ind(fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", n), "domain_name x.example")
		i.Platforms = []string{"windows", "linux"}
		inds = append(inds, i)
	}
	src, snk := &source{read: inds}, newSink()
	snk.comments = 430
	j := job(t, src, snk)
	syncAll(t, j)
	if p := plan(t, j); p.Plan.Changes.Len() > 0 {
		t.Errorf("a second plan: %q\n%s", changes(p), snk.rows[0].Comment)
	}
}

func TestANoteThatTheServerRefusesIsHeldFromThenOn(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{yara("y")}}, newSink()
	snk.munge = func(r *reconcile.Row) { r.Content = strings.ReplaceAll(r.Content, "true", "TRUE") }
	snk.fail = func(what, _ string) error {
		if what == "update" {
			return &fault{reconcile.Fault{Verdict: true, Words: "no", Fields: []string{"content"}}}
		}
		return nil
	}
	j := job(t, src, snk)
	if got := brief(apply(t, j, plan(t, j), false)); !cmp.Equal(got, []string{"+ yara name of y failed"}) {
		t.Errorf("%q", got)
	}
	if p := plan(t, j); !cmp.Equal(changes(p), []string{"held refused yara name of y"}) {
		t.Errorf("%q", changes(p))
	}
}

func TestAServerThatKeepsItsMaturityIsAskedOnce(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{yara("y")}}, newSink()
	snk.munge = func(r *reconcile.Row) { r.HLStatus = "experimental" }
	j := job(t, src, snk)
	syncAll(t, j)
	updates := 0
	for _, l := range snk.log {
		if strings.HasPrefix(l, "update") {
			updates++
		}
	}
	if p := plan(t, j); p.Plan.Changes.Len() > 0 || updates != 1 {
		t.Errorf("%d updates, then %q", updates, changes(p))
	}
}

// TestAYARAFileIsNotPostedTwice holds the look-up before a second POST.
func TestAYARAFileIsNotPostedTwice(t *testing.T) {
	unsure := &fault{reconcile.Fault{Unsure: true, Once: true, Side: true, Words: "no answer"}}
	for _, tt := range []struct {
		name           string
		stored, lookup bool // the first POST was stored; the look-up answers
		want           []string
		rows           int
	}{
		{"stored although unanswered", true, true, []string{"+ yara name of y applied"}, 1},
		{"not stored", false, true, []string{"+ yara name of y applied"}, 1},
		{"stored, and nobody can look", true, false, []string{"+ yara name of y failed"}, 1},
	} {
		src, snk := &source{read: []reconcile.Indicator{yara("y")}}, newSink()
		j := job(t, src, snk)
		p := plan(t, j)
		posts := 0
		snk.fail = func(what, _ string) error {
			switch {
			case what == "create":
				if posts++; posts == 1 {
					if tt.stored {
						row := p.Plan.Changes.At(0).Row()
						row.ID = "stored"
						snk.rows = append(snk.rows, row)
					}
					return unsure
				}
			case what == "look up" && !tt.lookup && posts == 1:
				return &fault{reconcile.Fault{Side: true, Words: "down"}}
			}
			return nil
		}
		r := apply(t, j, p, false)
		if d := cmp.Diff(tt.want, brief(r)[:1]); d != "" || len(snk.rows) != tt.rows {
			t.Errorf("%s: %d rows (-want +got):\n%s", tt.name, len(snk.rows), d)
		}
	}
}

func TestARuleThatCannotBeDeletedIsDisabledAndComesBack(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{sigma("s", ruleA), yara("y")}}, newSink()
	j := job(t, src, snk)
	j.Policy.Remove = true
	j.Limits.SourceShrink = 100
	j.Overrides.AllowEmpty = true
	syncAll(t, j)
	both := src.read
	src.read, src.known = both[1:], map[string]reconcile.Indicator{}
	snk.fail = func(what, _ string) error {
		if what == "delete" {
			return &fault{reconcile.Fault{Linked: true, Verdict: true, Words: "linked"}}
		}
		return nil
	}
	snk.take = func(r *reconcile.Row, _ reconcile.Patch) error { return nil } // says yes to everything
	if r := apply(t, j, plan(t, j), false); r.Items[0].Outcome != run.Failed || r.Items[0].Error != "HarfangLab holds it with enabled true when read again, wanted false" {
		t.Errorf("a manager that does not disable it: %+v", r.Items)
	}
	snk.take = nil
	if got := brief(apply(t, j, plan(t, j), false)); !cmp.Equal(got, []string{"- sigma name of s applied"}) {
		t.Errorf("%q", got)
	}
	if p := plan(t, j); !cmp.Equal(changes(p), []string{"held refused sigma name of s"}) {
		t.Errorf("then: %q", changes(p))
	}
	src.read, src.known = both, nil
	if p := plan(t, j); !cmp.Equal(changes(p), []string{"* sigma name of s indicator_back"}) {
		t.Errorf("when it is back: %q", changes(p))
	}
}

// The same of a server that does not take our word for why it is disabled either.
func TestARuleThatCanNeitherBeDeletedNorMarkedComesBack(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{sigma("s", ruleA)}}, newSink()
	j := job(t, src, snk)
	j.Policy.Remove = true
	j.Limits.SourceShrink = 100
	j.Overrides.AllowEmpty = true
	syncAll(t, j)
	there := src.read
	src.read, src.known = nil, map[string]reconcile.Indicator{}
	updates := 0
	snk.fail = func(what, _ string) error {
		if updates += strings.Count(what, "update"); what == "delete" || what == "update" && updates == 1 {
			return &fault{reconcile.Fault{Linked: what == "delete", Verdict: true, Words: "no"}}
		}
		return nil
	}
	if got := brief(apply(t, j, plan(t, j), false)); !cmp.Equal(got, []string{"- sigma name of s applied"}) || snk.rows[0].Enabled {
		t.Errorf("%q, enabled %t", got, snk.rows[0].Enabled)
	}
	src.read, src.known = there, nil
	if p := plan(t, j); !cmp.Equal(changes(p), []string{"* sigma name of s indicator_back"}) {
		t.Errorf("when it is back: %q", changes(p))
	}
}

func TestAnIDThatAnotherListHoldsIsASkipFromThenOn(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{sigma("s", ruleA)}}, newSink()
	snk.fail = func(what, _ string) error {
		if what == "create" {
			return &fault{reconcile.Fault{Verdict: true, Exists: true, Words: "Sigma rule with this Id already exists."}}
		}
		return nil
	}
	j := job(t, src, snk)
	if got := brief(apply(t, j, plan(t, j), false)); !cmp.Equal(got, []string{"+ sigma name of s failed"}) {
		t.Errorf("%q", got)
	}
	if p := plan(t, j); !cmp.Equal(changes(p), []string{"skip exists_elsewhere s"}) {
		t.Errorf("%q", changes(p))
	}
}

// A rule that is said to exist and cannot be looked for is tried again, not taken for refused.
func TestARefusalThatCannotBeLookedIntoIsNoVerdict(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{sigma("s", ruleA)}}, newSink()
	snk.fail = func(what, _ string) error {
		switch what {
		case "create":
			return &fault{reconcile.Fault{Verdict: true, Exists: true, Words: "Sigma rule with this Id already exists."}}
		case "look up":
			return &fault{reconcile.Fault{Side: true, Words: "down"}}
		}
		return nil
	}
	j := job(t, src, snk)
	if got := brief(apply(t, j, plan(t, j), false)); !cmp.Equal(got, []string{"+ sigma name of s failed"}) {
		t.Errorf("%q", got)
	}
	if p := plan(t, j); !cmp.Equal(changes(p), []string{"+ sigma name of s new_indicator"}) {
		t.Errorf("the next plan: %q", changes(p))
	}
}

func TestAnAnswerThatWasLostIsNoFailure(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
	j := job(t, src, snk)
	p := plan(t, j)
	row := p.Plan.Changes.At(0).Row()
	row.ID = "stored"
	snk.rows = []reconcile.Row{row}
	if r := apply(t, j, p, false); !r.Clean() {
		t.Errorf("%q", brief(r))
	}
	snk.rows[0].Comment = ""
	p = &run.Planned{Plan: p.Plan, Lists: p.Lists, Started: noon}
	if got := brief(apply(t, j, p, false)); !cmp.Equal(got, []string{"+ domain_name x.example conflict"}) {
		t.Errorf("a stranger's row: %q", got)
	}
}

// refusing is a job of n indicators whose values HarfangLab refuses, with what it logs.
func refusing(t *testing.T, n int) (*run.Job, *sink, *memory, *strings.Builder) {
	src, snk, store := &source{}, newSink(), &memory{}
	for i := range n {
		src.read = append(src.read, ind(fmt.Sprint(i), fmt.Sprintf("domain_name x%d.example", i)))
	}
	snk.fail = func(what, _ string) error {
		if what == "create" {
			return &fault{reconcile.Fault{Verdict: true, Words: "a long word on why this value is none that can be taken by this server, whatever it is"}}
		}
		return nil
	}
	j, log := job(t, src, snk), &strings.Builder{}
	j.Log = slog.New(slog.NewTextHandler(log, nil))
	return j, snk, store, log
}

// again is the job of a later process: what it knows is what is stored.
func again(t *testing.T, j *run.Job, store *memory) {
	t.Helper()
	keeper, err := state.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	j.Keeper = keeper
}

// full is a store with no room.
type full struct{ memory }

func (*full) Save(context.Context, string) error { return errors.New("no space left on device") }

// What later runs must know and cannot is an error, though all that was planned is done.
func TestWhatCannotBeRememberedIsSaidAsAnError(t *testing.T) {
	j, log := job(t, &source{read: []reconcile.Indicator{ind("1", "domain_name a.example")}}, newSink()), &strings.Builder{}
	j.Log = slog.New(slog.NewTextHandler(log, nil))
	j.Keeper = state.Unread(&full{})
	if done := apply(t, j, plan(t, j), false); !done.Clean() {
		t.Errorf("%+v", done.Items)
	}
	for _, what := range []string{"what this run is about to do could not be saved", "what this run learned could not be saved"} {
		if !strings.Contains(log.String(), `level=ERROR msg="`+what) {
			t.Errorf("%q is no error of\n%s", what, log.String())
		}
	}
}

// TestManyRefusedValuesAreNotPostedAgain: 700 refused values were posted again in each run, since the state held some.
func TestManyRefusedValuesAreNotPostedAgain(t *testing.T) {
	j, snk, store, log := refusing(t, 700)
	for range 3 {
		again(t, j, store)
		snk.log = nil
		apply(t, j, plan(t, j), false)
	}
	if n := snk.writes(); n != 0 {
		t.Errorf("%d writes in the third run", n)
	}
	if strings.Contains(log.String(), "forgotten") {
		t.Errorf("log: %.500s", log.String())
	}
	if len(store.text) > state.MostBytes {
		t.Errorf("%d bytes of state", len(store.text))
	}
	again(t, j, store)
	p := plan(t, j)
	if p.Plan.Held.Len() != 700 || p.Plan.Held.At(0).Reason != reconcile.Refused || p.Plan.Held.At(699).Detail == "" {
		t.Fatalf("%d held", p.Plan.Held.Len())
	}
	src := j.Source.(*source)
	for i := range src.read { // another text is tried
		src.read[i].Description += "!"
	}
	if p = plan(t, j); p.Plan.Changes.Len() != 700 {
		t.Errorf("%d changes once the content is another, want 700", p.Plan.Changes.Len())
	}
}

// TestVerdictsThatAreForgottenAreSaid: of more refused values than the state can hold the oldest are sent again, which is said.
func TestVerdictsThatAreForgottenAreSaid(t *testing.T) {
	j, _, store, log := refusing(t, 4000)
	again(t, j, store)
	apply(t, j, plan(t, j), false)
	if !strings.Contains(log.String(), "verdicts on some rules are forgotten") {
		t.Fatalf("log: %.500s", log.String())
	}
	again(t, j, store)
	p := plan(t, j)
	if n := p.Plan.Changes.Len(); !strings.Contains(log.String(), fmt.Sprintf("rules=%d", n)) || n == 0 || n > 2500 {
		t.Errorf("%d of 4000 are sent again; log: %.300s", n, log.String())
	}
}

// TestManyRulesThatCouldNotBeMarkedComeBack: HarfangLab takes no note of why a rule is disabled. Of more than a hundred such
// rules some looked like disabled by a person, and stayed out of force when their indicators were back.
func TestManyRulesThatCouldNotBeMarkedComeBack(t *testing.T) {
	src, snk, store := &source{read: domains(0, 600)}, newSink(), &memory{}
	j := job(t, src, snk)
	j.Overrides.AcceptRemovals = 300
	again(t, j, store)
	syncAll(t, j)
	all := src.read
	src.read = all[300:]
	tried := map[string]bool{}
	snk.fail = func(what, id string) error {
		if noted := what == "update" && !tried[id]; noted { // the second time it is disabled alone
			tried[id] = true
			return &fault{reconcile.Fault{Verdict: true, Words: "no notes"}}
		}
		return nil
	}
	j.Parallel = 1
	apply(t, j, plan(t, j), false)
	snk.fail = nil
	if n := snk.enabled(reconcile.IOC); n != 300 {
		t.Fatalf("%d rules in force", n)
	}
	src.read = all
	again(t, j, store)
	if p := plan(t, j); p.Plan.Count(reconcile.Enable) != 300 {
		t.Errorf("%d of 300 come back; %d held", p.Plan.Count(reconcile.Enable), p.Plan.Held.Len())
	}
	apply(t, j, plan(t, j), false)
	if again(t, j, store); len(j.Keeper.Document().Stopped) != 0 || len(j.Keeper.Document().Verdicts) != 0 {
		t.Errorf("still remembered: %d", len(j.Keeper.Document().Stopped))
	}
}

// TestBreaker holds gate G9.
func TestBreaker(t *testing.T) {
	down := &fault{reconcile.Fault{Side: true, Words: "down"}}
	bad := &fault{reconcile.Fault{Verdict: true, Words: "bad value"}}
	page := &fault{reconcile.Fault{Side: true, Foreign: true, Words: "with an HTML page"}}
	for _, tt := range []struct {
		name                      string
		fail                      func(n int) error
		applied, failed, left     int
		stopped, unreachableWrite bool
	}{
		{"three in a row stop", func(n int) error { return map[bool]error{true: down}[n > 4] }, 4, 3, 13, true, false},
		{"a verdict ends the row", func(n int) error { return []error{down, down, bad}[n%3] }, 0, 20, 0, false, true},
		{"nothing ever worked", func(int) error { return down }, 0, 3, 17, true, true},
		{"something in front refuses some, and the manager the others", func(n int) error { return []error{page, page, bad}[n%3] }, 0, 20, 0, false, false},
		{"something in front refuses some, and the manager fails", func(n int) error { return []error{down, page, bad}[n%3] }, 0, 20, 0, false, true},
		{"something in front refuses all", func(int) error { return page }, 0, 3, 17, true, true},
	} {
		var inds []reconcile.Indicator
		for i := range 20 {
			inds = append(inds, ind(fmt.Sprintf("i%02d", i), fmt.Sprintf("domain_name h%02d.example", i)))
		}
		snk := newSink()
		j := job(t, &source{read: inds}, snk)
		j.Parallel = 1
		n := 0
		snk.fail = func(what, _ string) error {
			if what == "create" {
				n++
				if err := tt.fail(n); err != (*fault)(nil) && err != nil {
					return err
				}
			}
			return nil
		}
		r := apply(t, j, plan(t, j), false)
		_, stopped := errors.AsType[*run.BreakerError](r.Stopped)
		if r.Count(run.Applied, "") != tt.applied || r.Count(run.Failed, "") != tt.failed || r.Count(run.NotAttempted, "") != tt.left || stopped != tt.stopped || (r.Unreachable != nil) != tt.unreachableWrite {
			t.Errorf("%s: %d applied, %d failed, %d left, stopped %v, unreachable %v", tt.name, r.Count(run.Applied, ""), r.Count(run.Failed, ""), r.Count(run.NotAttempted, ""), r.Stopped, r.Unreachable)
		}
	}
}

func TestAnInterruptStartsNothingNewAndReadsBackWhatWasDone(t *testing.T) {
	var inds []reconcile.Indicator
	for i := range 20 {
		inds = append(inds, ind(fmt.Sprintf("i%02d", i), fmt.Sprintf("domain_name h%02d.example", i)))
	}
	snk := newSink()
	j := job(t, &source{read: inds}, snk)
	j.Parallel = 1
	p := plan(t, j)
	ctx, stop := context.WithCancel(t.Context())
	n := 0
	snk.fail = func(what, _ string) error {
		if what == "create" {
			if n++; n == 5 {
				stop()
			}
		}
		return nil
	}
	r, err := j.Apply(ctx, p, false)
	if err != nil || !errors.Is(r.Stopped, run.ErrInterrupted) || r.Count(run.Applied, "") != 5 || r.Count(run.NotAttempted, "") != 15 || len(snk.rows) != 5 {
		t.Fatalf("%v, stopped %v, %d applied, %d left", err, r.Stopped, r.Count(run.Applied, ""), r.Count(run.NotAttempted, ""))
	}
	if len(r.Problems) > 0 || j.Keeper.Document().LastGood.Known() {
		t.Errorf("problems %q, last good %+v", r.Problems, j.Keeper.Document().LastGood)
	}
	snk.log = nil
	if r, err := j.Apply(ctx, plan(t, j), false); err != nil || r.Count(run.NotAttempted, "") != 15 || snk.writes() > 0 {
		t.Errorf("after the interrupt: %v, %q", err, snk.log)
	}
}

// What was not attempted says why in words of its own: the outcome is not repeated, and a lost lock is no interrupt.
func TestWhatWasNotAttemptedSaysWhy(t *testing.T) {
	lost := &state.LostError{Err: errors.New("another run took it")}
	for cause, want := range map[error]string{context.Canceled: "interrupted", lost: "the lock is lost: another run took it"} {
		j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink())
		p := plan(t, j)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		r, err := j.Apply(ctx, p, false)
		if err != nil || len(r.Items) != 1 || r.Items[0].Outcome != run.NotAttempted || r.Items[0].Error != want {
			t.Errorf("%v: %+v, %v", cause, r.Items, err)
		}
	}
}

// TestReadBack holds gate G8.
func TestReadBack(t *testing.T) {
	var many []reconcile.Indicator
	for i := range 201 {
		many = append(many, ind(fmt.Sprintf("i%03d", i), fmt.Sprintf("domain_name h%03d.example", i)))
	}
	for _, tt := range []struct {
		name    string
		inds    []reconcile.Indicator
		munge   func(*reconcile.Row)
		fail    func(*sink) func(what, id string) error
		applied int
		reads   int // of whole lists, after the plan
	}{
		{name: "few rows are looked up", inds: many[:3], applied: 3},
		{name: "many are read in one list", inds: many, applied: 201, reads: 1},
		{name: "a server without filters is read whole", inds: many[:3], applied: 3, reads: 1, fail: func(*sink) func(string, string) error {
			return func(what, _ string) error {
				if what == "look up" {
					return &fault{reconcile.Fault{FilterIgnored: true, Words: "wide"}}
				}
				return nil
			}
		}},
		{name: "a row that goes out of force is a failure", inds: many[:3], munge: func(r *reconcile.Row) { r.Enabled = r.Value != "h001.example" }, applied: 2},
	} {
		snk := newSink()
		snk.munge = tt.munge
		j := job(t, &source{read: tt.inds}, snk)
		p := plan(t, j)
		snk.log = nil
		if tt.fail != nil {
			snk.fail = tt.fail(snk)
		}
		r := apply(t, j, p, false)
		reads := 0
		for _, l := range snk.log {
			if strings.HasPrefix(l, "read") {
				reads++
			}
		}
		if r.Count(run.Applied, "") != tt.applied || reads != tt.reads {
			t.Errorf("%s: %d applied, %d lists read; %q", tt.name, r.Count(run.Applied, ""), reads, r.Problems)
		}
	}
}

// manyLarge are indicators whose rules do not fit in memory.
func manyLarge(n int) (inds []reconcile.Indicator) {
	for n := range n {
		i := yara(fmt.Sprintf("0a1b2c3d-0000-4000-8000-%012d", n))
		i.Pattern = "rule r" + fmt.Sprint(n) + " { condition: true }\n// " + strings.Repeat("x", 100_000) + "\n"
		inds = append(inds, i)
	}
	return inds
}

// What waits in a temporary file and cannot be read again is not sent, and neither is anything in its place.
func TestNothingIsSentOfAPlanThatCannotBeRead(t *testing.T) {
	inds := manyLarge(120)
	src, snk := &source{read: inds}, newSink()
	j := job(t, src, snk)
	p := plan(t, j)
	spooltest.Spoil(t)
	r := apply(t, j, p, false)
	for _, row := range snk.rows { // of the few that were in memory still
		if !slices.ContainsFunc(inds, func(i reconcile.Indicator) bool { return strings.HasSuffix(row.Content, i.Pattern) }) {
			t.Errorf("written was %.100q", row.Content)
		}
	}
	if n := r.Count(run.Failed, ""); n < 110 || snk.writes() > 10 {
		t.Errorf("%d failed, %d written", n, snk.writes())
	}
	for _, it := range r.Items {
		if it.Outcome != run.Applied && !strings.Contains(it.Error, "temporary file") && !strings.Contains(it.Error, "cannot be read again") {
			t.Errorf("%+v", it)
		}
	}
	if syncAll(t, j); len(snk.rows) != 120 {
		t.Errorf("the next run leaves %d rules", len(snk.rows))
	}
}

// A plan that cannot be read any more once it is written is a problem of its run: nothing proves that all is in place.
func TestAPlanThatCannotBeReadAfterItIsWrittenTeachesNothing(t *testing.T) {
	src, snk := &source{read: manyLarge(120)}, newSink()
	j := job(t, src, snk)
	p := plan(t, j)
	snk.fail = func(what, _ string) error {
		if what == "look up" && snk.fail != nil {
			snk.fail = nil
			spooltest.Spoil(t)
		}
		return nil
	}
	r := apply(t, j, p, false)
	if snk.fail != nil || len(snk.rows) != 120 || r.Clean() || len(r.Problems) == 0 {
		t.Errorf("%d rules, %q", len(snk.rows), r.Problems)
	}
	if j.Keeper.Document().LastGood.Known() {
		t.Error("it is remembered as a good run")
	}
	if syncAll(t, j); !j.Keeper.Document().LastGood.Known() || len(snk.rows) != 120 {
		t.Errorf("the next run leaves %d rules", len(snk.rows))
	}
}

// Nor does it say that nothing of what it holds is hidden.
func TestMarkingsStayWhileNobodyKnowsWhatIsHeld(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name a.example")}}, newSink()
	j := job(t, src, snk)
	j.Markings = []string{"TLP:AMBER", "TLP:RED"}
	syncAll(t, j)
	j.Markings = []string{"TLP:AMBER"}
	p := plan(t, j)
	for range 100 {
		p.Plan.Held.Add(&reconcile.Held{Kind: reconcile.IOC, Value: "x.example", Reason: reconcile.Ambiguous, Detail: strings.Repeat("x", 100_000), Unseen: true})
	}
	spooltest.Spoil(t)
	apply(t, j, p, false)
	if got := j.Keeper.Document().LastGood.Markings; !slices.Contains(got, "TLP:RED") {
		t.Errorf("%q are remembered", got)
	}
}

// Rows that were written are told once each as they are read, so that nobody need keep them all: those that get another
// write as they are after it.
func TestWrittenRowsAreToldAsTheyAreRead(t *testing.T) {
	const rules, page = 300, 50
	snk := newSink()
	snk.munge = func(r *reconcile.Row) {
		if r.Value == "h007.example" {
			r.Description = "as the server has it"
		}
	}
	src := &source{}
	for i := range rules {
		src.read = append(src.read, ind(fmt.Sprintf("i%03d", i), fmt.Sprintf("domain_name h%03d.example", i)))
	}
	j, told := job(t, src, snk), map[string]int{}
	j.Touched = func(ch *reconcile.Change, row *reconcile.Row) {
		told[ch.Label()]++
		if i := snk.at(row.ID); *row != snk.rows[i] {
			t.Errorf("%s is told as %+v and is %+v", ch.Label(), row, snk.rows[i])
		}
	}
	j.Sink = &paged{sink: snk, fail: []error{&fault{reconcile.Fault{Incomplete: true, Words: "the list broke off"}}}, page: func(n int) []reconcile.Row {
		if from := n * page; from < len(snk.rows) {
			if len(told) < from-1 {
				t.Errorf("%d rows are told of %d that were read", len(told), from)
			}
			return snk.rows[from:min(from+page, len(snk.rows))]
		}
		return nil
	}}
	if r := apply(t, j, plan(t, j), false); !r.Clean() || len(told) != rules {
		t.Errorf("%d are told, %q", len(told), r.Problems)
	}
	for of, n := range told {
		if n != 1 {
			t.Errorf("%s is told %d times", of, n)
		}
	}
}

// A read of a list that broke off proves nothing of what it showed: a rule that the whole read lacks is not there.
func TestWhatABrokenReadShowedIsReadAgain(t *testing.T) {
	const rules, page = 250, 100
	snk, src := newSink(), &source{}
	for i := range rules {
		src.read = append(src.read, ind(fmt.Sprintf("i%03d", i), fmt.Sprintf("domain_name h%03d.example", i)))
	}
	j, passes := job(t, src, snk), 0
	j.Sink = &paged{sink: snk, fail: []error{&fault{reconcile.Fault{Incomplete: true, Words: "the list broke off"}}}, page: func(n int) []reconcile.Row {
		if n == 0 {
			passes++
		}
		if passes == 2 && n == 0 {
			snk.rows = snk.rows[1:]
		}
		if from := n * page; from < len(snk.rows) {
			return snk.rows[from:min(from+page, len(snk.rows))]
		}
		return nil
	}}
	r := apply(t, j, plan(t, j), false)
	if n := r.Count(run.Failed, reconcile.Create); n != 1 || passes != 2 {
		t.Errorf("%d failed after %d passes, want 1 after 2", n, passes)
	}
}
