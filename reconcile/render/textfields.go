package render

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// fields prints what changes in a rule: nothing that the action and the reason say already.
func (p *printer) fields(c *reconcile.Change) {
	said := false
	for _, name := range c.Fields {
		said = p.field(c, name) || said
	}
	switch {
	case said || c.Action != reconcile.Update && c.Action != reconcile.Adopt:
	case slices.Contains(c.Fields, "content"):
		p.line("      only its spelling or our marker changes")
	case slices.Contains(c.Fields, "comment"):
		p.line("      only our marker changes")
	}
}

func (p *printer) field(c *reconcile.Change, name string) (said bool) {
	from, to := fieldTexts(c, name)
	switch {
	case name == "comment":
		return p.comment(c, members(from, to))
	case name == "content":
		diff := contentDiff(c)
		for _, l := range diff {
			p.verbatim("      " + p.diffLine(l))
		}
		return len(diff) > 0
	case name == "enabled" && (c.Action == reconcile.Disable || c.Action == reconcile.Enable):
		return false
	}
	p.line("      %s: %s -> %s", Escape(name), quote(cutLong(from)), quote(cutLong(to)))
	return true
}

// comment prints what changes in a comment; what only the program reads is told in full alone.
func (p *printer) comment(c *reconcile.Change, list []memberChange) (said bool) {
	for _, m := range list {
		switch {
		case p.o.Full:
			p.line("      comment.%s: %s -> %s", Escape(m.Name), m.show(m.From), m.show(m.To))
		case m.bookkeeping():
			continue
		case m.Name == "indicators":
			p.owners("joined by", m.To, m.From, c.Owners)
			p.owners("left by", m.From, m.To, c.Owners)
		default:
			p.line("      %s: %s -> %s", Escape(m.label()), m.show(m.From), m.show(m.To))
		}
		said = true
	}
	return said
}

// owners prints the indicators that are among some ids and not among others, by their names where they are known.
func (p *printer) owners(what string, some, others *string, known []reconcile.Owner) {
	var names []string
	without := ids(others)
	for _, id := range ids(some) {
		if slices.Contains(without, id) {
			continue
		}
		i := slices.IndexFunc(known, func(o reconcile.Owner) bool { return o.ID == id })
		if i >= 0 && known[i].Name != "" {
			names = append(names, quote(cutLong(known[i].Name)))
		} else {
			names = append(names, Escape(id))
		}
	}
	if len(names) > 0 {
		p.line("      %s %s", what, strings.Join(names, ", "))
	}
}

// ids are those of a list in JSON; what is none has none.
func ids(list *string) (out []string) {
	if list != nil {
		_ = json.Unmarshal([]byte(*list), &out) // a comment may come from anywhere
	}
	return out
}

// label is what a person calls a member.
func (m memberChange) label() string {
	switch m.Name {
	case "indicator_score":
		return "score"
	case "indicator_platforms":
		return "platforms"
	}
	return "comment." + m.Name
}

func (m memberChange) show(s *string) string {
	switch {
	case s == nil:
		return "(none)"
	case m.Text:
		return quote(cutLong(*s))
	}
	return Escape(cutLong(*s))
}

func (p *printer) diffLine(l string) string {
	switch {
	case p.o.Color && strings.HasPrefix(l, "+"):
		return "\x1b[32m" + Escape(l) + "\x1b[0m"
	case p.o.Color && strings.HasPrefix(l, "-"):
		return "\x1b[31m" + Escape(l) + "\x1b[0m"
	}
	return Escape(l)
}
