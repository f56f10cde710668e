package marker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/yamltext"
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

// Compiled is the author of the Sigma rules that are made of STIX patterns. Their level is that of a score,
// which decay moves every day, and is not compared.
const Compiled = "harfangsync"

// SigmaRule is a parsed Sigma rule.
type SigmaRule struct {
	ID    string // the YAML's id in lower case, "" when it has none
	Title string
	Ref   SigmaRef // valid when Class is Ours
	Class Class

	src    string
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
	doc, err := yamltext.ParseShort(src)
	if err != nil {
		return nil, err
	}
	r := sigmaRule(src, doc)
	if yamltext.Member(r.doc, "correlation") != nil {
		return nil, errors.New("a correlation, which HarfangLab keeps in another collection")
	}
	if r.Title == "" {
		return nil, errors.New("no title")
	}
	if n := yamltext.Member(r.doc, "logsource"); n == nil || n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return nil, errors.New("no logsource")
	}
	det := yamltext.Member(r.doc, "detection")
	if det == nil || det.Kind != yaml.MappingNode {
		return nil, errors.New("no detection")
	}
	if c := yamltext.Member(det, "condition"); c == nil || yamltext.Text(c) == "" && len(c.Content) == 0 {
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
	doc, err := yamltext.Parse(src)
	if err != nil {
		return nil, err
	}
	return sigmaRule(src, doc), nil
}

func sigmaRule(src string, doc *yaml.Node) *SigmaRule {
	r := &SigmaRule{src: src, doc: doc, digest: docDigest(doc)}
	r.ID, r.Title = strings.ToLower(yamltext.Text(yamltext.Member(doc, "id"))), yamltext.Text(yamltext.Member(doc, "title"))
	if refs := yamltext.Member(doc, "references"); refs != nil {
		for _, n := range items(refs) {
			if ref, ok := parseRef(n.Value); ok {
				r.Ref, r.Class = ref, Ours
			}
		}
	}
	return r
}

// entryForm is an entry of references in a text: an item of a block, or one in quotes.
var entryForm = regexp.MustCompile(`(?im)(?:^\s*-\s+|['"])([^\s"'<>\[\]]+#` + Product + `=[^\s"'<>\[\]]+)(?:['"]|\s*$)`)

// FindRef finds the marker in a text that ReadSigma cannot read, such as one that the server has made too large.
func FindRef(text string) (ref SigmaRef, ok bool) {
	at := refAt(text)
	if at == nil {
		return SigmaRef{}, false
	}
	return parseRef(text[at[0]:at[1]])
}

// ReplaceRef is such a text with another marker in the place of its own.
func ReplaceRef(text string, ref SigmaRef) string {
	at := refAt(text)
	if at == nil {
		return text
	}
	return text[:at[0]] + ref.String() + text[at[1]:]
}

// refAt is where the last marker of a text stands, nil where none does.
func refAt(text string) []int {
	for _, m := range slices.Backward(entryForm.FindAllStringSubmatchIndex(text, -1)) {
		if _, ok := parseRef(text[m[2]:m[3]]); ok {
			return m[2:4]
		}
	}
	return nil
}

// items are the scalars of a list, or the one scalar that stands in its place.
func items(n *yaml.Node) []*yaml.Node {
	switch n.Kind {
	case yaml.ScalarNode:
		return []*yaml.Node{n}
	case yaml.SequenceNode:
		var out []*yaml.Node
		for _, c := range n.Content {
			if c = yamltext.Resolve(c); c.Kind == yaml.ScalarNode {
				out = append(out, c)
			}
		}
		return out
	}
	return nil
}

// twice finds a key that one mapping has twice.
func twice(n *yaml.Node) (key string, found bool) {
	if n.Kind == yaml.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := yamltext.Resolve(n.Content[i])
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

// Render is the rule's YAML with the given id, "" for its own, and with ref as its only marker. What else
// it says stays as it is written.
func (r *SigmaRule) Render(id string, ref SigmaRef) (string, error) {
	doc := yamltext.Clone(r.doc)
	if id != "" {
		setMember(doc, "id", yamltext.Scalar(id))
	}
	refs := yamltext.Member(doc, "references")
	entries := append(otherRefs(refs), yamltext.Scalar(ref.String()))
	if refs != nil && refs.Kind == yaml.SequenceNode {
		refs.Content = entries
	} else {
		setMember(doc, "references", yamltext.List(entries...))
	}
	return yamltext.Rewrite(r.src, doc)
}

// WithID is r with another id, for rules whose YAML has none.
func (r *SigmaRule) WithID(id string) *SigmaRule {
	out := *r
	out.doc, out.ID = yamltext.Clone(r.doc), strings.ToLower(id)
	setMember(out.doc, "id", yamltext.Scalar(id))
	out.digest = docDigest(out.doc)
	return &out
}

func setMember(doc *yaml.Node, key string, value *yaml.Node) {
	if n := yamltext.Member(doc, key); n != nil {
		*n = *value
		return
	}
	doc.Content = append(doc.Content, yamltext.Scalar(key), value)
}

// otherRefs are the entries of references without our marker. What is no list is a list of one.
func otherRefs(refs *yaml.Node) []*yaml.Node {
	var all, others []*yaml.Node
	switch {
	case refs == nil || refs.Kind == yaml.ScalarNode && yamltext.Text(refs) == "":
	case refs.Kind == yaml.SequenceNode:
		all = refs.Content
	default:
		single := *refs
		all = []*yaml.Node{&single}
	}
	for _, n := range all {
		n = yamltext.Resolve(n)
		if _, marker := parseRef(n.Value); n.Kind != yaml.ScalarNode || !marker {
			others = append(others, n)
		}
	}
	return others
}
