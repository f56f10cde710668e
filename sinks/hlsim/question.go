package hlsim

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// column is what rows of an index can be asked for: a moment, a text, or one of several texts. One of
// the functions is there.
type column[T any] struct {
	moment func(T) time.Time // zero where there is none
	text   func(T) string    // empty where there is none
	number bool              // texts that are numbers have bounds
	has    func(T, func(string) bool) bool
}

// table names the columns of an index.
type table[T any] struct {
	columns map[string]column[T]
	path    func(name string) column[T] // of names with dots; nil when there are none
	main    string                      // the moment that rows are in the order of
}

// asked is what the parameters of a request ask for, all of it at once (contract harfanglab-api 7.1,
// 8.1).
type asked[T any] struct {
	tests  []func(T) bool
	lower  []func(time.Time) bool // of the main moment: false, then true
	upper  []func(time.Time) bool // true, then false
	order  func(T) time.Time      // nil for the main moment
	latest bool                   // backwards
	fields []string               // nil is all of them
}

// ask reads parameters: a column, perhaps a lookup after two underscores, perhaps a ! that turns it
// round. Those of no known name have no effect.
func (t *table[T]) ask(k *Knobs, q query) (*asked[T], *answer) {
	a := &asked[T]{latest: !k.OldestFirst}
	bad := map[string][]string{}
	for name := range q.Values {
		v := q.Get(name)
		switch name {
		case "limit", "offset":
		case "fields":
			a.fields = words(v)
		case "ordering":
			t.orderBy(a, v)
		case "from":
			if v != "" {
				field := cmp.Or(k.FromField, t.main)
				t.bound(k, a, field, "gte", name, v, bad)
			}
		default:
			if !t.condition(k, a, name, v, bad) && k.RefuseUnknown {
				bad[name] = []string{"Unknown filter."}
			}
		}
	}
	if len(bad) > 0 {
		return nil, &answer{status: http.StatusBadRequest, body: bad}
	}
	return a, nil
}

// condition adds the test of one parameter; it is false when there is none of that name.
func (t *table[T]) condition(k *Knobs, a *asked[T], name, v string, bad map[string][]string) bool {
	bare, not := strings.CutSuffix(name, "!")
	field, lookup, _ := strings.Cut(bare, "__")
	c, known := t.columns[field]
	if !known && t.path != nil && strings.Contains(field, ".") {
		c, known = t.path(field), true
	}
	switch {
	case !known:
		return false
	case c.moment != nil:
		if !slices.Contains(bounds, lookup) || not {
			return false
		}
		if v != "" {
			t.bound(k, a, field, lookup, name, v, bad)
		}
	case lookup == "" || lookup == "exact":
		if v != "" {
			a.tests = append(a.tests, c.among(words(v), not))
		}
	case c.number && slices.Contains(bounds, lookup) && !not:
		limit, err := strconv.Atoi(v)
		if err != nil {
			bad[name] = []string{"Enter a number."}
			return true
		}
		a.tests = append(a.tests, func(row T) bool { // other texts never match
			n, err := strconv.Atoi(c.text(row))
			return err == nil && compares(lookup, n-limit)
		})
	default:
		return false
	}
	return true
}

// bounds are the lookups of moments and numbers.
var bounds = []string{"gt", "gte", "lt", "lte"}

// compares says whether a lookup holds for a difference.
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
func (t *table[T]) bound(k *Knobs, a *asked[T], field, lookup, name, v string, bad map[string][]string) {
	c := t.columns[field]
	at, ok := k.dateOf(v, name == "from")
	if !ok || c.moment == nil {
		bad[name] = []string{"Enter a valid date/time."}
		return
	}
	if k.ExclusiveBounds {
		lookup = strings.TrimSuffix(lookup, "e")
	}
	holds := func(m time.Time) bool { return compares(lookup, m.Compare(at)) }
	switch {
	case field != t.main:
		a.tests = append(a.tests, func(row T) bool { m := c.moment(row); return !m.IsZero() && holds(m) })
	case lookup[0] == 'g':
		a.lower = append(a.lower, holds)
	default:
		a.upper = append(a.upper, holds)
	}
}

// The forms of a time in a filter (contract harfanglab-api 1.6).
const (
	dateForm  = "2006-01-02T15:04:05Z07:00"
	looseForm = "2006-01-02T15:04:05"
)

// dateOf reads a time of a filter: in whole seconds and with its zone, unless the knob is set. from
// takes a fraction too.
func (k *Knobs) dateOf(v string, from bool) (time.Time, bool) {
	if strings.ContainsAny(v, ".,") && !from && !k.LooseDates {
		return time.Time{}, false // time.Parse would take the fraction
	}
	t, err := time.Parse(dateForm, v)
	if err != nil && k.LooseDates {
		t, err = time.Parse(looseForm, v)
	}
	return t, err == nil
}

// among is the test for any of some words, or for none of them.
func (c column[T]) among(any []string, not bool) func(T) bool {
	match := func(s string) bool { return slices.Contains(any, s) }
	if len(any) > 8 { // lists of ids to leave out are long
		set := make(map[string]bool, len(any))
		for _, w := range any {
			set[w] = true
		}
		match = func(s string) bool { return set[s] }
	}
	if c.has != nil {
		return func(row T) bool { return c.has(row, match) != not }
	}
	return func(row T) bool { return match(c.text(row)) != not }
}

// orderBy takes the first moment that is named, backwards after a minus. Blanks around it do not
// matter: an unencoded plus arrives as one.
func (t *table[T]) orderBy(a *asked[T], v string) {
	for _, w := range words(v) {
		field, down := strings.CutPrefix(w, "-")
		c := t.columns[field]
		if c.moment == nil {
			continue
		}
		if a.latest = down; field != t.main {
			a.order = c.moment
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
