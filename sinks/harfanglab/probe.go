package harfanglab

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"harfangsync/reconcile"
)

// Count is the manager's own count of the rules of a list. Nothing is read but one row (contract
// harfanglab-api 13). A manager that does not know the filter counts every list: ErrFilterIgnored.
func (c *Client) Count(ctx context.Context, k reconcile.Kind, list string) (int, error) {
	p, err := firstRow[wireRule](ctx, c, rulePath(k), url.Values{"source_id": {list}})
	if err != nil {
		return 0, err
	}
	if rows := *p.Results; len(rows) > 0 && rows[0].foreign(list) {
		return 0, ErrFilterIgnored
	}
	return *p.Count, nil
}

// ReadAlert proves that the account may read alerts, by asking for one.
func (c *Client) ReadAlert(ctx context.Context) error {
	_, err := firstRow[json.RawMessage](ctx, c, alertPath, url.Values{})
	return err
}

// firstRow reads a collection's first page, one row long.
func firstRow[T any](ctx context.Context, c *Client, path string, query url.Values) (*page[T], error) {
	query.Set("limit", "1")
	query.Set("offset", "0")
	body, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query, repeatable: true})
	if err != nil {
		return nil, err
	}
	return decodePage[T](body, path)
}
