package hlsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// The prefixes of the API (contract harfanglab-api 2).
const (
	intelligence = "/api/data/threat_intelligence/"
	security     = "/api/data/alert/alert/"
	endpoints    = "/api/data/endpoint/"
)

// apiRoutes are the paths below the API, all of which end in a slash, with what their verbs do.
func (s *Sim) apiRoutes() http.Handler {
	mux := http.NewServeMux()
	serve := func(path string, v verbs) {
		mux.HandleFunc(path+"{$}", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, v) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { page(w, http.StatusNotFound, "Not Found") })
	serve("/api/version/", verbs{"GET": s.showVersion})
	for _, path := range []string{"/api/status/", "/api/config/"} {
		serve(path, verbs{"GET": func(*http.Request, *user) *answer { return ok(struct{}{}) }})
	}
	serve("/api/auth/users/me/", verbs{"GET": func(_ *http.Request, by *user) *answer {
		return ok(map[string]any{"id": by.id, "username": by.username})
	}})
	for kind, names := range map[string][2]string{IOC: {"IOCSource", "IOCRule"}, Sigma: {"SigmaSource", "SigmaRule"}, YARA: {"YaraSource", "YaraFile"}} {
		of := func(do func(*http.Request, *user, *collection) *answer) handler {
			return func(r *http.Request, by *user) *answer { return do(r, by, s.kinds[kind]) }
		}
		serve(intelligence+names[0]+"/", verbs{"GET": of(s.listSources), "POST": of(s.createSource)})
		rules := intelligence + names[1] + "/"
		create := s.createFile
		if kind == IOC {
			create = s.createIOC
		}
		serve(rules, verbs{"GET": of(s.listRules), "POST": of(create)})
		serve(rules+"{id}/", verbs{"GET": of(s.oneRule), "PATCH": of(s.updateRule), "PUT": of(s.updateRule), "DELETE": of(s.deleteRule)})
	}
	serve(security+"Alert/", verbs{"GET": s.listAlerts})
	serve(security+"Alert/tag/", verbs{"POST": s.tagAlerts})
	serve(security+"Alert/{id}/details/", verbs{"GET": s.alertDetails})
	serve(security+"Threat/", verbs{"GET": s.listThreats})
	serve(security+"Threat/rules/", verbs{"GET": s.threatRules})
	serve(security+"Threat/status/", verbs{"PATCH": s.threatStatus})
	serve(security+"Threat/{id}/", verbs{"GET": s.oneThreat})
	serve(security+"Threat/{id}/note/", verbs{"GET": s.threatNote})
	serve(endpoints+"Agent/", verbs{"GET": s.listAgents})
	serve(endpoints+"Agent/{id}/", verbs{"GET": s.oneAgent})
	return mux
}

// verbs are what the verbs of one path do. HEAD is served as GET.
type verbs map[string]handler

// handler answers the request of a user.
type handler func(r *http.Request, by *user) *answer

// answer is one reply; a nil body sends none.
type answer struct {
	status int
	body   any
}

func ok(body any) *answer { return &answer{http.StatusOK, body} }

func detail(status int, text string) *answer {
	return &answer{status, map[string]string{"detail": text}}
}

// refused is a 400 that names a member or parameter (contract harfanglab-api 1.7).
func refused(name, why string) *answer {
	return &answer{http.StatusBadRequest, map[string][]string{name: {why}}}
}

var notFound = detail(http.StatusNotFound, "Not found.")

func (s *Sim) route(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/_sim/"):
		s.controls.ServeHTTP(w, r)
	case !strings.HasPrefix(path, "/api/"):
		page(w, http.StatusOK, "HarfangLab EDR")
	case !strings.HasSuffix(path, "/") && !s.knobs.Load().NoRedirect:
		redirect(w, r)
	default:
		r.URL.Path = strings.TrimSuffix(path, "/") + "/"
		s.api.ServeHTTP(w, r)
	}
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

// serve lets in who may come in, and answers.
func (s *Sim) serve(w http.ResponseWriter, r *http.Request, v verbs) {
	by, denied := s.admit(r)
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch do := v[method]; {
	case denied != nil:
		send(w, denied)
	case do == nil:
		w.Header().Set("Allow", strings.Join(append(slices.Sorted(maps.Keys(v)), "OPTIONS"), ", "))
		send(w, detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method)))
	default:
		send(w, do(r, by))
	}
}

func send(w http.ResponseWriter, a *answer) {
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
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return nil, detail(http.StatusForbidden, "You do not have permission to perform this action.")
	}
	return reader, nil
}

func (s *Sim) showVersion(*http.Request, *user) *answer {
	version := s.knobs.Load().Version
	if version == "" {
		version = s.options.Version
	}
	return ok(map[string]string{"version": version})
}
