package hlsim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// index is what alerts or threats are searched by.
type index[T any] struct {
	columns map[string]column[T]
	path    func(name string) column[T] // of names with dots; nil when there are none
	main    string                      // the moment that rows are in the order of
}

// column is what rows of an index can be asked for: a moment, a text, or one of several texts. One of
// the functions is there.
type column[T any] struct {
	moment func(T) time.Time // zero where there is none
	text   func(T) string    // empty where there is none
	number bool              // texts that are numbers have bounds
	has    func(T, func(string) bool) bool
}

// indexQuery is what the parameters of a request ask for, all of it at once (contract harfanglab-api
// 7.1, 8.1).
type indexQuery[T any] struct {
	tests  []func(T) bool
	order  func(T) time.Time // nil for the main moment
	latest bool              // backwards
	fields []string          // nil is all of them
	bad    map[string][]string
}

// parse reads parameters: a column, perhaps a lookup after two underscores, perhaps a ! that turns it
// round. Those of no known name have no effect.
func (x *index[T]) parse(k *Knobs, q query) (*indexQuery[T], *answer) {
	want := &indexQuery[T]{latest: !k.OldestFirst, fields: words(q.Get("fields")), bad: map[string][]string{}}
	for name := range q.Values {
		switch v := q.Get(name); name {
		case "limit", "offset", "fields":
		case "ordering":
			x.orderBy(want, v)
		case "from":
			x.bound(k, want, cmp.Or(k.FromField, x.main), "gte", name, v)
		default:
			if !x.condition(k, want, name, v) && k.RefuseUnknown {
				want.bad[name] = []string{"Unknown filter."}
			}
		}
	}
	if len(want.bad) > 0 {
		return nil, &answer{http.StatusBadRequest, want.bad}
	}
	return want, nil
}

// condition adds the test of one parameter; it is false when there is none of that name.
func (x *index[T]) condition(k *Knobs, want *indexQuery[T], name, v string) bool {
	bare, not := strings.CutSuffix(name, "!")
	field, lookup, _ := strings.Cut(bare, "__")
	c, known := x.columns[field]
	if !known && x.path != nil && strings.Contains(field, ".") {
		c, known = x.path(field), true
	}
	bounded := slices.Contains([]string{"gt", "gte", "lt", "lte"}, lookup) && !not
	switch {
	case !known:
		return false
	case c.moment != nil && bounded:
		x.bound(k, want, field, lookup, name, v)
	case c.moment == nil && (lookup == "" || lookup == "exact"):
		if v != "" {
			want.tests = append(want.tests, c.among(words(v), not))
		}
	case c.number && bounded:
		limit, err := strconv.Atoi(v)
		if err != nil {
			want.bad[name] = []string{"Enter a number."}
		}
		want.tests = append(want.tests, func(row T) bool { // other texts never match
			n, err := strconv.Atoi(c.text(row))
			return err == nil && compares(lookup, n-limit)
		})
	default:
		return false
	}
	return true
}

// compares says whether a bound holds for a difference.
func compares(lookup string, difference int) bool {
	switch lookup {
	case "gt":
		return difference > 0
	case "gte":
		return difference >= 0
	case "lt":
		return difference < 0
	}
	return difference <= 0
}

// bound adds a bound of a moment. Rows without that moment never match.
func (x *index[T]) bound(k *Knobs, want *indexQuery[T], field, lookup, name, v string) {
	c := x.columns[field]
	at, ok := k.dateOf(v, name == "from")
	switch {
	case v == "":
		return
	case !ok || c.moment == nil:
		want.bad[name] = []string{"Enter a valid date/time."}
		return
	case k.ExclusiveBounds:
		lookup = strings.TrimSuffix(lookup, "e")
	}
	want.tests = append(want.tests, func(row T) bool {
		m := c.moment(row)
		return !m.IsZero() && compares(lookup, m.Compare(at))
	})
}

// dateOf reads a time of a filter: in whole seconds and with its zone, unless the knob is set. from
// takes a fraction too (contract harfanglab-api 1.6).
func (k *Knobs) dateOf(v string, from bool) (time.Time, bool) {
	if strings.ContainsAny(v, ".,") && !from && !k.LooseDates {
		return time.Time{}, false // time.Parse would take the fraction
	}
	t, err := time.Parse("2006-01-02T15:04:05Z07:00", v)
	if err != nil && k.LooseDates {
		t, err = time.Parse("2006-01-02T15:04:05", v)
	}
	return t, err == nil
}

// among is the test for any of some words, or for none of them.
func (c column[T]) among(any []string, not bool) func(T) bool {
	set := make(map[string]bool, len(any)) // lists of ids to leave out are long
	for _, w := range any {
		set[w] = true
	}
	if c.has != nil {
		return func(row T) bool { return c.has(row, func(s string) bool { return set[s] }) != not }
	}
	return func(row T) bool { return set[c.text(row)] != not }
}

// orderBy takes the first moment that is named, backwards after a minus. Blanks around it do not
// matter: an unencoded plus arrives as one.
func (x *index[T]) orderBy(want *indexQuery[T], v string) {
	for _, w := range words(v) {
		field, down := strings.CutPrefix(w, "-")
		c := x.columns[field]
		if c.moment == nil {
			continue
		}
		if want.latest = down; field != x.main {
			want.order = c.moment
		}
		return
	}
}

// words are the parts of a list that is cut at commas, without blanks around them.
func words(v string) []string {
	var out []string
	for w := range strings.SplitSeq(v, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// pick gives the rows that are asked for, in the order that is asked for. rows are in the order of
// their main moment, and stay as they are.
func (want *indexQuery[T]) pick(rows []T) []T {
	found := []T{}
	for _, row := range rows {
		if !slices.ContainsFunc(want.tests, func(test func(T) bool) bool { return !test(row) }) {
			found = append(found, row)
		}
	}
	if want.latest {
		slices.Reverse(found)
	}
	if want.order != nil {
		slices.SortStableFunc(found, want.compare)
	}
	return found
}

// compare orders by another moment than the main one. Rows without it come last, whichever way round.
func (want *indexQuery[T]) compare(a, b T) int {
	s, t := want.order(a), want.order(b)
	switch {
	case s.IsZero() || t.IsZero():
		return t.Compare(s)
	case want.latest:
		return t.Compare(s)
	}
	return s.Compare(t)
}

// paged is a page of an index. Pages that reach past its window are refused, and the count ends there
// (contract harfanglab-api 12.26; status and body are assumed).
func paged[T any](k *Knobs, r *http.Request, w window, rows []T, view func(T) any) *answer {
	n, most := len(rows), k.indexWindow()
	page := rowsOf(w, rows)
	if most > 0 && w.offset > most-w.limit {
		why := fmt.Sprintf("Result window is too large, offset + limit must be less than or equal to %d.", most)
		switch k.BeyondWindow {
		case BeyondEmpty:
			page = nil
		case BeyondFails:
			return detail(http.StatusInternalServerError, why)
		default:
			return detail(http.StatusBadRequest, why)
		}
	}
	views := []any{}
	for _, row := range page {
		views = append(views, view(row))
	}
	counted := n
	if most > 0 {
		counted = min(n, most)
	}
	if !k.NextBeyond {
		n = counted
	}
	e := k.envelope(r, w, n, views)
	e.Count = counted + k.CountOff
	return ok(e)
}
