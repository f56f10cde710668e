package pull

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// bare says that an object which was just sent lacks the author or the marking it was sent with: OpenCTI
// drops a reference that it cannot resolve, without a word (contract opencti-api 0.9).
func (p *pull) bare(w *Whose) bool {
	return p.Marking != "" && (!w.Authored || !slices.Contains(w.Markings, p.Marking))
}

// lost says of an object that it has no author or no marking at all. An analyst may have given it others, and one of
// somebody else with more confidence takes no author of ours.
func (p *pull) lost(w *Whose) bool {
	return p.Marking != "" && (len(w.Markings) == 0 || !w.Authored && w.Confidence <= p.Highest)
}

// whole sees to it that what a bundle made has its marking and its author. Where something lost one, all is sent once
// more but sightings, which are counted: a reference may have come in after what refers to it. What loses it again is a
// problem of the report. Without a work nothing tells when relationships have come in, and they are not looked for.
func (p *pull) whole(ctx context.Context, b *bundle, tied bool) error {
	stripped, err := p.strippedOf(ctx, b, tied)
	if err != nil || len(stripped) == 0 {
		return p.interrupted(ctx, err)
	}
	p.Log.Warn("OpenCTI lost the marking or the author of what it imported, which is sent again", "objects", stripped)
	again := &bundle{name: fmt.Sprintf("HarfangLab, %d objects that lost references", len(stripped)), must: b.must, again: true}
	again.objects = slices.DeleteFunc(slices.Clone(b.objects), func(o alert.Object) bool { return o.Type == "sighting" })
	if err := p.deliver(ctx, again); err != nil {
		return err
	}
	if stripped, err = p.strippedOf(ctx, b, tied); len(stripped) > 0 {
		p.report.Problems = append(p.report.Problems, fmt.Sprintf("OpenCTI does not keep the marking or the author of %s; check that the marking is still there, and who may see these objects", strings.Join(stripped, ", ")))
	}
	return p.interrupted(ctx, err)
}

// strippedOf are the objects of a bundle, and of what its relationships tie together, that have no marking or no
// author. Of sightings the next step tells.
func (p *pull) strippedOf(ctx context.Context, b *bundle, tied bool) ([]string, error) {
	stripped := slices.Clone(p.stripped)
	if !tied {
		return stripped, nil
	}
	relations, sent := []string(nil), map[string]bool{p.Importer.Author().ID: true}
	for _, o := range b.objects {
		if sent[o.ID] = true; o.Type == "relationship" {
			relations = append(relations, o.ID)
		}
	}
	found, err := there(ctx, p.Knowledge.Relations, relations)
	for _, id := range relations {
		if found[id] == nil {
			continue
		}
		for _, o := range append([]Stored{*found[id]}, found[id].Ends...) {
			i := slices.IndexFunc(o.IDs, func(id string) bool { return sent[id] })
			if i >= 0 && p.lost(&o.Whose) {
				sent[o.IDs[i]] = false // once
				stripped = append(stripped, o.IDs[i])
			}
		}
	}
	return stripped, err
}
