package simhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// status remembers the code of an answer and lets a stream flush through. A stream is noted when it
// begins, anything else when it is answered.
type status struct {
	http.ResponseWriter
	c    int
	note func()
}

func (s *status) WriteHeader(c int) {
	if s.c == 0 {
		s.c = c
	}
	s.ResponseWriter.WriteHeader(c)
}

func (s *status) code() int { return cmp.Or(s.c, http.StatusOK) }

// Answered tells the status of an answer that the handler is about to write to the connection itself.
func (s *status) Answered(c int) {
	s.c = c
	s.note()
}

// Unwrap lets http.ResponseController find the connection.
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// FlushError passes on what a streaming handler has written.
func (s *status) FlushError() error {
	s.note()
	return http.NewResponseController(s.ResponseWriter).Flush()
}

// Flush is FlushError for those who do not want to know.
func (s *status) Flush() { _ = s.FlushError() }

// carryOut lets the simulator do what r asks, and keeps the answer. A stream has no end to wait for: it
// is left once it has said something.
func (h *Handler) carryOut(r *http.Request) *buffer {
	ctx, leave := context.WithCancel(r.Context())
	defer leave()
	b := &buffer{header: http.Header{}, code: http.StatusOK, leave: leave}
	h.next.ServeHTTP(b, r.WithContext(ctx))
	return b
}

// buffer holds an answer back so that it can be cut or thrown away.
type buffer struct {
	header http.Header
	body   bytes.Buffer
	code   int
	leave  context.CancelFunc
}

func (b *buffer) Header() http.Header         { return b.header }
func (b *buffer) WriteHeader(c int)           { b.code = c }
func (b *buffer) Write(p []byte) (int, error) { return b.body.Write(p) }

// Flush ends the request of a stream.
func (b *buffer) Flush() {
	if b.body.Len() > 0 {
		b.leave()
	}
}

// JSON answers with a value as JSON, without the escapes that only HTML needs.
func JSON(w http.ResponseWriter, code int, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // a simulator's own values always encode
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the client may have gone away
}

// Page answers with a page for people.
func Page(w http.ResponseWriter, code int, html string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, html+"\n")
}
