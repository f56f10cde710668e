package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Outcome is what became of one planned change.
type Outcome string

// The outcomes.
const (
	Applied      Outcome = "applied"
	Failed       Outcome = "failed"
	Conflict     Outcome = "conflict"
	NotAttempted Outcome = "not_attempted"
)

// Item is what became of one change.
type Item struct {
	Outcome Outcome
	Error   string // the way out, for what was not applied; a note for what was
}

// Report is what an apply did.
type Report struct {
	Changes  reconcile.Changes // of the plan
	Items    []Item            // by change
	Problems []string          // what concerns the run and no single item
	Stopped  error             // why the apply ended early: ErrInterrupted, a *BreakerError, or nil
	Wrote    bool              // something was written, or may have been
	// Unreachable says that the platform refused or failed before anything was written. It was reached where something
	// in front of it refused some items alone: its lists were read.
	Unreachable error
}

// Count is the number of items with an outcome and, unless action is empty, that action.
func (r *Report) Count(o Outcome, a reconcile.Action) int {
	n := 0
	for i := range r.Items {
		if r.Items[i].Outcome == o && (a == "" || r.Changes.Action(i) == a) {
			n++
		}
	}
	return n
}

// Clean says that everything planned was done.
func (r *Report) Clean() bool {
	return r.Stopped == nil && len(r.Problems) == 0 && r.Count(Applied, "") == len(r.Items)
}

// Err is an *UndoneError unless everything planned was done.
func (r *Report) Err() error {
	if r.Clean() {
		return nil
	}
	return &UndoneError{r}
}

// UndoneError says that not all of a plan was done, or that nobody knows.
type UndoneError struct{ Report *Report }

func (e *UndoneError) Error() string {
	r := e.Report
	said := slices.Clone(r.Problems)
	if r.Stopped != nil {
		said = slices.Insert(said, 0, r.Stopped.Error())
	}
	if left := len(r.Items) - r.Count(Applied, ""); left > 0 {
		said = slices.Insert(said, 0, fmt.Sprintf("not done: %d of %s", left, reconcile.Count(len(r.Items), "change")))
	}
	return strings.Join(said, "; ")
}

// Apply carries out a plan: missing lists first, then creates and enables, adopts and updates,
// disables, deletes (gate G7), each change on its own and Job.Parallel at once. When ctx ends it
// starts nothing new, lets requests in flight finish and reports the rest as not attempted. Then
// what may have been stored although no answer said so is looked for, and at the end every touched row
// is read again (G8). recheck verifies first that the rows still are what the plan saw. Refused texts
// and, after a clean run, the last good run are remembered.
func (j *Job) Apply(ctx context.Context, p *Planned, recheck bool) (*Report, error) {
	changes := p.Plan.Changes
	a := &applying{job: j, plan: p, report: &Report{Changes: changes, Items: make([]Item, changes.Len())}, did: make([]effect, changes.Len()), removals: map[string]bool{}, breaker: breaker{limit: j.Limits.Failures}}
	for i := range a.report.Items {
		a.report.Items[i].Outcome = NotAttempted
		if changes.Action(i).Removal() {
			a.removals[changes.Kind(i).String()+changes.At(i).ID] = true
		}
	}
	if err := changes.Err(); err != nil {
		return nil, err
	}
	// An interrupt does not cut requests at once, so that no write is left in doubt.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	a.requests = requests
	reserved := recheck && j.Lazy && ctx.Err() == nil
	if reserved { // the state was read just now
		a.reserve(p)
	}
	if recheck && len(a.report.Items) > 0 {
		if err := a.recheck(ctx); err != nil {
			a.giveBack(p)
			return nil, err
		}
	}
	if ctx.Err() == nil {
		if !reserved {
			a.reserve(p)
		}
		a.lists()
	}
	for n, phase := range [][]reconcile.Action{{reconcile.Create, reconcile.Enable}, {reconcile.Adopt, reconcile.Update}, {reconcile.Disable}, {reconcile.Delete}} {
		a.phase(ctx, phase)
		if n == 1 && !a.over(ctx) {
			a.spare()
		}
	}
	if j.Progress != nil {
		j.Progress.Done()
	}
	a.settle()
	a.takeBack()
	a.noteStop(ctx)
	a.readBack()
	if err := p.Plan.Err(); err != nil {
		a.report.Problems = append(a.report.Problems, "the plan cannot be read again: "+err.Error())
	}
	a.remember(p)
	return a.report, nil
}

type applying struct {
	job      *Job
	plan     *Planned
	report   *Report
	requests context.Context
	breaker  breaker
	removals map[string]bool // rows that the plan removes, by kind and id
	held     map[string]bool // rows whose content was refused, by id; nil while nobody asked

	mu      sync.Mutex
	done    int
	did     []effect // by item
	refused []reconcile.Refusal
	cleared []reconcile.Key // rules whose earlier refusal is over
	stopped []reconcile.Key // rules that we disabled and could not mark
	unkept  map[reconcile.Unkept]int
	counted reconcile.Tally // that the state was told of before the first write

	looked time.Time           // when the state was read for what is unblocked
	known  []reconcile.Unblock // then
	out    reconcile.Unblocks  // of these, what holds
}

// lists creates the lists that creates need. A kind whose list cannot be made fails alone.
func (a *applying) lists() {
	for _, k := range a.job.Policy.Included() {
		if a.plan.Lists[k] != nil || !a.needs(k) {
			continue
		}
		l, err := a.job.Sink.CreateList(a.requests, k, a.job.Policy.List)
		if err == nil && l.Found {
			err = a.mustBeEmpty(k, l)
		}
		if err == nil {
			a.plan.Lists[k] = l
			continue
		}
		f := reconcile.FaultOf(err)
		if f.Side {
			a.breaker.failure(err)
		}
		a.report.Wrote = a.report.Wrote || f.Unsure
		for i := range a.report.Items {
			if it := &a.report.Items[i]; a.report.Changes.Kind(i) == k && it.Outcome == NotAttempted {
				it.Outcome, it.Error = Failed, fmt.Sprintf("its list %q could not be created: %v", a.job.Policy.List, err)
			}
		}
	}
}

// mustBeEmpty turns the changes of a kind into conflicts when the list that was to be created holds
// rules: somebody else was quicker, and what they made was not planned with (gate G6).
func (a *applying) mustBeEmpty(k reconcile.Kind, l *reconcile.List) error {
	n, err := a.job.Sink.Rows(a.requests, k, l.ID, func([]reconcile.Row, int) error { return nil })
	if err != nil {
		return err
	}
	for i := range a.report.Items {
		if n > 0 && a.report.Changes.Kind(i) == k && a.report.Items[i].Outcome == NotAttempted {
			a.conflict(i, fmt.Sprintf("the list was to be created and holds %s now", reconcile.Count(n, "rule")))
		}
	}
	return nil
}

func (a *applying) needs(k reconcile.Kind) bool {
	for i := range a.report.Items {
		if a.report.Changes.Kind(i) == k && a.report.Items[i].Outcome == NotAttempted {
			return true
		}
	}
	return false
}

// phase attempts the changes with some actions, so many at once, each worker the next that is left.
func (a *applying) phase(ctx context.Context, actions []reconcile.Action) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range max(a.job.Parallel, 1) {
		workers.Go(func() {
			defer crash.Exit()
			for i := int(next.Add(1)) - 1; i < len(a.report.Items); i = int(next.Add(1)) - 1 {
				if a.over(ctx) {
					return
				}
				if a.report.Items[i].Outcome == NotAttempted && slices.Contains(actions, a.report.Changes.Action(i)) {
					a.attempt(i)
				}
			}
		})
	}
	workers.Wait()
}

// over says that nothing more is begun.
func (a *applying) over(ctx context.Context) bool { return ctx.Err() != nil || a.breaker.open() }

// attempt carries out one change and files the result.
func (a *applying) attempt(i int) {
	it, ch := &a.report.Items[i], a.report.Changes.At(i)
	if err := a.report.Changes.Err(); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		it.Outcome, it.Error = Failed, err.Error()
		return
	}
	if u := a.barred(ch); u != nil {
		a.conflict(i, "it was unblocked since the plan was made ("+u.Words()+")")
		return
	}
	did, err := a.job.apply(a.requests, ch, a.plan.Lists[ch.Kind], a.leaving(ch.Kind))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done++
	if a.job.Progress != nil {
		a.job.Progress.Writing(a.done, len(a.report.Items))
	}
	a.did[i], it.Error = did, did.note
	if err == nil {
		a.breaker.success()
		a.succeed(i, ch)
		return
	}
	it.Outcome, it.Error = Failed, err.Error()
	if errors.Is(err, reconcile.ErrConflict) {
		it.Outcome = Conflict
	}
	f := reconcile.FaultOf(err)
	a.did[i].unsure = it.Outcome == Failed && (f.Side && f.Unsure || a.requests.Err() != nil)
	if f.Side {
		a.breaker.failure(err)
		return
	}
	a.breaker.success()
	if (f.Verdict || f.Linked) && it.Outcome == Failed && !errors.Is(err, errUnconfirmed) {
		a.refuse(ch, f)
	}
}

// succeed files a change that was made.
func (a *applying) succeed(i int, ch *reconcile.Change) {
	it, did := &a.report.Items[i], a.did[i]
	it.Outcome, a.report.Wrote = Applied, true
	if !a.refusedStill(ch) {
		a.cleared = append(a.cleared, ch.Key)
	}
	if did.disabled { // the delete is not tried again, now that its row is out of force
		a.refused = append(a.refused, reconcile.Refusal{Key: ch.Key, Sent: reconcile.DeleteSent, Words: did.note, At: a.job.Now().Truncate(time.Second)})
	}
	if did.unmarked {
		a.stopped = append(a.stopped, ch.Key)
	}
}

// refusedStill says whether a change writes the owners alone, because the server has refused the content.
func (a *applying) refusedStill(ch *reconcile.Change) bool {
	if ch.Reason != reconcile.OwnersChanged {
		return false
	}
	if a.held == nil {
		a.held = map[string]bool{}
		for i, held := 0, a.plan.Plan.Held; i < held.Len(); i++ {
			if held.Reason(i) == reconcile.Refused {
				a.held[held.At(i).ID] = true
			}
		}
	}
	return a.held[ch.ID] || a.plan.Plan.Held.Err() != nil
}

// refuse notes the server's verdict on a change for the runs to come.
func (a *applying) refuse(ch *reconcile.Change, f reconcile.Fault) {
	a.refused = append(a.refused, reconcile.Refusal{Key: ch.Key, Sent: ch.Sent, Words: f.Words, Elsewhere: f.Exists && ch.Kind == reconcile.Sigma, At: a.job.Now().Truncate(time.Second)})
}

// noteStop says why not everything was attempted.
func (a *applying) noteStop(ctx context.Context) {
	left := a.report.Count(NotAttempted, "")
	switch {
	case left == 0:
	case a.breaker.open():
		a.report.Stopped = &BreakerError{Limit: a.breaker.limit, Last: a.breaker.last}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		a.report.Stopped = ErrDeadline
	case ctx.Err() != nil:
		a.report.Stopped = ErrInterrupted
	}
	if !a.report.Wrote {
		a.report.Unreachable = a.breaker.down
	}
	why := "the run ended before it"
	if lost, ok := errors.AsType[*state.LostError](context.Cause(ctx)); ok {
		why = lost.Error()
	} else if a.report.Stopped != nil {
		why = a.report.Stopped.Error()
	}
	for i := range a.report.Items {
		if it := &a.report.Items[i]; it.Outcome == NotAttempted {
			it.Error = why
		}
	}
}
