package run

import (
	"fmt"
	"sync"

	"github.com/harfangsync/harfangsync/reconcile"
)

// BreakerError says that too many failures in a row stopped the apply (gate G9).
type BreakerError struct {
	Limit int
	Last  error
}

func (e *BreakerError) Error() string {
	return fmt.Sprintf("stopped after %s in a row: %v", reconcile.Count(e.Limit, "failure"), e.Last)
}

// Unwrap is the last failure.
func (e *BreakerError) Unwrap() error { return e.Last }

// breaker counts failures in a row, in order of completion (gate G9).
type breaker struct {
	mu         sync.Mutex
	limit, row int
	tripped    bool
	last       error
	down       error // the last failure that tells of the whole side: one in front of it that lets other requests pass does not
}

func (b *breaker) success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row = 0
}

func (b *breaker) failure(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row++
	b.last = err
	if b.limit > 0 && b.row >= b.limit {
		b.tripped = true
	}
	if b.tripped || !reconcile.FaultOf(err).Foreign {
		b.down = err
	}
}

func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tripped
}
