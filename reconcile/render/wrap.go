package render

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Fit breaks a line so that it fits a width; 0 is any. What follows the first part stands deeper than it.
func Fit(line string, width int) string {
	return Wrap(line, width, len(line)-len(strings.TrimLeft(line, " "))+4)
}

// Wrap breaks a line of text between words so that it fits a width; 0 is any. What follows the first part is indented. A
// word that is wider than the screen stays whole.
func Wrap(line string, width, indent int) string {
	if width <= 0 || columns(line) <= width {
		return line
	}
	lead := len(line) - len(strings.TrimLeft(line, " "))
	var b strings.Builder
	at, begun := lead, false // the column, and whether the row has a word
	b.WriteString(line[:lead])
	for part := range strings.SplitAfterSeq(line[lead:], " ") {
		word := strings.TrimRight(part, " ")
		if n := columns(word); begun && word != "" && at+n > width {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		}
		b.WriteString(part)
		at += columns(part)
		begun = begun || word != ""
	}
	rows := strings.Split(b.String(), "\n")
	for i := range rows {
		rows[i] = strings.TrimRight(rows[i], " ")
	}
	return strings.Join(rows, "\n")
}

// columns is how wide a text is on a screen; colours take no room.
func columns(s string) int {
	n := 0
	for {
		before, after, coloured := strings.Cut(s, "\x1b[")
		n += uniseg.StringWidth(before)
		if !coloured {
			return n
		}
		_, s, _ = strings.Cut(after, "m")
	}
}
