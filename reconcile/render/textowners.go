package render

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// owners is the end of a change's line: who wants the rule, or wanted it. A name stands once, and not at all where the
// rule bears it; an id stands only where there is no name.
func owners(c *reconcile.Change) string {
	const most = 3
	var words []string
	said := valueOf(c.Kind, c.Value, c.Name)
	for i, o := range c.Owners {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(c.Owners)-most))
			break
		}
		name, text := cmp.Or(o.Name, o.ID, o.StandardID), ""
		if !named(said, name) {
			text = Escape(name)
			if o.Name != "" {
				text = quote(cutLong(name))
			}
			said = name
		}
		if o.Score != nil {
			text += fmt.Sprintf(" score %d", *o.Score)
		}
		if text = strings.TrimSpace(text); text != "" {
			words = append(words, text)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "  " + strings.Join(words, "; ")
}

// named says whether a name is what stands there already, whole or cut to HarfangLab's limit.
func named(said, name string) bool {
	const mark = len("~01234567")
	if n := len(said) - mark; n > 0 && said[n] == '~' && strings.HasPrefix(name, said[:n]) {
		return true
	}
	return strings.EqualFold(said, name)
}
