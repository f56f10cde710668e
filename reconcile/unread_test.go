package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// unreadable is an indicator that OpenCTI has and cannot give.
func unreadable(id string) reconcile.Indicator {
	return reconcile.Indicator{ID: id, StandardID: std(id), Unread: "INTERNAL_SERVER_ERROR: it cannot be resolved"}
}

// TestRulesOfAnUnreadableIndicatorStay: whatever the row says of its owners, nothing is taken from one that cannot be read,
// though OpenCTI, asked by id, would know of no owner at all; and what it does not own is decided without it.
func TestRulesOfAnUnreadableIndicatorStay(t *testing.T) {
	p := policy()
	a, b := ind("a", "domain_name x.example"), ind("b", "domain_name x.example")
	changed := with(b, func(i *reconcile.Indicator) { i.Description, i.Score = "changed", new(90) })
	var many []reconcile.Indicator
	for i := range marker.MaxOwners + 3 {
		many = append(many, ind(fmt.Sprintf("m%03d", i), "domain_name x.example"))
	}
	last := many[len(many)-1].ID
	cut := edit(applied(t, p, a), func(r *reconcile.Row) { r.Comment, _ = reconcile.ShortComment(r.Comment) })
	second := func(r reconcile.Row) reconcile.Row {
		r.ID, r.Value, r.Created = "second", "X.EXAMPLE", "2030"
		return r
	}
	byHand := reconcile.Row{Kind: reconcile.IOC, ID: "s1", Created: "2025", Type: "domain_name", Value: "x.example", Description: "by hand", Enabled: true, HLStatus: "stable"}
	for _, tt := range []struct {
		name   string
		policy func(*reconcile.Policy)
		rows   []reconcile.Row
		wanted []reconcile.Indicator
		want   []string
	}{
		{name: "it alone owns the rule", rows: applied(t, p, a), wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held ambiguous domain_name x.example by a", "skip unreadable a", "= 1"}},
		{name: "removals delete", policy: func(p *reconcile.Policy) { p.Remove = true }, rows: edit(applied(t, p, a), off), wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held pinned domain_name x.example by a", "skip unreadable a", "= 1"}},
		{name: "a Sigma rule", rows: applied(t, p, sigma("a", ruleA)), wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held ambiguous sigma name of a by a", "skip unreadable a", "= 1"}},
		{name: "a YARA file", rows: applied(t, p, yara("a")), wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held ambiguous yara name of a by a", "skip unreadable a", "= 1"}},
		{name: "another owner would take the rule over", rows: applied(t, p, a, b), wanted: []reconcile.Indicator{unreadable("a"), changed},
			want: []string{"held ambiguous domain_name x.example by b,a", "skip unreadable a", "= 1"}},
		{name: "another owner leaves", rows: applied(t, p, a, b, ind("c", "domain_name x.example")), wanted: []reconcile.Indicator{unreadable("a"), b},
			want: []string{"held ambiguous domain_name x.example by b,a", "skip unreadable a", "= 1"}},
		{name: "it is one of those that the marker only counts", rows: applied(t, p, many...), wanted: []reconcile.Indicator{unreadable(last)},
			want: []string{"held ambiguous domain_name x.example" + names(many), "skip unreadable " + last, "= 1"}},
		{name: "and one of those is left", rows: applied(t, p, many...), wanted: []reconcile.Indicator{unreadable(last), many[0]},
			want: []string{"held ambiguous domain_name x.example by m000", "skip unreadable " + last, "= 1"}},
		{name: "the marker was cut before its owners", rows: cut, wanted: []reconcile.Indicator{unreadable("z")},
			want: []string{"held ambiguous domain_name x.example by a", "skip unreadable z", "= 1"}},
		{name: "an old connector's row names it", rows: []reconcile.Row{oldRow("o", "domain_name", "x.example", "a")}, wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held ambiguous domain_name x.example by indicator--a", "skip unreadable a", "= 1"}},
		{name: "an old connector's row names it as it was once", rows: []reconcile.Row{oldRow("o", "domain_name", "x.example", "before")}, wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held ambiguous domain_name x.example by indicator--before", "skip unreadable a", "= 1"}},
		{name: "another indicator would adopt that", rows: []reconcile.Row{oldRow("o", "domain_name", "x.example", "a")}, wanted: []reconcile.Indicator{unreadable("a"), b},
			want: []string{"held ambiguous domain_name x.example by b", "skip unreadable a", "= 1"}},
		{name: "a second row names it", rows: append(applied(t, p, b), second(applied(t, p, a)[0])), wanted: []reconcile.Indicator{unreadable("a"), b},
			want: []string{"held ambiguous domain_name x.example by a", "skip unreadable a", "= 2"}},
		{name: "a second row names another", rows: append(applied(t, p, b), second(oldRow("o", "domain_name", "x.example", "c"))), wanted: []reconcile.Indicator{unreadable("a"), b},
			want: []string{"! domain_name x.example duplicate (enabled,comment) by indicator--c", "skip unreadable a", "= 1"}},
		{name: "a row by hand may say what it wants", policy: func(p *reconcile.Policy) { p.Unmanaged = reconcile.RemoveUnmanaged }, rows: []reconcile.Row{byHand}, wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"held ambiguous domain_name x.example", "skip unreadable a", "= 1"}},
		{name: "a rule that it does not own goes", rows: applied(t, p, b), wanted: []reconcile.Indicator{unreadable("a")},
			want: []string{"! domain_name x.example indicator_gone (enabled,comment) by b", "skip unreadable a", "= 0"}},
		{name: "and changes", rows: applied(t, p, b), wanted: []reconcile.Indicator{unreadable("a"), changed},
			want: []string{"~ domain_name x.example fields_changed/source_changed (description,comment) by b", "skip unreadable a", "= 0"}},
		{name: "what another wants comes back into force", rows: edit(applied(t, p, a, b), off), policy: func(p *reconcile.Policy) { p.Revert = true }, wanted: []reconcile.Indicator{unreadable("a"), b},
			want: []string{"* domain_name x.example drift/drift (enabled,description,comment) by b", "skip unreadable a", "= 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			if tt.policy != nil {
				tt.policy(&p)
			}
			plan := decide(t, p, tt.rows, tt.wanted...)
			plan.Explain(reconcile.Evidence{Started: noon}, p)
			if d := cmp.Diff(tt.want, brief(plan)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, h := range plan.Held.All() {
				if h.Reason == reconcile.Ambiguous && !strings.HasSuffix(h.Detail, "cannot be read: "+tt.wanted[0].ID) {
					t.Errorf("said %q", h.Detail)
				}
			}
			if ids := plan.Absent(); slices.Contains(ids, tt.wanted[0].ID) {
				t.Errorf("it is asked for once more: %q", ids)
			}
		})
	}
}

// TestWhatComesBackIntoForceKeepsTheNamesOfAll: a rule that another indicator wants is enabled without delay, and its marker goes on
// naming, or at least counting, those that cannot be read or may be hidden. When that other one leaves, they keep the rule.
func TestWhatComesBackIntoForceKeepsTheNamesOfAll(t *testing.T) {
	p := policy()
	p.Revert = true
	x, y := ind("x", "domain_name x.example"), ind("y", "domain_name x.example")
	var many []reconcile.Indicator
	for i := range marker.MaxOwners + 1 {
		many = append(many, ind(fmt.Sprintf("m%d", i), "domain_name x.example"))
	}
	hidden := []string{"TLP:RED"}
	revoked := func(i reconcile.Indicator) reconcile.Indicator {
		return with(i, func(i *reconcile.Indicator) { i.Revoked = true })
	}
	for _, tt := range []struct {
		name           string
		owners         []reconcile.Indicator
		first, then    []reconcile.Indicator // that are read, and read after the rule was enabled
		lost           []string
		enabled, after string // first line of each plan
		owns           []string
		count          int
	}{
		{name: "one cannot be read", owners: []reconcile.Indicator{x, y}, first: []reconcile.Indicator{unreadable("x"), y}, then: []reconcile.Indicator{unreadable("x"), revoked(y)},
			enabled: "* domain_name x.example drift", after: "held ambiguous domain_name x.example by y,x", owns: []string{"y", "x"}, count: 2},
		{name: "one of those that are counted cannot be read", owners: many, first: []reconcile.Indicator{unreadable(many[8].ID), many[0]}, then: []reconcile.Indicator{unreadable(many[8].ID), revoked(many[0])},
			enabled: "* domain_name x.example drift", after: "held ambiguous domain_name x.example", owns: []string{"m0"}, count: 2},
		{name: "one is hidden", owners: []reconcile.Indicator{x, y}, first: []reconcile.Indicator{y}, then: []reconcile.Indicator{revoked(y)}, lost: hidden,
			enabled: "* domain_name x.example drift", after: "held ambiguous domain_name x.example by y,x", owns: []string{"y", "x"}, count: 2},
		{name: "one is hidden and one cannot be read", owners: []reconcile.Indicator{x, y, ind("z", "domain_name x.example")}, first: []reconcile.Indicator{unreadable("z"), y}, then: []reconcile.Indicator{ind("z", ""), revoked(y)}, lost: hidden,
			enabled: "* domain_name x.example drift", after: "held ambiguous domain_name x.example by y,z,x", owns: []string{"y", "z", "x"}, count: 3},
		{name: "one is gone", owners: []reconcile.Indicator{x, y}, first: []reconcile.Indicator{y}, then: []reconcile.Indicator{revoked(y)},
			enabled: "* domain_name x.example drift", after: "! domain_name x.example revoked", owns: []string{"y"}, count: 1},
	} {
		rows := edit(applied(t, p, tt.owners...), off)
		explained := func(read []reconcile.Indicator) *reconcile.Plan {
			plan := decide(t, p, rows, read...)
			e := reconcile.Evidence{Started: noon, Found: map[string]reconcile.Finding{}, LostMarkings: tt.lost}
			for _, i := range read {
				e.Found[i.ID] = found(i, func(f *reconcile.Finding) {
					if f.Read = true; i.Revoked {
						f.Judged = reconcile.Revoked
					}
				})
			}
			plan.Explain(e, p)
			return plan
		}
		plan := explained(tt.first)
		if got := brief(plan)[0]; !strings.HasPrefix(got, tt.enabled) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.enabled)
		}
		if plan.Hidden() != (tt.lost != nil) {
			t.Errorf("%s: hidden %t", tt.name, plan.Hidden())
		}
		rows = obedient().apply(t, plan, p, rows)
		if m, _ := marker.ParseIOC(rows[0].Comment); !slices.Equal(m.Owners, tt.owns) || m.Count != tt.count || m.Disabled != "" {
			t.Errorf("%s: the marker says %+v", tt.name, m)
		}
		if got := brief(explained(tt.then))[0]; !strings.HasPrefix(got, tt.after) {
			t.Errorf("%s: then %q, want %q", tt.name, got, tt.after)
		}
	}
}

// What is taken over from another instance, and what is a duplicate, may name an indicator that is hidden, which nobody would ask
// for afterwards.
func TestAHiddenOwnerIsNotLostWithItsRow(t *testing.T) {
	a, hidden := ind("a", "domain_name x.example"), ind("h", "domain_name x.example")
	other := policy()
	other.Own.Instance = "22222222-2222-4222-8222-222222222222"
	second := edit(applied(t, policy(), hidden), func(r *reconcile.Row) { r.ID, r.Value, r.Created = "second", "X.EXAMPLE", "2030" })
	for name, tt := range map[string]struct {
		rows       []reconcile.Row
		want, held string
	}{
		"taken over":  {applied(t, other, a, hidden), "< domain_name x.example unmanaged", "held ambiguous domain_name x.example by a"},
		"a duplicate": {append(applied(t, policy(), a), second...), "! domain_name x.example duplicate", "held ambiguous domain_name x.example by h"},
	} {
		for want, lost := range map[string][]string{tt.want: nil, tt.held: {"TLP:RED"}} {
			p := policy()
			p.Own.TakeOver = other.Own.Instance
			plan := decide(t, p, tt.rows, a)
			plan.Explain(reconcile.Evidence{Started: noon, LostMarkings: lost}, p)
			if got := brief(plan)[0]; !strings.HasPrefix(got, want) {
				t.Errorf("%s, lost %q: %q, want %q", name, lost, got, want)
			}
		}
	}
}

func names(owners []reconcile.Indicator) string {
	ids := make([]string, 0, marker.MaxOwners)
	for _, o := range owners[:marker.MaxOwners] {
		ids = append(ids, o.ID)
	}
	return " by " + strings.Join(ids, ",")
}

// TestUnreadableIndicatorsAreNoLoss: OpenCTI has them, so the source is neither empty nor shrunken because of them.
func TestUnreadableIndicatorsAreNoLoss(t *testing.T) {
	p := policy()
	before := []reconcile.Indicator{sigma("s", ruleA), yara("y")}
	now := []reconcile.Indicator{unreadable("s"), unreadable("y")}
	for i := range 60 {
		id := fmt.Sprintf("i%02d", i)
		before = append(before, ind(id, "domain_name "+id+".example"))
		if i < 30 {
			now = append(now, unreadable(id))
		} else {
			now = append(now, before[len(before)-1])
		}
	}
	plan := decide(t, p, applied(t, p, before...), now...)
	g3 := plan.Explain(reconcile.Evidence{Started: noon, Unasked: "x"}, p)
	last := reconcile.LastGood{At: noon.AddDate(0, 0, -1), Filter: "f", Sources: counts{reconcile.IOC: 60, reconcile.Sigma: 1, reconcile.YARA: 1}}
	plan.Judge(reconcile.Gate{ID: "G1", OK: true}, g3, reconcile.Memory{LastGood: last}, "f", p, limits(20), reconcile.Overrides{})
	if got := refusals(plan); len(got) > 0 || plan.Changes.Len() > 0 || plan.Held.Len() != 32 {
		t.Errorf("refused %q, %d changes, %d held", got, plan.Changes.Len(), plan.Held.Len())
	}
}

// What could be read again later counts, and what could be read before does not.
func TestTheLaterVersionOfAnUnreadableIndicatorCounts(t *testing.T) {
	p := policy()
	a := ind("a", "domain_name x.example")
	for name, tt := range map[string]struct {
		versions []reconcile.Indicator
		want     []string
	}{
		"it can be read again": {[]reconcile.Indicator{unreadable("a"), a}, []string{"= 1"}},
		"it cannot any more":   {[]reconcile.Indicator{a, unreadable("a")}, []string{"held ambiguous domain_name x.example by a", "skip unreadable a", "= 1"}},
	} {
		if d := cmp.Diff(tt.want, brief(decide(t, p, applied(t, p, a), tt.versions...))); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
