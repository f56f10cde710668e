package httpclient

import (
	"context"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"sync"
	"time"
)

// spacing keeps requests apart once the other side has said that there are too many: everybody waits as
// long as it asked for, and from then on requests start at a distance that grows with each refusal and
// shrinks with each success. Without it eight workers that were told to come back in a second come back
// together, and seven are sent away again.
type spacing struct {
	most time.Duration // the widest gap

	mu    sync.Mutex
	gap   time.Duration // between the starts of two requests; 0 at first
	next  time.Time     // the earliest start of the next request
	round int           // counts the refusals that were heeded, as in the limiter
}

const (
	firstGap  = 20 * time.Millisecond
	leastGap  = 4 * time.Millisecond // below it there is none
	gapShrink = 50                   // a fiftieth less for each success
	mostHold  = 5 * time.Minute
)

// slot waits for the start of a request. The caller hands the round back when it is refused.
func (s *spacing) slot(ctx context.Context) (round int, err error) {
	s.mu.Lock()
	now := time.Now()
	start := now
	if s.next.After(now) {
		start = s.next
	}
	s.next = start.Add(s.gap)
	round = s.round
	s.mu.Unlock()
	if start == now {
		return round, nil
	}
	return round, remote.Sleep(ctx, start.Sub(now))
}

// refused widens the gap and holds everybody back for as long as the answer asks. Refusals of one moment
// are one.
func (s *spacing) refused(round int, hold time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if round != s.round {
		return
	}
	s.round++
	s.gap = min(max(2*s.gap, firstGap), s.most)
	if until := time.Now().Add(min(hold, mostHold)); until.After(s.next) {
		s.next = until
	}
}

func (s *spacing) succeeded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gap -= s.gap / gapShrink; s.gap < leastGap {
		s.gap = 0
	}
}
