// Package simhttp is what both platform simulators share below their APIs: latency, a rate ceiling,
// fault injection and a log of requests. It knows neither platform.
package simhttp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Fault tells how matching requests go wrong. A fault takes a request if Method, Path and Body all
// match; the first fault that is still live wins.
type Fault struct {
	Method string `json:"method,omitempty"` // exact; empty matches any
	Path   string `json:"path,omitempty"`   // regular expression on the path with its query
	Body   string `json:"body,omitempty"`   // regular expression on the request body
	Skip   int    `json:"skip,omitempty"`   // matching requests let through first
	Times  int    `json:"times,omitempty"`  // then so many fail; 0 means every one
	Do     Action `json:"do"`

	Status  int               `json:"status,omitempty"`  // for Answer
	Header  map[string]string `json:"header,omitempty"`  // for Answer
	Payload string            `json:"payload,omitempty"` // for Answer
	Delay   time.Duration     `json:"delay,omitempty"`   // nanoseconds; applies before any action
}

// Action is what a fault does to a request.
type Action string

const (
	// Answer replies with Status, Header and Payload; the request is not carried out.
	Answer Action = "answer"
	// Reset cuts the connection before the request is carried out.
	Reset Action = "reset"
	// ResetAfter carries the request out and cuts the connection instead of answering.
	ResetAfter Action = "reset_after"
	// Cut carries the request out and sends half of the answer under its full Content-Length.
	Cut Action = "cut"
	// Truncate carries the request out and sends half of the answer as if that were all of it.
	Truncate Action = "truncate"
	// AnswerAfter carries the request out, then replies like Answer.
	AnswerAfter Action = "answer_after"
	// Slow only waits for Delay.
	Slow Action = "slow"
)

// Request is one line of the log.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	Op     string `json:"op,omitempty"` // GraphQL operation name
	Fault  Action `json:"fault,omitempty"`
	Status int    `json:"status"`
}

// Handler wraps a simulator. The zero value is not usable; call Wrap.
type Handler struct {
	next http.Handler

	mu       sync.Mutex
	latency  time.Duration
	interval time.Duration // least distance between requests; 0 is none
	nextSlot time.Time
	faults   []*live
	log      []Request
	keepLog  bool
	count    int
}

type live struct {
	Fault
	path, body *regexp.Regexp
	seen       int
}

// Wrap puts latency, faults and the log in front of next.
func Wrap(next http.Handler) *Handler { return &Handler{next: next, keepLog: true} }

// SetLatency makes every request take at least d.
func (h *Handler) SetLatency(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.latency = d
}

// SetRate answers 429 with Retry-After 1 to what exceeds perSecond; 0 is no ceiling.
func (h *Handler) SetRate(perSecond float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.interval = 0
	if perSecond > 0 {
		h.interval = time.Duration(float64(time.Second) / perSecond)
	}
}

// SetLog switches the log of single requests on or off; the count goes on. It is on at first.
func (h *Handler) SetLog(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keepLog = on
}

// Fail adds a fault. Its regular expressions must compile.
func (h *Handler) Fail(f Fault) error {
	l := &live{Fault: f}
	var err, err2 error
	l.path, err = regexp.Compile(f.Path)
	l.body, err2 = regexp.Compile(f.Body)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, l)
	return nil
}

// Heal removes every fault.
func (h *Handler) Heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// Requests is the log since the last Forget, and Count the number of requests in it.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Request(nil), h.log...)
}

// Count is the number of requests since the last Forget, control requests left out.
func (h *Handler) Count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// Forget empties the log.
func (h *Handler) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log, h.count = nil, 0
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Path) >= 6 && r.URL.Path[:6] == "/_sim/" {
		h.control(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f, wait, busy := h.admit(r, body)
	if !Wait(r, wait) {
		return
	}
	if busy {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		h.note(r, body, "", http.StatusTooManyRequests)
		return
	}
	if f == nil {
		rec := &status{ResponseWriter: w}
		rec.note = sync.OnceFunc(func() { h.note(r, body, "", rec.code()) })
		h.next.ServeHTTP(rec, r)
		rec.note()
		return
	}
	h.note(r, body, f.Do, f.Status)
	h.act(f, w, r)
}

// admit picks the fault for r and says how long r has to wait.
func (h *Handler) admit(r *http.Request, body []byte) (f *Fault, wait time.Duration, busy bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wait = h.latency
	for _, l := range h.faults {
		if l.Method != "" && l.Method != r.Method || !l.path.MatchString(r.URL.RequestURI()) || !l.body.Match(body) {
			continue
		}
		l.seen++
		if l.seen <= l.Skip || l.Times > 0 && l.seen > l.Skip+l.Times {
			continue
		}
		return &l.Fault, wait + l.Delay, false
	}
	if h.interval > 0 {
		now := time.Now()
		if h.nextSlot.After(now) {
			return nil, wait, true
		}
		h.nextSlot = now.Add(h.interval)
	}
	return nil, wait, false
}

// Wait lets time go by; it is false when the client went first.
func Wait(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	const exactly = 2 * time.Millisecond // of the end
	until := time.Now().Add(d)
	t := time.NewTimer(d - exactly)
	defer t.Stop()
	select {
	case <-t.C:
		nap(time.Until(until))
		time.Sleep(time.Until(until)) // nothing is left, but where a test holds the clock
		return true
	case <-r.Context().Done():
		return false
	}
}

func (h *Handler) act(f *Fault, w http.ResponseWriter, r *http.Request) {
	switch f.Do {
	case Answer:
		reply(f, w)
	case AnswerAfter:
		h.carryOut(r)
		reply(f, w)
	case Reset:
		hangUp(w)
	case ResetAfter:
		h.carryOut(r)
		hangUp(w)
	case Cut, Truncate:
		b := h.carryOut(r)
		for k, v := range b.header {
			w.Header()[k] = v
		}
		whole := b.body.Bytes()
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
		if f.Do == Truncate {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)/2))
		}
		w.WriteHeader(b.code)
		_, _ = w.Write(whole[:len(whole)/2])
	default: // Slow has already waited
		h.next.ServeHTTP(w, r)
	}
}

func reply(f *Fault, w http.ResponseWriter) {
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusOK))
	_, _ = io.WriteString(w, f.Payload)
}

func hangUp(w http.ResponseWriter) {
	hj, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	c, _, err := hj.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // a reset, not a polite end
	}
	_ = c.Close()
}

var opName = regexp.MustCompile(`(?:query|mutation)\s+(\w+)`)

func (h *Handler) note(r *http.Request, body []byte, a Action, code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	if !h.keepLog {
		return
	}
	e := Request{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Fault: a, Status: code}
	if m := opName.FindSubmatch(body); m != nil {
		e.Op = string(m[1])
	}
	h.log = append(h.log, e)
}

// control serves /_sim/: POST and DELETE faults, GET and DELETE requests, PUT latency and rate. A
// simulator's own controls live under other names and are passed on.
func (h *Handler) control(w http.ResponseWriter, r *http.Request) {
	var err error
	switch r.Method + " " + r.URL.Path {
	case "POST /_sim/faults":
		var f Fault
		if err = json.NewDecoder(r.Body).Decode(&f); err == nil {
			err = h.Fail(f)
		}
	case "DELETE /_sim/faults":
		h.Heal()
	case "GET /_sim/requests":
		JSON(w, http.StatusOK, map[string]any{"count": h.Count(), "requests": h.Requests()})
	case "DELETE /_sim/requests":
		h.Forget()
	case "PUT /_sim/latency":
		var d time.Duration
		if d, err = time.ParseDuration(r.FormValue("d")); err == nil {
			h.SetLatency(d)
		}
	case "PUT /_sim/rate":
		var n float64
		if n, err = strconv.ParseFloat(r.FormValue("n"), 64); err == nil {
			h.SetRate(n)
		}
	default:
		h.next.ServeHTTP(w, r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}
