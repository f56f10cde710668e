package run

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// unblocks are what persons took out of force, as far as it is known here, what is over too unless active says otherwise.
func (j *Job) unblocks(active bool) reconcile.Unblocks {
	u := reconcile.Unblocks{List: j.Keeper.Unblocked()}
	if len(u.List) == 0 || j.Unblocks == nil {
		return reconcile.Unblocks{}
	}
	now := j.Now()
	holds := u.At(now)
	of := j.Unblocks(holds)
	if active {
		return reconcile.Unblocks{List: holds, Of: of}
	}
	over := slices.DeleteFunc(slices.Clone(u.List), func(u reconcile.Unblock) bool { return u.Active(now) })
	was := j.Unblocks(over)
	return reconcile.Unblocks{List: slices.Concat(holds, over), Of: func(k reconcile.Kind, v reconcile.Value, owners []string) int {
		if at := of(k, v, owners); at >= 0 {
			return at
		}
		if at := was(k, v, owners); at >= 0 {
			return len(holds) + at
		}
		return -1
	}}
}

// PlanUnblock reads the lists and plans that our rules go out of force which fall under u, or are among what an indicator
// gives that is meant. OpenCTI is not asked.
func (j *Job) PlanUnblock(ctx context.Context, u reconcile.Unblock, gives []reconcile.Value) (*Planned, error) {
	started := j.Now()
	list := []reconcile.Unblock{u}
	of := j.Unblocks(list)
	rows, lists, err := j.rowsAlone(ctx, reconcile.Unblocks{List: list, Of: func(k reconcile.Kind, v reconcile.Value, owners []string) int {
		if slices.Contains(gives, v) { // a rule names some of its owners alone, where it has many
			return 0
		}
		return of(k, v, owners)
	}})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	plan, err := reconcile.TakeOut(rows, j.Policy)
	if err != nil {
		return nil, err
	}
	return &Planned{Plan: plan, Lists: lists, Complete: true, Started: started, ReadTime: j.Now().Sub(started), Restore: true}, nil
}

// lookEvery is how often an apply looks whether something was unblocked since it began, where the lock does not look
// by itself.
const lookEvery = 5 * time.Second

// barred is what was unblocked since the plan was made and stands against a change; nil for nothing.
func (a *applying) barred(ch *reconcile.Change) *reconcile.Unblock {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) > lookEvery && !a.job.Keeper.Renews() {
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(a.requests, patience)
		defer cancel()
		a.look(ctx)
	}
	if list := a.job.Keeper.Unblocked(); !slices.Equal(list, a.known) {
		a.known, a.out = list, a.job.unblocks(true)
	}
	return a.out.Covering(ch)
}

// look reads the state again, for what was unblocked.
func (a *applying) look(ctx context.Context) {
	a.looked = time.Now()
	if err := a.job.Keeper.Reload(ctx); err != nil {
		a.job.Log.Debug("the state could not be read again", "error", err)
	}
}

// takeBack takes out of force what this apply brought there while somebody unblocked it.
func (a *applying) takeBack() {
	began := false
	for i := range a.report.Items {
		it := &a.report.Items[i]
		began = began || it.Outcome == Applied && !a.report.Changes.Action(i).Removal()
	}
	if !began || a.job.Lazy || !a.job.Keeper.Stored() { // a tail looks soon
		return
	}
	ctx, cancel := context.WithTimeout(a.requests, SaveTimeout)
	defer cancel()
	if err := a.job.Keeper.Reload(ctx); err != nil {
		a.job.Log.Warn("the state could not be read again; what was unblocked meanwhile goes out of force with the next run", "error", err)
		return
	}
	u := a.job.unblocks(true)
	for i := range a.report.Items {
		it := &a.report.Items[i]
		if len(u.List) == 0 || it.Outcome != Applied {
			continue
		}
		ch, err := a.report.Changes.Read(i)
		if err != nil {
			return // which is a problem of the run
		}
		now := u.Covering(ch)
		if now == nil {
			continue
		}
		a.conflict(i, "it was unblocked meanwhile ("+now.Words()+")")
		if err := a.stopAgain(ctx, ch, a.did[i].id); err != nil {
			it.Error += "; and taking it out of force failed: " + err.Error()
		}
	}
}

// stopAgain disables the rule of an applied change, which made a row.
func (a *applying) stopAgain(ctx context.Context, ch *reconcile.Change, made string) error {
	stop := *ch
	stop.Before, stop.Reason = ch.After, reconcile.Unblocked
	if stop.ID == "" {
		stop.ID = made
	}
	if stop.ID == "" {
		id, found, err := a.job.findOurs(ctx, ch, a.plan.Lists[ch.Kind])
		switch {
		case err != nil:
			return err
		case !found:
			return errors.New("its row is not found")
		}
		stop.ID = id
	}
	stop = stop.AsDisable(a.job.Policy)
	_, err := a.job.disable(ctx, &stop)
	return err
}
