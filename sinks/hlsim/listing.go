package hlsim

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// cache keeps the rows that the last filter found, so that paging through them scans a collection
// once, not once a page. Readers share it; it has a lock of its own.
type cache struct {
	sync.Mutex
	version uint64
	asked   string
	rows    []*row
}

func (s *Sim) listRules(r *http.Request, c *collection) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	w := q.window(k)
	test, bad := k.ruleTest(c.kind, q)
	if bad != nil {
		return bad
	}
	var lie lie
	if q.only("source_id") {
		lie = s.disturb(k, c, q.Get("source_id"), w.page())
	}
	s.mu.RLock()
	rows, n := k.find(c, q, test, w)
	if lie.lose && len(rows) > 0 {
		rows = rows[1:]
	}
	if lie.repeat && len(rows) > 0 {
		rows = append(rows, rows[len(rows)-1])
	}
	views := k.viewAll(c.kind, rows)
	s.mu.RUnlock()
	return k.enclose(r, w, n, views)
}

// find is a page of the rows that pass a test, and the number of all that do.
func (k *Knobs) find(c *collection, q query, test func(*row) bool, w window) ([]*row, int) {
	lists := c.sources
	if only := q.exact("source_id"); only != nil {
		lists = nil
		for _, src := range c.sources {
			if only(src.ID) {
				lists = append(lists, src)
			}
		}
	}
	order := q.Get("ordering")
	if test == nil && order == "" {
		n := 0
		for _, src := range lists {
			n += src.rows.n
		}
		return k.turn(lists, n, w), n
	}
	rows := k.filter(c, q, lists, test, order)
	from := min(w.offset, len(rows))
	return slices.Clone(rows[from:min(from+w.limit, len(rows))]), len(rows)
}

// turn is a page of whole lists, from their ends if the newest come first.
func (k *Knobs) turn(lists []*source, n int, w window) []*row {
	if !k.NewestFirst {
		return pageOf(lists, w.offset, w.limit)
	}
	to := n - w.offset
	from := max(to-w.limit, 0)
	if to <= 0 {
		return nil
	}
	rows := pageOf(lists, from, to-from)
	slices.Reverse(rows)
	return rows
}

func (k *Knobs) filter(c *collection, q query, lists []*source, test func(*row) bool, order string) []*row {
	var found []*row
	if c.kind == IOC && q.Get("type") != "" && q.Get("value__exact") != "" && !q.commas {
		for _, src := range lists { // the connectors' look-up: by the index
			if r := c.byKey[key{src, q.Get("type"), q.Get("value__exact")}]; r != nil && test(r) {
				found = append(found, r)
			}
		}
		return found
	}
	q.Del("limit")
	q.Del("offset")
	asked := q.Encode()
	if k.NewestFirst {
		asked += "&newest"
	}
	c.found.Lock()
	defer c.found.Unlock()
	if c.found.asked == asked && c.found.version == c.version && c.found.rows != nil {
		return c.found.rows
	}
	found = []*row{}
	for _, src := range lists {
		src.rows.walk(0, func(r *row) bool {
			if test == nil || test(r) {
				found = append(found, r)
			}
			return true
		})
	}
	if k.NewestFirst {
		slices.Reverse(found)
	}
	sortRows(found, order)
	c.found.version, c.found.asked, c.found.rows = c.version, asked, found
	return found
}

// sortRows orders by a field, backwards after a minus. A field that it does not know has no effect.
func sortRows(rows []*row, order string) {
	field, down := strings.CutPrefix(order, "-")
	var by func(a, b *row) int
	switch field {
	case "last_update":
		by = func(a, b *row) int { return cmp.Compare(a.moved, b.moved) }
	case "creation_date":
		by = func(a, b *row) int { return cmp.Compare(a.created, b.created) }
	case "value":
		by = func(a, b *row) int { return cmp.Compare(a.value, b.value) }
	case "name":
		by = func(a, b *row) int { return cmp.Compare(a.name, b.name) }
	default:
		return
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		if down {
			a, b = b, a
		}
		return by(a, b)
	})
}
