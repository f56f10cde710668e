package reconcile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

// TestARuleThatIsSaidOtherwise follows one Sigma rule: whoever changes its text, its author or our way of
// saying it, is the cause of the update.
func TestARuleThatIsSaidOtherwise(t *testing.T) {
	written := sigma("a", "0a1b2c3d-4e5f-4000-8000-000000000000")
	said := func(i reconcile.Indicator, field string, notes ...string) reconcile.Given {
		return reconcile.Given{Text: strings.ReplaceAll(i.Pattern, "Image", field), Notes: notes}
	}
	rewritten := with(written, func(i *reconcile.Indicator) { i.Pattern = strings.ReplaceAll(i.Pattern, "evil", "worse") })
	var rows []reconcile.Row
	for _, step := range []struct {
		name  string
		ind   reconcile.Indicator
		given reconcile.Given
		want  string // action, reason and cause of the one change, "" for none
	}{
		{"as it is written", written, reconcile.Given{}, "create new_indicator "},
		{"said in other words", written, said(written, "ProcessImage", "narrower: x"), "update fields_changed mapping_changed"},
		{"once more", written, said(written, "ProcessImage", "narrower: y"), ""},
		{"said in others again", written, said(written, "ProcessPath"), "update fields_changed mapping_changed"},
		{"by its author", rewritten, said(rewritten, "ProcessPath"), "update fields_changed source_changed"},
		{"as it is written again", rewritten, reconcile.Given{}, "update fields_changed mapping_changed"},
		{"not sayable", rewritten, reconcile.Given{Text: rewritten.Pattern, Skips: []reconcile.Skip{{Reason: reconcile.UnsupportedField}}}, "disable value_removed "},
	} {
		w := reconcile.NewWanted()
		w.Add(&step.ind, step.given)
		if err := w.Seal(); err != nil {
			t.Fatal(err)
		}
		plan, err := reconcile.Compute(rowsOf(t, policy(), w, rows...), w, policy(), reconcile.Memory{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, c := range plan.Changes.All() {
			got = strings.Join([]string{string(c.Action), string(c.Reason), string(c.Cause)}, " ")
			if c.Action != reconcile.Disable && strings.Join(c.Notes, ";") != strings.Join(step.given.Notes, ";") {
				t.Errorf("%s: notes %q", step.name, c.Notes)
			}
		}
		if got != step.want {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		rows = obedient().apply(t, plan, policy(), rows)
	}
}

func TestASkipQuotesLittleOfALongText(t *testing.T) {
	w := reconcile.NewWanted()
	ind := sigma("a", "0a1b2c3d-4e5f-4000-8000-000000000000")
	w.Add(&ind, reconcile.Given{Skips: []reconcile.Skip{{Reason: reconcile.UnsupportedField, Detail: "no field " + strings.Repeat("é", 1<<20)}}})
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Compute(rowsOf(t, policy(), w), w, policy(), reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	details := 0
	for _, s := range plan.Skipped.All() {
		if details++; len(s.Detail) > 1010 || !strings.HasPrefix(s.Detail, "no field éé") || !strings.HasSuffix(s.Detail, "é…") {
			t.Errorf("a detail of %d bytes", len(s.Detail))
		}
	}
	if details != 1 {
		t.Errorf("%d skips", details)
	}
}

// TestRulesOfTheirAuthorsWords holds an old connector's row and one of an earlier run of ours: each is said in
// other words once, and G14 counts neither as a change of its source.
func TestRulesOfTheirAuthorsWords(t *testing.T) {
	a, b := sigma("a", "0a1b2c3d-4e5f-4000-8000-000000000000"), sigma("b", "0a1b2c3d-4e5f-4000-8000-000000000001")
	p := policy()
	rows := append(applied(t, p, b), reconcile.Row{Kind: reconcile.Sigma, ID: "old", RuleID: "0a1b2c3d-4e5f-4000-8000-000000000000", Name: "t", Content: a.Pattern, Enabled: true, HLStatus: "stable"})
	decide := func() *reconcile.Plan {
		w := reconcile.NewWanted()
		for _, i := range []reconcile.Indicator{a, b} {
			w.Add(&i, reconcile.Given{Text: strings.ReplaceAll(i.Pattern, "Image", "ProcessImage")})
		}
		if err := w.Seal(); err != nil {
			t.Fatal(err)
		}
		plan, err := reconcile.Compute(rowsOf(t, p, w, rows...), w, p, reconcile.Memory{})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	plan := decide()
	want := []string{"< sigma name of a old_connector (name,content) by a", "~ sigma name of b fields_changed/mapping_changed (content) by b", "= 0"}
	if d := cmp.Diff(want, brief(plan)); d != "" {
		t.Errorf("first plan (-want +got):\n%s", d)
	}
	plan.Judge(reconcile.Gate{OK: true}, reconcile.Gate{OK: true}, reconcile.Memory{}, "", p, limits(20), reconcile.Overrides{})
	at := slices.IndexFunc(plan.Gates, func(g reconcile.Gate) bool { return g.Name == "changes_sigma" })
	if g := plan.Gates[at]; !g.OK || g.Value != 0 || !strings.HasSuffix(g.Message, "not counted are 2 that our settings, an upgrade or an adoption change") {
		t.Errorf("G14: %+v", g)
	}
	rows = obedient().apply(t, plan, p, rows)
	if d := cmp.Diff([]string{"= 2"}, brief(decide())); d != "" {
		t.Errorf("second plan (-want +got):\n%s", d)
	}
}

// TestCompiledRules come of STIX indicators, in testing, and count as wanted Sigma.
func TestCompiledRules(t *testing.T) {
	i := ind("a", "no value")
	w := reconcile.NewWanted()
	w.Add(&i, reconcile.Given{Compiled: []reconcile.Compiled{{ID: "0a1b2c3d-4e5f-4000-8000-000000000000", Name: "n (windows)",
		Text: "id: 0a1b2c3d-4e5f-4000-8000-000000000000\nauthor: harfangsync\n" + sigmaBody + "level: high\n"}}})
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Compute(rowsOf(t, policy(), w), w, policy(), reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Changes.Len() != 1 || plan.Changes.At(0).Kind != reconcile.Sigma || plan.Changes.At(0).After.HLStatus != "testing" || plan.Changes.At(0).Owners[0].ID != "a" {
		t.Errorf("%+v", plan.Changes)
	}
	if plan.Sources[reconcile.Sigma] != 1 || plan.Sources[reconcile.IOC] != 1 {
		t.Errorf("sources %v", plan.Sources)
	}
	rows := obedient().apply(t, plan, policy(), nil)
	rows[0].Content = strings.ReplaceAll(rows[0].Content, "level: high", "level: low")
	if plan, err = reconcile.Compute(rowsOf(t, policy(), w, rows...), w, policy(), reconcile.Memory{}); err != nil || plan.Changes.Len() != 0 {
		t.Errorf("another level: %v, %+v", err, plan.Changes)
	}
}
