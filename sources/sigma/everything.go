package sigma

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// matchesEverything says whether a rule holds for an event of which its tests know nothing: whoever
// deploys it has an alert for every event.
func (d *detection) matchesEverything() bool {
	return d.value(func(_ string, n *yaml.Node) truth { return selectionValue(n, holdsAnyhow) }) == always
}

// holdsAnyhow says always of a test that every value passes, and never of any other.
func holdsAnyhow(_, modifiers string, value *yaml.Node) truth {
	mods := map[string]bool{}
	for m := range strings.SplitSeq(modifiers, "|") {
		mods[m] = true
	}
	anyhow := func(v *yaml.Node) bool { return passes(mods, v) }
	list := values(value)
	holds := slices.ContainsFunc(list, anyhow)
	if mods["all"] {
		holds = len(list) > 0 && !slices.ContainsFunc(list, func(v *yaml.Node) bool { return !anyhow(v) })
	}
	if holds {
		return always
	}
	return never
}

// odd are values that no test in good faith expects.
var odd = []string{"q7#~zé", `\\?\x!`, "0", "  -"}

// passes says whether a value of a test lets everything through.
func passes(mods map[string]bool, v *yaml.Node) bool {
	if mods["neq"] {
		return true
	}
	if v.ShortTag() == "!!null" {
		return false
	}
	if mods["exists"] {
		return strings.EqualFold(v.Value, "true")
	}
	if mods["re"] {
		return matchesOdd(v.Value)
	}
	if mods["cidr"] {
		return strings.HasSuffix(v.Value, "/0")
	}
	if n, err := strconv.ParseFloat(v.Value, 64); err == nil && (mods["gte"] && n <= 0 || mods["gt"] && n < 0) {
		return true // no field of an event is less than nothing
	}
	if mods["contains"] || mods["startswith"] || mods["endswith"] {
		return strings.Trim(v.Value, "*?") == ""
	}
	return strings.Contains(v.Value, "*") && strings.Trim(v.Value, "*?") == ""
}

// matchesOdd says whether an expression matches the odd values. What its repetitions make much longer than it is
// written is not tried.
func matchesOdd(expression string) bool {
	const most = 16
	parsed, ok := parseRegexp(expression)
	if !ok || shorten(parsed) > most*len(expression) {
		return false
	}
	short := repetition.ReplaceAllStringFunc(expression, func(s string) string {
		return times.ReplaceAllStringFunc(s, func(n string) string {
			if len(n) > 1 || n > itoa(enough) {
				return itoa(enough)
			}
			return n
		})
	})
	if again, ok := parseRegexp(short); !ok || !parsed.Equal(again) {
		return false // the braces were text
	}
	re, err := regexp.Compile(short)
	return err == nil && !slices.ContainsFunc(odd, func(s string) bool { return !re.MatchString(s) })
}

// enough are so many repetitions that more make no difference to the odd values, which all are shorter.
const enough = 8

var (
	repetition = regexp.MustCompile(`\{[0-9]+(,[0-9]*)?\}`)
	times      = regexp.MustCompile(`[0-9]+`)
)

// wideClass is a class that takes long to read: one of Unicode's, or a range that ends beyond ASCII, which (?i)
// makes a matter of each rune in it.
var wideClass = regexp.MustCompile(`\\[pP]|-(\\x\{|[^\x00-\x7f])`)

// parseRegexp reads an expression, unless a class of it takes long to read.
func parseRegexp(s string) (re *syntax.Regexp, ok bool) {
	if wideClass.MatchString(s) {
		return nil, false
	}
	re, err := syntax.Parse(s, syntax.Perl)
	return re, err == nil
}

// shorten cuts the repetitions of an expression down to what is enough for the odd values, and gives its length
// with them written out.
func shorten(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += shorten(sub)
	}
	if re.Op == syntax.OpRepeat {
		re.Min, re.Max = min(re.Min, enough), min(re.Max, enough)
		n *= max(1, re.Min, re.Max)
	}
	return n
}
