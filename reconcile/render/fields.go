package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// fieldOf is one field of a rule as a text, nil where it has none.
func fieldOf(b *reconcile.Body, name string) *string {
	if b == nil {
		return nil
	}
	switch name {
	case "name":
		return b.Name
	case "enabled":
		return new(fmt.Sprint(b.Enabled))
	case "hl_status":
		return &b.HLStatus
	case "description":
		return b.Description
	case "comment":
		return b.Comment
	case "content":
		return b.Content
	}
	return b.Asked(name)
}

// fieldTexts is one field before and after a change, "" where there is none.
func fieldTexts(c *reconcile.Change, name string) (from, to string) {
	if s := fieldOf(c.Before, name); s != nil {
		from = *s
	}
	if s := fieldOf(c.After, name); s != nil {
		to = *s
	}
	return from, to
}

// contentDiff is the diff of a rule's text without our marker; it is empty where only the spelling changes.
func contentDiff(c *reconcile.Change) []string {
	from, to := fieldTexts(c, "content")
	if c.Kind == reconcile.Sigma { // the manager writes rules anew: what it only spells otherwise is no change
		return Diff(marker.PlainSigma(from), marker.PlainSigma(to))
	}
	_, from, _ = marker.SplitYARA(from)
	_, to, _ = marker.SplitYARA(to)
	return Diff(marker.NormalYARA(from), marker.NormalYARA(to))
}

// memberChange is one changed member of a comment. From and To are JSON, or the whole comment if Text;
// nil stands for none.
type memberChange struct {
	Name     string
	From, To *string
	Text     bool
}

// members are the changed members of two comments, by name; a comment that is no JSON object is one
// member.
func members(from, to string) []memberChange {
	a, b := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	errA, errB := json.Unmarshal([]byte(from), &a), json.Unmarshal([]byte(to), &b)
	if errB != nil {
		return []memberChange{{Name: "text", From: &from, To: &to, Text: true}}
	}
	var out []memberChange
	if errA != nil && from != "" {
		out = append(out, memberChange{Name: "text", From: &from, Text: true})
	}
	value := func(m map[string]json.RawMessage, name string) *string {
		if raw, ok := m[name]; ok {
			return new(string(raw))
		}
		return nil
	}
	both := map[string]json.RawMessage{}
	maps.Copy(both, a)
	maps.Copy(both, b)
	for _, n := range slices.Sorted(maps.Keys(both)) {
		if x, y := value(a, n), value(b, n); (x == nil) != (y == nil) || x != nil && *x != *y {
			out = append(out, memberChange{Name: n, From: x, To: y})
		}
	}
	return out
}

// bookkeeping says whether a member is one by which the program knows its own rules, which tells a person nothing that
// the change does not say: ids, counts and digests of owners, why it disabled the rule, and its name where none stood before.
func (m memberChange) bookkeeping() bool {
	switch m.Name {
	case "applied", "owners_digest", "owners_count", "indicator_id", "disabled":
		return true
	case "instance", "managed_by", "indicators":
		return m.From == nil
	}
	return false
}
