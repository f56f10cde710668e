// Package run does what reconcile decides: it reads both sides into a plan, and applies a plan.
package run

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Progress is told how far the long parts of a run are.
type Progress interface {
	Reading(what string, done int)
	Writing(done, total int)
	Done()
}

// Job is one run's settings and tools. Every member is needed unless it says otherwise.
type Job struct {
	Source reconcile.Source
	Sink   reconcile.Sink
	// Meaning says what a selected indicator gives.
	Meaning  func(*reconcile.Indicator) reconcile.Given
	Canon    func(typ, value string) string
	Excluded func(typ, value string) bool
	MayGive  func(ind *reconcile.Indicator, typ string) bool // see reconcile.Evidence
	// Unblocks says which of a list a rule falls under, as reconcile.Unblocks.Of does; nil is none.
	Unblocks func([]reconcile.Unblock) func(reconcile.Kind, reconcile.Value, []string) int

	Selection reconcile.Selection
	Policy    reconcile.Policy
	Limits    reconcile.Limits
	Overrides reconcile.Overrides
	Filter    string   // digest of the stream's filter and our selection
	OwnFilter bool     // no stream's filter was adopted: our selection is all there is
	Markings  []string // visible to the account
	// AskMarkings asks for Markings again, before removals are believed; nil where OpenCTI is not asked.
	AskMarkings func(context.Context) ([]string, error)

	Parallel int // writes at once
	// ReadAt is when a Source that was read before began to be read; zero is when the plan begins. Unasked
	// says why such a Source cannot ask OpenCTI for single indicators, "" when it can.
	ReadAt  time.Time
	Unasked string

	// Count counts the alerts of rules in testing, where some are to be promoted (promotion.Counter).
	Count  func(ctx context.Context, due []*reconcile.Trial, since time.Time) error
	Impact *impact.Asker // asks how many endpoints saw what begins to detect; nil does not

	Keeper   *state.Keeper
	Log      *slog.Logger
	Progress Progress         // may be nil
	Clock    func() time.Time // may be nil

	Touched func(*reconcile.Change, *reconcile.Row) // is told once of every row that was read back, nil if it is gone; may be nil
	// Lazy lets what an apply leaves behind be stored with what is stored next (state.Keeper.Note) where it is only that all is
	// in place: what its gates count is stored before it writes. Whether a value was unblocked meanwhile is then for the caller
	// to look, who runs whole if so.
	Lazy bool
	// RecheckRows lets a recheck ask for the rows of a few changes alone, and not for those that a change
	// creates: a creation that finds an equal rule is judged by its marker.
	RecheckRows bool
}

func (j *Job) Now() time.Time {
	if j.Clock != nil {
		return j.Clock()
	}
	return time.Now().UTC()
}

// twice reads once more what came incompletely; read starts over.
func (j *Job) twice(warning string, read func() error) error {
	err := read()
	if reconcile.FaultOf(err).Incomplete {
		j.Log.Warn(warning, "error", err)
		err = read()
	}
	return err
}

func (j *Job) reading(what string, done int) {
	if j.Progress != nil {
		j.Progress.Reading(what, done)
	}
}

// Why a run ended early.
var (
	ErrInterrupted = errors.New("interrupted")
	ErrDeadline    = errors.New("the deadline passed")
)
