package planfile

import (
	_ "embed"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
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
	Items         []run.Item        `json:"items"`
	Gates         []reconcile.Gate  `json:"gates"`
	Pull          *PullReport       `json:"pull,omitempty"` // of a run that imports alerts
}

// NewReport makes the report of a plan.
func NewReport(d *Document, code int, items []run.Item) *Report {
	return &Report{FormatVersion: FormatVersion, ExitCode: code, Summary: d.Summary, Items: items, Gates: d.Gates}
}
