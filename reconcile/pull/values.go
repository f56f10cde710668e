package pull

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"harfangsync/reconcile"
)

// held are rules of our IOC list, as far as they were asked for.
type held struct {
	byValue  map[string][]reconcile.Located // in lower case; nil is a value that no rule blocks
	byID     map[string]reconcile.Located
	networks []reconcile.Located
	asked    bool // for the networks
}

func (h *held) take(values []reconcile.Value, rows []reconcile.Located) {
	if h.byValue == nil || len(h.byValue) > mostRules {
		h.byValue, h.byID = map[string][]reconcile.Located{}, map[string]reconcile.Located{}
	}
	for _, v := range values {
		h.byValue[strings.ToLower(v.Value)] = nil
	}
	for _, r := range rows {
		v := strings.ToLower(strings.TrimSpace(r.Value))
		h.byValue[v] = append(h.byValue[v], r)
		h.byID[r.ID] = r
	}
}

// named is the rule of an id, if it came already.
func (h *held) named(mu *sync.Mutex, id string) []reconcile.Located {
	mu.Lock()
	defer mu.Unlock()
	if r, known := h.byID[id]; known {
		return []reconcile.Located{r}
	}
	return nil
}

// prefetch asks at once for the rules that block what some alerts name. What fails for all of them is asked
// for again alert by alert.
func (p *pull) prefetch(ctx context.Context, entries []*entry) error {
	list := p.lists[reconcile.IOC]
	if list == nil {
		return nil
	}
	var values []reconcile.Value
	asked := map[string]bool{}
	for _, e := range entries {
		for _, h := range p.Importer.Fired(&e.a) {
			v := strings.ToLower(h.Value)
			if _, known := p.held.byValue[v]; h.Kind != reconcile.IOC || v == "" || known || asked[v] || p.otherList(h) {
				continue
			}
			values, asked[v] = append(values, reconcile.Value{Type: h.Type, Value: h.Value}), true
		}
	}
	if len(values) == 0 {
		return nil
	}
	rows, err := p.Alerts.Values(ctx, list.ID, values)
	if err != nil {
		if reconcile.FaultOf(err).Side || ctx.Err() != nil {
			return err
		}
		p.Log.Debug("rules cannot be looked up together", "error", err)
		return nil
	}
	p.held.take(values, rows)
	return nil
}

// blocking are the rules of our list that block a value in the sense of its type, or an address by a network
// that holds it.
func (p *pull) blocking(ctx context.Context, mu *sync.Mutex, list string, v reconcile.Value) (out []reconcile.Located, err error) {
	mu.Lock()
	defer mu.Unlock()
	rows, known := p.held.byValue[strings.ToLower(v.Value)]
	if !known {
		if rows, err = p.Alerts.Values(ctx, list, []reconcile.Value{v}); err != nil {
			return nil, err
		}
		p.held.take([]reconcile.Value{v}, rows)
	}
	for _, r := range rows {
		if means(v.Type, r.Type) {
			out = append(out, r)
		}
	}
	at, err := netip.ParseAddr(v.Value)
	if len(out) > 0 || err != nil || !means(v.Type, "ip_both") {
		return out, nil
	}
	if !p.held.asked {
		if p.held.networks, err = p.Alerts.Networks(ctx, list); err != nil {
			return nil, err
		}
		p.held.asked = true
	}
	for _, r := range p.held.networks {
		if n, err := netip.ParsePrefix(r.Value); err == nil && n.Contains(at.Unmap()) && means(v.Type, r.Type) {
			out = append(out, r)
		}
	}
	return out, nil
}

// means says whether a rule of a type blocks what an alert calls by a type; "" is any.
func means(called, rule string) bool {
	address := strings.HasPrefix(called, "ip_") && strings.HasPrefix(rule, "ip_")
	host := func(typ string) bool { return typ == "domain_name" || typ == "url" }
	return called == "" || called == rule || address && (called == "ip_both" || rule == "ip_both") || host(called) && host(rule)
}
