package opencti

import (
	"context"
)

// Count is the platform's own count of the indicators that f lets through, at this moment. Nothing is
// read but one id.
func (c *Client) Count(ctx context.Context, f *FilterGroup) (int, error) {
	_, at, err := c.counted(ctx, f, 1)
	return at.total, err
}

// PageCap asks for one page of the size that reads ask for, and says how many indicators came and whether
// the platform cut the page to that: administrators may lower its limit, and no query tells it (contract
// opencti-api 1.6, 15). On a platform with fewer indicators than a page holds nothing is known of its
// limit, and whole is false.
func (c *Client) PageCap(ctx context.Context) (came int, cut, whole bool, err error) {
	rows, at, err := c.counted(ctx, nil, c.pageSize)
	return rows, err == nil && !at.more && rows < c.pageSize && rows < at.total, rows >= c.pageSize, err
}

func (c *Client) counted(ctx context.Context, f *FilterGroup, first int) (rows int, at place, err error) {
	var w wireList[struct{ ID string }]
	vars := map[string]any{"first": first}
	if f != nil {
		vars["filters"] = f
	}
	if err := c.query(ctx, request{op: "Count", document: "count", variables: vars, right: "KNOWLEDGE"}, &w); err != nil {
		return 0, place{}, err
	}
	if w.List == nil {
		return 0, place{}, misshapen("Count", "no indicators")
	}
	at, err = w.List.PageInfo.place("Count")
	return len(w.List.Edges), at, err
}
