package tail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// ErrContradiction says that OpenCTI's answers about single indicators do not go with its last whole answer.
var ErrContradiction = errors.New("OpenCTI contradicts itself, and its answers by id cannot be believed")

// batch reads the pending indicators, folds them into the last whole read, and applies what follows.
func (t *Tail) batch(ctx context.Context) {
	ids, why, safe := t.pending.take()
	if why != "" { // since the batch began
		t.fullRun(ctx, why)
		return
	}
	started := t.now()
	news, err := t.ask(ctx, ids)
	if err != nil {
		t.later(ctx, ids, err)
		return
	}
	if news.refiltered {
		t.fullRun(ctx, "the stream's filter is another one now")
		return
	}
	if err := t.fold(news, started); err != nil { // a spool failed
		t.sides.Close()
		t.sides = nil
		t.again(ctx, err)
		return
	}
	planned, err := t.Job.Decide(ctx, t.sides, started, started)
	if err != nil {
		t.later(ctx, ids, err)
		return
	}
	if planned.Plan.Changes.Len() > 0 {
		defer func() { t.unblocks.brought(t.now()) }()
	}
	if err := t.carryOut(ctx, planned, true); err != nil {
		t.again(ctx, err)
		return
	}
	t.failed, t.worst = 0, nil
	t.pending.settled(safe)
	t.savePosition(ctx, false)
}

// news are what became of pending indicators.
type news struct {
	matching, left []reconcile.Found
	gone           []string
	refiltered     bool // the stream has another filter by now
}

// ask reads indicators by id, together with some that are known to pass: an answer that leaves these out
// proves nothing about the others.
func (t *Tail) ask(ctx context.Context, ids []string) (news, error) {
	var n news
	named := map[string]bool{}
	for _, id := range ids {
		named[id] = true
	}
	witnesses, err := t.witnesses(named)
	if err != nil {
		return n, err
	}
	answer, err := t.Job.Ask(ctx, append(witnesses, ids...))
	if err != nil {
		return n, err
	}
	n.refiltered = answer.Refiltered
	there, unread := map[string]bool{}, 0 // of the witnesses
	for _, f := range answer.Found {
		there[f.Asked] = true
		switch {
		case named[f.Asked] && f.Passes:
			n.matching = append(n.matching, f)
		case named[f.Asked]:
			n.left = append(n.left, f)
		case f.Unread != "":
			t.unread[f.Asked] = true
			if unread++; unread == len(witnesses) {
				return n, fmt.Errorf("%w: it cannot give indicators that it gave before, such as %s: %s", ErrContradiction, f.ID, f.Unread)
			}
		case !f.Passes && !n.refiltered:
			if why, _ := t.Job.Selection.Judge(&f.Indicator, t.now()); why == "" && f.UpdatedAt.Before(t.now().Add(-time.Minute)) {
				return n, fmt.Errorf("%w: it leaves out indicator %s, which passes the filter", ErrContradiction, f.Indicator.ID)
			}
		}
	}
	n.gone = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return there[id] })
	t.Log.Debug("indicators read again", "named", len(ids), "matching", len(n.matching), "not", len(n.left), "gone", len(n.gone))
	return n, nil
}

// witnesses are two indicators of the last read that are none of those named, and of which OpenCTI gave all since, if there
// are any.
func (t *Tail) witnesses(named map[string]bool) ([]string, error) {
	const n = 2
	but := maps.Clone(named)
	maps.Copy(but, t.unread)
	ids, err := t.sides.Wanted.Witnesses(n, but)
	if err == nil && len(ids) == 0 {
		return t.sides.Wanted.Witnesses(n, named)
	}
	return ids, err
}

// fold brings both sides up to date with some indicators.
func (t *Tail) fold(n news, now time.Time) error {
	t.sides.Folded = true
	w := t.sides.Wanted
	for i := range n.matching {
		t.Job.Want(w, &n.matching[i].Indicator, now)
	}
	for i := range n.left {
		ind := &n.left[i].Indicator
		why, detail := t.Job.Selection.Judge(ind, now)
		if why == "" {
			why, detail = reconcile.OutOfFilter, "the filter does not let it through"
		}
		w.Pass(ind, why, detail)
	}
	for _, id := range n.gone {
		w.Drop(id)
	}
	return t.sides.Seal()
}
