package run_test

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

const ruleA = "aaaaaaaa-0000-4000-8000-00000000000a"

func TestARunMakesTheListsEqualAndASecondDoesNothing(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example; url http://h/A"), sigma("s", ruleA), yara("y")}}, newSink()
	j := job(t, src, snk)
	syncAll(t, j)
	if len(snk.rows) != 4 || len(snk.lists) != 3 {
		t.Fatalf("%d rows, %d lists", len(snk.rows), len(snk.lists))
	}
	snk.log = nil
	if p := plan(t, j); p.Plan.Changes.Len() > 0 || snk.writes() > 0 {
		t.Errorf("%q, %q", changes(p), snk.log)
	}
	last := j.Keeper.Document().LastGood
	if want := (reconcile.LastGood{At: noon, Filter: "f", Apart: map[reconcile.Kind]reconcile.Criteria{}, Markings: []string{"TLP:AMBER"}, Sources: map[reconcile.Kind]int{reconcile.IOC: 1, reconcile.Sigma: 1, reconcile.YARA: 1}}); !cmp.Equal(want, last) {
		t.Errorf("last good run (-want +got):\n%s", cmp.Diff(want, last))
	}
}

// TestIncompleteReads holds gate G1: one more read, then refuse.
func TestIncompleteReads(t *testing.T) {
	broken := &fault{reconcile.Fault{Incomplete: true, Side: true, Words: "half"}}
	for _, tt := range []struct {
		name string
		src  *source
		want []string
	}{
		{"once is read again", &source{fail: []error{broken}}, []string{}},
		{"twice refuses", &source{fail: []error{broken, broken}}, []string{"G1"}},
		{"an answer by id that breaks off is asked for again", &source{failByID: []error{broken}}, []string{}},
		{"twice refuses as well", &source{failByID: []error{broken, broken}}, []string{"G1"}},
	} {
		j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example; domain_name y.example")}}, newSink())
		syncAll(t, j)
		tt.src.read = []reconcile.Indicator{ind("a", "domain_name x.example")}
		j.Source = tt.src
		p := plan(t, j)
		if got := refused(p); !cmp.Equal(got, tt.want) || len(got) > 0 && (p.Plan.Changes.Len() > 0 || p.Complete) {
			t.Errorf("%s: refused by %q, want %q; %q", tt.name, got, tt.want, changes(p))
		}
	}
}

// TestASideWithoutAnEndEndsBeforeMemoryDoes: a platform, or a snapshot, may give ever more pages.
func TestASideWithoutAnEndEndsBeforeMemoryDoes(t *testing.T) {
	was := debug.SetMemoryLimit(64 << 20)
	defer debug.SetMemoryLimit(was)
	src, snk := &source{}, newSink()
	j := job(t, src, snk)
	src.read = make([]reconcile.Indicator, 250_000)
	_, err := j.Plan(t.Context(), time.Time{})
	if e, crowded := errors.AsType[*run.CrowdedError](err); !crowded || e.Most != 223696 {
		t.Error(err)
	}
	src.read = nil
	syncAll(t, j)
	if _, err := snk.CreateList(t.Context(), reconcile.IOC, "from_OpenCTI"); err != nil {
		t.Fatal(err)
	}
	for i := range 250_000 {
		snk.rows = append(snk.rows, reconcile.Row{Kind: reconcile.IOC, ID: fmt.Sprint(i), Type: "url", Value: "v"})
	}
	if _, err := j.Plan(t.Context(), time.Time{}); err == nil || !strings.Contains(err.Error(), "more than 223696 rules came") {
		t.Error(err)
	}
}

// waiting is a side that answers nothing until the other one has ended.
type (
	waitingSource struct{ *source }
	waitingSink   struct{ *sink }
)

func (waitingSource) Read(ctx context.Context, _ time.Time, _ func([]reconcile.Indicator, int) error) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func (waitingSink) FindList(ctx context.Context, _ reconcile.Kind, _ string) (*reconcile.List, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestTheSideThatFailsIsTheOneNamed: what ends the other side is no failure of it.
func TestTheSideThatFailsIsTheOneNamed(t *testing.T) {
	broken := errors.New("broken")
	fails := newSink()
	fails.lists[reconcile.IOC] = &reconcile.List{ID: "l"}
	fails.fail = func(string, string) error { return broken }
	for range 500 {
		src, snk := &source{fail: []error{broken}}, newSink()
		j := job(t, src, snk)
		j.Sink = waitingSink{snk}
		if _, err := j.Plan(t.Context(), time.Time{}); !errors.Is(err, broken) {
			t.Fatalf("OpenCTI failed: %v", err)
		}
		j = job(t, src, fails)
		j.Source = waitingSource{src}
		if _, err := j.Plan(t.Context(), time.Time{}); !errors.Is(err, broken) {
			t.Fatalf("HarfangLab failed: %v", err)
		}
	}
}

func TestAListThatIsReadTwiceIsNotAddedUp(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
	j := job(t, src, snk)
	syncAll(t, j)
	snk.fail = func(what, id string) error {
		if what == "read" && id == "ioc" {
			snk.fail = nil
			return &fault{reconcile.Fault{Incomplete: true, Words: "half"}}
		}
		return nil
	}
	if p := plan(t, j); p.Plan.Changes.Len() > 0 || p.Plan.Owned[reconcile.IOC] != 1 {
		t.Errorf("%q, %d rows", changes(p), p.Plan.Owned[reconcile.IOC])
	}
}

// TestAbsence holds gate G3 through a whole plan.
func TestAbsence(t *testing.T) {
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name y.example")
	moved := b
	moved.UpdatedAt = noon
	revoked := b
	revoked.Revoked = true
	at := func(ago time.Duration) map[string]reconcile.Indicator {
		i := b
		i.UpdatedAt = noon.Add(-ago)
		return map[string]reconcile.Indicator{"b": i}
	}
	for _, tt := range []struct {
		name     string
		src      source
		markings []string
		own      bool // no stream's filter was adopted
		readAt   time.Time
		want     []string
		refused  []string
	}{
		{name: "gone", src: source{known: map[string]reconcile.Indicator{}}, want: []string{"! domain_name y.example indicator_gone"}, refused: []string{}},
		{name: "revoked", src: source{known: map[string]reconcile.Indicator{"b": revoked}}, want: []string{"! domain_name y.example revoked"}, refused: []string{}},
		{name: "out of the filter", src: source{known: map[string]reconcile.Indicator{"b": b}, unfiltered: map[string]bool{"b": true}}, want: []string{"! domain_name y.example out_of_filter"}, refused: []string{}},
		{name: "out of a filter that is our own, which lets it through", own: true, src: source{known: map[string]reconcile.Indicator{"b": b}, unfiltered: map[string]bool{"b": true}},
			want: []string{"! domain_name y.example indicator_gone"}, refused: []string{"G3"}},
		{name: "lost by the read", src: source{known: map[string]reconcile.Indicator{"b": b}}, want: []string{"! domain_name y.example indicator_gone"}, refused: []string{"G3"}},
		{name: "changed since", src: source{known: map[string]reconcile.Indicator{"b": moved}}, want: []string{"held changed_meanwhile domain_name y.example"}, refused: []string{}},
		{name: "changed since, by a clock that is behind ours", src: source{known: at(59 * time.Second)}, want: []string{"held changed_meanwhile domain_name y.example"}, refused: []string{}},
		{name: "changed more than a minute before", src: source{known: at(61 * time.Second)}, want: []string{"! domain_name y.example indicator_gone"}, refused: []string{"G3"}},
		{name: "changed since an earlier read, by a clock that is behind ours", src: source{known: at(time.Hour + 59*time.Second)}, readAt: noon.Add(-time.Hour), want: []string{"held changed_meanwhile domain_name y.example"}, refused: []string{}},
		{name: "changed more than a minute before an earlier read", src: source{known: at(time.Hour + 61*time.Second)}, readAt: noon.Add(-time.Hour), want: []string{"! domain_name y.example indicator_gone"}, refused: []string{"G3"}},
		{name: "fewer markings", src: source{known: map[string]reconcile.Indicator{}}, markings: []string{"TLP:GREEN"}, want: []string{"held ambiguous domain_name y.example"}, refused: []string{}},
	} {
		j := job(t, &source{read: []reconcile.Indicator{a, b}}, newSink())
		syncAll(t, j)
		j.Limits.SourceShrink = 100
		j.OwnFilter, j.ReadAt = tt.own, tt.readAt
		if tt.markings != nil {
			j.Markings = tt.markings
		}
		tt.src.read = []reconcile.Indicator{a}
		j.Source = &tt.src
		p := plan(t, j)
		if d := cmp.Diff(tt.want, changes(p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if d := cmp.Diff(tt.refused, refused(p)); d != "" {
			t.Errorf("%s refusals (-want +got):\n%s", tt.name, d)
		}
	}
}

// TestOneOwnerThatCannotBeLookedUpStopsNothingElse: the rules of an indicator that OpenCTI fails at stay, whatever it is; every
// other change waited for it, in every run.
func TestOneOwnerThatCannotBeLookedUpStopsNothingElse(t *testing.T) {
	src, snk := &source{read: append(domains(0, 40), ind("pair", "domain_name h00002.example"))}, newSink()
	j := holding(t, src, snk)
	src.read = domains(3, 41)
	src.broken = map[string]bool{"i00001": true, "pair": true}
	p := step(t, j)
	want := []string{"! domain_name h00000.example indicator_gone", "+ domain_name h00040.example new_indicator", "held ambiguous domain_name h00001.example", "held ambiguous domain_name h00002.example"}
	if d := cmp.Diff(want, changes(p)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if said := p.Plan.Held.At(0).Detail; !strings.Contains(said, "i00001: it cannot be resolved") {
		t.Errorf("said %q", said)
	}
	src.broken = nil
	if p = step(t, j); p.Plan.Count(reconcile.Disable) != 2 {
		t.Errorf("once they can be looked up: %q", changes(p))
	}
}

// TestAnIndicatorThatCannotBeReadKeepsItsRules: everything else goes on, the run is a good one, and the next has nothing to do.
// One such indicator ended every run before its plan.
func TestAnIndicatorThatCannotBeReadKeepsItsRules(t *testing.T) {
	src, snk := &source{read: append(domains(0, 20), ind("pair", "domain_name h00002.example"))}, newSink()
	j := holding(t, src, snk)
	good := j.Keeper.Document().LastGood.At
	src.read = append(domains(1, 22), ind("pair", "domain_name h00002.example"))
	src.read[1].Description = "changed"
	src.broken = map[string]bool{"i00001": true, "pair": true, "i00021": true}
	j.Clock = func() time.Time { return noon.Add(time.Hour) }
	for _, want := range [][]string{
		{"! domain_name h00000.example indicator_gone", "+ domain_name h00020.example new_indicator",
			"held ambiguous domain_name h00001.example", "held ambiguous domain_name h00002.example", "skip unreadable i00001", "skip unreadable i00021", "skip unreadable pair"},
		{"held ambiguous domain_name h00001.example", "held ambiguous domain_name h00002.example", "skip unreadable i00001", "skip unreadable i00021", "skip unreadable pair"},
	} {
		if p := step(t, j); !cmp.Equal(want, changes(p)) || p.Plan.Refused() {
			t.Errorf("refused %q (-want +got):\n%s", refused(p), cmp.Diff(want, changes(p)))
		}
	}
	if doc := j.Keeper.Document(); !doc.LastGood.At.After(good) || doc.LastGood.Sources[reconcile.IOC] != 19 {
		t.Errorf("the run was not a good one: %+v", doc.LastGood)
	}
	src.broken = nil
	want := []string{"~ domain_name h00002.example fields_changed", "+ domain_name h00021.example new_indicator"}
	if p := step(t, j); !cmp.Equal(want, changes(p)) {
		t.Errorf("once they can be read (-want +got):\n%s", cmp.Diff(want, changes(p)))
	}
}

func TestWhatASavedPlanTeaches(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alter func(*run.Planned)
		want  string // the filter of the last good run; f is the earlier one's
	}{
		{"a saved plan that knows its sources", func(p *run.Planned) { p.Saved, p.Filter = true, "g" }, "g"},
		{"a saved plan that does not", func(p *run.Planned) { p.Saved, p.Filter, p.Plan.Sources = true, "g", nil }, "f"},
		{"a restore", func(p *run.Planned) { p.Restore, p.Filter = true, "g" }, "f"},
		{"an older plan", func(p *run.Planned) { p.Started, p.Filter = noon.Add(-3*time.Hour), "g" }, "f"},
	} {
		j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink())
		earlier := reconcile.LastGood{At: noon.Add(-2 * time.Hour), Filter: "f"}
		if err := j.Keeper.Update(t.Context(), func(d *state.Document) { d.LastGood = earlier }); err != nil {
			t.Fatal(err)
		}
		p := plan(t, j)
		tt.alter(p)
		if r := apply(t, j, p, true); !r.Clean() {
			t.Errorf("%s: %q", tt.name, brief(r))
		}
		if last := j.Keeper.Document().LastGood; last.Filter != tt.want || last.At.Equal(earlier.At) != (tt.want == "f") {
			t.Errorf("%s: %+v", tt.name, last)
		}
	}
}

// TestEvidenceAcceptsWhatTheReadAccepts: a rule's text that the read skips is no value for gate G3 either, which refused
// everything, and nothing could be done about it.
func TestEvidenceAcceptsWhatTheReadAccepts(t *testing.T) {
	for _, end := range []string{"?", "? x\n", "0: &k 0\n&0: 000\n", "&a x: *a\n", "{a: b}: c\n", "[", "title: u\n", "---\na: b\n", "correlation: {}\n"} {
		a, b := sigma("a", "6e5dd4d3-6a85-4bc2-8d07-2e9d2a4d3f11"), sigma("b", "6e5dd4d3-6a85-4bc2-8d07-2e9d2a4d3f12")
		src := &source{read: []reconcile.Indicator{a, b}}
		j := job(t, src, newSink())
		syncAll(t, j)
		src.read[1].Pattern += end
		p := plan(t, j)
		if p.Plan.Refused() {
			t.Errorf("%q at the end of a text: refused %q, %q", end, refused(p), changes(p))
		}
		if r := apply(t, j, p, false); !r.Clean() {
			t.Errorf("%q at the end of a text: %q", end, brief(r))
		}
	}
}
