package octisim

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// textTest compiles an operator on a text, which is handed over as stored.
func textTest(op, value string) (func(string) bool, error) {
	want := fold(value)
	folded := func(is func(have string) bool) func(string) bool {
		return func(s string) bool {
			k := keyword(s)
			return k != "" && is(k)
		}
	}
	switch op {
	case "eq":
		return folded(func(have string) bool { return have == want }), nil
	case "contains":
		return folded(func(have string) bool { return strings.Contains(have, want) }), nil
	case "starts_with":
		return folded(func(have string) bool { return strings.HasPrefix(have, want) }), nil
	case "ends_with":
		return folded(func(have string) bool { return strings.HasSuffix(have, want) }), nil
	case "lt":
		return folded(func(have string) bool { return have < want }), nil
	case "lte":
		return folded(func(have string) bool { return have <= want }), nil
	case "gt":
		return folded(func(have string) bool { return have > want }), nil
	case "gte":
		return folded(func(have string) bool { return have >= want }), nil
	case "wildcard":
		re, err := wildcard(want)
		if err != nil {
			return nil, database("bad wildcard [%s]", value)
		}
		return folded(re.MatchString), nil
	case "match":
		wanted := words(want)
		return func(s string) bool { return hasAll(words(fold(s)), wanted) }, nil
	case "search":
		return searches(value), nil
	}
	return nil, unsupported("Filter operator %s is not supported", op)
}

// wildcard compiles a text in which * stands for anything and ? for one character.
func wildcard(s string) (*regexp.Regexp, error) {
	return regexp.Compile(`(?s)^` + strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(s)) + `$`)
}

// words are the parts a full-text search goes by.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

func hasAll(have, wanted []string) bool {
	for _, w := range wanted {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return len(wanted) > 0
}

// searches finds texts in which every word of the question occurs, if only as a part of a word.
func searches(question string) func(string) bool {
	wanted := words(fold(question))
	return func(s string) bool {
		have := fold(s)
		for _, w := range wanted {
			if !strings.Contains(have, w) {
				return false
			}
		}
		return len(wanted) > 0
	}
}

// missing passes objects without a value; a date that means "unknown" is none, and a text too long
// to be indexed is not there for the database.
func (c column[T]) missing() predicate[T] {
	switch {
	case c.flag != nil:
		return func(v T) bool { return c.flag(v) < 0 }
	case c.num != nil:
		return func(v T) bool { _, ok := c.num(v); return !ok }
	case c.date != nil:
		return func(v T) bool { return c.date(v).unknown() }
	case c.text != nil:
		return func(v T) bool { return keyword(c.text(v)) == "" }
	default:
		return func(v T) bool {
			return !slices.ContainsFunc(c.texts(v), func(s string) bool { return keyword(s) != "" })
		}
	}
}

// some passes objects one of whose texts passes.
func (c column[T]) some(is func(string) bool) predicate[T] {
	if c.text != nil {
		return func(v T) bool { return is(c.text(v)) }
	}
	return func(v T) bool { return slices.ContainsFunc(c.texts(v), is) }
}

// anyOf passes objects one of whose ids is among the values.
func (c column[T]) anyOf(values []string) predicate[T] {
	wanted := map[string]bool{}
	for _, v := range values {
		wanted[v] = true
	}
	return c.some(func(s string) bool { return wanted[s] })
}

// anyText passes objects whose text is among the values. The texts of such keys repeat, so a look at
// the stored spelling mostly settles it.
func (c column[T]) anyText(values []string) predicate[T] {
	wanted := map[string]bool{}
	for _, v := range values {
		wanted[fold(v)] = true
	}
	return func(v T) bool {
		k := keyword(c.text(v))
		return k != "" && wanted[k]
	}
}

// only passes objects whose values are exactly the given ones.
func (c column[T]) only(values []string) (predicate[T], error) {
	if c.text == nil && c.texts == nil {
		return nil, unsupported("Invalid filter configuration")
	}
	wanted := map[string]bool{}
	for _, v := range values {
		wanted[fold(v)] = true
	}
	return func(v T) bool {
		var have []string
		if c.text != nil {
			have = []string{c.text(v)}
		} else {
			have = c.texts(v)
		}
		seen := map[string]bool{}
		for _, s := range have {
			if k := keyword(s); wanted[k] {
				seen[k] = true
			} else {
				return false
			}
		}
		return len(seen) == len(wanted)
	}, nil
}
