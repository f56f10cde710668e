package marker_test

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

func TestAConditionThatIsTrueOfEveryFile(t *testing.T) {
	for condition, want := range map[string]bool{
		"1": true, "0": false, "0x1f": true, "2 > 1": true, "2 < 1": false, "1 <= 1": true, "1 != 2": true, "1 != 1": false, "filesize > 0KB": true, "filesize > 1KB": false, "uint8(0) >= 0": true, "uint16be(4) >= 0 and $a": false, "int8(0) >= 0": false,
		"true": true, "not false": true, "$a or true": true, "(true)": true, "true and filesize >= 0": true, "not (false and $a)": true,
		"$a": false, "not $a": false, "true and $a": false, "false": false, "filesize > 0": true, "filesize > 10KB": false, "1 == 1": true, "filesize <= filesize": true, "#a >= 0 or $a": true, "0 < filesize and $a": false, "#a > 0": false, "any of them": false,
		"true and not (true and $a)": false, "for any i in (1..#a) : ( @a[i] > 0 )": false, "(1 + 2) * 3 == 9": false, "true == $a": false,
		"math.entropy(0, filesize) > 7 or true": true, "pe.is_pe and (true or $a)": false, "filesize < 10KB or ($a and $condition)": false,
		strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100): true, strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300): false, strings.Repeat("not ", 300) + "true": false,
	} {
		rule, hit := marker.MatchesEveryFile("import \"pe\"\nrule a { strings: $a = \"}true\" condition: $a }\nrule b : tag { meta: x = \"true\" strings: $a = /true/ $condition = \"c\" condition: " + condition + " }\n")
		if hit != want || hit && rule != "b" {
			t.Errorf("%s: %t in %q", condition, hit, rule)
		}
	}
	for src, want := range map[string]bool{
		"private rule a { condition: true } rule b { condition: a and true }": false, "private rule a { condition: false }\nrule b { condition: true } ": true,
		"rule a { condition: true": false, "": false, "// rule a { condition: true }": false,
	} {
		if _, hit := marker.MatchesEveryFile(src); hit != want {
			t.Errorf("%s: %t", src, hit)
		}
	}
}

func TestAConditionOfAnySizeIsReadInLittleMemory(t *testing.T) {
	const many = 2_000_000
	for name, condition := range map[string]string{
		"parentheses that open": strings.Repeat("(", many), "parentheses that close": strings.Repeat("(", many) + "true" + strings.Repeat(")", many),
		"negations": strings.Repeat("not ", many) + "false", "alternatives": strings.Repeat("$a or ", many) + "$a", "parentheses in a test": "uint8(" + strings.Repeat("(", many),
		"tests compared with themselves": "a" + strings.Repeat("+a", many) + "==a", "braces": strings.Repeat("{", many) + strings.Repeat("}", many),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rule, hit := marker.MatchesEveryFile("rule a { condition: " + condition + " }\nrule b { condition: true }")
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(10*len(condition)+64<<20); !hit || rule != "b" || got > most {
			t.Errorf("%s: %t in %q, %d bytes of memory, at most %d are due", name, hit, rule, got, most)
		}
	}
}

func TestModulesOfAFile(t *testing.T) {
	got := marker.Modules("import \"pe\"\n// import \"x\"\nimport  \"math\" import \"pe\"\nrule a { strings: $import = \"cuckoo\" condition: $import }")
	if !slices.Equal(got, []string{"pe", "math"}) {
		t.Errorf("%q", got)
	}
}

func FuzzMatchesEveryFile(f *testing.F) {
	f.Add("rule b { condition: not (true or (false and $a)) }")
	f.Add("private rule b { condition: (((")
	f.Fuzz(func(_ *testing.T, src string) {
		marker.MatchesEveryFile(src) // ends, whatever it reads
		marker.Modules(src)
	})
}
