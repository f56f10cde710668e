package render

import (
	"fmt"
	"strings"
)

// title begins a word with a capital.
func title(word string) string {
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return Escape(word)
	}
	return strings.ToUpper(word[:1]) + Escape(word[1:])
}

func plural(n int, word string) string { return pluralOf(n, word, word+"s") }

func pluralOf(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// Count is a number with its word, such as 1 alert or 2 alerts.
func Count(n int, one, more string) string { return fmt.Sprintf("%d %s", n, pluralOf(n, one, more)) }

func cutLong(s string) string { return cutRunes(s, longValue) }
