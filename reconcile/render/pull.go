package render

import (
	"io"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// PullEvent is one line of the --json output of an import of alerts. Type is pull_item, with what became
// of one alert or threat; diagnostic, with what is wrong with the import as a whole; or pull_complete, the
// last one, with the counts, the exit code and the line that a person gets.
type PullEvent struct {
	Type    string        `json:"type"`
	Item    *pull.Item    `json:"item,omitempty"`
	Summary *pull.Summary `json:"summary,omitempty"`
	Cursor  time.Time     `json:"cursor,omitzero"`     // every alert until then is dealt with
	DryRun  bool          `json:"dry_run,omitempty"`   // nothing was written
	Code    *int          `json:"exit_code,omitempty"` // of the import alone
	Level   string        `json:"level,omitempty"`     // of a diagnostic: warning
	Message string        `json:"message,omitempty"`
}

// PullEvents writes what became of every alert and threat, one JSON object a line, and the end.
func PullEvents(w io.Writer, r *planfile.PullReport, dryRun bool, message string) error {
	events := make([]PullEvent, 0, len(r.Items)+len(r.Problems)+1)
	for i := range r.Items {
		events = append(events, PullEvent{Type: "pull_item", Item: &r.Items[i]})
	}
	for _, problem := range r.Problems {
		events = append(events, PullEvent{Type: "diagnostic", Level: "warning", Message: problem})
	}
	return Events(w, append(events, PullEvent{Type: "pull_complete", Summary: &r.Summary, Cursor: r.Cursor, DryRun: dryRun, Code: &r.ExitCode, Message: message})...)
}
