package pull

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
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

// prefetch asks at once for the rules that block what some alerts name, and then, of those alerts for which
// that finds nothing, for the hashes of their files.
func (p *pull) prefetch(ctx context.Context, entries []*entry) error {
	var named, hashes []reconcile.Value
	for _, e := range entries {
		for _, h := range p.Importer.Fired(&e.a) {
			if h.From != alert.ByHash {
				named = append(named, p.blockedBy(h)...)
			}
		}
	}
	if err := p.take(ctx, named); err != nil {
		return err
	}
	for _, e := range entries {
		found := false
		for _, h := range p.Importer.Fired(&e.a) {
			if found = found || len(p.held.byValue[strings.ToLower(h.Value)]) > 0; !found && h.From == alert.ByHash {
				hashes = append(hashes, p.blockedBy(h)...)
			}
		}
	}
	return p.take(ctx, hashes)
}

// blockedBy is the value that a hint says a rule of our list blocks, if it says so.
func (p *pull) blockedBy(h alert.Hint) []reconcile.Value {
	if h.Kind != reconcile.IOC || h.Value == "" || p.otherList(h) {
		return nil
	}
	return []reconcile.Value{{Type: h.Type, Value: h.Value}}
}

// take asks for the rules that block some values, as far as that was not done. What fails for all of them is
// asked for again alert by alert.
func (p *pull) take(ctx context.Context, values []reconcile.Value) error {
	list, asked := p.lists[reconcile.IOC], map[string]bool{}
	values = slices.DeleteFunc(values, func(v reconcile.Value) bool {
		folded := strings.ToLower(v.Value)
		_, known := p.held.byValue[folded]
		again := known || asked[folded]
		asked[folded] = true
		return again
	})
	if list == nil || len(values) == 0 {
		return nil
	}
	const atOnce = 25
	chunks := slices.Collect(slices.Chunk(values, atOnce))
	found := make([][]reconcile.Located, len(chunks))
	err := p.each(ctx, len(chunks), func(ctx context.Context, i int) (err error) {
		found[i], err = p.Alerts.Values(ctx, list.ID, chunks[i])
		return err
	})
	if err != nil {
		if reconcile.FaultOf(err).Side || ctx.Err() != nil {
			return err
		}
		p.Log.Debug("rules cannot be looked up together", "error", err)
		return nil
	}
	p.held.take(values, slices.Concat(found...))
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
