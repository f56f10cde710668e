// Package sigma says Sigma rules in HarfangLab's own terms.
//
// Public rules are written in Sysmon's and Windows' words. HarfangLab's agents know other words for
// most of them, and ignore a whole rule over one that they do not know, without telling. Translate
// writes the logsource, the fields and the conditions of a rule so that agents know them, leaves every
// other byte of it alone, and says what it changed, what the rule misses now, or why it cannot be said.
// A translated rule never fires on more than its author's. What agents know is in table.yaml.
package sigma

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// Rule is a Sigma rule as it is deployed.
type Rule struct {
	Text    string
	Changes []string // what was changed, for people
	Notes   []string // "narrower: ..." and "wider: ...", which events are missed or seen as well
}

// detection is what of a rule decides on which events it fires.
type detection struct {
	source, node *yaml.Node
	names        names
	compared     int          // by the quantifiers
	conditions   []*yaml.Node // the condition's scalars
	parsed       []*condition
}

// selections are the names of the selections, and where they are held.
func (d *detection) selections(yield func(name string, at **yaml.Node) bool) {
	for i := 0; i+1 < len(d.node.Content); i += 2 {
		if name := d.node.Content[i].Value; name != "condition" && name != "timeframe" && !yield(name, &d.node.Content[i+1]) {
			return
		}
	}
}

// detectionOf reads what decides of a rule; nil without an error is no rule at all.
func detectionOf(root *yaml.Node) (*detection, error) {
	d := &detection{source: yamltext.Member(root, "logsource"), node: yamltext.Member(root, "detection")}
	if d.source == nil || d.source.Kind != yaml.MappingNode || d.node == nil || d.node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for name, n := range d.selections {
		if err := ambiguous(*n); err != nil {
			return nil, err
		}
		if d.names.known[name] { // one as a number, one as a text
			return nil, fmt.Errorf("two selections are named %s", name)
		}
		d.names.add(name)
	}
	switch c := yamltext.Member(d.node, "condition"); {
	case c == nil:
		return nil, nil
	case c.Kind == yaml.ScalarNode:
		d.conditions = []*yaml.Node{c}
	case c.Kind == yaml.SequenceNode:
		d.conditions = c.Content
	}
	for _, c := range d.conditions {
		parsed, err := parseCondition(c.Value, &d.names, &d.compared)
		if err != nil {
			return nil, err
		}
		d.parsed = append(d.parsed, parsed)
	}
	return d, nil
}

// ambiguous says what of a selection is not Sigma, so that readers differ on what it means.
func ambiguous(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		for _, c := range n.Content {
			if c.Kind == yaml.SequenceNode {
				return errors.New("a list of lists in a selection")
			}
			if err := ambiguous(c); err != nil {
				return err
			}
		}
		return nil
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			return errors.New("a selection with a merge (<<), or with another key that is no field")
		}
		if slices.ContainsFunc(values(n.Content[i+1]), func(v *yaml.Node) bool { return v.Kind != yaml.ScalarNode }) {
			return fmt.Errorf("a value of %s that is no text and no number", key.Value)
		}
	}
	return nil
}

// value is what the conditions come to where each selection comes to what of says: one that holds is enough.
func (d *detection) value(of func(name string, n *yaml.Node) truth) truth {
	values := make(map[string]truth, len(d.names.all))
	for name, n := range d.selections {
		values[name] = of(name, *n)
	}
	best := never
	for _, c := range d.parsed {
		best = max(best, c.root.value(values))
	}
	return best
}

// selectionValue is what a selection comes to where its tests come to what test says.
func selectionValue(n *yaml.Node, test func(field, modifiers string, value *yaml.Node) truth) truth {
	switch n.Kind {
	case yaml.MappingNode:
		all := always
		for i := 0; i+1 < len(n.Content); i += 2 {
			field, modifiers, _ := strings.Cut(n.Content[i].Value, "|")
			all = min(all, test(field, modifiers, n.Content[i+1]))
		}
		return all
	case yaml.SequenceNode:
		best := never
		for _, c := range n.Content {
			best = max(best, selectionValue(c, test))
		}
		return best
	}
	return test("", "", n)
}

// values are the scalars of a test.
func values(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// Check says what Translate would skip of a rule whether it is translated or not: a condition that
// cannot be read, and one that holds for every event.
func Check(src string) *reconcile.Skip {
	root, err := yamltext.ParseShort(src)
	if err != nil {
		return nil // whoever takes the rule says so
	}
	d, err := detectionOf(yamltext.Clone(root))
	switch {
	case err != nil:
		return &reconcile.Skip{Reason: reconcile.InvalidRule, Detail: "Sigma: " + err.Error()}
	case d != nil && d.matchesEverything():
		return &reconcile.Skip{Reason: reconcile.MatchesEverything, Detail: "its condition holds for an event that none of its tests knows anything of"}
	}
	return nil
}

// Translate says a rule in HarfangLab's terms, or why it cannot be said. A text that is no Sigma rule
// comes back as it is.
func Translate(src string) (Rule, *reconcile.Skip) {
	if skip := Check(src); skip != nil {
		return Rule{}, skip
	}
	root, err := yamltext.ParseShort(src)
	if err != nil {
		return Rule{Text: src}, nil
	}
	root = yamltext.Clone(root)
	if d, _ := detectionOf(root); d == nil {
		return Rule{Text: src}, nil
	}
	products := []string{strings.ToLower(yamltext.Text(yamltext.Member(yamltext.Member(root, "logsource"), "product")))}
	if products[0] == "" {
		category := yamltext.Text(yamltext.Member(yamltext.Member(root, "logsource"), "category"))
		products = slices.DeleteFunc(slices.Sorted(maps.Keys(known().Products)), func(p string) bool {
			return known().Products[p].Categories[category] == nil
		})
	}
	return translateFor(src, root, products)
}

// translateFor translates a rule for the agents of some products, which have to agree on its text; those
// that know less of it than the first are said.
func translateFor(src string, root *yaml.Node, products []string) (rule Rule, skip *reconcile.Skip) {
	if len(products) == 0 {
		return Rule{}, &reconcile.Skip{Reason: reconcile.UnsupportedLogsource, Detail: describe(yamltext.Member(root, "logsource"))}
	}
	done := false
	var without []string
	for _, p := range slices.Backward(products) { // Windows first, which knows most
		t := translator{root: yamltext.Clone(root), table: known()}
		skipped := t.translate(p)
		var text string
		if skipped == nil {
			var err error
			if text, err = yamltext.Rewrite(src, t.root); err != nil {
				skipped = &reconcile.Skip{Reason: reconcile.InvalidRule, Detail: "Sigma: " + err.Error()}
			}
		}
		switch {
		case skipped == nil && !done:
			rule, done = Rule{Text: text, Changes: t.changes.all, Notes: t.notes.all}, true
			if t.unsaid > 0 {
				rule.Notes = append(rule.Notes, "narrower: and "+strconv.Itoa(t.unsaid)+" more")
			}
		case skipped != nil && skip == nil:
			skip = skipped
		}
		if skipped != nil || text != rule.Text {
			without = append(without, p)
		}
	}
	if !done {
		return Rule{}, skip
	}
	for _, p := range without {
		rule.Notes = append(rule.Notes, "narrower: events of "+p)
	}
	return rule, nil
}
