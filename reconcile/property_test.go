package reconcile_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
)

var (
	genID    = rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
	genValue = rapid.SampledFrom([]string{"domain_name x.example", "domain_name y.example", "hash 0a", "url http://h/A", "ip_both 1.2.3.4"})
	genText  = rapid.SampledFrom([]string{"", "  padded  ", "line\r\nline", "e\u0301 composed", strings.Repeat("long ", 250), "CAPITALS", "nul\x00"})
)

func genIndicator(id string) *rapid.Generator[reconcile.Indicator] {
	return rapid.Custom(func(t *rapid.T) reconcile.Indicator {
		var i reconcile.Indicator
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			i = sigma(id, rapid.SampledFrom([]string{"", ruleA, ruleB}).Draw(t, "rule"))
		case 1:
			i = yara(id)
		default:
			i = ind(id, strings.Join(rapid.SliceOfNDistinct(genValue, 0, 3, rapid.ID[string]).Draw(t, "values"), "; "))
		}
		score := rapid.IntRange(0, 3).Draw(t, "score")
		i.Score, i.Description = &score, genText.Draw(t, "description")
		i.CreatedAt = noon.AddDate(0, 0, -rapid.IntRange(0, 2).Draw(t, "age"))
		i.Platforms = rapid.SliceOfN(rapid.SampledFrom([]string{"windows", "linux", "ünïx"}), 0, 2).Draw(t, "platforms")
		return i
	})
}

func genIndicators(t *rapid.T, label string) []reconcile.Indicator {
	var out []reconcile.Indicator
	for _, id := range rapid.SliceOfNDistinct(genID, 0, 5, rapid.ID[string]).Draw(t, label) {
		out = append(out, genIndicator(id).Draw(t, label+" "+id))
	}
	return out
}

func genPolicy(t *rapid.T) reconcile.Policy {
	p := policy()
	p.Remove, p.Revert = rapid.Bool().Draw(t, "remove"), rapid.Bool().Draw(t, "revert")
	p.Own.AdoptNames = rapid.Bool().Draw(t, "adopt names")
	p.Unmanaged = rapid.SampledFrom([]reconcile.UnmanagedRows{reconcile.ReportUnmanaged, reconcile.AdoptUnmanaged, reconcile.RemoveUnmanaged}).Draw(t, "unmanaged")
	p.Mode = rapid.SampledFrom([]reconcile.Mode{reconcile.SyncMode, reconcile.SyncMode, reconcile.UpsertOnlyMode, reconcile.CreateOnlyMode}).Draw(t, "mode")
	p.Maturity = rapid.SampledFrom([]string{"stable", "testing"}).Draw(t, "maturity")
	return p
}

// genRows is what a run of ours, one of another instance, an old connector and a person left.
func genRows(t *rapid.T) []reconcile.Row {
	p := policy()
	other := policy()
	other.Own.Instance = them
	rows := appliedIn(t, p, genIndicators(t, "earlier")...)
	rows = append(rows, edit(appliedIn(t, other, genIndicators(t, "foreign")...), func(r *reconcile.Row) { r.ID = "f-" + r.ID })...)
	for n, v := range rapid.SliceOfNDistinct(genValue, 0, 3, rapid.ID[string]).Draw(t, "old") {
		typ, value, _ := strings.Cut(v, " ")
		rows = append(rows, oldRow(fmt.Sprintf("o-%d", n), typ, strings.ToUpper(value), genID.Draw(t, "old owner")))
	}
	for n, v := range rapid.SliceOfNDistinct(genValue, 0, 2, rapid.ID[string]).Draw(t, "by hand") {
		typ, value, _ := strings.Cut(v, " ")
		rows = append(rows, reconcile.Row{Kind: reconcile.IOC, ID: fmt.Sprintf("h-%d", n), Type: typ, Value: value, Enabled: true, HLStatus: "stable"})
	}
	for n := range rapid.IntRange(0, 2).Draw(t, "unmarked files") {
		of := yara(genID.Draw(t, "whose text"))
		rows = append(rows, reconcile.Row{Kind: reconcile.YARA, ID: fmt.Sprintf("n-%d", n), Name: "name of " + genID.Draw(t, "whose name"), Content: of.Pattern, Enabled: true, HLStatus: "stable"})
	}
	if rapid.Bool().Draw(t, "an unmarked Sigma rule") {
		of := sigma(genID.Draw(t, "whose text"), rapid.SampledFrom([]string{ruleA, ruleB}).Draw(t, "id"))
		rows = append(rows, reconcile.Row{Kind: reconcile.Sigma, ID: "n-s", Name: "name of " + genID.Draw(t, "whose name"), Content: of.Pattern, Enabled: true, HLStatus: "stable"})
	}
	for i := range rows {
		if rapid.IntRange(0, 4).Draw(t, "edited") == 0 {
			rows[i].Enabled = false
		}
	}
	return rows
}

func appliedIn(t *rapid.T, p reconcile.Policy, inds ...reconcile.Indicator) []reconcile.Row {
	return obedient().apply(t, decide(t, p, nil, inds...), p, nil)
}

func asJSON(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestApplyingAPlanLeavesNothingToDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows, inds := genPolicy(t), genRows(t), genIndicators(t, "wanted")
		plan := decide(t, p, rows, inds...)
		after := obedient().apply(t, plan, p, rows)
		if again := decide(t, p, after, inds...); again.Changes.Len() > 0 {
			t.Fatalf("first %q\nthen %q", brief(plan), brief(again))
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows, inds := genPolicy(t), genRows(t), genIndicators(t, "wanted")
		before := asJSON(t, []any{rows, inds})
		first := asJSON(t, decide(t, p, rows, inds...))
		if before != asJSON(t, []any{rows, inds}) {
			t.Fatal("the inputs changed")
		}
		w := wantedOf(t, inds...)
		sealed := rowsOf(t, p, w, rows...)
		for range 2 {
			plan, err := reconcile.Compute(sealed, w, p, reconcile.Memory{})
			if err != nil {
				t.Fatal(err)
			}
			if got := asJSON(t, plan); got != first {
				t.Fatalf("a second computation differs:\n%s", cmp.Diff(first, got))
			}
		}
		second := asJSON(t, decide(t, p, rapid.Permutation(rows).Draw(t, "rows"), rapid.Permutation(inds).Draw(t, "inds")...))
		if first != second {
			t.Fatalf("another order (-first +second):\n%s", cmp.Diff(first, second))
		}
	})
}

func TestRowsThatAreNotOursStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows, inds := genPolicy(t), genRows(t), genIndicators(t, "wanted")
		plan := decide(t, p, rows, inds...)
		for i := range plan.Changes.Len() {
			id := plan.Changes.At(i).ID
			if strings.HasPrefix(id, "f-") {
				t.Fatalf("another instance's row: %+v", plan.Changes.At(i))
			}
			if strings.HasPrefix(id, "h-") && p.Unmanaged == reconcile.ReportUnmanaged {
				t.Fatalf("a row made by hand: %+v", plan.Changes.At(i))
			}
			if strings.HasPrefix(id, "n-") && plan.Changes.At(i).Action.Removal() && p.Unmanaged != reconcile.RemoveUnmanaged {
				t.Fatalf("an unmarked row goes: %+v", plan.Changes.At(i))
			}
		}
	})
}

func TestWhatAPersonDisabledStaysAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows, inds := genPolicy(t), genRows(t), genIndicators(t, "wanted")
		p.Revert = false
		off := map[string]bool{}
		for _, r := range rows {
			if !r.Enabled { // we disabled none
				off[r.Kind.String()+r.ID] = true
			}
		}
		plan := decide(t, p, rows, inds...)
		for i := range plan.Changes.Len() {
			if ch := plan.Changes.At(i); off[ch.Kind.String()+ch.ID] {
				t.Fatalf("%+v", ch)
			}
		}
	})
}

func TestEachOwnedRowCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows, inds := genPolicy(t), genRows(t), genIndicators(t, "wanted")
		plan := decide(t, p, rows, inds...)
		if rapid.Bool().Draw(t, "explained") {
			e := reconcile.Evidence{Started: noon, Found: map[string]reconcile.Finding{}, LostMarkings: rapid.SampledFrom([][]string{nil, {"TLP:RED"}}).Draw(t, "lost")}
			for _, id := range plan.Absent() {
				if rapid.Bool().Draw(t, "found") {
					f := found(genIndicator(strings.TrimPrefix(plain(id), "indicator--")).Draw(t, "now"), nil)
					f.Judged = rapid.SampledFrom([]reconcile.Reason{"", reconcile.Revoked, reconcile.NotYetValid}).Draw(t, "judged")
					f.Indicator.UpdatedAt = noon.AddDate(0, 0, rapid.IntRange(-1, 1).Draw(t, "updated"))
					e.Found[id] = f
				}
			}
			plan.Explain(e, p)
		}
		owned, counted := 0, plan.Unchanged
		for _, n := range plan.Owned {
			owned += n
		}
		for _, a := range []reconcile.Action{reconcile.Update, reconcile.Enable, reconcile.Disable, reconcile.Delete, reconcile.Adopt} {
			counted += plan.Count(a)
		}
		if owned != counted {
			t.Fatalf("%d rows of ours, %d counted: %q", owned, counted, brief(plan))
		}
		seen := map[string]bool{}
		for i := range plan.Changes.Len() {
			if id := plan.Changes.At(i).ID; id != "" && seen[id] {
				t.Fatalf("row %s changes twice: %q", id, brief(plan))
			}
			seen[plan.Changes.At(i).ID] = true
		}
	})
}

func TestEveryWantedRuleIsInForceAfterwardsOrSaysWhyNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, rows, inds := genPolicy(t), genRows(t), genIndicators(t, "wanted")
		p.Mode = reconcile.SyncMode
		plan := decide(t, p, rows, inds...)
		after := obedient().apply(t, plan, p, rows)
		for i := range inds {
			for _, v := range valuesOf(&inds[i]) {
				inForce := slices.ContainsFunc(after, func(r reconcile.Row) bool {
					return r.Enabled && r.Type == v.Type && canon(r.Type, r.Value) == v.Value
				})
				held := false
				for _, h := range plan.Held.All() {
					held = held || h.Type == v.Type && h.Value == v.Value
				}
				if !inForce && !held {
					t.Fatalf("%v is neither in force nor held: %q", v, brief(plan))
				}
			}
		}
	})
}

func TestLimitsHoldWithoutAnOverride(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, left := rapid.IntRange(1, 60).Draw(t, "held"), rapid.IntRange(0, 60).Draw(t, "left")
		var before, now []reconcile.Indicator
		for i := range n {
			x := ind(fmt.Sprintf("i%02d", i), fmt.Sprintf("domain_name h%02d.example", i))
			if before = append(before, x); i < left {
				now = append(now, x)
			}
		}
		p := policy()
		p.Remove = rapid.Bool().Draw(t, "remove")
		plan := decide(t, p, appliedIn(t, p, before...), now...)
		g3 := plan.Explain(reconcile.Evidence{Started: noon}, p)
		plan.Judge(reconcile.Gate{OK: true}, g3, reconcile.Memory{}, "", p, limits(20), reconcile.Overrides{})
		gone := plan.Count(reconcile.Delete) + plan.Count(reconcile.Disable)
		if allowed := left > 0 && (n < 10 || gone <= reconcile.AbsenceLimit(n)); plan.Refused() == allowed {
			t.Fatalf("%d of %d go, refused %t", gone, n, plan.Refused())
		}
	})
}

// TestAPlanIsEmptyAfterTwoAppliesWhateverTheServerDoes models servers that trim, cut, fold or drop
// texts, fold values and refuse long comments.
func TestAPlanIsEmptyAfterTwoAppliesWhateverTheServerDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cutAt := rapid.SampledFrom([]int{0, 230, 260, 280, 300, 320, 400, 1000}).Draw(t, "comments cut at")
		short := rapid.SampledFrom([]int{0, 0, 10, 500}).Draw(t, "descriptions cut at")
		trim, fold, null, foldValue := rapid.Bool().Draw(t, "trim"), rapid.Bool().Draw(t, "fold"), rapid.Bool().Draw(t, "null"), rapid.Bool().Draw(t, "fold values")
		if foldValue && cutAt > 0 {
			cutAt = max(cutAt, 280) // the marker of a respelled row needs more room
		}
		s := &server{mostComment: rapid.SampledFrom([]int{0, 0, 350}).Draw(t, "comments refused over"), munge: func(r *reconcile.Row) {
			cut := func(v *string, n int) {
				if x := []rune(*v); n > 0 && len(x) > n {
					*v = string(x[:n])
				}
			}
			cut(&r.Comment, cutAt)
			cut(&r.Description, short)
			if trim {
				r.Description, r.Comment, r.Content = strings.TrimSpace(r.Description), strings.TrimSpace(r.Comment), strings.TrimSpace(r.Content)
			}
			if fold {
				r.Description, r.Name = strings.ToLower(r.Description), strings.ToLower(r.Name)
			}
			if null {
				r.Description = ""
			}
			if foldValue {
				r.Value = strings.ToLower(r.Value)
			}
			if r.Kind == reconcile.YARA {
				r.Content = strings.ReplaceAll(r.Content, "\n", "\r\n")
			}
		}}
		p := policy()
		p.Remove = rapid.Bool().Draw(t, "remove")
		var rows []reconcile.Row
		for _, step := range []string{"first", "second"} {
			inds := genIndicators(t, step)
			rows = s.apply(t, decide(t, p, rows, inds...), p, rows)
			second := decide(t, p, rows, inds...)
			rows = s.apply(t, second, p, rows)
			if third := decide(t, p, rows, inds...); third.Changes.Len() > 0 {
				t.Fatalf("%s: second %q\nthird %q\nrows %+v", step, brief(second), brief(third), rows)
			}
		}
	})
}
