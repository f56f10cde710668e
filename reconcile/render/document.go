package render

import (
	"cmp"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// newLists are the lists that will be made, each with its first rule.
func newLists(d *planfile.Document) []planfile.List {
	return slices.DeleteFunc(slices.Clone(d.Target.Lists), func(l planfile.List) bool {
		return l.ID != nil || headCounts(steps(d))[head{reconcile.Create, l.Kind}] == 0
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

// listing is changes of a plan in the order in which they are printed.
type listing struct {
	n    int
	head func(i int) head // which is known without reading one
	read func(i int) *reconcile.Change
}

// steps are the changes that a plan makes.
func steps(d *planfile.Document) listing {
	return listing{d.Changes.Len(), func(i int) head { return head{d.Changes.Action(i), d.Changes.Kind(i)} }, d.Changes.At}
}

// waiting are the changes that gates hold.
func waiting(d *planfile.Document) listing {
	var places []int
	for _, a := range reconcile.Actions {
		for _, k := range reconcile.Kinds {
			for i := range d.Held.Len() {
				if action, kind := d.Held.Waits(i); action == a && kind == k {
					places = append(places, i)
				}
			}
		}
	}
	return listing{len(places), func(i int) head {
		action, kind := d.Held.Waits(places[i])
		return head{action, kind}
	}, func(i int) *reconcile.Change {
		return cmp.Or(d.Held.At(places[i]).Change, &reconcile.Change{}) // nothing where it cannot be read
	}}
}
