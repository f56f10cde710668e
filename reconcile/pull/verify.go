package pull

import (
	"context"
	"errors"
	"fmt"
	"github.com/harfangsync/harfangsync/reconcile"
	"time"
)

// verify reads the sightings back and sends those once more whose count or sign is not what it is to
// be, or that lost their marking or author: the range does not grow any more then, so the count replaces what is stored (contract opencti-api
// 9). What still differs after that is a problem of the report, unless nobody knows whether it was sent:
// then the bundle stays pending. Where bundles are tied to no work, what
// was pushed is given time to come in first: it would overwrite a correction that overtakes it.
func (p *pull) verify(ctx context.Context, sights []*sighting, tied bool) error {
	const rounds = 3
	var doubt error // of the last correction, of which nobody knows whether it was taken
	for round := 1; len(sights) > 0; round++ {
		wrong, err := p.wrong(ctx, sights, tied)
		if err != nil {
			return p.interrupted(ctx, err)
		}
		if len(wrong) == 0 {
			return nil
		}
		if round > rounds && doubt != nil {
			return doubt
		}
		if round > rounds {
			for _, s := range wrong {
				p.report.Problems = append(p.report.Problems, fmt.Sprintf("the sighting of %s on %s should count %d, be %s and have its marking and author, which OpenCTI does not take", s.ref, s.endpoint, s.count, signOf(s.negative)))
			}
			return nil
		}
		doubt = p.correct(ctx, wrong)
		if _, unsure := errors.AsType[*doubtError](doubt); doubt != nil && (!unsure || ctx.Err() != nil) {
			return p.interrupted(ctx, doubt)
		}
		sights = wrong
	}
	return nil
}

// correct sends sightings with the count that they are to have.
func (p *pull) correct(ctx context.Context, sights []*sighting) error {
	b := &bundle{name: "HarfangLab, " + reconcile.Count(len(sights), "sighting")}
	for _, s := range sights {
		b.objects = append(b.objects, s.object(p.Importer, s.count))
	}
	return p.deliver(ctx, b)
}

// wrong are the sightings that differ, after some time where nothing tells when they are imported.
func (p *pull) wrong(ctx context.Context, sights []*sighting, tied bool) ([]*sighting, error) {
	const most, longest = 30 * time.Second, 5 * time.Second
	deadline := p.Clock().Add(most)
	for delay := 200 * time.Millisecond; ; delay = min(delay*2, longest) {
		wrong, err := p.differing(ctx, sights)
		if err != nil || len(wrong) == 0 || tied || p.Clock().After(deadline) {
			return wrong, err
		}
		if err := p.Wait(ctx, delay); err != nil {
			return nil, err
		}
	}
}

func signOf(negative bool) string {
	if negative {
		return "negative"
	}
	return "positive"
}

// differing are the sightings that OpenCTI holds otherwise than they are to be.
func (p *pull) differing(ctx context.Context, sights []*sighting) ([]*sighting, error) {
	ids := make([]string, len(sights))
	for i, s := range sights {
		ids[i] = s.indicator
	}
	stored, err := p.stored(ctx, ids)
	if err != nil {
		return nil, err
	}
	var wrong []*sighting
	for _, s := range sights {
		have := stored.of(p.Importer, s.pair, s.ref)
		if have == nil || have.Count != s.count || have.Negative != s.negative || p.bare(&have.Whose) {
			wrong = append(wrong, s)
		}
	}
	return wrong, nil
}
