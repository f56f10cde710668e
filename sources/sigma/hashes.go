package sigma

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// hashTest is one hash of a test: a key with its modifiers, and the value.
type hashTest struct{ key, value string }

var hashForm = regexp.MustCompile(`(?i)^(MD5|SHA1|SHA256|IMPHASH)=([0-9a-f]+)$`)

// digits of a whole hash.
var hashDigits = map[string]int{"MD5": 32, "SHA1": 40, "SHA256": 64, "IMPHASH": 32}

// hashes takes the test of Hashes apart that stands at at: one field holds each algorithm. Where values of
// several algorithms are alternatives, so are the mappings that come back.
func (t *translator) hashes(n *yaml.Node, at int) ([]*yaml.Node, bool) {
	key, value := n.Content[at], n.Content[at+1]
	_, modifiers, _ := strings.Cut(key.Value, "|")
	all := slices.Contains([]string{"contains|all", "all|contains"}, modifiers)
	if !all && modifiers != "contains" && modifiers != "" {
		t.miss(key.Value)
		return nil, false
	}
	var each [][]hashTest // for each value that can be said, the alternatives of a value without an algorithm apart
	var kept []*yaml.Node
	for _, v := range values(value) {
		tests, why := t.hashValue(v.Value, modifiers != "")
		if len(tests) > 0 {
			each, kept = append(each, tests...), append(kept, v)
		}
		if len(tests) > 1 && all {
			why = "Hashes of " + v.Value
		}
		if why != "" {
			t.miss(why)
			if all || !t.droppable {
				return nil, false
			}
		}
	}
	if len(each) == 0 {
		return nil, false
	}
	t.change("field Hashes is one for each algorithm")
	if all {
		return t.withTests(n, at, slices.Concat(each...))
	}
	if one := each[0][0].key; len(each) == len(kept) && !slices.ContainsFunc(each, func(tests []hashTest) bool { return len(tests) != 1 || tests[0].key != one }) {
		return t.sameKey(n, at, kept, each)
	}
	return t.alternate(n, at, each)
}

// sameKey writes tests of one algorithm where they stand.
func (t *translator) sameKey(n *yaml.Node, at int, kept []*yaml.Node, each [][]hashTest) ([]*yaml.Node, bool) {
	for i, v := range kept {
		v.Value = each[i][0].value
	}
	if list := n.Content[at+1]; list.Kind == yaml.SequenceNode {
		list.Content = kept
	}
	n.Content[at].Value = each[0][0].key
	return []*yaml.Node{n}, !t.twice(n)
}

// alternate makes one mapping for each key, with what else the mapping tests.
func (t *translator) alternate(n *yaml.Node, at int, each [][]hashTest) ([]*yaml.Node, bool) {
	var out []*yaml.Node
	single := map[string][]hashTest{}
	var order []string
	for _, tests := range each {
		if len(tests) > 1 {
			maps, ok := t.withTests(n, at, tests)
			if !ok {
				return nil, false
			}
			out = append(out, maps...)
			continue
		}
		if single[tests[0].key] == nil {
			order = append(order, tests[0].key)
		}
		single[tests[0].key] = append(single[tests[0].key], tests[0])
	}
	for _, key := range order {
		var list []*yaml.Node
		for _, test := range single[key] {
			list = append(list, quotedScalar(test.value))
		}
		value := list[0]
		if len(list) > 1 {
			value = yamltext.List(list...)
		}
		m := t.with(n, at, yamltext.Scalar(key), value)
		if m == nil || t.twice(m) {
			return nil, false
		}
		out = append(out, m)
	}
	return out, true
}

// withTests is the mapping with tests that all have to hold.
func (t *translator) withTests(n *yaml.Node, at int, tests []hashTest) ([]*yaml.Node, bool) {
	var pairs []*yaml.Node
	for _, test := range tests {
		i := slices.IndexFunc(pairs, func(p *yaml.Node) bool { return p.Value == test.key })
		if i < 0 {
			pairs = append(pairs, yamltext.Scalar(test.key), quotedScalar(test.value))
		} else if pairs[i+1].Value != test.value {
			t.miss("two values of " + test.key)
			return nil, false
		}
	}
	m := t.with(n, at, pairs...)
	return []*yaml.Node{m}, m != nil && !t.twice(m)
}

// mostCopied bounds what the copies of mappings say in all, in bytes, besides the tests that are taken apart: each of
// those stands in one copy.
const mostCopied = 1 << 20

// with is a copy of a mapping with other entries where one stands, nil where the copies are too many.
func (t *translator) with(n *yaml.Node, at int, pairs ...*yaml.Node) *yaml.Node {
	m := *n
	m.Line, m.Column = 0, 0
	m.Content = slices.Delete(slices.Clone(n.Content), at, at+2)
	if t.copied += said(&m); t.copied > mostCopied {
		return nil
	}
	m.Content = slices.Insert(m.Content, at, pairs...)
	return yamltext.Clone(&m)
}

// said is the length of what a tree says, in bytes, with what surrounds each part.
func said(n *yaml.Node) int {
	const around = 16
	size := around + len(n.Value)
	for _, c := range n.Content {
		size += said(c)
	}
	return size
}

func quotedScalar(s string) *yaml.Node {
	n := yamltext.Scalar(s)
	n.Style = yaml.SingleQuotedStyle
	return n
}

// twice says whether a mapping has a key twice now, which nobody can read.
func (t *translator) twice(n *yaml.Node) bool {
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		if key := n.Content[i].Value; seen[key] {
			t.miss(key + " twice in one selection")
			return true
		} else {
			seen[key] = true
		}
	}
	return false
}

// hashOrder are the algorithms of a public event's Hashes, in the order in which they stand there.
var hashOrder = []string{"SHA1", "MD5", "SHA256", "IMPHASH"}

// hashValue reads a value of Hashes: the tests that it stands for, all of one alternative together; why
// says what of it cannot be said. A value says what a public event can hold: algorithms that follow each
// other, whole hashes but for the last of a part, and all of them where it has to be the whole text.
func (t *translator) hashValue(s string, contains bool) (alternatives [][]hashTest, why string) {
	if inner, ok := strings.CutPrefix(s, "*"); ok && strings.HasSuffix(inner, "*") {
		contains = true
	}
	if contains {
		s = strings.Trim(s, "*")
	}
	if hashDigitsOnly.MatchString(s) {
		return t.hashOfAny(s, contains)
	}
	order := hashOrder
	if t.product != "windows" {
		order = order[:3] // only Windows' programs have imports to hash
	}
	parts := strings.Split(s, ",")
	at := -1
	var tests []hashTest
	for i, part := range parts {
		m := hashForm.FindStringSubmatch(part)
		if m == nil {
			return nil, "Hashes of " + s
		}
		algorithm := strings.ToUpper(m[1])
		next := slices.Index(order, algorithm)
		if i > 0 && next != at+1 {
			return nil, "Hashes of " + s
		}
		at = next
		field := t.public.Hashes[algorithm]
		switch whole := hashDigits[algorithm]; {
		case field == "":
			return nil, "Hashes with " + algorithm
		case len(m[2]) == whole:
			tests = append(tests, hashTest{field, m[2]})
		case len(m[2]) < whole && contains && i == len(parts)-1:
			tests = append(tests, hashTest{field + "|startswith", m[2]})
		default:
			return nil, "Hashes of " + s
		}
	}
	if !contains && len(parts) != len(order) {
		return nil, "Hashes of " + s + " and no other algorithm"
	}
	return [][]hashTest{tests}, ""
}

var hashDigitsOnly = regexp.MustCompile(`(?i)^[0-9a-f]{32,64}$`)

// hashOfAny reads a value that names no algorithm: its length does.
func (t *translator) hashOfAny(s string, contains bool) (alternatives [][]hashTest, why string) {
	for _, algorithm := range hashOrder {
		switch field := t.public.Hashes[algorithm]; {
		case hashDigits[algorithm] != len(s):
		case field == "":
			why = "Hashes with " + algorithm
		default:
			alternatives = append(alternatives, []hashTest{{field, s}})
		}
	}
	if !contains || len(alternatives) == 0 {
		return nil, "Hashes of " + s
	}
	return alternatives, why
}
