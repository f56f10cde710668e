package reconcile_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
)

// fold brings a sealed set up to date with what became of some indicators; nil is gone.
func fold(t *rapid.T, w *reconcile.Wanted, news map[string]*reconcile.Indicator) {
	for _, id := range sortedIDs(news) {
		i := news[id]
		switch {
		case i == nil:
			w.Drop(id)
		case i.Revoked:
			w.Pass(i, reconcile.Revoked, "revoked")
		default:
			w.Add(i, reconcile.Given{Values: valuesOf(i)})
		}
	}
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
}

func sortedIDs(m map[string]*reconcile.Indicator) []string {
	var ids []string
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// move takes in what a plan did to the rows.
func move(rows *reconcile.Rows, plan *reconcile.Plan, before, after []reconcile.Row) {
	byID := func(rows []reconcile.Row, id string) *reconcile.Row {
		if i := slices.IndexFunc(rows, func(o reconcile.Row) bool { return o.ID == id }); i >= 0 {
			return &rows[i]
		}
		return nil
	}
	for _, ch := range plan.Changes.All() {
		if ch.Action != reconcile.Create {
			rows.Move(ch.Key, ch.ID, byID(after, ch.ID))
		}
	}
	for i := range after {
		if byID(before, after[i].ID) == nil {
			rows.Move(reconcile.Key{}, "", &after[i])
		}
	}
}

func TestFoldingIsReadingAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, lists := genPolicy(t), genRows(t)
		now := map[string]*reconcile.Indicator{}
		for _, i := range genIndicators(t, "at first") {
			now[i.ID] = &i
		}
		present := func() (out []reconcile.Indicator) {
			for _, id := range sortedIDs(now) {
				if now[id] != nil {
					out = append(out, *now[id])
				}
			}
			return out
		}
		w := wantedOf(t, present()...)
		rows := rowsOf(t, p, w, lists...)
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			news := map[string]*reconcile.Indicator{}
			for _, id := range rapid.SliceOfNDistinct(genID, 1, 3, rapid.ID[string]).Draw(t, "dirty") {
				news[id] = nil
				if rapid.IntRange(0, 3).Draw(t, "there") > 0 {
					i := genIndicator(id).Draw(t, "now "+id)
					i.Revoked = rapid.IntRange(0, 3).Draw(t, "revoked") == 0
					news[id] = &i
				}
				now[id] = news[id]
			}
			fold(t, w, news)
			if err := rows.Seal(w); err != nil {
				t.Fatal(err)
			}
			plan, err := reconcile.Compute(rows, w, p, reconcile.Memory{})
			if err != nil {
				t.Fatal(err)
			}
			fresh := decide(t, p, lists, present()...)
			if diff := cmp.Diff(brief(fresh), brief(plan)); diff != "" || fresh.WantedDigest != plan.WantedDigest {
				t.Fatalf("plan (-read anew +folded):\n%s", diff)
			}
			after := obedient().apply(t, plan, p, lists)
			move(rows, plan, lists, after)
			if err := rows.Seal(w); err != nil {
				t.Fatal(err)
			}
			lists = after
			again, err := reconcile.Compute(rows, w, p, reconcile.Memory{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(brief(decide(t, p, lists, present()...)), brief(again)); diff != "" {
				t.Fatalf("after an apply (-read anew +folded):\n%s", diff)
			}
		}
	})
}
