package opencti_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// A log of events that are further apart than a connection goes back, each behind a dependency with its
// id: wherever the first connection breaks, every event is told, and none is called safe before.
func TestNothingIsLostWhereverAStreamBreaks(t *testing.T) {
	const events = 3
	var log []string
	for n := range events {
		id := at(10 * (n + 1))
		log = append(log, event(id, "create", identity)+event(id, "update", indicator(fmt.Sprint("i", n))))
	}
	whole := strings.Join(log, "")
	for n := range len(whole) + 1 {
		connections := 0
		answer := func(r *http.Request) io.Reader {
			from, err := state.ParsePosition(r.URL.Query().Get("from"))
			if err != nil {
				t.Error(err)
			}
			switch connections++; connections {
			case 1:
				return io.MultiReader(strings.NewReader(whole[:n]), iotest.ErrReader(io.ErrUnexpectedEOF))
			case 2:
				var rest string
				for k := range log {
					if position(10*(k+1)).Compare(from) > 0 {
						rest += log[k]
					}
				}
				return strings.NewReader(rest + event(at(100), "heartbeat", "x"))
			}
			return nil
		}
		c := opencti.New(opencti.Options{HTTP: &http.Client{Transport: wired(answer)}, Retry: remote.Retry{Backoff: func(int) time.Duration { return 0 }}})
		told := map[string]bool{}
		for s := range c.Follow(t.Context(), opencti.FollowOptions{Stream: "s1", From: new(position(1))}) {
			switch s := s.(type) {
			case tail.Dirty:
				told[s.IDs[0]] = true
			case tail.Safe:
				for k := range events {
					if id := fmt.Sprint("i", k); position(10*(k+1)).Compare(s.Position) <= 0 && !told[id] {
						t.Fatalf("cut at %d: %s is called safe before %s was told", n, s.Position, id)
					}
				}
			}
		}
		if len(told) != events {
			t.Fatalf("cut at %d: only %v was told", n, told)
		}
	}
}

// wired answers requests with streams, without a network; nil is a stopped stream.
type wired func(*http.Request) io.Reader

func (f wired) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusGone, Status: "410 Gone", Header: http.Header{}, Body: http.NoBody, Request: r}
	if body := f(r); body != nil {
		resp.StatusCode, resp.Status, resp.Body = http.StatusOK, "200 OK", io.NopCloser(body)
		resp.Header.Set("Content-Type", "text/event-stream")
	}
	return resp, nil
}
