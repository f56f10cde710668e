package impact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// Options say what is asked.
type Options struct {
	Days   int                     // to look back
	Budget int                     // requests of one plan
	Limit  int                     // percent of the endpoints above which a value is felt too much
	Names  bool                    // host names may be told
	Host   func(url string) string // that a URL names, "" for none
	Retry  remote.Retry
	Now    func() time.Time // nil is the clock
	Log    *slog.Logger
}

// Asker asks about the values of plans. It remembers answers for a day, for a tail whose plans are many. It is not
// safe for concurrent use: the analysts share what it asks, so it asks one thing at a time.
type Asker struct {
	t     Telemetry
	o     Options
	fleet *fleet
	known map[reconcile.Value]told
	rests time.Time // until when a manager is left alone that failed, or does not let us read
	why   string    // which of these
}

// told is an answer that was given before.
type told struct {
	at time.Time
	reconcile.Impact
}

const (
	believed   = 24 * time.Hour // how long controls and answers hold
	mostKnown  = 10_000         // answers that are remembered
	patience   = 30 * time.Second
	slow       = 5 * time.Second // an answer that takes longer counts as a failure
	mostFailed = 3               // in a row
	rest       = 10 * time.Minute
)

// New makes an Asker.
func New(t Telemetry, o Options) *Asker {
	o.Retry = o.Retry.Filled()
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Asker{t: t, o: o, known: map[reconcile.Value]told{}}
}

// asking is one call of Ask.
type asking struct {
	*Asker
	changes    reconcile.Changes
	left       int // changes that were not asked about
	now, since time.Time
	controls   Controls
	checked    [streams]streamCheck
	spent      int
	failed     int    // requests in a row
	over       string // why nothing more is asked
	waiting    map[place][]question
	order      []place // of waiting, as they came
	answered   []*result
}

// errOver says that nothing more is asked, for the reason in over.
var errOver = errors.New("nothing more is asked")

// Ask sets the Impact of the changes at some places, in the order in which they are to be asked about. c are the controls
// of earlier plans; those to be remembered are given back. An error is an interruption: what telemetry refuses, fails
// to answer or cannot tell stands in the impacts and in the estimate.
func (a *Asker) Ask(ctx context.Context, changes reconcile.Changes, places []int, c Controls) (*reconcile.Estimate, Controls, error) {
	now := a.o.Now().UTC()
	q := &asking{Asker: a, changes: changes, now: now, since: now.AddDate(0, 0, -a.o.Days).Truncate(time.Second), controls: c.at(now, a.o.Days), waiting: map[place][]question{}}
	e := &reconcile.Estimate{Days: a.o.Days, Budget: a.o.Budget, Notes: []string{}}
	if len(places) == 0 {
		return e, c, nil
	}
	rests := now.Before(a.rests)
	if rests {
		q.over = a.why
	}
	if a.fleet == nil || now.Sub(a.fleet.at) > believed {
		f, err := q.readFleet(ctx)
		if err != nil {
			return nil, c, err
		}
		a.fleet = f
	}
	reached, err := q.all(ctx, places)
	if err != nil {
		return nil, c, err
	}
	for _, r := range q.answered {
		q.finish(r)
	}
	for _, at := range places[reached:] { // a first load has many
		if r := q.result(at, changes.At(at)); r.own != "" {
			q.finish(r) // what it takes is known already
			continue
		}
		changes.Unasked(at, q.over)
		q.left++
	}
	e.Asked, e.NotAsked = len(places)-q.left, q.left
	e.Endpoints, e.Requests = a.fleet.active, q.spent
	e.Notes = append(append(e.Notes, a.fleet.notes...), uncovered)
	if q.over != "" && !rests {
		a.o.Log.Warn("the impact of this plan is not known as a whole: "+q.over, "asked", e.Asked, "not asked", e.NotAsked)
	}
	if q.over != "" {
		e.Notes = append([]string{q.over}, e.Notes...)
	}
	return e, q.controls, nil
}

// uncovered is what no answer covers (contract harfanglab-telemetry 5).
const uncovered = "not counted: libraries, scripts and files that were written and never started, sub-domains, and what endpoints saw that do not send it"

// all asks about one change after the other, and gives how many it reached. Values of one place wait for each other, so
// that one request asks about many, until the budget has no more for them.
func (a *asking) all(ctx context.Context, places []int) (reached int, err error) {
	for n, at := range places {
		if a.over != "" {
			return n, nil
		}
		r := a.result(at, a.changes.At(at))
		if t, known := a.known[r.of]; known && a.now.Sub(t.at) < believed {
			a.tell(at, &t.Impact)
			continue
		}
		if len(r.places) == 0 { // there is nothing to ask
			a.finish(r)
			continue
		}
		a.answered = append(a.answered, r)
		for i, p := range r.places {
			if len(a.waiting[p]) == 0 {
				a.order = append(a.order, p)
			}
			a.waiting[p] = append(a.waiting[p], question{r, i})
			if a.full(p) {
				if err := a.flush(ctx, p); err != nil {
					return n, err
				}
			}
		}
		if a.o.Budget-a.spent <= len(a.order) {
			if err := a.flushAll(ctx); err != nil {
				return n, err
			}
		}
	}
	return len(places), a.flushAll(ctx)
}

// tell sets the impact of a change.
func (a *asking) tell(at int, im *reconcile.Impact) {
	ch := a.changes.At(at)
	ch.Impact = im
	a.changes.Set(at, ch)
	if im.Status == reconcile.ImpactNotAsked {
		a.left++
	}
}

func (a *asking) flushAll(ctx context.Context) error {
	for len(a.order) > 0 {
		if err := a.flush(ctx, a.order[0]); err != nil {
			return err
		}
	}
	return nil
}

// How many values one request asks about, and how long they are together: they stand in its address.
const (
	mostValues     = 50
	mostValueBytes = 4000
)

// full says whether the values of a place are enough for a request.
func (a *asking) full(p place) bool {
	n := 0
	for _, q := range a.waiting[p] {
		n += len(q.r.value) + 3
	}
	return len(a.waiting[p]) == mostValues || n > mostValueBytes-300
}

// flush asks about the values that wait at a place. An error is an interruption.
func (a *asking) flush(ctx context.Context, p place) error {
	items := a.waiting[p]
	delete(a.waiting, p)
	a.order = slices.DeleteFunc(a.order, func(o place) bool { return o == p })
	bad, err := a.check(ctx, p)
	if err != nil {
		return interruption(err)
	}
	if bad != nil {
		for _, q := range items {
			*q.answer() = answer{done: true, status: bad.status, why: bad.why}
		}
		return nil
	}
	if a.controls.Streams[p.Stream].Filters[p.Field].Lists {
		err = a.list(ctx, p, items)
	} else {
		err = a.each(ctx, p, items)
	}
	return interruption(err)
}

// interruption is an error that ends the asking; to have no more to spend, or nobody to ask, does not.
func interruption(err error) error {
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

func (a *asking) each(ctx context.Context, p place, items []question) error {
	for _, q := range items {
		if err := a.alone(ctx, p, q); err != nil {
			return err
		}
	}
	return nil
}

// list asks about several values at once. A page that shows every row tells of all of them; otherwise those that it
// shows are asked about alone, and the rest again.
func (a *asking) list(ctx context.Context, p place, items []question) error {
	for len(items) > 1 {
		values := make([]string, len(items))
		for i, q := range items {
			values[i] = q.r.value
		}
		page, err := a.rows(ctx, Query{Stream: p.Stream, Field: p.Field, Values: values, Since: a.since, Limit: pageRows})
		switch {
		case errors.Is(err, errOver) || ctx.Err() != nil:
			return err
		case err != nil && reconcile.FaultOf(err).Verdict: // too long, perhaps
			return a.halves(ctx, p, items)
		case err != nil:
			for _, q := range items {
				*q.answer() = unanswered(err)
			}
			return nil
		}
		var shown, rest []question
		for _, q := range items {
			if slices.ContainsFunc(page.Rows, func(r Row) bool { return p.matches(&r, q.r.value) }) {
				shown = append(shown, q)
			} else {
				rest = append(rest, q)
			}
		}
		switch {
		case page.whole():
			for _, q := range items {
				t := tally{}
				t.add(p, q.r.value, page.Rows)
				*q.answer() = t.exactly()
			}
			return nil
		case len(shown) == 0:
			return a.halves(ctx, p, items)
		}
		if err := a.each(ctx, p, shown); err != nil {
			return err
		}
		items = rest
	}
	return a.each(ctx, p, items)
}

func (a *asking) halves(ctx context.Context, p place, items []question) error {
	half := len(items) / 2
	return cmp.Or(a.list(ctx, p, items[:half]), a.list(ctx, p, items[half:]))
}

// rows asks for one page. An account that may not read telemetry ends the estimate.
func (a *asking) rows(ctx context.Context, q Query) (page Page, err error) {
	err = a.request(ctx, func(ctx context.Context) (err error) {
		page, err = a.t.Telemetry(ctx, q)
		return err
	})
	if reconcile.FaultOf(err).Account {
		a.end("HarfangLab does not let this account read telemetry, which is a right of its own: " + words(err))
		return page, errOver
	}
	return page, err
}

// request makes a request, and once more if it fails for a reason that may pass. Both count.
func (a *asking) request(ctx context.Context, send func(context.Context) error) error {
	for again := false; ; again = true {
		if a.over == "" && a.spent >= a.o.Budget {
			a.over = fmt.Sprintf("the budget of %d requests is spent (sync.impact_budget)", a.o.Budget)
		}
		if a.over != "" {
			return errOver
		}
		a.spent++
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, patience)
		err := send(limited)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		late := time.Since(began) > slow
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("HarfangLab did not answer within %s: %w", patience, err)
		}
		switch {
		case err == nil && !late || final(err):
			a.failed = 0
			return err
		case err != nil && !again && !late:
			if err := a.o.Retry.Sleep(ctx, a.o.Retry.Backoff(0)); err != nil {
				return err
			}
			continue
		}
		if a.failed++; a.failed == mostFailed {
			a.end(fmt.Sprintf("HarfangLab failed to answer, or took more than %s, %d times in a row", slow, mostFailed))
		}
		return err
	}
}

// end ends the asking, of later plans too for a while: a tail must not wait for it with every event.
func (a *asking) end(why string) {
	a.over, a.Asker.why, a.rests = why, why, a.now.Add(rest)
}

// final says whether an error would be the same another time.
func final(err error) bool {
	f := reconcile.FaultOf(err)
	return f.Account || f.Verdict || f.Missing
}

// words is what an error says, short.
func words(err error) string { return remote.OneLine(err.Error(), 200) }
