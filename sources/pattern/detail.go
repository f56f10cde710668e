package pattern

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths in characters: of a whole detail, and of the cause in it.
const (
	maxDetail = 200
	maxCause  = 120
)

// detail puts what was skipped before the cause, on one line of at most maxDetail characters. A long
// subject is cut rather than the cause.
func detail(subject, cause string) string {
	cause = cut(visible(cause), maxCause)
	if subject == "" {
		return cause
	}
	room := maxDetail - utf8.RuneCountInString(cause) - len(": ")
	return cut(visible(subject), room) + ": " + cause
}

// subject prints a part of a pattern.
func subject(print func(*strings.Builder)) string {
	var b strings.Builder
	print(&b)
	return b.String()
}

// cut shortens to n characters, the last one an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	i := 0
	for range n - 1 {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return s[:i] + "…"
}

// visible escapes control characters and everything else that does not show, such as marks that
// turn the direction of text. Only the part that a detail can show is looked at.
func visible(s string) string {
	if len(s) > maxDetail*utf8.UTFMax {
		s = s[:maxDetail*utf8.UTFMax]
	}
	hidden := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b []byte
	for _, r := range s {
		if hidden(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b = append(b, quoted[1:len(quoted)-1]...)
			continue
		}
		b = utf8.AppendRune(b, r)
	}
	return string(b)
}
