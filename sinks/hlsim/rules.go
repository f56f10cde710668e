package hlsim

import (
	"net/http"
	"slices"
	"strings"
)

// rules serves the rules of a kind, or one of them.
func (s *Sim) rules(kind, id string) handler {
	c := s.kinds[kind]
	if id == "" {
		return func(r *http.Request, by *user) *answer {
			switch {
			case reads(r):
				return s.listRules(r, c)
			case r.Method != http.MethodPost:
				return notAllowed(r, "GET, POST, HEAD, OPTIONS")
			case kind == IOC:
				return s.createIOC(r, by)
			}
			return s.createFile(r, c, by)
		}
	}
	return func(r *http.Request, by *user) *answer {
		switch {
		case reads(r):
			return s.oneRule(c, id)
		case r.Method == http.MethodDelete:
			return s.deleteRule(c, id)
		case r.Method == http.MethodPatch, r.Method == http.MethodPut:
			return s.updateRule(r, c, id, by)
		}
		return notAllowed(r, "GET, PUT, PATCH, DELETE, HEAD, OPTIONS")
	}
}

func (s *Sim) oneRule(c *collection, id string) *answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := c.byID[id]
	if r == nil {
		return notFound
	}
	return &answer{status: http.StatusOK, body: s.knobs.Load().view(c.kind, r, true)}
}

// deleteRule refuses a Sigma rule that a correlation uses (contract harfanglab-api 5.3).
func (s *Sim) deleteRule(c *collection, id string) *answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := c.byID[id]
	if r == nil {
		return notFound
	}
	linked := s.knobs.Load().Linked
	if c.kind == Sigma && (slices.Contains(linked, r.id) || slices.Contains(linked, r.ruleID)) {
		return &answer{status: http.StatusBadRequest, body: map[string]any{
			"code": "linked_sigma_rule", "linked_correlation": []map[string]string{{"correlation_rule_name": "Recon burst"}},
		}}
	}
	c.remove(r)
	return &answer{status: http.StatusNoContent}
}

// updateRule serves PATCH, which changes what it names, and PUT, which must name all that a creation
// must. A rule may move to another list.
func (s *Sim) updateRule(r *http.Request, c *collection, id string, by *user) *answer {
	f, bad := readForm(r)
	if bad != nil {
		return bad
	}
	k := s.knobs.Load()
	w := k.wishOf(c.kind, f, r.Method == http.MethodPut)
	s.mu.Lock()
	defer s.mu.Unlock()
	old := c.byID[id]
	if old == nil {
		return notFound
	}
	next := *old
	if w.source.given {
		next.src = c.source(strings.TrimSpace(w.source.text))
	}
	w.fill(k, c.kind, &next)
	k.check(c, f, w, &next, old)
	if bad := f.bad(); bad != nil {
		return bad
	}
	if c.twin(&next) != nil {
		return taken(c.kind)
	}
	next.moved, next.by = s.now(), by
	c.replace(old, &next, k.MoveOnWrite)
	return &answer{status: http.StatusOK, body: k.view(c.kind, old, true)}
}
