package opencti

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// FilterGroup is a filter as list queries take it (contract opencti-api 3.1). All members are sent,
// because the platform demands them.
type FilterGroup struct {
	Mode         string         `json:"mode"`
	Filters      []Filter       `json:"filters"`
	FilterGroups []*FilterGroup `json:"filterGroups"`
}

// Filter is one condition. Values are texts, also for numbers and truth values.
type Filter struct {
	Key      []string `json:"key"`
	Values   []string `json:"values"`
	Operator string   `json:"operator"`
	Mode     string   `json:"mode"`
}

// Eq demands one of some values.
func Eq(key string, values ...string) Filter {
	return Filter{Key: []string{key}, Values: values, Operator: "eq", Mode: "or"}
}

// Group demands all of some conditions.
func Group(filters ...Filter) *FilterGroup {
	return &FilterGroup{Mode: "and", Filters: filters, FilterGroups: []*FilterGroup{}}
}

// OrNil demands that a comparison holds or that the key has no value.
func OrNil(key, operator, value string) *FilterGroup {
	return &FilterGroup{Mode: "or", FilterGroups: []*FilterGroup{}, Filters: []Filter{
		{Key: []string{key}, Values: []string{value}, Operator: operator, Mode: "or"},
		{Key: []string{key}, Values: []string{}, Operator: "nil", Mode: "or"},
	}}
}

// And demands all of some groups; nil ones demand nothing. It is nil when nothing is demanded.
func And(groups ...*FilterGroup) *FilterGroup {
	out := &FilterGroup{Mode: "and", Filters: []Filter{}, FilterGroups: []*FilterGroup{}}
	for _, g := range groups {
		switch {
		case g == nil:
		case g.Mode == "and":
			out.Filters = append(out.Filters, g.Filters...)
			out.FilterGroups = append(out.FilterGroups, g.FilterGroups...)
		default:
			out.FilterGroups = append(out.FilterGroups, g)
		}
	}
	if len(out.Filters)+len(out.FilterGroups) == 0 {
		return nil
	}
	return out
}

// Digest is the SHA-256 of a group, equal for filters that differ only in the order of what has none;
// that of nil is the digest of nothing.
func (g *FilterGroup) Digest() string {
	b := []byte{}
	if g != nil {
		b = encode(g.ordered())
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts always encode
	}
	return b
}

// ordered is a group with everything sorted but the two ends of a range.
func (g *FilterGroup) ordered() *FilterGroup {
	out := &FilterGroup{Mode: g.Mode, Filters: []Filter{}, FilterGroups: []*FilterGroup{}}
	for _, f := range g.Filters {
		f.Key = slices.Sorted(slices.Values(f.Key))
		f.Values = append([]string{}, f.Values...)
		if f.Operator != "within" {
			slices.Sort(f.Values)
		}
		out.Filters = append(out.Filters, f)
	}
	for _, s := range g.FilterGroups {
		out.FilterGroups = append(out.FilterGroups, s.ordered())
	}
	slices.SortFunc(out.Filters, func(a, b Filter) int { return bytes.Compare(encode(a), encode(b)) })
	slices.SortFunc(out.FilterGroups, func(a, b *FilterGroup) int { return bytes.Compare(encode(a), encode(b)) })
	return out
}

// bare says that nothing is demanded, at whatever depth.
func (g *FilterGroup) bare() bool {
	return len(g.Filters) == 0 && !slices.ContainsFunc(g.FilterGroups, func(s *FilterGroup) bool { return !s.bare() })
}

// ParseFilters reads the text that a stream collection stores, in the variants that occur (contract
// opencti-api 4.1, 4.2). nil means no filter. Whatever is not understood is an error.
func ParseFilters(text string) (*FilterGroup, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "null" {
		return nil, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	_, mode := raw["mode"]
	_, filters := raw["filters"]
	_, groups := raw["filterGroups"]
	if !mode && !filters && !groups {
		return nil, errors.New("the form of before 5.12.0, which the platform should have converted")
	}
	g, err := parseGroup([]byte(text), 0)
	if err != nil || g == nil || g.bare() {
		return nil, err
	}
	return g, nil
}

const deepestGroup = 32

// parseGroup reads a group; nil is one of which nothing is left for a list query.
func parseGroup(b []byte, depth int) (*FilterGroup, error) {
	if depth > deepestGroup {
		return nil, errors.New("groups nested too deep")
	}
	var w struct {
		Mode         *string           `json:"mode"`
		Filters      []json.RawMessage `json:"filters"`
		FilterGroups []json.RawMessage `json:"filterGroups"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("a group: %w", err)
	}
	if w.Filters == nil && w.FilterGroups == nil {
		return nil, fmt.Errorf("a group without the member filters: %.100s", b) // a slip, which must not mean "everything"
	}
	g := &FilterGroup{Mode: "and", Filters: []Filter{}, FilterGroups: []*FilterGroup{}}
	if w.Mode != nil {
		g.Mode = strings.ToLower(*w.Mode)
	}
	if g.Mode != "and" && g.Mode != "or" {
		return nil, fmt.Errorf("mode %q", g.Mode)
	}
	for _, f := range w.Filters {
		one, err := parseFilter(f)
		if err != nil {
			return nil, err
		}
		if one != nil {
			g.Filters = append(g.Filters, *one)
		}
	}
	for _, s := range w.FilterGroups {
		sub, err := parseGroup(s, depth+1)
		if err != nil {
			return nil, err
		}
		if sub != nil {
			g.FilterGroups = append(g.FilterGroups, sub)
		}
	}
	if len(g.Filters)+len(g.FilterGroups) == 0 && len(w.Filters)+len(w.FilterGroups) > 0 {
		return nil, nil
	}
	return g, nil
}

var operators = []string{"eq", "not_eq", "lt", "lte", "gt", "gte", "match", "wildcard", "contains", "not_contains", "starts_with",
	"not_starts_with", "ends_with", "not_ends_with", "nil", "not_nil", "search", "within", "only_eq_to", "not_only_eq_to", "script"}

// parseFilter reads one condition; nil is one that a list query does not know and that means nothing
// for it.
func parseFilter(b []byte) (*Filter, error) {
	var w struct {
		Key      json.RawMessage   `json:"key"`
		Values   []json.RawMessage `json:"values"`
		Operator *string           `json:"operator"`
		Mode     *string           `json:"mode"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return nil, fmt.Errorf("a filter: %w", err)
	}
	f := Filter{Operator: "eq", Mode: "or", Values: []string{}}
	if f.Key = filterKeys(w.Key); len(f.Key) == 0 || slices.Contains(f.Key, "") {
		return nil, fmt.Errorf("a filter without a key: %.100s", b)
	}
	f.Operator = cmp.Or(value(w.Operator), f.Operator)
	f.Mode = cmp.Or(strings.ToLower(value(w.Mode)), f.Mode)
	if f.Operator == "has_changed" || f.Operator == "not_has_changed" {
		return nil, nil // speaks of events alone
	}
	if !slices.Contains(operators, f.Operator) {
		return nil, fmt.Errorf("operator %q", f.Operator)
	}
	if f.Mode != "and" && f.Mode != "or" {
		return nil, fmt.Errorf("mode %q", f.Mode)
	}
	for _, v := range w.Values {
		text, err := filterValue(v)
		if err != nil {
			return nil, err
		}
		f.Values = append(f.Values, text)
	}
	if w.Values == nil && f.Operator != "nil" && f.Operator != "not_nil" {
		return nil, fmt.Errorf("a filter without values: %.100s", b)
	}
	if f.Operator == "eq" && len(f.Values) == 0 {
		f.Operator = "nil" // its meaning in the stream
	}
	return &f, nil
}

// filterKeys reads a list of keys, or one key; nil is neither.
func filterKeys(b json.RawMessage) (keys []string) {
	var single string
	if json.Unmarshal(b, &keys) == nil {
		return keys
	}
	if json.Unmarshal(b, &single) == nil {
		return []string{single}
	}
	return nil
}

func filterValue(b json.RawMessage) (string, error) {
	t := bytes.TrimSpace(b)
	switch {
	case len(t) == 0 || t[0] == '{' || t[0] == '[' || bytes.Equal(t, []byte("null")):
		return "", fmt.Errorf("value %.100s", b)
	case t[0] == '"':
		var s string
		err := json.Unmarshal(t, &s)
		return s, err
	}
	return string(t), nil
}
