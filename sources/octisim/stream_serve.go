package octisim

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// streaming is what the live streams need. It is guarded by Sim.mu.
type streaming struct {
	listeners map[*listener]bool
	faults    []*liveFault
	servers   map[*http.Server]bool // those that end the streams when they shut down
	down      bool
	served    int // connections so far
}

func newStreaming() streaming {
	return streaming{listeners: map[*listener]bool{}, servers: map[*http.Server]bool{}}
}

// verdict is how a connection goes on.
type verdict int

const (
	goesOn verdict = iota
	ended          // the body ends as it should
	cutOff         // the connection breaks in the middle of the body
)

// batchSize is how many events are read at once, after which the collection is read again.
const batchSize = 100

// listener is one connection to a stream. All but out is guarded by Sim.mu.
type listener struct {
	sim  *Sim
	id   string // of the stream
	name string // of the connection
	user *User  // as it was on connect; nil is anonymous
	streamOptions
	admission
	allowed map[*marking]bool
	backlog []*indicator // of a recovery, still to be sent
	sent    sentCache
	out     []byte // to be written
	cut     context.CancelFunc

	at        position // reading goes on after it
	connected bool
	silent    bool // nothing is sent any more
	useless   bool // no events are sent any more
	verdict   verdict

	now                    time.Time // of this step
	began, eventAt, beatAt time.Time
	read, delivered        int // events
}

// stream serves GET /stream/{id} (contract opencti-api 5): until the client goes, the server ends,
// the stream is stopped, or a fault says so.
func (s *Sim) stream(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	l, no := s.listen(r, cancel)
	if no != nil {
		no.answer(w)
		return
	}
	defer s.leaves(l)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("Connection", "keep-alive")
	w.WriteHeader(http.StatusOK)

	conn := http.NewResponseController(w)
	// A client that does not read must not hold a connection that is over.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		bell, wait := s.step(l)
		if len(l.out) > 0 {
			if _, err := w.Write(l.out); err != nil {
				return
			}
			if err := conn.Flush(); err != nil {
				return
			}
			l.out = l.out[:0]
		}
		switch {
		case l.verdict == ended:
			return
		case l.verdict == cutOff:
			hangUp(w)
			return
		case wait == 0:
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-bell:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			if r.Context().Err() == nil { // cut from this side
				hangUp(w)
			}
			return
		}
	}
}

// hangUp breaks the connection, so that the body never ends.
func hangUp(w http.ResponseWriter) {
	if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = c.Close()
		return
	}
	panic(http.ErrAbortHandler)
}

// listen admits a client. Cut is called to break its connection.
func (s *Sim) listen(r *http.Request, cut context.CancelFunc) (*listener, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endWith(r)
	id := r.PathValue("id")
	u := s.holder(bearer(r))
	a, no := s.admitted(u, id)
	if no != nil {
		return nil, no
	}
	o, err := readStreamOptions(r)
	if err != nil {
		return nil, &refusal{http.StatusInternalServerError, err.Error()}
	}
	s.live.served++
	now := time.Now()
	l := &listener{
		sim: s, id: id, name: uuid.NewSHA1(idSpace, []byte("connection "+strconv.Itoa(s.live.served))).String(), user: u, streamOptions: o, admission: a, allowed: s.allowed(u),
		cut: cut, at: s.log.last(), began: now, eventAt: now, beatAt: now,
	}
	if o.start != nil {
		l.at = *o.start
	}
	s.live.listeners[l] = true
	return l, nil
}

// endWith makes the server of a request end the streams when it shuts down, which would otherwise
// wait for them.
func (s *Sim) endWith(r *http.Request) {
	if srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && !s.live.servers[srv] {
		s.live.servers[srv] = true
		srv.RegisterOnShutdown(s.CutStreams)
	}
}

func (s *Sim) leaves(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live.listeners, l)
}

// step brings a connection up to date. It gives what to wait for: the bell, or a time; none when
// there is more to do at once.
func (s *Sim) step(l *listener) (bell <-chan struct{}, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bell = s.log.bell()
	l.now = time.Now()
	if !l.connected {
		l.connected = true
		l.greet()
		l.recovery()
	}
	more := l.advance()
	l.beat()
	if more {
		return bell, 0
	}
	next := l.beatAt.Add(s.knobs.heartbeat())
	if at := l.eventAt.Add(s.knobs.idle()); at.Before(next) && !l.useless {
		next = at
	}
	return bell, max(next.Sub(l.now), time.Millisecond)
}

// advance sends the next events, and tells whether there may be more of them.
func (l *listener) advance() (more bool) {
	if l.useless {
		return false
	}
	if len(l.backlog) > 0 {
		l.recovered()
		return true
	}
	batch := l.sim.log.since(l.at, batchSize)
	switch {
	case len(batch) > 0:
		for i := range batch {
			l.event(&batch[i])
		}
		l.read += len(batch)
		l.at, l.eventAt = batch[len(batch)-1].at, l.now
		l.reread()
	case l.now.Sub(l.eventAt) >= l.sim.knobs.idle():
		l.jump()
		l.reread()
	default:
		l.check()
	}
	return len(batch) == batchSize
}

// jump moves the position to the platform's own clock, as it does when nothing happens (contract
// opencti-api 5.6). Events of the log's own clock that fall before it are lost.
func (l *listener) jump() {
	s := l.sim
	l.eventAt = l.now
	to := position{ms: momentOf(s.now().Add(s.knobs.StreamSkew))}
	if to.compare(l.at) <= 0 {
		return
	}
	l.at = to
	if s.knobs.StreamSkew == 0 && to.compare(s.log.floor) > 0 {
		s.log.floor = to
	}
}

// reread takes the collection as it is now; the user stays as it was on connect.
func (l *listener) reread() {
	a, no := l.sim.admitted(l.user, l.id)
	switch {
	case no == nil:
		l.admission = a
	case no.status == http.StatusInternalServerError:
		l.fail(no.reason)
	default:
		l.finish(ended)
	}
}

// check ends the connection when the stream is stopped or gone. A new filter waits for a batch.
func (l *listener) check() {
	if _, no := l.sim.admitted(l.user, l.id); no != nil && no.status != http.StatusInternalServerError {
		l.finish(ended)
	}
}

// greet is the first message: where the log begins and ends. It has no id.
func (l *listener) greet() {
	log := &l.sim.log
	l.emit(message{event: "connected", data: jsonText(jsonObject{
		"firstEventId": log.first().String(), "lastEventId": log.last().String(),
		"firstEventDate": log.first().ms, "lastEventDate": log.last().ms,
		"streamSize": len(log.events), "connectionId": l.name,
	})})
}

// beat tells the position when it is time to, and since 6.9.18 how fast things go.
func (l *listener) beat() {
	if l.now.Sub(l.beatAt) < l.sim.knobs.heartbeat() {
		return
	}
	l.beatAt = l.now
	at := l.at.String()
	l.emit(message{id: at, event: "heartbeat", data: jsonText(l.at.ms)})
	if l.sim.version.atLeast("6.9.18") {
		l.emit(message{id: at, event: "consumer_metrics", data: jsonText(jsonObject{
			"productionRate": l.rate(l.read), "deliveryRate": l.rate(l.delivered), "processingRate": l.rate(l.read), "resolutionRate": l.rate(0),
			"timeLag": 0, "estimatedOutOfDepth": 0,
		})})
	}
}

// rate is a count per second since the connection began.
func (l *listener) rate(n int) float64 {
	seconds := max(l.now.Sub(l.began), time.Second).Seconds()
	return math.Round(float64(n)/seconds*100) / 100
}

// fail tells the client of a failure, where the version does (contract opencti-api 5.3): then the
// connection lives on and is useless. Before 6.9.18 it ends.
func (l *listener) fail(text string) {
	if !l.sim.version.atLeast("6.9.18") {
		l.finish(ended)
		return
	}
	l.emit(l.failure(text))
	l.useless = true
}

func (l *listener) failure(text string) message {
	return message{event: "error", data: jsonText(jsonObject{"stream": l.id, "message": text})}
}

// orgRight is what the right to restrict to organisations is called here.
const orgRight = "KNOWLEDGE_KNUPDATE_KNORGARESTRICT"

// recovery answers the wish to be told of the past from the database, and lets the events go on from
// its end (contract opencti-api 5.7).
func (l *listener) recovery() {
	to := l.recover
	switch {
	case to == nil:
	case l.start == nil:
		l.fail("Recovery needs a start")
	case to.compare(*l.start) <= 0:
	case l.origin != nil:
		l.noRecovery()
	default:
		if err := l.scan(l.start.ms, to.ms); err != nil {
			l.fail(err.Error())
		} else if len(l.backlog) == 0 {
			l.at = *to
		}
	}
}

// noRecovery goes on from where the recovery would have ended: the database cannot tell who caused a
// change.
func (l *listener) noRecovery() {
	l.at = *l.recover
	if !l.sim.version.atLeast("7.260512.0") {
		return
	}
	if l.user == nil || !l.user.can(orgRight) {
		l.fail("You are not allowed to do this.")
		return
	}
	l.emit(message{id: position{ms: momentOf(l.sim.now())}.String(), event: "no-recover", data: jsonText(jsonObject{
		"stream": l.id, "message": "Recovery is not possible for a stream with filters on the origin", "resume_from": l.at.String(),
	})})
}

// scan finds what the recovery sends, the oldest first: the filter is evaluated as lists do it.
func (l *listener) scan(from, to moment) error {
	s := l.sim
	pass := predicate[*indicator](func(*indicator) bool { return true })
	if l.stored != nil {
		var err error
		if pass, err = compile(l.stored.withoutChanges(), databaseOf(s, indicatorColumns).key); err != nil {
			return err
		}
	}
	for _, i := range s.indicators.byStandard.list() {
		if !i.dead && i.updatedAt >= from && i.updatedAt <= to && i.visible(l.allowed) && pass(i) {
			l.backlog = append(l.backlog, i)
		}
	}
	slices.SortStableFunc(l.backlog, func(a, b *indicator) int {
		return cmp.Or(cmp.Compare(a.updatedAt, b.updatedAt), cmp.Compare(a.standard, b.standard))
	})
	return nil
}

// recovered sends the next part of a recovery.
func (l *listener) recovered() {
	n := min(len(l.backlog), batchSize)
	for _, i := range l.backlog[:n] {
		l.at = position{ms: i.updatedAt}
		l.depend(i, l.at)
		l.emit(message{id: l.at.String(), event: "create", data: l.extra(i, "init-create")})
	}
	if l.backlog = l.backlog[n:]; len(l.backlog) == 0 {
		l.at, l.eventAt = *l.recover, l.now
	}
}
