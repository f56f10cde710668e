package reconcile_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
)

// unblocks are values that were taken out of force until a time; the value itself and owners are looked at.
func unblocks(until time.Time, values ...string) reconcile.Unblocks {
	u := reconcile.Unblocks{Of: func(_ reconcile.Kind, v reconcile.Value, owners []string) int {
		return slices.IndexFunc(values, func(s string) bool { return s == v.Value || slices.Contains(owners, s) })
	}}
	for _, v := range values {
		u.List = append(u.List, reconcile.Unblock{Value: v, Reason: "ours", By: "anna", At: noon, Until: until})
	}
	return u
}

// decideUnblocked is Compute at noon.
func decideUnblocked(t tb, p reconcile.Policy, u reconcile.Unblocks, rows []reconcile.Row, inds ...reconcile.Indicator) *reconcile.Plan {
	t.Helper()
	w, r := reconcile.NewWanted(), reconcile.NewRows(p.Own, canon)
	t.Cleanup(func() { w.Close(); r.Close() })
	w.Unblock(u)
	r.Unblock(u)
	for i := range inds {
		w.Add(&inds[i], reconcile.Given{Values: valuesOf(&inds[i])})
	}
	for i := range rows {
		r.Add(&rows[i])
	}
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := r.Seal(w); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Compute(r, w, p, reconcile.Memory{Now: noon, LastGood: reconcile.LastGood{Mapping: p.Mapping.Digest()}})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

const ruleID = "aaaaaaaa-0000-4000-8000-000000000001"

func TestAnUnblockedValueIsOutOfForceUntilItsEnd(t *testing.T) {
	p := policy()
	deletes, creates, adopts := p, p, p
	deletes.Remove = true
	creates.Mode = reconcile.CreateOnlyMode
	adopts.Unmanaged = reconcile.AdoptUnmanaged
	reverts := p
	reverts.Revert = true
	a := ind("i1", "domain_name a.example; domain_name b.example")
	both := applied(t, p, a)
	later, over := noon.Add(time.Hour), noon.Add(-time.Second)
	unmarked := reconcile.Row{Kind: reconcile.IOC, ID: "r1", Type: "domain_name", Value: "a.example", Enabled: true}
	tests := []struct {
		name   string
		policy reconcile.Policy
		until  time.Time
		values []string
		rows   []reconcile.Row
		inds   []reconcile.Indicator
		want   []string
		after  []string // what is planned an hour later, at the end of it
	}{
		{"a rule goes, and its sibling stays", p, later, []string{"a.example"}, both, []reconcile.Indicator{a},
			[]string{"! domain_name a.example unblocked (enabled,comment) by i1", "skip unblocked i1", "= 1"},
			[]string{"* domain_name a.example unblock_ended/source_changed (enabled,comment) by i1", "= 1"}},
		{"it is not deleted, so that it can come back", deletes, later, []string{"a.example"}, both, []reconcile.Indicator{a},
			[]string{"! domain_name a.example unblocked (enabled,comment) by i1", "skip unblocked i1", "= 1"},
			[]string{"* domain_name a.example unblock_ended/source_changed (enabled,comment) by i1", "= 1"}},
		{"no policy keeps it in force", creates, later, []string{"a.example"}, both, []reconcile.Indicator{a},
			[]string{"! domain_name a.example unblocked (enabled,comment) by i1", "skip unblocked i1", "= 1"},
			[]string{"held policy domain_name a.example by i1", "= 2"}},
		{"a new rule does not come", p, later, []string{"a.example"}, nil, []reconcile.Indicator{a},
			[]string{"+ domain_name b.example new_indicator by i1", "skip unblocked i1", "= 0"},
			[]string{"+ domain_name a.example value_added by i1", "= 1"}},
		{"all that an indicator gives", p, later, []string{"i1"}, both, []reconcile.Indicator{a},
			[]string{"! domain_name a.example unblocked (enabled,comment) by i1", "! domain_name b.example unblocked (enabled,comment) by i1", "skip unblocked i1", "skip unblocked i1", "= 0"},
			[]string{"* domain_name a.example unblock_ended/source_changed (enabled,comment) by i1", "* domain_name b.example unblock_ended/source_changed (enabled,comment) by i1", "= 0"}},
		{"a rule that no indicator wants any more goes at once, without evidence", p, later, []string{"a.example"}, applied(t, p, ind("i1", "domain_name a.example")), nil,
			[]string{"! domain_name a.example unblocked (enabled,comment) by i1", "= 0"},
			[]string{"= 1"}},
		{"what a person disabled stays that person's", p, later, []string{"a.example"}, edit(applied(t, p, ind("i1", "domain_name a.example")), off), []reconcile.Indicator{ind("i1", "domain_name a.example")},
			[]string{"skip unblocked i1", "= 1"},
			[]string{"held pinned domain_name a.example by i1", "= 1"}},
		{"a revert does not bring it back", reverts, later, []string{"a.example"}, edit(applied(t, p, ind("i1", "domain_name a.example")), off), []reconcile.Indicator{ind("i1", "domain_name a.example")},
			[]string{"skip unblocked i1", "= 1"},
			[]string{"* domain_name a.example drift/drift (enabled) by i1", "= 0"}},
		{"nor does an adoption, and a rule that is not ours is named", adopts, later, []string{"a.example"}, []reconcile.Row{unmarked}, []reconcile.Indicator{ind("i1", "domain_name a.example")},
			[]string{"held unmanaged domain_name a.example", "skip unblocked i1", "= 0"},
			[]string{"< domain_name a.example unmanaged (description,comment) by i1", "= 0"}},
		{"a Sigma rule by its id", p, later, []string{ruleID}, applied(t, p, sigma("s1", ruleID)), []reconcile.Indicator{sigma("s1", ruleID)},
			[]string{"! sigma name of s1 unblocked (enabled,content) by s1", "skip unblocked s1", "= 0"},
			[]string{"* sigma name of s1 unblock_ended/source_changed (enabled,content) by s1", "= 0"}},
		{"a YARA file by its indicator", p, later, []string{"y1"}, applied(t, p, yara("y1")), []reconcile.Indicator{yara("y1")},
			[]string{"! yara name of y1 unblocked (enabled,content) by y1", "skip unblocked y1", "= 0"},
			[]string{"* yara name of y1 unblock_ended/source_changed (enabled,content) by y1", "= 0"}},
		{"an old connector's rule, which is ours from then on", p, later, []string{"a.example"}, []reconcile.Row{oldRow("r1", "domain_name", "a.example", "i1")}, []reconcile.Indicator{ind("i1", "domain_name a.example")},
			[]string{"! domain_name a.example unblocked (enabled,comment) by i1", "skip unblocked i1", "= 0"},
			[]string{"* domain_name a.example unblock_ended/source_changed (enabled,description,comment) by i1", "= 0"}},
		{"one that is over does nothing", p, over, []string{"a.example"}, both, []reconcile.Indicator{a}, []string{"= 2"}, []string{"= 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := unblocks(tt.until, tt.values...)
			plan := decideUnblocked(t, tt.policy, u, tt.rows, tt.inds...)
			if diff := cmp.Diff(tt.want, brief(plan)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			after := obedient().apply(t, plan, tt.policy, tt.rows)
			if again := decideUnblocked(t, tt.policy, u, after, tt.inds...); again.Changes.Len() > 0 {
				t.Errorf("a second plan is not empty: %q", brief(again))
			}
			u = unblocks(over, tt.values...)
			if diff := cmp.Diff(tt.after, brief(decideUnblocked(t, tt.policy, u, after, tt.inds...))); diff != "" {
				t.Errorf("at its end (-want +got):\n%s", diff)
			}
		})
	}
}

// What a person asked for one by one is no reason for a gate, and takes no room from what others remove.
func TestNoGateHoldsWhatIsUnblocked(t *testing.T) {
	p := policy()
	var inds []reconcile.Indicator
	var values []string
	for i := range 12 {
		values = append(values, fmt.Sprintf("v%02d.example", i))
		inds = append(inds, ind(fmt.Sprintf("i%02d", i), "domain_name "+values[i]))
	}
	plan := decideUnblocked(t, p, unblocks(noon.Add(time.Hour), values...), applied(t, p, inds...), inds...)
	lim := limits(20)
	lim.Hold = true
	plan.Judge(reconcile.Gate{ID: "G1", OK: true}, plan.Explain(reconcile.Evidence{Started: noon}, p), reconcile.Memory{Now: noon}, "", p, lim, reconcile.Overrides{})
	if plan.Refused() || plan.Count(reconcile.Disable) != 12 {
		t.Errorf("%d of 12 go; refused: %q", plan.Count(reconcile.Disable), refusals(plan))
	}
	if counted, _ := plan.Counts(func(int) bool { return true }); len(counted) > 0 {
		t.Errorf("counted as removals: %v", counted)
	}
}

func TestTakingOutTouchesNothingElse(t *testing.T) {
	p := policy()
	u := unblocks(noon.Add(time.Hour), "a.example")
	rows := append(applied(t, p, ind("i1", "domain_name a.example; domain_name b.example")),
		reconcile.Row{Kind: reconcile.IOC, ID: "r1", Type: "domain_name", Value: "a.example", Enabled: true})
	r := reconcile.NewRows(p.Own, canon)
	defer r.Close()
	r.Unblock(u)
	for i := range rows {
		r.Add(&rows[i])
	}
	if err := r.Seal(wantedOf(t)); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.TakeOut(r, p)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"! domain_name a.example unblocked (enabled,comment) by i1", "held unmanaged domain_name a.example", "= 1"}
	if diff := cmp.Diff(want, brief(plan)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestARestoreLeavesUnblockedValuesOut(t *testing.T) {
	p := policy()
	dump := applied(t, p, ind("i1", "domain_name a.example; domain_name b.example"))
	r := reconcile.NewRows(p.Own, canon)
	defer r.Close()
	r.Unblock(unblocks(noon.Add(time.Hour), "a.example"))
	if err := r.Seal(wantedOf(t)); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Restore(r, dump, p, false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"+ domain_name b.example value_added by i1", "held unblocked domain_name a.example by i1", "= 0"}
	if diff := cmp.Diff(want, brief(plan)); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// Whatever is wanted and held: what is unblocked is out of force after one apply, and all else as without it.
func TestUnblockedPlansDoOneThing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, inds, rows := genPolicy(t), genIndicators(t, "wanted"), genRows(t)
		var values []string
		for i := range inds {
			for _, v := range valuesOf(&inds[i]) {
				if rapid.Bool().Draw(t, "unblocked "+v.Value) {
					values = append(values, v.Value)
				}
			}
		}
		u := unblocks(noon.Add(time.Hour), values...)
		covered := func(c *reconcile.Change) bool { return slices.Contains(values, canon(c.Type, c.Value)) }
		plan, plain := decideUnblocked(t, p, u, rows, inds...), decideUnblocked(t, p, reconcile.Unblocks{}, rows, inds...)
		for i := range plan.Changes.Len() {
			if c := plan.Changes.At(i); covered(c) && (c.Action != reconcile.Disable || c.Reason != reconcile.Unblocked) {
				t.Fatalf("%s is unblocked: %s %s", c.Label(), c.Action, c.Reason)
			}
		}
		others := func(p *reconcile.Plan) (out []string) {
			for i := range p.Changes.Len() {
				if c := p.Changes.At(i); !covered(c) {
					out = append(out, fmt.Sprintf("%s %s %s %s", c.Action, c.Label(), c.ID, c.Reason))
				}
			}
			return out
		}
		if diff := cmp.Diff(others(plain), others(plan)); diff != "" {
			t.Fatalf("what is not unblocked (-without +with):\n%s", diff)
		}
		after := obedient().apply(t, plan, p, rows)
		again := decideUnblocked(t, p, u, after, inds...)
		for i := range again.Changes.Len() {
			if c := again.Changes.At(i); covered(c) {
				t.Fatalf("a second plan: %s %s %s", c.Action, c.Label(), c.Reason)
			}
		}
	})
}
