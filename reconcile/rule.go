package reconcile

import (
	"cmp"

	"harfangsync/reconcile/marker"
)

// CheckedRule is a Sigma or YARA rule that can be deployed. ID is that of the Sigma rule's YAML.
type CheckedRule struct{ Name, ID string }

// CheckRule says what a Sigma or YARA indicator would be deployed as, or why it cannot be.
func CheckRule(ind *Indicator) (CheckedRule, error) {
	if patternKind(ind.PatternType) == YARA {
		names, err := marker.CheckYARA(ind.Pattern)
		if err != nil {
			return CheckedRule{}, err
		}
		return CheckedRule{Name: ruleName(ind, names[0])}, nil
	}
	rule, err := marker.ParseSigma(ind.Pattern)
	if err != nil {
		return CheckedRule{}, err
	}
	return CheckedRule{Name: ruleName(ind, rule.Title), ID: rule.ID}, nil
}

// RuleOf is the identity of the Sigma or YARA rule that an indicator gives, in the form of Finding's
// values; ok is false for a STIX pattern and for a rule that is not valid.
func RuleOf(ind *Indicator) (v Value, ok bool) {
	kind := patternKind(ind.PatternType)
	if kind != Sigma && kind != YARA {
		return v, false
	}
	rule, err := CheckRule(ind)
	if v.Value = ind.ID; kind == Sigma {
		v.Value = cmp.Or(rule.ID, DerivedSigmaID(ind.ID))
	}
	return v, err == nil
}
