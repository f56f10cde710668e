package state

import (
	"context"
	"time"
)

// ErrLapsed says that the lease could not be renewed in time. Nothing is written before it is held again.
var ErrLapsed error = lapsedError{}

type lapsedError struct{}

func (lapsedError) Error() string { return "the lock lapsed while its store was away" }

// Permanent says that trying again now ends alike.
func (lapsedError) Permanent() bool { return true }

// lapsing is whether a lease that is to be kept is held. Its zero value is that of no lease.
type lapsing struct {
	term     context.Context // ends, with its cause, when the lease lapses
	end      context.CancelCauseFunc
	regained chan struct{}
}

// held notes that the lease is held.
func (k *Keeper) held() {
	k.mu.Lock()
	defer k.mu.Unlock()
	again := k.lapsing.term != nil
	if again && k.lapsing.term.Err() == nil {
		return
	}
	k.lapsing.term, k.lapsing.end = context.WithCancelCause(context.Background())
	if !again {
		return
	}
	k.warn("the lock is held again")
	select {
	case k.lapsing.regained <- struct{}{}:
	default:
	}
}

// lapse notes that it is not.
func (k *Keeper) lapse(why error, patience time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lapsing.term.Err() == nil {
		k.lapsing.end(ErrLapsed)
		k.warn("the lock could not be renewed in time: nothing is written until it is taken anew", "error", why, "patience", patience)
	}
}

func (k *Keeper) warn(text string, args ...any) {
	if k.Log != nil {
		k.Log.Warn(text, args...)
	}
}

// Held is ctx for as long as the lease that was taken is held; its cause is then ErrLapsed.
func (k *Keeper) Held(ctx context.Context) (held context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	k.mu.Lock()
	term := k.lapsing.term
	k.mu.Unlock()
	if term == nil {
		return ctx, func() { cancel(nil) }
	}
	if term.Err() != nil {
		cancel(context.Cause(term))
	}
	stop := context.AfterFunc(term, func() { cancel(context.Cause(term)) })
	return ctx, func() { stop(); cancel(nil) }
}

// Regained tells that a lease that had lapsed is held again: another run may have come and gone meanwhile.
func (k *Keeper) Regained() <-chan struct{} { return k.lapsing.regained }
