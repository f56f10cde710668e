package hlsim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/sources/simhttp"
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
	serve(endpoints+"Policy/", verbs{"GET": s.listPolicies})
	for name, stream := range telemetryStreams {
		serve("/api/data/telemetry/"+name+"/", verbs{"GET": func(r *http.Request, _ *user) *answer { return s.listTelemetry(r, name, stream) }})
	}
	serve("/api/data/search/Search/explorer_with_list/", verbs{"GET": s.explore})
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
	simhttp.Page(w, status, "<!doctype html>\n<html lang=\"en\"><head><title>"+title+"</title></head><body><h1>"+title+"</h1></body></html>")
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
	simhttp.JSON(w, a.status, a.body)
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

// body is a request's body, with what is wrong with its members. All of them are named at once, as the
// manager does (contract harfanglab-api 1.7).
type body struct {
	members  map[string]json.RawMessage
	problems map[string][]string
	broken   *answer // to what is no object at all
}

// field is a member that is a text: whether it is there, and whether it is null.
type field struct {
	given, null bool
	text        string
}

// into sets a variable to what was said, if anything was.
func (v field) into(to *string) {
	if v.given {
		*to = v.text
	}
}

// readBody takes JSON objects only.
func readBody(r *http.Request) *body {
	b := &body{problems: map[string][]string{}}
	raw, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(raw) {
		b.broken = detail(http.StatusBadRequest, "JSON parse error - the body is not JSON")
	} else if json.Unmarshal(raw, &b.members) != nil || b.members == nil {
		b.broken = refused("non_field_errors", "Invalid data. Expected a dictionary.")
	}
	return b
}

func (b *body) refuse(name, why string) { b.problems[name] = append(b.problems[name], why) }

// bad is the answer to a body with problems, nil when it has none.
func (b *body) bad() *answer {
	if b.broken != nil || len(b.problems) == 0 {
		return b.broken
	}
	return &answer{http.StatusBadRequest, b.problems}
}

// text is a member that may be a number too, which stands for its digits.
func (b *body) text(name string) field {
	raw := b.members[name]
	if raw == nil {
		return field{}
	}
	v := field{given: true}
	switch c := raw[0]; {
	case c == 'n':
		v.null = true
	case c == '-' || c >= '0' && c <= '9':
		v.text = string(raw)
	case json.Unmarshal(raw, &v.text) != nil:
		b.refuse(name, "Not a valid string.")
	case strings.ContainsRune(v.text, 0):
		b.refuse(name, "Null characters are not allowed.")
	}
	return v
}

// filled is a text that may be neither null nor blank, and not left out where it is required.
func (b *body) filled(name string, required bool) field {
	v := b.text(name)
	switch {
	case !v.given && required:
		b.refuse(name, "This field is required.")
	case v.null:
		b.refuse(name, "This field may not be null.")
	case v.given && b.problems[name] == nil && strings.TrimSpace(v.text) == "":
		b.refuse(name, "This field may not be blank.")
	}
	return v
}

// limit refuses a text of more characters than most; 0 is no limit.
func (b *body) limit(name, v string, most int) {
	if most > 0 && utf8.RuneCountInString(v) > most {
		b.refuse(name, fmt.Sprintf("Ensure this field has no more than %d characters.", most))
	}
}

// choice is a text that must be one of some words. Null is only for those that a rule can be without.
func (b *body) choice(name string, words []string, optional bool) field {
	v := b.text(name)
	switch {
	case v.null && !optional:
		b.refuse(name, "This field may not be null.")
	case v.given && !v.null && b.problems[name] == nil && !slices.Contains(words, v.text):
		b.refuse(name, fmt.Sprintf("%q is not a valid choice.", v.text))
	}
	return v
}

// flag is nil when the body does not have the member.
func (b *body) flag(name string) *bool { return member[bool](b, name, "Must be a valid boolean.") }

// texts is nil when the body does not have the member.
func (b *body) texts(name string) *[]string {
	return member[[]string](b, name, "Expected a list of items.")
}

// member is nil when the body does not have it; what is of no such type is refused with a reason.
func member[T any](b *body, name, why string) *T {
	raw := b.members[name]
	if raw == nil {
		return nil
	}
	v := new(T)
	if json.Unmarshal(raw, v) != nil {
		b.refuse(name, why)
	} else if raw[0] == 'n' {
		b.refuse(name, "This field may not be null.")
	}
	return v
}

// require refuses a body without a member.
func (b *body) require(name string) {
	if b.members[name] == nil {
		b.refuse(name, "This field is required.")
	}
}

// ids is a list of texts and numbers that must be there, each as its text.
func (b *body) ids(name string) (ids []string) {
	b.require(name)
	raw := b.members[name]
	if raw != nil && raw[0] != '[' {
		b.refuse(name, "Expected a list of items.")
	}
	for _, one := range elements(raw) {
		id := text(one)
		if id == "" {
			b.refuse(name, "Not a valid id.")
		}
		ids = append(ids, id)
	}
	return ids
}
