// Package promotion counts the alerts of rules in testing, before some of them are promoted. It reads, and nothing else.
package promotion

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// Alerts is HarfangLab as counting needs it: pull.Alerts, of which it is a part.
type Alerts interface {
	Alerts(ctx context.Context, q pull.AlertQuery, visit func([]alert.Alert, []alert.Bad) error) error
}

// Counter counts alerts.
type Counter struct {
	Alerts Alerts
	Fired  func(*alert.Alert) []alert.Hint // which rule fired (pull.Importer)
	Every  bool                            // not only the false positives are asked for
}

// Count adds to each of some rules in testing the alerts that may be of it: of the first clue that leads to any of
// them, all that it leads to. What fired before a rule was changed last does not count. An error means that the
// numbers are too small.
func (c *Counter) Count(ctx context.Context, due []*reconcile.Trial, since time.Time) error {
	q := pull.AlertQuery{From: since, To: time.Now().Add(time.Minute)}
	if !c.Every {
		q.Statuses = []string{string(alert.FalsePositive), string(alert.ProbableFalsePositive)}
	}
	x := indexOf(due)
	return c.Alerts.Alerts(ctx, q, func(alerts []alert.Alert, _ []alert.Bad) error {
		for i := range alerts {
			a := &alerts[i]
			for t := range x.fired(c.Fired(a)) {
				if a.Time.Before(t.Since) {
					continue
				}
				t.Alerts++
				if a.Status.Negative() {
					t.FalsePositives++
				}
			}
		}
		return nil
	})
}

// index finds rules by what alerts say of them.
type index struct {
	byID, byValue, byName, byOwner map[string][]*reconcile.Trial
	networks                       map[netip.Prefix]*reconcile.Trial
}

func indexOf(trials []*reconcile.Trial) *index {
	x := &index{map[string][]*reconcile.Trial{}, map[string][]*reconcile.Trial{}, map[string][]*reconcile.Trial{}, map[string][]*reconcile.Trial{}, map[netip.Prefix]*reconcile.Trial{}}
	add := func(m map[string][]*reconcile.Trial, key string, t *reconcile.Trial) {
		if key = strings.ToLower(key); key != "" {
			m[key] = append(m[key], t)
		}
	}
	for _, t := range trials {
		ch := t.Change
		add(x.byID, ch.ID, t)
		add(x.byID, t.RuleID, t)
		add(x.byValue, ch.Value, t)
		add(x.byName, ch.Name, t)
		for _, o := range ch.Owners {
			add(x.byOwner, o.ID, t)
			add(x.byOwner, o.StandardID, t)
		}
		if net, err := netip.ParsePrefix(ch.Value); err == nil {
			x.networks[net] = t
		}
	}
	return x
}

// fired are the rules that the first clue leads to which leads to any.
func (x *index) fired(hints []alert.Hint) map[*reconcile.Trial]bool {
	found := map[*reconcile.Trial]bool{}
	var by alert.Clue
	for _, h := range hints {
		if len(found) > 0 && h.From != by {
			break
		}
		by = h.From
		for _, t := range x.of(h) {
			if h.Kind == 0 || h.Kind == t.Change.Kind {
				found[t] = true
			}
		}
	}
	return found
}

// of are the rules that a hint may mean.
func (x *index) of(h alert.Hint) (out []*reconcile.Trial) {
	for _, id := range append([]string{h.Standard}, h.Owners...) {
		out = append(out, x.byOwner[strings.ToLower(id)]...)
	}
	out = append(out, x.byID[strings.ToLower(h.RuleID)]...)
	out = append(out, x.byValue[strings.ToLower(h.Value)]...)
	for _, name := range []string{h.Name, h.YARARule} {
		out = append(out, x.byName[strings.ToLower(name)]...)
	}
	if addr, err := netip.ParseAddr(h.Value); err == nil {
		for net, t := range x.networks {
			if net.Contains(addr) {
				out = append(out, t)
			}
		}
	}
	return out
}
