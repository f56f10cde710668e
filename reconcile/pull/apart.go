package pull

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
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
	found, bad = map[string]*Stored{}, map[string]bool{}
	err = remote.Apart(ids, func(ids []string) error {
		some, err := there(ctx, ask, ids)
		if err == nil && len(ids) > 0 {
			p.streak[at] = nil
		}
		maps.Copy(found, some)
		return err
	}, p.blames(ctx, at), func(id string, err error) error {
		file(id, err)
		bad[id] = true
		return nil
	})
	return found, bad, err
}

// blames is alone as remote.Apart asks it.
func (p *pull) blames(ctx context.Context, at step) func(error) bool {
	return func(err error) bool { return p.alone(ctx, at, err) }
}

// apart looks things up for alerts together, or where that fails in parts, and does then what follows. An alert whose look-up
// fails by itself is filed.
func apart[T interface{ self() *entry }](ctx context.Context, p *pull, at step, all []T, look func(context.Context, []T) (then func() error, err error)) error {
	var failed error // what follows
	blames := p.blames(ctx, at)
	return remote.Apart(all, func(some []T) error {
		then, err := look(ctx, some)
		if err != nil {
			return err
		}
		p.streak[at] = nil
		failed = then()
		return failed
	}, func(err error) bool { return failed == nil && blames(err) }, func(one T, err error) error {
		e := one.self()
		p.failAlone(at, e.item(), e.a.Time, err)
		return nil
	})
}
