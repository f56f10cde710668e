package opencti

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"harfangsync/reconcile"
)

// ReadReport tells what a read took.
type ReadReport struct {
	Count       int // distinct indicators of the pages
	GlobalCount int // the platform's, on the last page
	Pages       int
	Changed     int // visited again because they changed meanwhile
}

// slack is how far the platform's clock may be off ours, and how long a write may take to be listed.
const slack = time.Minute

// Read visits every indicator that f lets through, with its observables if asked for, and proves that
// these are all (gate G1): pages in the order of created_at, which never changes; ids unique; at least
// as many as the last page's globalCount. Then what changed since start is read once more and visited
// again, so a visitor must let the later version of an indicator count. A read that cannot be proven
// is an *IncompleteError.
func (c *Client) Read(ctx context.Context, f *FilterGroup, start time.Time, observables bool, visit func([]reconcile.Indicator) error) (ReadReport, error) {
	var r ReadReport
	seen := make(idSet)
	if err := c.pages(ctx, f, observables, seen, &r, visit); err != nil {
		return r, err
	}
	r.Count = len(seen)
	if r.Count < r.GlobalCount {
		why := fmt.Sprintf("%d came and the platform counts %d", r.Count, r.GlobalCount)
		if r.Pages == 1 {
			why += fmt.Sprintf("; if it stays so, its page limit (elasticsearch:max_pagination_result) is below %d: lower sync.page_size", c.pageSize)
		}
		return r, &IncompleteError{What: "indicators", Why: why}
	}
	since := Group(Filter{Key: []string{"updated_at"}, Values: []string{start.UTC().Add(-slack).Format("2006-01-02T15:04:05.000Z")}, Operator: "gte", Mode: "or"})
	var d ReadReport
	changed := make(idSet)
	if err := c.pages(ctx, And(f, since), observables, changed, &d, visit); err != nil {
		return r, err
	}
	if len(changed) < d.GlobalCount {
		return r, &IncompleteError{What: "indicators that changed meanwhile", Why: fmt.Sprintf("%d came and the platform counts %d", len(changed), d.GlobalCount)}
	}
	r.Changed = len(changed)
	return r, nil
}

// pages walks one query. While the observables of a page are fetched, the next page is on its way.
func (c *Client) pages(ctx context.Context, f *FilterGroup, observables bool, seen idSet, r *ReadReport, visit func([]reconcile.Indicator) error) error {
	next, err := c.page(ctx, f, "")
	for {
		if err != nil {
			return err
		}
		page := next
		r.Pages++
		r.GlobalCount = page.info.GlobalCount
		for i := range page.indicators {
			if !seen.add(page.indicators[i].ID) {
				return &IncompleteError{What: "indicators", Why: "indicator " + oneLine(page.indicators[i].ID) + " came twice"}
			}
		}
		var g errgroup.Group
		if observables && len(page.indicators) > 0 {
			g.Go(func() error { return c.attach(ctx, page.indicators) })
		}
		if page.info.HasNextPage {
			if page.info.EndCursor == "" || page.rows == 0 {
				return &IncompleteError{What: "indicators", Why: "a page promises another one and names no cursor"}
			}
			g.Go(func() (err error) {
				next, err = c.page(ctx, f, page.info.EndCursor)
				return err
			})
		}
		if err = g.Wait(); err != nil {
			return err
		}
		if len(page.indicators) > 0 {
			if err := visit(page.indicators); err != nil {
				return err
			}
		}
		if !page.info.HasNextPage {
			return nil
		}
	}
}

// onePage is a decoded page. rows counts its entries, empty ones included.
type onePage struct {
	indicators []reconcile.Indicator
	info       pageInfo
	rows       int
}

type pageInfo struct {
	EndCursor   string `json:"endCursor"`
	HasNextPage bool   `json:"hasNextPage"`
	GlobalCount int    `json:"globalCount"`
}

type wirePage struct {
	Indicators *struct {
		PageInfo *pageInfo `json:"pageInfo"`
		Edges    []*struct {
			Node *wireIndicator `json:"node"`
		} `json:"edges"`
	} `json:"indicators"`
}

func (c *Client) page(ctx context.Context, f *FilterGroup, after string) (onePage, error) {
	vars := map[string]any{"first": c.pageSize, "orderBy": "created_at", "orderMode": "asc"}
	if f != nil {
		vars["filters"] = f
	}
	if after != "" {
		vars["after"] = after
	}
	var w wirePage
	if err := c.query(ctx, request{op: "Page", document: pageDoc, variables: vars}, &w); err != nil {
		return onePage{}, err
	}
	return w.decode("Page")
}

// decode takes a page apart. Empty entries are allowed by the schema; they are left out here, and the
// proof by count then finds what they stand for.
func (w *wirePage) decode(op string) (onePage, error) {
	if w.Indicators == nil || w.Indicators.PageInfo == nil {
		return onePage{}, &Error{Op: op, Status: 200, Shape: true, Message: "a page without page information"}
	}
	p := onePage{info: *w.Indicators.PageInfo, rows: len(w.Indicators.Edges), indicators: make([]reconcile.Indicator, 0, len(w.Indicators.Edges))}
	for _, e := range w.Indicators.Edges {
		if e == nil || e.Node == nil {
			continue
		}
		ind, err := e.Node.indicator()
		if err != nil {
			return onePage{}, &Error{Op: op, Status: 200, Shape: true, Message: err.Error()}
		}
		p.indicators = append(p.indicators, ind)
	}
	return p, nil
}

// idSet remembers ids in few bytes.
type idSet map[uint64]struct{}

// attach adds the observables of a page's indicators: one request with all their ids, more only if its
// answer has further pages.
func (c *Client) attach(ctx context.Context, page []reconcile.Indicator) error {
	byID := make(map[string]*reconcile.Indicator, len(page))
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].ID
		byID[page[i].ID] = &page[i]
	}
	const most = 5000 // the platform's page cap
	after := ""
	seen := make(idSet)
	for {
		vars := map[string]any{"first": most, "fromId": ids}
		if after != "" {
			vars["after"] = after
		}
		var w wireBasedOn
		if err := c.query(ctx, request{op: "BasedOn", document: basedOnDoc, variables: vars}, &w); err != nil {
			return err
		}
		r := w.Relationships
		if r == nil || r.PageInfo == nil {
			return &Error{Op: "BasedOn", Status: 200, Shape: true, Message: "a page without page information"}
		}
		for _, e := range r.Edges {
			if e == nil || e.Node == nil {
				continue
			}
			ind := byID[e.Node.FromID]
			if ind == nil || e.Node.ID == "" {
				return &IncompleteError{What: "observables of indicators", Why: "a relationship came that was not asked for"}
			}
			if !seen.add(e.Node.ID) {
				return &IncompleteError{What: "observables of indicators", Why: "relationship " + oneLine(e.Node.ID) + " came twice"}
			}
			ind.Observables = append(ind.Observables, e.Node.observable())
		}
		if !r.PageInfo.HasNextPage {
			if len(seen) < r.PageInfo.GlobalCount {
				return &IncompleteError{What: "observables of indicators", Why: fmt.Sprintf("%d came and the platform counts %d", len(seen), r.PageInfo.GlobalCount)}
			}
			return nil
		}
		if after = r.PageInfo.EndCursor; after == "" || len(r.Edges) == 0 {
			return &IncompleteError{What: "observables of indicators", Why: "a page promises another one and names no cursor"}
		}
	}
}
