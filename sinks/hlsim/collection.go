package hlsim

import (
	"slices"
	"strings"
)

// source is a list with its rules.
type source struct {
	Source
	rows rows
}

// key is what an IOC rule is unique by (contract harfanglab-api 4.2).
type key struct {
	src        *source
	typ, value string
}

// collection holds all rules of one kind.
type collection struct {
	kind    string
	sources []*source // in the order of their making
	byID    map[string]*row
	byKey   map[key]*row    // IOC
	byRule  map[string]*row // Sigma, by rule_id in lower case
	terms   map[string]string
	version uint64 // moves with every change of the rules
	found   cache
}

func newCollection(kind string) *collection {
	return &collection{kind: kind, byID: map[string]*row{}, byKey: map[key]*row{}, byRule: map[string]*row{}, terms: map[string]string{}}
}

// term keeps one copy of a word that many rows share, such as a type.
func (c *collection) term(s string) string {
	if t, ok := c.terms[s]; ok {
		return t
	}
	if len(c.terms) < 1000 {
		c.terms[s] = s
	}
	return s
}

func (c *collection) source(id string) *source {
	for _, s := range c.sources {
		if s.ID == id {
			return s
		}
	}
	return nil
}

func (c *collection) sourceNamed(name string) *source {
	for _, s := range c.sources {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// twin is another row that has what must be unique of r.
func (c *collection) twin(r *row) *row {
	var other *row
	switch c.kind {
	case IOC:
		other = c.byKey[key{r.src, r.typ, r.value}]
	case Sigma:
		other = c.byRule[strings.ToLower(r.ruleID)]
	}
	if other == nil || other.id == r.id {
		return nil
	}
	return other
}

// insert adds a row that has no twin and an id of its own.
func (c *collection) insert(r *row) {
	r.typ, r.hlStatus, r.state = c.term(r.typ), c.term(r.hlStatus), c.term(r.state)
	c.byID[r.id] = r
	c.index(r)
	r.src.rows.add(r)
}

func (c *collection) index(r *row) {
	c.version++
	switch c.kind {
	case IOC:
		c.byKey[key{r.src, r.typ, r.value}] = r
	case Sigma:
		c.byRule[strings.ToLower(r.ruleID)] = r
	}
}

func (c *collection) unindex(r *row) {
	c.version++
	switch c.kind {
	case IOC:
		delete(c.byKey, key{r.src, r.typ, r.value})
	case Sigma:
		delete(c.byRule, strings.ToLower(r.ruleID))
	}
}

// remove takes a row out.
func (c *collection) remove(r *row) {
	delete(c.byID, r.id)
	c.unindex(r)
	r.src.rows.remove(r)
}

// replace puts next where old is, with the same id. The row itself stays in place, unless it changes
// lists or last is set.
func (c *collection) replace(old, next *row, last bool) {
	c.unindex(old)
	from, chunk := old.src, old.chunk
	if last || next.src != from {
		from.rows.remove(old)
		*old = *next
		old.src.rows.add(old)
	} else {
		*old = *next
		old.chunk = chunk
	}
	old.typ, old.hlStatus, old.state = c.term(old.typ), c.term(old.hlStatus), c.term(old.state)
	c.index(old)
}

// addSource makes a list. Its name must be free.
func (c *collection) addSource(in Source) *source {
	in.ID = newID()
	src := &source{Source: in}
	c.sources = append(c.sources, src)
	return src
}

// removeSource takes out a list with all its rules (contract harfanglab-api 3).
func (c *collection) removeSource(src *source) {
	src.rows.walk(0, func(r *row) bool {
		delete(c.byID, r.id)
		c.unindex(r)
		return true
	})
	c.sources = slices.DeleteFunc(c.sources, func(o *source) bool { return o == src })
}

// sameRule is the Sigma rule with a rule_id, in whatever list.
func (c *collection) sameRule(ruleID string) *row { return c.byRule[strings.ToLower(ruleID)] }
