package harfanglab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

const (
	eventPage   = 100    // rows a page, a size that all managers serve (contract harfanglab-api 13, 3)
	indexWindow = 10_000 // rows that can be paged to, and at which a count stops (contract harfanglab-api 1.5)
	mostWalks   = 3      // over one span until its rows are found to be all
)

// feed reads a collection that a search index backs, alerts or threats. The index lists no more than
// its first rows, in an order that it need not keep, while rows come, change and leave; so a read asks
// narrower questions where there are too many, judges each row itself, and proves by the count that a
// question was answered wholly. What is left unread is told at the end, when the rest has been visited.
type feed[T any] struct {
	c      *Client
	path   string
	filter url.Values // of every request
	order  string     // the member that rows are sorted by; event.at is its time
	read   func(json.RawMessage) event[T]
	visit  func([]T, []alert.Bad) error

	walks      int32
	bad        map[uint64]struct{} // rows told to be unreadable
	saturated  *SaturatedError
	full       time.Time // the second that saturated was last told of
	incomplete *IncompleteError
}

// event is one row.
type event[T any] struct {
	id    string    // "" when unknown
	at    time.Time // zero when unknown
	level string
	pass  bool // it is what the query asks for, whatever its time
	bad   error
	v     T
}

// span is the question of a walk, and what earlier walks over the same rows have seen.
type span struct {
	filter  url.Values
	holds   func(time.Time) bool // the rows that belong here
	outside func(time.Time) bool // nil, or the rows that no honest answer holds
	level   string               // "" is any
	probe   bool                 // stop at the first page when the count says that there are too many
	seen    map[uint64]metRow
}

// metRow tells the walk that last met a row, the row's second, and whether it was visited.
type metRow struct {
	at      int64
	walk    int32
	visited bool
}

// walked is what came of one walk.
type walked struct {
	count    int  // the collection's, on the last page
	shrunk   bool // it fell from one page to the next: a row that left may have hidden another one
	distinct int  // different rows that came
	cut      bool // there is more than can be paged to
	outside  bool // the first page holds rows that no honest answer holds
	unsorted bool
	last     time.Time // of the last row
	odd      bool      // a row of a level that nobody knows came
}

var eventSeed = maphash.MakeSeed()

// walk pages through a span once. Offsets advance by the rows received; a page without a successor or
// without rows is the end.
func (f *feed[T]) walk(ctx context.Context, s *span) (w walked, err error) {
	f.walks++
	limit := min(f.c.pageSize, eventPage)
	for offset := 0; ; {
		if offset+limit > f.c.index {
			w.cut = true
			return w, nil
		}
		p, err := f.page(ctx, s, limit, offset)
		if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusBadRequest && offset > 0 {
			w.cut = true // this manager pages less far
			return w, nil
		}
		if err != nil {
			return w, err
		}
		events, rows := f.events(*p.Results), len(*p.Results)
		w.shrunk = w.shrunk || *p.Count < w.count
		w.count = *p.Count
		if offset == 0 {
			w.outside = s.outside != nil && slices.ContainsFunc(events, func(e event[T]) bool { return !e.at.IsZero() && s.outside(e.at) })
			if s.probe && w.count >= f.c.index && (p.more() || rows >= limit) {
				w.cut = true
				return w, nil
			}
		}
		if err := f.take(s, &w, *p.Results, events); err != nil {
			return w, err
		}
		offset += rows
		if !p.more() || rows == 0 {
			// A manager may end the list where the index does. Then the count has stopped there too.
			w.cut = w.count >= f.c.index && offset+limit > f.c.index
			return w, nil
		}
	}
}

func (f *feed[T]) events(raw []json.RawMessage) []event[T] {
	out := make([]event[T], len(raw))
	for i := range raw {
		out[i] = f.read(raw[i])
	}
	return out
}

func (f *feed[T]) page(ctx context.Context, s *span, limit, offset int) (*page[json.RawMessage], error) {
	q := url.Values{"ordering": {f.order}}
	maps.Copy(q, f.filter)
	maps.Copy(q, s.filter)
	if s.level != "" {
		q.Set("level", s.level)
	}
	return getPage[json.RawMessage](ctx, f.c, f.path, q, limit, offset)
}

// take visits what is new on a page, sorted by time and id.
func (f *feed[T]) take(s *span, w *walked, raw []json.RawMessage, events []event[T]) error {
	var fresh []event[T]
	var bad []alert.Bad
	for i, e := range events {
		key := maphash.String(eventSeed, e.id)
		if e.id == "" {
			key = maphash.Bytes(eventSeed, raw[i])
		}
		if !e.at.IsZero() {
			w.unsorted = w.unsorted || e.at.Before(w.last)
			w.last = e.at
		}
		was := s.seen[key]
		if e.id == "" || was.walk != f.walks {
			w.distinct++
		}
		now := metRow{at: e.at.Unix(), walk: f.walks, visited: was.visited}
		switch {
		case was.visited:
		case e.bad != nil:
			if (e.at.IsZero() || s.holds(e.at)) && f.tell(key) {
				bad = append(bad, alert.Bad{ID: e.id, Err: e.bad})
			}
		case e.pass && s.holds(e.at) && (s.level == "" || strings.EqualFold(e.level, s.level)):
			w.odd = w.odd || !slices.Contains(levels, strings.ToLower(e.level))
			fresh = append(fresh, e)
			now.visited = true
		}
		s.seen[key] = now
	}
	if len(fresh)+len(bad) == 0 {
		return nil
	}
	slices.SortStableFunc(fresh, func(a, b event[T]) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	rows := make([]T, len(fresh))
	for i := range fresh {
		rows[i] = fresh[i].v
	}
	return f.visit(rows, bad)
}

// tell says whether an unreadable row was not told of before. A row without a time belongs to no span,
// so all of them may meet it.
func (f *feed[T]) tell(key uint64) bool {
	_, told := f.bad[key]
	if f.bad == nil {
		f.bad = map[uint64]struct{}{}
	}
	if len(f.bad) < indexWindow {
		f.bad[key] = struct{}{}
	}
	return !told
}

// settle walks over a span until its rows are proven to be all, or the span is cut. Rows that come and
// move bring others twice, which are dropped; rows that leave hide others, which the next walk finds.
func (f *feed[T]) settle(ctx context.Context, s *span) (walked, error) {
	for try := 1; ; try++ {
		w, err := f.walk(ctx, s)
		if err != nil || w.cut || !w.shrunk && w.distinct >= w.count {
			return w, err
		}
		if try == mostWalks {
			if f.incomplete == nil {
				f.incomplete = &IncompleteError{Path: f.path, Why: fmt.Sprintf("%d different rows came, the count was %d at last", w.distinct, w.count)}
			}
			return w, nil
		}
	}
}

// since reads all rows from a time on by one question after the other, each of which begins at the last
// row of the one before: no upper end, because a row that changes meanwhile moves there. A zero time
// asks for all rows.
func (f *feed[T]) since(ctx context.Context, from time.Time) error {
	at, open := from.Unix(), from.IsZero()
	ask := at // as with windows, every question but the first asks from a second before
	seen := map[uint64]metRow{}
	for {
		s := &span{filter: url.Values{}, seen: seen, holds: func(t time.Time) bool { return open || t.Unix() >= at }}
		if !open {
			s.filter.Set(f.order+"__gte", second(ask))
			s.outside = func(t time.Time) bool { return t.Unix() < ask }
		}
		w, err := f.settle(ctx, s)
		if err != nil || !w.cut {
			return err
		}
		last := w.last.Unix()
		switch {
		case w.unsorted || w.last.IsZero():
			f.saturate(time.Time{}, w.count, "it does not sort them by "+f.order)
			return nil
		case w.outside || !open && last < ask:
			f.saturate(time.Time{}, w.count, "it does not heed "+f.order+"__gte")
			return nil
		case !open && last <= at && ask < at:
			ask = at // the second before may be what is too full
			continue
		case !open && last <= at:
			f.saturate(time.Unix(at, 0).UTC(), w.count, "")
			at++ // the rest of that second cannot be reached, what comes after it can
			ask = at
		default:
			at, ask, open = last, last-1, false
		}
		for key, was := range seen {
			if was.at < at {
				delete(seen, key)
			}
		}
	}
}

// saturate notes a second of which rows cannot be reached, or zero and why that holds for all.
func (f *feed[T]) saturate(at time.Time, count int, why string) {
	if f.saturated == nil {
		f.saturated = &SaturatedError{Path: f.path, At: at.UTC(), Most: f.c.index, Count: count, Why: why}
	}
	if f.saturated.Seconds == 0 || !at.Equal(f.full) {
		f.saturated.Seconds++
	}
	f.full = at
}

// end is what was left unread: first what another read may bring.
func (f *feed[T]) end() error {
	var all []error
	if f.incomplete != nil {
		all = append(all, f.incomplete)
	}
	if f.saturated != nil {
		all = append(all, f.saturated)
	}
	return errors.Join(all...)
}

// second is a time as the filters take it (contract harfanglab-api 1.6).
func second(unix int64) string { return time.Unix(unix, 0).UTC().Format("2006-01-02T15:04:05Z") }
