package planfile

import (
	_ "embed"

	"harfangsync/reconcile"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of plans.
func Schema() []byte { return schema }

// Report is what became of a plan.
type Report struct {
	FormatVersion string            `json:"format_version"`
	ExitCode      int               `json:"exit_code"`
	Summary       reconcile.Summary `json:"summary"`
	Items         []Item            `json:"items"`
	Gates         []reconcile.Gate  `json:"gates"`
	Pull          *PullReport       `json:"pull,omitempty"` // of a run that imports alerts
}

// Item is one change and its result: applied, failed, conflict or not_attempted.
type Item struct {
	Kind   reconcile.Kind   `json:"kind"`
	List   string           `json:"list"`
	Type   string           `json:"type,omitempty"`
	Value  string           `json:"value,omitempty"`
	Name   string           `json:"name,omitempty"`
	Action reconcile.Action `json:"action"`
	Result string           `json:"result"`
	Error  string           `json:"error,omitempty"`
}

// NewReport makes the report of a plan, without items.
func NewReport(d *Document, code int) *Report {
	return &Report{FormatVersion: FormatVersion, ExitCode: code, Summary: d.Summary, Items: []Item{}, Gates: d.Gates}
}

// Add adds the result of one change.
func (r *Report) Add(c *reconcile.Change, result, err string) {
	r.Items = append(r.Items, Item{Kind: c.Kind, List: c.List, Type: c.Type, Value: c.Value, Name: c.Name, Action: c.Action, Result: result, Error: err})
}
