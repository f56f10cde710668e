package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/pattern"
	"github.com/harfangsync/harfangsync/sources/sigma"
)

// hostile measures the texts that take most of us for what they are: an indicator may come from anybody.
func (b *bench) hostile(context.Context, *platform, int) error {
	const mostTime, mostMemory = 20 * time.Microsecond, 4096
	size := 1 << 17
	if b.small {
		size /= 10
	}
	slowest, slow, largest, large := time.Duration(0), "", uint64(0), ""
	for _, t := range hostileTexts(size) {
		took, used := judged(&reconcile.Indicator{ID: "2a1b2c3d-4e5f-4000-8000-000000000000", Name: "n", PatternType: t.kind, Pattern: t.text}, len(t.text))
		if took > slowest {
			slowest, slow = took, t.name
		}
		if used > largest {
			largest, large = used, t.name
		}
	}
	b.add(fmt.Sprintf("texts of %d kB made to be costly, time for each byte", size>>10), fmt.Sprintf("under %d µs", mostTime.Microseconds()),
		fmt.Sprintf("%.1f µs: %s", float64(slowest.Nanoseconds())/1000, slow), slowest < mostTime)
	b.add(fmt.Sprintf("texts of %d kB made to be costly, memory for each byte", size>>10), fmt.Sprintf("under %d bytes", mostMemory),
		fmt.Sprintf("%d bytes: %s", largest, large), largest < mostMemory)
	return nil
}

// judged is what it takes to say what an indicator is deployed as, for each byte of it.
func judged(ind *reconcile.Indicator, bytes int) (took time.Duration, used uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	switch ind.PatternType {
	case "stix":
		pattern.Deploy(ind.Pattern, nil, pattern.Options{Observables: true, Excluded: exclude.Builtin().Match})
		sigma.Compilable(ind, exclude.Builtin().Match)
	case "sigma":
		rule, _ := sigma.Translate(ind.Pattern)
		_, _ = reconcile.CheckRule(ind, &reconcile.Given{Text: rule.Text})
	case "yara":
		marker.MatchesEveryFile(ind.Pattern)
		marker.Modules(ind.Pattern)
		_, _ = reconcile.CheckRule(ind, &reconcile.Given{})
		marker.YARAText(ind.Name, ind.Pattern)
	}
	took = time.Since(start)
	runtime.ReadMemStats(&after)
	return took / time.Duration(bytes), (after.TotalAlloc - before.TotalAlloc) / uint64(bytes)
}

// text is an indicator's pattern, and what is costly about it.
type text struct{ kind, name, text string }

// hostileTexts are of about so many bytes each.
func hostileTexts(size int) []text {
	all := func(s string) string { return strings.Repeat(s, size/len(s)) }
	numbered := func(form string, share int) string { // the form with a number in each place, a share of the size
		var b strings.Builder
		for i := 0; b.Len() < size/share; i++ {
			b.WriteString(strings.ReplaceAll(form, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	rule := func(detection string) string {
		return "title: t\nlogsource: {product: windows, category: process_creation}\ndetection:\n" + detection
	}
	const expression = "process:command_line MATCHES "
	half := size / 2
	return []text{
		{"stix", "an AND over ORs", "[(" + numbered("process:command_line LIKE '%a#%' OR ", 2) + "process:cwd = 'x')" + numbered(" AND process:command_line LIKE '%b#%'", 2) + "]"},
		{"stix", "a few ORs and a wide AND", "[process:name IN ('a', 'b', 'c', 'd')" + numbered(" AND process:command_line LIKE '%b#%'", 1) + "]"},
		{"stix", "an AND as large as it may be", "[process:cwd = 'x'" + strings.Repeat(" AND process:command_line LIKE '%b%'", 2000) + "]"},
		{"stix", "hashes beside names", "[file:name IN ('a'" + numbered(",'#'", 100) + ")" + numbered(" AND file:hashes.X# = 'x'", 1) + "]"},
		{"stix", "values of a list", "[process:command_line IN ('a'" + numbered(",'#'", 1) + ")]"},
		{"stix", "values that are ruled out", "[process:cwd IN ('a'" + numbered(",'#'", 200) + ") AND process:command_line NOT IN ('a'" + numbered(",'#'", 1) + ")]"},
		{"stix", "ends and their types", "[network-traffic:dst_ref.value = '198.51.100.7'" + all(" AND network-traffic:dst_ref.type = 'ipv4-addr'") + "]"},
		{"stix", "repetitions", "[" + expression + "'" + all("a{1000}") + "']"},
		{"stix", "many repetitions", "[process:cwd = 'x'" + all(" AND "+expression+"'"+strings.Repeat("a?", 50)+"{0,1000}'") + "]"},
		{"stix", "classes", "[" + expression + "'(?i)" + all("[A-z]") + "']"},
		{"stix", "wide classes", "[" + expression + "'(?i)" + all("[B-\U0001e942]") + "']"},
		{"stix", "names that match", "[process:name MATCHES '" + all("[^a-c]?.") + "']"},
		{"stix", "observations", "[" + "a:b = 'x'" + all("] OR [a:b = 'x'") + "]"},
		{"stix", "parentheses", strings.Repeat("(", 150) + "[a:b = 'x'" + all("] OR [a:b = 'x'") + "]" + strings.Repeat(")", 150)},
		{"stix", "qualifiers", "[a:b = 'x']" + all(" WITHIN 5 SECONDS")},
		{"stix", "steps of a path", "[a:b" + all("[*].c") + " = 'x' AND a:b = 'y']"},
		{"sigma", "quantifiers and selections", rule(numbered("  a#: {Image: x}\n", 2) + "  condition: a0" + strings.Repeat(" or 1 of a*", half/11) + "\n")},
		{"sigma", "as many quantifiers as may be", rule(numbered("  a#: {Image: x}\n", size/6000) + "  condition: a0" + strings.Repeat(" or all of them", 300) + "\n")},
		{"sigma", "selections", rule(numbered("  a#: {Image: x}\n", 2) + "  condition: a0" + numbered(" or a#", 2) + "\n")},
		{"sigma", "selections that cannot be said", rule("  b: {Image: x}\n" + numbered("  a#: {No#: x}\n", 2) + "  condition: b" + numbered(" or a#", 2) + "\n")},
		{"sigma", "names that are taken", rule(numbered("  harfanglab#: {Image: x}\n  only_harfanglab#: {Image: x}\n  also_harfanglab#: {Image: x}\n", 1) + "  condition: harfanglab0\n")},
		{"sigma", "mappings on one line", rule("  s: [" + all("{Image: a}, ") + "]\n  condition: s\n")},
		{"sigma", "mappings on one line to be changed", strings.Replace(rule("  s: ["+all("{Image: a}, ")+"]\n  condition: s\n"), "process_creation", "file_event", 1)},
		{"sigma", "mappings on one line to be taken out", rule("  s: [" + all("{No: a}, {Image: b}, ") + "]\n  condition: s\n")},
		{"sigma", "mappings to be changed", strings.Replace(rule("  s:\n"+all("    - Image: a\n")+"  condition: s\n"), "process_creation", "file_event", 1)},
		{"sigma", "hashes of several algorithms", rule("  s:\n    Hashes|contains:\n" + all("      - SHA1="+strings.Repeat("a", 40)+",MD5="+strings.Repeat("b", 32)+"\n") + "  condition: s\n")},
		{"sigma", "hashes that all have to be there", rule("  s:\n    Hashes|contains|all:\n" + all("      - SHA1="+strings.Repeat("a", 40)+"\n") + "  condition: s\n")},
		{"sigma", "providers and events", strings.Replace(rule("  s:\n    Provider_Name:\n"+numbered("      - a#\n", 2)+"    EventID:\n"+numbered("      - #\n", 2)+"  condition: s\n"), "category: process_creation", "service: security", 1)},
		{"sigma", "modifiers and values", rule("  s:\n    Image" + strings.Repeat("|a", half/2) + ":\n" + strings.Repeat("      - x\n", half/10) + "  condition: s\n")},
		{"sigma", "repetitions", rule("  s:\n    Image|re:\n" + all("      - '.{0,900}'\n") + "  condition: s\n")},
		{"sigma", "repetitions of much", rule("  s:\n    Image|re:\n" + all("      - '("+strings.Repeat("ab?", 100)+"){0,1000}'\n") + "  condition: s\n")},
		{"sigma", "classes", rule("  s:\n    Image|re: '(?i)" + all("[A-z]") + "'\n  condition: s\n")},
		{"sigma", "wide classes", rule("  s:\n    Image|re: '(?i)" + all("[B-\U0001e942]") + "'\n  condition: s\n")},
		{"sigma", "parentheses", rule("  s: {Image: x}\n  condition: " + strings.Repeat("(", 150) + "s" + all(" or (s)") + strings.Repeat(")", 150) + "\n")},
		{"sigma", "negations", rule("  s: {Image: x}\n  condition: " + all("not ") + "s\n")},
		{"sigma", "levels", "author: harfangsync\n" + rule("  s: {Image: x}\n  condition: s\n") + all("level: low\n")},
		{"sigma", "references", rule("  s: {Image: x}\n  condition: s\n") + "references:\n" + all("  - a\n")},
		{"sigma", "lists in lists", rule("  s: {Image: x}\n  condition: s\n") + "x: " + strings.Repeat("[", 150) + all("a,") + strings.Repeat("]", 150) + "\n"},
		{"sigma", "keys without a colon", rule("  s:\n" + numbered("    ? a#\n", 1) + "  condition: s\n")},
		{"sigma", "aliases", rule("  s: {Image: x}\n  condition: s\n") + "x: [&a " + strings.Repeat("a", half) + ", " + strings.Repeat("*a,", half/3) + "]\n"},
		{"sigma", "rare characters", rule("  s:\n    Image:\n"+strings.ReplaceAll(all("      - x\n"), "x", "\U0001f600\U0001f601")+"  condition: s\n") + "x: &a b\ny: *a\n"},
		{"yara", "parentheses", "rule a { condition: " + all("(") + " }"},
		{"yara", "words", "rule a { condition: " + all("a ") + " }"},
		{"yara", "rules", numbered("rule a# { condition: a }\n", 1)},
		{"yara", "modules", numbered("import \"a#\"\n", 1) + "rule a { condition: a }"},
		{"yara", "comments", all("/**/") + "rule a { condition: a }"},
		{"yara", "line ends", "rule a { condition: a }" + all("\n") + "//"},
		{"yara", "expressions", "rule a { strings: " + all("$a = /a/ ") + " condition: a }"},
		{"yara", "tests of numbers", "rule a { condition: " + all("1 == 1 and ") + "a }"},
	}
}
