package octisim

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// indexed is the longest text, in characters, that the search database keeps for comparison and
// order; a longer one counts as missing there (contract opencti-api 3.3).
const indexed = 512

// keyword is s as the database compares it: without case and accents, and nothing when too long.
func keyword(s string) string {
	if len(s) > indexed && utf8.RuneCountInString(s) > indexed {
		return ""
	}
	return fold(s)
}

// fold takes case and accents off.
func fold(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || 'A' <= r && r <= 'Z' }) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return ligatures.Replace(b.String())
}

var ligatures = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ł", "l")

// trim removes what JavaScript's trim removes, which is not what strings.TrimSpace removes
// (contract opencti-api 10.1).
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		switch r {
		case '\t', '\n', '\v', '\f', '\r', '\u2028', '\u2029', '\ufeff':
			return true
		}
		return unicode.Is(unicode.Zs, r)
	})
}

// appendJSON writes s as a JSON string the way JavaScript does: escaped only where it must be. It is
// also RFC 8785's form, which ids are computed over.
func appendJSON(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= utf8.RuneSelf }) {
		return append(append(append(b, '"'), s...), '"')
	}
	return append(b, goEscapes.Replace(string(jsonText(s)))...)
}

// goEscapes undoes the escapes that only Go makes, and knows an escaped backslash before one.
var goEscapes = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029", `\ufffd`, "\ufffd")
