package hlsim

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseSigma takes what compiles: one YAML mapping with title, logsource, and a detection whose
// conditions name selections that exist.
func parseSigma(content string) (facts, error) {
	var f facts
	dec := yaml.NewDecoder(strings.NewReader(content))
	var node yaml.Node
	if err := dec.Decode(&node); err != nil {
		return f, fmt.Errorf("invalid YAML: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return f, errors.New("more than one document, or invalid YAML after the first")
	}
	var doc map[string]any
	if err := node.Decode(&doc); err != nil {
		return f, fmt.Errorf("invalid YAML: %w", err)
	}
	f.title, _ = doc["title"].(string)
	if id := doc["id"]; id != nil {
		f.ruleID = strings.TrimSpace(fmt.Sprint(id))
	}
	if err := checkSigma(doc, &f); err != nil {
		return f, err
	}
	tags, _ := doc["tags"].([]any)
	for _, t := range tags {
		if tag, ok := t.(string); ok && technique.MatchString(tag) {
			f.techniques = append(f.techniques, tag)
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(rewritten(&node))
	f.text = b.String()
	return f, errors.Join(err, enc.Close())
}

func checkSigma(doc map[string]any, f *facts) error {
	if strings.TrimSpace(f.title) == "" {
		return errors.New("title is missing")
	}
	source, _ := doc["logsource"].(map[string]any)
	if len(source) == 0 {
		return errors.New("logsource is missing")
	}
	switch level := doc["level"].(type) {
	case nil:
		f.warnings = append(f.warnings, "no level: that of the source applies")
	case string:
		if f.level = level; !slices.Contains(levels, level) {
			return fmt.Errorf("level %q is unknown", level)
		}
	default:
		return errors.New("level is not a text")
	}
	det, _ := doc["detection"].(map[string]any)
	if det == nil {
		return errors.New("detection is missing")
	}
	for name, selection := range det {
		if selection == nil {
			return fmt.Errorf("detection: %s is empty", name)
		}
	}
	unknown := unknownToAgents(source, det)
	f.ignored, f.warnings = len(unknown) > 0, append(f.warnings, unknown...)
	return checkConditions(det, f)
}

func checkConditions(det map[string]any, f *facts) error {
	var conditions []string
	switch c := det["condition"].(type) {
	case string:
		conditions = []string{c}
	case []any:
		for _, one := range c {
			conditions = append(conditions, fmt.Sprint(one))
		}
	}
	if len(conditions) == 0 {
		return errors.New("detection has no condition")
	}
	for _, c := range conditions {
		c, _, aggregates := strings.Cut(c, "|")
		if aggregates {
			f.errors = append(f.errors, "aggregations are not evaluated")
		}
		if strings.TrimSpace(c) == "" {
			return errors.New("detection has an empty condition")
		}
		if strings.Count(c, "(") != strings.Count(c, ")") {
			return errors.New("unbalanced parentheses in condition")
		}
		for _, w := range conditionWord.FindAllString(c, -1) {
			if _, err := strconv.Atoi(w); err != nil && !slices.Contains(conditionKeys, strings.ToLower(w)) && !selects(det, w) {
				return errors.New("condition references unknown selection " + w)
			}
		}
	}
	return nil
}

var (
	conditionWord = regexp.MustCompile(`[\w*?-]+`)
	conditionKeys = []string{"and", "or", "not", "of", "them", "all", "any"}
)

// selects says whether a word of a condition, which may hold wildcards, names a selection.
func selects(det map[string]any, word string) bool {
	for name := range det {
		if name == "condition" || name == "timeframe" {
			continue
		}
		if ok, err := path.Match(word, name); ok && err == nil {
			return true
		}
	}
	return false
}

// rewritten is a YAML document in the manager's own form: keys sorted, other quotes, another
// indentation, no comments, anchors written out (contract harfanglab-api 4.3). Parsed, it is equal. A
// document whose aliases grow without measure was refused when it was decoded.
func rewritten(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	out := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	switch tag := n.ShortTag(); {
	case n.Kind != yaml.ScalarNode:
		for _, child := range n.Content {
			out.Content = append(out.Content, rewritten(child))
		}
	case tag == "!!null":
		out.Tag, out.Value = tag, "null"
	case tag == "!!str" && !strings.ContainsAny(n.Value, "\n\r\t"):
		out.Tag, out.Style = tag, yaml.SingleQuotedStyle
	}
	if n.Kind == yaml.MappingNode {
		members := slices.Collect(slices.Chunk(out.Content, 2))
		slices.SortStableFunc(members, func(a, b []*yaml.Node) int { return cmp.Compare(a[0].Value, b[0].Value) })
		for _, m := range members {
			m[0].Style = 0 // the encoder quotes where it must
		}
		out.Content = slices.Concat(members...)
	}
	return out
}
