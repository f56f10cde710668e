package metrics_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/cmd/metrics"
)

func answerOf(s *metrics.Server, method, path string) (code int, body string) {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

// What is served is what the file holds, from the first run on.
func TestServesWhatTheFileHolds(t *testing.T) {
	s := new(metrics.Server)
	if code, body := answerOf(s, http.MethodGet, "/metrics"); code != http.StatusOK || body != "" {
		t.Errorf("before the first run: %d %q", code, body)
	}
	r := metrics.Report{Ended: ended, LastSuccess: ended, InSync: new(true), Failed: 3}
	s.Publish(&r)
	if code, body := answerOf(s, http.MethodGet, "/metrics"); code != http.StatusOK || body != written(t, r) {
		t.Errorf("%d, not the text of the file:\n%s", code, body)
	}
	for path, want := range map[string]int{"/": http.StatusNotFound, "/debug/pprof/": http.StatusNotFound, "/metrics/": http.StatusNotFound} {
		if code, _ := answerOf(s, http.MethodGet, path); code != want {
			t.Errorf("GET %s: %d, want %d", path, code, want)
		}
	}
	if code, _ := answerOf(s, http.MethodPost, "/metrics"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(metrics.Server)
		s.Expect(time.Hour)
		healthy := func(when string, want int, says string) {
			t.Helper()
			if code, body := answerOf(s, http.MethodGet, "/healthz"); code != want || !strings.Contains(body, says) {
				t.Errorf("%s: %d %q, want %d with %q", when, code, body, want, says)
			}
		}
		healthy("before a run has ended", 503, "no run has ended in sync yet")
		s.Publish(&metrics.Report{Ended: time.Now(), ExitCode: 8})
		healthy("after one that failed", 503, "no run has ended in sync yet")
		s.Publish(&metrics.Report{Ended: time.Now(), LastSuccess: time.Now(), InSync: new(true)})
		healthy("after a good one", 200, "ok: in sync 0s ago")
		time.Sleep(30 * time.Minute)
		failed := metrics.Report{Ended: time.Now(), ExitCode: 8}
		s.Publish(&failed)
		healthy("half an hour later, after one that failed", 200, "in sync 30m0s ago")
		if want := time.Now().Add(-30 * time.Minute); !failed.LastSuccess.Equal(want) {
			t.Errorf("the metrics forget the last success: %s, want %s", failed.LastSuccess, want)
		}
		s.Watch(func() error { return nil })
		healthy("with the lock", 200, "ok")
		s.Watch(func() error { return errors.New("token-in-an-error") })
		healthy("without the lock", 503, "the lock is not held")
		if _, body := answerOf(s, http.MethodGet, "/healthz"); strings.Contains(body, "token") {
			t.Errorf("the answer repeats an error: %s", body)
		}
		s.Watch(nil)
		time.Sleep(31 * time.Minute)
		healthy("too late", 503, "1h1m0s ago, at most 1h0m0s")
	})
}
