package impact

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// fleet is what is known of the endpoints.
type fleet struct {
	at       time.Time // zero where not all of it could be read
	active   int       // within the days that are looked back; 0 is unknown
	own      map[netip.Addr]string
	policies int
	whole    [streams]int // policies whose endpoints send all of a stream
	notes    []string
}

const (
	agentPages = 10 // of the budget
)

// readFleet reads the endpoints and their policies. What cannot be read is a note. An error is an interruption.
func (a *asking) readFleet(ctx context.Context) (*fleet, error) {
	f := &fleet{own: map[netip.Addr]string{}}
	if err := a.agents(ctx, f); err != nil {
		if interruption(err) == nil || ctx.Err() != nil {
			return f, interruption(err)
		}
		f.active = 0
		f.notes = append(f.notes, "the endpoints cannot be read, so their number and their addresses are not known: "+words(err))
	}
	var policies []Policy
	err := a.request(ctx, func(ctx context.Context) (err error) {
		policies, err = a.t.Policies(ctx)
		return err
	})
	switch {
	case errors.Is(err, errOver) || ctx.Err() != nil:
		return f, interruption(err)
	case err != nil:
		f.notes = append(f.notes, "the policies cannot be read: "+words(err))
	}
	f.policies = len(policies)
	for _, p := range policies {
		for s, sent := range p {
			if sent {
				f.whole[s]++
			}
		}
	}
	if len(f.notes) == 0 {
		f.at = a.now
	}
	return f, nil
}

// agents counts the endpoints that were active, and notes the addresses of all.
func (a *asking) agents(ctx context.Context, f *fleet) error {
	got := 0
	for n := 1; ; n++ {
		var page Agents
		err := a.request(ctx, func(ctx context.Context) (err error) {
			page, err = a.t.Agents(ctx, longPage, got)
			return err
		})
		if err != nil {
			return err
		}
		got += len(page.Agents)
		for _, one := range page.Agents {
			if one.LastSeen.IsZero() || !one.LastSeen.Before(a.since) {
				f.active++
			}
			for _, addr := range one.Addresses {
				f.own[addr.Unmap()] = cmp.Or(one.Host, "an endpoint without a name")
			}
		}
		if !page.More || len(page.Agents) == 0 {
			return nil
		}
		if n == agentPages || !page.Slim { // whole rows weigh some megabytes a page
			f.active = page.Count
			f.notes = append(f.notes, "the endpoints are too many to read, so all of them count as active, and only some addresses are known for ours")
			return nil
		}
	}
}

// limit is the number of endpoints that may see a value.
func (f *fleet) limit(percent int) int { return reconcile.ImpactLimit(f.active, percent) }

// owner is the host name of an endpoint with an address, or with one in a network; "" for none.
func (f *fleet) owner(value string) string {
	if addr, err := netip.ParseAddr(value); err == nil {
		return f.own[addr.Unmap()]
	}
	net, err := netip.ParsePrefix(value)
	if err != nil {
		return ""
	}
	host := ""
	for addr, h := range f.own {
		if net.Contains(addr) && (host == "" || h < host) {
			host = h
		}
	}
	return host
}
