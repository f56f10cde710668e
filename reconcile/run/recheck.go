package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"harfangsync/reconcile"
	"harfangsync/reconcile/failpoint"
)

// recheck reads the lists once and turns every change whose row is no longer what the plan saw into
// a conflict (gate G6).
func (a *applying) recheck(ctx context.Context) error {
	all := make([]int, len(a.report.Items))
	for i := range all {
		all[i] = i
	}
	for _, k := range a.job.Policy.Included() {
		byID, byKey := a.wantedRows(all, k)
		if len(byID)+len(byKey) == 0 {
			continue
		}
		list, err := a.job.Sink.FindList(ctx, k, a.job.Policy.List)
		if err != nil {
			return err
		}
		planned := a.plan.Lists[k]
		switch {
		case planned != nil && list == nil:
			return fmt.Errorf("%w: the %s list is gone; plan again", ErrStale, k)
		case planned != nil && list.ID != planned.ID:
			return fmt.Errorf("%w: the %s list has another id now; plan again", ErrStale, k)
		}
		now := map[int]*reconcile.Row{}
		if list != nil {
			a.plan.Lists[k] = list
			n, err := a.recheckRows(k, planned != nil, byID, byKey, now)
			if err != nil {
				return err
			}
			if planned == nil && n > 0 {
				return fmt.Errorf("%w: the %s list was to be created and holds %d rules now; plan again", ErrStale, k, n)
			}
		}
		for _, i := range byID {
			a.compare(i, now[i])
		}
		for _, i := range byKey {
			if row := now[i]; row != nil {
				a.conflict(i, "a rule with this identity exists now, id "+row.ID)
			}
		}
	}
	return nil
}

// recheckRows finds the rows of some changes, and in a whole list also how many it has.
func (a *applying) recheckRows(k reconcile.Kind, there bool, byID map[string]int, byKey map[reconcile.Key]int, found map[int]*reconcile.Row) (int, error) {
	if !there || !a.job.RecheckRows || len(byID) > narrowReads {
		return a.readList(k, byID, byKey, found)
	}
	items := slices.Sorted(maps.Values(byID))
	rows, err := a.reread(items)
	maps.Copy(found, rows)
	return 0, err
}

// ErrStale says that a saved plan does not fit its lists any more.
var ErrStale = fmt.Errorf("the plan is stale")

func (a *applying) compare(i int, row *reconcile.Row) {
	switch ch := a.report.Items[i].Change; {
	case row == nil && ch.Action == reconcile.Delete:
		a.report.Items[i].Outcome = Applied
		a.report.Items[i].Error = "it was gone already"
	case row == nil:
		a.conflict(i, "the row is gone")
	case !ch.Before.SameAs(row) && !failpoint.Active(failpoint.Row):
		a.conflict(i, reconcile.ErrConflict.Error())
	}
}

func (a *applying) conflict(i int, why string) {
	it := &a.report.Items[i]
	it.Outcome, it.Error = Conflict, it.Change.Label()+": "+why+"; plan again"
}
