package harfanglab_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/promotion"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// What alerts say of their rules is believed clue by clue, and only since the rule was changed last.
func TestAlertsOfRulesInTestingAreCounted(t *testing.T) {
	now := noon
	s, c := simulated(t, hlsim.Knobs{}, &now)
	list, err := s.AddSource(hlsim.IOC, "from_OpenCTI")
	if err != nil {
		t.Fatal(err)
	}
	var due []*reconcile.Trial
	for _, v := range []reconcile.Value{{Type: "domain_name", Value: "a.example"}, {Type: "ip_both", Value: "203.0.113.0/24"}, {Type: "domain_name", Value: "quiet.example"}} {
		id := s.Add(hlsim.IOC, hlsim.Rule{SourceID: list, Type: v.Type, Value: v.Value, Enabled: true, HLStatus: "testing"})
		due = append(due, &reconcile.Trial{Since: noon, Change: &reconcile.Change{Kind: reconcile.IOC, ID: id, Type: v.Type, Value: v.Value}})
	}
	var ids []string
	saw := func(value string) {
		now = now.Add(time.Minute)
		fired, err := s.Saw(hlsim.Sighting{Value: value, At: now})
		if err != nil || len(fired) != 1 {
			t.Fatal(fired, err)
		}
		ids = append(ids, fired...)
	}
	saw("a.example")
	saw("a.example")
	saw("203.0.113.9")
	s.Triage(ids[0], "false_positive")
	s.Triage(ids[2], "probable_false_positive")
	fired := func(a *alert.Alert) []alert.Hint { // as package stix finds them
		return []alert.Hint{{From: alert.ByRuleID, RuleID: "of-no-rule"}, {From: alert.ByMatch, Kind: reconcile.IOC, Value: a.Matches[0].Value}, {From: alert.ByName, Name: "quiet.example"}, {From: alert.ByName, Owners: []string{"x"}}}
	}
	for _, every := range []bool{false, true} {
		for _, since := range []time.Time{noon, noon.Add(90 * time.Second)} {
			for _, one := range due {
				one.Since, one.Alerts, one.FalsePositives = since, 0, 0
			}
			counter := promotion.Counter{Alerts: c, Fired: fired, Every: every}
			if err := counter.Count(t.Context(), due, noon); err != nil {
				t.Fatal(err)
			}
			want := []string{"1 1", "1 1", "0 0"}
			if every {
				want[0] = "2 1"
			}
			if since.After(noon) {
				want[0] = map[bool]string{false: "0 0", true: "1 0"}[every]
			}
			var got []string
			for _, one := range due {
				got = append(got, fmt.Sprint(one.Alerts, one.FalsePositives))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("every %t, since %s (-want +got):\n%s", every, since, d)
			}
		}
	}
	if slices.ContainsFunc(s.HTTP.Requests(), func(r simhttp.Request) bool { return r.Method != "GET" }) {
		t.Error("counting writes")
	}
}
