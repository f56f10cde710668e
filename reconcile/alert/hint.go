package alert

import "github.com/harfangsync/harfangsync/reconcile"

// Clue is the place of an alert where a hint was found.
type Clue string

// The clues, the most telling first.
const (
	ByRuleID  Clue = "rule_id"
	ByMatch   Clue = "ioc_matches"
	ByMessage Clue = "message"
	ByContent Clue = "rule_content"
	ByHash    Clue = "hashes"
	ByName    Clue = "name"
)

// Hint is one way to the rule that fired. It either says what to look up among the rules that we hold,
// or, out of a marker that came with the alert, whom the rule belongs to.
//
// What is said of the rule holds together: a Type and a Value with a SourceID mean the rule of that
// list. Members that are not known are "".
type Hint struct {
	From Clue
	Kind reconcile.Kind // 0 when the alert does not tell

	RuleID      string // id of the rule; of a Sigma rule, that in its YAML
	SourceID    string // id of the list, which may be another than ours
	Source      string // name of the list, which may be another than ours
	Type, Value string // of an IOC rule; hashes have the type hash. Without a type, the value alone
	Name        string // whole title of a Sigma rule, name of a YARA file
	YARARule    string // a rule inside a YARA file

	// The marker's: whose rule it is, who wrote it. A marker without an instance is an old connector's.
	Owners   []string // internal ids of indicators
	Standard string   // standard id of an indicator
	Instance string
}

// Direct says whether the hint itself names owners.
func (h Hint) Direct() bool { return len(h.Owners) > 0 || h.Standard != "" }
