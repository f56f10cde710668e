package opencti

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// slack is how far the platform's clock may be off ours, and how long a write may take to be listed.
const slack = time.Minute

// Read visits every indicator that f lets through, with its observables if asked for, and proves that
// these are all (gate G1): pages in the order of created_at, which never changes; ids unique. Then
// what changed since start is read once more and visited again, so a visitor must let the later
// version of an indicator count. An indicator that began to pass f behind the cursor comes only then,
// and counts with the others, which must be at least as many as the last page's globalCount. A read
// that cannot be proven is an *IncompleteError. A few indicators that the platform cannot give are unread, if it gives
// others. count is how many indicators were visited, each once.
func (c *Client) Read(ctx context.Context, f *FilterGroup, start time.Time, observables bool, visit func(page []reconcile.Indicator, total int) error) (count int, err error) {
	known := witnesses{filter: f.Digest(), since: start.UTC().Add(-slack)}
	all := c.start("indicators", c.pageSize)
	var seen, again, outside remote.IDs
	bad := &unread{alone: spoiled}
	given := func(page []reconcile.Indicator) error {
		for i := range page {
			if page[i].Outside {
				outside.Add(page[i].ID)
			}
		}
		return visit(page, all.total)
	}
	var end time.Time // created_at of the last row that can be read: what is later may not have been counted
	err = c.pages(ctx, f, nil, observables, all, bad, &seen, func(page []reconcile.Indicator) error {
		known.note(page)
		for i := range page {
			if page[i].Unread == "" {
				end = page[i].CreatedAt
			}
		}
		return given(page)
	})
	if err != nil {
		return seen.Len(), err
	}

	changed := c.start("indicators that changed meanwhile", c.pageSize)
	err = c.pages(ctx, f, changedSince(known.since), observables, changed, bad, &again, func(page []reconcile.Indicator) error {
		for i := range page {
			if seen.Add(page[i].ID) && page[i].Unread == "" && !page[i].CreatedAt.After(end) {
				all.got++
			}
		}
		return given(page)
	})
	if n := outside.Len(); n > 0 {
		c.o.Log.Warn("OpenCTI, or something in front of it, gives indicators that do not pass the filter; they are left out", "indicators", n)
	}
	if err == nil {
		err = all.missing(all.total)
	}
	if err == nil {
		// Here rows join behind the cursor while it moves, on a busy platform all the time.
		err = changed.missing(min(changed.atStart, changed.total))
	}
	if err == nil {
		err = bad.all(seen.Len())
	}
	if err == nil {
		c.remember(known)
	}
	return seen.Len(), err
}

func changedSince(t time.Time) *FilterGroup {
	return Group(Filter{Key: []string{"updated_at"}, Values: []string{dateTime(t)}, Operator: "gte", Mode: "or"})
}

// pages walks one query and visits every page that holds something. While the observables of a page
// are fetched, the next page is on its way. What comes is to pass f; also is only asked for.
func (c *Client) pages(ctx context.Context, f, also *FilterGroup, observables bool, w *walk, bad *unread, seen *remote.IDs, visit func([]reconcile.Indicator) error) error {
	next, err := c.page(ctx, f, also, w, bad)
	if err != nil {
		return err
	}
	for {
		page := next
		for i := range page.indicators {
			if id := page.indicators[i].ID; !seen.Add(id) {
				return w.incomplete("indicator " + oneLine(id) + " came twice")
			}
		}
		more, err := w.step(page.place, page.rows, len(page.indicators))
		if err != nil {
			return err
		}
		c.learn(w)
		var g errgroup.Group
		if observables && len(page.indicators) > 0 {
			g.Go(func() error {
				defer crash.Exit()
				return c.attach(ctx, page.indicators, bad)
			})
		}
		if more {
			g.Go(func() (err error) {
				defer crash.Exit()
				next, err = c.page(ctx, f, also, w, bad)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if len(page.indicators) > 0 {
			if err := visit(page.indicators); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// onePage is a decoded page. rows counts its entries, empty ones included.
type onePage struct {
	place
	indicators []reconcile.Indicator
	rows       int
}

// page asks for a page. What of it the platform cannot give is unread.
func (c *Client) page(ctx context.Context, f, also *FilterGroup, w *walk, bad *unread) (onePage, error) {
	vars := w.page(map[string]any{"orderBy": "created_at", "orderMode": "asc"})
	if all := And(f, also); all != nil {
		vars["filters"] = all
	}
	p, err := c.pageOf(ctx, f, request{op: "Page", document: "page", fields: f.fields(), variables: vars, right: "KNOWLEDGE"})
	if err == nil {
		for i := range p.indicators {
			if ind := &p.indicators[i]; ind.Unread != "" && err == nil {
				err = bad.add(ind, misshapen("Page", ind.Unread))
			}
		}
		return p, err
	}
	if !bad.alone(err) {
		return p, err
	}
	p, failed := c.pageOf(ctx, f, request{op: "PageIDs", document: "page_ids", variables: vars, right: "KNOWLEDGE"})
	if failed != nil {
		return p, cmp.Or(ctx.Err(), err)
	}
	c.o.Log.Warn("OpenCTI cannot give a page of indicators, so they are asked for in parts", "indicators", len(p.indicators), "error", err)
	gone, err := c.fill(ctx, f, also, pointers(p.indicators), bad)
	p.indicators = slices.DeleteFunc(p.indicators, func(i reconcile.Indicator) bool { return gone[i.ID] })
	return p, err
}

func (c *Client) pageOf(ctx context.Context, f *FilterGroup, r request) (onePage, error) {
	var answer wireList[wireIndicator]
	if err := c.query(ctx, r, &answer); err != nil {
		return onePage{}, err
	}
	if answer.List == nil {
		return onePage{}, misshapen(r.op, "no indicators")
	}
	at, err := answer.List.PageInfo.place(r.op)
	if err != nil {
		return onePage{}, err
	}
	p := onePage{place: at, rows: len(answer.List.Edges)}
	p.indicators = make([]reconcile.Indicator, 0, p.rows)
	for _, e := range answer.List.Edges {
		if e == nil || e.Node == nil {
			continue // allowed by the schema; the count then finds what it stands for
		}
		ind, err := e.Node.indicator(f)
		if err != nil {
			return onePage{}, misshapen(r.op, err.Error())
		}
		p.indicators = append(p.indicators, ind)
	}
	return p, nil
}

// pointers are those to the elements of a page.
func pointers(page []reconcile.Indicator) []*reconcile.Indicator {
	all := make([]*reconcile.Indicator, len(page))
	for i := range page {
		all[i] = &page[i]
	}
	return all
}

// attach adds the observables of a page's indicators: one request with all their ids, more only if its
// answer has further pages. Those of which the platform cannot give some are unread.
func (c *Client) attach(ctx context.Context, page []reconcile.Indicator, bad *unread) error {
	some := slices.DeleteFunc(pointers(page), func(ind *reconcile.Indicator) bool { return ind.Unread != "" })
	if len(some) == 0 {
		return nil
	}
	return bad.apart(some, true, func(some []*reconcile.Indicator, once bool) error {
		ids, byID := internalIDs(some)
		for _, ind := range some {
			ind.Observables = nil
		}
		l := listing{
			request: request{op: "BasedOn", document: "based_on", variables: map[string]any{"fromId": ids}, right: "KNOWLEDGE", once: once},
			what:    observablesOf, first: mostPage,
		}
		return list(ctx, c, l, func(w *wireRelation) (string, error) {
			ind := byID[w.FromID]
			if ind == nil || w.ID == "" {
				return "", &IncompleteError{What: observablesOf, Why: "a relationship came that was not asked for"}
			}
			ind.Observables = append(ind.Observables, w.observable())
			return w.ID, nil
		})
	})
}

const observablesOf = "observables of indicators"
