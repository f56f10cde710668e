package main

import (
	"context"
	"fmt"
	"slices"
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

// The verdicts below lack their first word, on how the value or the rule stands now.

// nextOf is of what n wanted indicators give and no rule has in force: what a plan made now does about it, and what holds
// that. its tells its rules.
func nextOf(plan *reconcile.Plan, n int, its func(reconcile.Kind, reconcile.Value, string, []reconcile.Owner) bool) (*conclusion, error) {
	for _, ch := range plan.Changes.All() {
		if !ch.Action.Removal() && ch.After != nil && ch.After.Enabled && its(ch.Kind, reconcile.Value{Type: ch.Type, Value: ch.Value}, ch.Name, ch.Owners) {
			return coming(plan, ch, n), nil
		}
	}
	for _, h := range plan.Held.All() {
		if !h.Action.Removal() && its(h.Kind, reconcile.Value{Type: h.Type, Value: h.Value}, h.Name, h.Owners) {
			return heldBack(plan, h), nil
		}
	}
	v := &conclusion{Verdict: fmt.Sprintf(" yet: %d of its indicators want it, and no rule does so", n),
		Ways: []string{"To block it: harfangsync plan says what the next run does about it, and what holds it."}}
	if g := standsAgainst(plan); g != nil {
		v.Verdict += "; gate " + g.ID + " refuses the next run: " + g.Message
	}
	return v, plan.Err()
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
	v := &conclusion{Verdict: fmt.Sprintf(" yet: %d of its indicators want it, and the next run makes that so (%s, %s)", n, ch.Action, ch.Reason),
		Ways: []string{"To block it now: harfangsync run"}}
	if ch.Action == reconcile.Enable && ch.Kind == reconcile.IOC && ch.Before != nil && ch.Before.Comment != nil {
		if m, _ := marker.ParseIOC(*ch.Before.Comment); m.Disabled != "" {
			v.Verdict = fmt.Sprintf(": we disabled its rule (%s), and the next run brings it back", m.Disabled)
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
	v := &conclusion{Verdict: fmt.Sprintf(": the next run leaves it so (%s: %s)", h.Reason, h.Detail),
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
		v.Verdict = ": refused by the manager: " + h.Detail
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

// offVerdict is of a rule that is in force, or wanted, in a list that is switched off.
func offVerdict(k reconcile.Kind) *conclusion {
	return &conclusion{Verdict: fmt.Sprintf(": the %s list is switched off in HarfangLab, and its rules detect nothing", k), Ways: []string{"To change it: enable the list in HarfangLab's console."}}
}

// theirRule is of a disabled rule of others.
func theirRule(whose string) *conclusion {
	return &conclusion{Verdict: fmt.Sprintf(": its rule is disabled, and not ours (%s)", whose), Ways: []string{"To change it: enable the rule in HarfangLab's console."}}
}

// pinned is of a rule that a person disabled.
func pinned(how string) *conclusion {
	return &conclusion{Verdict: ": pinned by a person: " + how,
		Ways: []string{"To block it: enable the rule in HarfangLab's console, or take all such rules into force once with harfangsync run --analyst-disable revert."}}
}

const (
	inForce    = "IN FORCE"
	notInForce = "NOT IN FORCE"
)

// ruleVerdict sums up how a Sigma or YARA rule of an indicator stands, given the rows that hold it.
func (t *target) ruleVerdict(ctx context.Context, st *indicatorStatus, r *explainedRule, rows []rowStatus, plan planner) (*conclusion, error) {
	kind, err := reconcile.ParseKind(r.Kind)
	if err != nil {
		return nil, err
	}
	off, err := t.switchedOff(ctx, kind)
	if err != nil {
		return nil, err
	}
	_, out := t.unblocks(kind)
	u := out(reconcile.Value{Value: r.ID}, st.ID)
	enabled := slices.ContainsFunc(rows, func(row rowStatus) bool { return row.Enabled && row.Whose == ours })
	switch {
	case off && (enabled || st.Wanted):
		return offVerdict(kind).after(notInForce), nil
	case enabled:
		v := &conclusion{Verdict: inForce, Blocked: true, Ways: []string{"To take it out of force now, for a time: harfangsync unblock " + st.ID + " --reason TEXT"}}
		if u != nil {
			v.Verdict += ", although it is unblocked: the next run takes it out of force"
		}
		return v, nil
	case u != nil:
		return unblockedBy(st.ID, []*reconcile.Unblock{u}).after(notInForce), nil
	case !st.Wanted:
		return &conclusion{Verdict: fmt.Sprintf("%s: its indicator is not wanted (%s)", notInForce, st.Reason),
			Ways: []string{"To bring it into force: change what the indicator says in OpenCTI, or the settings that leave it out."}}, nil
	}
	planned, err := plan()
	if err != nil {
		return nil, err
	}
	v, err := nextOf(planned, 1, func(k reconcile.Kind, _ reconcile.Value, name string, owners []reconcile.Owner) bool {
		return k == kind && name == r.Name && slices.ContainsFunc(owners, func(o reconcile.Owner) bool { return o.ID == st.ID })
	})
	if err != nil {
		return nil, err
	}
	return v.after(notInForce), nil
}
