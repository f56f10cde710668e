package octisim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// errStored says that a text is no filter; the platform fails on it.
var errStored = errors.New("the filter of the stream cannot be read")

// parseStored reads the text of a collection's filter (contract opencti-api 4.1). Nil is everything:
// no text, an empty one, null, or a group of nothing. Another JSON, such as the format before 5.12.0,
// is an error.
func parseStored(text *string) (*filterGroup, error) {
	if text == nil || trim(*text) == "" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(*text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return nil, errStored
	}
	if v == nil {
		return nil, nil
	}
	g, ok := readGroup(v)
	if !ok {
		return nil, errStored
	}
	if len(g.filters)+len(g.groups) == 0 {
		return nil, nil
	}
	return &g, nil
}

// markings are the markings that the filter asks for, wherever it does.
func (g *filterGroup) markings() []string {
	if g == nil {
		return nil
	}
	var out []string
	for _, f := range g.filters {
		if f.op == "eq" && slices.Contains(f.keys, "objectMarking") {
			out = append(out, f.values...)
		}
	}
	for i := range g.groups {
		out = append(out, g.groups[i].markings()...)
	}
	return out
}

// withoutChanges is the group for the recovery scan: there is nothing to compare with there, so
// filters on what has changed are left out.
func (g filterGroup) withoutChanges() filterGroup {
	g.filters = slices.DeleteFunc(slices.Clone(g.filters), func(f filter) bool { return strings.HasSuffix(f.op, "has_changed") })
	groups := g.groups
	g.groups = nil
	for _, sub := range groups {
		g.groups = append(g.groups, sub.withoutChanges())
	}
	return g
}

// who evaluates filters on who caused a change: whatever their keys, they name users.
func (g *filterGroup) who(id string) bool {
	if g == nil {
		return true
	}
	var parts []bool
	for _, f := range g.filters {
		parts = append(parts, slices.Contains(f.values, id) != (f.op == "not_eq"))
	}
	for i := range g.groups {
		parts = append(parts, g.groups[i].who(id))
	}
	return slices.Contains(parts, g.any) == g.any
}

// liveFilter is a stream's filter as it is evaluated in memory, which is not quite how lists evaluate
// it (contract opencti-api 3.3). Nil passes everything.
type liveFilter struct {
	indicators predicate[*indicator]
	containers predicate[*entity]
	event      *event // that is looked at, for what has changed
}

// compileLive makes a filter of its text's meaning. A key or operator that cannot be evaluated on
// events is an error.
func compileLive(v version, g *filterGroup) (*liveFilter, error) {
	if g == nil {
		return nil, nil
	}
	out := &liveFilter{}
	indicators := live[*indicator]{
		columns: liveColumns(indicatorColumns, func(i *indicator) string { return i.name }), version: v,
		// what appears or goes has changed in everything
		changed: func(c column[*indicator]) bool {
			was, is := out.event.before, out.event.after
			return was == nil || is == nil || !slices.Equal(c.values(was), c.values(is))
		},
	}
	containers := live[*entity]{
		columns: liveColumns(entityColumns, (*entity).shown), version: v, changed: func(column[*entity]) bool { return false },
	}
	var err, err2 error
	out.indicators, err = compile(*g, indicators.key)
	out.containers, err2 = compile(*g, containers.key)
	return out, cmp.Or(err, err2)
}

// passes tells whether a state of an indicator passes, seen as part of an event.
func (f *liveFilter) passes(i *indicator, e *event) bool {
	f.event = e
	return f.indicators(i)
}

// streamKeys are the keys that can be evaluated on events; dates are not among them.
var streamKeys = strings.Fields(`ids entity_type pattern_type pattern revoked x_opencti_detection x_opencti_score confidence
	indicator_types x_opencti_main_observable_type objectMarking objectLabel createdBy creator_id workflow_id
	objectAssignee objectParticipant objectAuthorized objects severity priority incident_type report_types note_types
	response_types information_types takedown_types description representative connectedToId fromId fromTypes toId
	toTypes x_opencti_cisa_kev pir_score`)

// liveColumns see labels by id and by text, and what a list cannot ask for.
func liveColumns[T item](keys columns[T], name func(T) string) columns[T] {
	all := maps.Clone(keys)
	all["representative"] = column[T]{text: name}
	all["objectLabel"] = column[T]{texts: func(v T) []string {
		labels := v.core().told().labels
		words := ids(labels)
		for _, l := range labels {
			words = append(words, l.Value)
		}
		return words
	}}
	return all
}

// live gives filters the meaning they have on events.
type live[T item] struct {
	columns columns[T]
	version version
	changed func(column[T]) bool
}

func (l live[T]) key(key string, f filter) (predicate[T], error) {
	if !slices.Contains(streamKeys, key) && !strings.HasPrefix(key, "epss") && !strings.HasPrefix(key, "cvss") {
		return nil, fmt.Errorf("filter key %s is not known to streams", key)
	}
	c, ok := l.columns[key]
	if !ok {
		c = column[T]{text: func(T) string { return "" }} // known of other kinds: missing here
	}
	op, negative := strings.CutPrefix(f.op, "not_")
	switch {
	case op == "has_changed" && l.version.atLeast("7.260624.0"):
		return func(T) bool { return l.changed(c) != negative }, nil
	case op == "nil" || op == "eq" && len(f.values) == 0:
		return func(v T) bool { return (len(c.values(v)) == 0) != negative }, nil
	case op == "only_eq_to":
		return func(v T) bool { return sameSet(c.values(v), f.values, plain) != negative }, nil
	}
	var parts []predicate[T]
	for _, value := range f.values {
		is, ok := c.live(op, plain(value))
		if !ok {
			return nil, fmt.Errorf("filter operator %s is not known to streams", f.op)
		}
		parts = append(parts, negate(func(v T) bool { return slices.ContainsFunc(c.values(v), is) }, negative))
	}
	if parts == nil {
		return nil, fmt.Errorf("filter operator %s is not known to streams, or wants a value", f.op)
	}
	return join(parts, f.all), nil
}

// live compiles one operator with one value.
func (c column[T]) live(op, want string) (func(string) bool, bool) {
	switch {
	case c.flag != nil:
		yes := strconv.FormatBool(want == "true" || want == "yes" || want == "1")
		return func(s string) bool { return op == "eq" && s == yes }, true
	case c.num != nil:
		is, ok := comparisons[op]
		n, err := strconv.ParseFloat(want, 64)
		return func(s string) bool {
			have, _ := strconv.ParseFloat(s, 64)
			return ok && err == nil && is(have, n)
		}, true
	case op == "match":
		op = "search"
	}
	is, ok := textTest(op, want)
	return func(s string) bool { return is(plain(s)) }, ok
}

// values are those of an object as texts; none when it is missing or empty.
func (c column[T]) values(v T) []string {
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

// plain is a text as the stream compares it: trimmed and without case, but with its accents.
func plain(s string) string { return strings.ToLower(trim(s)) }
