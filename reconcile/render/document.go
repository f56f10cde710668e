package render

import (
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
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
	var of reconcile.Changes
	for _, a := range reconcile.Actions {
		for _, k := range reconcile.Kinds {
			for i := range d.Held.Len() {
				if action, kind := d.Held.Waits(i); action == a && kind == k {
					of.Add(d.Held.At(i).Change)
				}
			}
		}
	}
	return of
}
