package render

import (
	"strings"
)

// title begins a word with a capital.
func title(word string) string {
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return Escape(word)
	}
	return strings.ToUpper(word[:1]) + Escape(word[1:])
}

func cutLong(s string) string { return cutRunes(s, longValue) }
