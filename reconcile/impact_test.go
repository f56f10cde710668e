package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

// G15 holds each value that too many endpoints saw, and nothing else, until it is accepted by name.
func TestImpactHoldsWhatIsFelt(t *testing.T) {
	impacts := map[string]reconcile.Impact{
		"a.example":     {Status: reconcile.ImpactExact, Endpoints: 14, Names: []string{"WKS-042"}, Why: "signed by WKS-042"},
		"b.example":     {Status: reconcile.ImpactAtLeast, Endpoints: 14},
		"c.example":     {Status: reconcile.ImpactExact, Endpoints: 13},
		"d.example":     {Status: reconcile.ImpactUnknown, Endpoints: 900}, // the host of a URL
		"e.example":     {Status: reconcile.ImpactNotAsked},
		"203.0.113.7":   {Status: reconcile.ImpactUnknown, Own: true},
		"it's a,b .exe": {Status: reconcile.ImpactExact, Endpoints: 40},
	}
	all := []string{"--accept-impact 'it'\\''s a,b .exe'", "--accept-impact 203.0.113.7", "--accept-impact a.example", "--accept-impact b.example"}
	for _, tt := range []struct {
		name     string
		fleet    int
		accepted []string
		stop     bool
		held     []string
		vain     []string
	}{
		{name: "one percent", fleet: 1300, held: []string{"203.0.113.7", "a.example", "b.example", "it's a,b .exe"}},
		{name: "five at least, also where nobody knows how many there are", held: []string{"203.0.113.7", "a.example", "b.example", "c.example", "it's a,b .exe"}},
		{name: "accepted by name, without case", fleet: 1300, accepted: []string{"A.example", "it's a,b .exe", "x", "c.example"}, held: []string{"203.0.113.7", "b.example"}, vain: []string{"x", "c.example"}},
		{name: "all accepted", fleet: 1300, accepted: []string{"a.example", "b.example", "203.0.113.7", "it's a,b .exe"}},
		{name: "nothing is held where a refusal stops the plan", fleet: 1300, stop: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := policy()
			plan := decide(t, p, nil, ind("A", "domain_name a.example; domain_name b.example; domain_name c.example; url d.example; domain_name e.example; ip_both 203.0.113.7; filename it's a,b .exe"))
			for i := range plan.Changes.Len() {
				ch := plan.Changes.At(i)
				im := impacts[ch.Value]
				ch.Impact = &im
				plan.Changes.Set(i, ch)
			}
			plan.Estimate = &reconcile.Estimate{Endpoints: tt.fleet}
			lim := limits(20)
			lim.Impact, lim.Hold = 1, !tt.stop
			over := reconcile.Overrides{}
			for _, v := range tt.accepted {
				over.AcceptImpact = append(over.AcceptImpact, []string{v})
			}
			plan.Judge(reconcile.Gate{OK: true}, reconcile.Gate{OK: true}, reconcile.Memory{Now: noon}, "", p, lim, over)
			var held []string
			for _, h := range plan.Held.All() {
				held = append(held, h.Value)
				if h.Gate != "impact" || h.Change == nil || h.Reason != reconcile.GateHeld {
					t.Errorf("%+v", h)
				}
			}
			slices.Sort(held)
			if d := cmp.Diff(tt.held, held); d != "" {
				t.Errorf("held (-want +got):\n%s", d)
			}
			vain, waits := plan.Vain(&over)
			slices.Sort(waits)
			if d := cmp.Diff(tt.vain, vain); d != "" {
				t.Errorf("accepted in vain (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.held, waits); d != "" && !tt.stop {
				t.Errorf("still held (-want +got):\n%s", d)
			}
			g := plan.Gates[slices.IndexFunc(plan.Gates, func(g reconcile.Gate) bool { return g.ID == "G15" })]
			if strings.Contains(g.Message, "WKS") || strings.Contains(g.Message, "14 endpoints") { // it goes to a webhook
				t.Errorf("the gate tells of telemetry: %s", g.Message)
			}
			if refuses := len(tt.held) > 0 || tt.stop; g.OK == refuses || plan.Stopped() != tt.stop {
				t.Errorf("%+v", g)
			}
			for _, flag := range all {
				waits := slices.ContainsFunc(tt.held, func(v string) bool { return strings.Contains(flag, strings.ReplaceAll(v, "'", `'\''`)) }) || tt.stop
				if !g.OK && strings.Contains(g.Override, flag) != waits {
					t.Errorf("override %s: %s is due: %t", g.Override, flag, waits)
				}
			}
			every := reconcile.Overrides{AcceptImpact: [][]string{{"it's a,b .exe"}, {"203[.]0.113.7", "203.0.113.7"}, {"B.example"}, {"a.example"}, {"c.example"}}}
			if !g.OK && (!every.Accept(g.Override) || over.Accept(g.Override)) {
				t.Errorf("%s is accepted by other flags than its own", g.Override)
			}
		})
	}
	plan := decide(t, policy(), nil, ind("A", "domain_name a.example"))
	plan.Judge(reconcile.Gate{OK: true}, reconcile.Gate{OK: true}, reconcile.Memory{}, "", policy(), limits(20), reconcile.Overrides{})
	if slices.ContainsFunc(plan.Gates, func(g reconcile.Gate) bool { return g.ID == "G15" }) {
		t.Error("there is a G15 although nobody asked")
	}
}

// The values with the highest score come first, and of these the newest.
func TestTheOrderOfImpacts(t *testing.T) {
	var inds []reconcile.Indicator
	for i, score := range []int{50, 90, 50, 90} {
		inds = append(inds, with(ind(fmt.Sprint(i), fmt.Sprintf("domain_name n%d.example", i)), func(x *reconcile.Indicator) {
			x.Score, x.CreatedAt = &score, noon.AddDate(0, 0, i)
		}))
	}
	w := wantedOf(t, inds...)
	plan, err := reconcile.Compute(rowsOf(t, policy(), w), w, policy(), reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, at := range plan.Felt(w) {
		got = append(got, plan.Changes.At(at).Value)
	}
	if d := cmp.Diff([]string{"n3.example", "n1.example", "n2.example", "n0.example"}, got); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}
