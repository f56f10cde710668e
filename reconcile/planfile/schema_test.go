package planfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
)

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(planfile.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("plan.json", v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("plan.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// unblocked is a plan in which a value is out of force in every way that a plan can say so.
func unblocked() *planfile.Document {
	text := ""
	body := func(on bool) *reconcile.Body { return &reconcile.Body{Enabled: on, Description: &text, Comment: &text} }
	change := func(a reconcile.Action, why reconcile.Reason, before, after bool) reconcile.Change {
		return reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: "a.example", Action: a, Reason: why, ID: "1", Before: body(before), After: body(after)}
	}
	return planfile.New(&reconcile.Plan{
		Changes:   plantest.Changes(change(reconcile.Disable, reconcile.Unblocked, true, false), change(reconcile.Enable, reconcile.UnblockEnded, false, true)),
		Held:      plantest.Held(reconcile.Held{Kind: reconcile.IOC, Type: "domain_name", Value: "a.example", Reason: reconcile.Unblocked}),
		Skipped:   plantest.Skipped(reconcile.Skip{Indicator: "i", Reason: reconcile.Unblocked}),
		Unblocked: []reconcile.Unblock{{Value: "a.example", Reason: "ours", By: "anna", At: noon, Until: noon.Add(time.Hour)}},
	}, planfile.Document{Policy: "sync", Timestamp: noon})
}

func TestPlansFitTheSchema(t *testing.T) {
	s := schema(t)
	for name, d := range map[string]*planfile.Document{"everything": doc(t), "from a snapshot": fromSnapshot(t), "with a mapping": mapped(t), "with what a gate holds": heldPlan(t, reconcile.Overrides{}), "with its impact": felt(t), "with what is unblocked": unblocked(), "nothing": planfile.New(&reconcile.Plan{}, planfile.Document{Policy: "create-only", AsOf: &noon})} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded(t, d)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, alter := range map[string]func(map[string]any){
		"a reason of nobody": func(m map[string]any) { m["changes"].([]any)[0].(map[string]any)["reason"] = "because" },
		"one more member":    func(m map[string]any) { m["changes"].([]any)[0].(map[string]any)["token"] = "x" },
		"a missing member":   func(m map[string]any) { delete(m, "gates") },
	} {
		var m map[string]any
		if err := json.Unmarshal(encoded(t, doc(t)), &m); err != nil {
			t.Fatal(err)
		}
		alter(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if s.Validate(v) == nil {
			t.Errorf("%s passes the schema", name)
		}
	}
}

// felt is a plan whose impact was asked for.
func felt(t testing.TB) *planfile.Document {
	t.Helper()
	text := ""
	change := reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: "a.example", Action: reconcile.Create, Reason: reconcile.NewIndicator, Key: reconcile.KeyOf(reconcile.IOC, "domain_name", "a.example"),
		After: &reconcile.Body{Enabled: true, Description: &text, Comment: &text}}
	change.Stored = "A.example"
	change.Impact = &reconcile.Impact{Status: reconcile.ImpactAtLeast, Endpoints: 2, Events: 3, LastSeen: &noon, Names: []string{"WKS-042"}, Why: "w", Own: true}
	return planfile.New(&reconcile.Plan{Changes: plantest.Changes(change), Estimate: &reconcile.Estimate{Days: 7, Budget: 1, Notes: []string{"n"}}}, planfile.Document{Policy: "sync"})
}

// mapped is a plan that creates and changes rules with what a mapping asks for.
func mapped(t testing.TB) *planfile.Document {
	t.Helper()
	inds := []reconcile.Indicator{ind("a", "stix", "domain_name a.example"), ind("s", "sigma", sigmaRule), ind("y", "yara", yaraRule)}
	w, empty, rows := reconcile.NewWanted(), reconcile.NewRows(pol().Own, same), reconcile.NewRows(pol().Own, same)
	w.Map(reconcile.Mapping{{Mapped: reconcile.Mapped{Level: "high", Confidence: "strong", State: "block"}}})
	for i := range inds {
		values := []reconcile.Value{{Type: "domain_name", Value: "a.example"}}
		w.Add(&inds[i], reconcile.Given{Values: values})
	}
	if err := errors.Join(w.Seal(), empty.Seal(w)); err != nil {
		t.Fatal(err)
	}
	created, err := reconcile.Compute(empty, w, pol(), reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range created.Changes.Len() {
		row := created.Changes.At(i).Row()
		row.ID, row.State, row.Level, row.Confidence = "row", "alert", "", "weak"
		if row.Kind != reconcile.Sigma { // one is created
			rows.Add(&row)
		}
	}
	if err := rows.Seal(w); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Compute(rows, w, pol(), reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	d := planfile.New(plan, planfile.Document{Policy: "sync"})
	if plan.Count(reconcile.Update) != 2 || plan.Count(reconcile.Create) != 1 || d.Changes.At(0).Before.State == nil {
		t.Fatalf("%d changes, of which the first is %+v", plan.Changes.Len(), d.Changes.At(0))
	}
	return d
}

func same(_, v string) string { return v }

func fromSnapshot(t testing.TB) *planfile.Document {
	d := doc(t)
	d.Source.Snapshot = &planfile.Snapshot{Time: noon, Digest: "x"}
	d.Seal()
	return d
}

// TestMembers holds the names of spec 7, "JSON plan".
func TestMembers(t *testing.T) {
	var m map[string]any
	if err := json.Unmarshal(encoded(t, doc(t)), &m); err != nil {
		t.Fatal(err)
	}
	names := func(v any) string { return strings.Join(slices.Sorted(maps.Keys(v.(map[string]any))), " ") }
	for what, tt := range map[string]struct {
		got  any
		want string
	}{
		"plan":      {m, "applyable changes complete digest format_version gates held policy settings_digest skipped source summary target timestamp tool_version"},
		"source":    {m["source"], "count digest filter_digest selected url"},
		"target":    {m["target"], "lists url version"},
		"list":      {m["target"].(map[string]any)["lists"].([]any)[1], "id kind name"},
		"gate":      {m["gates"].([]any)[0], "base id limit message name ok override value"},
		"summary":   {m["summary"], "by_action by_kind by_reason"},
		"by_action": {m["summary"].(map[string]any)["by_action"], "adopt create delete disable enable held skipped unchanged update"},
		"skip":      {m["skipped"].([]any)[0], "detail indicator_id name reason"},
	} {
		if got := names(tt.got); got != tt.want {
			t.Errorf("%s has %q, want %q", what, got, tt.want)
		}
	}
	actions := map[string]bool{}
	for _, c := range m["changes"].([]any) {
		c := c.(map[string]any)
		actions[c["action"].(string)] = true
		want, body := []string{"action", "after", "before", "cause", "fields", "id", "key", "kind", "list", "owners", "reason"}, "content enabled hl_status name"
		if c["kind"] == "ioc" {
			want, body = append(want, "type", "value"), "comment description enabled hl_status"
		} else {
			want = append(want, "name")
		}
		if _, sent := c["sent"]; sent {
			want = append(want, "sent")
		}
		if c["action"] == "disable" || c["action"] == "delete" {
			want = append(want, "class")
		}
		slices.Sort(want)
		if got := names(c); got != strings.Join(want, " ") {
			t.Errorf("%s has %q, want %q", c["action"], got, want)
		}
		for _, side := range []string{"before", "after"} {
			absent := side == "before" && c["action"] == "create" || side == "after" && c["action"] == "delete"
			if (c[side] == nil) != absent {
				t.Errorf("%s of a %s is %v", side, c["action"], c[side])
			} else if !absent && names(c[side]) != body {
				t.Errorf("%s of a %s %s has %q, want %q", side, c["kind"], c["action"], names(c[side]), body)
			}
		}
		if got := names(c["owners"].([]any)[0]); got != "indicator_id name score standard_id" {
			t.Errorf("an owner has %q", got)
		}
	}
	if got := strings.Join(slices.Sorted(maps.Keys(actions)), " "); got != "adopt create disable enable update" {
		t.Errorf("the plan has the actions %q", got)
	}
}
