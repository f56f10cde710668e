package pull

import (
	"context"
	"errors"
	"fmt"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// bundle is what goes to OpenCTI in one piece.
type bundle struct {
	name    string         // of its work
	objects []alert.Object // without the author
	pending *state.Pending // is remembered from before the bundle is handed over; nil is nothing
	must    []due          // what has to be there then
	again   bool           // it is sent because references were lost
}

// due is an incident, a case or a note that has to be there, and the status that it has to show; "" is any.
type due struct {
	id     string
	status alert.Status
}

// importError says that OpenCTI took a bundle only in part, or not at all.
type importError struct{ words string }

func (e *importError) Error() string { return e.words }

// ErrPending says that a bundle is in OpenCTI's queue and not imported yet. It is no failure: the next
// run looks after it first.
var ErrPending = errors.New("handed over to OpenCTI, which has not imported it yet; the next run waits for it")

// doubtError is an ErrPending of which nobody knows whether OpenCTI took the bundle.
type doubtError struct{ err error }

func (e *doubtError) Error() string   { return fmt.Sprintf("%v (%v)", ErrPending, e.err) }
func (e *doubtError) Unwrap() []error { return []error{ErrPending, e.err} }

// pushError says that the platform failed at a push.
type pushError struct{ error }

func (e *pushError) Unwrap() error { return e.error }

// deliver hands a bundle over and waits for its work, unless this is a dry run. What is pending is
// remembered before, so that a crash at any moment leaves no bundle that nobody looks after. An
// *importError is final; after ErrPending the bundle may still come in; any other error is of a side
// that failed before anything was handed over.
func (p *pull) deliver(ctx context.Context, b *bundle) error {
	text, err := p.Importer.Bundle(append([]alert.Object{p.Importer.Author()}, b.objects...))
	if err != nil {
		return &importError{err.Error()}
	}
	if p.Show != nil {
		return p.Show(text)
	}
	work, err := p.Knowledge.AddWork(ctx, b.name)
	if err != nil {
		return verdict(err)
	}
	if b.pending != nil {
		b.pending.Work = work
		if err := p.save(ctx, func(d *state.Pull) { d.Pending = b.pending }); err != nil {
			p.drop(ctx, work)
			return err
		}
	}
	if err := p.Knowledge.Push(ctx, text, work); err != nil {
		if reconcile.FaultOf(err).Unsure {
			p.report.Wrote = true
			if b.pending != nil {
				pending := *b.pending
				pending.Doubted = true
				if err := p.save(ctx, func(d *state.Pull) { d.Pending = &pending }); err != nil {
					return err
				}
			}
			return &doubtError{&pushError{err}}
		}
		if b.pending != nil {
			_ = p.save(ctx, func(d *state.Pull) { d.Pending = nil })
		}
		p.drop(ctx, work)
		if err = verdict(err); reconcile.FaultOf(err).Side {
			err = &pushError{err}
		}
		return err
	}
	p.report.Wrote, p.pushed = true, true
	err = p.await(ctx, p.Clock(), work, b.must)
	if errors.Is(err, ErrPending) && b.pending != nil {
		b.pending.Handed = true
		_ = p.save(ctx, func(d *state.Pull) { d.Pending = b.pending }) // or the next run finds out
	}
	if err != nil {
		return err
	}
	if b.again {
		return nil
	}
	return p.whole(ctx, b, work != "")
}

// drop ends a work whose bundle was not handed over.
func (p *pull) drop(ctx context.Context, work string) {
	if work != "" {
		_ = p.Knowledge.CloseWork(context.WithoutCancel(ctx), work, "the bundle was not handed over")
	}
}

// verdict is a failure of the platform as it is, and its verdict on a bundle as an *importError.
func verdict(err error) error {
	if reconcile.FaultOf(err).Verdict {
		return &importError{err.Error()}
	}
	return err
}
