package tail

import (
	"context"
	"errors"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/crash"
)

// pulls are the imports of a tail, one at a time. They go on beside the stream: an import waits for
// OpenCTI's workers, which may take minutes, and the lists are not to stay behind for that.
type pulls struct {
	pull    func(context.Context) func() func() error
	next    time.Time // zero while one goes on, and for none at all
	running bool
	done    chan func() error
}

func (t *Tail) pulls() *pulls {
	p := &pulls{pull: t.Pull, done: make(chan func() error, 1)}
	if t.Pull == nil || t.PullEvery <= 0 {
		return p
	}
	p.next = t.now()
	if t.Pulled {
		p.next = p.next.Add(t.PullEvery)
	}
	return p
}

func (p *pulls) due(now time.Time) bool { return !p.next.IsZero() && !now.Before(p.next) }

func (p *pulls) begin(ctx context.Context, done func()) {
	p.running, p.next = true, time.Time{}
	work := p.pull(ctx)
	go func() {
		defer crash.Exit()
		defer done()
		p.done <- work()
	}()
}

// ended waits for an import that still goes on, and whose context has ended.
func (t *Tail) ended(ctx context.Context, p *pulls) {
	if p.running {
		t.pulled(ctx, p, <-p.done)
	}
}

// pulled tells of an import, and sets the time of the next. Where the tail's end cut it off, what the one before ended with
// stays.
func (t *Tail) pulled(ctx context.Context, p *pulls, told func() error) {
	p.running, p.next = false, t.now().Add(t.PullEvery)
	err := told()
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return
	}
	if t.alerts = err; err != nil {
		t.Log.Error("alerts were not imported whole", "error", err)
	}
}
