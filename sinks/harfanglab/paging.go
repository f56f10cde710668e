package harfanglab

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// counted is what a read to the end saw.
type counted struct{ pages, first, last, rows int }

// whole says that as many rows came as were counted, all the time.
func (n counted) whole() bool { return n.first == n.last && n.rows == n.last }

func (n counted) why() string {
	return fmt.Sprintf("%d rows came, the count was %d at first and %d at last", n.rows, n.first, n.last)
}

// each visits every page of a collection. Offsets advance by the rows received, because a manager may
// serve fewer than were asked for; the end is a page without a successor or without rows. With id, each page
// is asked for from the last row of the one before, which must still stand there and is visited once.
func each[T any](ctx context.Context, c *Client, path string, query url.Values, id func(*T) text, visit func(page []T, total int) error) (counted, error) {
	n := counted{first: -1}
	for seam := text(""); ; {
		overlap := 0
		if seam != "" {
			overlap = 1
		}
		p, err := getPage[T](ctx, c, path, query, c.pageSize, n.rows-overlap)
		if err != nil {
			return n, err
		}
		if n.last = *p.Count; n.first < 0 {
			n.first = *p.Count
		}
		n.pages++
		all := *p.Results
		rows := all[min(overlap, len(all)):]
		if overlap > 0 && len(all) > 0 && id(&all[0]) != seam {
			return n, &IncompleteError{Path: path, Why: fmt.Sprintf("row %s stands where row %s stood before the next page was read", id(&all[0]), seam)}
		}
		n.rows += len(rows)
		if len(rows) > 0 {
			if err := visit(rows, *p.Count); errors.Is(err, errWide) {
				return n, ErrFilterIgnored
			} else if e, ok := errors.AsType[*Error](err); ok {
				return n, e
			} else if err != nil {
				return n, &IncompleteError{Path: path, Why: err.Error()}
			}
		}
		if !p.more() || len(all) == 0 {
			return n, nil
		}
		seam = ""
		if id != nil && len(all) > 1 { // a page of one row would bring nothing but the seam
			seam = id(&all[len(all)-1])
		}
	}
}

// byAge is a total order that no edit changes and in which new rows come last.
const byAge = "creation_date,id"

// pass is one way through a list.
type pass struct {
	counted
	count          int       // rows of the list
	ids            uint64    // the sum of all ids' hashes, whatever their order
	sorted         bool      // each row is as young as the one before it, or younger
	oldest, newest time.Time // the first row and the last
}

// Rows visits every rule of a list and proves that these are all (gate G1): ids unique, as many rows as the
// count says, first and last count equal. That does not notice a row which goes behind the cursor while
// another comes; so rows are asked for in the order of their creation and each page begins with the last row
// of the one before. A manager that does not sort so, which its newest row tells, is read twice and must
// hold the same rows both times. Rows of other lists, which come from a manager that ignores the filter, are
// counted and passed over. count is the number of rows of this list.
func (c *Client) Rows(ctx context.Context, k reconcile.Kind, list string, visit func(page []reconcile.Row, total int) error) (count int, err error) {
	path, query := rulePath(k), url.Values{"source_id": {list}, "ordering": {byAge}}
	p, err := c.pass(ctx, k, query, visit)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusBadRequest && p.rows == 0 {
		query.Del("ordering") // this manager refuses what others pass over
		p, err = c.pass(ctx, k, query, visit)
	}
	if err != nil || p.pages < 2 {
		return p.count, err
	}
	if p.sorted && p.oldest.Before(p.newest) && query.Has("ordering") {
		newest, err := getPage[wireRule](ctx, c, path, url.Values{"source_id": {list}, "ordering": {"-creation_date,-id"}}, 1, 0)
		if err != nil {
			return p.count, err
		}
		if rows := *newest.Results; len(rows) > 0 && !timeOf(rows[0].Created).Before(p.newest) {
			return p.count, nil
		}
	}
	c.o.Log.Debug("HarfangLab does not sort rules by their creation; reading them twice", "path", path)
	again, err := c.pass(ctx, k, query, nil)
	if err == nil && again.ids != p.ids {
		err = &IncompleteError{Path: path, Why: "it held other rows when it was read again, and the manager does not sort them by creation_date"}
	}
	return p.count, err
}

// pass reads a list once; visit is nil where the ids alone matter.
func (c *Client) pass(ctx context.Context, k reconcile.Kind, query url.Values, visit func(page []reconcile.Row, total int) error) (pass, error) {
	p := pass{sorted: true}
	var seen remote.IDs
	var stop error
	n, err := each(ctx, c, rulePath(k), query, func(w *wireRule) text { return w.ID }, func(rules []wireRule, total int) error {
		rows := make([]reconcile.Row, 0, len(rules))
		for i := range rules {
			w := &rules[i]
			if w.ID == "" {
				return shapeError(rulePath(k), "a row without an id")
			}
			if !seen.Add(string(w.ID)) {
				return fmt.Errorf("row %s came twice", w.ID)
			}
			p.meet(maphash.String(eventSeed, string(w.ID)), timeOf(w.Created))
			if visit == nil || w.foreign(query.Get("source_id")) {
				continue
			}
			row, err := w.row(k)
			if err != nil {
				return shapeError(rulePath(k), err.Error())
			}
			rows = append(rows, row)
		}
		if p.count += len(rows); visit != nil {
			stop = visit(rows, total)
		}
		return stop
	})
	p.counted = n
	switch {
	case stop != nil:
		return p, stop
	case err == nil && !n.whole():
		err = &IncompleteError{Path: rulePath(k), Why: n.why()}
	}
	return p, err
}

// meet takes note of the next row.
func (p *pass) meet(id uint64, created time.Time) {
	if p.ids == 0 { // the first
		p.oldest = created
	}
	p.sorted = p.sorted && !created.IsZero() && !created.Before(p.newest)
	p.ids, p.newest = p.ids+id, created
}
