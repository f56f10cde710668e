package planfile_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// heldPlan is a plan of which a gate holds some.
func heldPlan(t *testing.T, over reconcile.Overrides) *planfile.Document {
	t.Helper()
	text := ""
	p := &reconcile.Plan{Enabled: map[reconcile.Kind]int{reconcile.IOC: 40}, Sources: map[reconcile.Kind]int{reconcile.IOC: 30}, Wanted: map[reconcile.Kind]int{reconcile.IOC: 30}}
	change := func(a reconcile.Action, value string, why reconcile.Reason) {
		c := reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: value, Action: a, Reason: why, Key: reconcile.KeyOf(reconcile.IOC, "domain_name", value)}
		body := &reconcile.Body{Enabled: true, Description: &text, Comment: &text}
		if c.Action == reconcile.Create {
			c.After = body
		} else {
			c.ID, c.Before = "row-"+value, body
		}
		p.Changes.Add(&c)
	}
	for i := range 13 {
		change(reconcile.Delete, fmt.Sprintf("gone%02d.example", i), reconcile.IndicatorGone)
	}
	change(reconcile.Create, "new.example", reconcile.NewIndicator)
	p.Judge(reconcile.Gate{ID: "G1", OK: true}, reconcile.Gate{ID: "G3", OK: true}, reconcile.Memory{Now: noon}, "f", reconcile.Policy{},
		reconcile.Limits{SourceShrink: 20, Additions: 1000, Changes: 200, Window: 24, Hold: true}, over)
	return planfile.New(p, planfile.Document{Complete: true, Applyable: !p.Refused(), Policy: "sync", Timestamp: noon})
}

// What a gate holds travels with a saved plan, which makes it once the gate is accepted, and not before.
func TestASavedPlanKnowsWhatGatesHold(t *testing.T) {
	var b bytes.Buffer
	if err := planfile.Encode(&b, heldPlan(t, reconcile.Overrides{})); err != nil {
		t.Fatal(err)
	}
	d, err := planfile.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if d.Changes.Len() != 1 || d.Held.Len() != 13 || d.Held.At(0).Gate != "removals_ioc_absence" || d.Summary.ByReason["gate"] != 13 {
		t.Fatalf("%d changes, %d held, %+v", d.Changes.Len(), d.Held.Len(), d.Summary)
	}
	want := planfile.Expect{Now: noon}
	if err := d.Check(want); err == nil || !strings.Contains(err.Error(), "gate G4 refused it: 13 of 40 enabled rules go, limit 12; if that is right, pass --accept-removals 13") {
		t.Errorf("checked: %v", err)
	}
	want.Held = true
	if err := d.Check(want); err != nil {
		t.Errorf("the rest alone: %v", err)
	}
	want.Held, want.Overrides.AcceptRemovals = false, 13
	if err := d.Check(want); err != nil {
		t.Errorf("accepted: %v", err)
	}
	if err := d.Accept(); err != nil {
		t.Fatal(err)
	}
	if d.Changes.Len() != 14 || d.Held.Len() != 0 || d.Summary.ByAction["delete"] != 13 || d.Summary.ByAction["unchanged"] != 0 {
		t.Errorf("%d changes, %d held, %+v", d.Changes.Len(), d.Held.Len(), d.Summary)
	}
}

// Two plans that were made side by side do not add up to more than one may do.
func TestWhatWasDoneSinceCounts(t *testing.T) {
	d := heldPlan(t, reconcile.Overrides{AcceptRemovals: 13})
	done := reconcile.Tally{}
	within := func() error { return d.Within(done) }
	if err := within(); err != nil {
		t.Errorf("nothing was done: %v", err)
	}
	for i := range d.Gates {
		if g := &d.Gates[i]; g.Name == "removals_ioc_absence" {
			g.Value, g.Planned, g.Override = 12, 12, "" // within its limit
		}
	}
	if err := within(); err != nil {
		t.Errorf("12 of 12: %v", err)
	}
	done["removals_ioc_absence"] = 1
	if err := within(); !planfile.Unusable(err) || !strings.Contains(err.Error(), "removals ioc absence") {
		t.Errorf("one was done since: %v", err)
	}
}
