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
	if !k.BareSource {
		v.Enabled = new(src.Enabled)
	}
	return v
}

func (s *Sim) listSources(r *http.Request, _ *user, c *collection) *answer {
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
	return ok(k.envelope(r, w, len(found), rowsOf(w, found)))
}

// createSource makes a list. Names are unique within a kind.
func (s *Sim) createSource(r *http.Request, _ *user, c *collection) *answer {
	b := readBody(r)
	name := strings.TrimSpace(b.filled("name", true).text)
	made := Source{Name: name, Description: b.text("description").text, Enabled: true}
	set(&made.Enabled, b.flag("enabled"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.sourceNamed(name) != nil {
		b.refuse("name", "A source with this Name already exists.")
	}
	if bad := b.bad(); bad != nil {
		return bad
	}
	return &answer{http.StatusCreated, s.knobs.Load().viewSource(c.addSource(made))}
}
