package reconcile

import (
	"cmp"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// CheckedRule is a Sigma or YARA rule that can be deployed. ID is that of the Sigma rule's YAML.
type CheckedRule struct {
	Name, ID string

	key   string            // as Finding's values name it
	text  string            // as it is deployed
	sigma *marker.SigmaRule // nil for YARA
}

// CheckRule says what a Sigma or YARA indicator is deployed as, given what it means, or why it cannot be. It is the one
// judge of that, for what is read and for what is asked for as evidence.
func CheckRule(ind *Indicator, g *Given) (CheckedRule, error) {
	r := CheckedRule{key: ind.ID, text: cmp.Or(g.Text, ind.Pattern)}
	if patternKind(ind.PatternType) == YARA {
		names, err := marker.CheckYARA(r.text)
		if err != nil {
			return r, err
		}
		r.Name = ruleName(ind, names[0])
		return r, nil
	}
	rule, err := marker.ParseSigma(r.text)
	if err != nil {
		return r, err
	}
	if r.ID = rule.ID; r.derived() {
		rule = rule.WithID(DerivedSigmaID(ind.ID))
	}
	if _, err := rule.Render(rule.ID, marker.SigmaRef{Base: "x", Owner: ind.ID, Instance: "x"}); err != nil {
		return r, err
	}
	r.key, r.Name, r.sigma = rule.ID, ruleName(ind, rule.Title), rule
	return r, nil
}

func (r *CheckedRule) derived() bool { return r.ID == "" }
