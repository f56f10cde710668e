package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

// turns hands out places among the requests in flight, in the order they were asked for. Their number
// halves when the other side is overloaded and grows again by one for each round of successes.
type turns struct {
	mu       sync.Mutex
	most     float64
	limit    float64 // 1 to most; the whole part counts
	inFlight int
	// round counts the halvings. Requests that began before the last one say nothing new: eight
	// refusals of one moment are one overload.
	round   int
	waiting []chan int // each gets the round in which its turn came
}

func newTurns(most int) *turns { return &turns{most: float64(most), limit: float64(most)} }

// take waits for a place. The caller gives it back with the round that it got.
func (t *turns) take(ctx context.Context) (round int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	t.mu.Lock()
	if len(t.waiting) == 0 && t.inFlight < int(t.limit) {
		defer t.mu.Unlock()
		t.inFlight++
		return t.round, nil
	}
	turn := make(chan int, 1)
	t.waiting = append(t.waiting, turn)
	t.mu.Unlock()
	select {
	case round := <-turn:
		return round, nil
	case <-ctx.Done():
		t.leave(turn)
		return 0, ctx.Err()
	}
}

// leave takes a waiter out of the queue; if its turn has just come, the place goes to the next.
func (t *turns) leave(turn chan int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range t.waiting {
		if w == turn {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return
		}
	}
	t.inFlight--
	t.next()
}

func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
	t.next()
}

func (t *turns) next() {
	for len(t.waiting) > 0 && t.inFlight < int(t.limit) {
		t.inFlight++
		t.waiting[0] <- t.round
		t.waiting = t.waiting[1:]
	}
}

// overloaded halves the number; it says whether that was new, and what is left.
func (t *turns) overloaded(round int) (left int, halved bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if round == t.round {
		t.limit = max(1, t.limit/2)
		t.round++
		halved = true
	}
	return int(t.limit), halved
}

func (t *turns) succeeded() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit = min(t.most, t.limit+1/t.limit)
	t.next()
}

// pace makes requests wait: for a place among those in flight, then for the rate.
type pace struct {
	next     http.RoundTripper
	rate     *rate.Limiter
	turns    *turns
	spacing  spacing
	log      *slog.Logger
	platform string
}

// stream says whether the answer is a live stream, which lasts as long as both sides like.
func stream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

func (p *pace) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if stream(r) {
		if err := p.wait(ctx); err != nil {
			return nil, refuse(r, err)
		}
		return p.next.RoundTrip(r)
	}
	round, err := p.turns.take(ctx)
	if err != nil {
		return nil, refuse(r, err)
	}
	heard, err := p.spacing.slot(ctx)
	if err == nil {
		err = p.wait(ctx)
	}
	if err != nil {
		p.turns.give()
		return nil, refuse(r, err)
	}
	resp, err := p.next.RoundTrip(r)
	if err != nil {
		if ctx.Err() == nil { // an interrupt says nothing about the other side
			p.overloaded(round)
		}
		p.turns.give()
		return nil, err
	}
	bad := busy(resp.StatusCode)
	if bad {
		p.overloaded(round)
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		p.spacing.refused(heard, askedFor(resp.Header))
	}
	resp.Body = &turn{body: resp.Body, done: func(readErr error) {
		switch {
		case readErr != nil && ctx.Err() == nil && !bad:
			p.overloaded(round)
		case readErr == nil && !bad:
			p.turns.succeeded()
			p.spacing.succeeded()
		}
		p.turns.give()
	}}
	if resp.Body.(*turn).body == http.NoBody {
		_ = resp.Body.Close()
	}
	return resp, nil
}

// wait waits for the rate. The limiter has an error of its own when the context would end before.
func (p *pace) wait(ctx context.Context) error {
	err := p.rate.Wait(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the rate limit leaves no time for this request: %w", context.DeadlineExceeded)
	}
	return err
}

func (p *pace) overloaded(round int) {
	if left, halved := p.turns.overloaded(round); halved {
		p.log.Debug("fewer requests at once", "platform", p.platform, "at_once", left)
	}
}

// refuse ends a request that was not sent.
func refuse(r *http.Request, err error) error {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return err
}

// busy says whether a status means that the other side, or what stands before it, has too much to do.
func busy(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// turn is a body that ends a turn once, at its end or when it is closed: until then the answer is
// still being sent.
type turn struct {
	body io.ReadCloser
	once sync.Once
	done func(readErr error)
}

func (b *turn) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		if errors.Is(err, io.EOF) {
			b.end(nil)
		} else {
			b.end(err)
		}
	}
	return n, err
}

func (b *turn) Close() error {
	err := b.body.Close()
	b.end(nil)
	return err
}

func (b *turn) end(readErr error) { b.once.Do(func() { b.done(readErr) }) }
