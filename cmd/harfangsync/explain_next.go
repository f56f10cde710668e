package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// planner is a plan made once, at the first time that it is asked for.
type planner func() (*reconcile.Plan, error)

func (t *target) planner(ctx context.Context) planner {
	return sync.OnceValues(func() (*reconcile.Plan, error) {
		planned, err := t.job.Plan(ctx, t.now())
		if err != nil {
			return nil, err
		}
		return planned.Plan, nil
	})
}

// nextOf is of what n wanted indicators give and no rule has in force: what a plan made now does about it, and what holds
// that. its tells its rules.
func nextOf(plan *reconcile.Plan, n int, its func(reconcile.Kind, reconcile.Value, string, []reconcile.Owner) bool) *conclusion {
	for _, ch := range plan.Changes.All() {
		if !ch.Action.Removal() && ch.After != nil && ch.After.Enabled && its(ch.Kind, reconcile.Value{Type: ch.Type, Value: ch.Value}, ch.Name, ch.Owners) {
			return coming(plan, ch, n)
		}
	}
	for _, h := range plan.Held.All() {
		if !h.Action.Removal() && its(h.Kind, reconcile.Value{Type: h.Type, Value: h.Value}, h.Name, h.Owners) {
			return heldBack(plan, h)
		}
	}
	v := &conclusion{Verdict: fmt.Sprintf("%s yet: %d of its indicators want it, and no rule does so", notBlocked, n),
		Ways: []string{"To block it: harfangsync plan says what the next run does about it, and what holds it."}}
	if g := standsAgainst(plan); g != nil {
		v.Verdict += "; gate " + g.ID + " refuses the next run: " + g.Message
	}
	return v
}

// standsAgainst is a gate that lets nothing through; nil for none.
func standsAgainst(plan *reconcile.Plan) *reconcile.Gate {
	for i := range plan.Gates {
		if g := &plan.Gates[i]; !g.OK && !g.Hold {
			return g
		}
	}
	return nil
}

// coming is of a rule that a plan brings into force.
func coming(plan *reconcile.Plan, ch *reconcile.Change, n int) *conclusion {
	v := &conclusion{Verdict: fmt.Sprintf("%s yet: %d of its indicators want it, and the next run makes that so (%s, %s)", notBlocked, n, ch.Action, ch.Reason),
		Ways: []string{"To block it now: harfangsync run"}}
	if ch.Action == reconcile.Enable && ch.Kind == reconcile.IOC && ch.Before != nil && ch.Before.Comment != nil {
		if m, _ := marker.ParseIOC(*ch.Before.Comment); m.Disabled != "" {
			v.Verdict = fmt.Sprintf("%s: we disabled its rule (%s), and the next run brings it back", notBlocked, m.Disabled)
		}
	}
	if g := standsAgainst(plan); g != nil {
		v.Verdict += "; but gate " + g.ID + " refuses that run: " + g.Message
		v.Ways = []string{"To block it: harfangsync plan says what the gate refuses, and what accepts it."}
	}
	return v
}

// heldBack is of a rule that a plan leaves out of force.
func heldBack(plan *reconcile.Plan, h *reconcile.Held) *conclusion {
	v := &conclusion{Verdict: fmt.Sprintf("%s: the next run leaves it so (%s: %s)", notBlocked, h.Reason, h.Detail),
		Ways: []string{"To block it: harfangsync plan --full says more about what holds it."}}
	switch h.Reason {
	case reconcile.Pinned:
		if h.Detail == "disabled_before_adoption" {
			return pinned("disabled before its adoption")
		}
		return pinned(h.Detail)
	case reconcile.Unmanaged, reconcile.ForeignOwner:
		return theirRule(map[reconcile.Reason]string{reconcile.Unmanaged: "unmanaged", reconcile.ForeignOwner: "foreign"}[h.Reason])
	case reconcile.Refused:
		v.Verdict = notBlocked + ": refused by the manager: " + h.Detail
		v.Ways = []string{"To change it: correct the indicator in OpenCTI; what the manager refused is sent again when it is another text."}
	case reconcile.PolicyHeld:
		v.Ways = []string{"To block it: sync.policy: sync, or enable its rule in HarfangLab's console."}
	case reconcile.GateHeld:
		for _, g := range plan.Gates {
			if !g.OK && g.Name == h.Gate && g.Override != "" {
				v.Ways = []string{"To block it: harfangsync run " + g.Override + ", which accepts all that the gate holds; harfangsync plan lists that."}
			}
		}
	}
	return v
}

// theirRule is of a disabled rule of others.
func theirRule(whose string) *conclusion {
	return &conclusion{Verdict: fmt.Sprintf("%s: its rule is disabled, and not ours (%s)", notBlocked, whose), Ways: []string{"To change it: enable the rule in HarfangLab's console."}}
}

// pinned is of a rule that a person disabled.
func pinned(how string) *conclusion {
	return &conclusion{Verdict: notBlocked + ": pinned by a person: " + how,
		Ways: []string{"To block it: enable the rule in HarfangLab's console, or take all such rules into force once with harfangsync run --analyst-disable revert."}}
}
