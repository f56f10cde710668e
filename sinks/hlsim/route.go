package hlsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// intelligence is the prefix of all collections (contract harfanglab-api 2).
const intelligence = "/api/data/threat_intelligence/"

// handler answers requests for one path below the API.
type handler func(r *http.Request, by *user) *answer

// answer is one reply; a nil body sends none.
type answer struct {
	status int
	body   any
	allow  string // header of a 405
}

func detail(status int, text string) *answer {
	return &answer{status: status, body: map[string]string{"detail": text}}
}

func notAllowed(r *http.Request, allow string) *answer {
	a := detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method))
	a.allow = allow
	return a
}

var notFound = detail(http.StatusNotFound, "Not found.")

func (s *Sim) route(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/_sim/"):
		s.controls.ServeHTTP(w, r)
		return
	case !strings.HasPrefix(path, "/api/"):
		page(w, http.StatusOK, "HarfangLab EDR")
		return
	case !strings.HasSuffix(path, "/"):
		if !s.knobs.Load().NoRedirect {
			redirect(w, r)
			return
		}
		path += "/"
	}
	serve := s.find(path)
	if serve == nil {
		page(w, http.StatusNotFound, "Not Found")
		return
	}
	by, denied := s.admit(r)
	if denied != nil {
		send(w, denied)
		return
	}
	send(w, serve(r, by))
}

// redirect sends any verb to the path with a slash, without looking at anything else (contract
// harfanglab-api 1.4).
func redirect(w http.ResponseWriter, r *http.Request) {
	to := r.URL.EscapedPath() + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusMovedPermanently)
}

// page is an answer for people.
func page(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<!doctype html>\n<html lang=\"en\"><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>\n")
}

func send(w http.ResponseWriter, a *answer) {
	if a.allow != "" {
		w.Header().Set("Allow", a.allow)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a.body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(b.Bytes()) // the client may have gone away
}

// find is the handler of a path that ends in a slash, nil when there is none.
func (s *Sim) find(path string) handler {
	switch path {
	case "/api/version/":
		version := s.knobs.Load().Version
		if version == "" {
			version = s.options.Version
		}
		return show(func(*user) any { return map[string]string{"version": version} })
	case "/api/status/", "/api/config/":
		return show(func(*user) any { return struct{}{} })
	case "/api/auth/users/me/":
		return show(func(by *user) any { return map[string]any{"id": by.id, "username": by.username} })
	}
	if serve := s.findSecurity(path); serve != nil {
		return serve
	}
	below, ok := strings.CutPrefix(path, intelligence)
	name, id, _ := strings.Cut(below, "/")
	id = strings.TrimSuffix(id, "/")
	if !ok || strings.Contains(id, "/") {
		return nil
	}
	switch name {
	case "IOCSource":
		return s.sources(IOC, id)
	case "SigmaSource":
		return s.sources(Sigma, id)
	case "YaraSource":
		return s.sources(YARA, id)
	case "IOCRule":
		return s.rules(IOC, id)
	case "SigmaRule":
		return s.rules(Sigma, id)
	case "YaraFile":
		return s.rules(YARA, id)
	}
	return nil
}

func show(body func(*user) any) handler {
	return func(r *http.Request, by *user) *answer {
		if !reads(r) {
			return notAllowed(r, "GET, HEAD, OPTIONS")
		}
		return &answer{status: http.StatusOK, body: body(by)}
	}
}

func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// admit names the user of a request, or refuses it (contract harfanglab-api 1.2).
func (s *Sim) admit(r *http.Request) (by *user, denied *answer) {
	o := &s.options
	if login, password, ok := r.BasicAuth(); ok {
		if o.Login == "" || login != o.Login || password != o.Password {
			return nil, detail(http.StatusUnauthorized, "Invalid username/password.")
		}
		return &user{bridge.id, login}, nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Token ")
	switch {
	case !ok:
		return nil, detail(http.StatusUnauthorized, "Authentication credentials were not provided.")
	case token == o.Token:
		return bridge, nil
	case o.ReadOnlyToken == "" || token != o.ReadOnlyToken:
		return nil, detail(http.StatusUnauthorized, "Invalid token.")
	case !reads(r):
		return nil, detail(http.StatusForbidden, "You do not have permission to perform this action.")
	}
	return reader, nil
}
