package run_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// Two rows of ours hold one value, the one that stays is out of force: its duplicate goes only once that one
// is in force.
func TestADuplicateStaysWhileTheRowThatShouldStayIsNotInForce(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
	j := job(t, src, snk)
	if r := apply(t, j, plan(t, j), false); !r.Clean() {
		t.Fatal(brief(r))
	}
	src.known = map[string]reconcile.Indicator{}
	src.read, src.known["a"] = nil, revoked(ind("a", "domain_name x.example"))
	j.Overrides.AllowEmpty = true
	apply(t, j, plan(t, j), false)
	duplicate := snk.rows[0]
	duplicate.ID, duplicate.Created, duplicate.Enabled = "duplicate", "2026-02-01T00:00:00Z", true
	duplicate.Comment = strings.Replace(duplicate.Comment, `"disabled":"revoked",`, "", 1)
	snk.rows = append(snk.rows, duplicate)
	src.read, src.known = []reconcile.Indicator{ind("a", "domain_name x.example")}, nil

	refuse := true
	snk.fail = func(what, id string) error {
		if refuse && what == "update" && id != "duplicate" {
			return &fault{reconcile.Fault{Verdict: true, Words: "not now"}}
		}
		return nil
	}
	got := brief(apply(t, j, plan(t, j), false))
	if !slices.Contains(got, "! domain_name x.example conflict") && !slices.Contains(got, "- domain_name x.example conflict") {
		t.Errorf("outcomes %q", got)
	}
	if i := snk.at("duplicate"); i < 0 || !snk.rows[i].Enabled {
		t.Error("the only rule in force is gone")
	}
}

func revoked(i reconcile.Indicator) reconcile.Indicator {
	i.Revoked = true
	return i
}

// An indicator whose new value could not be deployed keeps its old one, unless that may not stay anyway.
func TestAnOldValueStaysUntilTheNewOneIsDeployed(t *testing.T) {
	for _, tt := range []struct {
		name     string
		refuse   bool // the new value is not taken
		excluded bool // nor may the old one stay
		want     []string
	}{
		{"the new value is deployed", false, false, []string{"! domain_name x.example applied", "+ domain_name y.example applied"}},
		{"it is not", true, false, []string{"! domain_name x.example conflict", "+ domain_name y.example failed"}},
		{"it is not, and the old one is excluded now", true, true, []string{"! domain_name x.example applied", "+ domain_name y.example failed"}},
	} {
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
		j := job(t, src, snk)
		syncAll(t, j)
		src.read = []reconcile.Indicator{ind("a", "domain_name y.example")}
		j.Excluded = func(_, v string) bool { return tt.excluded && v == "x.example" }
		snk.fail = func(what, _ string) error {
			if tt.refuse && what == "create" {
				return &fault{reconcile.Fault{Side: true, Words: "down"}}
			}
			return nil
		}
		if d := cmp.Diff(tt.want, brief(apply(t, j, plan(t, j), false))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// A list that was to be created and that somebody else filled meanwhile is left as it is.
func TestAListThatSomebodyElseFilledIsLeftAsItIs(t *testing.T) {
	theirs := reconcile.Row{Kind: reconcile.IOC, ID: "theirs", Type: "domain_name", Value: "z.example", Enabled: true}
	for _, tt := range []struct {
		name string
		rows []reconcile.Row
		want []string
	}{
		{"filled", []reconcile.Row{theirs}, []string{"+ domain_name x.example conflict", "+ yara name of y applied"}},
		{"made, and empty", nil, []string{"+ domain_name x.example applied", "+ yara name of y applied"}},
	} {
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), yara("y")}}, newSink()
		j := job(t, src, snk)
		p := plan(t, j)
		snk.lists[reconcile.IOC] = &reconcile.List{ID: "list-ioc", Name: "from_OpenCTI"}
		snk.rows = tt.rows
		if d := cmp.Diff(tt.want, brief(apply(t, j, p, false))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// A list that cannot be made fails its own kind alone.
func TestAListThatCannotBeMadeStopsNoOther(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), yara("y")}}, newSink()
	snk.fail = func(what, id string) error {
		if what == "create list" && id == "ioc" {
			return &fault{reconcile.Fault{Side: true, Words: "down"}}
		}
		return nil
	}
	r := apply(t, job(t, src, snk), plan(t, job(t, src, snk)), false)
	if d := cmp.Diff([]string{"+ domain_name x.example failed", "+ yara name of y applied"}, brief(r)); d != "" && r.Count(run.Applied, "") != 1 {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
	if r.Count(run.Failed, "") != 1 || r.Unreachable != nil {
		t.Errorf("%d failed, unreachable %v", r.Count(run.Failed, ""), r.Unreachable)
	}
}

// Two values that the server takes for one: the second is refused once and then held, and the row of the
// first stays the first's.
func TestTwoValuesThatTheServerTakesForOne(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "filename Evil.exe"), ind("b", "filename evil.EXE")}}, newSink()
	snk.fail = func(what, value string) error {
		if what == "create" && slices.ContainsFunc(snk.rows, func(r reconcile.Row) bool { return strings.EqualFold(r.Value, value) }) {
			return &fault{reconcile.Fault{Verdict: true, Exists: true, Words: "already exists"}}
		}
		return nil
	}
	j := job(t, src, snk)
	j.Parallel = 1
	if r := apply(t, j, plan(t, j), false); r.Count(run.Applied, "") != 1 || r.Count(run.Failed, "") != 1 {
		t.Errorf("first apply: %q", brief(r))
	}
	first := snk.rows[0]
	for range 2 {
		p := plan(t, j)
		if p.Plan.Changes.Len() != 0 || p.Plan.Held.Len() != 1 || p.Plan.Held.At(0).Reason != reconcile.Refused {
			t.Errorf("then: %q", changes(p))
		}
		apply(t, j, p, false)
	}
	if d := cmp.Diff([]reconcile.Row{first}, snk.rows); d != "" {
		t.Errorf("the first row (-want +got):\n%s", d)
	}
}

// What a run that ends early has not come to waits for no other change: it was not attempted, and is no conflict.
func TestWhatARunThatEndsDoesNotReachIsNoConflict(t *testing.T) {
	for _, interrupted := range []bool{true, false} {
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
		j := job(t, src, snk)
		syncAll(t, j)
		src.read = []reconcile.Indicator{ind("a", "domain_name y.example")}
		p := plan(t, j)
		ctx, stop := context.WithCancel(t.Context())
		want := "stopped after 1 failure in a row: fault: down"
		if interrupted {
			stop()
			want = "interrupted"
		}
		j.Limits.Failures = 1
		snk.fail = func(what, _ string) error {
			if what == "create" {
				return &fault{reconcile.Fault{Side: true, Words: "down"}}
			}
			return nil
		}
		r, err := j.Apply(ctx, p, false)
		stop()
		if err != nil {
			t.Fatal(err)
		}
		for i, it := range r.Items {
			if r.Changes.Action(i).Removal() && (it.Outcome != run.NotAttempted || it.Error != want) {
				t.Errorf("%s: %+v, want it not attempted: %q", r.Changes.At(i).Label(), it, want)
			}
		}
	}
}
