// Package metrics turns what one run did into Prometheus metrics: a file for a node exporter's textfile
// collector, or a push to a Pushgateway. A job that runs for seconds cannot be scraped.
//
// What a run does not know is absent, never 0: one that failed before its plan tells when it ended, with which code,
// and what it sent. What it knows is there as a whole, with zeros where nothing happened.
package metrics

import (
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// Phase is a part of a run that takes time.
type Phase string

// The phases: both sides are read, a plan is made of them, it is applied, alerts are brought back.
const (
	Read  Phase = "read"
	Plan  Phase = "plan"
	Apply Phase = "apply"
	Pull  Phase = "pull"
)

// Sort is what changes are counted by.
type Sort struct {
	Action reconcile.Action
	Kind   reconcile.Kind
}

// Request is what requests are counted by. Side is opencti or harfanglab, Status a class such as 2xx, or
// error for those without an answer.
type Request struct{ Side, Method, Status string }

// Report is what one run has to tell. The zero value is a run that did nothing yet.
type Report struct {
	Ended    time.Time // when the run ended
	ExitCode int
	InSync   *bool // HarfangLab holds what OpenCTI wants; nil where this run does not know
	// LastSuccess is when a run last ended with code 0, this one included; zero when nobody knows.
	LastSuccess time.Time
	Planned     map[Sort]int // nil without a plan, and then Skipped, Held and Refused too
	Skipped     map[reconcile.Reason]int
	Held        map[reconcile.Reason]int
	Refused     map[string]bool          // ids of the gates that refuse the plan, such as G4
	Applied     map[reconcile.Action]int // nil while nobody knows what was applied
	Failed      int                      // planned changes that were not done, for whatever reason
	Requests    map[Request]int64
	Phases      map[Phase]time.Duration // those that there were
	Cursor      time.Time               // up to where alerts were brought back; zero when none are
}

// Forget drops what is known of an earlier plan.
func (r *Report) Forget() {
	r.Planned, r.Skipped, r.Held, r.Refused, r.Applied, r.Failed = nil, nil, nil, nil, nil, 0
	for _, p := range []Phase{Read, Plan, Apply} {
		delete(r.Phases, p)
	}
}

// SetPlan counts a plan, in place of an earlier one; nothing of it is applied yet.
func (r *Report) SetPlan(d *planfile.Document) {
	r.Forget()
	r.Applied = map[reconcile.Action]int{}
	r.Planned, r.Skipped, r.Held, r.Refused = map[Sort]int{}, map[reconcile.Reason]int{}, map[reconcile.Reason]int{}, map[string]bool{}
	for i := range d.Changes.Len() {
		r.Planned[Sort{d.Changes.Action(i), d.Changes.Kind(i)}]++
	}
	for i := range d.Skipped.Len() {
		r.Skipped[d.Skipped.Reason(i)]++
	}
	for i := range d.Held.Len() {
		r.Held[d.Held.Reason(i)]++
	}
	for i := range d.Gates {
		if !d.Gates[i].OK {
			r.Refused[d.Gates[i].ID] = true
		}
	}
}

// SetApplied counts what became of a plan, in place of an earlier one.
func (r *Report) SetApplied(done *run.Report) {
	r.Applied, r.Failed = map[reconcile.Action]int{}, 0
	for i := range done.Items {
		if done.Items[i].Outcome == run.Applied {
			r.Applied[done.Changes.Action(i)]++
		} else {
			r.Failed++
		}
	}
}

// SetPhase notes how long a phase took, in place of an earlier note.
func (r *Report) SetPhase(p Phase, took time.Duration) {
	if r.Phases == nil {
		r.Phases = map[Phase]time.Duration{}
	}
	r.Phases[p] = max(took, 0)
}
