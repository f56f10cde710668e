package exit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
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
		{"a signal", fmt.Errorf("x: %w", context.Canceled), sigterm, Signal + sigterm},
		{"an end of something without a signal", context.Canceled, 0, Unexpected},
	} {
		if got := Code(tt.err, tt.signal); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
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
