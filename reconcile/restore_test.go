package reconcile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

func TestRestore(t *testing.T) {
	p := policy()
	a, s, y := ind("a", "domain_name x.example"), sigma("s", ruleA), yara("y")
	dump := applied(t, p, a, s, y)
	unmarkedRow := reconcile.Row{Kind: reconcile.IOC, ID: "new", Type: "domain_name", Value: "x.example", Enabled: true, Description: "by hand"}
	extra := applied(t, p, ind("e", "domain_name e.example"))[0]
	extra.ID = "extra"
	for _, tt := range []struct {
		name  string
		rows  []reconcile.Row
		dump  []reconcile.Row
		exact bool
		want  []string
	}{
		{name: "the same is unchanged", rows: dump, dump: dump, want: []string{"= 3"}},
		{name: "what is gone is made again", rows: dump[:2], dump: dump, want: []string{"+ yara name of y value_added by y", "= 2"}},
		{name: "what differs is set back", rows: edit(dump, func(r *reconcile.Row) { r.HLStatus = "testing" }), dump: dump[:1],
			want: []string{"~ domain_name x.example fields_changed/drift (hl_status) by a", "= 2"}},
		{name: "what is out of force comes back", rows: edit(dump[:1], off), dump: dump[:1], want: []string{"* domain_name x.example drift/drift (enabled) by a", "= 0"}},
		{name: "what was out of force goes out of it", rows: dump[:1], dump: edit(dump[:1], off), want: []string{"! domain_name x.example value_removed (enabled) by a", "= 0"}},
		{name: "what the dump lacks stays", rows: append(dump[:1:1], extra), dump: dump[:1], want: []string{"= 2"}},
		{name: "unless the dump is exact", rows: append(dump[:1:1], extra), dump: dump[:1], exact: true, want: []string{"! domain_name e.example value_removed (enabled,comment) by e", "= 1"}},
		{name: "a stranger's row of the same rule is held", rows: []reconcile.Row{unmarkedRow}, dump: dump[:1], want: []string{"held unmanaged domain_name x.example by a", "= 0"}},
		{name: "a stranger's row stays where the dump is exact", rows: []reconcile.Row{unmarkedRow}, exact: true, want: []string{"= 0"}},
		{name: "a stranger's row that the dump holds is set back", rows: edit([]reconcile.Row{unmarkedRow}, func(r *reconcile.Row) { r.Description = "" }), dump: []reconcile.Row{unmarkedRow},
			want: []string{"~ domain_name x.example fields_changed/drift (description)", "= 0"}},
		{name: "two rows of one rule come back as two", rows: dump[:1], dump: []reconcile.Row{dump[0], with2(dump[0], func(r *reconcile.Row) { r.ID, r.Value = "twin", "X.example" })},
			want: []string{"+ domain_name x.example value_added by a", "= 1"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rows := rowsOf(t, p, wantedOf(t), tt.rows...)
			plan, err := reconcile.Restore(rows, tt.dump, p, tt.exact)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, brief(plan)); d != "" {
				t.Errorf("plan (-want +got):\n%s", d)
			}
			plan.Judge(reconcile.Gate{OK: true}, reconcile.Gate{OK: true}, reconcile.Memory{}, "", p, limits(20), reconcile.Overrides{})
			if got := refusals(plan); len(tt.dump) > 0 && len(got) > 0 {
				t.Errorf("refused: %q", got)
			}
			after := obedient().apply(t, plan, p, tt.rows)
			again, err := reconcile.Restore(rowsOf(t, p, wantedOf(t), after...), tt.dump, p, tt.exact)
			if err != nil || again.Changes.Len() > 0 {
				t.Errorf("a second restore is not empty: %v %q", err, brief(again))
			}
		})
	}
}

func TestARestoredRuleMayComeBackInTheServersForm(t *testing.T) {
	p := policy()
	dump := applied(t, p, sigma("s", ruleA))
	plan, err := reconcile.Restore(rowsOf(t, p, wantedOf(t)), dump, p, false)
	if err != nil {
		t.Fatal(err)
	}
	row := plan.Changes.At(0).Row()
	row.HLStatus, row.Content = "testing", strings.Replace(row.Content, "Image: evil.exe", `Image: "evil.exe"`, 1)
	if back := plan.Changes.At(0).Verify(&row, p.Own, canon, false); back.Problem != "" {
		t.Errorf("problem %q", back.Problem)
	}
	row.Content = strings.Replace(row.Content, "evil.exe", "good.exe", 1)
	if back := plan.Changes.At(0).Verify(&row, p.Own, canon, false); back.Problem == "" {
		t.Error("another rule passes for the restored one")
	}
}
