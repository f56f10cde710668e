package render

import (
	"fmt"
	"strings"

	"github.com/sergi/go-diff/diffmatchpatch"
)

// contextLines is how many equal lines stand around a change in a diff.
const contextLines = 3

// Diff is a unified diff of two texts, without file names, as lines without their ends.
func Diff(from, to string) []string {
	dmp := diffmatchpatch.New()
	dmp.DiffTimeout = 0 // its default makes the result depend on the machine's load
	a, b, table := dmp.DiffLinesToRunes(lines(from), lines(to))
	diffs := dmp.DiffCharsToLines(dmp.DiffMainRunes(a, b, false), table)
	var all []string // every line with its sign
	for _, d := range diffs {
		sign := map[diffmatchpatch.Operation]string{diffmatchpatch.DiffEqual: " ", diffmatchpatch.DiffInsert: "+", diffmatchpatch.DiffDelete: "-"}[d.Type]
		for l := range strings.Lines(d.Text) {
			all = append(all, sign+strings.TrimSuffix(l, "\n"))
		}
	}
	return hunks(all)
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
