package hlsim

import (
	"net/http"
	"strings"
)

// sourceView is a list in an answer (contract harfanglab-api 3).
type sourceView struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     *bool  `json:"enabled,omitempty"`
}

func (k *Knobs) viewSource(src *source) sourceView {
	v := sourceView{ID: src.ID, Name: src.Name, Description: src.Description}
	if enabled := src.Enabled; !k.BareSource {
		v.Enabled = &enabled
	}
	return v
}

// sources serves the lists of a kind, or one of them.
func (s *Sim) sources(kind, id string) handler {
	c := s.kinds[kind]
	if id == "" {
		return func(r *http.Request, _ *user) *answer {
			switch {
			case reads(r):
				return s.listSources(r, c)
			case r.Method == http.MethodPost:
				return s.writeSource(r, c, "")
			}
			return notAllowed(r, "GET, POST, HEAD, OPTIONS")
		}
	}
	return func(r *http.Request, _ *user) *answer {
		switch {
		case reads(r), r.Method == http.MethodDelete:
			return s.oneSource(r, c, id)
		case r.Method == http.MethodPatch, r.Method == http.MethodPut:
			return s.writeSource(r, c, id)
		}
		return notAllowed(r, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS")
	}
}

func (s *Sim) listSources(r *http.Request, c *collection) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	w, named, search := q.window(k), q.exact("name__exact"), strings.ToLower(q.Get("search"))
	found := []sourceView{}
	s.mu.RLock()
	for _, src := range c.sources {
		if (named == nil || named(src.Name)) && (search == "" || mentions(src.Name, search) || mentions(src.Description, search)) {
			found = append(found, k.viewSource(src))
		}
	}
	s.mu.RUnlock()
	from := min(w.offset, len(found))
	return k.enclose(r, w, len(found), found[from:min(from+w.limit, len(found))])
}

func (s *Sim) oneSource(r *http.Request, c *collection, id string) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := c.source(id)
	switch {
	case src == nil:
		return notFound
	case r.Method == http.MethodDelete:
		c.removeSource(src)
		return &answer{status: http.StatusNoContent}
	}
	return &answer{status: http.StatusOK, body: s.knobs.Load().viewSource(src)}
}

// writeSource makes a list, or changes the one with an id. Names are unique within a kind.
func (s *Sim) writeSource(r *http.Request, c *collection, id string) *answer {
	f, bad := readForm(r)
	if bad != nil {
		return bad
	}
	name := f.filled("name", r.Method != http.MethodPatch)
	name.text = strings.TrimSpace(name.text)
	description, enabled := f.text("description"), f.flag("enabled")
	s.mu.Lock()
	defer s.mu.Unlock()
	next := Source{Enabled: true}
	old := c.source(id)
	if id != "" {
		if old == nil {
			return notFound
		}
		next = old.Source
	}
	if twin := c.sourceNamed(name.text); name.given && twin != nil && twin != old {
		f.refuse("name", nouns[c.kind]+" source with this Name already exists.")
	}
	if bad := f.bad(); bad != nil {
		return bad
	}
	name.into(&next.Name)
	description.into(&next.Description)
	set(&next.Enabled, enabled)
	if old == nil {
		return &answer{status: http.StatusCreated, body: s.knobs.Load().viewSource(c.addSource(next))}
	}
	old.Source = next
	return &answer{status: http.StatusOK, body: s.knobs.Load().viewSource(old)}
}

// nouns begin the manager's sentences.
var nouns = map[string]string{IOC: "Ioc", Sigma: "Sigma", YARA: "Yara"}
