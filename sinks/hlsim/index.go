package hlsim

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"time"
)

// pick gives the rows that are asked for, in the order that is asked for. rows are in the order of
// their main moment, and stay as they are.
func (a *asked[T]) pick(rows []T, main func(T) time.Time) []T {
	rows = rows[sort.Search(len(rows), func(i int) bool { return holds(a.lower, main(rows[i])) }):]
	rows = rows[:sort.Search(len(rows), func(i int) bool { return !holds(a.upper, main(rows[i])) })]
	found := []T{}
	for _, row := range rows {
		if holds(a.tests, row) {
			found = append(found, row)
		}
	}
	if a.latest {
		slices.Reverse(found)
	}
	if a.order != nil {
		slices.SortStableFunc(found, a.compare)
	}
	return found
}

// compare orders by another moment than the main one. Rows without it come last, whichever way round.
func (a *asked[T]) compare(x, y T) int {
	s, t := a.order(x), a.order(y)
	switch {
	case s.IsZero() && t.IsZero():
		return 0
	case t.IsZero():
		return -1
	case s.IsZero():
		return 1
	case a.latest:
		return t.Compare(s)
	}
	return s.Compare(t)
}

func holds[T any](tests []func(T) bool, v T) bool {
	for _, test := range tests {
		if !test(v) {
			return false
		}
	}
	return true
}

// paged is a page of an index. Pages that reach past its window are refused, and the count ends there
// (contract harfanglab-api 12.26; status and body are assumed).
func paged[T any](k *Knobs, r *http.Request, w window, rows []T, view func(T) any) *answer {
	n, most := len(rows), k.indexWindow()
	page := rows[min(w.offset, n):]
	page = page[:min(w.limit, len(page))]
	if most > 0 {
		n = min(n, most)
	}
	if most > 0 && w.offset > most-w.limit {
		why := fmt.Sprintf("Result window is too large, offset + limit must be less than or equal to %d.", most)
		switch k.BeyondWindow {
		case BeyondEmpty:
			page = nil
		case BeyondFails:
			return detail(http.StatusInternalServerError, why)
		default:
			return detail(http.StatusBadRequest, why)
		}
	}
	views := []any{}
	for _, row := range page {
		views = append(views, view(row))
	}
	a := k.enclose(r, w, n, views)
	if k.NextBeyond {
		e := k.enclose(r, w, len(rows), views).body.(envelope)
		e.Count = n + k.CountOff
		a.body = e
	}
	return a
}
