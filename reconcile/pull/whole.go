package pull

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"harfangsync/reconcile/alert"
)

// bare says that an object which was just sent lacks the author or the marking it was sent with: OpenCTI
// drops a reference that it cannot resolve, without a word (contract opencti-api 0.9).
func (p *pull) bare(w *Whose) bool {
	return p.Marking != "" && (!w.Authored || !slices.Contains(w.Markings, p.Marking))
}

// lost says of an object of ours that it has no author or no marking at all. An analyst may have given it
// others.
func (p *pull) lost(w *Whose) bool { return p.Marking != "" && (!w.Authored || len(w.Markings) == 0) }

// whole sees to it that what a bundle made has its marking and its author. What lost one is sent once more,
// since a reference may have come in after what refers to it; what loses it again is a problem of the
// report.
func (p *pull) whole(ctx context.Context, b *bundle) error {
	stripped := p.stripped
	switch {
	case len(stripped) == 0:
		return nil
	case b.again:
		p.report.Problems = append(p.report.Problems, fmt.Sprintf("OpenCTI does not keep the marking or the author of %s; check that the marking is still there, and who may see these objects", strings.Join(stripped, ", ")))
		return nil
	}
	p.Log.Warn("OpenCTI lost the marking or the author of what it imported, which is sent again", "objects", stripped)
	again := &bundle{name: fmt.Sprintf("HarfangLab, %d objects that lost references", len(stripped)), again: true}
	again.objects = slices.DeleteFunc(slices.Clone(b.objects), func(o alert.Object) bool { return !slices.Contains(stripped, o.ID) })
	for _, id := range stripped {
		again.must = append(again.must, due{id: id})
	}
	return p.deliver(ctx, again)
}
