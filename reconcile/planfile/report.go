package planfile

import (
	_ "embed"
	"iter"
	"strings"

	stream "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"

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
	Items         Items             `json:"items"`
	Gates         []reconcile.Gate  `json:"gates"`
	Pull          *PullReport       `json:"pull,omitempty"` // of a run that imports alerts
}

// NewReport makes the report of a plan: what became of each of its changes.
func NewReport(d *Document, code int, items []run.Item) *Report {
	return &Report{FormatVersion: FormatVersion, ExitCode: code, Summary: d.Summary, Items: Items{d.Changes, items}, Gates: d.Gates}
}

// Items are what became of every change of a plan, in its order.
type Items struct {
	changes reconcile.Changes
	of      []run.Item
}

// Item is one planned change and what became of it.
type Item struct {
	Kind    reconcile.Kind   `json:"kind"`
	List    string           `json:"list"`
	Type    string           `json:"type,omitempty"`
	Value   string           `json:"value,omitempty"`
	Name    string           `json:"name,omitempty"`
	Action  reconcile.Action `json:"action"`
	Outcome run.Outcome      `json:"result"`
	Error   string           `json:"error,omitempty"` // the way out, for what was not applied; a note for what was
}

// All reads the items, one after the other. One whose change cannot be read again says so, with what is known without it.
func (it Items) All() iter.Seq[*Item] {
	return func(yield func(*Item) bool) {
		for i := range it.of {
			c, err := it.changes.Read(i)
			item := &Item{Kind: it.changes.Kind(i), List: c.List, Type: it.changes.Type(i), Value: c.Value, Name: c.Name, Action: it.changes.Action(i), Outcome: it.of[i].Outcome, Error: it.of[i].Error}
			if err != nil {
				item.Error = strings.TrimPrefix(item.Error+"; which rule it is cannot be read again: "+err.Error(), "; ")
			}
			if !yield(item) {
				return
			}
		}
	}
}

// MarshalJSONTo writes the items one after the other.
func (it Items) MarshalJSONTo(to *jsontext.Encoder) error {
	return reconcile.WriteArray(to, it.All(), func() error { return nil }) // what became of a plan is told as far as it is known
}

// MarshalJSON is MarshalJSONTo for encoding/json.
func (it Items) MarshalJSON() ([]byte, error) { return stream.Marshal(it, v1.DefaultOptionsV1()) }
