package hlsim

import (
	"slices"
	"time"
)

// row is a rule as it is held. Rows of a million IOCs stay small because what they seldom have is in
// rest, and because the four flags follow from state.
type row struct {
	id             string
	src            *source
	chunk          *chunk
	typ, value     string
	name           string
	description    string
	comment        string
	hlStatus       string
	state          string // the global_state
	created, moved int64  // creation_date and last_update, in microseconds
	by             *user
	null           nulls
	*rest
}

// nulls says which of the empty texts of a row are null.
type nulls uint8

const (
	nullName nulls = 1 << iota
	nullDescription
	nullComment
)

// rest is what few IOC rules have. Rows may share one: it is never written to, only replaced.
type rest struct {
	content, ruleID, ruleName string
	ruleNames, tags           []string
	errors, warnings          []string
	info, category            string
	references                []string
	level, override           string
	confidence                string
	alerts                    int
}

var noRest = &rest{}

// rule is a copy of the row for the outside.
func (r *row) rule() Rule {
	f := flagsOf(r.state)
	return Rule{
		ID: r.id, SourceID: r.src.ID, Type: r.typ, Value: r.value, Name: r.name, Content: r.content,
		RuleID: r.ruleID, RuleName: r.ruleName, RuleNames: slices.Clone(r.ruleNames), Tags: slices.Clone(r.tags),
		Errors: slices.Clone(r.errors), Warnings: slices.Clone(r.warnings),
		Description: r.description, Comment: r.comment, Info: r.info, Category: r.category,
		References: slices.Clone(r.references), GlobalState: r.state,
		Enabled: f.enabled, BlockOnAgent: f.block, QuarantineOnAgent: f.quarantine,
		HLStatus: r.hlStatus, RuleLevel: r.level, RuleLevelOverride: r.override, RuleConfidenceOverride: r.confidence,
		AlertCount: r.alerts, LastModifier: r.by.username,
		CreationDate: time.UnixMicro(r.created).UTC(), LastUpdate: time.UnixMicro(r.moved).UTC(),
	}
}

// take fills the row from a Rule, all but the id, the list and the moments. before is what the row
// was, so that of the views of its state the one that was changed wins.
func (r *row) take(kind string, in, before Rule) {
	r.typ, r.value, r.name = in.Type, in.Value, in.Name
	r.description, r.comment = in.Description, in.Comment
	if r.hlStatus = in.HLStatus; r.hlStatus == "" {
		r.hlStatus = "stable"
	}
	var want stateChange
	if in.GlobalState != before.GlobalState && in.GlobalState != "" {
		want.global = &in.GlobalState
	}
	if in.Enabled != before.Enabled {
		want.enabled = &in.Enabled
	}
	if in.BlockOnAgent != before.BlockOnAgent {
		want.block = &in.BlockOnAgent
	}
	if in.QuarantineOnAgent != before.QuarantineOnAgent {
		want.quarantine = &in.QuarantineOnAgent
	}
	r.state = want.apply(kind, r.state, false)
	r.rest = (&rest{
		content: in.Content, ruleID: in.RuleID, ruleName: in.RuleName,
		ruleNames: slices.Clone(in.RuleNames), tags: slices.Clone(in.Tags),
		errors: slices.Clone(in.Errors), warnings: slices.Clone(in.Warnings),
		info: in.Info, category: in.Category, references: slices.Clone(in.References),
		level: in.RuleLevel, override: in.RuleLevelOverride, confidence: in.RuleConfidenceOverride, alerts: in.AlertCount,
	}).orNone(kind)
}

// orNone is noRest for an IOC that has nothing in its rest.
func (m *rest) orNone(kind string) *rest {
	if kind == IOC && len(m.references) == 0 && m.info+m.category+m.level+m.override+m.confidence == "" && m.alerts == 0 {
		return noRest
	}
	return m
}

// is says whether an empty text is null.
func (r *row) is(n nulls) bool { return r.null&n != 0 }

// setNull says what an empty text of the row is.
func (r *row) setNull(n nulls, null bool) {
	r.null &^= n
	if null {
		r.null |= n
	}
}

// tested is the number of alerts that count towards the end of testing: all, while the rule is in it.
func (r *row) tested() int {
	if r.hlStatus == "testing" {
		return r.alerts
	}
	return 0
}
