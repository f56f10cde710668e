package exit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

func TestCodes(t *testing.T) {
	const sigterm = 15
	for _, tt := range []struct {
		name   string
		err    error
		signal int
		want   int
	}{
		{"nothing", nil, 0, OK},
		{"nothing, in spite of a signal", nil, sigterm, OK},
		{"anything else", errors.New("x"), 0, Unexpected},
		{"what the output has said", fmt.Errorf("x: %w", With(Partly)), sigterm, Partly},
		{"a flag", Usagef("x"), 0, Usage},
		{"one of many settings", errors.Join(errors.New("x"), &config.Problem{}), 0, Usage},
		{"another run", &state.LockedError{}, 0, Locked},
		{"another run, while a tail was away", &state.LostError{Err: &state.LockedError{}}, 0, Locked},
		{"a lock that is lost", &state.LostError{Err: errors.New("x")}, 0, Partly},
		{"a stream that is not there", opencti.ErrUnknownStream, 0, Usage},
		{"OpenCTI", &opencti.Error{}, 0, Side},
		{"a right", &opencti.RightError{}, 0, Side},
		{"HarfangLab", fmt.Errorf("x: %w", &harfanglab.Error{}), 0, Side},
		{"a request that took too long", context.DeadlineExceeded, 0, Side},
		{"a run that took too long", run.ErrDeadline, 0, Side},
		{"a plan of another day", run.ErrStale, 0, Stale},
		{"an apply of which something was done", undone(run.Report{Wrote: true}), 0, Partly},
		{"the same, and then the platform failed", undone(run.Report{Wrote: true, Stopped: &run.BreakerError{Last: &harfanglab.Error{}}}), 0, Partly},
		{"an apply of which nothing was done, as the platform failed", undone(run.Report{Unreachable: &harfanglab.Error{}}), 0, Side},
		{"an apply whose lock was lost before its first write", undone(run.Report{Unreachable: &harfanglab.Error{Err: &state.LostError{Err: errors.New("x")}}}), 0, Partly},
		{"an apply that took too long", undone(run.Report{Wrote: true, Stopped: run.ErrDeadline}), 0, Partly},
		{"an apply that was interrupted", undone(run.Report{Wrote: true, Stopped: run.ErrInterrupted}), sigterm, Signal + sigterm},
		{"an apply whose lock was lost", fmt.Errorf("%w: %w", &state.LostError{Err: &state.LockedError{}}, undone(run.Report{Wrote: true, Stopped: run.ErrInterrupted})), 0, Partly},
		{"an apply that is not whole, of a plan that a gate held in part", errors.Join(undone(run.Report{Wrote: true}), &tail.RefusedError{}), 0, Refused},
		{"the last plan of a tail was refused", &tail.RefusedError{}, 0, Refused},
		{"OpenCTI contradicts itself", fmt.Errorf("%w: x", tail.ErrContradiction), 0, Side},
		{"a code of its own", fmt.Errorf("x: %w", &Status{Partly, &opencti.Error{}}), 0, Partly},
		{"several", errors.Join(With(Partly), &opencti.Error{}), 0, Side},
		{"a signal", fmt.Errorf("x: %w", context.Canceled), sigterm, Signal + sigterm},
		{"an end of something without a signal", context.Canceled, 0, Unexpected},
	} {
		if got := Code(tt.err, tt.signal); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

// A lock that is lost gives 5, whether or not something was written before (gate G10); what the work found out by itself
// counts beside it.
func TestTheCodeOfWorkWhoseLockWasLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing was wrong", nil, Partly},
		{"it was cut off before it wrote", fmt.Errorf("x: %w", context.Canceled), Partly},
		{"a request was cut off", &opencti.Error{Err: context.Canceled}, Partly},
		{"it was interrupted", run.ErrInterrupted, Partly},
		{"it did not do everything", With(Partly), Partly},
		{"something else", errors.New("x"), Partly},
		{"a gate refused", With(Refused), Refused},
		{"a side failed", &opencti.Error{}, Side},
		{"a mistake in the command line", Usagef("x"), Usage},
		{"a plan of another day", run.ErrStale, Stale},
		{"another run has it", &state.LostError{Err: &state.LockedError{}}, Locked},
	} {
		if got := LostCode(tt.err); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func undone(r run.Report) error {
	r.Items = []run.Item{{Outcome: run.Failed}}
	return r.Err()
}

// If several apply, 3 goes before 1, 8, 4 and 5, and a signal before them all.
func TestTheGraverCodeCounts(t *testing.T) {
	order := []int{Signal + 2, Usage, Unexpected, Side, Refused, Partly, Changes, OK}
	for i, a := range order {
		for _, b := range order[i:] {
			if Graver(a, b) != a || Graver(b, a) != a {
				t.Errorf("of %d and %d: %d, %d", a, b, Graver(a, b), Graver(b, a))
			}
		}
	}
}

// What a tail ends with is joined of what its batches and its imports end with, which is joined itself.
func TestJoinedErrorsOfJoinedErrorsAreProblemsOfTheirOwn(t *testing.T) {
	err := errors.Join(errors.Join(With(Partly), errors.Join(With(Refused))), nil)
	if n := len(Problems(err)); n != 2 {
		t.Errorf("%d problems", n)
	}
	if code := Code(err, 0); code != Refused {
		t.Errorf("code %d", code)
	}
}
