package pattern_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// node is a comparison as the tests draw it: a leaf, or kids under AND or OR.
type node struct {
	op   string
	kids []*node
	leaf leafTest
}

// leafTest is one comparison. Its values are those of an IN, else one.
type leafTest struct {
	path, op string
	values   []string
}

func (l leafTest) String() string {
	quoted := make([]string, len(l.values))
	for i, v := range l.values {
		quoted[i] = "'" + strings.ReplaceAll(v, `\`, `\\`) + "'"
	}
	text := strings.Join(quoted, ", ")
	if strings.HasSuffix(l.op, "IN") {
		text = "(" + text + ")"
	}
	return l.path + " " + l.op + " " + text
}

func (l leafTest) positive() bool { return l.op == "=" || l.op == "IN" }

func (n *node) String() string {
	if n.op == "" {
		return n.leaf.String()
	}
	parts := make([]string, len(n.kids))
	for i, kid := range n.kids {
		parts[i] = kid.String()
	}
	return "(" + strings.Join(parts, " "+n.op+" ") + ")"
}

// terms is the disjunctive form, by the book.
func (n *node) terms() [][]leafTest {
	switch n.op {
	case "":
		if n.leaf.op != "IN" {
			return [][]leafTest{{n.leaf}}
		}
		var all [][]leafTest
		for _, v := range n.leaf.values {
			all = append(all, []leafTest{{n.leaf.path, "=", []string{v}}})
		}
		return all
	case "OR":
		var all [][]leafTest
		for _, kid := range n.kids {
			all = append(all, kid.terms()...)
		}
		return all
	}
	all := [][]leafTest{nil}
	for _, kid := range n.kids {
		var longer [][]leafTest
		for _, left := range all {
			for _, right := range kid.terms() {
				longer = append(longer, slices.Concat(left, right))
			}
		}
		all = longer
	}
	return all
}

const md5a, md5b, sha1a = "79054025255fb1a26e4bc422aef54eb4", "79054025255fb1a26e4bc422aef54eb5", "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"

// Paths, and the values drawn for each.
var drawn = map[string][]string{
	"ipv4-addr:value":                {"198.51.100.7", "198.51.100.8", "10.0.0.0/8", "x"},
	"domain-name:value":              {"c2.example.org", "C2.example.org", "nodot"},
	"network-traffic:dst_ref.value":  {"198.51.100.7", "c2.example.org"},
	"network-traffic:dst_ref.type":   {"ipv4-addr", "domain-name", "mac-addr"},
	"file:hashes.MD5":                {md5a, md5b, strings.ToUpper(md5a), "f00"},
	"file:hashes.'SHA-1'":            {sha1a},
	"file:hashes.'SHA-512'":          {md5a},
	"artifact:hashes.MD5":            {md5a, md5b},
	"file:name":                      {"a.exe", "b.exe", `C:\a.exe`, `x\a.exe`},
	"file:parent_directory_ref.path": {`C:\x`, "/x/"},
	"file:size":                      {"5"},
	"email-addr:value":               {"a@example.org"},
}

func drawLeaf(t *rapid.T) leafTest {
	path := rapid.SampledFrom(slices.Sorted(maps.Keys(drawn))).Draw(t, "path")
	value := rapid.SampledFrom(drawn[path])
	l := leafTest{path, rapid.SampledFrom([]string{"=", "=", "=", "=", "=", "IN", "!=", "NOT =", "MATCHES"}).Draw(t, "op"), nil}
	if l.op == "IN" {
		l.values = rapid.SliceOfN(value, 1, 3).Draw(t, "values")
	} else {
		l.values = []string{value.Draw(t, "value")}
	}
	return l
}

func drawNode(t *rapid.T, depth int) *node {
	op := ""
	if depth > 0 {
		op = rapid.SampledFrom([]string{"", "AND", "OR"}).Draw(t, "join")
	}
	if op == "" {
		return &node{leaf: drawLeaf(t)}
	}
	n := &node{op: op}
	for range rapid.IntRange(2, 3).Draw(t, "kids") {
		n.kids = append(n.kids, drawNode(t, depth-1))
	}
	return n
}

func deployNode(n *node) pattern.Result {
	return pattern.Deploy("["+n.String()+"]", nil, pattern.Options{})
}

// names reports whether a term is nothing but this value, told another way than the code does it.
func names(term []leafTest, v reconcile.Value) bool {
	distinct := map[string]leafTest{}
	for _, l := range term {
		distinct[l.String()] = l
	}
	if slices.ContainsFunc(term, func(l leafTest) bool { return !l.positive() }) {
		return false
	}
	root := func(l leafTest) string { object, _, _ := strings.Cut(l.path, ":"); return object }
	literal, oneRoot, paths := false, true, map[string]string{}
	for _, l := range distinct {
		oneRoot = oneRoot && root(l) == root(term[0])
		aside := v.Type == "hash" && !strings.Contains(l.path, "hashes") // said of a file that its hash identifies
		if old, ok := paths[l.path]; ok && !aside && !strings.EqualFold(old, l.values[0]) {
			return false // one property with two values
		}
		paths[l.path] = l.values[0]
		canonical, err := pattern.Canonical(v.Type, l.values[0])
		literal = literal || err == nil && canonical == v.Value && !aside
	}
	return len(distinct) == 1 && literal || v.Type == "hash" && literal && oneRoot || len(paths) == 2 && together(paths, v, literal && len(distinct) == 2)
}

// together says whether two properties name a value that neither names alone.
func together(paths map[string]string, v reconcile.Value, literal bool) bool {
	switch v.Type {
	case "filepath":
		dir, name := paths["file:parent_directory_ref.path"], paths["file:name"]
		return dir != "" && name != "" && strings.HasPrefix(v.Value, dir) && strings.HasSuffix(v.Value, name)
	case "ip_dst", "domain_name":
		return literal && paths["network-traffic:dst_ref.value"] != "" && paths["network-traffic:dst_ref.type"] != ""
	}
	return false
}

func TestHalfOfAnANDIsNeverDeployed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNode(t, 3)
		r := deployNode(n)
		terms := n.terms()
		if len(terms) > 1000 {
			return // too_long, whose test is another
		}
		for _, v := range r.Values {
			if !slices.ContainsFunc(terms, func(term []leafTest) bool { return names(term, v) }) {
				t.Fatalf("%s\ngave %v, which no term names", n, v)
			}
		}
	})
}

func TestAnEqualityThatStandsAloneIsAlwaysDeployed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &node{op: "OR", kids: []*node{drawNode(t, 2), drawNode(t, 2)}}
		good := leafTest{"domain-name:value", "=", []string{"only.example.org"}}
		at := rapid.IntRange(0, 2).Draw(t, "at")
		n.kids = slices.Insert(n.kids, at, &node{leaf: good})
		if !slices.Contains(deployNode(n).Values, reconcile.Value{Type: "domain_name", Value: "only.example.org"}) {
			t.Fatalf("%s\nlost only.example.org", n)
		}
	})
}

func TestOrderOfBranchesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := &node{op: "OR"}
		for range rapid.IntRange(2, 5).Draw(t, "branches") {
			n.kids = append(n.kids, drawNode(t, 2))
		}
		other := &node{op: "OR", kids: rapid.Permutation(n.kids).Draw(t, "order")}
		one, two := sortedBrief(deployNode(n)), sortedBrief(deployNode(other))
		if !slices.Equal(one, two) {
			t.Fatalf("%s\n%v\n%s\n%v", n, one, other, two)
		}
		var observations []string
		for _, kid := range n.kids {
			observations = append(observations, "["+kid.String()+"]")
		}
		apart := sortedBrief(pattern.Deploy(strings.Join(observations, " OR "), nil, pattern.Options{}))
		if !slices.Equal(one, apart) {
			t.Fatalf("%s\n%v\nas observations\n%v", n, one, apart)
		}
	})
}

func sortedBrief(r pattern.Result) []string {
	lines := brief(r)
	slices.Sort(lines)
	return lines
}

func TestANegationNeverGivesMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNode(t, 3)
		before := deployNode(n)
		var leaves []*node
		var walk func(*node)
		walk = func(n *node) {
			if n.op == "" {
				leaves = append(leaves, n)
			}
			for _, kid := range n.kids {
				walk(kid)
			}
		}
		walk(n)
		// Beyond 1000 terms nothing is deployed, and a NOT IN counts fewer than an IN.
		if len(n.terms()) > 1000 {
			return // too_long, whose test is another
		}
		one := leaves[rapid.IntRange(0, len(leaves)-1).Draw(t, "leaf")]
		if !strings.HasPrefix(one.leaf.op, "NOT") {
			one.leaf.op = "NOT " + one.leaf.op
		}
		for _, v := range deployNode(n).Values {
			if !slices.Contains(before.Values, v) {
				t.Fatalf("%s\ngives %v only with the NOT", n, v)
			}
		}
	})
}

func TestTheStrongestHashIsAmongAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := drawNode(t, 3)
		src := "[" + n.String() + "]"
		all := pattern.Deploy(src, nil, pattern.Options{})
		few := pattern.Deploy(src, nil, pattern.Options{StrongestHash: true})
		for _, v := range few.Values {
			if !slices.Contains(all.Values, v) {
				t.Fatalf("%s\ngives %v only as the strongest", n, v)
			}
		}
		if len(all.Values) > 0 && len(few.Values) == 0 {
			t.Fatalf("%s\ngives nothing with the strongest hash alone", n)
		}
	})
}
