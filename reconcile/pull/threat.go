package pull

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// followed is a threat with what OpenCTI has of it.
type followed struct {
	t       alert.Threat
	id      string  // of its case
	stored  *Stored // the case; nil for none
	bare    bool    // it lost its marking or its author
	changed bool    // what its case is to say, or which alerts it holds; or it has yet to come in
}

// threats imports threats as cases: those that changed, and the open ones, each with the alerts that were
// imported and its note. One from before the start is followed if it has a case.
//
// What the list says of a threat is compared with what its case says. Only of one that changed the alerts
// are asked for, and its note if the list named none; of the others the note, where the list is silent.
func (p *pull) threats(ctx context.Context) error {
	all, err := p.readThreats(ctx)
	if err == nil {
		all, err = p.annotate(ctx, all)
	}
	var notes map[string]*Stored
	if err == nil {
		all, notes, err = p.notes(ctx, all)
	}
	for i := 0; i < len(all) && err == nil; i++ {
		err = p.threat(ctx, all[i], notes)
	}
	if err == nil {
		maps.DeleteFunc(p.failed, func(_ string, f state.Failed) bool { return f.Threat && f.Tries == 0 }) // closed meanwhile
		return nil
	}
	return err
}

// lack notes threats whose cases lack an alert that came in late: no later run reads it again.
func (p *pull) lack(d *state.Pull, threats []string) {
	for _, id := range threats {
		key := threatKey(id)
		f, noted := p.failed[key]
		if !noted {
			f = state.Failed{ID: id, At: p.Clock().Truncate(time.Second), Threat: true}
			p.failed[key] = f
		}
		if !slices.ContainsFunc(d.Failed, func(f state.Failed) bool { return f.Threat && threatKey(f.ID) == key }) {
			d.Failed = append(d.Failed, f)
		}
	}
}

// readThreats reads the threats to look after, oldest first.
func (p *pull) readThreats(ctx context.Context) (all []*followed, err error) {
	has := map[string]bool{}
	read := func(q ThreatQuery) error {
		return p.incomplete(p.Alerts.Threats(ctx, q, func(page []alert.Threat, unread []alert.Bad) error {
			for _, b := range unread {
				p.fail(Item{Kind: "threat", ID: b.ID}, time.Time{}, fmt.Errorf("cannot be read: %w", b.Err))
			}
			var ids []string
			var some []*followed
			of := map[string]*followed{}
			for i := range page {
				f := &followed{t: page[i], id: p.Importer.CaseID(&page[i])}
				key := threatKey(f.t.ID)
				if has[key] || p.failed[key].Tries >= mostTries && !p.Again {
					continue
				}
				has[key] = true
				ids, some, of[f.id] = append(ids, f.id), append(some, f), f
			}
			cases, bad, err := p.asked(ctx, finding, p.Knowledge.Cases, ids, func(id string, err error) { p.failedAlone(finding, of[id], err) })
			for _, f := range some {
				f.stored = cases[f.id]
				if bad[f.id] || f.stored == nil && f.t.Created.Before(p.Start) {
					continue
				}
				key := threatKey(f.t.ID)
				_, failed := p.failed[key]
				f.bare = f.stored != nil && p.lost(&f.stored.Whose)
				f.changed = failed || p.touched[key] != "" || f.bare || !p.told(f)
				all = append(all, f)
			}
			return err
		}))
	}
	open := []string{string(alert.New), string(alert.Investigating)}
	if err = read(ThreatQuery{Statuses: open}); err == nil {
		err = read(ThreatQuery{ChangedSince: p.from(p.began.Changes)})
	}
	slices.SortFunc(all, func(a, b *followed) int { return a.t.Created.Compare(b.t.Created) })
	return all, err
}

// told says whether the case that OpenCTI has tells of a threat what the list tells of it.
func (p *pull) told(f *followed) bool {
	if f.stored == nil {
		return false
	}
	facts, _ := p.Importer.Read(f.stored.Description)
	f.t.Imported = facts.Imported
	objects, err := p.Importer.Threat(&f.t, nil)
	return err == nil && objects[0].Description() == f.stored.Description
}

// annotate reads the notes that the list did not tell, and files the threats whose note cannot be read.
func (p *pull) annotate(ctx context.Context, all []*followed) (left []*followed, err error) {
	for _, f := range all {
		if f.t.Note != nil || f.t.NoteTold && !f.changed {
			left = append(left, f)
			continue
		}
		note, err := p.Alerts.Note(ctx, f.t.ID)
		switch {
		case err != nil && (reconcile.FaultOf(err).Side || ctx.Err() != nil):
			if err := p.failThreat(ctx, f, err); err != nil {
				return nil, err
			}
			continue
		case err != nil:
			p.Log.Warn("the note of a threat cannot be read", "threat", f.t.ID, "error", err)
		}
		f.t.Note = note
		left = append(left, f)
	}
	return left, nil
}

// failThreat files a threat of which something cannot be looked up, so that no other waits for it.
func (p *pull) failThreat(ctx context.Context, f *followed, err error) error {
	if !p.alone(ctx, following, err) {
		return err
	}
	p.failedAlone(following, f, err)
	return nil
}

// failedAlone files a threat that fails by itself.
func (p *pull) failedAlone(at step, f *followed, err error) {
	p.streak[at] = append(p.streak[at], threatKey(f.t.ID))
	p.failedThreat(f, err)
}

// failedThreat files a threat. Its change is read again until it is given up.
func (p *pull) failedThreat(f *followed, err error) {
	p.fail(f.item(), f.t.Created, err)
	p.holdChanges = p.holdChanges || p.failed[threatKey(f.t.ID)].Tries < mostTries
}

func (f *followed) item() Item {
	it := Item{Kind: "threat", ID: f.t.ID, Name: f.t.Slug, Time: f.t.Created, Object: f.id, Result: Imported}
	if f.stored != nil {
		it.Result = Updated
	}
	return it
}

// notes are those that OpenCTI has of threats, by each of their ids. Threats whose note cannot be looked up are filed.
func (p *pull) notes(ctx context.Context, all []*followed) (left []*followed, notes map[string]*Stored, err error) {
	var ids []string
	of, filed := map[string]*followed{}, map[*followed]bool{}
	for _, f := range all {
		objects, err := p.Importer.Threat(&f.t, nil)
		for i := range objects {
			if err == nil && f.stored != nil && objects[i].Type == "note" {
				ids, of[objects[i].ID] = append(ids, objects[i].ID), f
			}
		}
	}
	notes, _, err = p.asked(ctx, finding, p.Knowledge.Notes, ids, func(id string, err error) {
		p.failedAlone(finding, of[id], err)
		filed[of[id]] = true
	})
	return slices.DeleteFunc(all, func(f *followed) bool { return filed[f] }), notes, err
}

// threat imports one threat, unless OpenCTI has it as it is.
func (p *pull) threat(ctx context.Context, f *followed, notes map[string]*Stored) error {
	it := f.item()
	var refs []string
	objects, err := p.Importer.Threat(&f.t, nil)
	if err == nil && (f.changed || !f.same(objects, notes)) {
		if refs, f.t.Imported, err = p.contents(ctx, &f.t); err != nil {
			return p.failThreat(ctx, f, err)
		}
		p.streak[following] = nil
		objects, err = p.Importer.Threat(&f.t, refs)
	}
	switch {
	case err != nil:
		p.fail(it, f.t.Created, err)
		return nil
	case f.same(objects, notes):
		delete(p.failed, threatKey(f.t.ID))
		return nil
	}
	b := &bundle{name: "HarfangLab, one threat", objects: objects, must: []due{{id: f.id}}}
	for _, o := range objects {
		if o.Type == "note" {
			b.must = append(b.must, due{id: o.ID})
		}
	}
	err = p.deliver(ctx, b)
	if _, refused := errors.AsType[*importError](err); !refused && p.unsent(ctx, err) {
		key := threatKey(f.t.ID)
		before, again := p.failed[key]
		if again {
			p.unpushed = cmp.Or(p.unpushed, err)
			p.failedAlone(sending, f, err)
			return nil
		}
		before.ID, before.At, before.Threat = f.t.ID, f.t.Created, true
		p.failed[key] = before
	}
	switch {
	case err == nil:
		p.streak[sending] = nil
		delete(p.failed, threatKey(f.t.ID))
	case errors.Is(err, ErrPending):
		it.Result, it.Error = Waiting, err.Error()
	case reconcile.FaultOf(err).Side || ctx.Err() != nil:
		it.Result, it.Error = NotAttempted, err.Error()
	default:
		p.failedThreat(f, err)
		return nil
	}
	p.report.Items = append(p.report.Items, it)
	return err
}

// same says whether OpenCTI has a case as it is to be: its description tells all that changes, but for
// the note.
func (f *followed) same(objects []alert.Object, notes map[string]*Stored) bool {
	if f.stored == nil || f.bare || f.stored.Description != objects[0].Description() {
		return false
	}
	return !slices.ContainsFunc(objects, func(o alert.Object) bool {
		return o.Type == "note" && (notes[o.ID] == nil || notes[o.ID].Description != o.Description())
	})
}
