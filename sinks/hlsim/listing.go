package hlsim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// query are the parameters of a list request, without those that the manager is to ignore.
type query struct {
	url.Values
	commas bool // several values, cut at commas, mean any of them
}

func (k *Knobs) query(r *http.Request) query {
	q := query{r.URL.Query(), k.CommaOr}
	for _, name := range k.IgnoreFilters {
		q.Del(name)
	}
	return q
}

// only says whether the parameters name nothing but these and the page.
func (q query) only(names ...string) bool {
	for name, v := range q.Values {
		if name != "limit" && name != "offset" && v[0] != "" && !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// exact is the test that a parameter asks for, nil when it is not there.
func (q query) exact(name string) func(string) bool {
	v := q.Get(name)
	switch {
	case v == "":
		return nil
	case q.commas:
		words := strings.Split(v, ",")
		return func(s string) bool { return slices.Contains(words, s) }
	}
	return func(s string) bool { return s == v }
}

// window is the page that is asked for.
type window struct{ limit, offset int }

// window clamps the limit; what is no positive number counts as absent.
func (q query) window(k *Knobs) window {
	w := window{limit: k.pageDefault()}
	if n, err := strconv.Atoi(q.Get("limit")); err == nil && n > 0 {
		w.limit = n
	}
	w.limit = min(w.limit, k.pageMax())
	if n, err := strconv.Atoi(q.Get("offset")); err == nil && n > 0 {
		w.offset = n
	}
	return w
}

// rowsOf are those of a window.
func rowsOf[T any](w window, rows []T) []T {
	from := min(w.offset, len(rows))
	return rows[from:min(from+w.limit, len(rows))]
}

// page is the number of the window's page, from 1. Callers that move on by the rows they got, which
// may be fewer than the limit, are on the next page all the same.
func (w window) page() int { return (w.offset+w.limit-1)/w.limit + 1 }

// envelope is the body of every list (contract harfanglab-api 1.5).
type envelope struct {
	Count    int     `json:"count"`
	Next     *string `json:"next"`
	Previous *string `json:"previous"`
	Results  any     `json:"results"`
}

// envelope holds a page out of n rows.
func (k *Knobs) envelope(r *http.Request, w window, n int, results any) envelope {
	e := envelope{Count: n + k.CountOff, Results: results}
	link := func(offset int) *string {
		v := r.URL.Query()
		v.Set("limit", strconv.Itoa(w.limit))
		v.Del("offset")
		if offset > 0 {
			v.Set("offset", strconv.Itoa(offset))
		}
		to := r.URL.EscapedPath() + "?" + v.Encode()
		if k.AbsoluteNext {
			scheme := "http://"
			if r.TLS != nil {
				scheme = "https://"
			}
			to = scheme + r.Host + to
		}
		return &to
	}
	if w.offset+w.limit < n {
		e.Next = link(w.offset + w.limit)
	}
	if w.offset > 0 {
		e.Previous = link(w.offset - w.limit)
	}
	return e
}

// cache keeps the rows that the last filter found, so that paging through them scans a collection
// once, not once a page. Readers share it; it has a lock of its own.
type cache struct {
	sync.Mutex
	version uint64
	knobs   *Knobs
	asked   string
	rows    []*row
}

func (s *Sim) listRules(r *http.Request, _ *user, c *collection) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	w := q.window(k)
	test, bad := k.ruleTest(c.kind, q)
	order, bad2 := k.ordering(q)
	if bad := cmp.Or(bad, bad2); bad != nil {
		return bad
	}
	var wrong pageFault
	if q.only("source_id", "ordering") {
		wrong = s.disturb(k, c, q.Get("source_id"), w.page())
	}
	s.mu.RLock()
	rows, n := k.find(c, q, test, order, w)
	if wrong.lose && len(rows) > 0 {
		rows = rows[1:]
	}
	if wrong.repeat && len(rows) > 0 {
		rows = append(rows, rows[len(rows)-1])
	}
	views := k.viewAll(c.kind, rows)
	s.mu.RUnlock()
	return ok(k.envelope(r, w, n, views))
}

// find is a page of the rows that pass a test, in an order, and the number of all that do.
func (k *Knobs) find(c *collection, q query, test func(*row) bool, order func(a, b *row) int, w window) ([]*row, int) {
	lists := c.sources
	if only := q.exact("source_id"); only != nil {
		lists = nil
		for _, src := range c.sources {
			if only(src.ID) {
				lists = append(lists, src)
			}
		}
	}
	if test == nil && order == nil {
		n := 0
		for _, src := range lists {
			n += src.rows.n
		}
		return k.wholePage(lists, n, w), n
	}
	rows := k.filter(c, q, lists, test, order)
	return slices.Clone(rowsOf(w, rows)), len(rows)
}

// wholePage is a page of whole lists, from their ends if the newest come first.
func (k *Knobs) wholePage(lists []*source, n int, w window) []*row {
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

func (k *Knobs) filter(c *collection, q query, lists []*source, test func(*row) bool, order func(a, b *row) int) []*row {
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
	c.found.Lock()
	defer c.found.Unlock()
	if c.found.asked == asked && c.found.knobs == k && c.found.version == c.version && c.found.rows != nil {
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
	if order != nil {
		slices.SortFunc(found, order)
	}
	c.found.version, c.found.knobs, c.found.asked, c.found.rows = c.version, k, asked, found
	return found
}

// orderings are the fields that lists of rules can be sorted by.
var orderings = map[string]func(a, b *row) int{
	"id":            func(a, b *row) int { return cmp.Compare(a.id, b.id) },
	"creation_date": func(a, b *row) int { return cmp.Compare(a.created, b.created) },
	"last_update":   func(a, b *row) int { return cmp.Compare(a.updated, b.updated) },
	"value":         func(a, b *row) int { return cmp.Compare(a.value, b.value) },
	"name":          func(a, b *row) int { return cmp.Compare(orEmpty(a.name), orEmpty(b.name)) },
}

// ordering is the order that is asked for, by several fields cut at commas, each backwards after a minus;
// rows that are equal in all of them are told apart by their ids. It is nil when no field is one that
// lists can be sorted by.
func (k *Knobs) ordering(q query) (func(a, b *row) int, *answer) {
	var by []func(a, b *row) int
	for _, word := range words(q.Get("ordering")) {
		field, down := strings.CutPrefix(word, "-")
		compare := orderings[field]
		switch taken := k.Orderings == nil || slices.Contains(k.Orderings, field); {
		case compare != nil && taken && down:
			by = append(by, func(a, b *row) int { return compare(b, a) })
		case compare != nil && taken:
			by = append(by, compare)
		case k.RefuseOrdering:
			return nil, refused("ordering", fmt.Sprintf("Select a valid choice. %s is not one of the available choices.", field))
		}
	}
	if by == nil {
		return nil, nil
	}
	return func(a, b *row) int {
		for _, compare := range by {
			if c := compare(a, b); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.id, b.id)
	}, nil
}

// ruleTest is what the parameters ask of a rule, all of it at once; nil when they ask nothing. The list
// is not among it. Parameters that are not known have no effect, rule_id among them (contract
// harfanglab-api 4.2, 4.3, 4.6).
func (k *Knobs) ruleTest(kind string, q query) (func(*row) bool, *answer) {
	var tests []func(*row) bool
	exact := func(name string, field func(*row) string) {
		if test := q.exact(name); test != nil {
			tests = append(tests, func(r *row) bool { return test(field(r)) })
		}
	}
	exact("name__exact", func(r *row) string { return orEmpty(r.name) })
	switch kind {
	case IOC:
		exact("type", func(r *row) string { return r.typ })
		exact("value", func(r *row) string { return r.value })
		exact("value__exact", func(r *row) string { return r.value })
		for _, bound := range []string{"last_update__gte", "last_update__lte"} {
			test, bad := k.moment(bound, q.Get(bound))
			if bad != nil {
				return nil, bad
			}
			if test != nil {
				tests = append(tests, test)
			}
		}
	case Sigma:
		exact("rule_name__exact", func(r *row) string { return r.title })
	}
	if v := strings.ToLower(q.Get("search")); v != "" {
		tests = append(tests, func(r *row) bool { return r.mentions(kind, v) })
	}
	if len(tests) == 0 {
		return nil, nil
	}
	return func(r *row) bool {
		for _, test := range tests {
			if !test(r) {
				return false
			}
		}
		return true
	}, nil
}

// moment is a bound of last_update. It takes one form only, with a space and in UTC (contract
// harfanglab-api 1.6).
func (k *Knobs) moment(name, v string) (func(*row) bool, *answer) {
	if v == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateTime, v)
	if err != nil && k.AnyDateForm {
		t, err = time.Parse(time.RFC3339, v)
	}
	if err != nil {
		return nil, refused(name, "Enter a valid date/time.")
	}
	at := t.UnixMicro()
	if strings.HasSuffix(name, "__gte") {
		return func(r *row) bool { return r.updated >= at }, nil
	}
	return func(r *row) bool { return r.updated <= at }, nil
}

// mentions is search: a substring of several columns, which finds near matches too.
func (r *row) mentions(kind, lower string) bool {
	switch kind {
	case IOC:
		return mentions(r.value, lower) || mentions(orEmpty(r.comment), lower) || mentions(orEmpty(r.description), lower)
	case Sigma:
		return mentions(orEmpty(r.name), lower) || mentions(r.title, lower) || mentions(r.ruleID, lower) || mentions(r.text, lower)
	}
	return mentions(orEmpty(r.name), lower) || mentions(r.text, lower)
}

// mentions says whether s holds a text in lower case, in any case. A byte that has one spelling is looked for first, best
// a dot, which few texts have many of: that is quick, and so is a search through a million rules.
func mentions(s, lower string) bool {
	if lower[0] >= utf8.RuneSelf {
		return strings.Contains(strings.ToLower(s), lower)
	}
	at := strings.IndexByte(lower, '.')
	if at < 0 {
		at = strings.IndexFunc(lower, func(c rune) bool { return c < 'a' })
	}
	if at >= 0 {
		for from := 0; ; {
			i := strings.IndexByte(s[from:], lower[at])
			if i < 0 {
				return false
			}
			from += i + 1
			if start := from - 1 - at; start >= 0 && start+len(lower) <= len(s) && strings.EqualFold(s[start:start+len(lower)], lower) {
				return true
			}
		}
	}
	for i := 0; i+len(lower) <= len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c == lower[0] && strings.EqualFold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

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
