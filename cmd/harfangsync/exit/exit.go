// Package exit makes the exit codes of the program: of an error by Code, of a command that has said everything
// itself by With, of a mistake in the command line by Usagef.
package exit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// The exit codes, a stable interface. The README lists them for users.
const (
	OK         = 0
	Unexpected = 1
	Changes    = 2 // plan --detailed-exitcode
	Usage      = 3
	Refused    = 4 // by a gate
	Partly     = 5
	Stale      = 6 // saved plan
	Locked     = 7
	Side       = 8 // a side unreachable, not answering as its API, or refusing the account
	Signal     = 128
)

// Status ends a command with a code of its own. Err is nil once the output has said everything.
type Status struct {
	Code int
	Err  error
}

func (s *Status) Error() string {
	if s.Err != nil {
		return s.Err.Error()
	}
	return fmt.Sprintf("exit code %d", s.Code)
}

func (s *Status) Unwrap() error { return s.Err }

// With is the end of a command whose output has said everything; nil for OK.
func With(code int) error {
	if code == OK {
		return nil
	}
	return &Status{Code: code}
}

// Unsaid says whether an error is yet to be printed.
func Unsaid(err error) bool {
	s, ok := errors.AsType[*Status](err)
	return err != nil && (!ok || s.Err != nil)
}

// refusal is a read that gate G1 refuses.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// Unproven is the end of a command that needs a whole read: what is incomplete is refused, as a plan is.
func Unproven(err error) error {
	if !reconcile.FaultOf(err).Incomplete {
		return err
	}
	return &refusal{fmt.Errorf("refused by gate G1, read twice and still incomplete: %w", err)}
}

// UsageError is a mistake in the command line.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// Code is the one place where codes are made: of several problems it is the graver. signal is the signal that interrupted
// the run, or 0.
func Code(err error, signal int) int {
	code := OK
	for _, problem := range Problems(err) {
		code = Graver(code, codeOf(problem, signal))
	}
	return code
}

func codeOf(err error, signal int) int {
	if s, ok := errors.AsType[*Status](err); ok {
		return s.Code
	}
	if undone, ok := errors.AsType[*run.UndoneError](err); ok {
		return undoneCode(undone.Report, signal)
	}
	switch {
	case err == nil:
		return OK
	case signal != 0 && (errors.Is(err, context.Canceled) || errors.Is(err, run.ErrInterrupted)):
		return Signal + signal
	case is[*UsageError](err), is[*config.Problem](err), is[*run.DumpError](err):
		return Usage
	case is[*state.LockedError](err): // also of a tail whose lock another run has taken while it lapsed
		return Locked
	case is[*state.LostError](err):
		return Partly
	case errors.Is(err, run.ErrDeadline):
		return Side
	case is[*run.DamagedError](err), planfile.Unusable(err), snapshot.Unusable(err), errors.Is(err, run.ErrStale):
		return Stale
	case is[*opencti.FilterError](err), errors.Is(err, opencti.ErrUnknownStream):
		return Usage
	case is[*refusal](err), is[*tail.RefusedError](err):
		return Refused
	case SideFailed(err):
		return Side
	}
	return Unexpected
}

// LostCode is the code of work whose lock was lost meanwhile (gate G10). What the loss cut off is Partly; what the work found
// out by itself counts as well.
func LostCode(err error) int {
	code := Code(err, 0)
	if code == Unexpected || errors.Is(err, context.Canceled) {
		return Partly
	}
	return Graver(code, Partly)
}

// SideFailed says whether a platform is to blame.
func SideFailed(err error) bool {
	return is[*opencti.Error](err) || is[*opencti.RightError](err) || is[*opencti.VersionError](err) || is[*opencti.IncompleteError](err) || is[*run.CrowdedError](err) ||
		is[*harfanglab.Error](err) || is[*harfanglab.IncompleteError](err) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, state.ErrLapsed) || errors.Is(err, state.ErrChanged) || errors.Is(err, opencti.ErrUnknownConnector) || errors.Is(err, tail.ErrContradiction)
}

// undoneCode is that of an apply which did not do everything.
func undoneCode(r *run.Report, signal int) int {
	switch {
	case r.Stopped == run.ErrInterrupted && signal != 0:
		return Signal + signal
	case is[*state.LostError](r.Unreachable):
		return Partly
	case r.Unreachable != nil, r.Stopped == run.ErrDeadline && !r.Wrote:
		return Side
	}
	return Partly
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// Graver is the code that counts if both apply.
func Graver(a, b int) int {
	order := []int{Usage, Unexpected, Side, Refused, Partly, Changes, OK}
	rank := func(code int) int { return slices.Index(order, code) } // others come first of all
	if rank(b) < rank(a) {
		return b
	}
	return a
}
