package httpclient_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
)

// A side that allows so many requests a second and says so gets nearly as many, and each is sent few
// times: workers that were told to come back do not come back together.
func TestRequestsSpreadUnderACeiling(t *testing.T) {
	const gap, want = 5 * time.Millisecond, 60
	var mu sync.Mutex
	var next time.Time
	seen := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen++
		if time.Now().Before(next) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		next = time.Now().Add(gap)
	})
	c := newClient(t, httpclient.Options{MostGap: 50 * time.Millisecond})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for done := 0; done < want/8; {
				code, _, err := get(c, s.URL)
				if err != nil {
					t.Error(err)
					return
				}
				if code == http.StatusOK {
					done++
				}
			}
		})
	}
	wait.Wait()
	if seen > 2*want {
		t.Errorf("%d requests for %d that count", seen, want)
	}
}

// Everybody waits as long as one was told to.
func TestARefusalHoldsEverybodyBack(t *testing.T) {
	var mu sync.Mutex
	var told time.Time
	early := 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case told.IsZero():
			told = time.Now()
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case time.Since(told) < 900*time.Millisecond:
			early++
		}
	})
	c := newClient(t, httpclient.Options{})
	if code, _, err := get(c, s.URL); err != nil || code != http.StatusTooManyRequests {
		t.Fatalf("%d, %v", code, err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if _, _, err := get(c, s.URL); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if early > 0 {
		t.Errorf("%d requests came before the second was over", early)
	}
}
