package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/alert"
)

// threats imports threats as cases: those that changed, and the open ones, each with the alerts that
// were imported and its note. One from before the start is followed if it has a case.
func (p *pull) threats(ctx context.Context) error {
	since := p.from(p.began.Changes)
	var all []alert.Threat
	has := map[string]bool{}
	gather := func(page []alert.Threat, bad []alert.Bad) error {
		for _, b := range bad {
			p.fail(Item{Kind: "threat", ID: b.ID}, time.Time{}, fmt.Errorf("cannot be read: %w", b.Err))
		}
		page = slices.DeleteFunc(page, func(t alert.Threat) bool { return has[t.ID] })
		followed, err := p.followed(ctx, page)
		if err != nil {
			return err
		}
		for i := range page {
			if t := &page[i]; !t.Created.Before(p.Start) || followed[p.Importer.CaseID(t)] {
				all, has[t.ID] = append(all, *t), true
			}
		}
		return nil
	}
	open := []string{string(alert.New), string(alert.Investigating)}
	for _, q := range []ThreatQuery{{Statuses: open}, {ChangedSince: since}} {
		if err := p.incomplete(p.Alerts.Threats(ctx, q, gather)); err != nil {
			return err
		}
	}
	slices.SortFunc(all, func(a, b alert.Threat) int { return a.Created.Compare(b.Created) })
	for i := range all {
		if err := p.threat(ctx, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

// followed are the cases that OpenCTI has of threats from before the start, by id.
func (p *pull) followed(ctx context.Context, page []alert.Threat) (map[string]bool, error) {
	var ids []string
	for i := range page {
		if id := p.Importer.CaseID(&page[i]); id != "" && page[i].Created.Before(p.Start) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := p.Knowledge.Cases(ctx, ids)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{}
	for i := range found {
		for _, id := range found[i].IDs {
			there[id] = true
		}
	}
	return there, nil
}

// threat imports one threat, unless OpenCTI has it as it is.
func (p *pull) threat(ctx context.Context, t *alert.Threat) error {
	key := failedKey(true, t.ID)
	if p.failed[key].Tries >= mostTries && !p.Again {
		return nil
	}
	it := Item{Kind: "threat", ID: t.ID, Name: t.Slug, Time: t.Created, Object: p.Importer.CaseID(t)}
	file := func(result Result, err error) {
		it.Result = result
		if err != nil {
			it.Error = err.Error()
		}
		p.report.Items = append(p.report.Items, it)
	}
	note, err := p.Alerts.Note(ctx, t.ID)
	if err != nil {
		if reconcile.FaultOf(err).Side || ctx.Err() != nil {
			return err
		}
		p.Log.Warn("the note of a threat cannot be read", "threat", t.ID, "error", err)
	} else if note != nil {
		t.Note = note
	}
	refs, n, err := p.contents(ctx, t)
	if err != nil {
		return err
	}
	t.Imported = n
	objects, err := p.Importer.Threat(t, refs)
	if err != nil {
		p.fail(it, t.Created, err)
		return nil
	}
	same, before, err := p.sameCase(ctx, t, objects)
	if err != nil {
		return err
	}
	if same {
		delete(p.failed, key)
		return nil
	}
	result := Imported
	if before {
		result = Updated
	}
	err = p.deliver(ctx, &bundle{name: "HarfangLab, one threat", objects: objects, must: []due{{id: it.Object, isCase: true}}})
	if err == nil {
		delete(p.failed, key)
		file(result, nil)
		return nil
	}
	switch {
	case errors.Is(err, ErrPending):
		file(Waiting, err)
		return err
	case reconcile.FaultOf(err).Side || ctx.Err() != nil:
		file(NotAttempted, err)
		return err
	}
	p.fail(it, t.Created, err)
	p.holdChanges = p.holdChanges || p.failed[key].Tries < mostTries
	return nil
}

// contents are the objects that a threat's imported alerts made, and the number of these alerts.
func (p *pull) contents(ctx context.Context, t *alert.Threat) (refs []string, n int, err error) {
	const before = 24 * time.Hour // a threat is made of alerts that are there
	from := t.Created
	if !t.FirstSeen.IsZero() && t.FirstSeen.Before(from) {
		from = t.FirstSeen
	}
	has := map[string]bool{}
	err = p.Alerts.Alerts(ctx, AlertQuery{Threat: t.ID, From: from.Add(-before), To: p.Clock().Add(24 * time.Hour)}, func(page []alert.Alert, _ []alert.Bad) error {
		ids := make([]string, len(page))
		for i := range page {
			ids[i] = p.Importer.IncidentID(&page[i])
		}
		stored, err := there(ctx, p.Knowledge.Incidents, ids)
		if err != nil {
			return err
		}
		for i := range page {
			if stored[ids[i]] == nil {
				continue
			}
			n++
			objects, err := p.Importer.Alert(&page[i], nil, nil)
			if err != nil {
				continue // it was imported by an earlier version
			}
			for _, o := range objects {
				if !has[o.ID] && o.Type != "relationship" && o.Type != "attack-pattern" {
					refs, has[o.ID] = append(refs, o.ID), true
				}
			}
		}
		return nil
	})
	return refs, n, p.incomplete(err)
}

// sameCase says whether OpenCTI has a case, and has it as it is to be: its description tells all that
// changes, but for the note.
func (p *pull) sameCase(ctx context.Context, t *alert.Threat, objects []alert.Object) (same, there bool, err error) {
	found, err := p.Knowledge.Cases(ctx, []string{p.Importer.CaseID(t)})
	if err != nil || len(found) == 0 {
		return false, false, err
	}
	if found[0].Description != objects[0].Description() {
		return false, true, nil
	}
	for _, o := range objects {
		if o.Type != "note" {
			continue
		}
		notes, err := p.Knowledge.Notes(ctx, []string{o.ID})
		if err != nil || len(notes) == 0 || notes[0].Description != o.Description() {
			return false, true, err
		}
	}
	return true, true, nil
}
