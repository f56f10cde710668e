package octisim

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// textTest compiles an operator on a text; both are in the form that they are compared in. It is
// false for what is no operator.
func textTest(op, want string) (func(have string) bool, bool) {
	wanted := words(want)
	switch op {
	case "eq":
		return func(have string) bool { return have == want }, true
	case "contains":
		return func(have string) bool { return strings.Contains(have, want) }, true
	case "starts_with":
		return func(have string) bool { return strings.HasPrefix(have, want) }, true
	case "ends_with":
		return func(have string) bool { return strings.HasSuffix(have, want) }, true
	case "lt", "lte", "gt", "gte":
		is := comparisons[op]
		return func(have string) bool { return is(float64(strings.Compare(have, want)), 0) }, true
	case "wildcard": // * stands for anything and ? for one character
		re, err := regexp.Compile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(want)) + `$`)
		return func(have string) bool { return re.MatchString(have) }, err == nil
	case "match": // every word is there
		return func(have string) bool {
			all := words(have)
			return every(wanted, func(w string) bool { return slices.Contains(all, w) })
		}, true
	case "search": // if only as a part of one
		return func(have string) bool {
			return every(wanted, func(w string) bool { return strings.Contains(have, w) })
		}, true
	}
	return nil, false
}

// words are the parts a full-text search goes by.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// every is false for no words: they find nothing.
func every(words []string, is func(string) bool) bool {
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return !is(w) })
}
