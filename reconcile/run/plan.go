package run

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/impact"
)

// Planned is a plan together with what it was made from.
type Planned struct {
	Plan     *reconcile.Plan
	Lists    map[reconcile.Kind]*reconcile.List // nil for a list that is to be created
	Complete bool                               // both sides were read to the end
	Started  time.Time
	ReadTime time.Duration // how long both reads took; 0 for a plan that was not made now
	// Saved marks a plan that comes from a file. It teaches later runs what a good one is like only if
	// its Plan knows the Sources, and with the Filter it was made with; empty is the job's. One that Another version made
	// teaches nothing of what this one takes patterns to mean.
	Saved   bool
	Filter  string
	Another bool
	// Restore marks a plan that comes from a dump: it says nothing of what a good run is like.
	Restore bool
	// Folded marks a plan of sides into which news were folded: what it wants may be hidden by now.
	Folded bool
	ReadAt time.Time // when the source was read, if not at Started
	// Controls are what was proven of HarfangLab's telemetry; the zero value is nothing to remember.
	Controls impact.Controls
}

// Sides are both platforms as one read found them. They hold a spool each, which Close gives back.
type Sides struct {
	Wanted *reconcile.Wanted
	Rows   *reconcile.Rows
	Lists  map[reconcile.Kind]*reconcile.List
	Folded bool // news were folded into what was read: nothing leaves testing between two reads
}

// Close gives the spools back. Plans that were made from the sides stay valid.
func (s *Sides) Close() {
	if s == nil {
		return
	}
	if s.Wanted != nil {
		_ = s.Wanted.Close()
	}
	if s.Rows != nil {
		_ = s.Rows.Close()
	}
}

// Plan reads both sides and decides. asOf moves the moment at which validity dates are judged; zero
// is now. An incomplete side gives a plan without changes that gate G1 refuses; any other failure of
// a side is an error. Plan writes nothing.
func (j *Job) Plan(ctx context.Context, asOf time.Time) (*Planned, error) {
	planned, sides, err := j.PlanOf(ctx, asOf)
	sides.Close()
	return planned, err
}

// PlanOf is Plan that also gives what it has read, nil when that is not whole. The caller closes it.
func (j *Job) PlanOf(ctx context.Context, asOf time.Time) (*Planned, *Sides, error) {
	started := j.Now()
	if asOf.IsZero() {
		asOf = started
	}
	sides, err := j.read(ctx, started, asOf)
	took := j.Now().Sub(started)
	if err == nil {
		var planned *Planned
		if planned, err = j.Decide(ctx, sides, started, asOf); err == nil {
			planned.ReadTime = took
			return planned, sides, nil
		}
		sides.Close()
	}
	if reconcile.FaultOf(err).Incomplete {
		refused := j.incomplete(err, started)
		refused.ReadTime = took
		return refused, nil, nil
	}
	return nil, nil, err
}

// read reads both sides at once and seals them. The side that fails first ends the other, and its error is the one given.
func (j *Job) read(ctx context.Context, started, asOf time.Time) (*Sides, error) {
	s := &Sides{}
	out := j.unblocks(false)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		defer crash.Exit()
		s.Wanted, err = j.readSource(ctx, started, asOf, out)
		return err
	})
	g.Go(func() (err error) {
		defer crash.Exit()
		s.Rows, s.Lists, err = j.readSink(ctx, out)
		return err
	})
	err := g.Wait()
	if err == nil {
		err = s.Seal()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Seal ends the adding on both sides.
func (s *Sides) Seal() error {
	if err := s.Wanted.Seal(); err != nil {
		return err
	}
	return s.Rows.Seal(s.Wanted)
}

// Decide makes the plan of two sides.
func (j *Job) Decide(ctx context.Context, s *Sides, started, asOf time.Time) (*Planned, error) {
	memory := j.Keeper.Document().Memory()
	memory.Now, memory.None = started, !j.Keeper.Stored()
	last := memory.LastGood
	if !j.ReadAt.IsZero() && j.ReadAt.Before(last.At) {
		j.Log.Warn("the last good run saw OpenCTI later than this snapshot, so what came since looks gone", "snapshot", j.ReadAt, "run", last.At)
	}
	policy := j.Policy
	if s.Folded {
		policy.Promote = reconcile.Promote{}
	}
	plan, err := reconcile.Compute(s.Rows, s.Wanted, policy, memory)
	if err != nil {
		return nil, err
	}
	if !last.Known() && len(memory.Window.Parts) == 0 && plan.Marked > 0 {
		j.Log.Warn("nothing is remembered of earlier runs, so the limits begin anew: what was removed, added and changed before does not count")
	}
	var evidence reconcile.Evidence
	if err := j.twice("OpenCTI answered incompletely, asking once more", func() (err error) {
		evidence, err = j.evidence(ctx, plan, s.Wanted, started, asOf, last)
		return err
	}); err != nil {
		return nil, err
	}
	absence := plan.Explain(evidence, j.Policy)
	if err := j.promote(ctx, plan, policy, memory); err != nil {
		return nil, err
	}
	controls, err := j.feel(ctx, plan, s.Wanted)
	if err != nil {
		return nil, err
	}
	complete := reconcile.Gate{ID: "G1", Name: "complete", OK: true, Value: s.Wanted.Read(), Base: s.Rows.Len(),
		Message: fmt.Sprintf("%s%s and %s, read to the end", reconcile.Count(s.Wanted.Read(), "indicator"), j.snapshotWords(), reconcile.Count(s.Rows.Len(), "row"))}
	plan.Judge(complete, absence, memory, j.Filter, j.Policy, j.Limits, j.Overrides)
	if err := plan.Err(); err != nil {
		return nil, err
	}
	return &Planned{Plan: plan, Lists: s.Lists, Complete: true, Started: started, Folded: s.Folded, ReadAt: j.ReadAt, Controls: controls}, nil
}

// promote plans what leaves testing.
func (j *Job) promote(ctx context.Context, plan *reconcile.Plan, p reconcile.Policy, m reconcile.Memory) error {
	due, since := plan.Due(p.Promote.After, m.Now)
	unread := ""
	if len(due) > 0 {
		if err := j.Count(ctx, due, since); err != nil {
			if ctx.Err() != nil {
				return err
			}
			unread = "their alerts cannot be read"
			j.Log.Warn("no rule leaves testing, because their alerts cannot be read", "error", err)
		}
	}
	plan.Promote(p, m, unread)
	return nil
}

// feel asks how many endpoints saw what begins to detect.
func (j *Job) feel(ctx context.Context, plan *reconcile.Plan, w *reconcile.Wanted) (c impact.Controls, err error) {
	if j.Impact == nil {
		return c, nil
	}
	plan.Estimate, c, err = j.Impact.Ask(ctx, plan.Changes, plan.Felt(w), j.Keeper.Document().Impact)
	return c, err
}

func (j *Job) snapshotWords() string {
	if j.ReadAt.IsZero() {
		return ""
	}
	return " of the snapshot of " + j.ReadAt.Format(time.RFC3339)
}

// incomplete is the plan of a run that could not read a side to the end: nothing in it, and refused.
func (j *Job) incomplete(err error, started time.Time) *Planned {
	plan := &reconcile.Plan{Owned: map[reconcile.Kind]int{}, Enabled: map[reconcile.Kind]int{}, Wanted: map[reconcile.Kind]int{}, Sources: map[reconcile.Kind]int{}}
	plan.Judge(
		reconcile.Gate{ID: "G1", Name: "complete", Message: "read twice and still incomplete: " + err.Error()},
		reconcile.Gate{ID: "G3", Name: "absence", OK: true, Message: "not asked: nothing was decided"},
		reconcile.Memory{}, "", j.Policy, j.Limits, j.Overrides)
	return &Planned{Plan: plan, Lists: map[reconcile.Kind]*reconcile.List{}, Started: started}
}
