package sigma_test

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// event is what an endpoint saw, in public rules' form or in HarfangLab's. A field that is not there is null.
type event struct {
	product, category, service string
	fields                     map[string]string
}

func (e event) String() string {
	return fmt.Sprintf("%s %s%s %q", e.product, e.category, e.service, e.fields)
}

// rule is a Sigma rule that can be evaluated. It reads the standard by itself and shares no code with the
// package that it tries.
type rule struct {
	Logsource  struct{ Product, Category, Service string }
	Detection  map[string]any
	conditions []string
}

// failer is a test or a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func readRule(t failer, text string) *rule {
	t.Helper()
	r := new(rule)
	if err := yaml.Unmarshal([]byte(text), r); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	switch c := r.Detection["condition"].(type) {
	case string:
		r.conditions = []string{c}
	case []any:
		for _, one := range c {
			r.conditions = append(r.conditions, fmt.Sprint(one))
		}
	}
	delete(r.Detection, "condition")
	delete(r.Detection, "timeframe")
	return r
}

// fires says whether a rule fires on an event.
func (r *rule) fires(e event) bool {
	l := r.Logsource
	if l.Product != "" && l.Product != e.product || l.Category != "" && l.Category != e.category || l.Service != "" && l.Service != e.service {
		return false
	}
	return slices.ContainsFunc(r.conditions, func(c string) bool {
		words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(c))
		ev := evaluation{r, e, words}
		holds := ev.either()
		if len(ev.words) > 0 {
			panic("left of the condition: " + strings.Join(ev.words, " ") + " of " + c)
		}
		return holds
	})
}

type evaluation struct {
	*rule
	event
	words []string
}

func (v *evaluation) take() string {
	w := v.words[0]
	v.words = v.words[1:]
	return w
}

func (v *evaluation) next(word string) bool {
	if len(v.words) > 0 && strings.EqualFold(v.words[0], word) {
		v.take()
		return true
	}
	return false
}

func (v *evaluation) either() bool {
	holds := v.both()
	for v.next("or") {
		other := v.both()
		holds = holds || other
	}
	return holds
}

func (v *evaluation) both() bool {
	holds := v.one()
	for v.next("and") {
		other := v.one()
		holds = holds && other
	}
	return holds
}

func (v *evaluation) one() bool {
	switch {
	case v.next("not"):
		return !v.one()
	case v.next("("):
		holds := v.either()
		if !v.next(")") {
			panic("no closing parenthesis")
		}
		return holds
	}
	word := v.take()
	if !v.next("of") {
		s, ok := v.Detection[word]
		if !ok {
			panic("no selection " + word)
		}
		return v.selection(s)
	}
	pattern := v.take()
	var of, hold int
	for name, s := range v.Detection {
		if !strings.HasPrefix(name, "_") && (pattern == "them" || like(pattern, name, true)) {
			of++
			if v.selection(s) {
				hold++
			}
		}
	}
	switch n, err := strconv.Atoi(word); {
	case word == "all":
		return of > 0 && hold == of
	case word == "any":
		return hold > 0
	case err == nil:
		return hold >= n
	}
	panic("no count: " + word)
}

func (v *evaluation) selection(s any) bool {
	switch s := s.(type) {
	case map[string]any:
		for key, want := range s {
			if !v.test(key, want) {
				return false
			}
		}
		return true
	case []any:
		return slices.ContainsFunc(s, v.selection)
	}
	return slices.ContainsFunc(slices.Collect(mapsValues(v.fields)), func(held string) bool { return like("*"+fmt.Sprint(s)+"*", held, false) })
}

func mapsValues(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// test evaluates one entry of a mapping.
func (v *evaluation) test(key string, want any) bool {
	parts := strings.Split(key, "|")
	field, mods := parts[0], parts[1:]
	list, ok := want.([]any)
	if !ok {
		list = []any{want}
	}
	held, there := v.fields[field]
	all := slices.Contains(mods, "all")
	for _, w := range list {
		if v.value(held, there, mods, w) != all {
			return !all
		}
	}
	return all
}

func (v *evaluation) value(held string, there bool, mods []string, want any) bool {
	has := func(m string) bool { return slices.Contains(mods, m) }
	if has("neq") {
		mods = slices.DeleteFunc(slices.Clone(mods), func(m string) bool { return m == "neq" })
		return !v.value(held, there, mods, want)
	}
	if has("exists") {
		return there == (fmt.Sprint(want) == "true")
	}
	if want == nil {
		return !there || held == ""
	}
	if !there {
		return false
	}
	text := fmt.Sprint(want)
	switch {
	case has("re"):
		flags := ""
		for _, f := range []string{"i", "m", "s"} {
			if has(f) {
				flags += f
			}
		}
		if flags != "" {
			text = "(?" + flags + ")" + text
		}
		return regexp.MustCompile(text).MatchString(held)
	case has("cidr"):
		addr, err := netip.ParseAddr(held)
		return err == nil && netip.MustParsePrefix(text).Contains(addr)
	case has("fieldref"):
		other, ok := v.fields[text]
		if !ok {
			return false
		}
		text = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(other)
	case has("lt"), has("lte"), has("gt"), has("gte"):
		return compare(held, text, mods)
	}
	return slices.ContainsFunc(encoded(text, mods), func(s string) bool {
		if has("contains") || has("startswith") {
			s += "*"
		}
		if has("contains") || has("endswith") {
			s = "*" + s
		}
		return like(s, held, has("cased"))
	})
}

// encoded are the texts that the modifiers that transform make of one.
func encoded(text string, mods []string) []string {
	texts := []string{text}
	for _, m := range mods {
		var out []string
		for _, s := range texts {
			switch m {
			case "windash":
				for _, dash := range []string{"-", "/", "–", "—", "―"} {
					out = append(out, strings.Replace(s, "-", dash, 1), strings.Replace(s, "/", dash, 1))
				}
			case "wide", "utf16le":
				var b strings.Builder
				for _, u := range utf16.Encode([]rune(s)) {
					b.WriteByte(byte(u))
					b.WriteByte(byte(u >> 8))
				}
				out = append(out, b.String())
			case "base64":
				out = append(out, base64.StdEncoding.EncodeToString([]byte(s)))
			case "base64offset":
				for i, from := range []int{0, 2, 3} {
					enc := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", i) + s))
					cut := []int{0, 3, 2}[(len(s)+i)%3]
					out = append(out, enc[from:len(enc)-cut])
				}
			default:
				out = append(out, s)
			}
		}
		texts = out
	}
	return texts
}

func compare(held, want string, mods []string) bool {
	a, err := strconv.ParseFloat(held, 64)
	b, err2 := strconv.ParseFloat(want, 64)
	if err != nil || err2 != nil {
		return false
	}
	switch mods[0] {
	case "lt":
		return a < b
	case "lte":
		return a <= b
	case "gt":
		return a > b
	}
	return a >= b
}

// like matches a text with a pattern of * and ?, which a backslash takes the meaning of.
func like(pattern, s string, cased bool) bool {
	if !cased {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	var want []rune // -1 any number, -2 one
	for runes := []rune(pattern); len(runes) > 0; runes = runes[1:] {
		switch r := runes[0]; {
		case r == '\\' && len(runes) > 1 && strings.ContainsRune(`\*?`, runes[1]):
			want, runes = append(want, runes[1]), runes[1:]
		case r == '*':
			want = append(want, -1)
		case r == '?':
			want = append(want, -2)
		default:
			want = append(want, r)
		}
	}
	return likeRunes(want, []rune(s))
}

func likeRunes(want, s []rune) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(want) && want[i] == -1:
			star, mark = i, j
			i++
		case i < len(want) && (want[i] == -2 || want[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(want) && want[i] == -1 {
		i++
	}
	return i == len(want)
}

func TestTheEvaluatorFollowsTheStandard(t *testing.T) {
	for _, tt := range []struct {
		name, detection string
		fields          map[string]string
		want            bool
	}{
		{"equal without case", "s: {A: x}\n  condition: s", map[string]string{"A": "X"}, true},
		{"cased", "s: {A|cased: x}\n  condition: s", map[string]string{"A": "X"}, false},
		{"both of a mapping", "s: {A: x, B: y}\n  condition: s", map[string]string{"A": "x"}, false},
		{"one of a list", "s: {A: [x, y]}\n  condition: s", map[string]string{"A": "y"}, true},
		{"all of a list", "s: {A|contains|all: [x, y]}\n  condition: s", map[string]string{"A": "zyx"}, true},
		{"not all of a list", "s: {A|contains|all: [x, y]}\n  condition: s", map[string]string{"A": "x"}, false},
		{"one mapping of a list", "s: [{A: x}, {B: y}]\n  condition: s", map[string]string{"B": "y"}, true},
		{"a wildcard", `s: {A: '*\x?.exe'}` + "\n  condition: s", map[string]string{"A": `C:\x1.exe`}, true},
		{"a wildcard without meaning", `s: {A: 'x\*'}` + "\n  condition: s", map[string]string{"A": `xy`}, false},
		{"null", "s: {A: null}\n  condition: s", nil, true},
		{"one of a pattern", "s_1: {A: x}\n  s_2: {A: y}\n  condition: 1 of s_*", map[string]string{"A": "y"}, true},
		{"all of them", "s_1: {A: x}\n  s_2: {A: y}\n  condition: all of them", map[string]string{"A": "y"}, false},
		{"and before or", "a: {A: x}\n  b: {A: y}\n  condition: a or b and not a", map[string]string{"A": "x"}, true},
		{"not before and", "a: {A: x}\n  b: {B: y}\n  condition: not b and a", map[string]string{"A": "x"}, true},
		{"cidr", "s: {A|cidr: 10.0.0.0/8}\n  condition: s", map[string]string{"A": "10.1.1.1"}, true},
		{"re", "s: {A|re: '^a+$'}\n  condition: s", map[string]string{"A": "aab"}, false},
		{"fieldref", "s: {A|fieldref: B}\n  condition: s", map[string]string{"A": "x", "B": "x"}, true},
		{"base64offset", "s: {A|base64offset|contains: 'http://'}\n  condition: s", map[string]string{"A": "eCBodHRwOi8v"}, true},
		{"windash", "s: {A|windash|contains: ' -x '}\n  condition: s", map[string]string{"A": "a /x b"}, true},
		{"words", "s: [needle]\n  condition: s", map[string]string{"A": "a needle b"}, true},
		{"a number", "s: {A: 4624}\n  condition: s", map[string]string{"A": "4624"}, true},
		{"two conditions", "a: {A: x}\n  b: {A: y}\n  condition: [a, b]", map[string]string{"A": "y"}, true},
	} {
		r := readRule(t, "detection:\n  "+tt.detection+"\n")
		if got := r.fires(event{fields: tt.fields}); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
