// Package remote is what the clients of both platforms share: how often and how far apart a request is
// made, how much of an answer is read, and how it is decoded.
package remote

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Retry says how often a request is made, and how far apart. A member at zero takes its default.
type Retry struct {
	Attempts int                                              // of one request; default 5
	Backoff  func(attempt int) time.Duration                  // before the next attempt, from 0; default exponential with jitter, at most 30 s
	MaxWait  time.Duration                                    // cap on what the other side asks for; default 5 min
	Sleep    func(ctx context.Context, d time.Duration) error // between attempts; default a timer
}

// Patience is how much more often a side is asked that has too much to do than one that fails: an item
// is not given up because many are under way.
const Patience = 3

// Failure is the error of a request that says whether to make it again.
type Failure interface {
	error
	// Again is how often the request is made in all, out of most as a rule, 1 being never again; and the
	// wait that the other side asks for, 0 when it does not.
	Again(most int) (attempts int, wait time.Duration)
}

// Filled is r with its defaults.
func (r Retry) Filled() Retry {
	r.Attempts = cmp.Or(max(r.Attempts, 0), 5)
	r.MaxWait = cmp.Or(max(r.MaxWait, 0), 5*time.Minute)
	if r.Backoff == nil {
		r.Backoff = backoff
	}
	if r.Sleep == nil {
		r.Sleep = Sleep
	}
	return r
}

// Do makes a request, and makes it again as its Failure says. It ends with the last error, or with the
// context's while it waits. r is Filled.
func (r Retry) Do(ctx context.Context, log *slog.Logger, request func() error) error {
	for attempt := 1; ; attempt++ {
		err := request()
		f, ok := errors.AsType[Failure](err)
		if !ok {
			return err
		}
		attempts, asked := f.Again(r.Attempts)
		if attempt >= attempts || ctx.Err() != nil {
			return err
		}
		wait := r.Backoff(attempt - 1)
		if asked > 0 {
			wait = min(asked, r.MaxWait)
		}
		log.Debug("repeating a request", "wait", wait, "error", err)
		if err := r.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func backoff(attempt int) time.Duration {
	const first, most = 250 * time.Millisecond, 30 * time.Second
	d := min(first<<min(attempt, 10), most)
	return d/2 + rand.N(d/2+1)
}

// Sleep waits, or returns the error of ctx when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// After reads the header Retry-After, seconds or an HTTP date; 0 when it is neither.
func After(header string, now time.Time) time.Duration {
	const most = 24 * 60 * 60 // more would overflow, and is never waited for
	header = strings.TrimSpace(header)
	if n, err := strconv.Atoi(header); err == nil && n >= 0 {
		return time.Duration(min(n, most)) * time.Second
	}
	for _, form := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", time.RFC850, time.ANSIC} {
		if t, err := time.Parse(form, header); err == nil {
			return max(t.Sub(now), 0)
		}
	}
	return 0
}
