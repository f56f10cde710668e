package marker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SigmaRef is the marker of a Sigma rule: an entry in the rule's own references, written
// {url}/dashboard/observations/indicators/{id}#harfangsync=<instance>,<applied>[,disabled] and
// recognised by its fragment alone.
type SigmaRef struct {
	Base     string // OpenCTI's URL
	Owner    string // internal id of the indicator
	Instance string
	Applied  Applied
	Disabled bool
}

const indicatorPath = "/dashboard/observations/indicators/"

// String is the entry's text.
func (r SigmaRef) String() string {
	s := r.Base + indicatorPath + r.Owner + "#" + Product + "=" + r.Instance + "," + r.Applied.String()
	if r.Disabled {
		s += ",disabled"
	}
	return s
}

var refForm = regexp.MustCompile(`(?i)^\s*(.*?)(?:` + indicatorPath[:len(indicatorPath)-1] + `)?/([^/#\s]+)#` + Product + `=([^,\s]+),([^,\s]+?)(,disabled)?\s*$`)

func parseRef(s string) (SigmaRef, bool) {
	m := refForm.FindStringSubmatch(s)
	if m == nil {
		return SigmaRef{}, false
	}
	return SigmaRef{Base: m[1], Owner: m[2], Instance: m[3], Applied: ParseApplied(m[4]), Disabled: m[5] != ""}, true
}

// SigmaRule is a parsed Sigma rule.
type SigmaRule struct {
	ID    string // the YAML's id in lower case, "" when it has none
	Title string
	Ref   SigmaRef // valid when Class is Ours
	Class Class

	doc    *yaml.Node // the document's mapping
	digest uint64
}

// SigmaText is the digest of what is compared of a Sigma rule besides its owner and its state.
func SigmaText(name string, r *SigmaRule) uint64 {
	return Hash("sigma", strings.TrimSpace(name), strconv.FormatUint(r.digest, 16))
}

// ParseSigma reads a rule as wanted: one YAML document with a title, a logsource and a detection
// with a condition. Correlations and several documents are errors.
func ParseSigma(src string) (*SigmaRule, error) {
	r, err := ReadSigma(src)
	if err != nil {
		return nil, err
	}
	if member(r.doc, "correlation") != nil {
		return nil, errors.New("a correlation, which HarfangLab keeps in another collection")
	}
	if r.Title == "" {
		return nil, errors.New("no title")
	}
	if n := member(r.doc, "logsource"); n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return nil, errors.New("no logsource")
	}
	det := member(r.doc, "detection")
	if det == nil || det.Kind != yaml.MappingNode {
		return nil, errors.New("no detection")
	}
	if c := member(det, "condition"); c == nil || text(c) == "" && len(c.Content) == 0 {
		return nil, errors.New("detection without a condition")
	}
	if key, ok := twice(r.doc); ok {
		return nil, fmt.Errorf("%q stands twice in one mapping, so readers differ on what it says", key)
	}
	return r, nil
}

// ReadSigma reads a rule as held: any single YAML mapping will do, because the server stores the
// rule in a form of its own (contract harfanglab-api 4.3).
func ReadSigma(src string) (*SigmaRule, error) {
	dec := yaml.NewDecoder(strings.NewReader(src))
	var top yaml.Node
	if err := dec.Decode(&top); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("empty")
		}
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) && !(err == nil && isNull(&more)) {
		if err != nil {
			return nil, fmt.Errorf("not YAML: %w", err)
		}
		return nil, errors.New("several YAML documents")
	}
	if len(top.Content) != 1 || top.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("not a YAML mapping")
	}
	r := &SigmaRule{doc: top.Content[0]}
	r.ID, r.Title = strings.ToLower(text(member(r.doc, "id"))), text(member(r.doc, "title"))
	if refs := member(r.doc, "references"); refs != nil {
		for _, n := range items(refs) {
			if ref, ok := parseRef(n.Value); ok {
				r.Ref, r.Class = ref, Ours
			}
		}
	}
	var err error
	r.digest, err = docDigest(r.doc)
	return r, err
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.DocumentNode && len(n.Content) == 1 && n.Content[0].Tag == "!!null"
}

// items are the scalars of a list, or the one scalar that stands in its place.
func items(n *yaml.Node) []*yaml.Node {
	switch n.Kind {
	case yaml.ScalarNode:
		return []*yaml.Node{n}
	case yaml.SequenceNode:
		var out []*yaml.Node
		for _, c := range n.Content {
			if c = resolve(c); c.Kind == yaml.ScalarNode {
				out = append(out, c)
			}
		}
		return out
	}
	return nil
}

// member is what a mapping holds under a key, with aliases followed, or nil.
func member(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := resolve(m.Content[i]); k.Kind == yaml.ScalarNode && k.Value == key {
			return resolve(m.Content[i+1])
		}
	}
	return nil
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// text is what a scalar says, "" for null and for anything that is no scalar.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// twice finds a key that one mapping has twice.
func twice(n *yaml.Node) (key string, found bool) {
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := resolve(n.Content[i])
			if k.Kind != yaml.ScalarNode {
				continue
			}
			if s := scalar(k); seen[s] {
				return k.Value, true
			} else {
				seen[s] = true
			}
		}
	}
	for _, c := range n.Content {
		if key, found := twice(c); found {
			return key, true
		}
	}
	return "", false
}

// Render is the rule's YAML with the given id and with ref as its only marker. What else it says is
// what r says; that is proven before the text is returned.
func (r *SigmaRule) Render(id string, ref SigmaRef) (string, error) {
	if id != "" {
		r = r.WithID(id)
	}
	doc := clone(r.doc)
	setRef(doc, ref)
	says := func(src string) bool {
		got, err := ReadSigma(src)
		return err == nil && got.digest == r.digest && got.Class == Ours
	}
	// The encoder changes the meaning of some block scalars, so texts are quoted where it does.
	text := encodeYAML(doc)
	if !says(text) {
		requote(doc)
		text = encodeYAML(doc)
	}
	if !says(text) {
		return "", errors.New("write YAML: the text would not say the same")
	}
	return text, nil
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

func encodeYAML(doc *yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(4)
	if err := enc.Encode(doc); err != nil {
		return "" // ReadSigma then says "empty"
	}
	_ = enc.Close()
	return b.String()
}

// WithID is r with another id, for rules whose YAML has none.
func (r *SigmaRule) WithID(id string) *SigmaRule {
	doc := clone(r.doc)
	setID(doc, id)
	out := *r
	out.doc, out.ID = doc, strings.ToLower(id)
	if d, err := docDigest(doc); err == nil {
		out.digest = d
	}
	return &out
}

func setID(doc *yaml.Node, id string) { setMember(doc, "id", *scalarOf(id)) }

func scalarOf(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func setMember(doc *yaml.Node, key string, value yaml.Node) {
	if n := member(doc, key); n != nil {
		*n = value
		return
	}
	doc.Content = append(doc.Content, scalarOf(key), &value)
}

func setRef(doc *yaml.Node, ref SigmaRef) {
	refs := append(otherRefs(member(doc, "references")), scalarOf(ref.String()))
	setMember(doc, "references", yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: refs})
}

// otherRefs are the entries of references without our marker. What is no list is a list of one.
func otherRefs(refs *yaml.Node) []*yaml.Node {
	var all, others []*yaml.Node
	switch {
	case refs == nil || refs.Kind == yaml.ScalarNode && text(refs) == "":
	case refs.Kind == yaml.SequenceNode:
		all = refs.Content
	default:
		single := *refs
		all = []*yaml.Node{&single}
	}
	for _, n := range all {
		n = resolve(n)
		if _, marker := parseRef(n.Value); n.Kind != yaml.ScalarNode || !marker {
			others = append(others, n)
		}
	}
	return others
}

// clone copies a tree, with aliases replaced by what they stand for.
func clone(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return clone(n.Alias)
	}
	c := *n
	c.Anchor = ""
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = clone(child)
	}
	return &c
}
