package harfanglab

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// levels are those that are known (contract harfanglab-api 7.3). Only they can be asked for by name.
var levels = []string{"critical", "high", "medium", "low", "informational"}

// window is a stretch of time in whole seconds. Its rows are those from its start to just before its
// end, so that windows side by side share no row; only the last one of a read holds its end too. An open
// end has no bound.
type window struct {
	from, to         int64
	openFrom, openTo bool
	first, last      bool
}

// windowOf is the window of a query whose ends may be zero, which is open. Where the window has to be
// halved, an open start counts as 1970 and an open end as a day from now.
func windowOf(from, to time.Time) window {
	w := window{from: from.Unix(), to: to.Unix(), openFrom: from.IsZero(), openTo: to.IsZero(), first: true, last: true}
	if to.Nanosecond() > 0 {
		w.to++
	}
	if w.openFrom {
		w.from = 0
	}
	if w.openTo {
		w.to = max(time.Now().Add(24*time.Hour).Unix(), w.from)
	}
	return w
}

func (w window) holds(t time.Time) bool {
	from, to := time.Unix(w.from, 0), time.Unix(w.to, 0)
	switch {
	case !w.openFrom && t.Before(from):
		return false
	case w.openTo:
		return true
	}
	return t.Before(to) || w.last && t.Equal(to)
}

// outside says that a time is out of the window by more than rounding explains.
func (w window) outside(t time.Time) bool {
	return !w.openFrom && t.Unix() < w.from-1 || !w.openTo && t.Unix() > w.to+1
}

// filter asks for the window. Whether managers count a bound in is not certain (contract harfanglab-api
// 13, 17), and a row on the seam of two windows must be in one of them, so each but the first asks from a
// second before; not a single second, whose neighbour may be what is too full.
func (w window) filter(member string) url.Values {
	f := url.Values{}
	switch {
	case w.openFrom:
	case w.first || w.to-w.from < 2:
		f.Set(member+"__gte", second(w.from))
	default:
		f.Set(member+"__gte", second(w.from-1))
	}
	if !w.openTo {
		f.Set(member+"__lte", second(w.to))
	}
	return f
}

// halves are two windows that hold the same rows, or none when a second cannot be halved.
func (w window) halves() []window {
	if w.to-w.from < 2 {
		return nil
	}
	early, late := w, w
	mid := w.from + (w.to-w.from)/2
	early.to, early.openTo, early.last = mid, false, false
	late.from, late.openFrom, late.first = mid, false, false
	return []window{early, late}
}

// windows reads a window, and halves it where more rows are in it than can be paged to. seen is what
// was visited of it.
func (f *feed[T]) windows(ctx context.Context, w window, seen map[uint64]metRow) error {
	s := &span{filter: w.filter(f.order), holds: w.holds, outside: w.outside, probe: true, seen: seen}
	res, err := f.settle(ctx, s)
	if err != nil || !res.cut {
		return err
	}
	if res.outside {
		s.probe = false
		f.saturate(time.Time{}, res.count, "it does not heed "+f.order+"__gte and "+f.order+"__lte")
		_, err := f.walk(ctx, s)
		return err
	}
	halves := w.halves()
	if halves == nil {
		return f.crowded(ctx, w, s, res.count)
	}
	parts := make([]map[uint64]metRow, len(halves))
	for i, h := range halves {
		parts[i] = map[uint64]metRow{}
		for key, was := range seen {
			if h.holds(time.Unix(was.at, 0)) {
				parts[i][key] = was
			}
		}
	}
	clear(seen)
	for i, h := range halves {
		if f.saturated != nil && f.saturated.Why != "" {
			break // the filter works no better elsewhere
		}
		if err := f.windows(ctx, h, parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// crowded reads a second that holds too many rows: level by level, and then without one, which brings
// rows of levels that nobody knows.
func (f *feed[T]) crowded(ctx context.Context, w window, s *span, count int) error {
	s.probe = false
	missing := false
	for _, s.level = range slices.Concat(levels, []string{""}) {
		res, err := f.settle(ctx, s)
		if err != nil {
			return err
		}
		if res.cut && (s.level != "" || res.odd) {
			missing = true
		}
	}
	if missing {
		f.saturate(time.Unix(w.from, 0).UTC(), count, "")
	}
	return nil
}
