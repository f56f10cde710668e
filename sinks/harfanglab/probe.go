package harfanglab

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Count is the manager's own count of the rules of a list. Nothing is read but one row (contract
// harfanglab-api 13). A manager that does not know the filter counts every list: ErrFilterIgnored.
func (c *Client) Count(ctx context.Context, k reconcile.Kind, list string) (int, error) {
	p, err := getPage[wireRule](ctx, c, rulePath(k), url.Values{"source_id": {list}}, 1, 0)
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
	_, err := getPage[json.RawMessage](ctx, c, alertPath, nil, 1, 0)
	return err
}
