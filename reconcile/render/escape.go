// Package render shows plans and reports: as text for a terminal, as JSON, as JSON lines, as Markdown for
// a pull request, and as a page for a browser. Whatever comes from outside is escaped where it is shown.
package render

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a text safe for one line of a terminal: control bytes, line ends, invisible and
// direction-changing characters and invalid UTF-8 are shown as escapes.
func Escape(s string) string { return escape(s, "") }

// EscapeLines is Escape for a text of several lines: line ends and tabs stay.
func EscapeLines(s string) string { return escape(s, "\n\t") }

func escape(s, kept string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r >= 0x7f }) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strings.ContainsRune(kept, r) || !hidden(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
		i += n
	}
	return b.String()
}

// hidden says whether a character does something other than show itself: controls, directions, line
// ends, private and forbidden ones, and those that a screen leaves out.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Noncharacter_Code_Point)
}

// Defang makes a value unclickable: hxxp for http, [.] for the dots of names and addresses.
func Defang(s string) string {
	return strings.ReplaceAll(defangScheme(s), ".", "[.]")
}

var schemes = regexp.MustCompile(`(?i)\b(ht|f)tp(s?)://`)

func defangScheme(s string) string {
	return schemes.ReplaceAllStringFunc(s, func(m string) string {
		if strings.EqualFold(m[:1], "f") {
			return "fxp" + strings.ToLower(m[3:])
		}
		return "hxxp" + strings.ToLower(m[4:])
	})
}

var innerDot = regexp.MustCompile(`([\pL\pN_-])\.([\pL\pN_-])`)

// defangWords makes the values in a sentence unclickable and leaves its full stops.
func defangWords(s string) string {
	s = defangScheme(s)
	return innerDot.ReplaceAllString(innerDot.ReplaceAllString(s, "$1[.]$2"), "$1[.]$2") // twice, for a.b.c
}

// markdown escapes a text for use inside Markdown: one line, no markup, no link, no mention.
func markdown(s string) string {
	s = Escape(s)
	var b strings.Builder
	for i, r := range s {
		switch r {
		case '#':
			if i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' { // a reference, which no escape prevents
				b.WriteString(`\[\#\]`)
				continue
			}
			b.WriteString(`\#`)
		case '-':
			if i >= 2 && strings.EqualFold(s[i-2:i], "gh") && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' { // another
				b.WriteString(`\[\-\]`)
				continue
			}
			b.WriteString(`\-`)
		case '\\', '`', '*', '_', '{', '}', '[', ']', '(', ')', '+', '!', '|', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@': // mentions are looked for in the rendered text, so an entity is not enough
			b.WriteString(`\[&#64;\]`)
		case ':':
			b.WriteString("&#58;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// markup escapes a text for a preformatted block of HTML inside Markdown, where nothing but HTML counts;
// what Markdown and its readers look for is escaped all the same.
func markup(s string) string {
	var b strings.Builder
	for _, r := range EscapeLines(defangScheme(s)) {
		if strings.ContainsRune("&<>\"'`|@#*_~[]\\:$", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
