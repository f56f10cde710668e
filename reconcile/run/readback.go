package run

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/crash"
)

// narrowReads is how many touched rows are read back one by one; beyond it one list read is cheaper.
const narrowReads = 200

// readBack reads every touched row again (gate G8). A row that holds another text than was sent gets
// one more write, which notes the server's form of it, and is then read once more.
func (a *applying) readBack() {
	touched := a.touched()
	if len(touched) == 0 {
		return
	}
	rows, err := a.reread(touched, false, a.plain)
	if err != nil {
		a.report.Problems = append(a.report.Problems, "the written rules could not be read back: "+err.Error())
		return
	}
	defer a.tellUnkept()
	var again []int
	for _, i := range touched {
		if !a.did[i].plain && a.verify(i, rows[i], false) {
			again = append(again, i)
		}
	}
	if len(again) == 0 {
		return
	}
	if rows, err = a.reread(again, false, nil); err != nil {
		a.report.Problems = append(a.report.Problems, "the written rules could not be read back: "+err.Error())
		return
	}
	for _, i := range again {
		if a.report.Items[i].Outcome == Applied {
			a.verify(i, rows[i], true)
		}
	}
}

// tellUnkept says what HarfangLab made of a mapping, once for all rules of which it made the same.
func (a *applying) tellUnkept() {
	all := slices.SortedFunc(maps.Keys(a.unkept), func(x, y reconcile.Unkept) int {
		return cmp.Or(cmp.Compare(x.Field, y.Field), cmp.Compare(x.Asked, y.Asked), cmp.Compare(x.Held, y.Held))
	})
	for _, u := range all {
		a.job.Log.Warn("HarfangLab holds something else than the mapping asks for; that is noted, and not sent again",
			"field", u.Field, "asked", u.Asked, "held", u.Held, "rules", a.unkept[u])
	}
}

func (a *applying) touched() []int {
	var list []int
	for i := range a.report.Items {
		if a.report.Items[i].Outcome == Applied {
			list = append(list, i)
		}
	}
	return list
}

// plain says whether a row is as its change wanted it, so that nobody has to know more of it.
func (a *applying) plain(i int, row *reconcile.Row) bool {
	if a.did[i].plain { // it has a twin
		return true
	}
	ch := a.made(i)
	if a.did[i].plain = ch.Verify(row, a.job.Policy.Own, a.job.Canon, false).Plain(); a.did[i].plain {
		a.tell(i, ch, row)
	}
	return a.did[i].plain
}

// made is the change that was made: of a delete that was refused, the disable in its place.
func (a *applying) made(i int) *reconcile.Change {
	ch := a.report.Changes.At(i)
	if a.did[i].disabled {
		*ch = ch.AsDisable(a.job.Policy)
	}
	return ch
}

func (a *applying) tell(i int, ch *reconcile.Change, row *reconcile.Row) {
	if a.job.Touched != nil && !a.did[i].told {
		a.job.Touched(ch, row)
		a.did[i].told = true
	}
}

// verify judges one row and says whether it was written once more.
func (a *applying) verify(i int, row *reconcile.Row, second bool) (rewritten bool) {
	it, ch := &a.report.Items[i], a.made(i)
	defer func() {
		if !rewritten {
			a.tell(i, ch, row)
		}
	}()
	back := ch.Verify(row, a.job.Policy.Own, a.job.Canon, second)
	if back.Problem != "" {
		it.Outcome, it.Error = Failed, back.Problem
		if back.Unmarked { // held from now on, or every plan would adopt it again
			a.refuse(ch, reconcile.Fault{Words: back.Problem})
		}
		return false
	}
	var p reconcile.Patch
	if back.Note != nil { // what carries the marker, and nothing that the server has put in its form already
		p = reconcile.Patch{Comment: back.Note.Comment, Content: back.Note.Content}
	}
	if back.Status {
		p.HLStatus = &ch.After.HLStatus
	}
	if back.Enable {
		p.Enabled = &ch.After.Enabled
	}
	for _, u := range back.Unkept {
		if a.unkept == nil {
			a.unkept = map[reconcile.Unkept]int{}
		}
		a.unkept[u]++
	}
	if back.Note == nil && !back.Status && !back.Enable {
		return false
	}
	err := a.job.patch(a.requests, ch.Kind, row.ID, p)
	f := reconcile.FaultOf(err)
	switch {
	case err == nil:
		return back.Note != nil || back.Enable
	case f.Verdict && back.Note == nil && !back.Enable: // the server keeps its own maturity, which is not compared again
		return false
	}
	it.Outcome, it.Error = Failed, err.Error()
	if f.Verdict { // held from now on, or every plan would try it again
		a.refuse(ch, f)
	}
	return false
}

// reread finds the rows of some items: one by one, or by reading the lists when that is cheaper, when
// the server ignores the filters of a narrow read, or for a row that a narrow read did not find: the
// server may hold its value or its name in another form. Of a row that was deleted the narrow read is proof enough; of one
// that there says is still to be deleted it is not, since somebody may have changed what it is looked for by.
// Rows of a list that done, unless it is nil, is content with are not kept.
func (a *applying) reread(items []int, there bool, done func(i int, row *reconcile.Row) bool) (map[int]*reconcile.Row, error) {
	found := map[int]*reconcile.Row{}
	if len(items) <= narrowReads {
		rows, err := a.rereadNarrow(items)
		switch {
		case err == nil:
			found = rows
			items = slices.DeleteFunc(slices.Clone(items), func(i int) bool {
				return rows[i] != nil || !there && a.report.Changes.Action(i) == reconcile.Delete && !a.did[i].disabled
			})
		case !reconcile.FaultOf(err).FilterIgnored:
			return nil, err
		}
	}
	for _, k := range a.job.Policy.Included() {
		byID, byKey := a.wantedRows(items, k)
		if len(byID)+len(byKey) == 0 {
			continue
		}
		if _, err := a.readList(k, byID, byKey, found, done); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// wantedRows are the items of one kind by row id, or by key where a create did not learn its id.
func (a *applying) wantedRows(items []int, k reconcile.Kind) (byID map[string]int, byKey map[reconcile.Key]int) {
	byID, byKey = map[string]int{}, map[reconcile.Key]int{}
	for _, i := range items {
		if a.report.Changes.Kind(i) != k {
			continue
		}
		switch id := a.rowID(i); {
		case id != "":
			byID[id] = i
		default:
			byKey[a.report.Changes.At(i).Key] = i
		}
	}
	return byID, byKey
}

func (a *applying) rowID(i int) string {
	if id := a.did[i].id; id != "" || a.report.Changes.Action(i) == reconcile.Create {
		return id
	}
	return a.report.Changes.At(i).ID
}

// readList finds rows in a whole list and says how many the list has.
func (a *applying) readList(k reconcile.Kind, byID map[string]int, byKey map[reconcile.Key]int, found map[int]*reconcile.Row, done func(int, *reconcile.Row) bool) (int, error) {
	n := 0
	err := a.job.twice(fmt.Sprintf("the %s list was read incompletely, reading once more", k), func() (err error) {
		for _, at := range byID {
			a.unread(at, found)
		}
		for _, at := range byKey {
			a.unread(at, found)
		}
		n, err = a.job.Sink.Rows(a.requests, k, a.plan.Lists[k].ID, func(page []reconcile.Row, _ int) error {
			for i := range page {
				at, ok := a.match(&page[i], byID, byKey)
				if !ok || done != nil && done(at, &page[i]) {
					continue
				}
				row := page[i]
				found[at] = &row
			}
			return nil
		})
		return err
	})
	return n, err
}

// unread forgets what a pass through a list saw of an item, since one that broke off proves nothing.
func (a *applying) unread(i int, found map[int]*reconcile.Row) {
	delete(found, i)
	a.did[i].plain = false
}

func (a *applying) match(row *reconcile.Row, byID map[string]int, byKey map[reconcile.Key]int) (int, bool) {
	if at, ok := byID[row.ID]; ok {
		return at, true
	}
	if len(byKey) == 0 {
		return 0, false
	}
	_, _, key := reconcile.Whose(row, a.job.Policy.Own, a.job.Canon)
	at, ok := byKey[key]
	return at, ok
}

func (a *applying) rereadNarrow(items []int) (map[int]*reconcile.Row, error) {
	found, err := a.rereadTogether(items)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(a.requests)
	g.SetLimit(max(a.job.Parallel, 1))
	left := slices.DeleteFunc(slices.Clone(items), func(i int) bool { return found[i] != nil })
	for _, i := range left {
		g.Go(func() error {
			defer crash.Exit()
			row, err := a.rereadOne(ctx, i)
			if err != nil {
				return fmt.Errorf("read back %s: %w", a.report.Changes.At(i).Label(), err)
			}
			if row != nil {
				mu.Lock()
				defer mu.Unlock()
				found[i] = row
			}
			return nil
		})
	}
	return found, g.Wait()
}

// rereadTogether reads rows that were just written, where the sink can tell them from others.
func (a *applying) rereadTogether(items []int) (map[int]*reconcile.Row, error) {
	found, byID := map[int]*reconcile.Row{}, map[string]int{}
	for _, i := range items {
		if id := a.rowID(i); id != "" && a.report.Changes.Kind(i) == reconcile.IOC {
			byID[id] = i
		}
	}
	if len(byID) < 2 {
		return found, nil
	}
	rows, err := a.job.Sink.Written(a.requests, a.plan.Lists[reconcile.IOC].ID, slices.Sorted(maps.Keys(byID)))
	if err != nil {
		return nil, fmt.Errorf("read back %d rules: %w", len(byID), err)
	}
	for r := range rows {
		if i, ok := byID[rows[r].ID]; ok {
			found[i] = &rows[r].Row
		}
	}
	return found, nil
}

func (a *applying) rereadOne(ctx context.Context, i int) (*reconcile.Row, error) {
	ch, err := a.report.Changes.Read(i)
	if err != nil {
		return nil, err
	}
	list := a.plan.Lists[ch.Kind]
	rows, err := a.job.lookup(ctx, ch, list.ID)
	if err != nil {
		return nil, err
	}
	id := a.rowID(i)
	for r := range rows {
		_, _, key := reconcile.Whose(&rows[r].Row, a.job.Policy.Own, a.job.Canon)
		if rows[r].ID == id || id == "" && key == ch.Key {
			return &rows[r].Row, nil
		}
	}
	return nil, nil
}
