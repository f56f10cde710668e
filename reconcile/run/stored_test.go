package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// TestASourceThatWasReadBefore holds that absence is judged by the moment of the read, not of the plan.
func TestASourceThatWasReadBefore(t *testing.T) {
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name y.example")
	since := b
	since.UpdatedAt = noon.Add(-90 * time.Minute)
	for _, tt := range []struct {
		name    string
		known   reconcile.Indicator
		readAt  time.Time
		unasked string
		want    []string
		refused []string
	}{
		{name: "changed after a read that is two hours old", known: since, readAt: noon.Add(-2 * time.Hour), want: []string{"held changed_meanwhile domain_name y.example"}, refused: []string{}},
		{name: "changed before it", known: since, readAt: noon.Add(-time.Hour), want: []string{"! domain_name y.example indicator_gone"}, refused: []string{"G3"}},
		{name: "changed before a read of now", known: since, want: []string{"! domain_name y.example indicator_gone"}, refused: []string{"G3"}},
	} {
		j := job(t, &source{read: []reconcile.Indicator{a, b}}, newSink())
		syncAll(t, j)
		j.Limits.SourceShrink = 100
		j.Source = &source{read: []reconcile.Indicator{a}, known: map[string]reconcile.Indicator{"b": tt.known}}
		j.ReadAt, j.Unasked = tt.readAt, tt.unasked
		p := plan(t, j)
		if d := cmp.Diff(tt.want, changes(p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if d := cmp.Diff(tt.refused, refused(p)); d != "" {
			t.Errorf("%s refusals (-want +got):\n%s", tt.name, d)
		}
		if said := strings.Contains(p.Plan.Gates[0].Message, "of the snapshot of 2026-"); said == tt.readAt.IsZero() {
			t.Errorf("%s: gate G1 says %q", tt.name, p.Plan.Gates[0].Message)
		}
	}
}

func TestWhyNobodyWasAskedStandsInTheGate(t *testing.T) {
	j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink())
	j.ReadAt, j.Unasked = noon, "no route to it"
	for _, g := range plan(t, j).Plan.Gates {
		if g.ID == "G3" && !strings.Contains(g.Message, "every removal counts as absence: no route to it") {
			t.Errorf("it says %q", g.Message)
		}
	}
}

// What a run learns from an old read is as old as that read, and does not replace what is newer.
func TestAnOldReadTeachesNothingNew(t *testing.T) {
	for _, tt := range []struct {
		name   string
		readAt time.Time
		want   time.Time
	}{
		{"newer than the last good run", noon.Add(2 * time.Hour), noon.Add(2 * time.Hour)},
		{"the same again", noon, noon},
		{"older", noon.Add(-time.Hour), noon},
	} {
		j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink())
		syncAll(t, j) // at noon
		j.Clock = func() time.Time { return noon.Add(3 * time.Hour) }
		j.ReadAt = tt.readAt
		j.Source = &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), ind("b", "domain_name y.example")}}
		p := plan(t, j)
		if !p.ReadAt.Equal(tt.readAt) {
			t.Errorf("%s: the plan says it was read at %s", tt.name, p.ReadAt)
		}
		if r := apply(t, j, p, false); !r.Clean() || r.Count(run.Applied, reconcile.Create) != 1 {
			t.Errorf("%s: %q", tt.name, brief(r))
		}
		if got := j.Keeper.Document().LastGood.At; !got.Equal(tt.want) {
			t.Errorf("%s: the last good run is of %s, want %s", tt.name, got, tt.want)
		}
	}
}
