package octisim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harfangsync/harfangsync/sources/simhttp"
)

func (s *Sim) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc(s.base+"/graphql", s.whileUp(s.graphql))
	mux.HandleFunc("GET "+s.base+"/stream/{id}", s.whileUp(s.stream))
	s.controls(mux)
	return mux
}

// graphqlRequest is the body of a GraphQL request.
type graphqlRequest struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

func (s *Sim) graphql(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
	case r.Method == http.MethodGet && !s.atLeast("7.260722.0"):
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		writeJSON(w, http.StatusMethodNotAllowed, []byte(`{"name":"MethodNotAllowedError","message":"Method not allowed"}`))
		return
	}
	q, ok := s.read(w, r)
	if !ok {
		return
	}
	if dead, code := s.deadWork(r.Header.Get("opencti-work-id")); dead {
		refuse(w, http.StatusInternalServerError, code, "Work is not alive")
		return
	}
	there, back := s.hooks(q)
	if !simhttp.Wait(r, there) {
		return
	}
	answer := s.ask(bearer(r), q)
	if simhttp.Wait(r, back) {
		writeJSON(w, http.StatusOK, answer)
	}
}

func (s *Sim) atLeast(v string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version.atLeast(v)
}

// deadWork tells whether a request is tied to a work that is no longer there.
func (s *Sim) deadWork(id string) (dead bool, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	code = "INTERNAL_SERVER_ERROR"
	if s.version.atLeast("6.9.19") {
		code = "WORK_NOT_ALIVE"
	}
	return id != "" && s.work(id) == nil, code
}

// read takes the GraphQL request out of a request, or answers what is none.
func (s *Sim) read(w http.ResponseWriter, r *http.Request) (graphqlRequest, bool) {
	var q graphqlRequest
	if r.Method == http.MethodGet {
		q.Query, q.OperationName = r.FormValue("query"), r.FormValue("operationName")
		if v := r.FormValue("variables"); v != "" && decode([]byte(v), &q.Variables) != nil {
			refuse(w, http.StatusBadRequest, "BAD_REQUEST", "The variables search parameter contains invalid JSON.")
			return q, false
		}
		return q, true
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			page413(w)
		}
		return q, false
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	trimmed := bytes.TrimSpace(body)
	switch {
	case kind != "application/json" || len(trimmed) == 0:
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "POST body missing, invalid Content-Type, or JSON object has no keys.")
		return q, false
	case !json.Valid(trimmed) || trimmed[0] != '{' && trimmed[0] != '[': // the body parser takes objects and lists only
		writeJSON(w, http.StatusInternalServerError, []byte(`{"status":"error","error":"Unexpected end of JSON input"}`))
		return q, false
	case trimmed[0] == '[':
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "Operation batching disabled.")
		return q, false
	}
	if err := decode(trimmed, &q); err != nil {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "`variables` in a POST body must be an object; `query` must be a string.")
		return q, false
	}
	if q.Query == "" {
		refuse(w, http.StatusBadRequest, "BAD_REQUEST", "GraphQL operations must contain a non-empty `query` or a `persistedQuery` extension.")
		return q, false
	}
	return q, true
}

func decode(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

func page413(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	simhttp.Page(w, http.StatusRequestEntityTooLarge, "<!DOCTYPE html>\n<html lang=\"en\"><body><pre>PayloadTooLargeError: request entity too large</pre></body></html>")
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, refused((&failure{code: code, message: message}).problem()))
}

func writeJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || strings.HasPrefix(token, "ey") { // that is taken for a JWT, which nobody here has
		return ""
	}
	return token
}

// hooks calls BeforePage for every listing that a request asks for, and gives the time that what it asks
// for takes: until it is looked at, and from then on.
func (s *Sim) hooks(q graphqlRequest) (there, back time.Duration) {
	s.mu.Lock()
	var asked []*ast.Field
	if d, ps := s.document(q.Query); ps == nil {
		if op, f := d.operation(q.OperationName); f == nil {
			asked = fieldsIn(op.SelectionSet)
		}
	}
	hook := s.knobs.BeforePage
	var calls []func()
	for _, f := range asked {
		if d := s.knobs.StateDelay; d > 0 && f.Definition.Type.Name() == "Connector" {
			there, back = rand.N(d), rand.N(d)
		}
		if s.knobs.Measured {
			there += timeOf(f, q)
		}
		switch {
		case f.Name == "registerConnector" || f.Name == "stixBundlePush":
			there += s.knobs.BrokerDelay
		case hook != nil && strings.HasSuffix(f.Definition.Type.Name(), "Connection"):
			n := s.pages[f.Name] + 1
			if after, _ := q.Variables["after"].(string); after == "" {
				n = 1
			}
			calls = append(calls, func() { hook(f.Name, n) })
		}
	}
	s.mu.Unlock()
	for _, call := range calls {
		call()
	}
	return there, back
}

// document parses a text, or finds it parsed.
func (s *Sim) document(text string) (*document, []problem) {
	if d := s.documents[text]; d != nil {
		return d, nil
	}
	d, ps := parseDocument(s.schema, s.version, text)
	if ps == nil {
		if len(s.documents) >= 200 {
			clear(s.documents)
		}
		s.documents[text] = d
	}
	return d, ps
}

// ask answers a request; every failure of GraphQL is part of a good answer.
func (s *Sim) ask(token string, q graphqlRequest) []byte {
	s.lock()
	defer s.mu.Unlock()
	d, ps := s.document(q.Query)
	if ps != nil {
		return refused(ps...)
	}
	op, f := d.operation(q.OperationName)
	if f != nil {
		return refused(f.problem())
	}
	vars, f := coerceVariables(s.schema, op, q.Variables)
	if f != nil {
		return refused(f.problem())
	}
	x := &execution{request: &request{sim: s, version: s.version}, schema: s.schema, doc: d, vars: vars}
	x.user = s.holder(token)
	return x.run(op)
}

// controls serves what another process asks of the simulator, beside what simhttp serves:
//
//	GET  /_sim/held        a Held
//	PUT  /_sim/indicators  a list of Indicator, each as Put takes it
//	PUT  /_sim/streams     a Stream, live unless said otherwise
//	PUT  /_sim/knobs       those of Knobs that are to change
func (s *Sim) controls(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/held", func(w http.ResponseWriter, _ *http.Request) {
		simhttp.JSON(w, http.StatusOK, s.Held())
	})
	mux.HandleFunc("PUT /_sim/indicators", func(w http.ResponseWriter, r *http.Request) {
		var in []Indicator
		if !take(w, r, &in) {
			return
		}
		for _, i := range in {
			if s.Put(i) == "" {
				http.Error(w, errTaken.Error()+": "+i.Pattern, http.StatusConflict)
				return
			}
		}
	})
	mux.HandleFunc("PUT /_sim/knobs", func(w http.ResponseWriter, r *http.Request) {
		var named json.RawMessage
		var in Knobs
		if !take(w, r, &named) {
			return
		}
		err := json.Unmarshal(named, &in)
		for _, text := range []string{in.FailImport, in.StripRefs} {
			_, bad := regexp.Compile(text)
			err = errors.Join(err, bad)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.SetKnobs(func(k *Knobs) { _ = json.Unmarshal(named, k) }) // which it did just now
	})
	mux.HandleFunc("PUT /_sim/streams", func(w http.ResponseWriter, r *http.Request) {
		in := Stream{Live: true}
		if take(w, r, &in) {
			s.PutStream(in)
		}
	})
}

// take reads a JSON body, or answers 400.
func take(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(r.Body).Decode(into)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}
