package octisim

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// storedGroup is the filter of a stream collection as its text says (contract opencti-api 4.1).
type storedGroup struct {
	any     bool // one part is enough; otherwise all must pass
	filters []storedFilter
	groups  []storedGroup
}

type storedFilter struct {
	keys, values []string
	op           string
	all          bool // every value must pass; otherwise one is enough
}

// errStored says that a text is no filter; the platform fails on it.
var errStored = errors.New("the filter of the stream cannot be read")

// parseStored reads the text of a filter: keys as one text or a list, values as texts, booleans or
// numbers, operators and modes that are left out, and further members. Nil is everything: no text, an
// empty one, null, or a group of nothing. Another JSON, such as the format before 5.12.0, is an error.
func parseStored(text *string) (*storedGroup, error) {
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
	g, err := storedGroupOf(v)
	if err != nil || len(g.filters)+len(g.groups) == 0 {
		return nil, err
	}
	return &g, nil
}

func storedGroupOf(v any) (storedGroup, error) {
	in, ok := v.(map[string]any)
	filters, listed := in["filters"].([]any)
	if !ok || !listed {
		return storedGroup{}, errStored
	}
	g := storedGroup{any: in["mode"] == "or"}
	for _, v := range filters {
		f, err := storedFilterOf(v)
		if err != nil {
			return g, err
		}
		g.filters = append(g.filters, f)
	}
	for _, v := range list(in["filterGroups"]) {
		sub, err := storedGroupOf(v)
		if err != nil {
			return g, err
		}
		g.groups = append(g.groups, sub)
	}
	return g, nil
}

func storedFilterOf(v any) (storedFilter, error) {
	in, _ := v.(map[string]any)
	f := storedFilter{all: in["mode"] == "and", op: "eq"}
	if op, ok := in["operator"].(string); ok && op != "" {
		f.op = op
	}
	var ok bool
	if f.keys, ok = textList(in["key"]); !ok || len(f.keys) == 0 {
		return f, errStored
	}
	if f.values, ok = textList(in["values"]); !ok {
		return f, errStored
	}
	return f, nil
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

// markings are the markings that the filter asks for, wherever it does.
func (g *storedGroup) markings() []string {
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

// query is the filter as a list takes it, for the recovery scan: there is nothing to compare with
// there, so filters on what has changed are left out.
func (g *storedGroup) query() map[string]any {
	if g == nil {
		return nil
	}
	mode := func(all bool) string {
		if all {
			return "and"
		}
		return "or"
	}
	filters, groups := []any{}, []any{}
	for _, f := range g.filters {
		if f.op == "has_changed" || f.op == "not_has_changed" {
			continue
		}
		filters = append(filters, map[string]any{
			"key": anyList(f.keys), "values": anyList(f.values), "operator": f.op, "mode": mode(f.all),
		})
	}
	for i := range g.groups {
		groups = append(groups, g.groups[i].query())
	}
	return map[string]any{"mode": mode(!g.any), "filters": filters, "filterGroups": groups}
}

func anyList(l []string) []any {
	out := make([]any, len(l))
	for i, s := range l {
		out[i] = s
	}
	return out
}

// who evaluates filters on who caused a change: whatever their keys, they name users.
func (g *storedGroup) who(id string) bool {
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
