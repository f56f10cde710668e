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
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// limiter hands out places among the requests in flight, in the order they were asked for. Their number
// halves when the other side is overloaded and grows again by one for each round of successes.
type limiter struct {
	places *semaphore.Weighted // most of them

	mu    sync.Mutex
	most  int
	limit float64 // 1 to most; the whole part counts
	kept  int     // places that nobody gets, most less limit once those that are out have come back
	// round counts the halvings. Requests that began before the last one say nothing new: eight
	// refusals of one moment are one overload.
	round int
}

func newLimiter(most int) *limiter {
	return &limiter{places: semaphore.NewWeighted(int64(most)), most: most, limit: float64(most)}
}

// take waits for a place. The caller gives it back with the round that it got.
func (l *limiter) take(ctx context.Context) (round int, err error) {
	if err := l.places.Acquire(ctx, 1); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.round, nil
}

func (l *limiter) give() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept++
	l.fit()
}

// fit keeps as many places as the limit says.
func (l *limiter) fit() {
	for l.kept > l.most-int(l.limit) {
		l.kept--
		l.places.Release(1)
	}
	for l.kept < l.most-int(l.limit) && l.places.TryAcquire(1) {
		l.kept++
	}
}

// overloaded halves the number; it says whether that was new, and what is left.
func (l *limiter) overloaded(round int) (left int, halved bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if halved = round == l.round; halved {
		l.limit = max(1, l.limit/2)
		l.round++
		l.fit()
	}
	return int(l.limit), halved
}

func (l *limiter) succeeded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = min(float64(l.most), l.limit+1/l.limit)
	l.fit()
}

// pace makes requests wait: for a place among those in flight, then for the rate.
type pace struct {
	next     http.RoundTripper
	rate     *rate.Limiter
	limiter  *limiter
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
	round, err := p.limiter.take(ctx)
	if err != nil {
		return nil, refuse(r, err)
	}
	heard, err := p.spacing.slot(ctx)
	if err == nil {
		err = p.wait(ctx)
	}
	if err != nil {
		p.limiter.give()
		return nil, refuse(r, err)
	}
	resp, err := p.next.RoundTrip(r)
	if err != nil {
		if ctx.Err() == nil { // an interrupt says nothing about the other side
			p.overloaded(round)
		}
		p.limiter.give()
		return nil, err
	}
	bad := busy(resp.StatusCode)
	if bad {
		p.overloaded(round)
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		p.spacing.refused(heard, remote.After(resp.Header.Get("Retry-After"), time.Now()))
	}
	resp.Body = &placedBody{body: resp.Body, done: func(readErr error) {
		switch {
		case readErr != nil && ctx.Err() == nil && !bad:
			p.overloaded(round)
		case readErr == nil && !bad:
			p.limiter.succeeded()
			p.spacing.succeeded()
		}
		p.limiter.give()
	}}
	if resp.Body.(*placedBody).body == http.NoBody {
		_ = resp.Body.Close()
	}
	return resp, nil
}

// wait waits for the rate. Its limiter has an error of its own when the context would end before.
func (p *pace) wait(ctx context.Context) error {
	err := p.rate.Wait(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("the rate limit leaves no time for this request: %w", context.DeadlineExceeded)
	}
	return err
}

func (p *pace) overloaded(round int) {
	if left, halved := p.limiter.overloaded(round); halved {
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

// placedBody is a body that gives its place back once, at its end or when it is closed: until then the
// answer is still being sent.
type placedBody struct {
	body io.ReadCloser
	once sync.Once
	done func(readErr error)
}

func (b *placedBody) Read(p []byte) (int, error) {
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

func (b *placedBody) Close() error {
	err := b.body.Close()
	b.end(nil)
	return err
}

func (b *placedBody) end(readErr error) { b.once.Do(func() { b.done(readErr) }) }
