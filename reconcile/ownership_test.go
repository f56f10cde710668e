package reconcile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// TestOwnership holds who a row belongs to, and what happens to it (spec 6).
func TestOwnership(t *testing.T) {
	p := policy()
	a := ind("a", "domain_name x.example")
	other := policy()
	other.Own.Instance = them
	long := strings.Repeat("n", 98) + "é and more"
	unmarked := func(id, name string, of reconcile.Indicator) reconcile.Row {
		row := applied(t, p, of)[0]
		row.ID, row.Name, row.Content, row.HLStatus = id, name, of.Pattern, "testing"
		return row
	}
	named := func(i reconcile.Indicator, name string) reconcile.Indicator {
		return with(i, func(i *reconcile.Indicator) { i.Name = name })
	}
	byName := func(p *reconcile.Policy) { p.Own.AdoptNames = true }
	serverID := func(r reconcile.Row) reconcile.Row {
		r.RuleID = "dddddddd-0000-4000-8000-00000000000d"
		return r
	}
	edited := func(r reconcile.Row) reconcile.Row {
		r.Content = "// of a person\n" + r.Content
		return r
	}
	unmarkedRow := reconcile.Row{Kind: reconcile.IOC, ID: "s1", Created: "2025", Type: "domain_name", Value: "x.example", Description: "by hand", Enabled: true, HLStatus: "stable"}
	unmanaged := func(s reconcile.UnmanagedRows) func(*reconcile.Policy) {
		return func(p *reconcile.Policy) { p.Unmanaged = s }
	}
	for _, tt := range []struct {
		name   string
		policy func(*reconcile.Policy)
		rows   []reconcile.Row
		wanted []reconcile.Indicator
		want   []string
	}{
		{name: "an old connector's row is adopted in place and keeps its maturity", rows: []reconcile.Row{oldRow("o", "domain_name", "x.example", "a")}, wanted: []reconcile.Indicator{a},
			want: []string{"< domain_name x.example old_connector (description,comment) by a", "= 0"}},
		{name: "the owner that an old row names wins", rows: []reconcile.Row{oldRow("o", "domain_name", "x.example", "b")}, wanted: []reconcile.Indicator{a, ind("b", "domain_name x.example")},
			want: []string{"< domain_name x.example old_connector (description,comment) by b,a", "= 0"}},
		{name: "a disabled old row is pinned", rows: edit([]reconcile.Row{oldRow("o", "domain_name", "x.example", "a")}, off), wanted: []reconcile.Indicator{a},
			want: []string{"held pinned domain_name x.example by a", "= 1"}},
		{name: "a disabled old row is taken under revert", policy: func(p *reconcile.Policy) { p.Revert = true }, rows: edit([]reconcile.Row{oldRow("o", "domain_name", "x.example", "a")}, off), wanted: []reconcile.Indicator{a},
			want: []string{"< domain_name x.example old_connector (enabled,description,comment) by a", "= 0"}},
		{name: "an old row that nothing wants goes, its standard id asked for", rows: []reconcile.Row{oldRow("o", "domain_name", "x.example", "a")},
			want: []string{"! domain_name x.example indicator_gone (enabled,comment) by indicator--a", "= 0"}},
		{name: "an unmarked Sigma rule with a wanted id is the wanted rule, whatever its name", rows: []reconcile.Row{unmarked("o", "another name", sigma("s", ruleA))}, wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"< sigma name of s old_connector (name,content) by s", "= 0"}},
		{name: "an unmarked Sigma rule that a person disabled is pinned", rows: edit([]reconcile.Row{unmarked("o", "name of s", sigma("s", ruleA))}, off), wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"held pinned sigma name of s by s", "= 1"}},
		{name: "an analyst's Sigma rule with the name of a wanted one stays, beside it", rows: []reconcile.Row{unmarked("o", "name of s", sigma("s", ruleB))}, wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"+ sigma name of s new_indicator by s", "held unmanaged sigma name of s", "= 0"}},
		{name: "even when names are adopted", policy: byName, rows: []reconcile.Row{unmarked("o", "name of s", sigma("s", ruleB))}, wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"+ sigma name of s new_indicator by s", "held unmanaged sigma name of s", "= 0"}},
		{name: "an unmarked twin of a Sigma rule of ours stays", rows: append(applied(t, p, sigma("s", ruleA)), unmarked("o", "name of s", sigma("s", ruleA))), wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"held unmanaged sigma name of s", "= 1"}},
		{name: "an unmarked YARA file with a wanted name and text is the wanted one", rows: []reconcile.Row{unmarked("o", "name of y", yara("y"))}, wanted: []reconcile.Indicator{yara("y")},
			want: []string{"< yara name of y old_connector (content) by y", "= 0"}},
		{name: "an analyst's YARA file with the name of a wanted one stays, beside it", rows: []reconcile.Row{with2(unmarked("o", "name of y", yara("y")), func(r *reconcile.Row) { r.Content = "rule mine { condition: false }" })}, wanted: []reconcile.Indicator{yara("y")},
			want: []string{"+ yara name of y new_indicator by y", "held unmanaged yara name of y", "= 0"}},
		{name: "an analyst's YARA file with the text of a wanted one stays, beside it", rows: []reconcile.Row{unmarked("o", "mine", yara("y"))}, wanted: []reconcile.Indicator{yara("y")},
			want: []string{"+ yara name of y new_indicator by y", "held unmanaged yara mine", "= 0"}},
		{name: "of two unmarked twins one is adopted, and none removed", rows: []reconcile.Row{unmarked("q", "name of y", yara("y")), unmarked("o", "name of y", yara("y"))}, wanted: []reconcile.Indicator{yara("y")},
			want: []string{"< yara name of y old_connector (content) by y", "held unmanaged yara name of y", "= 0"}},
		{name: "two wanted rules that are the same take an unmarked one each", rows: []reconcile.Row{unmarked("o", "same", named(yara("y"), "same")), unmarked("q", "same", named(yara("z"), "same"))}, wanted: []reconcile.Indicator{named(yara("y"), "same"), named(yara("z"), "same")},
			want: []string{"< yara same old_connector (content) by y", "< yara same old_connector (content) by z", "= 0"}},
		{name: "an unmarked twin of a YARA file of ours stays", rows: append(applied(t, p, yara("y")), unmarked("o", "name of y", yara("y"))), wanted: []reconcile.Indicator{yara("y")},
			want: []string{"held unmanaged yara name of y", "= 1"}},
		{name: "an unmarked twin of another instance's stays", rows: append([]reconcile.Row{unmarked("o", "name of y", yara("y"))}, edit(applied(t, other, yara("y")), func(r *reconcile.Row) { r.ID = "f" })...), wanted: []reconcile.Indicator{yara("y")},
			want: []string{"held foreign_owner yara name of y by y", "held unmanaged yara name of y", "= 0"}},
		{name: "by name, a Sigma row keeps the id that the server knows it by", policy: byName, rows: []reconcile.Row{serverID(unmarked("o", "name of s", sigma("s", "")))}, wanted: []reconcile.Indicator{sigma("s", "")},
			want: []string{"< sigma name of s old_connector (content) by s", "= 0"}},
		{name: "without names, such a row stays", rows: []reconcile.Row{serverID(unmarked("o", "name of s", sigma("s", "")))}, wanted: []reconcile.Indicator{sigma("s", "")},
			want: []string{"+ sigma name of s new_indicator by s", "held unmanaged sigma name of s", "= 0"}},
		{name: "by name, a YARA row cut at 99 is adopted", policy: byName, rows: []reconcile.Row{unmarked("o", string([]rune(long)[:99]), named(yara("y"), long))}, wanted: []reconcile.Indicator{named(yara("y"), long)},
			want: []string{"< yara " + marker.Name(long, "y") + " old_connector (name,content) by y", "= 0"}},
		{name: "a name that two rows have adopts neither", policy: byName, rows: []reconcile.Row{edited(unmarked("o", "name of y", yara("y"))), edited(unmarked("q", "name of y", yara("y")))}, wanted: []reconcile.Indicator{yara("y")},
			want: []string{"+ yara name of y new_indicator by y", "held unmanaged yara name of y", "held unmanaged yara name of y", "= 0"}},
		{name: "a name that two wanted rules have adopts nothing", policy: byName, rows: []reconcile.Row{edited(unmarked("o", "same", yara("y")))}, wanted: []reconcile.Indicator{named(yara("y"), "same"), named(yara("z"), "same")},
			want: []string{"+ yara same new_indicator by y", "+ yara same new_indicator by z", "held unmanaged yara same", "= 0"}},
		{name: "a name adopts no second row of a rule of ours", policy: byName, rows: append(edit(applied(t, p, yara("y")), func(r *reconcile.Row) { r.Name = "renamed" }), edited(unmarked("o", "name of y", yara("y")))), wanted: []reconcile.Indicator{yara("y")},
			want: []string{"~ yara name of y fields_changed/drift (name) by y", "held unmanaged yara name of y", "= 0"}},
		{name: "another instance's row is held", rows: applied(t, other, a), wanted: []reconcile.Indicator{a}, want: []string{"held foreign_owner domain_name x.example by a", "= 0"}},
		{name: "another instance's row that nothing wants is held too", rows: applied(t, other, a), want: []string{"held foreign_owner domain_name x.example", "= 0"}},
		{name: "another instance's row is taken over once asked", policy: func(p *reconcile.Policy) { p.Own.TakeOver = them }, rows: applied(t, other, a), wanted: []reconcile.Indicator{a},
			want: []string{"< domain_name x.example unmanaged (comment) by a", "= 0"}},
		{name: "a row that is taken over keeps its maturity", policy: func(p *reconcile.Policy) { p.Own.TakeOver, p.Maturity = them, "testing" }, rows: applied(t, other, a), wanted: []reconcile.Indicator{a},
			want: []string{"< domain_name x.example unmanaged (comment) by a", "= 0"}},
		{name: "our instance in capitals is ours", rows: edit(applied(t, p, a), func(r *reconcile.Row) { r.Comment = strings.Replace(r.Comment, us, strings.ToUpper(us), 1) }), wanted: []reconcile.Indicator{a}, want: []string{"= 1"}},
		{name: "an unmanaged row is reported", rows: []reconcile.Row{unmarkedRow}, want: []string{"held unmanaged domain_name x.example", "= 0"}},
		{name: "a wanted key that an unmanaged row holds is held", rows: []reconcile.Row{unmarkedRow}, wanted: []reconcile.Indicator{a}, want: []string{"held unmanaged domain_name x.example by a", "= 0"}},
		{name: "an unmanaged row is adopted where it is wanted", policy: unmanaged(reconcile.AdoptUnmanaged), rows: []reconcile.Row{unmarkedRow}, wanted: []reconcile.Indicator{a},
			want: []string{"< domain_name x.example unmanaged (description,comment) by a", "= 0"}},
		{name: "an unmanaged row that a person disabled is pinned, not adopted", policy: unmanaged(reconcile.AdoptUnmanaged), rows: edit([]reconcile.Row{unmarkedRow}, off), wanted: []reconcile.Indicator{a},
			want: []string{"held pinned domain_name x.example by a", "= 0"}},
		{name: "an unmanaged row that nothing wants stays under adopt", policy: unmanaged(reconcile.AdoptUnmanaged), rows: []reconcile.Row{unmarkedRow}, want: []string{"held unmanaged domain_name x.example", "= 0"}},
		{name: "an unmanaged row that nothing wants goes under remove", policy: unmanaged(reconcile.RemoveUnmanaged), rows: []reconcile.Row{unmarkedRow},
			want: []string{"! domain_name x.example indicator_gone (enabled,comment)", "= 0"}},
		{name: "a disabled unmanaged row stays under remove without deletes", policy: unmanaged(reconcile.RemoveUnmanaged), rows: edit([]reconcile.Row{unmarkedRow}, off), want: []string{"held unmanaged domain_name x.example", "= 0"}},
		{name: "of two unmanaged spellings the canonical is adopted and the other held", policy: unmanaged(reconcile.AdoptUnmanaged), wanted: []reconcile.Indicator{a},
			rows: []reconcile.Row{with2(unmarkedRow, func(r *reconcile.Row) { r.ID, r.Value = "s0", "X.example" }), unmarkedRow},
			want: []string{"< domain_name x.example unmanaged (description,comment) by a", "held unmanaged domain_name x.example", "= 0"}},
		{name: "an unmanaged duplicate of a row of ours is held", wanted: []reconcile.Indicator{a}, rows: append(applied(t, p, a), with2(unmarkedRow, func(r *reconcile.Row) { r.Value = "X.example" })),
			want: []string{"held unmanaged domain_name x.example", "= 1"}},
		{name: "of several rows the canonical stays", wanted: []reconcile.Indicator{a},
			rows: []reconcile.Row{with2(applied(t, p, a)[0], func(r *reconcile.Row) { r.ID, r.Value, r.Created = "1", "X.EXAMPLE", "2020" }), applied(t, p, a)[0]},
			want: []string{"! domain_name x.example duplicate (enabled,comment) by a", "= 1"}},
		{name: "of several canonical rows the oldest stays", wanted: []reconcile.Indicator{sigma("s", ruleA)},
			rows: []reconcile.Row{with2(applied(t, p, sigma("s", ruleA))[0], func(r *reconcile.Row) { r.ID, r.Created = "young", "2030" }), applied(t, p, sigma("s", ruleA))[0]},
			want: []string{"! sigma name of s duplicate (enabled,content) by s", "= 1"}},
		{name: "a duplicate stays while the canonical row is out of force", wanted: []reconcile.Indicator{a},
			rows: []reconcile.Row{with2(oldRow("1", "domain_name", "X.EXAMPLE", "a"), func(*reconcile.Row) {}), with2(oldRow("2", "domain_name", "x.example", "a"), off)},
			want: []string{"held ambiguous domain_name x.example by indicator--a", "held pinned domain_name x.example by a", "= 2"}},
		{name: "duplicates that nothing wants go for the same reason", policy: func(p *reconcile.Policy) { p.Remove = true },
			rows: []reconcile.Row{oldRow("1", "domain_name", "X.EXAMPLE", "a"), with2(oldRow("2", "domain_name", "x.example", "b"), off)},
			want: []string{"- domain_name x.example indicator_gone by indicator--a", "held pinned domain_name x.example by indicator--b", "= 1"}},
		{name: "a rule that a person disabled outlives its indicator", policy: func(p *reconcile.Policy) { p.Remove = true }, rows: edit(applied(t, p, a), off),
			want: []string{"held pinned domain_name x.example by a", "= 1"}},
		{name: "and is disabled still when the indicator is back", policy: func(p *reconcile.Policy) { p.Remove = true }, rows: edit(applied(t, p, a), off), wanted: []reconcile.Indicator{a},
			want: []string{"held pinned domain_name x.example by a", "= 1"}},
		{name: "until analysts are overruled", policy: func(p *reconcile.Policy) { p.Remove, p.Revert = true, true }, rows: edit(applied(t, p, a), off),
			want: []string{"- domain_name x.example indicator_gone by a", "= 0"}},
		{name: "an unmanaged row that a person disabled stays under remove", policy: func(p *reconcile.Policy) { p.Remove, p.Unmanaged = true, reconcile.RemoveUnmanaged }, rows: edit([]reconcile.Row{unmarkedRow}, off),
			want: []string{"held unmanaged domain_name x.example", "= 0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			if tt.policy != nil {
				tt.policy(&p)
			}
			plan := decide(t, p, tt.rows, tt.wanted...)
			got := brief(plan)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
			for i := range plan.Changes.Len() {
				if c := plan.Changes.At(i); c.Action == reconcile.Adopt && c.After.HLStatus != c.Before.HLStatus {
					t.Errorf("adopting %s moves its maturity from %s to %s", c.Label(), c.Before.HLStatus, c.After.HLStatus)
				}
			}
			p.Own.TakeOver = ""
			after := obedient().apply(t, plan, p, tt.rows)
			if again := decide(t, p, after, tt.wanted...); again.Changes.Len() > 0 {
				t.Errorf("a second plan is not empty: %q", brief(again))
			}
		})
	}
}

func with2(r reconcile.Row, change func(*reconcile.Row)) reconcile.Row {
	change(&r)
	return r
}

func TestSpellingsOfTheServerDoNotMatter(t *testing.T) {
	p := policy()
	a := ind("a", "url http://h.example/Path; filename Evil.EXE")
	s := &server{munge: func(r *reconcile.Row) { r.Value = strings.ToLower(r.Value) }}
	rows := s.apply(t, decide(t, p, nil, a), p, nil)
	if got := brief(decide(t, p, rows, a)); !cmp.Equal(got, []string{"= 2"}) {
		t.Errorf("a server that folds values: %q", got)
	}
}
