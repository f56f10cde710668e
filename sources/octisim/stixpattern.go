package octisim

import (
	"regexp"
	"slices"
	"strings"
)

// piece is a part of a STIX pattern: white space, a quoted text, an operator, a bracket or a word.
type piece struct {
	kind byte // ' ', '\'', '=', or 'w'
	text string
}

var pieces = regexp.MustCompile(`(?s)\s+|'(?:[^'\\]|\\.)*'|!==?|==?|<>|<=|>=|<|>|[\[\]()]|[^\s'=!<>\[\]()]+|.`)

func cut(pattern string) []piece {
	var ps []piece
	for _, s := range pieces.FindAllString(pattern, -1) {
		k := byte('w')
		switch {
		case strings.TrimSpace(s) == "":
			k = ' '
		case s[0] == '\'' && len(s) > 1:
			k = '\''
		case strings.ContainsAny(s[:1], "=!<>"):
			k = '='
		}
		ps = append(ps, piece{k, s})
	}
	return ps
}

var bareName = regexp.MustCompile(`^'[A-Za-z_][A-Za-z0-9_]*'$`)

// normalisePattern is what the platform stores for a STIX pattern (contract opencti-api 10.5): one
// space around comparison operators, outer blanks off, and since 7.260506.0 no quotes around
// property names that do not need them.
func normalisePattern(v version, pattern string) string {
	ps := cut(trim(pattern))
	unquote := v.atLeast("7.260506.0")
	var b strings.Builder
	for i, p := range ps {
		before, after := piece{}, piece{}
		if i > 0 {
			before = ps[i-1]
		}
		if i+1 < len(ps) {
			after = ps[i+1]
		}
		switch {
		case p.kind == ' ' && (before.text == "[" || after.text == "]" || before.kind == '='):
		case p.kind == ' ' && after.kind == '=':
			if i > 0 && before.text == "NOT" {
				b.WriteByte(' ') // the platform leaves two spaces there
			}
		case p.kind == '=':
			b.WriteString(" " + p.text + " ")
		case p.kind == '\'' && unquote && strings.HasSuffix(before.text, ".") && bareName.MatchString(p.text):
			b.WriteString(p.text[1 : len(p.text)-1])
		default:
			b.WriteString(p.text)
		}
	}
	return b.String()
}

// test is one equality of a STIX pattern: object type, path and value.
type test struct{ object, path, value string }

// equalities lists the equality tests of a STIX pattern in order, which is all that the platform
// parses of it for display (contract opencti-api 2.3).
func equalities(pattern string) []test {
	var ts []test
	var path strings.Builder
	ps := slices.DeleteFunc(cut(pattern), func(p piece) bool { return p.kind == ' ' })
	negated := false
	for i, p := range ps {
		switch {
		case p.text == "[" || p.text == "]" || p.text == "(" || p.text == ")" || p.text == "AND" || p.text == "OR":
			path.Reset()
			negated = false
		case p.text == "NOT":
			negated = true
		case p.kind == '=':
			object, name, ok := strings.Cut(path.String(), ":")
			if ok && !negated && (p.text == "=" || p.text == "==") && i+1 < len(ps) && ps[i+1].kind == '\'' {
				q := ps[i+1].text
				ts = append(ts, test{object, strings.ReplaceAll(name, "'", ""), unescape(q[1 : len(q)-1])})
			}
			path.Reset()
		default:
			path.WriteString(p.text)
		}
	}
	return ts
}

func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(s)
}

// mainType is the entity type the pattern is mostly about: that of its first equality.
func mainType(patternType, pattern string) string {
	if patternType == "stix" {
		for _, t := range equalities(pattern) {
			if e := entityOf(t.object); e != "" {
				return e
			}
		}
	}
	return "Unknown"
}
