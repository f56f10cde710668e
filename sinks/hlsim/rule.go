package hlsim

import "time"

// Rule is a rule of any kind as tests and controls see it (contract harfanglab-api 4.1 to 4.6). Where
// the API tells null from "", both are "" here. BlockOnAgent, QuarantineOnAgent, Enabled and
// GlobalState are views of one state: what an Edit changes wins, GlobalState first.
// What is said to be read-only has no effect in an Add, a Load or an Edit.
type Rule struct {
	ID       string `json:"id,omitempty"`
	SourceID string `json:"source_id,omitempty"`

	Type  string `json:"type,omitempty"`  // IOC
	Value string `json:"value,omitempty"` // IOC

	Name        string   `json:"name,omitempty"`
	Content     string   `json:"content,omitempty"`    // Sigma, YARA
	RuleID      string   `json:"rule_id,omitempty"`    // Sigma; empty is the content's
	RuleName    string   `json:"rule_name,omitempty"`  // Sigma; empty is the content's title
	RuleNames   []string `json:"rule_names,omitempty"` // YARA; nil are the content's
	Tags        []string `json:"rule_technique_tags,omitempty"`
	Errors      []string `json:"errors,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Description string   `json:"description,omitempty"` // IOC
	Comment     string   `json:"comment,omitempty"`     // IOC
	Info        string   `json:"info,omitempty"`        // IOC
	Category    string   `json:"category,omitempty"`    // IOC
	References  []string `json:"references,omitempty"`

	Enabled                bool   `json:"enabled"`
	BlockOnAgent           bool   `json:"block_on_agent,omitempty"`
	QuarantineOnAgent      bool   `json:"quarantine_on_agent,omitempty"`
	GlobalState            string `json:"global_state,omitempty"`
	HLStatus               string `json:"hl_status,omitempty"` // empty is stable
	RuleLevel              string `json:"rule_level,omitempty"`
	RuleLevelOverride      string `json:"rule_level_override,omitempty"`
	RuleConfidenceOverride string `json:"rule_confidence_override,omitempty"`
	AlertCount             int    `json:"alert_count,omitempty"`

	LastModifier string    `json:"last_modifier,omitempty"` // name of a user; read-only
	CreationDate time.Time `json:"creation_date,omitzero"`  // read-only
	LastUpdate   time.Time `json:"last_update,omitzero"`    // read-only
}

// Source is a list.
type Source struct {
	ID          string `json:"id,omitempty"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
	Rules       int    `json:"rules"` // how many it holds; read-only
}
