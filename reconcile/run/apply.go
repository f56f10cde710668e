package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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

// Item is one planned change and what became of it.
type Item struct {
	Kind    reconcile.Kind    `json:"kind"`
	List    string            `json:"list"`
	Type    string            `json:"type,omitempty"`
	Value   string            `json:"value,omitempty"`
	Name    string            `json:"name,omitempty"`
	Action  reconcile.Action  `json:"action"`
	Outcome Outcome           `json:"result"`
	Error   string            `json:"error,omitempty"` // the way out, for what was not applied; a note for what was
	Change  *reconcile.Change `json:"-"`
}

// ItemOf is what became of a change.
func ItemOf(c *reconcile.Change, o Outcome, err string) Item {
	return Item{Kind: c.Kind, List: c.List, Type: c.Type, Value: c.Value, Name: c.Name, Action: c.Action, Outcome: o, Error: err, Change: c}
}

// Report is what an apply did. Items stand in the order of the plan.
type Report struct {
	Items    []Item
	Problems []string // what concerns the run and no single item
	Stopped  error    // why the apply ended early: ErrInterrupted, a *BreakerError, or nil
	Wrote    bool     // something was written, or may have been
	// Unreachable says that the platform refused or failed before anything was written.
	Unreachable error
}

// Count is the number of items with an outcome and, unless action is empty, that action.
func (r *Report) Count(o Outcome, a reconcile.Action) int {
	n := 0
	for i := range r.Items {
		if r.Items[i].Outcome == o && (a == "" || r.Items[i].Change.Action == a) {
			n++
		}
	}
	return n
}

// Clean says that everything planned was done.
func (r *Report) Clean() bool {
	return r.Stopped == nil && len(r.Problems) == 0 && r.Count(Applied, "") == len(r.Items)
}

// Apply carries out a plan: missing lists first, then creates and enables, adopts and updates,
// disables, deletes (gate G7), each change on its own and Job.Parallel at once. When ctx ends it
// starts nothing new, lets requests in flight finish and reports the rest as not attempted. Then
// what may have been stored although no answer said so is looked for, and at the end every touched row
// is read again (G8). recheck verifies first that the rows still are what the plan saw. Refused texts
// and, after a clean run, the last good run are remembered.
func (j *Job) Apply(ctx context.Context, p *Planned, recheck bool) (*Report, error) {
	a := &applying{job: j, plan: p, report: &Report{Items: make([]Item, len(p.Plan.Changes))}, did: make([]effect, len(p.Plan.Changes)), removals: map[string]bool{}, breaker: breaker{limit: j.Limits.Failures}}
	for i := range p.Plan.Changes {
		ch := &p.Plan.Changes[i]
		a.report.Items[i] = ItemOf(ch, NotAttempted, "")
		if ch.Action.Removal() {
			a.removals[ch.Kind.String()+ch.ID] = true
		}
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
		if n == 1 {
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
			if it := &a.report.Items[i]; it.Change.Kind == k && it.Outcome == NotAttempted {
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
		if it := &a.report.Items[i]; n > 0 && it.Change.Kind == k && it.Outcome == NotAttempted {
			a.conflict(i, fmt.Sprintf("the list was to be created and holds %s now", reconcile.Count(n, "rule")))
		}
	}
	return nil
}

func (a *applying) needs(k reconcile.Kind) bool {
	for i := range a.report.Items {
		if it := &a.report.Items[i]; it.Change.Kind == k && it.Outcome == NotAttempted {
			return true
		}
	}
	return false
}

func (a *applying) phase(ctx context.Context, actions []reconcile.Action) {
	var g errgroup.Group
	g.SetLimit(max(a.job.Parallel, 1))
	for i := range a.report.Items {
		it := &a.report.Items[i]
		if it.Outcome != NotAttempted || it.Change.Action != actions[0] && it.Change.Action != actions[len(actions)-1] {
			continue
		}
		if ctx.Err() != nil || a.breaker.open() {
			break
		}
		g.Go(func() error {
			defer crash.Exit()
			if ctx.Err() == nil && !a.breaker.open() {
				a.attempt(i)
			}
			return nil
		})
	}
	_ = g.Wait() // attempts report into their items
}

// attempt carries out one change and files the result.
func (a *applying) attempt(i int) {
	it := &a.report.Items[i]
	if u := a.barred(it.Change); u != nil {
		a.conflict(i, "it was unblocked since the plan was made ("+u.Words()+")")
		return
	}
	did, err := a.job.apply(a.requests, it.Change, a.plan.Lists[it.Change.Kind], a.leaving(it.Change.Kind))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done++
	if a.job.Progress != nil {
		a.job.Progress.Writing(a.done, len(a.report.Items))
	}
	a.did[i], it.Error = did, did.note
	if err == nil {
		a.breaker.success()
		a.succeed(i)
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
		a.refuse(it.Change, f)
	}
}

// succeed files a change that was made.
func (a *applying) succeed(i int) {
	it, did := &a.report.Items[i], a.did[i]
	it.Outcome, a.report.Wrote = Applied, true
	if !a.refusedStill(it.Change) {
		a.cleared = append(a.cleared, it.Change.Key)
	}
	if did.disabled { // the delete is not tried again, now that its row is out of force
		a.refused = append(a.refused, reconcile.Refusal{Key: it.Change.Key, Sent: reconcile.DeleteSent, Words: did.note, At: a.job.Now().Truncate(time.Second)})
	}
	if did.unmarked {
		a.stopped = append(a.stopped, it.Change.Key)
	}
}

// refusedStill says whether a change writes the owners alone, because the server has refused the content.
func (a *applying) refusedStill(ch *reconcile.Change) bool {
	return ch.Reason == reconcile.OwnersChanged && slices.ContainsFunc(a.plan.Plan.Held, func(h reconcile.Held) bool {
		return h.Reason == reconcile.Refused && h.ID == ch.ID
	})
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
	if !a.report.Wrote && a.breaker.last != nil {
		a.report.Unreachable = a.breaker.last
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
