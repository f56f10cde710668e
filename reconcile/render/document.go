package render

import (
	"cmp"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"slices"
)

// newLists are the lists that will be made, each with its first rule.
func newLists(d *planfile.Document) []planfile.List {
	return slices.DeleteFunc(slices.Clone(d.Target.Lists), func(l planfile.List) bool {
		return l.ID != nil || headCounts(d.Changes)[head{reconcile.Create, l.Kind}] == 0
	})
}

// Refused are the gates that stand against a plan.
func Refused(d *planfile.Document) []reconcile.Gate {
	return slices.DeleteFunc(slices.Clone(d.Gates), func(g reconcile.Gate) bool { return g.OK })
}

// stopped says whether a gate keeps all of a plan from being done.
func stopped(d *planfile.Document) bool {
	return slices.ContainsFunc(Refused(d), func(g reconcile.Gate) bool { return !g.Hold })
}

// waiting are the changes that gates hold.
func waiting(d *planfile.Document) reconcile.Changes {
	var list []reconcile.Change
	for i := range d.Held {
		if ch := d.Held[i].Change; ch != nil {
			list = append(list, *ch)
		}
	}
	slices.SortStableFunc(list, func(a, b reconcile.Change) int {
		return cmp.Or(cmp.Compare(slices.Index(reconcile.Actions, a.Action), slices.Index(reconcile.Actions, b.Action)), cmp.Compare(a.Kind, b.Kind))
	})
	return reconcile.ChangesOf(list...)
}
