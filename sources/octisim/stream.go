package octisim

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// PutStream stores a stream collection, or replaces the one with its id, and gives the id, which is
// made when empty.
func (s *Sim) PutStream(in Stream) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ID == "" {
		in.ID = s.newID()
	}
	s.streams[in.ID] = &in
	s.log.ring()
	return in.ID
}

// DeleteStream forgets a stream collection. It is false for an unknown id.
func (s *Sim) DeleteStream(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.streams[id]
	delete(s.streams, id)
	s.log.ring()
	return ok
}

var streamInfoFields = map[string]resolver{
	"lastEventId":    on(func(l *eventLog) any { return l.last().String() }),
	"firstEventId":   on(func(l *eventLog) any { return l.first().String() }),
	"lastEventDate":  on(func(l *eventLog) any { return l.last().ms }),
	"firstEventDate": on(func(l *eventLog) any { return l.first().ms }),
	"streamSize":     on(func(l *eventLog) any { return len(l.events) }),
}

// refusal is why a stream is not served: a status, and words that stand in the status line only
// (contract opencti-api 5.2).
type refusal struct {
	status int
	reason string
}

func unauthorised(reason string) *refusal { return &refusal{http.StatusUnauthorized, reason} }

// holder is the user with a token that counts now; nil is nobody.
func (s *Sim) holder(token string) *User {
	for _, u := range s.users {
		if token != "" && u.Token == token && u.valid(s.version, s.now()) {
			return u
		}
	}
	return nil
}

// admission is what a collection lets a user see: its filter, as it is stored and as it is evaluated,
// and the one on who caused a change; nil is none.
type admission struct {
	stored, origin *filterGroup
	filter         *liveFilter
}

// admitted tells whether a user may follow a stream as things are.
func (s *Sim) admitted(u *User, id string) (admission, *refusal) {
	st, no := s.reach(u, id)
	if no != nil {
		return admission{}, no
	}
	if !st.Live {
		return admission{}, &refusal{http.StatusGone, "This live stream is stopped"}
	}
	var a admission
	var err, err2 error
	a.stored, err = parseStored(st.Filters)
	if s.version.atLeast("7.260507.0") {
		a.origin, err2 = parseStored(st.OriginFilters)
	}
	if err = cmp.Or(err, err2); err == nil && a.stored == nil && s.knobs.NullFilterFails && !st.Public {
		err = errors.New(`"undefined" is not valid JSON`)
	}
	if err == nil {
		if wanted := a.stored.markings(); len(wanted) > 0 && !s.allowsOne(u, wanted) {
			return a, unauthorised("You need access to one of the markings of this live stream")
		}
		a.filter, err = compileLive(s.version, a.stored)
	}
	if err != nil {
		return admission{}, &refusal{http.StatusInternalServerError, err.Error()}
	}
	return a, nil
}

// reach finds the collection with an id, if the user may know it.
func (s *Sim) reach(u *User, id string) (*Stream, *refusal) {
	if u != nil && u.OTPPending {
		return nil, unauthorised("You must provide a one-time password")
	}
	st := s.streams[id]
	switch {
	case st == nil:
		return nil, unauthorised("This live stream does not exist")
	case st.Public:
	case u == nil:
		return nil, unauthorised("You are not authenticated, please check your credentials")
	case !u.can("TAXIIAPI"), len(st.Members) > 0 && !u.bypass() && !slices.Contains(st.Members, u.ID):
		return nil, unauthorised("You are not authorized to access this stream")
	}
	return st, nil
}

// allowsOne tells whether the user may see one of the markings, which are internal ids.
func (s *Sim) allowsOne(u *User, ids []string) bool {
	allowed := s.allowed(u)
	return allowed == nil || slices.ContainsFunc(ids, func(id string) bool {
		m, ok := s.items[id].(*marking)
		return ok && allowed[m]
	})
}

func (u *User) bypass() bool { return slices.Contains(u.Capabilities, "BYPASS") }

// answer writes the refusal: no body, and the reason in the status line, which takes the connection
// itself. Where there is none, the status stands alone.
func (f *refusal) answer(w http.ResponseWriter) {
	if n, ok := w.(interface{ Answered(status int) }); ok {
		n.Answered(f.status)
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(f.status)
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 "+strconv.Itoa(f.status)+" "+f.reason+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	_ = c.Close()
}

// streamOptions are what a client asks of a stream (contract opencti-api 5.1).
type streamOptions struct {
	start, recover *position // nil is not given
	dependencies   bool
	deletes        bool
}

// errStart says that a start or a recovery is neither an event id nor a date.
var errStart = errors.New("the start of the stream is neither an event id nor a date")

// readStreamOptions reads each option from the query, then from the headers; an empty one counts as
// absent. Switches are compared exactly. Inferences are not asked for: nothing is inferred here.
func readStreamOptions(r *http.Request) (streamOptions, error) {
	query := r.URL.Query()
	option := func(names, headers []string) string {
		for _, n := range names {
			if v := query.Get(n); v != "" {
				return v
			}
		}
		for _, n := range headers {
			if v := r.Header.Get(n); v != "" {
				return v
			}
		}
		return ""
	}
	dependencies := []string{"no-dependencies", "no-relationships"}
	deletes := []string{"listen-delete"}
	o := streamOptions{
		dependencies: option(dependencies, dependencies) != "true",
		deletes:      option(deletes, deletes) != "false",
	}
	var err, err2 error
	o.start, err = parsePosition(option([]string{"from"}, []string{"from", "last-event-id"}))
	o.recover, err2 = parsePosition(option([]string{"recover"}, []string{"recover", "recover-date"}))
	return o, errors.Join(err, err2)
}

// parsePosition reads an event id, 0 for the oldest, or a date; empty is none.
func parsePosition(s string) (*position, error) {
	if s == "" {
		return nil, nil
	}
	ms, seq, parts := strings.Cut(s, "-")
	if n, err := strconv.ParseInt(ms, 10, 64); err == nil && n >= 0 {
		if !parts {
			seq = "0"
		}
		if m, err := strconv.Atoi(seq); err == nil && m >= 0 {
			return &position{moment(n), m}, nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return &position{ms: max(momentOf(t), 0)}, nil
		}
	}
	return nil, errStart
}

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
		down, proxy := s.live.down, s.knobs.DownStatus
		s.mu.Unlock()
		switch {
		case !down:
			next(w, r)
		case proxy > 0:
			http.Error(w, http.StatusText(proxy), proxy)
		default:
			hangUp(w)
		}
	}
}
