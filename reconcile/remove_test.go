package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

func TestRemovals(t *testing.T) {
	p := policy()
	large := func(r *reconcile.Row) { r.Content += "# " + strings.Repeat("x", 2<<20) + "\n" }
	noYAML := func(r *reconcile.Row) { r.Content += "x: [\n" }
	a := ind("a", "domain_name x.example; domain_name y.example")
	all := []reconcile.Indicator{a, sigma("s", ruleA), yara("y")}
	deletes := func(p *reconcile.Policy) { p.Remove = true }
	for _, tt := range []struct {
		name   string
		policy func(*reconcile.Policy)
		rows   []reconcile.Row
		wanted []reconcile.Indicator
		want   []string
	}{
		{name: "what nothing wants is disabled, with a note", rows: applied(t, p, all...), want: []string{
			"! domain_name x.example indicator_gone (enabled,comment) by a", "! domain_name y.example indicator_gone (enabled,comment) by a",
			"! sigma name of s indicator_gone (enabled,content) by s", "! yara name of y indicator_gone (enabled,content) by y", "= 0"}},
		{name: "or deleted", policy: deletes, rows: applied(t, p, all...), want: []string{
			"- domain_name x.example indicator_gone by a", "- domain_name y.example indicator_gone by a",
			"- sigma name of s indicator_gone by s", "- yara name of y indicator_gone by y", "= 0"}},
		{name: "a rule that is larger than what is deployed", rows: edit(applied(t, p, sigma("s", ruleA)), large), want: []string{"! sigma name of s indicator_gone (enabled,content) by s", "= 0"}},
		{name: "a rule of ours that nobody can read any more", rows: edit(applied(t, p, sigma("s", ruleA)), noYAML), want: []string{"! sigma name of s indicator_gone (enabled,content) by s", "= 0"}},
		{name: "which is deleted as any other", policy: deletes, rows: edit(applied(t, p, sigma("s", ruleA)), noYAML), want: []string{"- sigma name of s indicator_gone by s", "= 0"}},
		{name: "and is written anew when it is wanted again", rows: edit(disabledByUs(t, sigma("s", ruleA)), noYAML), wanted: []reconcile.Indicator{sigma("s", ruleA)}, want: []string{"* sigma name of s indicator_back/source_changed (enabled,content) by s", "= 0"}},
		{name: "a value that its indicator dropped", rows: applied(t, p, a), wanted: []reconcile.Indicator{ind("a", "domain_name x.example")},
			want: []string{"! domain_name y.example value_removed (enabled,comment) by a", "= 1"}},
		{name: "our disabled leftovers are unchanged", rows: disabledByUs(t, all...), want: []string{"= 4"}},
		{name: "our disabled leftovers are deleted where removals delete", policy: deletes, rows: disabledByUs(t, sigma("s", ruleA)), want: []string{"- sigma name of s indicator_gone by s", "= 0"}},
		{name: "a pinned row whose indicator is gone stays", rows: edit(applied(t, p, yara("y")), off), want: []string{"= 1"}},
		{name: "even where removals delete", policy: deletes, rows: edit(applied(t, p, yara("y")), off), want: []string{"held pinned yara name of y by y", "= 1"}},
		{name: "upsert-only holds removals", policy: func(p *reconcile.Policy) { p.Mode = reconcile.UpsertOnlyMode }, rows: applied(t, p, yara("y")), wanted: []reconcile.Indicator{sigma("s", ruleA)},
			want: []string{"+ sigma name of s new_indicator by s", "held policy yara name of y by y", "= 1"}},
		{name: "create-only holds all but creates", policy: func(p *reconcile.Policy) { p.Mode = reconcile.CreateOnlyMode }, rows: append(disabledByUs(t, sigma("s", ruleA)), edit(applied(t, p, yara("y")), func(r *reconcile.Row) { r.ID, r.Name = "yy", "other" })...),
			wanted: []reconcile.Indicator{sigma("s", ruleA), sigma("n", ruleB), yara("y")},
			want:   []string{"+ sigma name of n new_indicator by n", "held policy sigma name of s by s", "held policy yara name of y by y", "= 2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			if tt.policy != nil {
				tt.policy(&p)
			}
			plan := decide(t, p, tt.rows, tt.wanted...)
			if d := cmp.Diff(tt.want, brief(plan)); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
			after := obedient().apply(t, plan, p, tt.rows)
			if again := decide(t, p, after, tt.wanted...); again.Changes.Len() > 0 {
				t.Errorf("a second plan is not empty: %q", brief(again))
			}
		})
	}
}

func TestADisableSaysWhoDidItAndWhy(t *testing.T) {
	rows := disabledByUs(t, ind("a", "domain_name x.example"), sigma("s", strings.ToUpper(ruleA)), yara("y"))
	for i, want := range []string{`"disabled":"indicator_gone"`, ",disabled", " disabled=indicator_gone"} {
		if got := rows[i].Comment + rows[i].Content; !strings.Contains(got, want) || rows[i].Enabled {
			t.Errorf("%s row: no %q in %s", rows[i].Kind, want, got)
		}
	}
	if !strings.Contains(rows[1].Content, strings.ToUpper(ruleA)) {
		t.Errorf("the id of the Sigma rule is respelled: %s", rows[1].Content)
	}
}

// TestWhatEarlierRunsLeft holds what is not sent again, and what we did without a note of it.
func TestWhatEarlierRunsLeft(t *testing.T) {
	base := policy()
	a, s := ind("a", "domain_name x.example"), sigma("s", ruleA)
	verdict := func(inds []reconcile.Indicator, rows []reconcile.Row, elsewhere bool) map[reconcile.Key]reconcile.Refusal {
		out := map[reconcile.Key]reconcile.Refusal{}
		for _, ch := range decide(t, base, rows, inds...).Changes.All() {
			out[ch.Key] = reconcile.Refusal{Sent: ch.Sent, Words: "no", Elsewhere: elsewhere, At: noon.Add(-time.Hour)}
		}
		return out
	}
	other := with(s, func(i *reconcile.Indicator) { i.Pattern += "level: high\n" })
	linked := reconcile.KeyOf(reconcile.YARA, "", "y")
	edited := edit(applied(t, base, a), func(r *reconcile.Row) { r.Description = "mine" })
	duplicate := with2(applied(t, base, a)[0], func(r *reconcile.Row) { r.ID, r.Value, r.Created = "duplicate", "X.EXAMPLE", "2030" })
	for _, tt := range []struct {
		name   string
		given  func(*reconcile.Policy, *reconcile.Memory)
		rows   []reconcile.Row
		wanted []reconcile.Indicator
		want   []string
	}{
		{name: "a refused create is held", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{a, s}, nil, false)
		}, wanted: []reconcile.Indicator{a, s},
			want: []string{"held refused domain_name x.example by a", "held refused sigma name of s by s", "= 0"}},
		{name: "for as long as it stays the same", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{s}, nil, false)
			m.Now = noon.AddDate(1, 0, 0)
		}, wanted: []reconcile.Indicator{s}, want: []string{"held refused sigma name of s by s", "= 0"}},
		{name: "another content is sent", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{s}, nil, false)
		}, wanted: []reconcile.Indicator{other},
			want: []string{"+ sigma name of s new_indicator by s", "= 0"}},
		{name: "a refused update is held and its row unchanged", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{other}, applied(t, base, s), false)
		}, rows: applied(t, base, s), wanted: []reconcile.Indicator{other}, want: []string{"held refused sigma name of s by s", "= 1"}},
		{name: "an id that exists elsewhere is a skip", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{s}, nil, true)
		}, wanted: []reconcile.Indicator{s},
			want: []string{"skip exists_elsewhere s", "= 0"}},
		{name: "for seven days", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{s}, nil, true)
			m.Now = noon.Add(7*24*time.Hour - 2*time.Hour)
		}, wanted: []reconcile.Indicator{s}, want: []string{"skip exists_elsewhere s", "= 0"}},
		{name: "and no longer", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{s}, nil, true)
			m.Now = noon.Add(7 * 24 * time.Hour)
		}, wanted: []reconcile.Indicator{s}, want: []string{"+ sigma name of s new_indicator by s", "= 0"}},
		{name: "or until its content changes", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{s}, nil, true)
		}, wanted: []reconcile.Indicator{other},
			want: []string{"+ sigma name of s new_indicator by s", "= 0"}},
		{name: "a disabled row that cannot be deleted is held", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			p.Remove = true
			m.Refusals = map[reconcile.Key]reconcile.Refusal{linked: {Sent: "delete", Words: "linked"}}
		}, rows: disabledByUs(t, yara("y")), want: []string{"held refused yara name of y by y", "= 1"}},
		{name: "a refused update leaves its row in force, so a duplicate of it goes", given: func(_ *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{a}, edited, false)
		}, rows: append(edited, duplicate), wanted: []reconcile.Indicator{a}, want: []string{"! domain_name x.example duplicate (enabled,comment) by a", "held refused domain_name x.example by a", "= 1"}},
		{name: "a refused enable leaves its row out of force, so a duplicate of it stays", given: func(_ *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = verdict([]reconcile.Indicator{a}, disabledByUs(t, a), false)
		}, rows: append(disabledByUs(t, a), duplicate), wanted: []reconcile.Indicator{a}, want: []string{"held ambiguous domain_name x.example by a", "held refused domain_name x.example by a", "= 2"}},
		{name: "a rule that we disabled and could not mark is no person's doing", given: func(_ *reconcile.Policy, m *reconcile.Memory) {
			m.Stopped = map[reconcile.Key]bool{reconcile.KeyOf(reconcile.IOC, "domain_name", "x.example"): true}
		}, rows: edit(applied(t, base, a), off), wanted: []reconcile.Indicator{a}, want: []string{"* domain_name x.example indicator_back/source_changed (enabled) by a", "= 0"}},
		{name: "a refused disable is tried again", given: func(p *reconcile.Policy, m *reconcile.Memory) {
			m.Refusals = map[reconcile.Key]reconcile.Refusal{linked: {Words: "no"}}
		}, rows: applied(t, base, yara("y")), want: []string{"! yara name of y indicator_gone (enabled,content) by y", "= 0"}},
	} {
		p, m := policy(), reconcile.Memory{Now: noon}
		tt.given(&p, &m)
		if d := cmp.Diff(tt.want, brief(decideKnowing(t, p, m, tt.rows, tt.wanted...))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
