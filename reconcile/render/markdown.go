package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

const (
	// Marker is the hidden first line by which a comment made by an earlier plan is found again.
	Marker = "<!-- harfangsync plan -->"
	// MostMarkdown is the greatest length of a Markdown plan, in characters: a pull-request comment
	// holds 65,536.
	MostMarkdown = 60_000
	nameLength   = 100
	mostHead     = 20_000
	// noteLength is kept free for each line that says what was left out.
	noteLength = 400
)

// Markdown writes a plan for a pull-request comment: at most MostMarkdown characters, counted as UTF-16
// does, values defanged and escaped. Where it would be longer, creates are left out first, then diffs,
// updates, enables and adopts, last removals, and it says how many. Removals are never folded; long lists
// of other changes are folded to what their reader may open. With SummaryOnly it lists no changes. Its
// first line is Marker, its last line that of Text.
func Markdown(w io.Writer, d *planfile.Document, o Options) error {
	head, tail := markdownHead(d), markdownTail(d)
	budget := MostMarkdown - units(head) - units(tail)
	var body strings.Builder
	if !o.SummaryOnly {
		// Each part may take what those before it left, but for the notes of those after it. Once something
		// of a list is left out, so is all of the lists after it.
		notes, whole := 4, true
		room := func() int {
			left := budget - units(body.String()) - notes*noteLength
			notes--
			if !whole {
				return 0
			}
			return left
		}
		list := func(of listing, title string, actions ...reconcile.Action) {
			text, all := markdownList(of, title, actions, room())
			body.WriteString(text)
			whole = whole && all
		}
		changes, held := steps(d), waiting(d)
		if held.n > 0 {
			notes += 2
		}
		list(changes, "Removals", removalActions...)
		if held.n > 0 {
			list(held, "Removals that a gate holds", removalActions...)
		}
		list(changes, "Changes", changeActions...)
		body.WriteString(markdownDiffs(d, room()))
		list(changes, "Additions", reconcile.Create)
		if held.n > 0 {
			list(held, "Changes and additions that a gate holds", append(slices.Clone(changeActions), reconcile.Create)...)
		}
	}
	if err := d.Err(); err != nil {
		return err
	}
	_, err := io.WriteString(w, head+body.String()+tail)
	return err
}

var (
	removalActions = []reconcile.Action{reconcile.Delete, reconcile.Disable}
	changeActions  = []reconcile.Action{reconcile.Adopt, reconcile.Update, reconcile.Enable}
)

// markdownHead is what a plan comes to, its counts, and what stands against it.
func markdownHead(d *planfile.Document) string {
	var b strings.Builder
	v := verdictOf(d)
	fmt.Fprintf(&b, "%s\n### harfangsync plan: %s\n\n**%s**\n\n", Marker, v.Text, LastLine(d))
	b.WriteString(countsTable(d))
	left, used := 0, units(b.String())
	add := func(text string) {
		if used+units(text) > mostHead {
			left++
			return
		}
		used += units(text)
		b.WriteString(text)
	}
	for _, g := range Refused(d) {
		add(fmt.Sprintf("> **Refused by gate %s** (%s): %s\n>\n> override: %s\n\n", markdownName(cmp.Or(strings.TrimSpace(g.ID), "?")), markdownName(guarded(&g)),
			markdown(defangWords(cutRunes(g.Message, 500))), markdownName(cmp.Or(g.Override, "there is none"))))
	}
	if summary, seen, notes := impactLines(d, foldOver); summary != "" {
		add("**" + markdown(summary) + "**\n\n")
		for _, text := range seen {
			add("- " + markdown(defangWords(cutRunes(text, 400))) + "\n")
		}
		for _, text := range notes {
			add("- *" + markdown(defangWords(cutRunes(text, 400))) + "*\n")
		}
		add("\n")
	}
	if summary, waiting := promotionWords(d); summary != "" {
		add("**" + markdown(summary) + "**\n\n")
		for _, text := range waiting {
			add("- " + markdown(defangWords(cutRunes(text, 400))) + "\n")
		}
		add("\n")
	}
	for _, l := range newLists(d) {
		add(fmt.Sprintf("The %s list %s will be created.\n\n", l.Kind, markdownName(l.Name)))
	}
	if n := len(d.Unblocked); n > 0 {
		add(fmt.Sprintf("**%s unblocked by a person:**\n\n", reconcile.Count(n, "value")))
	}
	for i := range d.Unblocked {
		add("- " + markdown(defangWords(unblockWords(&d.Unblocked[i]))) + "\n")
	}
	if len(d.Unblocked) > 0 {
		add("\n")
	}
	if left > 0 {
		fmt.Fprintf(&b, "Left out here: %s of this kind; `harfangsync show` prints all.\n\n", reconcile.Count(left, "note"))
	}
	return b.String()
}

// countsTable is how many rules of each kind each action touches.
func countsTable(d *planfile.Document) string {
	if d.Changes.Len() == 0 {
		return ""
	}
	n := headCounts(steps(d))
	var b strings.Builder
	b.WriteString("| |")
	for _, k := range reconcile.Kinds {
		fmt.Fprintf(&b, " %s |", k)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(reconcile.Kinds)) + "\n")
	for _, a := range reconcile.Actions {
		row, sum := fmt.Sprintf("| `%s` %s |", a.Symbol(), a), 0
		for _, k := range reconcile.Kinds {
			row += fmt.Sprintf(" %d |", n[head{a, k}])
			sum += n[head{a, k}]
		}
		if sum > 0 {
			b.WriteString(row + "\n")
		}
	}
	return b.String() + "\n"
}

func markdownTail(d *planfile.Document) string {
	var b strings.Builder
	if n := d.Held.Len() + d.Skipped.Len(); n > 0 {
		fmt.Fprintf(&b, "%d held, %d skipped; `harfangsync show --full` lists them.\n\n", d.Held.Len(), d.Skipped.Len())
	}
	fmt.Fprintf(&b, "<sub>plan digest %s</sub>\n\n%s\n", markdownName(d.Digest), LastLine(d))
	return b.String()
}

// markdownList lists the changes with some actions in at most budget characters and a note, and says
// whether it lists all.
func markdownList(of listing, title string, actions []reconcile.Action, budget int) (string, bool) {
	type placed struct {
		at int
		weight
	}
	var rows []placed
	by := map[reconcile.Reason]int{}
	for i := range of.n {
		if slices.Contains(actions, of.head(i).action) {
			c := of.read(i)
			rows = append(rows, placed{i, weightOf(c)})
			by[c.Reason]++
		}
	}
	if len(rows) == 0 {
		return "", true
	}
	slices.SortStableFunc(rows, func(a, b placed) int { return a.compare(b.weight) })
	removals := actions[0].Removal()
	folded := !removals && len(rows) > foldOver
	var b strings.Builder
	fmt.Fprintf(&b, "#### %s (%d)\n\n", title, len(rows))
	if reasons := reasonsLine(by, removals) + "\n\n"; units(b.String())+units(reasons) <= max(budget, noteLength/2) {
		b.WriteString(reasons)
	}
	open, end := "", "\n"
	if folded {
		open, end = "<details><summary>"+title+"</summary>\n\n", "\n</details>\n\n"
	}
	open += "| | rule | reason | owners |\n| --- | --- | --- | --- |\n"
	wide := actions[0] == reconcile.Adopt
	if wide {
		open = strings.Replace(open, "reason |", "reason | what changes |", 1)
		open = strings.Replace(open, "| --- |\n", "| --- | --- |\n", 1)
	}
	used, listed := units(b.String())+units(open)+units(end), 0
	for _, row := range rows {
		line := markdownRow(of.read(row.at), wide)
		n := units(line)
		if used+n > budget {
			break
		}
		if listed == 0 {
			b.WriteString(open)
		}
		b.WriteString(line)
		used += n
		listed++
	}
	if listed > 0 {
		b.WriteString(end)
	}
	if listed < len(rows) {
		fmt.Fprintf(&b, "%d of %d are left out here; `harfangsync show` prints the whole plan.\n\n", len(rows)-listed, len(rows))
	}
	return b.String(), listed == len(rows)
}
