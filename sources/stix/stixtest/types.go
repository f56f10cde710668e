package stixtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// property says what a property may hold. Check gives what is wrong with a value, or "". A property with
// refs, even if they are empty, holds one id or a list of them, of these types or of any.
type property struct {
	required bool
	check    func(any) string
	refs     []string
	isRef    bool
}

func (p property) refsIn(v any) []string {
	if !p.isRef {
		return nil
	}
	if s, ok := v.(string); ok {
		return []string{s}
	}
	return list(v)
}

// must makes a property a required one.
func must(p property) property { p.required = true; return p }

func is(check func(any) string) property { return property{check: check} }

func ref(types ...string) property { return property{check: isText, refs: types, isRef: true} }

func refs(types ...string) property { return property{check: isTexts, refs: types, isRef: true} }

func isText(v any) string {
	s, ok := v.(string)
	switch {
	case !ok:
		return "is no text"
	case strings.ContainsRune(s, 0):
		return "holds a NUL"
	case strings.TrimFunc(s, func(r rune) bool { return r == '\ufeff' || r != '\u0085' && unicode.IsSpace(r) }) != s:
		return "has outer blanks, which do not count in ids"
	}
	return ""
}

func isTexts(v any) string {
	items, ok := v.([]any)
	if !ok {
		return "is no list"
	}
	seen := map[any]bool{}
	for _, i := range items {
		if problem := isText(i); problem != "" {
			return "has an entry that " + problem
		}
		if seen[i] {
			return fmt.Sprintf("has %v twice", i)
		}
		seen[i] = true
	}
	return ""
}

func isBool(v any) string {
	if _, ok := v.(bool); !ok {
		return "is neither true nor false"
	}
	return ""
}

// isName is a text that the platform takes as a name.
func isName(v any) string {
	if s, _ := v.(string); utf8.RuneCountInString(s) < 2 {
		return "is under two characters"
	}
	return isText(v)
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

func isTime(v any) string {
	s, _ := v.(string)
	if _, err := time.Parse(time.RFC3339, s); err != nil || !timeForm.MatchString(s) {
		return fmt.Sprintf("is %v: no time in UTC with three digits of a second", v)
	}
	return ""
}

func isWhole(most int64) func(any) string {
	return func(v any) string {
		n, ok := v.(json.Number)
		i, err := n.Int64()
		if !ok || err != nil || i < 0 || i > most {
			return fmt.Sprintf("is %v: no whole number from 0 to %d", v, most)
		}
		return ""
	}
}

func isOneOf(words ...string) func(any) string {
	return func(v any) string {
		if s, _ := v.(string); !slices.Contains(words, s) {
			return fmt.Sprintf("is %v: none of %s", v, strings.Join(words, ", "))
		}
		return ""
	}
}

func areOf(words ...string) func(any) string {
	return func(v any) string {
		for _, s := range list(v) {
			if !slices.Contains(words, s) {
				return fmt.Sprintf("has %s: none of %s", s, strings.Join(words, ", "))
			}
		}
		return isTexts(v)
	}
}

func matches(form *regexp.Regexp, what string) func(any) string {
	return func(v any) string {
		if s, _ := v.(string); !form.MatchString(s) {
			return fmt.Sprintf("is %v: no %s", v, what)
		}
		return ""
	}
}

// isAddress is an address or a network as the standard writes it and, for IPv6, as RFC 5952 does.
func isAddress(four bool) func(any) string {
	return func(v any) string {
		s, _ := v.(string)
		a, err := netip.ParseAddr(s)
		form := a.String()
		if err != nil {
			p, err := netip.ParsePrefix(s)
			if err != nil || p.IsSingleIP() {
				return fmt.Sprintf("is %v: no address", v)
			}
			a, form = p.Addr(), p.Masked().String()
		}
		if a.Is4() != four || a.Is4In6() || a.Zone() != "" || form != s {
			return fmt.Sprintf("is %v: not in the one form of its kind", v)
		}
		return ""
	}
}

func isURL(v any) string {
	s, _ := v.(string)
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "holds a control character"
	}
	return isText(v)
}

var hashForms = map[string]*regexp.Regexp{
	"MD5": regexp.MustCompile(`^[0-9a-f]{32}$`), "SHA-1": regexp.MustCompile(`^[0-9a-f]{40}$`), "SHA-256": regexp.MustCompile(`^[0-9a-f]{64}$`),
}

func areHashes(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "is no object"
	}
	for _, algorithm := range slices.Sorted(maps.Keys(m)) {
		form := hashForms[algorithm]
		if s, _ := m[algorithm].(string); form == nil || !form.MatchString(s) {
			return fmt.Sprintf("has %s %v", algorithm, m[algorithm])
		}
	}
	return ""
}

// areReferences are external references that the platform does not skip.
func areReferences(v any) string {
	items, ok := v.([]any)
	if !ok {
		return "is no list"
	}
	for _, i := range items {
		m, _ := i.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !slices.Contains([]string{"source_name", "external_id", "url", "description"}, name) {
				return "has an entry with " + name
			}
			if problem := isText(m[name]); problem != "" {
				return "has an entry whose " + name + " " + problem
			}
		}
		if m["source_name"] == nil || m["url"] == nil && m["external_id"] == nil {
			return "has an entry without source_name, or without url and external_id"
		}
	}
	return ""
}
