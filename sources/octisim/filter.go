package octisim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// predicate tells whether an object passes.
type predicate[T item] func(T) bool

// filterer compiles FilterGroups for one kind of object, with the meaning they have in the search
// database (contract opencti-api 3.1 and the database column of 3.3).
type filterer[T item] struct {
	columns columns[T]
	now     time.Time
	version version
	label   func(text string) []string // internal ids of the labels with this text
	ids     string                     // Knobs.IDsFilter
}

// group compiles a coerced FilterGroup; an empty one passes everything.
func (f *filterer[T]) group(g map[string]any) (predicate[T], error) {
	var parts []predicate[T]
	for _, v := range list(g["filters"]) {
		p, err := f.filter(v.(map[string]any))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for _, v := range list(g["filterGroups"]) {
		p, err := f.group(v.(map[string]any))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return join(parts, g["mode"] == "and"), nil
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// join wants all parts, or any one of them; no parts at all pass.
func join[T item](parts []predicate[T], all bool) predicate[T] {
	switch {
	case len(parts) == 0:
		return func(T) bool { return true }
	case len(parts) == 1:
		return parts[0]
	case all:
		return func(v T) bool {
			for _, p := range parts {
				if !p(v) {
					return false
				}
			}
			return true
		}
	default:
		return func(v T) bool {
			for _, p := range parts {
				if p(v) {
					return true
				}
			}
			return false
		}
	}
}

func not[T item](p predicate[T]) predicate[T] { return func(v T) bool { return !p(v) } }

// filter compiles one filter. Several keys: any of them may match.
func (f *filterer[T]) filter(in map[string]any) (predicate[T], error) {
	op, _ := in["operator"].(string)
	if op == "" {
		op = "eq"
	}
	mode, _ := in["mode"].(string)
	keys := list(in["key"])
	var values []string
	for _, v := range list(in["values"]) {
		text, ok := asText(v)
		if !ok {
			return nil, unsupported("Incorrect filters format")
		}
		values = append(values, text)
	}
	if len(keys) == 0 {
		return nil, unsupported("Incorrect filters format")
	}
	switch op {
	case "has_changed", "not_has_changed", "script":
		return nil, unsupported("Filter operator %s is not supported here", op)
	case "nil", "not_nil":
	default:
		if len(values) == 0 {
			return nil, unsupported("Invalid filter configuration")
		}
	}
	var parts []predicate[T]
	for _, k := range keys {
		key, _ := k.(string)
		if !schemaKeys[key] && !strings.HasPrefix(key, "epss") && !strings.HasPrefix(key, "cvss") {
			return nil, unsupported("Incorrect filter keys not existing in any schema definition")
		}
		p, err := f.key(key, op, mode == "and", values)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return join(parts, false), nil
}

// asText is a filter value as the platform compares it: always a text.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		return v.String(), true
	case int64, int, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

// key compiles one filter for one key.
func (f *filterer[T]) key(key, op string, all bool, values []string) (predicate[T], error) {
	if key == "ids" && f.ids != "" {
		return func(T) bool { return f.ids == "ignored" }, nil
	}
	c, ok := f.columns[key]
	if !ok {
		c = column[T]{text: func(T) string { return "" }} // known elsewhere: missing here
	}
	if key == "objectLabel" && f.version.atLeast("6.0.0") {
		for _, v := range slices.Clone(values) {
			values = append(values, f.label(v)...)
		}
	}
	positive, negative := strings.CutPrefix(op, "not_")
	switch positive {
	case "nil":
		return negate(c.missing(), negative), nil
	case "only_eq_to":
		p, err := c.only(values)
		return negate(p, negative), err
	case "within":
		return f.within(c, values)
	}
	if c.id {
		if positive != "eq" {
			return nil, unsupported("Filter operator %s is not supported for key %s", op, key)
		}
		return negate(c.anyOf(values), negative), nil // the mode has no effect on ids
	}
	if positive == "eq" && !all && !negative && c.text != nil {
		return c.anyText(values), nil
	}
	var parts []predicate[T]
	for _, v := range values {
		p, err := f.test(c, positive, v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, negate(p, negative))
	}
	return join(parts, all), nil
}

func negate[T item](p predicate[T], yes bool) predicate[T] {
	if yes && p != nil {
		return not(p)
	}
	return p
}

// within compiles a range of two dates, both of them inside.
func (f *filterer[T]) within(c column[T], values []string) (predicate[T], error) {
	if c.date == nil || len(values) != 2 {
		return nil, unsupported("Invalid filter configuration")
	}
	from, err := f.test(c, "gte", values[0])
	if err != nil {
		return nil, err
	}
	to, err := f.test(c, "lte", values[1])
	if err != nil {
		return nil, err
	}
	return join([]predicate[T]{from, to}, true), nil
}

// test compiles one operator with one value.
func (f *filterer[T]) test(c column[T], op, value string) (predicate[T], error) {
	switch {
	case c.flag != nil:
		if op != "eq" || value != "true" && value != "false" {
			return nil, database("Can't parse boolean value [%s], expected [true] or [false]", value)
		}
		want := flag(value == "true")
		return func(v T) bool { return c.flag(v) == want }, nil
	case c.num != nil:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, database("failed to parse number [%s]", value)
		}
		is, ok := comparison(op)
		if !ok {
			return nil, database("operator %s cannot be used on a number", op)
		}
		return func(v T) bool {
			have, ok := c.num(v)
			return ok && is(have, n)
		}, nil
	case c.date != nil:
		at, err := parseFilterDate(value, f.now)
		if err != nil {
			return nil, database("%v", err)
		}
		is, ok := comparison(op)
		if !ok {
			return nil, database("operator %s cannot be used on a date", op)
		}
		return func(v T) bool {
			have := c.date(v)
			return have != never && is(float64(have), float64(at))
		}, nil
	default:
		is, err := textTest(op, value)
		if err != nil {
			return nil, err
		}
		return c.some(is), nil
	}
}

func comparison(op string) (func(a, b float64) bool, bool) {
	switch op {
	case "eq":
		return func(a, b float64) bool { return a == b }, true
	case "lt":
		return func(a, b float64) bool { return a < b }, true
	case "lte":
		return func(a, b float64) bool { return a <= b }, true
	case "gt":
		return func(a, b float64) bool { return a > b }, true
	case "gte":
		return func(a, b float64) bool { return a >= b }, true
	}
	return nil, false
}
