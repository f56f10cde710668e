package octisim

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strconv"
)

// listing is one request for a page.
type listing[T item] struct {
	field   string // GraphQL field, for knobs
	args    args
	rows    *table[T]
	columns columns[T]
	only    []T          // the rows to choose from, when already known; nil is all of them
	extra   predicate[T] // further conditions of arguments; nil is none
}

// orders are the values of orderBy that are not a filter key themselves.
var orders = map[string]string{"": "standard_id", "creator": "creator_id", "_score": "standard_id"}

// connection is one page, as every connection of the schema shows it.
type connection struct {
	nodes    []item
	cursor   func(item) string
	total    int
	hasNext  bool
	hasPrior bool
}

// end is the cursor of one of the nodes; empty when there are none.
func (c *connection) end(i int) string {
	if len(c.nodes) == 0 {
		return ""
	}
	return c.cursor(c.nodes[i])
}

// edge is one entry of a connection.
type edge struct {
	of   *connection
	node item
}

const defaultPage = 500

// page answers a listing for the user of the request.
func page[T item](r *request, l listing[T]) (*connection, error) {
	pass, err := l.conditions(r)
	if err != nil {
		return nil, err
	}
	by, _ := l.args["orderBy"].(string)
	if to, ok := orders[by]; ok {
		by = to
	}
	order := sorting[T]{by: by, desc: l.args["orderMode"] == "desc", col: l.columns[by]}
	rows := l.sorted(r.sim, order)

	first := defaultPage
	if n, ok := l.args["first"].(int); ok {
		first = n
	}
	if first < 0 {
		return nil, internal("[size] parameter cannot be negative, found [%d]", first)
	}
	after, _ := l.args["after"].(string)
	drift := r.sim.turn(l.field, after)
	at := 0
	if after != "" {
		if at, err = order.seek(rows, after); err != nil {
			return nil, err
		}
	}
	c := &connection{hasPrior: after != "", cursor: func(v item) string { return order.cursor(v.(T)) }}
	most := min(first, r.cap()) // cut without a word
	skip := 0
	switch drift {
	case "skip":
		skip = most
	case "repeat":
		at, skip = before(rows, pass, at, most), 0
	}
	for _, v := range rows[at:] {
		if len(c.nodes) == most {
			break
		}
		if v.core().dead || !pass(v) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		c.nodes = append(c.nodes, v)
	}
	c.hasNext = len(c.nodes) == first && first > 0
	c.total = l.count(r, rows, pass) + r.sim.knobs.CountOff
	return c, nil
}

// cap is the largest page: of 5.12 the default one, since 6.0.0 what the platform is set to (contract
// opencti-api 1.6).
func (r *request) cap() int {
	if !r.version.atLeast("6.0.0") {
		return min(r.sim.knobs.PageCap, defaultPage)
	}
	return r.sim.knobs.PageCap
}

// before goes back from at over n rows that pass.
func before[T item](rows []T, pass predicate[T], at, n int) int {
	for at > 0 && n > 0 {
		at--
		if v := rows[at]; !v.core().dead && pass(v) {
			n--
		}
	}
	return at
}

// conditions joins what the arguments, the filter, the search and the user's markings ask for.
func (l *listing[T]) conditions(r *request) (predicate[T], error) {
	var parts []predicate[T]
	if g, ok := l.args["filters"].(map[string]any); ok {
		group, ok := readGroup(g)
		if !ok {
			return nil, unsupported("Incorrect filters format")
		}
		if r.sim.knobs.IgnoreFilters {
			group = group.idsAlone()
		}
		p, err := compile(group, databaseOf(r.sim, l.columns).key)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		if named := group.ids(); named != nil && l.only == nil && r.sim.knobs.IDsFilter == "" {
			l.only = found(r.sim, l.rows, named)
		}
	}
	if l.extra != nil {
		parts = append(parts, l.extra)
	}
	if allowed := r.allowed(); allowed != nil {
		parts = append(parts, func(v T) bool { return v.core().visible(allowed) })
	}
	return join(parts, true), nil
}

// ids are those that a group restricts itself to, so that a request for a few objects does not read
// all of them; nil is no such restriction.
func (g filterGroup) ids() []string {
	if g.any && len(g.filters)+len(g.groups) > 1 {
		return nil
	}
	for _, f := range g.filters {
		if len(f.keys) == 1 && f.keys[0] == "ids" && f.op == "eq" {
			return append([]string{}, f.values...)
		}
	}
	return nil
}

// found are the objects of a table that ids name.
func found[T item](s *Sim, rows *table[T], named []string) []T {
	out := []T{}
	seen := map[string]bool{}
	for _, id := range named {
		if v, ok := s.items[id].(T); ok && !seen[v.core().id] && rows.byStandard.find(v) >= 0 {
			seen[v.core().id] = true
			out = append(out, v)
		}
	}
	return out
}

// sorted gives the rows to choose from in the asked order.
func (l *listing[T]) sorted(s *Sim, o sorting[T]) []T {
	switch {
	case l.only != nil:
		rows := slices.Clone(l.only)
		slices.SortFunc(rows, o.compare)
		return rows
	case o.by == "standard_id" && !o.desc:
		return l.rows.byStandard.list()
	case o.by == "created_at" && !o.desc:
		return l.rows.byCreation.list()
	}
	name := l.field + " " + o.by + " " + strconv.FormatBool(o.desc)
	if have, ok := s.orders[name]; ok && have.edition == s.edition {
		return have.rows.([]T)
	}
	rows := slices.Clone(l.rows.byStandard.list())
	slices.SortFunc(rows, o.compare)
	s.orders[name] = sortedRows{s.edition, rows}
	return rows
}

// sortedRows remembers an order that is not kept all the time.
type sortedRows struct {
	edition int
	rows    any // []T
}

// count is the exact number of rows that pass. Of a whole table it is remembered until the data
// change, or the minute does where the filter looks at the clock.
func (l *listing[T]) count(r *request, rows []T, pass predicate[T]) int {
	s := r.sim
	var name string
	if l.only == nil {
		asked := maps.Clone(l.args)
		for _, arg := range []string{"first", "after", "orderBy", "orderMode"} {
			delete(asked, arg)
		}
		what, _ := json.Marshal(asked)
		if bytes.Contains(what, []byte(`"now`)) {
			what = append(what, s.now().Format(" 15:04")...)
		}
		name = l.field + "\x00" + r.user.ID + "\x00" + string(what)
		if s.counted != s.edition || len(s.counts) > 1000 {
			s.counted = s.edition
			clear(s.counts)
		}
		if n, ok := s.counts[name]; ok {
			return n
		}
	}
	n := 0
	for _, v := range rows {
		if !v.core().dead && pass(v) {
			n++
		}
	}
	if l.only == nil {
		s.counts[name] = n
	}
	return n
}

// sorting is one order of a listing: by a column, then by standard id.
type sorting[T item] struct {
	by   string
	desc bool
	col  column[T]
}

// key is what an object sorts by, the first of several texts; nil is missing.
func (c column[T]) key(v T) any {
	switch {
	case c.date != nil:
		if d := c.date(v); d != never {
			return float64(d)
		}
	case c.num != nil:
		if n, ok := c.num(v); ok {
			return n
		}
	case c.flag != nil:
		if f := c.flag(v); f >= 0 {
			return float64(f)
		}
	default:
		if all := c.values(v); len(all) > 0 && keyword(slices.Min(all)) != "" {
			return keyword(slices.Min(all))
		}
	}
	return nil
}

// compareKeys puts a missing one last in either direction.
func compareKeys(a, b any, desc bool) int {
	if a == nil || b == nil {
		return cmp.Compare(flag(a == nil), flag(b == nil))
	}
	x, isText := a.(string)
	y, areTexts := b.(string)
	c := cmp.Compare(x, y)
	if !isText && !areTexts {
		c = cmp.Compare(a.(float64), b.(float64))
	}
	if desc {
		return -c
	}
	return c
}

func (o sorting[T]) compare(a, b T) int {
	return cmp.Or(compareKeys(o.col.key(a), o.col.key(b), o.desc), cmp.Compare(a.core().standard, b.core().standard))
}

// cursor is the opaque place after v: the sort values of v.
func (o sorting[T]) cursor(v T) string {
	return base64.StdEncoding.EncodeToString(jsonText([]any{o.col.key(v), v.core().standard}))
}

// seek gives the index of the first row after the cursor.
func (o sorting[T]) seek(rows []T, cursor string) (int, error) {
	var at []any
	raw, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil || json.Unmarshal(raw, &at) != nil {
		return 0, internal("Unexpected token in JSON at position 0")
	}
	if len(at) != 2 {
		return 0, internal("search_after has %d value(s) but sort has 2", len(at))
	}
	standard, ok := at[1].(string)
	switch at[0].(type) {
	case nil, string, float64:
	default:
		ok = false
	}
	if !ok {
		return 0, internal("search_after value is no sort value")
	}
	return sort.Search(len(rows), func(i int) bool {
		return cmp.Or(compareKeys(o.col.key(rows[i]), at[0], o.desc), cmp.Compare(rows[i].core().standard, standard)) > 0
	}), nil
}
