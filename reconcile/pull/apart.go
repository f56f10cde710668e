package pull

import (
	"context"

	"harfangsync/reconcile"
)

// mostAlone is how many in a row may fail by themselves at one step until it is their platform that does.
const mostAlone = 10

// step is where a request about one alert or one threat may fail.
type step uint8

const (
	fetching    step = iota // the alert
	attributing             // it to the indicators whose rule fired
	counting                // it in a sighting
	following               // a threat
	steps
)

// alone says whether a failed request is to blame on what it was about, which another run may do better, and for which
// nothing else has to wait. Otherwise its platform failed: it refuses the account, or answers nothing else either.
func (p *pull) alone(ctx context.Context, at step, err error) bool {
	f := reconcile.FaultOf(err)
	if ctx.Err() != nil || f.Account || !f.Side && !f.Verdict || p.lone[at] >= mostAlone {
		return false
	}
	if _, err := p.Alerts.FindList(ctx, reconcile.IOC, p.List); err != nil {
		return false
	}
	_, err = p.Knowledge.Incidents(ctx, []string{p.Importer.Author().ID})
	return err == nil
}

// apart looks things up for alerts together and does then what follows; where that look-up fails, for each by itself.
// An alert that fails by itself is filed.
func apart[T interface{ self() *entry }](ctx context.Context, p *pull, at step, all []T, look func(context.Context, []T) (then func() error, err error)) error {
	then, err := look(ctx, all)
	switch {
	case err == nil:
		p.lone[at] = 0
		return then()
	case !p.alone(ctx, at, err):
		return err
	case len(all) == 1:
		e := all[0].self()
		p.lone[at]++
		p.fail(e.item(), e.a.Time, err)
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
