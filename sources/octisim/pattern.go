package octisim

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// piece is a part of a STIX pattern: white space, a quoted text, an operator, a bracket or a word.
type piece struct {
	kind byte // ' ', '\'', '=', or 'w'
	text string
}

func cut(pattern string) []piece {
	ps := make([]piece, 0, 16)
	for at := 0; at < len(pattern); {
		k, n := first(pattern[at:])
		ps = append(ps, piece{k, pattern[at : at+n]})
		at += n
	}
	return ps
}

// first gives the kind and length of the piece that s begins with.
func first(s string) (kind byte, n int) {
	const blank, operator, special = " \t\r\n", "=!<>", " \t\r\n=!<>[]()'"
	until := func(stop func(c byte) bool) int {
		for i := 1; i < len(s); i++ {
			if stop(s[i]) {
				return i
			}
		}
		return len(s)
	}
	switch c := s[0]; {
	case strings.IndexByte(blank, c) >= 0:
		return ' ', until(func(c byte) bool { return strings.IndexByte(blank, c) < 0 })
	case strings.IndexByte(operator, c) >= 0:
		if len(s) > 1 && (s[1] == '=' || s[:2] == "<>") {
			return '=', 2
		}
		return '=', 1
	case c == '\'':
		for i := 1; i < len(s); i++ {
			switch s[i] {
			case '\\':
				i++
			case '\'':
				return '\'', i + 1
			}
		}
		return 'w', len(s) // never closed
	case strings.IndexByte(special, c) >= 0:
		return 'w', 1
	}
	return 'w', until(func(c byte) bool { return strings.IndexByte(special, c) >= 0 })
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
// parses of it (contract opencti-api 2.3). The literals lose their quotes, all of them, and keep their
// backslashes, so that one with an escape in it gives a value that says nothing (0.9).
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
				ts = append(ts, test{object, strings.ReplaceAll(name, "'", ""), strings.ReplaceAll(q, "'", "")})
			}
			path.Reset()
		default:
			path.WriteString(p.text)
		}
	}
	return ts
}

// mainType is the entity type the pattern is mostly about: that of its first equality.
func mainType(patternType, pattern string) string {
	if patternType == "stix" {
		for _, t := range equalities(pattern) {
			if k, ok := kindOfSTIX(t.object); ok && k.value != "" {
				return k.entity
			}
		}
	}
	return "Unknown"
}

var (
	mailForm = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
	macForm  = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$`)
	hexForm  = regexp.MustCompile(`^[0-9A-Fa-f]+$`)
	hostPart = regexp.MustCompile(`^[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_-]{0,61}[\p{L}\p{M}\p{N}_])?$`)
)

var hashLengths = map[string]int{"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128}

// host tells whether s is a host name of at least so many labels.
func host(s string, labels int) bool {
	parts := strings.Split(s, ".")
	return len(s) <= 253 && len(parts) >= labels && !slices.ContainsFunc(parts, func(p string) bool { return !hostPart.MatchString(p) })
}

// wellFormed tells whether the platform takes an observable: the values of names, addresses, mailboxes
// and hashes are checked, others only have to be there (contract opencti-api 9).
func wellFormed(o *Observable) bool {
	switch o.EntityType {
	case "Domain-Name":
		return host(o.Value, 2)
	case "Hostname":
		return host(o.Value, 1)
	case "IPv4-Addr":
		return address(o.Value, netip.Addr.Is4)
	case "IPv6-Addr":
		return address(o.Value, netip.Addr.Is6)
	case "Email-Addr":
		return mailForm.MatchString(o.Value)
	case "Mac-Addr":
		return macForm.MatchString(o.Value)
	case "StixFile", "Artifact":
		for _, h := range o.Hashes {
			if n, ok := hashLengths[strings.ToUpper(h.Algorithm)]; ok && (len(trim(h.Hash)) != n || !hexForm.MatchString(trim(h.Hash))) {
				return false
			}
		}
		return len(o.Hashes) > 0 || trim(o.Name) != "" || trim(o.Value) != ""
	case "User-Account":
		id, _ := o.Props["user_id"].(string)
		kind, _ := o.Props["account_type"].(string)
		return trim(o.Value+id+kind) != ""
	default:
		return trim(o.Value) != ""
	}
}

// address takes an address or a network of one family.
func address(s string, is func(netip.Addr) bool) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return is(a) && a.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return err == nil && is(p.Addr())
}

// patternTypes are the built-in ones; nobody can add others by an import.
var patternTypes = []string{"stix", "pcre", "sigma", "snort", "suricata", "yara", "tanium-signal", "spl", "eql", "shodan"}

func knownPatternType(v version, t string) bool {
	return slices.Contains(patternTypes, t) || t == "nova" && v.atLeast("7")
}

var yaraRule = regexp.MustCompile(`(?s)\brule\s+\w+.*\{.*\bcondition\s*:.*\}`)

// goodPattern tells whether a pattern has the form of its type. It sees what is plainly broken and
// no more; the platform has a parser for each.
func goodPattern(kind, pattern string) bool {
	switch kind {
	case "stix":
		return goodSTIX(cut(pattern))
	case "yara":
		return yaraRule.MatchString(pattern)
	case "sigma":
		var rule map[string]any
		return yaml.Unmarshal([]byte(pattern), &rule) == nil && rule["detection"] != nil
	}
	return trim(pattern) != ""
}

func goodSTIX(ps []piece) bool {
	open, groups, tests := 0, 0, 0
	for _, p := range ps {
		switch {
		case p.text == "[":
			open++
			groups++
		case p.text == "]":
			open--
		case p.kind == '=' || slices.Contains([]string{"IN", "LIKE", "MATCHES", "EXISTS", "ISSUBSET", "ISSUPERSET"}, p.text):
			tests++
		case p.kind == 'w' && strings.HasPrefix(p.text, "'"): // a quote that never closes
			return false
		}
		if open < 0 || open > 1 {
			return false
		}
	}
	return open == 0 && groups > 0 && tests > 0
}
