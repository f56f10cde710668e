package octisim

import (
	"cmp"
	"net/http"
	"time"
)

// streamPeriod is how often the platform sends heartbeats, and how long it takes for nothing to have
// happened (contract opencti-api 5.3, 5.6).
const streamPeriod = 5 * time.Second

// StreamPeriods are how long a live stream waits.
type StreamPeriods struct {
	StreamHeartbeat time.Duration `json:"stream_heartbeat"` // between heartbeats; 5 s when 0
	StreamIdle      time.Duration `json:"stream_idle"`      // without events, until the position is the clock's; 5 s when 0
}

func (p *StreamPeriods) heartbeat() time.Duration {
	return cmp.Or(max(p.StreamHeartbeat, 0), streamPeriod)
}

func (p *StreamPeriods) idle() time.Duration { return cmp.Or(max(p.StreamIdle, 0), streamPeriod) }

// StreamKnobs are what can be turned of live streams beside their faults.
type StreamKnobs struct {
	StreamPeriods
	StreamSkew      time.Duration `json:"stream_skew"`       // the platform's clock against the log's, ahead when positive
	NullFilterFails bool          `json:"null_filter_fails"` // a stream without a filter is an internal failure, unless it is public
}

// StreamState is where the log of events stands, and who listens.
type StreamState struct {
	First       string // id of the oldest event kept
	Last        string // id of the newest
	Size        int    // events kept
	Connections int
}

// Stream tells where the live stream stands.
func (s *Sim) Stream() StreamState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return StreamState{s.log.first().String(), s.log.last().String(), len(s.log.events), len(s.live.listeners)}
}

// TrimLog forgets all events but the newest keep ones, at once. Nobody is told.
func (s *Sim) TrimLog(keep int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.trim(keep)
}

// CutStreams breaks every connection of a stream in the middle of its body, as the end of the process
// would.
func (s *Sim) CutStreams() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.live.listeners {
		l.cut()
	}
}

// Down takes the platform down: connections of streams break, and every further request is cut off
// until Up. What it stores stays, and its controls go on.
func (s *Sim) Down() {
	s.setDown(true)
	s.CutStreams()
}

// Up ends what Down began.
func (s *Sim) Up() { s.setDown(false) }

func (s *Sim) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.down = down
}

// whileUp cuts the requests off that come while the platform is down.
func (s *Sim) whileUp(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		down := s.live.down
		s.mu.Unlock()
		if down {
			hangUp(w)
			return
		}
		next(w, r)
	}
}
