package render

import (
	"encoding/json"
	"fmt"
	"slices"

	"harfangsync/reconcile"
)

func fieldText(b *reconcile.Body, name string) string {
	if b == nil {
		return ""
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	switch name {
	case "name":
		return text(b.Name)
	case "enabled":
		return fmt.Sprint(b.Enabled)
	case "hl_status":
		return b.HLStatus
	case "description":
		return text(b.Description)
	case "comment":
		return text(b.Comment)
	case "content":
		return text(b.Content)
	}
	return ""
}

type memberChange struct{ name, from, to string }

// members are the changed members of two comments; a comment that is no JSON object is one member.
func members(from, to string) []memberChange {
	a, b := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	errA, errB := json.Unmarshal([]byte(from), &a), json.Unmarshal([]byte(to), &b)
	if errB != nil {
		return []memberChange{{"text", quote(shorten(from)), quote(shorten(to))}}
	}
	names := []string{}
	for n := range b {
		names = append(names, n)
	}
	for n := range a {
		if _, both := b[n]; !both {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	var out []memberChange
	if errA != nil && from != "" {
		out = append(out, memberChange{"text", quote(shorten(from)), "JSON"})
	}
	for _, n := range names {
		if x, y := string(a[n]), string(b[n]); x != y {
			out = append(out, memberChange{Escape(n), orNone(x), orNone(y)})
		}
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return Escape(shorten(s))
}
