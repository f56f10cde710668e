package render

import (
	"strings"

	"harfangsync/reconcile"
)

func (p *printer) field(c *reconcile.Change, name string) {
	from, to := fieldTexts(c, name)
	switch name {
	case "comment":
		p.comment(members(from, to))
	case "content":
		diff := contentDiff(c)
		if len(diff) == 0 {
			p.line("      content: only its spelling or our marker changes")
		}
		for _, l := range diff {
			p.line("      %s", p.diffLine(l))
		}
	default:
		p.line("      %s: %s -> %s", Escape(name), quote(cutLong(from)), quote(cutLong(to)))
	}
}

// comment prints what changes in a comment; what only the program reads is named in one line.
func (p *printer) comment(list []memberChange) {
	var ours []string
	for _, m := range list {
		if !p.o.Full && m.bookkeeping() {
			ours = append(ours, m.Name)
			continue
		}
		p.line("      comment.%s: %s -> %s", Escape(m.Name), m.show(m.From), m.show(m.To))
	}
	if len(ours) > 0 {
		p.line("      comment: our marker (%s)", strings.Join(ours, ", "))
	}
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
