package pull

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// importAll imports alerts: together, as far as they fit one bundle, and each alone if that fails.
func (p *pull) importAll(ctx context.Context, entries []*entry) error {
	var known alert.Known
	look := func(ctx context.Context, entries []*entry) (err error) {
		if err = p.attribute(ctx, entries); err != nil {
			return err
		}
		if err = p.named(ctx, entries); err != nil {
			return err
		}
		alerts := make([]*alert.Alert, len(entries))
		for i, e := range entries {
			alerts[i] = &e.a
		}
		known, err = p.knows(ctx, alerts)
		return err
	}
	write := func(e *entry) ([]alert.Object, error) {
		known.Name = e.name
		return p.Importer.Alert(&e.a, e.item().Indicators, known)
	}
	parts, err := p.parts(ctx, entries, look, write)
	if err != nil {
		return err
	}
	return p.sendAll(ctx, parts, Imported, p.sightings)
}

// parts are what alerts add to bundles, once what they need is looked up.
func (p *pull) parts(ctx context.Context, entries []*entry, look func(context.Context, []*entry) error, write func(*entry) ([]alert.Object, error)) (parts []part, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	err = apart(ctx, p, attributing, entries, func(ctx context.Context, entries []*entry) (func() error, error) {
		return func() error {
			for _, e := range entries {
				objects, err := write(e)
				if err != nil {
					p.fail(e.item(), e.a.Time, err)
					continue
				}
				parts = append(parts, part{e, objects})
			}
			return nil
		}, look(ctx, entries)
	})
	return parts, err
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
		if i > 0 && (i == mostAlerts || objects > mostObjects || bytes > mostBytes || sights > mostSights || parts[i].single || parts[0].single) {
			return i
		}
	}
	return len(parts)
}

// sighter gives the sightings that go with some alerts.
type sighter func(ctx context.Context, entries []*entry) ([]*sighting, error)

// sendAll sends alerts, as many in one bundle as fit.
func (p *pull) sendAll(ctx context.Context, parts []part, result Result, sighted sighter) error {
	for len(parts) > 0 {
		n := fit(parts)
		if err := p.sendParts(ctx, parts[:n], result, sighted); err != nil {
			return err
		}
		parts = parts[n:]
	}
	return nil
}

// sendParts sends one bundle of alerts. If OpenCTI does not take all of it, each alert is tried alone.
func (p *pull) sendParts(ctx context.Context, parts []part, result Result, sighted sighter) error {
	return apart(ctx, p, counting, parts, func(ctx context.Context, parts []part) (func() error, error) {
		entries := make([]*entry, len(parts))
		var objects []alert.Object
		for i := range parts {
			entries[i] = parts[i].entry
			objects = append(objects, parts[i].objects...)
		}
		sights, err := sighted(ctx, entries)
		return func() error {
			err := p.send(ctx, objects, sights, entries)
			if err == nil {
				p.streak[sending] = nil
				p.accept(entries, result)
				p.report.Sightings += len(sights)
				return nil
			}
			refused, ok := errors.AsType[*importError](err)
			if !ok && p.unsent(ctx, err) {
				if len(entries) > 1 || !entries[0].again && !entries[0].single {
					p.suspect(entries)
					return p.undecided(entries, err)
				}
				p.streak[sending], p.unpushed = append(p.streak[sending], entries[0].a.ID), cmp.Or(p.unpushed, err)
				refused, ok = &importError{err.Error()}, true
			}
			if !ok {
				return p.undecided(entries, err)
			}
			if len(entries) == 1 {
				e := entries[0]
				p.fail(e.item(), e.a.Time, refused)
				return p.save(ctx, func(d *state.Pull) { d.Pending = nil })
			}
			if err := p.isolate(ctx, entries, refused); err != nil {
				return err
			}
			for i := range parts {
				parts[i].again = true
				if err := p.sendParts(ctx, parts[i:i+1], result, sighted); err != nil {
					return err
				}
			}
			return nil
		}, err
	})
}

// send delivers alerts with their sightings, and sees to it that these say what they are to say.
func (p *pull) send(ctx context.Context, objects []alert.Object, sights []*sighting, entries []*entry) error {
	b := &bundle{name: "HarfangLab, " + reconcile.Count(len(entries), "alert"), objects: objects, pending: &state.Pending{At: p.Clock().Truncate(time.Second)}}
	for _, e := range entries {
		b.must = append(b.must, due{id: e.incident, status: e.a.Status})
		b.pending.Alerts = append(b.pending.Alerts, state.Failed{ID: e.a.ID, At: e.a.Time})
		if e.late && !slices.Contains(b.pending.Threats, e.a.ThreatKey) {
			b.pending.Threats = append(b.pending.Threats, e.a.ThreatKey)
		}
	}
	for _, s := range sights {
		b.objects = append(b.objects, s.object(p.Importer, s.increment))
		b.pending.Totals = append(b.pending.Totals, s.total())
	}
	if err := p.deliver(ctx, b); err != nil || p.Show != nil {
		return err
	}
	if err := p.verify(ctx, sights, b.pending.Work != ""); err != nil {
		return err
	}
	return p.save(ctx, func(d *state.Pull) {
		d.Pending = nil
		p.lack(d, b.pending.Threats)
	})
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
	return p.oneByOne(ctx, p.suspect(entries))
}

// suspect remembers alerts that are to be tried one by one.
func (p *pull) suspect(entries []*entry) (apart []state.Failed) {
	for _, e := range entries {
		f, before := p.failed[e.a.ID]
		if !before {
			f = state.Failed{ID: e.a.ID, At: e.a.Time}
			p.failed[e.a.ID] = f
		}
		apart = append(apart, f)
	}
	return apart
}

// oneByOne remembers that alerts of a pending bundle go each alone.
func (p *pull) oneByOne(ctx context.Context, alerts []state.Failed) error {
	return p.save(ctx, func(d *state.Pull) {
		d.Pending = nil
		for _, a := range alerts {
			if !slices.ContainsFunc(d.Failed, func(f state.Failed) bool { return f.ID == a.ID }) {
				d.Failed = append(d.Failed, a)
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

// named finds out what the incidents are called of alerts that an earlier run may have imported, perhaps in another
// version: a name stays.
func (p *pull) named(ctx context.Context, entries []*entry) error {
	var ids []string
	for _, e := range entries {
		if e.again {
			ids = append(ids, e.incident)
		}
	}
	stored, err := there(ctx, p.Knowledge.Incidents, ids)
	for _, e := range entries {
		if s := stored[e.incident]; s != nil {
			e.name = s.Name
		}
	}
	return err
}

// knows finds out what the platform has of what some alerts show: techniques, which are not sent, because an import
// would rename them; host names in the spelling that was once ours; files.
func (p *pull) knows(ctx context.Context, alerts []*alert.Alert) (known alert.Known, err error) {
	var techniques, hosts, folded []string
	for _, a := range alerts {
		techniques = append(techniques, p.Importer.TechniqueIDs(a)...)
		if ids := p.Importer.HostnameIDs(a); ids != nil {
			hosts, folded = append(hosts, ids...), append(folded, ids[1])
		}
	}
	has := func(id string) bool { return p.known[id] }
	if err = p.learn(ctx, p.Knowledge.Techniques, techniques, func(string, *Stored) bool { return true }); err != nil {
		return known, err
	}
	ours := func(id string, s *Stored) bool {
		return s.Author == p.Importer.Author().ID || !slices.Contains(folded, id)
	}
	if err = p.learn(ctx, p.Knowledge.Hostnames, hosts, ours); err != nil {
		return known, err
	}
	files, err := p.based(ctx, alerts)
	return alert.Known{Technique: has, Hostname: has, File: files}, err
}

// learn notes which of some ids the platform has, once a pull.
func (p *pull) learn(ctx context.Context, ask func(context.Context, []string) ([]Stored, error), ids []string, counts func(id string, s *Stored) bool) error {
	ids = slices.DeleteFunc(distinct(ids), func(id string) bool { _, asked := p.known[id]; return asked })
	found, err := there(ctx, ask, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		p.known[id] = found[id] != nil && counts(id, found[id])
	}
	return nil
}

// based finds out which files of some alerts indicators are based on, as alert.Known has it: those learn no hash,
// because an attached observable is a wanted value.
func (p *pull) based(ctx context.Context, alerts []*alert.Alert) (func(id string) map[string]string, error) {
	var ids []string
	for _, a := range alerts {
		ids = append(ids, p.Importer.FileIDs(a)...)
	}
	found, err := there(ctx, p.Knowledge.Files, distinct(ids))
	return func(id string) map[string]string {
		if f := found[id]; f != nil && f.Based {
			return f.Hashes
		}
		return nil
	}, err
}
