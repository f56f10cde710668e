package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/alert"
	"harfangsync/reconcile/state"
)

// importAll imports alerts: together, as far as they fit one bundle, and each alone if that fails.
func (p *pull) importAll(ctx context.Context, entries []*entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := p.attribute(ctx, entries); err != nil {
		return err
	}
	if err := p.techniques(ctx, entries); err != nil {
		return err
	}
	var parts []part
	for _, e := range entries {
		objects, err := p.Importer.Alert(&e.a, standardIDs(e.owners), p.has)
		if err != nil {
			p.fail(e.item(), e.a.Time, err)
			continue
		}
		parts = append(parts, part{e, objects})
	}
	for len(parts) > 0 {
		n := fit(parts)
		if err := p.importParts(ctx, parts[:n]); err != nil {
			return err
		}
		parts = parts[n:]
	}
	return nil
}

// part is what one alert adds to a bundle.
type part struct {
	*entry
	objects []alert.Object
}

// fit is how many parts go into one bundle, at least one.
func fit(parts []part) int {
	objects, bytes, sights := 1, 0, 0
	for i := range parts {
		objects += len(parts[i].objects) + len(parts[i].owners)
		sights += len(parts[i].owners)
		for _, o := range parts[i].objects {
			bytes += len(o.JSON)
		}
		if i > 0 && (objects > mostObjects || bytes > mostBytes || sights > mostSights || parts[i].single || parts[0].single) {
			return i
		}
	}
	return len(parts)
}

// importParts sends one bundle of alerts. If OpenCTI does not take all of it, each alert is tried alone.
func (p *pull) importParts(ctx context.Context, parts []part) error {
	entries := make([]*entry, len(parts))
	var objects []alert.Object
	for i := range parts {
		entries[i] = parts[i].entry
		objects = append(objects, parts[i].objects...)
	}
	sights, err := p.sightings(ctx, entries)
	if err != nil {
		return err
	}
	err = p.deliver(ctx, objects, sights, entries)
	if err == nil {
		p.accept(entries, Imported)
		p.report.Sightings += len(sights)
		return nil
	}
	refused, ok := errors.AsType[*importError](err)
	if !ok {
		return p.undecided(entries, err)
	}
	if len(parts) == 1 {
		e := entries[0]
		p.fail(e.item(), e.a.Time, refused)
		return p.save(ctx, func(d *state.Pull) { d.Pending = nil })
	}
	if err := p.isolate(ctx, entries, refused); err != nil {
		return err
	}
	for i := range parts {
		parts[i].again = true
		if err := p.importParts(ctx, parts[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// accept files alerts that OpenCTI has taken.
func (p *pull) accept(entries []*entry, result Result) {
	for _, e := range entries {
		delete(p.failed, e.a.ID)
		it := e.item()
		it.Result = result
		p.report.Items = append(p.report.Items, it)
	}
}

// isolate remembers alerts whose bundle failed before each goes alone: a part of each may be there
// already, which a crash must not make look like all of it.
func (p *pull) isolate(ctx context.Context, entries []*entry, why error) error {
	p.Log.Warn("OpenCTI did not take a bundle whole, so its alerts go one by one", "alerts", len(entries), "error", why)
	for _, e := range entries {
		if _, before := p.failed[e.a.ID]; !before {
			p.failed[e.a.ID] = state.Failed{ID: e.a.ID, At: e.a.Time}
		}
	}
	return p.save(ctx, func(d *state.Pull) {
		d.Pending = nil
		for _, e := range entries {
			if f := p.failed[e.a.ID]; !slices.ContainsFunc(d.Failed, func(o state.Failed) bool { return o.ID == f.ID }) {
				d.Failed = append(d.Failed, f)
			}
		}
	})
}

// undecided files alerts whose bundle was handed over and is not through, or was not handed over.
func (p *pull) undecided(entries []*entry, err error) error {
	result := NotAttempted
	if errors.Is(err, ErrPending) {
		result = Waiting
	}
	for _, e := range entries {
		it := e.item()
		it.Result, it.Error = result, err.Error()
		p.report.Items = append(p.report.Items, it)
	}
	return err
}

// importError says that OpenCTI took a bundle only in part, or not at all.
type importError struct{ words string }

func (e *importError) Error() string { return e.words }

// ErrPending says that a bundle is in OpenCTI's queue and not imported yet. It is no failure: the next
// run looks after it first.
var ErrPending = errors.New("handed over to OpenCTI, which has not imported it yet; the next run waits for it")

// deliver hands a bundle over and waits until OpenCTI has all of it, with the sightings' totals as they
// are to be.
func (p *pull) deliver(ctx context.Context, objects []alert.Object, sights []*sighting, entries []*entry) error {
	all := append([]alert.Object{p.Importer.Author()}, objects...)
	for _, s := range sights {
		all = append(all, s.object(p.Importer, s.increment))
	}
	bundle, err := p.Importer.Bundle(all)
	if err != nil {
		return &importError{err.Error()}
	}
	if p.Show != nil {
		return p.Show(bundle)
	}
	pending := &state.Pending{At: p.Clock().Truncate(time.Second)}
	for _, e := range entries {
		pending.Alerts = append(pending.Alerts, state.Failed{ID: e.a.ID, At: e.a.Time})
	}
	for _, s := range sights {
		pending.Totals = append(pending.Totals, s.total())
	}
	if err := p.push(ctx, bundle, pending, dueOf(entries)); err != nil {
		return err
	}
	if err := p.verify(ctx, sights, pending.Work != ""); err != nil {
		return err
	}
	return p.save(ctx, func(d *state.Pull) { d.Pending = nil })
}

// due is an incident that has to be there, and the status that it has to show; "" is any.
type due struct {
	incident string
	status   alert.Status
}

func dueOf(entries []*entry) []due {
	out := make([]due, len(entries))
	for i, e := range entries {
		out[i] = due{e.incident, e.a.Status}
	}
	return out
}

// push hands a bundle over and waits for its work. What is pending is remembered before, so that a
// crash at any moment leaves no bundle that nobody looks after.
func (p *pull) push(ctx context.Context, bundle string, pending *state.Pending, must []due) error {
	work, err := p.Knowledge.AddWork(ctx, fmt.Sprintf("HarfangLab, %d alerts", max(len(pending.Alerts), 1)))
	if err != nil {
		return p.side(err)
	}
	pending.Work = work
	if err := p.save(ctx, func(d *state.Pull) { d.Pending = pending }); err != nil {
		return err
	}
	if err := p.Knowledge.Push(ctx, bundle, work); err != nil {
		if reconcile.FaultOf(err).Unsure {
			p.report.Wrote = true
			return fmt.Errorf("%w (%w)", ErrPending, err)
		}
		_ = p.save(ctx, func(d *state.Pull) { d.Pending = nil })
		p.drop(ctx, work)
		return p.side(err)
	}
	p.report.Wrote = true
	return p.await(ctx, p.Clock(), work, must)
}

// drop ends a work whose bundle was not handed over.
func (p *pull) drop(ctx context.Context, work string) {
	if work != "" {
		_ = p.Knowledge.CloseWork(context.WithoutCancel(ctx), work, "the bundle was not handed over")
	}
}

// side is a failure of the platform as it is, and a verdict on the bundle as an importError.
func (p *pull) side(err error) error {
	if f := reconcile.FaultOf(err); f.Verdict {
		return &importError{err.Error()}
	}
	return err
}

func standardIDs(owners []owner) []string {
	ids := make([]string, len(owners))
	for i, o := range owners {
		ids[i] = o.standard
	}
	return ids
}

// techniques finds out which attack patterns the platform has: those are not sent, because an import
// would rename them.
func (p *pull) techniques(ctx context.Context, entries []*entry) error {
	var ids []string
	for _, e := range entries {
		for _, id := range p.Importer.TechniqueIDs(&e.a) {
			if _, asked := p.known[id]; !asked && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := p.Knowledge.Techniques(ctx, ids)
	if err != nil {
		return err
	}
	there := byID(found)
	for _, id := range ids {
		p.known[id] = there[id] != nil
	}
	return nil
}

func (p *pull) has(technique string) bool { return p.known[technique] }
