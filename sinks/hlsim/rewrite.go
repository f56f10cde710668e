package hlsim

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// mostNodes bounds a document whose aliases are written out.
const mostNodes = 100_000

// rewrite is a YAML document in the manager's own form: keys sorted, other quotes, another
// indentation, no comments, anchors written out (contract harfanglab-api 4.3). Parsed, it is equal.
func rewrite(doc *yaml.Node) (string, error) {
	budget := mostNodes
	anew, err := rewritten(doc, &budget)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(anew); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}

func rewritten(n *yaml.Node, budget *int) (*yaml.Node, error) {
	if *budget--; *budget < 0 {
		return nil, errors.New("the document is too large")
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	if n.Kind == yaml.ScalarNode {
		switch tag := n.ShortTag(); {
		case tag == "!!null":
			out.Tag, out.Value = tag, "null"
		case tag == "!!str" && !strings.ContainsAny(n.Value, "\n\r\t"):
			out.Tag, out.Style = tag, yaml.SingleQuotedStyle
		}
		return out, nil
	}
	for _, child := range n.Content {
		c, err := rewritten(child, budget)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, c)
	}
	if n.Kind == yaml.MappingNode {
		sortMapping(out)
	}
	return out, nil
}

func sortMapping(m *yaml.Node) {
	type member struct{ key, value *yaml.Node }
	var members []member
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		if key.Tag == "!!str" {
			key.Style = 0 // the encoder quotes where it must
		}
		members = append(members, member{key, m.Content[i+1]})
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.key.Value, b.key.Value) })
	m.Content = m.Content[:0]
	for _, one := range members {
		m.Content = append(m.Content, one.key, one.value)
	}
}
