package opencti_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// wireless is a platform without a network, so that time can be driven: each connection is a function that
// writes a stream until it returns or writing fails.
type wireless struct {
	connections []func(ctx context.Context, w io.Writer) error
	n           int
}

// open gives the next connection. Those that are nil give no answer; after the last one the stream is
// stopped.
func (l *wireless) open(r *http.Request) io.Reader {
	if l.n++; l.n > len(l.connections) {
		return nil
	}
	serve := l.connections[l.n-1]
	if serve == nil {
		<-r.Context().Done()
		return iotest.ErrReader(r.Context().Err())
	}
	in, out := io.Pipe()
	go func() {
		<-r.Context().Done()
		_ = out.CloseWithError(r.Context().Err())
	}()
	go func() { _ = out.CloseWithError(serve(r.Context(), out)) }()
	return in
}

func (l *wireless) client(backoff func(int) time.Duration) *opencti.Client {
	return opencti.New(opencti.Options{URL: "http://opencti.example", Token: token, HTTP: &http.Client{Transport: wired(l.open), Timeout: time.Minute}, Retry: remote.Retry{Backoff: backoff}})
}

// every writes a text again and again, for ever if times is 0.
func every(d time.Duration, times int, text string) func(context.Context, io.Writer) error {
	return func(ctx context.Context, w io.Writer) error {
		for n := 0; times == 0 || n < times; n++ {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
}

// quiet writes nothing until the other side has gone.
func quiet(ctx context.Context, _ io.Writer) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestSilenceEndsAConnection(t *testing.T) {
	beat := event(at(20), "heartbeat", "x")
	tests := []struct {
		name   string
		serve  func(context.Context, io.Writer) error
		lasts  time.Duration
		silent bool
	}{
		{"nothing at all", quiet, 45 * time.Second, true},
		{"no answer", nil, 45 * time.Second, true},
		{"messages, then nothing", func(ctx context.Context, w io.Writer) error {
			_ = every(5*time.Second, 4, beat)(ctx, w)
			return quiet(ctx, w)
		}, 60 * time.Second, true},
		{"comments are silence", every(5*time.Second, 0, ": keep-alive\n\n"), 45 * time.Second, true},
		{"so are empty lines", every(5*time.Second, 0, "\n"), 45 * time.Second, true},
		{"messages of any name are not, for longer than a request may take", every(44*time.Second, 10, event(at(20), "news", "x")), 440 * time.Second, false},
		{"nor is a message that takes its time", func(ctx context.Context, w io.Writer) error {
			_, _ = io.WriteString(w, "id: 1-0\nevent: create\ndata: ")
			return every(30*time.Second, 10, strings.Repeat("x", 1000))(ctx, w)
		}, 300 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &wireless{connections: []func(context.Context, io.Writer) error{tt.serve}}
				began := time.Now()
				for s, err := range l.client(nil).Follow(t.Context(), opencti.FollowOptions{Stream: "s1"}) {
					if err != nil {
						t.Fatal(err)
					}
					lost, ok := s.(tail.Lost)
					if !ok {
						continue
					}
					if got := time.Since(began); got != tt.lasts {
						t.Errorf("the connection lasted %v, want %v", got, tt.lasts)
					}
					if tt.silent {
						says(t, lost.Err, `OpenCTI: live stream "s1": no message within 45s; check`)
					} else if !errors.Is(lost.Err, opencti.ErrStreamEnded) {
						t.Errorf("lost by %v", lost.Err)
					}
					return
				}
			})
		})
	}
}

func TestABusyCallerIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &wireless{connections: []func(context.Context, io.Writer) error{every(5*time.Second, 3, event(at(20), "update", indicator("a")))}}
		var got []string
		for s, err := range l.client(nil).Follow(t.Context(), opencti.FollowOptions{Stream: "s1"}) {
			switch s := s.(type) {
			case tail.Dirty:
				got = append(got, opencti.Tell(s))
				time.Sleep(10 * time.Minute)
			case tail.Lost:
				got = append(got, s.Err.Error())
			case nil:
				got = append(got, err.Error()[:26])
			}
		}
		a := "dirty a"
		if diff := cmp.Diff([]string{a, a, a, opencti.ErrStreamEnded.Error(), `OpenCTI: live stream "s1":`}, got); diff != "" {
			t.Errorf("signals (-want +got):\n%s", diff)
		}
	})
}

func TestWaitsGrowAndBeginAnewAfterAHealthySpell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short, long := every(5*time.Second, 2, event(at(20), "heartbeat", "x")), every(5*time.Second, 8, event(at(20), "heartbeat", "x"))
		l := &wireless{connections: []func(context.Context, io.Writer) error{short, short, nil, long, short, every(5*time.Second, 1, ": x\n"), long}}
		var asked []int
		var waits []time.Duration
		backoff := func(n int) time.Duration {
			asked = append(asked, n)
			return time.Duration(n+1) * time.Minute
		}
		var ended, pause time.Duration
		began := time.Now()
		for s, err := range l.client(backoff).Follow(t.Context(), opencti.FollowOptions{Stream: "s1"}) {
			if lost, ok := s.(tail.Lost); ok {
				waits = append(waits, lost.Wait)
				pause += lost.Wait
			}
			if err != nil {
				ended = time.Since(began)
			}
		}
		if diff := cmp.Diff([]int{0, 1, 2, 0, 1, 2, 0}, asked); diff != "" {
			t.Errorf("failures in a row (-want +got):\n%s", diff)
		}
		if open := (3*10 + 45 + 2*40 + 5) * time.Second; ended != open+pause || len(waits) != 7 {
			t.Errorf("took %v with waits of %v, want %v and the time connected, %v", ended, waits, pause, open)
		}
	})
}

func TestAnInterruptEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		l := &wireless{connections: []func(context.Context, io.Writer) error{every(time.Second, 1, "\n")}}
		var end error
		for _, err := range l.client(func(int) time.Duration { return time.Hour }).Follow(ctx, opencti.FollowOptions{Stream: "s1"}) {
			end = err
		}
		if end == nil || !errors.Is(end, ctx.Err()) || time.Since(began) != time.Minute {
			t.Errorf("ended by %v after %v", end, time.Since(began))
		}
	})
}
