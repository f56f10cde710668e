package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// contextLines is how many equal lines stand around a change in a diff.
const contextLines = 3

// Diff is a unified diff of two texts, without file names, as lines without their ends.
func Diff(from, to string) []string {
	return hunks(signed(slices.Collect(strings.Lines(lines(from))), slices.Collect(strings.Lines(lines(to)))))
}

// mostLines is how many lines are compared with each other, which takes the square of their number. Of
// longer texts only what they begin and end with alike is found; the rest of both is a change.
const mostLines = 10_000

// signed is every line of both texts with its sign, without its end.
func signed(from, to []string) (all []string) {
	add := func(sign string, lines []string) {
		for _, l := range lines {
			all = append(all, sign+strings.TrimSuffix(l, "\n"))
		}
	}
	if len(from) > mostLines || len(to) > mostLines {
		shorter := min(len(from), len(to))
		head, tail := 0, 0
		for head < shorter && from[head] == to[head] {
			head++
		}
		for tail < shorter-head && from[len(from)-1-tail] == to[len(to)-1-tail] {
			tail++
		}
		add(" ", from[:head])
		if gone, come := from[head:len(from)-tail], to[head:len(to)-tail]; max(len(gone), len(come)) > mostLines {
			add("-", gone)
			add("+", come)
		} else {
			all = append(all, signed(gone, come)...)
		}
		add(" ", from[len(from)-tail:])
		return all
	}
	dmp := diffmatchpatch.New()
	dmp.DiffTimeout = 0 // its default makes the result depend on the machine's load
	a, b, table := dmp.DiffLinesToRunes(strings.Join(from, ""), strings.Join(to, ""))
	for _, d := range dmp.DiffCharsToLines(dmp.DiffMainRunes(a, b, false), table) {
		add(map[diffmatchpatch.Operation]string{diffmatchpatch.DiffEqual: " ", diffmatchpatch.DiffInsert: "+", diffmatchpatch.DiffDelete: "-"}[d.Type], slices.Collect(strings.Lines(d.Text)))
	}
	return all
}

// lines makes a text valid and gives its last line an end, so that lines compare as wholes.
func lines(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// hunks keeps the changed lines with their context, under heads that say where they stand.
func hunks(all []string) []string {
	var out []string
	oldAt, newAt := 1, 1
	for i := 0; i < len(all); {
		if all[i][0] == ' ' {
			oldAt++
			newAt++
			i++
			continue
		}
		from := max(i-contextLines, 0)
		for j := i - 1; j >= from; j-- {
			if all[j][0] != ' ' {
				from = j + 1
			}
		}
		to, equal := i, 0
		for to < len(all) && equal <= 2*contextLines {
			if equal++; all[to][0] != ' ' {
				equal = 0
			}
			to++
		}
		to -= max(equal-contextLines, 0)
		lead := i - from
		olds, news := 0, 0
		for _, l := range all[from:to] {
			if l[0] != '+' {
				olds++
			}
			if l[0] != '-' {
				news++
			}
		}
		out = append(out, fmt.Sprintf("@@ -%d,%d +%d,%d @@", oldAt-lead, olds, newAt-lead, news))
		out = append(out, all[from:to]...)
		oldAt, newAt = oldAt-lead+olds, newAt-lead+news
		i = to
	}
	return out
}
