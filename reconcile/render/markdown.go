package render

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"harfangsync/reconcile"
	"harfangsync/reconcile/planfile"
)

const (
	// Marker is the hidden first line by which a comment made by an earlier plan is found again.
	Marker = "<!-- harfangsync:plan -->"
	// MostMarkdown is the greatest length of a Markdown plan, in characters: a pull-request comment
	// holds 65,536.
	MostMarkdown = 60_000
	nameLength   = 100
)

// Markdown writes a plan for a pull-request comment: at most MostMarkdown characters, values
// defanged and escaped. Where it would be longer, creates are left out first, then updates, enables
// and adopts, last removals, and it says how many. With SummaryOnly it lists no changes. Its last line is that of Text.
func Markdown(w io.Writer, d *planfile.Document, o Options) error {
	var head, tail strings.Builder
	fmt.Fprintf(&head, "%s\n### harfangsync plan\n\n**%s**\n\n", Marker, LastLine(d))
	const mostHead = 20_000
	left := 0
	add := func(text string) {
		if utf8.RuneCountInString(head.String())+utf8.RuneCountInString(text) > mostHead {
			left++
			return
		}
		head.WriteString(text)
	}
	for _, g := range d.Gates {
		if !g.OK {
			add(fmt.Sprintf("> **Refused by gate %s** (%s): %s\n>\n> value %d, base %d, limit %d; override: %s\n\n", markdown(cutRunes(g.ID, nameLength)), markdown(cutRunes(g.Name, nameLength)),
				markdown(defangWords(cutRunes(g.Message, 500))), g.Value, g.Base, g.Limit, markdown(cutRunes(orWord(g.Override, "none"), nameLength))))
		}
	}
	for _, l := range d.Target.Lists {
		if l.ID == nil {
			add(fmt.Sprintf("The %s list %s will be created.\n\n", l.Kind, markdown(cutRunes(l.Name, nameLength))))
		}
	}
	if left > 0 {
		fmt.Fprintf(&head, "%d more notes of this kind are left out here; `harfangsync show` prints them.\n\n", left)
	}
	if n := len(d.Held) + len(d.Skipped); n > 0 {
		fmt.Fprintf(&tail, "\n%d held, %d skipped; `harfangsync show --full` lists them.\n", len(d.Held), len(d.Skipped))
	}
	fmt.Fprintf(&tail, "\n<sub>plan digest %s</sub>\n\n%s\n", markdown(cutRunes(d.Digest, nameLength)), LastLine(d))

	budget := MostMarkdown - utf8.RuneCountInString(head.String()) - utf8.RuneCountInString(tail.String())
	const note = 200 // for each line that says what was left out
	sections := []struct {
		title   string
		actions []reconcile.Action
	}{{"Removals", []reconcile.Action{reconcile.Delete, reconcile.Disable}}, {"Changes", []reconcile.Action{reconcile.Adopt, reconcile.Update, reconcile.Enable}}, {"Additions", []reconcile.Action{reconcile.Create}}}
	var body strings.Builder
	if o.SummaryOnly {
		sections = nil
	}
	for i, s := range sections {
		text := section(d, s.title, s.actions, budget-note*(len(sections)-i))
		budget -= utf8.RuneCountInString(text)
		body.WriteString(text)
	}
	_, err := io.WriteString(w, head.String()+body.String()+tail.String())
	return err
}

// section lists the changes with some actions in at most budget characters.
func section(d *planfile.Document, title string, actions []reconcile.Action, budget int) string {
	var rows []*reconcile.Change
	for i := range d.Changes {
		for _, a := range actions {
			if d.Changes[i].Action == a {
				rows = append(rows, &d.Changes[i])
			}
		}
	}
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s (%d)\n\n| | rule | reason | owners |\n| --- | --- | --- | --- |\n", title, len(rows))
	used := utf8.RuneCountInString(b.String())
	for i, c := range rows {
		line := markdownRow(c)
		n := utf8.RuneCountInString(line)
		if used+n > budget {
			fmt.Fprintf(&b, "\n%d of %d are left out here; `harfangsync show` prints the whole plan.\n", len(rows)-i, len(rows))
			break
		}
		b.WriteString(line)
		used += n
	}
	b.WriteString("\n")
	return b.String()
}

func markdownRow(c *reconcile.Change) string {
	what := Defang(c.Name)
	if c.Kind == reconcile.IOC {
		what = Defang(c.Value)
	}
	why := string(c.Reason)
	if c.Cause != "" && string(c.Cause) != why {
		why += ", " + string(c.Cause)
	}
	if len(c.Fields) > 0 && !c.Action.Removal() {
		why += ": " + strings.Join(c.Fields, ", ")
	}
	names := []string{}
	for i, o := range c.Owners {
		if i == 2 {
			names = append(names, fmt.Sprintf("and %d more", len(c.Owners)-i))
			break
		}
		names = append(names, orWord(o.Name, orWord(o.ID, o.StandardID)))
	}
	return fmt.Sprintf("| `%s` | %s %s | %s | %s |\n", c.Action.Symbol(), markdown(cutRunes(strings.TrimSpace(c.Kind.String()+" "+c.Type), nameLength)), markdown(cutRunes(what, longValue)),
		markdown(cutRunes(why, longValue)), markdown(cutRunes(Defang(strings.Join(names, "; ")), longValue)))
}

func cutRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
