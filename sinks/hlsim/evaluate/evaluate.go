// Package evaluate fires Sigma rules on events, as the standard has it: the simulator's agents, and a second
// opinion for tests of what is made of rules. It shares no code with what it judges.
package evaluate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"
)

// Event is what an endpoint saw. A field that is not there is null. An event of an event log has the category
// eventlog, and the service by which rules find its log as well.
type Event struct {
	Product  string            `json:"product"`
	Category string            `json:"category"`
	Service  string            `json:"service,omitempty"`
	Fields   map[string]string `json:"fields"`
}

// Rule is a Sigma rule that can be evaluated.
type Rule struct {
	Logsource  struct{ Product, Category, Service string }
	Detection  map[string]any
	conditions []string
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// asText makes texts of what the decoder takes for numbers and YAML does not: 0429 is none, octal or decimal.
func asText(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" && digits.MatchString(n.Value) {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		asText(c)
	}
}

// Read reads a rule.
func Read(text string) (*Rule, error) {
	r := new(Rule)
	var doc yaml.Node
	err := yaml.Unmarshal([]byte(text), &doc)
	if asText(&doc); err == nil {
		err = doc.Decode(r)
	}
	if err != nil {
		return nil, err
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
	return r, nil
}

// unreadable is what a condition or a value that cannot be evaluated is.
type unreadable string

// Fires says whether a rule fires on an event. An error is a rule that cannot be evaluated.
func (r *Rule) Fires(e Event) (fires bool, err error) {
	l := r.Logsource
	if l.Product != "" && l.Product != e.Product || l.Category != "" && l.Category != e.Category || l.Service != "" && l.Service != e.Service {
		return false, nil
	}
	defer func() {
		if why, bad := recover().(unreadable); bad {
			fires, err = false, errors.New(string(why))
		}
	}()
	return slices.ContainsFunc(r.conditions, func(c string) bool {
		words := strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(c))
		ev := evaluation{r, e, words}
		holds := ev.either()
		if len(ev.words) > 0 {
			panic(unreadable("left of the condition: " + strings.Join(ev.words, " ")))
		}
		return holds
	}), nil
}

type evaluation struct {
	*Rule
	Event
	words []string
}

func (v *evaluation) take() string {
	if len(v.words) == 0 {
		panic(unreadable("the condition ends early"))
	}
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
			panic(unreadable("no closing parenthesis"))
		}
		return holds
	}
	word := v.take()
	if !v.next("of") {
		s, ok := v.Detection[word]
		if !ok {
			panic(unreadable("no selection " + word))
		}
		return v.selection(s)
	}
	pattern := v.take()
	var of, hold int
	for name, s := range v.Detection {
		if !strings.HasPrefix(name, "_") && (pattern == "them" || like(pattern, name, true, false, false)) {
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
	panic(unreadable("no count: " + word))
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
	return slices.ContainsFunc(slices.Collect(maps.Values(v.Fields)), func(held string) bool { return like(fmt.Sprint(s), held, false, true, true) })
}

// test evaluates one entry of a mapping.
func (v *evaluation) test(key string, want any) bool {
	parts := strings.Split(key, "|")
	field, mods := parts[0], parts[1:]
	list, ok := want.([]any)
	if !ok {
		list = []any{want}
	}
	held, there := v.Fields[field]
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
		re, err := regexp.Compile(text)
		if err != nil {
			panic(unreadable(err.Error()))
		}
		return re.MatchString(held)
	case has("cidr"):
		net, err := netip.ParsePrefix(text)
		if err != nil {
			panic(unreadable(err.Error()))
		}
		addr, err := netip.ParseAddr(held)
		return err == nil && net.Contains(addr)
	case has("fieldref"):
		other, ok := v.Fields[text]
		if !ok {
			return false
		}
		text = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(other)
	case has("lt"), has("lte"), has("gt"), has("gte"):
		return compare(held, text, mods)
	}
	return slices.ContainsFunc(encoded(text, mods), func(s string) bool {
		return like(s, held, has("cased"), has("contains") || has("endswith"), has("contains") || has("startswith"))
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

// like matches a text with a pattern of * and ?, which a backslash takes the meaning of. before and after
// say that anything may stand there.
func like(pattern, s string, cased, before, after bool) bool {
	if !cased {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	var want []rune // -1 any number, -2 one
	if before {
		want = append(want, -1)
	}
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
	if after {
		want = append(want, -1)
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
