package httpclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// answers is a RoundTripper that gives what it is told and notes how many requests are in flight,
// counting a request as such until its body has been closed or read.
type answers struct {
	mu             sync.Mutex
	status         int
	err            error
	took           time.Duration
	inFlight, most int
}

type countedBody struct {
	io.Reader
	end func()
}

func (b countedBody) Close() error { b.end(); return nil }

func (a *answers) RoundTrip(*http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.inFlight++
	a.most = max(a.most, a.inFlight)
	status, err := a.status, a.err
	a.mu.Unlock()
	time.Sleep(a.took)
	leave := sync.OnceFunc(func() { a.mu.Lock(); a.inFlight--; a.mu.Unlock() })
	if err != nil {
		leave()
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: countedBody{strings.NewReader("x"), leave}}, nil
}

// rush sends n requests at once, reads and closes their answers, and says how many were in flight.
func rush(t *testing.T, rt http.RoundTripper, a *answers, n int) int {
	t.Helper()
	a.mu.Lock()
	a.most = 0
	a.mu.Unlock()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			resp, err := rt.RoundTrip(httptest.NewRequest(http.MethodGet, "http://x.example/", nil).WithContext(t.Context()))
			if err != nil {
				return
			}
			time.Sleep(time.Millisecond) // while the answer is being read
			_ = resp.Body.Close()
		})
	}
	wg.Wait()
	return a.most
}

// inFlight is how many places are out.
func (l *limiter) inFlight() int {
	free := 0
	for l.places.TryAcquire(1) {
		free++
	}
	l.places.Release(int64(free))
	return l.most - l.kept - free
}

func paced(o Options, a *answers) http.RoundTripper {
	p := New(o).Transport.(*pace)
	p.next = a
	return p
}

func TestRequestsInFlightFollowTheOtherSide(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		err    error
		after  int // in flight after one rush of 8 that all end so
	}{
		{"successes leave the number alone", 200, nil, 8},
		{"a verdict on one item is no overload", 400, nil, 8},
		{"an error of the server's own is no overload", 500, nil, 8},
		{"429 halves it once for a whole rush", 429, nil, 4},
		{"502 halves it", 502, nil, 4},
		{"503 halves it", 503, nil, 4},
		{"504 halves it", 504, nil, 4},
		{"a broken connection halves it", 0, io.ErrUnexpectedEOF, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &answers{status: tt.status, err: tt.err, took: time.Second}
				rt := paced(Options{Parallelism: 8}, a)
				if got := rush(t, rt, a, 8); got != 8 {
					t.Fatalf("%d in flight at first, want 8", got)
				}
				a.status, a.err = 200, nil
				if got := rush(t, rt, a, tt.after); got != tt.after {
					t.Errorf("%d in flight, want %d", got, tt.after)
				}
				if got := rt.(*pace).limiter; int(got.limit) < tt.after || got.inFlight() != 0 {
					t.Errorf("limit %v and %d in flight at the end", got.limit, got.inFlight())
				}
			})
		})
	}
}

func TestOverloadGoesDownToOneAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: 503, took: time.Second}
		rt := paced(Options{Parallelism: 8}, a)
		for range 5 {
			rush(t, rt, a, 1)
		}
		a.status = 200
		if got := rush(t, rt, a, 1); got != 1 || int(rt.(*pace).limiter.limit) > 2 {
			t.Fatalf("%d in flight under overload, want 1", got)
		}
		before := int(rt.(*pace).limiter.limit)
		rush(t, rt, a, 4)
		if after := int(rt.(*pace).limiter.limit); after <= before || after > before+4 {
			t.Errorf("limit went from %d to %d after 4 successes, want a slow rise", before, after)
		}
		rush(t, rt, a, 60)
		if got := rush(t, rt, a, 20); got != 8 {
			t.Errorf("%d in flight after many successes, want 8 and never more", got)
		}
	})
}

func TestAPlaceIsHeldUntilTheAnswerIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: 200}
		rt := paced(Options{Parallelism: 1}, a)
		req := httptest.NewRequest(http.MethodGet, "http://x.example/", nil).WithContext(t.Context())
		first, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var second atomic.Bool
		go func() {
			resp, err := rt.RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			second.Store(true)
		}()
		synctest.Wait()
		if second.Load() {
			t.Error("a second request went out while the first answer was unread")
		}
		_, _ = io.ReadAll(first.Body) // to its end; not closed
		synctest.Wait()
		if !second.Load() {
			t.Error("the place was not given back at the end of the answer")
		}
		_ = first.Body.Close()
		if got := rt.(*pace).limiter.inFlight(); got != 0 {
			t.Errorf("%d in flight after the end, want 0: a place was given back twice or never", got)
		}
	})
}

func TestALiveStreamTakesNoPlace(t *testing.T) {
	a := &answers{status: 200}
	rt := paced(Options{Parallelism: 1}, a)
	open := httptest.NewRequest(http.MethodGet, "http://x.example/stream", nil)
	open.Header.Set("Accept", "text/event-stream")
	if _, err := rt.RoundTrip(open); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := rt.RoundTrip(httptest.NewRequest(http.MethodGet, "http://x.example/", nil).WithContext(ctx)); err != nil {
		t.Errorf("a request beside the open stream: %v", err)
	}
}

func TestAnInterruptEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: 200}
		rt := paced(Options{Parallelism: 1}, a)
		req := httptest.NewRequest(http.MethodGet, "http://x.example/", nil)
		first, err := rt.RoundTrip(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := rt.RoundTrip(req.WithContext(ctx)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's end", err)
		}
		_ = first.Body.Close()
		if limiter := rt.(*pace).limiter; limiter.inFlight() != 0 || limiter.limit != 1 {
			t.Errorf("left behind: %d in flight, limit %v", limiter.inFlight(), limiter.limit)
		}
	})
}

func TestABrokenAnswerIsAnOverload(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	}))
	defer s.Close()
	c := New(Options{Parallelism: 8})
	defer c.CloseIdleConnections()
	resp, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want a cut answer", err)
	}
	if got := c.Transport.(*pace).limiter.limit; got != 4 {
		t.Errorf("limit %v, want 4", got)
	}
}

func TestTheLimitIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 6).Draw(t, "most")
		limiter := newLimiter(most)
		var rounds []int
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0: // ask, without waiting
				ctx, cancel := context.WithCancel(context.Background())
				if limiter.inFlight() >= int(limiter.limit) {
					cancel()
				}
				round, err := limiter.take(ctx)
				cancel()
				if err == nil {
					rounds = append(rounds, round)
				}
			case 1:
				if len(rounds) > 0 {
					rounds = rounds[1:]
					limiter.give()
				}
			case 2:
				if len(rounds) > 0 {
					limiter.overloaded(rounds[0])
				}
			case 3:
				limiter.succeeded()
			}
			if limiter.inFlight() != len(rounds) || limiter.inFlight() > most || limiter.limit < 1 || limiter.limit > float64(limiter.most) {
				t.Fatalf("%d in flight (%d taken), limit %v of %d", limiter.inFlight(), len(rounds), limiter.limit, most)
			}
		}
	})
}
