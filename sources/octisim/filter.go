package octisim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// filterGroup is a FilterGroup, of a query or of a stream collection (contract opencti-api 3.1, 4.1).
type filterGroup struct {
	any     bool // one part is enough; otherwise all must pass
	filters []filter
	groups  []filterGroup
}

type filter struct {
	keys, values []string
	op           string
	all          bool // every value must pass; otherwise one is enough
}

// readGroup reads a group as JSON has it: keys as one text or a list, values as texts, booleans or
// numbers, operators and modes that are left out, and further members.
func readGroup(v any) (g filterGroup, ok bool) {
	in, _ := v.(map[string]any)
	filters, ok := in["filters"].([]any)
	g.any = in["mode"] == "or"
	for _, v := range filters {
		in, _ := v.(map[string]any)
		keys, good := textList(in["key"])
		values, fine := textList(in["values"])
		op, _ := in["operator"].(string)
		if op == "" {
			op = "eq"
		}
		ok = ok && good && fine && len(keys) > 0
		g.filters = append(g.filters, filter{keys, values, op, in["mode"] == "and"})
	}
	for _, v := range list(in["filterGroups"]) {
		sub, good := readGroup(v)
		ok = ok && good
		g.groups = append(g.groups, sub)
	}
	return g, ok
}

// idsAlone is a group without any other condition than those on ids.
func (g filterGroup) idsAlone() filterGroup {
	g.filters = slices.DeleteFunc(slices.Clone(g.filters), func(f filter) bool { return !slices.Equal(f.keys, []string{"ids"}) })
	groups := g.groups
	g.groups = nil
	for _, sub := range groups {
		g.groups = append(g.groups, sub.idsAlone())
	}
	return g
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// textList reads one value or a list of them as texts.
func textList(v any) ([]string, bool) {
	if v == nil {
		return nil, true
	}
	many, ok := v.([]any)
	if !ok {
		many = []any{v}
	}
	var out []string
	for _, e := range many {
		text, ok := asText(e)
		if !ok {
			return nil, false
		}
		out = append(out, text)
	}
	return out, true
}

// asText is a filter value as the platform compares it: always a text.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool, int64, int, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// predicate tells whether an object passes.
type predicate[T item] func(T) bool

// compile makes a predicate of a group, with what a filter means for one of its keys. An empty group
// passes everything; of several keys any may match.
func compile[T item](g filterGroup, key func(string, filter) (predicate[T], error)) (predicate[T], error) {
	var parts []predicate[T]
	for _, f := range g.filters {
		var some []predicate[T]
		for _, name := range f.keys {
			p, err := key(name, f)
			if err != nil {
				return nil, err
			}
			some = append(some, p)
		}
		parts = append(parts, join(some, false))
	}
	for _, sub := range g.groups {
		p, err := compile(sub, key)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return join(parts, !g.any), nil
}

// join wants all parts, or any one of them; no parts at all pass.
func join[T item](parts []predicate[T], all bool) predicate[T] {
	if len(parts) == 1 {
		return parts[0]
	}
	return func(v T) bool {
		for _, p := range parts {
			if p(v) != all {
				return !all
			}
		}
		return all || len(parts) == 0
	}
}

func negate[T item](p predicate[T], yes bool) predicate[T] {
	if yes {
		return func(v T) bool { return !p(v) }
	}
	return p
}

// database gives filters the meaning they have in the search database (contract opencti-api 3.1 and
// the database column of 3.3).
type database[T item] struct {
	columns columns[T]
	now     time.Time
	version version
	label   func(text string) []string // internal ids of the labels with this text
	ids     string                     // Knobs.IDsFilter
}

func databaseOf[T item](s *Sim, keys columns[T]) database[T] {
	return database[T]{columns: keys, now: s.now(), version: s.version, label: s.labelIDs, ids: s.knobs.IDsFilter}
}

func (d database[T]) key(key string, f filter) (predicate[T], error) {
	positive, negative := strings.CutPrefix(f.op, "not_")
	switch {
	case positive == "has_changed" || positive == "script":
		return nil, unsupported("Filter operator %s is not supported here", f.op)
	case positive != "nil" && len(f.values) == 0:
		return nil, unsupported("Invalid filter configuration")
	case !schemaKeys[key] && !strings.HasPrefix(key, "epss") && !strings.HasPrefix(key, "cvss"):
		return nil, &failure{"UNSUPPORTED_ERROR", "Incorrect filter keys not existing in any schema definition", "BUSINESS", 500, jsonObject{"keys": []string{key}}}
	case key == "ids" && d.ids != "":
		return func(T) bool { return d.ids == "ignored" }, nil
	}
	c, ok := d.columns[key]
	if !ok {
		c = column[T]{text: func(T) string { return "" }} // known elsewhere: missing here
	}
	if key == "objectLabel" && d.version.atLeast("6.0.0") {
		values := slices.Clone(f.values)
		for _, v := range f.values {
			values = append(values, d.label(v)...)
		}
		f.values = values
	}
	return d.column(c, f, positive, negative)
}

// column compiles a filter for one column; op is the operator without its negation.
func (d database[T]) column(c column[T], f filter, op string, negative bool) (predicate[T], error) {
	switch {
	case op == "nil":
		return negate(c.missing(), negative), nil
	case op == "only_eq_to":
		return c.only(f.values, negative)
	case op == "within":
		return d.within(c, f.values)
	case c.id && op != "eq":
		return nil, unsupported("Filter operator %s is not supported for internal ids", f.op)
	case c.id:
		return negate(c.anyOf(f.values), negative), nil // the mode has no effect on ids
	case op == "eq" && !f.all && !negative && c.text != nil:
		return c.anyText(f.values), nil
	}
	var parts []predicate[T]
	for _, v := range f.values {
		p, err := d.test(c, op, v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, negate(p, negative))
	}
	return join(parts, f.all), nil
}

// within compiles a range of two dates, both of them inside.
func (d database[T]) within(c column[T], values []string) (predicate[T], error) {
	if c.date == nil || len(values) != 2 {
		return nil, unsupported("Invalid filter configuration")
	}
	from, err := d.test(c, "gte", values[0])
	to, err2 := d.test(c, "lte", values[1])
	if err != nil || err2 != nil {
		return nil, unsupported("Invalid filter configuration")
	}
	return join([]predicate[T]{from, to}, true), nil
}

// test compiles one operator with one value.
func (d database[T]) test(c column[T], op, value string) (predicate[T], error) {
	is, compares := comparisons[op]
	switch {
	case c.flag != nil:
		if op != "eq" || value != "true" && value != "false" {
			return nil, searchFailure("Can't parse boolean value [%s], expected [true] or [false]", value)
		}
		want := flag(value == "true")
		return func(v T) bool { return c.flag(v) == want }, nil
	case c.num != nil:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !compares {
			return nil, searchFailure("failed to parse number [%s], or operator %s is none for numbers", value, op)
		}
		return func(v T) bool {
			have, ok := c.num(v)
			return ok && is(have, n)
		}, nil
	case c.date != nil:
		at, err := parseFilterDate(value, d.now)
		if err != nil || !compares {
			return nil, searchFailure("failed to parse date field [%s], or operator %s is none for dates", value, op)
		}
		return func(v T) bool {
			have := c.date(v)
			return have != never && is(float64(have), float64(at))
		}, nil
	}
	test, ok := textTest(op, fold(value))
	if !ok {
		return nil, unsupported("Filter operator %s is not supported", op)
	}
	if op == "match" || op == "search" {
		return c.some(func(s string) bool { return test(fold(s)) }), nil
	}
	return c.some(func(s string) bool { k := keyword(s); return k != "" && test(k) }), nil
}

var comparisons = map[string]func(a, b float64) bool{
	"eq":  func(a, b float64) bool { return a == b },
	"lt":  func(a, b float64) bool { return a < b },
	"lte": func(a, b float64) bool { return a <= b },
	"gt":  func(a, b float64) bool { return a > b },
	"gte": func(a, b float64) bool { return a >= b },
}

// missing passes objects without a value; a date that means "unknown" is none, and a text too long
// to be indexed is not there for the database.
func (c column[T]) missing() predicate[T] {
	switch {
	case c.flag != nil:
		return func(v T) bool { return c.flag(v) < 0 }
	case c.num != nil:
		return func(v T) bool { _, ok := c.num(v); return !ok }
	case c.date != nil:
		return func(v T) bool { return c.date(v).unknown() }
	}
	return negate(c.some(func(s string) bool { return keyword(s) != "" }), true)
}

// some passes objects one of whose texts passes.
func (c column[T]) some(is func(string) bool) predicate[T] {
	if c.text != nil {
		return func(v T) bool { return is(c.text(v)) }
	}
	return func(v T) bool { return slices.ContainsFunc(c.texts(v), is) }
}

// anyOf passes objects one of whose ids is among the values.
func (c column[T]) anyOf(values []string) predicate[T] {
	wanted := set(values, func(s string) string { return s })
	return c.some(func(s string) bool { return wanted[s] })
}

// anyText passes objects whose text is among the values. The texts of such keys repeat, so a look at
// the stored spelling mostly settles it.
func (c column[T]) anyText(values []string) predicate[T] {
	wanted := set(values, fold)
	return func(v T) bool {
		k := keyword(c.text(v))
		return k != "" && wanted[k]
	}
}

// only passes objects whose values are exactly the given ones.
func (c column[T]) only(values []string, negative bool) (predicate[T], error) {
	if c.text == nil && c.texts == nil {
		return nil, unsupported("Invalid filter configuration")
	}
	return negate(func(v T) bool { return sameSet(c.values(v), values, keyword) }, negative), nil
}

// sameSet tells whether two lists hold the same texts once they are brought into a form.
func sameSet(have, want []string, form func(string) string) bool {
	a, b := set(have, form), set(want, form)
	return len(a) == len(b) && !slices.ContainsFunc(want, func(s string) bool { return !a[form(s)] })
}

func set(l []string, form func(string) string) map[string]bool {
	out := make(map[string]bool, len(l))
	for _, s := range l {
		out[form(s)] = true
	}
	return out
}

// textTest compiles an operator on a text; both are in the form that they are compared in. It is
// false for what is no operator.
func textTest(op, want string) (func(have string) bool, bool) {
	wanted := words(want)
	switch op {
	case "eq":
		return func(have string) bool { return have == want }, true
	case "contains":
		return func(have string) bool { return strings.Contains(have, want) }, true
	case "starts_with":
		return func(have string) bool { return strings.HasPrefix(have, want) }, true
	case "ends_with":
		return func(have string) bool { return strings.HasSuffix(have, want) }, true
	case "lt", "lte", "gt", "gte":
		is := comparisons[op]
		return func(have string) bool { return is(float64(strings.Compare(have, want)), 0) }, true
	case "wildcard": // * stands for anything and ? for one character
		re, err := regexp.Compile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(want)) + `$`)
		return func(have string) bool { return re.MatchString(have) }, err == nil
	case "match": // every word is there
		return func(have string) bool {
			all := words(have)
			return every(wanted, func(w string) bool { return slices.Contains(all, w) })
		}, true
	case "search": // if only as a part of one
		return func(have string) bool {
			return every(wanted, func(w string) bool { return strings.Contains(have, w) })
		}, true
	}
	return nil, false
}

// words are the parts a full-text search goes by.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// every is false for no words: they find nothing.
func every(words []string, is func(string) bool) bool {
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !is(w) })
}
