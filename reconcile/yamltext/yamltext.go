// Package yamltext changes YAML documents in their text: what is not changed stays as its author wrote
// it, byte for byte, with comments, quotes, line ends and blanks.
package yamltext

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// ParseShort is Parse for what is yet to be deployed. A text of more than 1 MiB, which takes up to the hundredfold in
// memory, and one nested deeper than 200 are errors.
func ParseShort(src string) (*yaml.Node, error) {
	if len(src) > mostText {
		return nil, errors.New("longer than 1 MiB")
	}
	root, err := Parse(src)
	if err == nil && deeper(root, deepest) {
		return nil, errors.New("nested too deep once its aliases are expanded")
	}
	return root, err
}

// Parse reads a text that holds one YAML mapping and gives that mapping, with positions. What its aliases expand to
// is bounded, far above what ParseShort takes: what is deployed has to be read whoever wrote it anew.
func Parse(src string) (*yaml.Node, error) {
	dec := yaml.NewDecoder(strings.NewReader(src))
	var top yaml.Node
	if err := dec.Decode(&top); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("empty")
		}
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	for {
		var more yaml.Node
		err := dec.Decode(&more)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not YAML: %w", err)
		}
		if !isNull(&more) {
			return nil, errors.New("several YAML documents")
		}
	}
	if len(top.Content) != 1 || top.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a YAML mapping")
	}
	left := budget{mostNodes, mostBytes}
	if !left.covers(top.Content[0]) {
		return nil, errors.New("too large once its aliases are expanded")
	}
	return top.Content[0], nil
}

// What is deployed, and what the aliases of any text may expand to: so many nodes, and so many bytes of text.
const (
	mostText  = 1 << 20
	deepest   = 200
	mostNodes = 200_000
	mostBytes = 16 << 20
)

type budget struct{ nodes, bytes int }

// covers says whether a tree with its aliases written out is no larger, and takes it off.
func (b *budget) covers(n *yaml.Node) bool {
	if b.nodes--; b.nodes < 0 {
		return false
	}
	if b.bytes -= len(n.Value); b.bytes < 0 {
		return false
	}
	if n.Kind == yaml.AliasNode {
		return b.covers(n.Alias)
	}
	return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !b.covers(c) })
}

// deeper says whether a tree with its aliases written out has more than so many levels below its top.
func deeper(n *yaml.Node, levels int) bool {
	n = Resolve(n)
	return levels < 0 || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return deeper(c, levels-1) })
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.DocumentNode && len(n.Content) == 1 && n.Content[0].Tag == "!!null"
}

// Resolve follows an alias.
func Resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// Member is what a mapping holds under a key, with aliases followed, or nil.
func Member(m *yaml.Node, key string) *yaml.Node {
	if m == nil {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := Resolve(m.Content[i]); k.Kind == yaml.ScalarNode && k.Value == key {
			return Resolve(m.Content[i+1])
		}
	}
	return nil
}

// Text is what a scalar says without outer blanks, "" for null and for anything that is no scalar.
func Text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// Scalar is a new text, Mapping a new mapping of keys and values, List a new list.
func Scalar(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// Mapping is a new mapping of keys and values in turn.
func Mapping(content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: content}
}

// List is a new list.
func List(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
}

// Clone copies a tree, with aliases replaced by what they stand for.
func Clone(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return Clone(n.Alias)
	}
	c := *n
	c.Anchor = ""
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = Clone(child)
	}
	return &c
}

// Equal says whether two trees without aliases say the same, members in the same order.
func Equal(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || len(a.Content) != len(b.Content) {
		return false
	}
	if a.Kind == yaml.ScalarNode && (a.Value != b.Value || a.ShortTag() != b.ShortTag()) {
		return false
	}
	return slices.EqualFunc(a.Content, b.Content, Equal)
}

// Rewrite is src with its document changed into what root says. root is the tree that Parse gave for
// src, changed: nodes that were there before keep their Line and Column, and new ones have none. What
// is laid out so that it cannot be edited, such as a rule with anchors, is written anew. That the text
// says exactly what root says is proven before it is returned.
func Rewrite(src string, root *yaml.Node) (string, error) {
	root = Clone(root)
	if text, ok := edited(src, root); ok {
		return text, nil
	}
	if text := Encode(root); says(text, root) {
		return text, nil
	}
	requote(root) // the encoder changes the meaning of some block scalars
	if text := Encode(root); says(text, root) {
		return text, nil
	}
	return "", errors.New("write YAML: the text would not say the same")
}

// edited is Rewrite in the text itself.
func edited(src string, root *yaml.Node) (string, bool) {
	old, err := Parse(src)
	if err != nil || hasAlias(old) {
		return "", false
	}
	e := newEditor(src, old)
	if !e.change(old, root, place{}) {
		return "", false
	}
	text, ok := e.apply()
	return text, ok && says(text, root)
}

func says(text string, root *yaml.Node) bool {
	got, err := Parse(text)
	return err == nil && Equal(Clone(got), root)
}

// hasAlias says whether a tree has aliases or anchors, whose places are not those of what they stand for.
func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || slices.ContainsFunc(n.Content, hasAlias)
}

// requote takes the styles and comments out of a tree and quotes its texts.
func requote(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	switch {
	case n.Kind != yaml.ScalarNode:
		n.Style = 0
	case n.ShortTag() == "!!str":
		n.Tag, n.Style = "!!str", yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		requote(c)
	}
}

// Encode writes a tree anew, "" where it cannot be.
func Encode(doc *yaml.Node) string {
	text := encode(doc)
	if !strings.Contains(text, `\U`) {
		return text
	}
	// The encoder escapes what lies beyond the basic plane, emoji among it, unless other runes stand for that.
	in, out := standIns(text, doc)
	doc = Clone(doc)
	eachText(doc, func(s *string) { *s = in.Replace(*s) })
	return out.Replace(encode(doc))
}

// standIns replaces each printable rune beyond the basic plane by one of the private area that the text does not
// use, and back.
func standIns(text string, doc *yaml.Node) (in, out *strings.Replacer) {
	var to, from []string
	free, seen := '\ue000', map[rune]bool{}
	eachText(doc, func(s *string) {
		for _, r := range *s {
			if r <= 0xffff || seen[r] || !unicode.IsPrint(r) {
				continue
			}
			for strings.ContainsRune(text, free) {
				free++
			}
			if free > '\uf8ff' {
				return
			}
			seen[r] = true
			to, from = append(to, string(r), string(free)), append(from, string(free), string(r))
			free++
		}
	})
	return strings.NewReplacer(to...), strings.NewReplacer(from...)
}

// eachText visits what a tree says, comments included.
func eachText(n *yaml.Node, visit func(*string)) {
	for _, s := range []*string{&n.Value, &n.HeadComment, &n.LineComment, &n.FootComment} {
		visit(s)
	}
	for _, c := range n.Content {
		eachText(c, visit)
	}
}

func encode(doc *yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(step)
	if err := enc.Encode(doc); err != nil {
		return ""
	}
	_ = enc.Close()
	return b.String()
}
