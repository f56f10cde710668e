package hlsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const base = "/api/data/threat_intelligence/"

// collections are the paths below base: source collections and rule collections, with their kinds.
var collections = map[string]struct {
	kind   string
	source bool
}{
	"IOCSource": {"ioc", true}, "SigmaSource": {"sigma", true}, "YaraSource": {"yara", true},
	"IOCRule": {"ioc", false}, "SigmaRule": {"sigma", false}, "YaraFile": {"yara", false},
}

// answer is one reply; a nil body sends none.
type answer struct {
	status int
	body   any
}

func detail(status int, text string) answer { return answer{status, map[string]string{"detail": text}} }

func fields(name string, texts ...string) answer {
	return answer{http.StatusBadRequest, map[string][]string{name: texts}}
}

func (s *Sim) route(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		s.control(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>HarfangLab</title>")
		return
	}
	if !strings.HasSuffix(r.URL.Path, "/") && !s.knobs.NoRedirect {
		to := *r.URL
		to.Path += "/"
		w.Header().Set("Location", to.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	send(w, s.handle(r))
}

func send(w http.ResponseWriter, a answer) {
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a.body) // the client went away
}

func (s *Sim) handle(r *http.Request) answer {
	user, denied := s.authenticate(r)
	if denied != nil {
		return *denied
	}
	path := strings.Trim(r.URL.Path, "/")
	switch path {
	case "api/version":
		return onlyGet(r, map[string]string{"version": s.o.Version})
	case "api/auth/users/me":
		return onlyGet(r, map[string]any{"id": 3, "username": user})
	}
	parts := strings.Split(strings.TrimPrefix("/"+path+"/", base), "/")
	c, known := collections[parts[0]]
	if !known || !strings.HasPrefix("/"+path+"/", base) || len(parts) > 3 {
		return answer{http.StatusNotFound, nil}
	}
	id := parts[1]
	switch {
	case c.source && id == "":
		return s.sourceCollection(r, c.kind)
	case c.source:
		return detail(http.StatusMethodNotAllowed, "Method not allowed.")
	case id == "":
		return s.ruleCollection(r, c.kind, user)
	}
	return s.ruleItem(r, c.kind, id, user)
}

func onlyGet(r *http.Request, body any) answer {
	if r.Method != http.MethodGet {
		return detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method))
	}
	return answer{http.StatusOK, body}
}

func (s *Sim) authenticate(r *http.Request) (user string, denied *answer) {
	no := func(status int, text string) (string, *answer) {
		a := detail(status, text)
		return "", &a
	}
	if login, password, ok := r.BasicAuth(); ok && s.o.Login != "" {
		if login == s.o.Login && password == s.o.Password {
			return login, nil
		}
		return no(http.StatusUnauthorized, "Invalid username/password.")
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Token ")
	switch {
	case !ok:
		return no(http.StatusUnauthorized, "Authentication credentials were not provided.")
	case token == s.o.Token:
		return "opencti-bridge", nil
	case s.o.ReadOnlyToken != "" && token == s.o.ReadOnlyToken:
		if r.Method != http.MethodGet {
			return no(http.StatusForbidden, "You do not have permission to perform this action.")
		}
		return "reader", nil
	}
	return no(http.StatusUnauthorized, "Invalid token.")
}

func (s *Sim) sourceCollection(r *http.Request, kind string) answer {
	switch r.Method {
	case http.MethodGet:
		q := r.URL.Query()
		var found []Source
		for _, src := range s.sources[kind] {
			if n := q.Get("name__exact"); n != "" && !s.knobs.IgnoreExact && src.Name != n {
				continue
			}
			if n := q.Get("search"); n != "" && !strings.Contains(strings.ToLower(src.Name), strings.ToLower(n)) {
				continue
			}
			found = append(found, *src)
		}
		return s.page(r, len(found), func(from, to int) any { return append([]Source{}, found[from:to]...) })
	case http.MethodPost:
		body, bad := members(r)
		if bad != nil {
			return *bad
		}
		src := Source{Enabled: true}
		if a := body.texts(map[string]*string{"name": &src.Name, "description": &src.Description}); a != nil {
			return *a
		}
		if a := body.flags(map[string]*bool{"enabled": &src.Enabled}); a != nil {
			return *a
		}
		if src.Name == "" {
			return fields("name", "This field is required.")
		}
		for _, other := range s.sources[kind] {
			if other.Name == src.Name {
				return fields("name", kind+" source with this Name already exists.")
			}
		}
		src.ID = newID()
		s.sources[kind] = append(s.sources[kind], &src)
		return answer{http.StatusCreated, src}
	}
	return detail(http.StatusMethodNotAllowed, "Method not allowed.")
}

func (s *Sim) hasSource(kind, id string) bool {
	return slices.ContainsFunc(s.sources[kind], func(src *Source) bool { return src.ID == id })
}

// page answers with the envelope of contract harfanglab-api 1.5 for a sequence of n rows.
func (s *Sim) page(r *http.Request, n int, rows func(from, to int) any) answer {
	q := r.URL.Query()
	limit, most := s.knobs.PageDefault, s.knobs.PageMax
	if limit == 0 {
		limit = 100
	}
	if most == 0 {
		most = 10_000
	}
	if v, err := strconv.Atoi(q.Get("limit")); err == nil && v > 0 {
		limit = v
	}
	limit = min(limit, most)
	offset, err := strconv.Atoi(q.Get("offset"))
	if err != nil || offset < 0 {
		offset = 0
	}
	from := min(offset, n)
	if s.knobs.RepeatRow && from > 0 {
		from--
	}
	to := min(offset+limit, n)
	to = max(from, to)
	link := func(at int) any {
		v := url.Values{}
		for k, vals := range q {
			v[k] = vals
		}
		v.Set("limit", strconv.Itoa(limit))
		v.Set("offset", strconv.Itoa(at))
		text := r.URL.Path + "?" + v.Encode()
		if s.knobs.AbsoluteNext {
			text = "http://" + r.Host + text
		}
		return text
	}
	body := struct {
		Count    int `json:"count"`
		Next     any `json:"next"`
		Previous any `json:"previous"`
		Results  any `json:"results"`
	}{Count: n + s.knobs.WrongCount}
	if to < n {
		body.Next = link(to)
	}
	if offset > 0 {
		body.Previous = link(max(offset-limit, 0))
	}
	last := to
	if s.knobs.DropRow && last > from {
		last--
	}
	body.Results = rows(from, last)
	return answer{http.StatusOK, body}
}
