package run

import (
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
)

// spare takes removals out of the plan that the writes before them have proven wrong or early: a row
// that a create turned out to be is the wanted rule in the server's spelling; a duplicate stays while the row
// that was to stay is not in force; and an indicator whose new value could not be deployed keeps its old
// one until the server has said its last word on the new one.
func (a *applying) spare() {
	rows, owners, pending := map[string]bool{}, map[string]bool{}, map[reconcile.Key]bool{}
	changes := a.report.Changes
	for i := range a.report.Items {
		switch done := a.report.Items[i].Outcome == Applied; {
		case len(a.removals) == 0: // nothing to be spared
			return
		case changes.Action(i).Removal():
		case done && changes.Action(i) == reconcile.Create:
			rows[changes.Kind(i).String()+a.did[i].id] = true
		case !done:
			if ch := changes.At(i); ch.Before == nil || !ch.Before.Enabled { // it was to come into force
				pending[ch.Key] = true
				for _, o := range ch.Owners {
					owners[o.ID] = true
				}
			}
		}
	}
	for i := range a.report.Items {
		it := &a.report.Items[i]
		if !changes.Action(i).Removal() || it.Outcome != NotAttempted {
			continue
		}
		ch := changes.At(i)
		early := slices.ContainsFunc(ch.Owners, func(o reconcile.Owner) bool { return owners[o.ID] })
		why := ""
		switch {
		case rows[ch.Kind.String()+ch.ID]:
			why = "it is the wanted rule in HarfangLab's spelling"
		case ch.Reason == reconcile.Duplicate && pending[ch.Key]:
			why = "the rule that was to stay is not in force"
		case ch.Reason == reconcile.ValueRemoved && early:
			why = "the new value of its indicator is not deployed yet"
		}
		if why != "" {
			it.Outcome, it.Error = Conflict, "kept for now: "+why+"; run again"
		}
	}
}

// leaving says whether the plan removes a row of a kind.
func (a *applying) leaving(k reconcile.Kind) func(id string) bool {
	return func(id string) bool { return a.removals[k.String()+id] }
}
