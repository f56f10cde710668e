package render

import (
	"bufio"
	"encoding/json"
	"io"
	"iter"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// JSON writes a plan as its document.
func JSON(w io.Writer, d *planfile.Document) error { return planfile.Encode(w, d) }

// Event is one line of --json output. Type is planned_change, change_summary, apply_start,
// apply_complete, apply_errored or diagnostic.
type Event struct {
	Type    string             `json:"type"`
	Change  *reconcile.Change  `json:"change,omitempty"`
	Item    *planfile.Item     `json:"item,omitempty"`
	Summary *reconcile.Summary `json:"summary,omitempty"`
	Gate    *reconcile.Gate    `json:"gate,omitempty"`
	Changes *int               `json:"changes,omitempty"`
	Code    *int               `json:"exit_code,omitempty"`
	Level   string             `json:"level,omitempty"` // of a diagnostic: warning or error
	Message string             `json:"message,omitempty"`
}

// Events writes events, one JSON object a line.
func Events[E Event | PullEvent](w io.Writer, events ...E) error {
	return writeEvents(w, slices.Values(events))
}

func writeEvents[E Event | PullEvent](w io.Writer, events iter.Seq[E]) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for e := range events {
		if err := enc.Encode(&e); err != nil {
			return err
		}
	}
	return b.Flush()
}

// PlanEvents writes a plan as events: every change, what is unblocked, every gate that refuses, and the summary.
func PlanEvents(w io.Writer, d *planfile.Document) error {
	if err := writeEvents(w, func(yield func(Event) bool) {
		for _, ch := range d.Changes.All() {
			if !yield(Event{Type: "planned_change", Change: ch}) {
				return
			}
		}
	}); err != nil {
		return err
	}
	if err := d.Changes.Err(); err != nil {
		return err
	}
	var events []Event
	for i := range d.Unblocked {
		events = append(events, Event{Type: "diagnostic", Level: "warning", Message: "unblocked: " + unblockWords(&d.Unblocked[i])})
	}
	for _, g := range Refused(d) {
		events = append(events, Event{Type: "diagnostic", Level: "error", Gate: &g, Message: "refused by gate " + g.ID + ": " + g.Message})
	}
	events = append(events, Event{Type: "change_summary", Summary: &d.Summary, Message: LastLine(d)})
	return Events(w, events...)
}

// ReportEvents writes what became of every change, and the end.
func ReportEvents(w io.Writer, r *planfile.Report, message string) error {
	return writeEvents(w, func(yield func(Event) bool) {
		for it := range r.Items.All() {
			e := Event{Type: "apply_complete", Item: it}
			if it.Outcome != run.Applied {
				e.Type = "apply_errored"
			}
			if !yield(e) {
				return
			}
		}
		yield(Event{Type: "change_summary", Summary: &r.Summary, Code: &r.ExitCode, Message: message})
	})
}
