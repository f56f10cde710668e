package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/failpoint"
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
		now, err := a.rowsNow(ctx, k, byID, byKey)
		if err != nil {
			return err
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

// rowsNow finds the rows of some changes of one kind, in the list of the plan, and proves that this is still the list
// that is meant: a row of ours that stands in it says so, else its name has to.
func (a *applying) rowsNow(ctx context.Context, k reconcile.Kind, byID map[string]int, byKey map[reconcile.Key]int) (map[int]*reconcile.Row, error) {
	planned := a.plan.Lists[k]
	narrow := planned != nil && a.job.RecheckRows && len(byID) <= narrowReads
	if narrow && len(byID) > 0 {
		rows, err := a.reread(slices.Sorted(maps.Values(byID)), true, nil)
		if err != nil || len(rows) > 0 {
			return rows, err
		}
	}
	list, err := a.job.Sink.FindList(ctx, k, a.job.Policy.List)
	switch {
	case err != nil:
		return nil, err
	case planned != nil && list == nil:
		return nil, fmt.Errorf("%w: the %s list is gone; plan again", ErrStale, k)
	case planned != nil && list.ID != planned.ID:
		return nil, fmt.Errorf("%w: the %s list has another id now; plan again", ErrStale, k)
	case list == nil || narrow:
		return nil, nil
	}
	a.plan.Lists[k] = list
	now := map[int]*reconcile.Row{}
	n, err := a.readList(k, byID, byKey, now, nil)
	if err == nil && planned == nil && n > 0 {
		err = fmt.Errorf("%w: the %s list was to be created and holds %s now; plan again", ErrStale, k, reconcile.Count(n, "rule"))
	}
	return now, err
}

// ErrStale says that a saved plan does not fit its lists any more.
var ErrStale = fmt.Errorf("the plan is stale")

func (a *applying) compare(i int, row *reconcile.Row) {
	switch ch := a.report.Changes.At(i); {
	case row == nil && ch.Action == reconcile.Delete:
		a.report.Items[i] = Item{Applied, "it was gone already"}
		a.did[i].gone = true
	case row == nil:
		a.conflict(i, "the row is gone")
	case ch.Before == nil:
		a.conflict(i, "the plan cannot be read again")
	case !ch.Before.SameAs(row) && !failpoint.Active(failpoint.Row):
		a.conflict(i, reconcile.ErrConflict.Error())
	}
}

func (a *applying) conflict(i int, why string) {
	it := &a.report.Items[i]
	it.Outcome, it.Error = Conflict, a.report.Changes.At(i).Label()+": "+why+"; plan again"
}
