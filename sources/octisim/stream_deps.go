package octisim

import (
	"slices"
	"time"
)

// A connection remembers what it has sent, so that dependencies go out once (contract opencti-api
// 5.5).
const (
	sentMost = 5000
	sentFor  = 2 * time.Hour
)

// sentCache holds the internal ids of what was sent, the oldest first.
type sentCache struct {
	until map[string]time.Time
	order []sentEntry
}

type sentEntry struct {
	id    string
	until time.Time
}

// add is false when the id was sent and is still remembered.
func (c *sentCache) add(id string, now time.Time) bool {
	if c.until == nil {
		c.until = map[string]time.Time{}
	}
	if t, ok := c.until[id]; ok && now.Before(t) {
		return false
	}
	for len(c.order) > 0 && (len(c.until) >= sentMost || !now.Before(c.order[0].until)) {
		if old := c.order[0]; c.until[old.id] == old.until {
			delete(c.until, old.id)
		}
		c.order = c.order[1:]
	}
	c.until[id] = now.Add(sentFor)
	c.order = append(c.order, sentEntry{id, c.until[id]})
	return true
}

// refs are the objects that an object names: its author and markings, and the ends of what joins two.
func (s *Sim) refs(v item) []item {
	var out []item
	if a := s.items[v.core().told().author]; a != nil {
		out = append(out, a)
	}
	for _, m := range v.core().markings {
		out = append(out, m)
	}
	if r, ok := v.(*relation); ok {
		for _, id := range []string{r.from, r.to} {
			if end := s.items[id]; end != nil {
				out = append(out, end)
			}
		}
	}
	return out
}

// depend sends ahead what an object needs to be understood, under the position of its own event: what
// it refers to, and unless the client does without, what it is related to and sighted in.
func (l *listener) depend(v item, at position) {
	l.sent.add(v.core().id, l.now)
	for _, r := range l.sim.refs(v) {
		l.dependency(r, at)
	}
	if !l.dependencies {
		return
	}
	id := v.core().id
	for _, r := range slices.Concat(l.sim.from[id], l.sim.to[id]) {
		if l.access(l.sim.items[r.from]) && l.access(l.sim.items[r.to]) {
			l.dependency(r, at)
		}
	}
}

// dependency sends an object unless the client has it, after what that refers to.
func (l *listener) dependency(v item, at position) {
	if !l.access(v) || !l.sent.add(v.core().id, l.now) {
		return
	}
	for _, r := range l.sim.refs(v) {
		l.dependency(r, at)
	}
	l.emit(message{id: at.String(), event: "create", dependency: true, data: l.extra(v, "dependencies")})
}

// access tells whether the user may see an object, which is there at all.
func (l *listener) access(v item) bool {
	if v == nil {
		return false
	}
	if m, ok := v.(*marking); ok {
		return l.allowed == nil || l.allowed[m]
	}
	return v.core().visible(l.allowed)
}
