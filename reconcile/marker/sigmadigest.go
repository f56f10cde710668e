package marker

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// docDigest covers the meaning of a rule's document: members in any order, scalars by their value
// and type, the marker left out, and references that are empty without it left out as well.
func docDigest(doc *yaml.Node) uint64 {
	var w writer
	w.mapping(doc, true)
	return Hash(w.b.String())
}

type writer struct{ b strings.Builder }

func (w *writer) node(n *yaml.Node) {
	switch n.Kind {
	case yaml.AliasNode:
		w.node(n.Alias)
	case yaml.MappingNode:
		w.mapping(n, false)
	case yaml.SequenceNode:
		w.b.WriteByte('[')
		for _, c := range n.Content {
			w.node(c)
			w.b.WriteByte(',')
		}
		w.b.WriteByte(']')
	default:
		w.text(scalar(n))
	}
}

func (w *writer) text(s string) {
	w.b.WriteString(strconv.Itoa(len(s)))
	w.b.WriteByte(':')
	w.b.WriteString(s)
}

func (w *writer) mapping(n *yaml.Node, top bool) {
	type pair struct {
		key   string
		value *yaml.Node
	}
	var pairs []pair
	compiled := top && yamltext.Text(yamltext.Member(n, "author")) == Compiled
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if compiled && yamltext.Resolve(k).Value == "level" {
			continue
		}
		if top && yamltext.Resolve(k).Value == "references" {
			others := otherRefs(yamltext.Resolve(v))
			if len(others) == 0 {
				continue
			}
			v = &yaml.Node{Kind: yaml.SequenceNode, Content: others}
		}
		pairs = append(pairs, pair{w.key(k), v})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	w.b.WriteByte('{')
	for _, p := range pairs {
		w.text(p.key)
		w.b.WriteByte('=')
		w.node(p.value)
		w.b.WriteByte(',')
	}
	w.b.WriteByte('}')
}

// key is the form of a mapping's key, which may be an alias or a whole collection.
func (w *writer) key(n *yaml.Node) string {
	if n = yamltext.Resolve(n); n.Kind == yaml.ScalarNode {
		return scalar(n)
	}
	var inner writer
	inner.node(n)
	return "?" + inner.b.String()
}

// scalar is the value of a scalar with its type. Dates compare by their day, whether quoted or not,
// because a server that parses and prints YAML turns one form into the other.
func scalar(n *yaml.Node) string {
	switch n.ShortTag() {
	case "!!null":
		return "n:"
	case "!!bool":
		return "b:" + strings.ToLower(n.Value)
	case "!!int":
		var v int64
		if n.Decode(&v) == nil {
			return "i:" + strconv.FormatInt(v, 10)
		}
	case "!!float":
		var v float64
		if n.Decode(&v) == nil {
			return "f:" + strconv.FormatFloat(v, 'g', -1, 64)
		}
	case "!!timestamp":
		var t time.Time
		if n.Decode(&t) == nil {
			return "s:" + day(t)
		}
	}
	if t, err := time.Parse(time.RFC3339, n.Value); err == nil {
		return "s:" + day(t)
	}
	return "s:" + n.Value
}

func day(t time.Time) string {
	t = t.UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}
