package hlsim

import (
	"fmt"
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
	return c.sourceWhere(func(s *source) bool { return s.ID == id })
}

func (c *collection) sourceNamed(name string) *source {
	return c.sourceWhere(func(s *source) bool { return s.Name == name })
}

func (c *collection) sourceWhere(is func(*source) bool) *source {
	if i := slices.IndexFunc(c.sources, is); i >= 0 {
		return c.sources[i]
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

// sameRule is the Sigma rule with a rule_id, in whatever list.
func (c *collection) sameRule(ruleID string) *row { return c.byRule[strings.ToLower(ruleID)] }

// chunkSize bounds the work of one delete and the length of the walk to an offset.
const chunkSize = 1024

// chunk is a stretch of a list, in order.
type chunk struct{ rows []*row }

// rows are the rules of one list in the order of their making. A page at any offset of a million
// rows is found by a walk over a thousand chunks.
type rows struct {
	chunks []*chunk
	n      int
}

func (l *rows) add(r *row) {
	if k := len(l.chunks); k == 0 || len(l.chunks[k-1].rows) == chunkSize {
		l.chunks = append(l.chunks, &chunk{})
	}
	c := l.chunks[len(l.chunks)-1]
	c.rows = append(c.rows, r)
	r.chunk = c
	l.n++
}

// addFirst puts a row before all others.
func (l *rows) addFirst(r *row) {
	r.chunk = &chunk{[]*row{r}}
	l.chunks = slices.Insert(l.chunks, 0, r.chunk)
	l.n++
}

func (l *rows) remove(r *row) {
	c := r.chunk
	for i := range c.rows {
		if c.rows[i] == r {
			c.rows = slices.Delete(c.rows, i, i+1)
			break
		}
	}
	r.chunk = nil
	l.n--
	if len(c.rows) > 0 {
		return
	}
	l.chunks = slices.DeleteFunc(l.chunks, func(o *chunk) bool { return o == c })
}

// walk visits the rows from offset on until visit says no.
func (l *rows) walk(offset int, visit func(*row) bool) {
	for _, c := range l.chunks {
		if offset >= len(c.rows) {
			offset -= len(c.rows)
			continue
		}
		for _, r := range c.rows[offset:] {
			if !visit(r) {
				return
			}
		}
		offset = 0
	}
}

// pageOf are up to limit rows of several lists in a row, from offset on.
func pageOf(lists []*source, offset, limit int) []*row {
	if limit <= 0 {
		return nil
	}
	out := make([]*row, 0, min(limit, 1024))
	for _, s := range lists {
		if offset >= s.rows.n {
			offset -= s.rows.n
			continue
		}
		s.rows.walk(offset, func(r *row) bool {
			out = append(out, r)
			return len(out) < limit
		})
		if offset = 0; len(out) == limit {
			break
		}
	}
	return out
}

// pageFault is what goes wrong with the rows of one page.
type pageFault struct{ lose, repeat bool }

// disturb does what the knobs want before a page of a listing is read. The caller holds no lock, since
// BeforePage may change the Sim. Of clients that read a page at once, one meets what happens once.
func (s *Sim) disturb(k *Knobs, c *collection, list string, page int) pageFault {
	if k.BeforePage != nil {
		k.BeforePage(c.kind, page)
	}
	if !k.lies(c.kind) {
		return pageFault{}
	}
	var now Knobs
	s.SetKnobs(func(k *Knobs) {
		now = *k
		heal := func(at *int) {
			if k.DriftOnce && *at == page {
				*at = 0
			}
		}
		heal(&k.DriftPage)
		heal(&k.LoseRow)
		heal(&k.RepeatRow)
	})
	if now.DriftPage == page {
		s.drift(c, list, &now)
	}
	return pageFault{lose: now.LoseRow == page, repeat: now.RepeatRow == page}
}

// drift deletes from the beginning of what is read, moves there what is at its end, and adds rules of
// somebody else to the list that is read, or to the first one.
func (s *Sim) drift(c *collection, list string, k *Knobs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lists := c.sources
	if src := c.source(list); src != nil {
		lists = []*source{src}
	}
	if len(lists) == 0 {
		return
	}
	for _, r := range pageOf(lists, 0, k.DriftRemove) {
		c.remove(r)
	}
	n := 0
	for _, src := range lists {
		n += src.rows.n
	}
	for _, r := range pageOf(lists, max(n-k.DriftMove, 0), k.DriftMove) {
		r.updated, r.by = s.now(), analyst
		r.src.rows.remove(r)
		r.src.rows.addFirst(r)
		c.version++
	}
	for range k.DriftAdd {
		in := Rule{SourceID: lists[0].ID, Enabled: true}
		switch id := newID(); c.kind {
		case IOC:
			in.Type, in.Value = "domain_name", id+".drift.example"
		case Sigma:
			in.Name = "drift " + id
			in.Content = fmt.Sprintf("title: %s\nid: %s\nlogsource:\n  product: windows\ndetection:\n  sel:\n    Image: %s\n  condition: sel\n", in.Name, id, id)
		case YARA:
			in.Name, in.Content = "drift "+id, "rule drift { condition: true }\n"
		}
		_, _ = s.add(c, in, true) // the ids are new
	}
}
