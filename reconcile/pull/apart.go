package pull

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// step is where a request about one alert or one threat may fail.
type step uint8

const (
	finding     step = iota // its incident or its case
	fetching                // the alert
	attributing             // it to the indicators whose rule fired
	counting                // it in a sighting
	sending                 // it
	settling                // what became of it
	following               // a threat
	steps
)

// most is how many in a row may fail by themselves at a step until it is their platform that does. Of a push that
// fails nothing may be heard for long.
func (s step) most() int {
	if s == sending {
		return 3
	}
	return 10
}

// alone says whether a failed request is to blame on what it was about, which another run may do better, and for which
// nothing else has to wait. Otherwise its platform failed: it refuses the account, or answers nothing else either. What
// failed just before was then no more to blame.
func (p *pull) alone(ctx context.Context, at step, err error) bool {
	f := reconcile.FaultOf(err)
	if ctx.Err() == nil && !f.Account && (f.Side || f.Verdict) && len(p.streak[at]) < at.most() && p.answers(ctx) {
		return true
	}
	p.excuse(at)
	return false
}

// excuse takes back that what failed last at a step was tried.
func (p *pull) excuse(at step) {
	for _, key := range p.streak[at] {
		if f, counted := p.failed[key]; counted && p.filed[key] {
			f.Tries--
			p.failed[key], p.filed[key] = f, false
		}
	}
	p.streak[at] = nil
}

// answers says whether both platforms answer at all.
func (p *pull) answers(ctx context.Context) bool {
	if _, err := p.Alerts.FindList(ctx, reconcile.IOC, p.List); err != nil {
		return false
	}
	_, err := p.Knowledge.Incidents(ctx, []string{p.Importer.Author().ID})
	return err == nil
}

// failAlone files an alert or a threat that fails by itself.
func (p *pull) failAlone(at step, it Item, when time.Time, err error) {
	p.streak[at] = append(p.streak[at], failedKey(it.Kind == "threat", it.ID))
	p.fail(it, when, err)
}

// unsent says whether a bundle could not be handed over while all else is answered, so that it may be what it says. The
// first time the next run tries each part of it alone; of one that fails again, and may have been taken all the same,
// nothing else depends: the next attempt counts what is there.
func (p *pull) unsent(ctx context.Context, err error) bool {
	_, pushed := errors.AsType[*pushError](err)
	return pushed && p.alone(ctx, sending, err)
}

// noPush is the error of a pull in which no push succeeded: then what failed at it is no more to blame than the platform.
func (p *pull) noPush() error {
	if p.pushed || p.unpushed == nil {
		return nil
	}
	p.excuse(sending)
	return p.unpushed
}

// asked is what OpenCTI has of some ids, by each of its own. Those whose look-up fails by itself are filed, and are in
// bad; no other waits for them.
func (p *pull) asked(ctx context.Context, at step, ask func(context.Context, []string) ([]Stored, error), ids []string, file func(id string, err error)) (found map[string]*Stored, bad map[string]bool, err error) {
	found, err = there(ctx, ask, ids)
	switch {
	case err == nil:
		if len(ids) > 0 {
			p.streak[at] = nil
		}
		return found, nil, nil
	case !p.alone(ctx, at, err):
		return nil, nil, err
	case len(ids) == 1:
		file(ids[0], err)
		return nil, map[string]bool{ids[0]: true}, nil
	}
	p.Log.Warn("something cannot be looked up, so it is asked for in parts", "objects", len(ids), "error", err)
	found, bad = map[string]*Stored{}, map[string]bool{}
	for _, half := range [][]string{ids[:len(ids)/2], ids[len(ids)/2:]} {
		some, none, err := p.asked(ctx, at, ask, half, file)
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(found, some)
		maps.Copy(bad, none)
	}
	return found, bad, nil
}

// apart looks things up for alerts together and does then what follows; where that look-up fails, for each by itself.
// An alert that fails by itself is filed.
func apart[T interface{ self() *entry }](ctx context.Context, p *pull, at step, all []T, look func(context.Context, []T) (then func() error, err error)) error {
	then, err := look(ctx, all)
	switch {
	case err == nil:
		p.streak[at] = nil
		return then()
	case !p.alone(ctx, at, err):
		return err
	case len(all) == 1:
		e := all[0].self()
		p.failAlone(at, e.item(), e.a.Time, err)
		return nil
	}
	p.Log.Warn("something cannot be looked up, so the alerts go one by one", "alerts", len(all), "error", err)
	for i := range all {
		if err := apart(ctx, p, at, all[i:i+1], look); err != nil {
			return err
		}
	}
	return nil
}
