package octisim

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// dial follows a stream over the network and gives the response once it has begun.
func dial(t testing.TB, url string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	simtest.Fine(t, err)
	r.Header.Set("Authorization", "Bearer t")
	a, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	simtest.Fine(t, err)
	t.Cleanup(func() { a.Body.Close() })
	if a.StatusCode != 200 {
		t.Fatalf("status %s", a.Status)
	}
	return a
}

// countEvents reads on until so many objects were created, and counts them.
func countEvents(r io.Reader, n int) (got int, err error) {
	lines := bufio.NewReaderSize(r, 1<<20)
	for got < n {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return got, err
		}
		if strings.HasPrefix(string(line), "event: create") {
			got++
		}
	}
	return got, nil
}

// A server that ends does not wait for its streams, which would not end by themselves.
func TestStreamsEndWithTheirServer(t *testing.T) {
	tests := []struct {
		name string
		end  func(srv *http.Server) error
		want error // of the body
	}{
		{"shutdown", func(srv *http.Server) error { return srv.Shutdown(context.Background()) }, io.ErrUnexpectedEOF},
		{"close", func(srv *http.Server) error { return srv.Close() }, nil}, // any error
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{Token: "t"})
			s.PutStream(Stream{ID: "s", Live: true})
			srv := httptest.NewServer(s)
			t.Cleanup(srv.Close)
			a, b := dial(t, srv.URL+"/stream/s"), dial(t, srv.URL+"/stream/s")
			simtest.Fine(t, tt.end(srv.Config))
			for _, r := range []*http.Response{a, b} {
				if _, err := io.ReadAll(r.Body); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("the body ended with %v", err)
				}
			}
		})
	}
}

// A client that reads nothing holds no connection that is over.
func TestAClientThatDoesNotReadIsLeft(t *testing.T) {
	s := New(Options{Token: "t"})
	s.PutStream(Stream{ID: "s", Live: true})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	in := deployed("a")
	in.Description = strings.Repeat("x", 1<<20)
	s.Put(in)
	for i := range 100 {
		s.Edit("a", func(i2 *Indicator) { i2.Score = new(i) })
	}
	dial(t, srv.URL+"/stream/s?from=0")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	simtest.Is(t, "shutdown", nil, srv.Config.Shutdown(ctx))
}

func TestABurstReachesSeveralClients(t *testing.T) {
	const clients, events = 4, 10_000
	s := New(Options{Token: "t"})
	s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(wanted()...)})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	var wg sync.WaitGroup
	for range clients {
		r := dial(t, srv.URL+"/stream/s?no-dependencies=true&from=0")
		wg.Go(func() {
			if n, err := countEvents(r.Body, events); n != events || err != nil {
				t.Errorf("%d of %d events, %v", n, events, err)
			}
		})
	}
	for i := range events {
		s.Put(deployed(fmt.Sprintf("i%d", i)))
	}
	wg.Wait()
}
