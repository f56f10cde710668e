// Package tail keeps HarfangLab close to OpenCTI between full runs.
package tail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Tail keeps HarfangLab close to OpenCTI between full runs. The live stream only names indicators; what
// became of them is read by id, folded into the last whole read, and goes through the same decision,
// gates and apply as a run. Whatever is doubtful leads to a full run.
type Tail struct {
	Job *run.Job
	// Follow tells what happens in the stream, from a position on, until ctx ends. What ends it for good
	// is its last error.
	Follow func(ctx context.Context, from state.Position) iter.Seq2[Signal, error]
	// Position is where the stream stands now.
	Position func(ctx context.Context) (state.Position, error)
	// Refilter looks whether the stream's filter is another one than the Job was made for, and if so
	// makes the Job follow it.
	Refilter func(ctx context.Context) (changed bool, err error)
	// Pull prepares an import of alerts. What it returns imports them, beside what the stream brings, and returns what
	// tells of it and what it ended with. Nothing else goes on beside the first and the last; nil for none.
	Pull func(ctx context.Context) (work func() (told func() error))
	// Pulled says that alerts were imported just before.
	Pulled bool
	// Beat is told, after every full run and batch, the last plan, what it ended with, and when the full run began, zero of
	// a batch. A full run that failed before its plan leaves none. May be nil.
	Beat func(planned *run.Planned, err error, began time.Time)
	// Told is given every plan that has changes or is refused, with what became of it; nil before it is
	// applied.
	Told func(*run.Planned, *run.Report) error

	// Leases keeps the lock; nil is Job.Keeper. While it has lapsed nothing is written.
	Leases *state.Keeper

	// Wait is for how long a full run or a batch waits after that many failures in a row; nil grows from
	// seconds to minutes.
	Wait func(failed int) time.Duration

	Quiet     time.Duration // without events: what comes after it is read at once, what follows sooner waits for it
	FullEvery time.Duration
	PullEvery time.Duration
	For       time.Duration // 0 is until ctx ends
	Stream    string        // id, for the state
	Log       *slog.Logger

	pending  pending
	unblocks unblocks
	sides    *run.Sides
	full     time.Time       // when the next full run is due
	hold     time.Time       // no batch before it
	rest     time.Time       // no full run before it because events are missing
	unread   map[string]bool // witnesses that OpenCTI could not give since the last full run
	failed   int             // full runs and batches in a row that failed
	last     *run.Planned
	worst    error     // what the last full run or batch ended with
	alerts   error     // what the last import of alerts ended with
	cut      bool      // the lock was lost in the middle of an apply, which no full run has made up for
	saved    time.Time // when the position was saved last
	from     state.Position
}

// mostCollecting is how long indicators are collected at most while events keep coming.
const mostCollecting = 10 * time.Second

// RefusedError says that the last plan of a tail was refused by a gate.
type RefusedError struct{ Gate, About string }

func (e *RefusedError) Error() string {
	return "the last plan was refused by gate " + e.Gate + " (" + e.About + ")"
}

// Run tails until ctx ends, For has passed, or the stream ends for good. It begins with a full run. Once For has
// passed it returns what the last full run or batch and the last import of alerts ended with, which is a
// *RefusedError, a *run.UndoneError, what Pull told, or whatever kept it from making a plan; nil if all was done.
func (t *Tail) Run(ctx context.Context) error {
	t.Job.RecheckRows = true // a batch has few changes, and the lists are long
	defer func() { t.sides.Close() }()
	if t.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.For, errOver)
		defer cancel()
	}
	err := t.begin(ctx)
	if err == nil {
		err = t.follow(ctx)
	}
	t.savePosition(ctx, true)
	switch {
	case errors.Is(context.Cause(ctx), errOver):
		return errors.Join(t.worst, t.alerts)
	case ctx.Err() != nil:
		cause := context.Cause(ctx)
		_, lost := errors.AsType[*state.LostError](cause)
		switch {
		case errors.Is(cause, context.Canceled):
			return run.ErrInterrupted
		case lost && t.cut:
			return errCut
		}
		return cause // the lock was lost, or the deadline passed
	}
	return err
}

var (
	errOver = errors.New("the time to tail is over")
	errCut  = errors.New("the lock was lost before all changes of a plan were done")
)

// begin notes the stream's position and makes the first full run, in that order: what happens while it
// reads is told afterwards (contract opencti-api 13).
func (t *Tail) begin(ctx context.Context) error {
	from, err := t.Position(ctx)
	if err != nil {
		return err
	}
	t.from = from
	t.fullRun(ctx, "at the start")
	return ctx.Err()
}

func (t *Tail) leases() *state.Keeper { return cmp.Or(t.Leases, t.Job.Keeper) }

func (t *Tail) now() time.Time { return t.Job.Now() }

// follow is the loop: events name indicators, timers act.
func (t *Tail) follow(ctx context.Context) error {
	ended := make(chan error, 1)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	t.pending.changed, t.pending.quiet = make(chan struct{}, 1), t.Quiet
	go func() {
		defer crash.Exit()
		ended <- t.pending.listen(t.Follow(reading, t.from), t.Log)
	}()
	pulls := t.pulls()
	defer func() { stop(); t.ended(ctx, pulls) }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := t.now()
		due := t.due()
		next := earliest(due, t.full, pulls.next, t.unblocks.next)
		timer.Reset(max(next.Sub(now), 0))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case <-t.pending.changed:
			continue
		case told := <-pulls.done:
			t.pulled(ctx, pulls, told)
			continue
		case <-t.leases().Regained():
			t.hold = time.Time{}
			t.fullRun(ctx, "the lock is held again")
			continue
		case <-timer.C:
		}
		now = t.now()
		switch {
		case !now.Before(t.full):
			t.fullRun(ctx, fmt.Sprintf("every %s", t.FullEvery))
		case !due.IsZero() && !now.Before(due):
			if why := t.pending.gapped(); why != "" {
				t.fullRun(ctx, why)
			} else {
				t.batch(ctx)
				t.beat(time.Time{})
			}
		case pulls.due(now):
			pulls.begin(t.leases().Held(reading))
		case !now.Before(t.unblocks.next):
			if t.look(ctx, t.unblocks.anew) {
				t.fullRun(ctx, "other values are unblocked than before")
			}
		}
	}
}

func (t *Tail) beat(began time.Time) {
	if t.Beat != nil {
		t.Beat(t.last, t.worst, began)
	}
}

// due is when pending indicators are to be dealt with; zero while there are none, or nothing to fold them into.
func (t *Tail) due() time.Time {
	if t.sides == nil {
		return time.Time{}
	}
	due, after := t.pending.due(), t.hold
	if t.pending.gapped() != "" && after.Before(t.rest) {
		after = t.rest
	}
	if !due.IsZero() && due.Before(after) {
		return after
	}
	return due
}

// resting is how many times as long as a full run took the next one waits that missing events ask for: where events come
// faster than they can be read, full runs would follow each other without a pause.
const resting = 2

// earliest is the first of some moments; zero ones do not count.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, at := range times {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// fullRun reads both sides whole, plans and applies. What was pending before it is settled by it.
func (t *Tail) fullRun(ctx context.Context, why string) {
	began := t.now()
	t.last = nil
	defer t.beat(began)
	t.Log.Info("full run", "why", why)
	if _, err := t.Refilter(ctx); err != nil {
		t.again(ctx, err)
		return
	}
	if err := t.Job.SeeMarkings(ctx); err != nil {
		t.again(ctx, err)
		return
	}
	t.look(ctx, true)
	_, _, safe := t.pending.take()
	t.sides.Close() // before the new ones, so that both are never held at once
	t.sides = nil
	planned, sides, err := t.Job.PlanOf(ctx, time.Time{})
	if err != nil {
		t.again(ctx, err)
		return
	}
	t.sides, t.unread = sides, map[string]bool{}
	if err := t.carryOut(ctx, planned, false); err != nil {
		t.again(ctx, err)
		return
	}
	t.failed, t.worst, t.cut = 0, nil, false
	t.full = t.now().Add(t.FullEvery)
	t.rest = t.now().Add(resting * t.now().Sub(began))
	t.pending.settled(safe)
	t.savePosition(ctx, false)
}

// again has another full run soon, later each time. A plan that a gate refused waits for the source to
// change: for events, or for the next full run.
func (t *Tail) again(ctx context.Context, err error) {
	const first, most = 5 * time.Second, 5 * time.Minute
	if ctx.Err() != nil {
		return // the tail ends, and that broke it off
	}
	t.worst = err
	wait := min(t.wait(first, most), max(t.FullEvery, first))
	e, refused := errors.AsType[*RefusedError](err)
	_, undone := errors.AsType[*run.UndoneError](err)
	switch doubt := refused && (e.Gate == "G1" || e.Gate == "G3"); {
	case doubt: // the read itself
		t.sides.Close()
		t.sides = nil
	case refused && !undone:
		if !t.now().Before(t.full) { // a batch that is refused puts no full run off
			t.full = t.now().Add(t.FullEvery)
		}
		t.Log.Error("what the gate refused stays as it is", "error", err)
		return
	}
	t.failed++
	t.full = t.now().Add(wait)
	t.hold = t.full // a gap that is still open would be due at once
	t.Log.Error("the lists may be behind; a full run follows", "error", err, "in", wait)
}

// wait is how long to wait after a failure, longer after each.
func (t *Tail) wait(first, most time.Duration) time.Duration {
	if t.Wait != nil {
		return t.Wait(t.failed)
	}
	return min(first<<min(t.failed, 10), most)
}

// later tries a batch again in a while.
func (t *Tail) later(ctx context.Context, ids []string, err error) {
	const first, most = time.Second, time.Minute
	if ctx.Err() != nil {
		return // the tail ends, and that broke it off
	}
	t.worst = err
	t.pending.putBack(ids)
	wait := t.wait(first, most)
	t.failed++
	t.hold = t.now().Add(wait)
	t.Log.Error("what changed could not be read; it is tried again", "error", err, "in", wait)
}

// carryOut applies a plan and brings the rows that are held up to date with it.
func (t *Tail) carryOut(ctx context.Context, planned *run.Planned, batch bool) error {
	t.Job.Lazy = batch
	held, done := t.leases().Held(ctx)
	defer done()
	if held.Err() != nil {
		return context.Cause(held)
	}
	t.last = planned
	if planned.Complete {
		t.Job.Overrides = reconcile.Overrides{} // they count for one plan
	}
	refused := refusal(planned)
	if planned.Plan.Changes.Len() == 0 && refused == nil {
		return t.Job.RememberGood(ctx, planned)
	}
	if err := t.Told(planned, nil); err != nil {
		return err
	}
	if planned.Plan.Stopped() || planned.Plan.Changes.Len() == 0 {
		return refused
	}
	rows := t.sides.Rows
	rows.Expect(rows.Len() + planned.Plan.Count(reconcile.Create))
	t.Job.Touched = func(ch *reconcile.Change, row *reconcile.Row) { rows.Move(ch.Key, ch.ID, row) }
	report, err := t.Job.Apply(held, planned, batch)
	t.Job.Touched = nil
	if err != nil {
		return err
	}
	if err := t.Told(planned, report); err != nil {
		return err
	}
	if err := t.sides.Seal(); err != nil {
		return err
	}
	undone := report.Err()
	if undone != nil && held.Err() != nil {
		t.cut = t.cut || ctx.Err() == nil && report.Wrote
		if !report.Wrote {
			return context.Cause(held)
		}
		return fmt.Errorf("%w: %w", context.Cause(held), undone)
	}
	return errors.Join(undone, refused)
}

// refusal is a *RefusedError if a gate refused something of a plan.
func refusal(planned *run.Planned) error {
	for _, g := range planned.Plan.Gates {
		if !g.OK {
			return &RefusedError{g.ID, strings.ReplaceAll(g.Name, "_", " ")}
		}
	}
	return nil
}

// savePosition notes how far the stream is dealt with: not after every batch, since a lost position
// costs a full run and nothing else.
func (t *Tail) savePosition(ctx context.Context, last bool) {
	const seldom = time.Minute
	safe := t.pending.dealtWith()
	if safe.IsZero() || !last && t.now().Sub(t.saved) < seldom {
		return
	}
	stream := state.Stream{Position: safe.String(), ID: t.Stream, Filter: t.Job.Filter}
	if t.Job.Keeper.Document().Stream == stream {
		return
	}
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.SaveTimeout)
	defer cancel()
	if err := t.Job.Keeper.Update(short, func(d *state.Document) { d.Stream = stream }); err != nil {
		t.Log.Warn("the position in the stream could not be saved", "error", err)
	}
	t.saved = t.now()
}
