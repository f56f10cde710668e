package run_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
)

// A rule whose content waits is asked for by all who want it before it goes: its marker names them at once.
func TestANewOwnerDoesNotWaitWithTheContent(t *testing.T) {
	const rule = "aaaaaaaa-0000-4000-8000-000000000001"
	told := func(i reconcile.Indicator) reconcile.Indicator { i.Description += " told anew"; return i }
	owned := func(kind reconcile.Kind, owners ...string) func(*sink) bool {
		return func(snk *sink) bool {
			at := slices.IndexFunc(snk.rows, func(r reconcile.Row) bool { return r.Kind == kind })
			var ids []string
			for _, o := range reconcile.OwnersOf(&snk.rows[at]) {
				ids = append(ids, o.ID)
			}
			return slices.Equal(ids, owners)
		}
	}
	for _, tt := range []struct {
		name          string
		before, after []reconcile.Indicator
		named         func(*sink) bool
	}{
		{"of an IOC", []reconcile.Indicator{ind("a", "domain_name x.example")}, []reconcile.Indicator{told(ind("a", "domain_name x.example")), ind("b", "domain_name x.example")}, owned(reconcile.IOC, "a", "b")},
		{"of an IOC, in place of the winner", []reconcile.Indicator{ind("a", "domain_name x.example")}, []reconcile.Indicator{told(ind("b", "domain_name x.example"))}, owned(reconcile.IOC, "b")},
		{"of a Sigma rule", []reconcile.Indicator{sigma("a", rule)}, []reconcile.Indicator{sigma("b", rule)}, owned(reconcile.Sigma, "b")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, snk := &source{read: tt.before}, newSink()
			j := holding(t, src, snk)
			j.Limits.Changes = 0
			src.read = tt.after
			old := snk.rows[0]
			p := step(t, j)
			if !strings.HasPrefix(refusal(p), "G14") {
				t.Fatalf("the content was not held: %q, %q", changes(p), refusal(p))
			}
			if row := snk.rows[0]; !tt.named(snk) || row.Name != old.Name || row.Description != old.Description || !row.Enabled {
				t.Errorf("the row is now %+v", row)
			}
			if p.Plan.Unchanged != 0 || p.Plan.Changes.Len() != 1 {
				t.Errorf("a row counts once: %d unchanged, %q", p.Plan.Unchanged, changes(p))
			}
			if again := plan(t, j); again.Plan.Changes.Len() != 0 || again.Plan.Unchanged != 1 {
				t.Errorf("the next plan has %q", changes(again))
			}
			p = plan(t, j)
			if err := p.Plan.Release(); err != nil {
				t.Fatal(err)
			}
			if got := changes(p); len(got) != 1 || p.Plan.Unchanged != 0 {
				t.Errorf("accepted: %q, %d unchanged", got, p.Plan.Unchanged)
			}
			j.Overrides.AcceptChanges = 1
			if step(t, j); !tt.named(snk) || snk.rows[0].Description == old.Description && snk.rows[0].Name == old.Name {
				t.Errorf("accepted: %+v", snk.rows[0])
			}
		})
	}
}

// The plan whose content is held and that a person accepts writes each row once, with its content.
func TestWhatIsReleasedTakesThePlaceOfItsOwners(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
	j := holding(t, src, snk)
	j.Limits.Changes = 0
	src.read[0].Description = "told anew"
	src.read = append(src.read, ind("b", "domain_name x.example"))
	p := plan(t, j)
	if err := p.Plan.Release(); err != nil {
		t.Fatal(err)
	}
	if got := changes(p); len(got) != 1 || !slices.Contains(p.Plan.Changes.At(0).Fields, "description") || p.Plan.Unchanged != 0 {
		t.Errorf("%q, %d unchanged", got, p.Plan.Unchanged)
	}
}

// Nor does one wait for a content that the server has refused.
func TestANewOwnerIsNamedAlthoughTheServerRefusesTheContent(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
	j := holding(t, src, snk)
	refuses := true
	snk.fail = func(what, _ string) error {
		if what == "update" && refuses {
			return &fault{reconcile.Fault{Verdict: true, Words: "no"}}
		}
		return nil
	}
	src.read = []reconcile.Indicator{ind("a", "domain_name x.example"), ind("b", "domain_name x.example")}
	src.read[0].Description = "told anew"
	if r := apply(t, j, plan(t, j), false); r.Clean() {
		t.Fatalf("%q", brief(r))
	}
	refuses = false
	p := step(t, j)
	var ids []string
	for _, o := range reconcile.OwnersOf(&snk.rows[0]) {
		ids = append(ids, o.ID)
	}
	if !slices.Equal(ids, []string{"a", "b"}) || snk.rows[0].Description == "told anew" {
		t.Errorf("%q, %+v", changes(p), snk.rows[0])
	}
	if p = step(t, j); p.Plan.Changes.Len() != 0 || p.Plan.Summary().ByReason["refused"] == 0 {
		t.Errorf("the next plan has %q", changes(p))
	}
}
