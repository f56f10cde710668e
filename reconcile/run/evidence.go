package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"harfangsync/reconcile"
)

// evidence asks for the owners of everything that is to be removed.
func (j *Job) evidence(ctx context.Context, plan *reconcile.Plan, w *reconcile.Wanted, started, now time.Time, last reconcile.LastGood) (reconcile.Evidence, error) {
	const slack = time.Minute // the platform's clock is not ours
	e := reconcile.Evidence{Started: started.Add(-slack), Found: map[string]reconcile.Finding{}, Excluded: j.Excluded, OwnFilter: j.OwnFilter, Unasked: j.Unasked}
	if !j.ReadAt.IsZero() {
		e.Started = j.ReadAt.Add(-slack)
	}
	ids := plan.Absent()
	if len(ids) > 0 {
		if err := j.SeeMarkings(ctx); err != nil {
			return e, err
		}
	}
	e.LostMarkings = slices.DeleteFunc(slices.Clone(last.Markings), func(m string) bool { return slices.Contains(j.Markings, m) })
	if len(ids) == 0 {
		return e, nil
	}
	found, err := j.Source.ByIDs(ctx, ids, false)
	if err != nil {
		return e, fmt.Errorf("ask for the owners of rules to be removed: %w", err)
	}
	there := make([]string, 0, len(found))
	for _, f := range found {
		there = append(there, f.Asked)
	}
	matching := map[string]bool{}
	if len(there) > 0 {
		filtered, err := j.Source.ByIDs(ctx, there, true)
		if err != nil {
			return e, fmt.Errorf("ask for the owners of rules to be removed: %w", err)
		}
		for _, f := range filtered {
			matching[f.Asked] = true
		}
	}
	for _, f := range found {
		e.Found[f.Asked] = j.finding(&f.Indicator, w, matching[f.Asked], now)
	}
	return e, nil
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
	for _, v := range given.Identities(ind) {
		f.Values[v] = true
	}
	return f
}
