package marker

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// PlainSigma is a rule's YAML in one form, whoever wrote it: members sorted, block style, no comments,
// quotes only where they are needed, and without our marker. It is for people who compare two texts of
// which one was stored by the manager, which writes rules anew. A text that is no YAML stays as it is.
func PlainSigma(src string) string {
	r, err := ReadSigma(src)
	if err != nil {
		return src
	}
	doc := yamltext.Clone(r.doc)
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if doc.Content[i].Value != "references" {
			continue
		}
		if others := otherRefs(doc.Content[i+1]); len(others) > 0 {
			doc.Content[i+1] = yamltext.List(others...)
		} else {
			doc.Content = slices.Delete(doc.Content, i, i+2)
		}
		break
	}
	plain(doc)
	if text := yamltext.Encode(doc); text != "" {
		return text
	}
	return src
}

func plain(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	n.Style &= yaml.TaggedStyle
	if n.Kind == yaml.ScalarNode && strings.Contains(strings.TrimRight(n.Value, "\n"), "\n") {
		n.Style |= yaml.LiteralStyle
	}
	for _, c := range n.Content {
		plain(c)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	type pair struct{ key, value *yaml.Node }
	pairs := make([]pair, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		pairs = append(pairs, pair{n.Content[i], n.Content[i+1]})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.key.Value, b.key.Value) })
	n.Content = n.Content[:0]
	for _, p := range pairs {
		n.Content = append(n.Content, p.key, p.value)
	}
}
