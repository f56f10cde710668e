package reconcile

import "harfangsync/reconcile/marker"

// RuleOf is the identity of the Sigma or YARA rule that an indicator gives, in the form of Finding's
// values; ok is false for a STIX pattern and for a rule that is not valid.
func RuleOf(ind *Indicator) (v Value, ok bool) {
	switch patternKind(ind.PatternType) {
	case Sigma:
		rule, err := marker.ParseSigma(ind.Pattern)
		if err != nil {
			return Value{}, false
		}
		if rule.ID == "" {
			return Value{Value: DerivedSigmaID(ind.ID)}, true
		}
		return Value{Value: rule.ID}, true
	case YARA:
		_, err := marker.CheckYARA(ind.Pattern)
		return Value{Value: ind.ID}, err == nil
	}
	return Value{}, false
}

// CheckedRule is a Sigma or YARA rule that can be deployed.
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
