package reconcile_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

// A rule leaves testing once it stood there long and quietly enough, stays stable for good, and the others are said
// to wait, and for what.
func TestPromotion(t *testing.T) {
	p := policy()
	p.Maturity, p.Promote = "testing", reconcile.Promote{After: 14 * 24 * time.Hour, MinAlerts: 1}
	inds := []reconcile.Indicator{
		ind("ready", "domain_name ready.example"), ind("young", "domain_name young.example"), ind("moved", "domain_name moved.example"), ind("noisy", "domain_name noisy.example"),
		ind("silent", "domain_name silent.example"), ind("ageless", "domain_name ageless.example"), ind("off", "domain_name off.example"), ind("stable", "domain_name stable.example"), sigma("sig", "aaaaaaaa-0000-4000-8000-000000000001"),
	}
	// What somebody put into testing in the console was made stable by us.
	stable := policy()
	rows := slices.Concat(applied(t, p, inds...), edit(applied(t, stable, ind("person", "domain_name person.example")), func(r *reconcile.Row) { r.ID, r.HLStatus = "by-a-person", "testing" }))
	long, short := noon.AddDate(0, 0, -15).Format(time.RFC3339Nano), noon.AddDate(0, 0, -13).Format(time.RFC3339Nano)
	rows = edit(rows, func(r *reconcile.Row) {
		r.Created, r.Updated = long, long
		switch r.Value {
		case "young.example":
			r.Created, r.Updated = short, short
		case "moved.example":
			r.Updated = short
		case "ageless.example":
			r.Updated = ""
		case "off.example":
			r.Enabled = false
		case "stable.example":
			r.HLStatus = "stable"
		}
	})
	numbers := map[string][2]int{"ready.example": {3, 0}, "noisy.example": {3, 1}, "silent.example": {0, 0}, "": {1, 0}}
	promote := func(p reconcile.Policy, rows []reconcile.Row, unread string) *reconcile.Plan {
		m := reconcile.Memory{Now: noon, LastGood: reconcile.LastGood{Mapping: p.Mapping.Digest()}}
		plan := decideKnowing(t, p, m, rows, append(inds, ind("person", "domain_name person.example"))...)
		due, since := plan.Due(p.Promote.After, noon)
		if len(due) > 0 && since.Format(time.RFC3339Nano) != long {
			t.Errorf("asks since %s", since)
		}
		for _, trial := range due {
			n := numbers[trial.Change.Value]
			trial.Alerts, trial.FalsePositives = n[0], n[1]
		}
		plan.Promote(p, m, unread)
		return plan
	}
	plan := promote(p, rows, "")
	if d := cmp.Diff([]string{"~ domain_name ready.example promoted (hl_status) by ready", "~ sigma name of sig promoted (hl_status) by sig", "held pinned domain_name off.example by off", "= 8"}, brief(plan)); d != "" {
		t.Errorf("plan (-want +got):\n%s", d)
	}
	want := &reconcile.Promotion{Promoted: 2, Waiting: []reconcile.Waiting{
		{For: "unchanged for 336h", Rules: 2, Some: []string{"domain_name moved.example: since 2026-02-16", "domain_name young.example: since 2026-02-16"}},
		{For: "at least 1 alerts", Rules: 1, Some: []string{"domain_name silent.example: 0"}},
		{For: "at most 0 false positives", Rules: 1, Some: []string{"domain_name noisy.example: 1 of 3 alerts"}},
		{For: "the manager does not say how old they are", Rules: 1, Some: []string{"domain_name ageless.example"}},
	}}
	if d := cmp.Diff(want, plan.Promotion); d != "" {
		t.Errorf("promotion (-want +got):\n%s", d)
	}
	if g := plan.Changes.At(0).Limit(); g != "" {
		t.Errorf("it counts in %s", g)
	}

	// Nothing brings it back into testing.
	after := obedient().apply(t, plan, p, rows)
	again := promote(p, after, "")
	if got := brief(again); again.Changes.Len() != 0 || again.Promotion.Promoted != 0 {
		t.Errorf("the second plan: %q", got)
	}
	owners := promote(p, after, "").Changes
	inds = append(inds, with(ind("joins", "domain_name ready.example"), func(x *reconcile.Indicator) { x.Score = new(10) }))
	joined := promote(p, after, "")
	if owners.Len() != 0 || joined.Changes.Len() != 1 || joined.Changes.At(0).After.HLStatus != "stable" {
		t.Errorf("an owner joins: %q", brief(joined))
	}

	// What cannot be counted, what the mode forbids, what the server refused, and what nobody asked for stays.
	if got := promote(p, rows, "their alerts cannot be read").Promotion; got.Promoted != 0 || got.Waiting[0].Rules != 3 || got.Waiting[0].For != "their alerts cannot be read" {
		t.Errorf("%+v", got)
	}
	p.Mode = reconcile.CreateOnlyMode
	if got := promote(p, rows, ""); got.Promotion.Promoted != 0 || got.Unchanged != 10 {
		t.Errorf("%+v, %d unchanged", got.Promotion, got.Unchanged)
	}
	p.Promote.After = 0
	if got := promote(p, rows, ""); got.Promotion != nil || len(got.Trials) != 0 {
		t.Errorf("%+v", got.Promotion)
	}
}
