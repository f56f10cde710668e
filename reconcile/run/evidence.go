package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// evidence asks for the owners of everything that is to be removed.
func (j *Job) evidence(ctx context.Context, plan *reconcile.Plan, w *reconcile.Wanted, started, now time.Time, last reconcile.LastGood) (reconcile.Evidence, error) {
	const slack = time.Minute // the platform's clock is not ours
	e := reconcile.Evidence{Started: started.Add(-slack), Found: map[string]reconcile.Finding{}, Unknown: map[string]string{}, Excluded: j.Excluded, MayGive: j.MayGive, OwnFilter: j.OwnFilter, AcceptMarkings: j.Overrides.AcceptMarkings, Unasked: j.Unasked}
	if !j.ReadAt.IsZero() {
		e.Started = j.ReadAt.Add(-slack)
	}
	ids := plan.Absent()
	var answer reconcile.Answer
	if len(ids) > 0 {
		var err error
		if answer, err = j.Ask(ctx, ids); err != nil {
			return e, fmt.Errorf("ask for the owners of rules to be removed: %w", err)
		}
		if answer.Markings != nil {
			j.Markings = answer.Markings
		} else if err := j.SeeMarkings(ctx); err != nil {
			return e, err
		}
	}
	e.LostMarkings = slices.DeleteFunc(slices.Clone(last.Markings), func(m string) bool { return slices.Contains(j.Markings, m) })
	for _, f := range answer.Found {
		if f.Unread != "" {
			j.Log.Warn("an indicator cannot be looked up, so the rules that it owns stay", "indicator", f.Asked, "error", f.Unread)
			e.Unknown[f.Asked] = f.Unread
			continue
		}
		e.Found[f.Asked] = j.finding(&f.Indicator, w, f.Passes, now)
	}
	return e, nil
}

// Ask asks for indicators by id, and takes over the state where that comes along.
func (j *Job) Ask(ctx context.Context, ids []string) (reconcile.Answer, error) {
	turn := j.Keeper.Turn()
	answer, err := j.Source.Ask(ctx, ids)
	if answer.Stored != nil {
		j.Keeper.Heard(turn, *answer.Stored)
	}
	return answer, err
}

// SeeMarkings asks again which markings the account may see.
func (j *Job) SeeMarkings(ctx context.Context) error {
	if j.AskMarkings == nil {
		return nil
	}
	now, err := j.AskMarkings(ctx)
	if err != nil {
		return fmt.Errorf("ask which markings the account may see: %w", err)
	}
	j.Markings = now
	return nil
}

func (j *Job) finding(ind *reconcile.Indicator, w *reconcile.Wanted, matches bool, now time.Time) reconcile.Finding {
	f := reconcile.Finding{Indicator: *ind, Read: w.WasRead(ind.ID), Matches: matches, Values: map[reconcile.Value]bool{}}
	f.Judged, _ = j.Selection.Judge(ind, now)
	given := j.given(ind)
	f.Excluded = given.Excluded
	for _, v := range given.Identities(ind) {
		f.Values[v] = true
	}
	return f
}
