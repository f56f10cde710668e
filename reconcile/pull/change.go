package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// updateAll brings incidents up to date whose triage moved on, and the sightings that hang on them: a
// sighting is negative while all alerts of its indicator on its endpoint were taken for mistakes.
func (p *pull) updateAll(ctx context.Context, entries []*entry) error {
	parts, err := p.parts(ctx, entries, p.ownedBy, func(e *entry) ([]alert.Object, error) {
		objects, err := p.Importer.Alert(&e.a, nil, alert.Known{Name: e.stored.Name})
		return objects[:min(1, len(objects))], err // the incident alone; the rest does not change
	})
	if err != nil {
		return err
	}
	return p.sendAll(ctx, parts, Updated, p.turned)
}

// ownedBy gives imported alerts the owners that OpenCTI knows of.
func (p *pull) ownedBy(ctx context.Context, entries []*entry) error {
	internal := make([]string, len(entries))
	for i, e := range entries {
		internal[i] = e.stored.IDs[0]
	}
	owners, err := p.Knowledge.IndicatorsOf(ctx, internal)
	if err != nil {
		return err
	}
	named := make([][]string, len(entries))
	for i := range entries {
		named[i] = owners[internal[i]]
	}
	return p.name(ctx, entries, named)
}

// turned are the sightings whose sign is another now.
func (p *pull) turned(ctx context.Context, entries []*entry) ([]*sighting, error) {
	g, err := p.group(ctx, entries)
	if err != nil {
		return nil, err
	}
	var out []*sighting
	for _, at := range g.pairs {
		moved, ref, have := g.entries[at], g.refs[at.indicator], g.stored(p.Importer, at)
		if have == nil { // an earlier import lost it
			for _, e := range moved {
				e.again = true
			}
			s, err := p.sighting(ctx, at, ref, moved, nil)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
			continue
		}
		negative := allNegative(moved)
		if negative {
			others, err := p.others(ctx, at, moved)
			if err != nil {
				return nil, err
			}
			negative = !slices.Contains(others, false)
		}
		if negative == have.Negative {
			continue
		}
		s := &sighting{pair: at, ref: ref, id: sightingID(have, ""), count: have.Count, increment: have.Count, first: have.First, last: have.Last, negative: negative}
		if s.first.IsZero() || s.last.IsZero() || s.id == "" {
			s.first, s.last, s.id = seenAt(&moved[0].a), seenAt(&moved[0].a), p.Importer.SightingID(s.ref, at.endpoint)
		}
		out = append(out, s)
	}
	return out, nil
}

// settlePending looks after the bundle that an earlier run handed over and did not see imported.
func (p *pull) settlePending(ctx context.Context) error {
	pending := p.Keeper.Document().Pull.Pending
	if pending == nil || p.Show != nil {
		return nil
	}
	was := p.patience
	defer func() { p.patience = was }()
	if pending.Doubted && p.untaken(ctx, pending.Work) {
		p.patience = min(p.patience, mostDoubted)
	}
	p.Log.Info("an earlier run handed over a bundle, which is waited for first", "alerts", len(pending.Alerts))
	err := p.settle(ctx, pending)
	if err == nil {
		return p.save(ctx, func(d *state.Pull) {
			d.Pending = nil
			p.lack(d, pending.Threats)
		})
	}
	_, refused := errors.AsType[*importError](err)
	age := p.Clock().Sub(pending.At)
	if !refused && (age < p.patience || reconcile.FaultOf(err).Side && (age < mostUnknown || !p.alone(ctx, settling, err))) {
		for _, a := range pending.Alerts {
			p.report.Items = append(p.report.Items, Item{Kind: "alert", ID: a.ID, Time: a.At, Result: Waiting, Error: err.Error()})
		}
		return err
	}
	if ctx.Err() != nil {
		return err
	}
	p.Log.Warn("a bundle of an earlier run did not get through whole, so its alerts go again, one by one", "alerts", len(pending.Alerts), "error", err)
	return p.oneByOne(ctx, pending.Alerts)
}

// untaken says that nothing is known of a work but that it was opened, as if its bundle had never come.
func (p *pull) untaken(ctx context.Context, work string) bool {
	if work == "" {
		return false
	}
	w, err := p.Knowledge.Work(ctx, work)
	return err == nil && w != nil && w.Expected+w.Processed == 0
}

// handed are the objects of the alerts that a bundle was made of, as far as they can be told again.
func (p *pull) handed(ctx context.Context, pending *state.Pending) (*bundle, error) {
	b := &bundle{}
	for _, f := range pending.Alerts {
		a, err := p.Alerts.Alert(ctx, f.ID)
		switch {
		case err != nil && (ctx.Err() != nil || reconcile.FaultOf(err).Side && !p.alone(ctx, fetching, err)):
			return nil, err
		case err != nil:
			p.Log.Warn("an alert that was handed over cannot be read, so it is not known whether it came in", "alert", f.ID, "error", err)
		case a != nil:
			objects, err := p.Importer.Alert(a, nil, alert.Known{})
			if err == nil {
				b.must, b.objects = append(b.must, due{id: p.Importer.IncidentID(a)}), append(b.objects, objects...)
			}
		}
	}
	return b, nil
}

func (p *pull) settle(ctx context.Context, pending *state.Pending) error {
	b, err := p.handed(ctx, pending)
	if err != nil {
		return err
	}
	if err := p.withdraw(ctx, pending); err != nil {
		return err
	}
	if err := p.await(ctx, pending.At, pending.Work, b.must); err != nil {
		return err
	}
	stripped, err := p.strippedOf(ctx, b, pending.Work != "")
	if len(stripped) > 0 {
		return &importError{"OpenCTI lost the marking or the author of " + strings.Join(stripped, ", ")}
	}
	if err != nil {
		return p.interrupted(ctx, err)
	}
	ids := make([]string, len(pending.Totals))
	for i, t := range pending.Totals {
		ids[i] = t.Indicator
	}
	stored, err := p.stored(ctx, ids)
	if err != nil && p.alone(ctx, counting, err) {
		return &importError{err.Error()}
	}
	if err != nil {
		return err
	}
	now, err := p.called(ctx, ids)
	if err != nil && p.alone(ctx, counting, err) {
		return &importError{err.Error()}
	}
	if err != nil {
		return err
	}
	var sights []*sighting
	for _, t := range pending.Totals {
		at := pair{t.Indicator, t.Endpoint}
		ref := now[t.Indicator].standard
		have := stored.of(p.Importer, at, ref)
		switch {
		case ref == "":
			continue // the indicator is gone, and its sightings with it
		case have == nil:
			return &importError{fmt.Sprintf("the sighting of %s is not there", ref)}
		}
		sights = append(sights, &sighting{pair: at, ref: ref, id: sightingID(have, ""), count: t.Count, increment: t.Count, first: have.First, last: have.Last, negative: t.Negative})
	}
	return p.verify(ctx, sights, pending.Work != "")
}
