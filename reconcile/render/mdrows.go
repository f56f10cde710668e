package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// reasonsLine says how often changes have each reason, the most frequent first, and what it means.
func reasonsLine(by map[reconcile.Reason]int, explained bool) string {
	const most = 12
	reasons := mostFirst(by)
	var words []string
	for i, r := range reasons {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more reasons", len(reasons)-most))
			break
		}
		word := fmt.Sprintf("%d %s", by[r], markdownName(string(r)))
		if m, ok := meanings[r]; ok && explained {
			word += " (" + markdown(m) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

// markdownName is a short text, defanged and escaped.
func markdownName(s string) string { return markdown(defangWords(cutRunes(s, nameLength))) }

// markdownRow is one change as one row of a table; a wide one has a column for what changes.
func markdownRow(c *reconcile.Change, wide bool) string {
	names, said := []string{}, valueOf(c.Kind, c.Value, c.Name)
	for i, o := range c.Owners {
		if i == 2 {
			names = append(names, fmt.Sprintf("and %d more", len(c.Owners)-i))
			break
		}
		if name := cmp.Or(o.Name, o.ID, o.StandardID); !named(said, name) {
			names, said = append(names, cutRunes(name, nameLength)), name
		}
	}
	cells := []string{
		"`" + c.Action.Symbol() + "`",
		markdown(Defang(cutRunes(strings.TrimSpace(c.Kind.String()+" "+c.Type), nameLength))) + " " + markdown(Defang(cutRunes(valueOf(c.Kind, c.Value, c.Name), longValue))),
		markdown(defangWords(cutRunes(strings.Join(slices.DeleteFunc(append([]string{whyOf(c), impactNote(c.Impact)}, c.Notes...), func(s string) bool { return s == "" }), "; "), longValue))),
	}
	switch {
	case slices.Contains(changeActions, c.Action):
		cells = append(cells, markdown(defangWords(cutRunes(whatChanges(c), 2*longValue))))
	case wide:
		cells = append(cells, "")
	}
	return "| " + strings.Join(append(cells, markdown(Defang(strings.Join(names, "; ")))), " | ") + " |\n"
}

// whatChanges says in a few words what a change does to each field.
func whatChanges(c *reconcile.Change) string {
	const most = 60
	var words []string
	for _, name := range c.Fields {
		from, to := fieldTexts(c, name)
		switch name {
		case "content":
			gone, come := 0, 0
			for _, l := range contentDiff(c) {
				switch l[0] {
				case '-':
					gone++
				case '+':
					come++
				}
			}
			words = append(words, fmt.Sprintf("text: %d %s out, %d in", gone, reconcile.Plural(gone, "line", "lines"), come))
		case "comment":
			var names []string
			for _, m := range members(from, to) {
				if !m.bookkeeping() {
					names = append(names, cutRunes(m.Name, most))
				}
			}
			words = append(words, strings.TrimSuffix("comment: "+strings.Join(names, ", "), ": "))
		default:
			words = append(words, fmt.Sprintf("%s: “%s” → “%s”", cutRunes(name, most), cutRunes(from, most), cutRunes(to, most)))
		}
	}
	return strings.Join(words, "; ")
}

// markdownDiffs shows how rules' texts change, folded, in at most budget characters, and a note.
func markdownDiffs(d *planfile.Document, budget int) string {
	const open, end = "<details><summary>Rules' texts, before and after</summary>\n\n", "</details>\n\n"
	var b strings.Builder
	used, left := units(open)+units(end), 0
	for i := range d.Changes.Len() {
		if !slices.Contains(changeActions, d.Changes.Action(i)) {
			continue
		}
		c := d.Changes.At(i)
		if !slices.Contains(c.Fields, "content") {
			continue
		}
		lines := contentDiff(c)
		if len(lines) == 0 {
			continue
		}
		var diff strings.Builder
		fmt.Fprintf(&diff, "%s %s\n\n<pre lang=\"diff\">\n", c.Kind, markdown(Defang(cutRunes(c.Name, nameLength))))
		for _, l := range lines {
			diff.WriteString(markup(l) + "\n")
		}
		diff.WriteString("</pre>\n\n")
		if n := units(diff.String()); used+n <= budget {
			used += n
			b.WriteString(diff.String())
		} else {
			left++
		}
	}
	text := ""
	if b.Len() > 0 {
		text = open + b.String() + end
	}
	if left > 0 {
		text += fmt.Sprintf("%s of rules' texts left out here; `harfangsync show` prints the whole plan.\n\n", reconcile.Count(left, "diff"))
	}
	return text
}

// units is the length of a text as its readers' limits count it: in UTF-16.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

func cutRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
