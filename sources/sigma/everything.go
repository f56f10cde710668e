package sigma

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// matchesEverything says whether a rule holds for an event of which its tests know nothing: whoever
// deploys it has an alert for every event.
func (d *detection) matchesEverything() bool {
	return d.value(func(name string) truth { return selectionValue(*member(d.node, name), holdsAnyhow) }) == always
}

// holdsAnyhow says always of a test that every value passes, and never of any other.
func holdsAnyhow(_, modifiers string, value *yaml.Node) truth {
	mods := strings.Split(modifiers, "|")
	anyhow := func(v *yaml.Node) bool { return passes(mods, v) }
	list := values(value)
	holds := slices.ContainsFunc(list, anyhow)
	if slices.Contains(mods, "all") {
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
func passes(mods []string, v *yaml.Node) bool {
	has := func(m string) bool { return slices.Contains(mods, m) }
	if has("neq") {
		return true
	}
	if v.ShortTag() == "!!null" {
		return false
	}
	if has("exists") {
		return strings.EqualFold(v.Value, "true")
	}
	if has("re") {
		re, err := regexp.Compile(v.Value)
		return err == nil && !slices.ContainsFunc(odd, func(s string) bool { return !re.MatchString(s) })
	}
	if has("cidr") {
		return strings.HasSuffix(v.Value, "/0")
	}
	if n, err := strconv.ParseFloat(v.Value, 64); err == nil && (has("gte") && n <= 0 || has("gt") && n < 0) {
		return true // no field of an event is less than nothing
	}
	if has("contains") || has("startswith") || has("endswith") {
		return strings.Trim(v.Value, "*?") == ""
	}
	return strings.Contains(v.Value, "*") && strings.Trim(v.Value, "*?") == ""
}
