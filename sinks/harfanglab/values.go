package harfanglab

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// How many values one request asks for, and how long they are together: they stand in its address.
const (
	mostValues     = 50
	mostValueBytes = 4000
)

// Values finds the IOC rules of a list that block any of some values, of whatever type, without regard to
// case. Many values go in one request, cut at commas, which means any of them in other filters of the
// manager (contract harfanglab-api 1.5) and has to prove itself here; where it does not, each is asked for
// alone. What may be held in another case, such as a path, is searched for, too. ErrFilterIgnored
// means that only a read of the whole list can tell.
func (c *Client) Values(ctx context.Context, list string, values []reconcile.Value) (found []reconcile.Located, err error) {
	var batch, alone []string
	has := map[string]bool{}
	add := func(rows []reconcile.Located) {
		for _, r := range rows {
			if !has[r.ID] {
				has[r.ID], found = true, append(found, r)
			}
		}
	}
	for _, v := range values {
		joined := len(strings.Join(batch, ",")) + len(v.Value)
		if len(batch) == mostValues || joined > mostValueBytes {
			rows, rest, err := c.anyOf(ctx, list, batch)
			if err != nil {
				return nil, err
			}
			add(rows)
			alone, batch = append(alone, rest...), nil
		}
		if strings.Contains(v.Value, ",") {
			alone = append(alone, v.Value)
		} else {
			batch = append(batch, v.Value)
		}
	}
	rows, rest, err := c.anyOf(ctx, list, batch)
	if err != nil {
		return nil, err
	}
	add(rows)
	for _, v := range append(alone, rest...) {
		rows, err := c.blocking(ctx, list, "value__exact", v, v)
		if err != nil {
			return nil, err
		}
		add(rows)
	}
	for _, v := range values {
		if slices.Contains([]string{"filename", "filepath", "url", ""}, v.Type) {
			rows, err := c.blocking(ctx, list, "search", v.Value, v.Value)
			if err != nil && !errors.Is(err, ErrFilterIgnored) { // too many near matches
				return nil, err
			}
			add(rows)
		}
	}
	return found, nil
}

// anyOf asks for several values at once; rest are those that have to be asked for alone.
func (c *Client) anyOf(ctx context.Context, list string, values []string) (found []reconcile.Located, rest []string, err error) {
	if len(values) < 2 || c.commas.Load() == commasFail {
		return nil, values, nil
	}
	found, err = c.blocking(ctx, list, "value__exact", strings.Join(values, ","), values...)
	if len(found) > 0 {
		c.commas.Store(commasWork)
	}
	if err != nil || c.commas.Load() == commasWork {
		return found, nil, err
	}
	first, err := getPage[wireRule](ctx, c, rulePath(reconcile.IOC), url.Values{"source_id": {list}}, 1, 0)
	if err != nil || len(*first.Results) == 0 {
		return nil, nil, err
	}
	witness := string((*first.Results)[0].Value)
	asked := append([]string{witness}, values...)
	found, err = c.blocking(ctx, list, "value__exact", strings.Join(asked, ","), asked...)
	switch {
	case err != nil:
		return nil, nil, err
	case len(found) == 0 || strings.Contains(witness, ","):
		c.commas.Store(commasFail)
		return nil, values, nil
	}
	c.commas.Store(commasWork)
	return slices.DeleteFunc(found, func(r reconcile.Located) bool { return !slices.Contains(values, r.Value) }), nil, nil
}

// Whether values cut at commas mean any of them.
const (
	commasUnknown int32 = iota
	commasWork
	commasFail
)

// blocking are the IOC rules of a list that a filter finds and that block one of some values.
func (c *Client) blocking(ctx context.Context, list, filter, by string, values ...string) ([]reconcile.Located, error) {
	return c.narrow(ctx, reconcile.IOC, url.Values{"source_id": {list}, filter: {by}}, func(w *wireRule) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, strings.TrimSpace(string(w.Value))) })
	})
}

// Networks finds the IOC rules of a list that block addresses by network. The search looks into texts too, so
// that it may bring every rule of an address.
func (c *Client) Networks(ctx context.Context, list string) (found []reconcile.Located, err error) {
	for _, typ := range []string{"ip_src", "ip_dst", "ip_both"} {
		rows, err := c.within(ctx, reconcile.IOC, 100, url.Values{"source_id": {list}, "type": {typ}, "search": {"/"}}, func(w *wireRule) bool {
			return string(w.Type) == typ && strings.Contains(string(w.Value), "/")
		})
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}
