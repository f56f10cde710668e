package harfanglab_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// simulated is a manager in this process at a time of its own, and a client of it.
func simulated(t testing.TB, k hlsim.Knobs, now *time.Time, change ...func(*harfanglab.Options)) (*hlsim.Sim, *harfanglab.Client) {
	t.Helper()
	s := hlsim.New(hlsim.Options{Token: "s3cret-token", Knobs: k, Now: func() time.Time { return *now }})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return s, client(t, srv.URL, change...)
}

// The ways in which managers may differ, none of which may cost an alert.
func TestEveryAlertOfASimulatedManager(t *testing.T) {
	for name, k := range map[string]hlsim.AlertKnobs{
		"as documented":              {},
		"bounds are left out":        {ExclusiveBounds: true},
		"next leads past the window": {NextBeyond: true},
		"strict, and short":          {LimitRequired: true, RefuseUnknown: true, ShortAlerts: true, BeyondWindow: hlsim.BeyondFails},
		"another window is empty":    {BeyondWindow: hlsim.BeyondEmpty, NextBeyond: true},
		"counting has no end":        {IndexWindow: -1},
		"old, and mixed":             {ThreatIDs: hlsim.IDsInt, ThreatKeys: hlsim.KeysMixed, EmptyTops: 1, OldestFirst: true, AlertSpelling: hlsim.AlertSpelling{Times: hlsim.TimesMixed}},
	} {
		t.Run(name, func(t *testing.T) {
			now := noon.Add(48 * time.Hour)
			if k.IndexWindow == 0 {
				k.IndexWindow = 100
			}
			s, c := simulated(t, hlsim.Knobs{AlertKnobs: k}, &now, func(o *harfanglab.Options) { o.PageSize = 50 })
			c.ShrinkIndex(100)
			ids, err := s.Generate(hlsim.Spec{Seed: 7, Count: 230, From: noon, To: noon.Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			var g got
			if err := c.Alerts(t.Context(), pull.AlertQuery{From: noon.Add(-time.Minute), To: now}, g.alerts); err != nil {
				t.Fatal(err)
			}
			g.once(t, ids)
			if len(g.bad) != 0 {
				t.Errorf("unreadable: %q", g.bad)
			}

			// What is triaged comes by its change, whatever its time.
			now = now.Add(time.Hour)
			since := now
			for _, id := range ids[:130] {
				if !s.Triage(id, "false_positive") {
					t.Fatalf("no alert %s", id)
				}
				now = now.Add(time.Second)
			}
			changed := got{}
			if err := c.Alerts(t.Context(), pull.AlertQuery{ChangedSince: since.Add(-time.Second)}, changed.alerts); err != nil {
				t.Fatal(err)
			}
			changed.once(t, ids[:130])

			var threats got
			if err := c.Threats(t.Context(), pull.ThreatQuery{}, threats.threats); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, x := range s.Threats() {
				want = append(want, fmt.Sprint(x.ID))
			}
			threats.once(t, want)
			if len(want) == 0 {
				t.Fatal("the simulator made no threat")
			}
			of := s.Threats()[0]
			var members got
			if err := c.Alerts(t.Context(), pull.AlertQuery{Threat: fmt.Sprint(of.ID)}, members.alerts); err != nil {
				t.Fatal(err)
			}
			members.once(t, of.Alerts)
		})
	}
}

func TestManyAlertsOfASimulatedManager(t *testing.T) {
	now := noon.Add(48 * time.Hour)
	s, c := simulated(t, hlsim.Knobs{AlertKnobs: hlsim.AlertKnobs{IndexWindow: 1000}}, &now)
	c.ShrinkIndex(1000)
	ids, err := s.Generate(hlsim.Spec{Seed: 3, Count: 2500, From: noon, To: noon.Add(time.Hour), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	var g got
	if err := c.Alerts(t.Context(), pull.AlertQuery{From: noon, To: now, Statuses: []string{"new"}}, g.alerts); err != nil {
		t.Fatal(err)
	}
	g.once(t, ids)
	if n := s.HTTP.Count(); n > 2500/100+20 {
		t.Errorf("%d requests", n)
	}
}

// A threat of a simulated manager, with its note and the rule behind it.
func TestAThreatOfASimulatedManager(t *testing.T) {
	now := noon
	s, c := simulated(t, hlsim.Knobs{}, &now)
	list, err := s.AddSource(hlsim.IOC, "from_OpenCTI")
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.AddSource(hlsim.YARA, "from_OpenCTI")
	if err != nil {
		t.Fatal(err)
	}
	rule := s.Add(hlsim.IOC, hlsim.Rule{SourceID: list, Type: "domain_name", Value: "c2.example.org", Enabled: true})
	file := s.Add(hlsim.YARA, hlsim.Rule{SourceID: files, Name: "loader.yar", Content: "rule other { condition: true }\nrule loader_strings { condition: true }", Enabled: true})
	ids, err := s.Saw(hlsim.Sighting{Type: "domain_name", Value: "c2.example.org", Host: "WKS-042"})
	if err != nil || len(ids) != 1 {
		t.Fatalf("alerts %q, %v", ids, err)
	}
	var seen []alert.Alert
	if err := c.Alerts(t.Context(), pull.AlertQuery{From: noon.Add(-time.Second)}, func(rows []alert.Alert, _ []alert.Bad) error { seen = append(seen, rows...); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || seen[0].Agent.Hostname != "WKS-042" || !slices.Contains(seen[0].Matches, alert.Match{SourceID: list, Type: "domain_name", Value: "c2.example.org"}) {
		t.Fatalf("alerts %+v", seen)
	}
	found, err := c.Rule(t.Context(), reconcile.IOC, seen[0].RuleID)
	if err != nil || found == nil || found.ID != rule || found.List != list || found.Value != "c2.example.org" {
		t.Errorf("rule %+v, %v", found, err)
	}
	if gone, err := c.Rule(t.Context(), reconcile.IOC, "11111111-2222-4333-8444-555555555555"); gone != nil || err != nil {
		t.Errorf("a rule that is not there: %+v, %v", gone, err)
	}
	yara, err := c.YARAByRule(t.Context(), files, "loader_strings")
	if err != nil || len(yara) != 1 || yara[0].ID != file {
		t.Errorf("YARA %+v, %v", yara, err)
	}

	id := seen[0].ThreatKey
	if note, err := c.Note(t.Context(), id); note != nil || err != nil {
		t.Errorf("no note yet: %+v, %v", note, err)
	}
	if !s.WriteNote(id, "swift otter", "Looks real.") {
		t.Fatalf("no threat %s", id)
	}
	if note, err := c.Note(t.Context(), id); err != nil || note == nil || note.Title != "swift otter" || note.Content != "Looks real." || note.Created.IsZero() {
		t.Errorf("note %+v, %v", note, err)
	}
}

// Single failures cost time, and nothing else; lasting ones end the read with their name.
func TestAlertsThroughFailures(t *testing.T) {
	now := noon.Add(time.Hour)
	s, c := simulated(t, hlsim.Knobs{}, &now)
	ids, err := s.Generate(hlsim.Spec{Seed: 1, Count: 250, From: noon, To: now})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		fault simhttp.Fault
		want  string
	}{
		{simhttp.Fault{Do: simhttp.Answer, Status: 429, Header: map[string]string{"Retry-After": "1"}}, "429 too many requests"},
		{simhttp.Fault{Do: simhttp.Answer, Status: 502, Payload: "<html>"}, "502 with an HTML page"},
		{simhttp.Fault{Do: simhttp.Answer, Status: 200, Payload: "<html>"}, "HTML where JSON is due"},
		{simhttp.Fault{Do: simhttp.Reset}, "check harfanglab.url"},
		{simhttp.Fault{Do: simhttp.Cut}, "check harfanglab.url"},
		{simhttp.Fault{Do: simhttp.Truncate}, "not JSON, or is cut"},
	} {
		tt.fault.Path, tt.fault.Skip, tt.fault.Times = "/Alert/", 1, 2
		if err := s.HTTP.Fail(tt.fault); err != nil {
			t.Fatal(err)
		}
		var g got
		if err := c.Alerts(t.Context(), pull.AlertQuery{From: noon.Add(-time.Second)}, g.alerts); err != nil {
			t.Errorf("%s %d twice: %v", tt.fault.Do, tt.fault.Status, err)
		}
		g.once(t, ids)
		s.HTTP.Heal()
		tt.fault.Times = 0
		if err := s.HTTP.Fail(tt.fault); err != nil {
			t.Fatal(err)
		}
		err := c.Alerts(t.Context(), pull.AlertQuery{From: noon.Add(-time.Second)}, (&got{}).alerts)
		if _, ok := errors.AsType[*harfanglab.Error](err); !ok || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s %d for good: %v, want %q", tt.fault.Do, tt.fault.Status, err, tt.want)
		}
		s.HTTP.Heal()
	}
}

// What is kept of the shapes that alerts take.
func TestShapesOfASimulatedManager(t *testing.T) {
	now := noon.Add(time.Hour)
	s, c := simulated(t, hlsim.Knobs{}, &now)
	if _, err := s.Generate(hlsim.Spec{Seed: 5, From: noon, To: now}); err != nil {
		t.Fatal(err)
	}
	types := map[string]int{}
	bare := 0
	err := c.Alerts(t.Context(), pull.AlertQuery{From: noon.Add(-time.Second)}, func(rows []alert.Alert, bad []alert.Bad) error {
		for _, a := range rows {
			types[a.Type]++
			if a.Process == nil {
				bare++
			}
			if a.Agent == (alert.Agent{}) {
				t.Errorf("alert %s of type %s names no endpoint", a.ID, a.Type)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ioc", "sigma", "yara"} {
		if types[want] == 0 {
			t.Errorf("no alert of type %s among %v", want, types)
		}
	}
	if bare == 0 {
		t.Error("no alert without a process")
	}
	if d := cmp.Diff(s.AlertCount(), sum(types)); d != "" {
		t.Errorf("alerts (-want +got):\n%s", d)
	}
}

func sum(m map[string]int) (n int) {
	for _, k := range m {
		n += k
	}
	return n
}
