package metrics

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// Server serves the metrics of the last run of a process that goes on, and whether it may be relied on. The zero value
// has nothing to tell yet; all methods may be called at once.
type Server struct {
	mu      sync.Mutex
	last    prometheus.Gatherer // nil before the first run has ended
	success time.Time
	most    time.Duration
	check   func() error
}

// Publish serves a report from now on. Of several reports the latest success counts, and is each one's.
func (s *Server) Publish(r *Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.LastSuccess.Before(s.success) {
		r.LastSuccess = s.success
	}
	s.success, s.last = r.LastSuccess, r.All()
}

// Expect says how long ago the last success may be.
func (s *Server) Expect(most time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most = most
}

// Watch says what finds out whether the lock is held; nil is nothing, while no lock is.
func (s *Server) Watch(check func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.check = check
}

// Handler answers GET at /metrics and /healthz.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", s.health)
	return mux
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	w.Header().Set("Content-Type", string(format))
	if last == nil {
		return
	}
	families, err := last.Gather()
	if err != nil {
		http.Error(w, "the metrics cannot be gathered", http.StatusInternalServerError)
		return
	}
	enc := expfmt.NewEncoder(w, format)
	for _, f := range families {
		if enc.Encode(f) != nil {
			return // nobody reads any more
		}
	}
}

// health answers 200 or 503, and in one line why.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	success, most, check := s.success, s.most, s.check
	s.mu.Unlock()
	age := time.Since(success).Round(time.Second)
	answer := func(code int, format string, args ...any) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		fmt.Fprintf(w, format+"\n", args...)
	}
	switch {
	case check != nil && check() != nil:
		answer(http.StatusServiceUnavailable, "unhealthy: the lock is not held, so nothing is written")
	case success.IsZero():
		answer(http.StatusServiceUnavailable, "unhealthy: no run has ended in sync yet")
	case age > most:
		answer(http.StatusServiceUnavailable, "unhealthy: the last run that ended in sync was %s ago, at most %s is expected", age, most)
	default:
		answer(http.StatusOK, "ok: in sync %s ago", age)
	}
}
