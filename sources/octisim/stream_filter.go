package octisim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// edit is what an event did to one object; before or after may be the zero value.
type edit[T item] struct {
	before, after T
	both          bool
}

// livePredicate tells whether a state of an object passes, seen as part of an edit.
type livePredicate[T item] func(v T, e edit[T]) bool

// liveFilter is a stream's filter as it is evaluated in memory, which is not quite how lists evaluate
// it (contract opencti-api 3.3). Nil passes everything.
type liveFilter struct {
	indicators livePredicate[*indicator]
	containers livePredicate[*container]
}

// streamKeys are the keys that can be evaluated on events; dates are not among them.
var streamKeys = strings.Fields(`ids entity_type pattern_type pattern revoked x_opencti_detection x_opencti_score confidence
	indicator_types x_opencti_main_observable_type objectMarking objectLabel createdBy creator_id workflow_id
	objectAssignee objectParticipant objectAuthorized objects severity priority incident_type report_types note_types
	response_types information_types takedown_types description representative connectedToId fromId fromTypes toId
	toTypes x_opencti_cisa_kev pir_score`)

// liveIndicatorColumns see labels by id and by text, and what a list cannot ask for.
var liveIndicatorColumns = func() columns[*indicator] {
	all := maps.Clone(indicatorColumns)
	all["representative"] = column[*indicator]{text: func(i *indicator) string { return i.name }}
	all["objectLabel"] = column[*indicator]{id: true, texts: func(i *indicator) []string { return labelWords(i.told().labels) }}
	return all
}()

func labelWords(ls []*label) []string {
	out := ids(ls)
	for _, l := range ls {
		out = append(out, l.value)
	}
	return out
}

// compileLive makes a filter of its text's meaning. A key or operator that cannot be evaluated on
// events is an error.
func compileLive(v version, g *storedGroup) (*liveFilter, error) {
	if g == nil {
		return nil, nil
	}
	var out liveFilter
	var err error
	if out.indicators, err = (liveCompiler[*indicator]{liveIndicatorColumns, v}).group(*g); err != nil {
		return nil, err
	}
	out.containers, err = (liveCompiler[*container]{containerColumns, v}).group(*g)
	return &out, err
}

type liveCompiler[T item] struct {
	columns columns[T]
	version version
}

func (c liveCompiler[T]) group(g storedGroup) (livePredicate[T], error) {
	var parts []livePredicate[T]
	for _, f := range g.filters {
		p, err := c.filter(f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for _, sub := range g.groups {
		p, err := c.group(sub)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return joinLive(parts, !g.any), nil
}

// joinLive wants all parts, or any one of them; no parts at all pass.
func joinLive[T item](parts []livePredicate[T], all bool) livePredicate[T] {
	return func(v T, e edit[T]) bool {
		for _, p := range parts {
			if p(v, e) != all {
				return !all
			}
		}
		return all || len(parts) == 0
	}
}

func (c liveCompiler[T]) filter(f storedFilter) (livePredicate[T], error) {
	var parts []livePredicate[T]
	for _, key := range f.keys {
		if !slices.Contains(streamKeys, key) && !strings.HasPrefix(key, "epss") && !strings.HasPrefix(key, "cvss") {
			return nil, fmt.Errorf("filter key %s is not known to streams", key)
		}
		p, err := c.key(key, f)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return joinLive(parts, false), nil
}

func (c liveCompiler[T]) key(key string, f storedFilter) (livePredicate[T], error) {
	col, ok := c.columns[key]
	if !ok {
		col = column[T]{text: func(T) string { return "" }} // known of other kinds: missing here
	}
	op, negative := strings.CutPrefix(f.op, "not_")
	if op == "eq" && len(f.values) == 0 {
		op = "nil"
	}
	if op == "has_changed" {
		if !c.version.atLeast("7.260624.0") {
			return nil, fmt.Errorf("filter operator %s is not known", f.op)
		}
		return func(_ T, e edit[T]) bool { // what appears or goes has changed in everything
			changed := !e.both || !slices.Equal(col.live(e.before), col.live(e.after))
			return changed != negative
		}, nil
	}
	if op == "nil" {
		return func(v T, _ edit[T]) bool { return (len(col.live(v)) == 0) != negative }, nil
	}
	if op == "only_eq_to" {
		return func(v T, _ edit[T]) bool { return sameSet(col.live(v), f.values) != negative }, nil
	}
	var parts []livePredicate[T]
	for _, value := range f.values {
		is, err := liveTest(col.kind(), op, value)
		if err != nil {
			return nil, err
		}
		parts = append(parts, func(v T, _ edit[T]) bool { return slices.ContainsFunc(col.live(v), is) != negative })
	}
	return joinLive(parts, f.all), nil
}

// live are the values of an object as texts; none when it is missing or empty.
func (c column[T]) live(v T) []string {
	switch {
	case c.flag != nil:
		if n := c.flag(v); n >= 0 {
			return []string{strconv.FormatBool(n == 1)}
		}
	case c.num != nil:
		if n, ok := c.num(v); ok {
			return []string{strconv.FormatFloat(n, 'f', -1, 64)}
		}
	case c.text != nil:
		if s := c.text(v); s != "" {
			return []string{s}
		}
	case c.texts != nil:
		return slices.DeleteFunc(slices.Clone(c.texts(v)), func(s string) bool { return s == "" })
	}
	return nil
}

func (c column[T]) kind() byte {
	switch {
	case c.flag != nil:
		return 'b'
	case c.num != nil:
		return 'n'
	}
	return 't'
}

// plain is a text as the stream compares it: trimmed and without case, but with its accents.
func plain(s string) string { return strings.ToLower(trim(s)) }

func sameSet(have, want []string) bool {
	for _, a := range [][2][]string{{have, want}, {want, have}} {
		for _, s := range a[0] {
			if !slices.ContainsFunc(a[1], func(t string) bool { return plain(s) == plain(t) }) {
				return false
			}
		}
	}
	return true
}

// liveTest compiles one operator with one value for values of a kind: booleans, numbers or texts.
func liveTest(kind byte, op, value string) (func(string) bool, error) {
	want := plain(value)
	never := func(string) bool { return false }
	switch kind {
	case 'b':
		if op != "eq" {
			return never, nil
		}
		yes := strconv.FormatBool(want == "true" || want == "yes" || want == "1")
		return func(s string) bool { return s == yes }, nil
	case 'n':
		is, ok := comparison(op)
		n, err := strconv.ParseFloat(want, 64)
		if !ok || err != nil || math.IsNaN(n) {
			return never, nil
		}
		return func(s string) bool {
			have, err := strconv.ParseFloat(s, 64)
			return err == nil && is(have, n)
		}, nil
	}
	switch op {
	case "eq":
		return func(s string) bool { return plain(s) == want }, nil
	case "contains":
		return func(s string) bool { return strings.Contains(plain(s), want) }, nil
	case "starts_with":
		return func(s string) bool { return strings.HasPrefix(plain(s), want) }, nil
	case "ends_with":
		return func(s string) bool { return strings.HasSuffix(plain(s), want) }, nil
	case "lt", "lte", "gt", "gte":
		c := map[string]func(int) bool{
			"lt": func(n int) bool { return n < 0 }, "lte": func(n int) bool { return n <= 0 },
			"gt": func(n int) bool { return n > 0 }, "gte": func(n int) bool { return n >= 0 },
		}[op]
		return func(s string) bool { return c(strings.Compare(plain(s), want)) }, nil
	case "search", "match":
		wanted := words(want)
		return func(s string) bool {
			have := plain(s)
			return len(wanted) > 0 && !slices.ContainsFunc(wanted, func(w string) bool { return !strings.Contains(have, w) })
		}, nil
	case "wildcard":
		re, err := wildcard(want)
		if err != nil {
			return nil, err
		}
		return func(s string) bool { return re.MatchString(plain(s)) }, nil
	}
	return nil, fmt.Errorf("filter operator %s is not known to streams", op)
}
