package remote_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// Those that fail alone are found, all others are asked for once, and few questions suffice.
func TestApartFindsWhatFailsAlone(t *testing.T) {
	one, other := errors.New("one of them"), errors.New("the platform")
	for _, tt := range []struct {
		n      int
		broken []int
		most   int // questions
		err    error
		end    int // how many bad ones are enough; 0 is any number
	}{
		{n: 0, most: 0},
		{n: 500, most: 1},
		{n: 1, broken: []int{0}, most: 1},
		{n: 500, broken: []int{499}, most: 19},
		{n: 500, broken: []int{0, 1, 2, 250, 499}, most: 5 * 19},
		{n: 8, broken: []int{0, 1, 2, 3, 4, 5, 6, 7}, most: 15},
		{n: 500, broken: []int{3, 4, 5}, most: 3 * 19, err: one, end: 2},
		{n: 500, broken: []int{-1}, most: 1, err: other},
	} {
		t.Run(fmt.Sprint(tt.broken, " of ", tt.n), func(t *testing.T) {
			all := make([]int, tt.n)
			for i := range all {
				all[i] = i
			}
			var given, bad []int
			questions := 0
			err := remote.Apart(all, func(some []int) error {
				questions++
				if slices.Contains(tt.broken, -1) {
					return other
				}
				if slices.ContainsFunc(some, func(i int) bool { return slices.Contains(tt.broken, i) }) {
					return one
				}
				given = append(given, some...)
				return nil
			}, func(err error) bool { return err == one }, func(i int, err error) error {
				if bad = append(bad, i); len(bad) == tt.end {
					return err
				}
				return nil
			})
			if !errors.Is(err, tt.err) || questions > tt.most {
				t.Errorf("%v after %d questions, want %v and at most %d", err, questions, tt.err, tt.most)
			}
			if tt.err != nil {
				return
			}
			want := slices.DeleteFunc(slices.Clone(all), func(i int) bool { return slices.Contains(tt.broken, i) })
			if got, want := fmt.Sprint(given, bad), fmt.Sprint(want, tt.broken); got != want {
				t.Errorf("given and bad %s, want %s", got, want)
			}
		})
	}
}
