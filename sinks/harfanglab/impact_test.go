package harfanglab_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// hospital is a manager with the seeded fleet, whose policies send everything unless told otherwise.
type hospital struct {
	*hlsim.Sim
	client *harfanglab.Client
	now    time.Time
	known  []hlsim.SeededValue
}

func hospitalOf(t testing.TB, k hlsim.Knobs) *hospital {
	t.Helper()
	h := &hospital{now: noon}
	h.Sim, h.client = simulated(t, k, &h.now)
	h.known = append(h.SeedTelemetry(), hlsim.SeededValue{Name: "one busy host and others", Type: "domain_name", Value: "uneven.example"})
	for i := range 190 { // newest first: a page of two hosts, then others
		seen := hlsim.Sighting{Type: "domain_name", Value: "uneven.example", Host: fmt.Sprintf("FLEET-%03d", 1+i%2), At: h.now.Add(-time.Duration(i) * time.Minute)}
		if i >= 150 {
			seen.Host = fmt.Sprintf("FLEET-%03d", i-140)
		}
		if _, err := h.Saw(seen); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// asks are creates of values, each with a type, in the order in which they are asked for.
func creates(values ...hlsim.SeededValue) (changes []*reconcile.Change) {
	for _, v := range values {
		value := v.Value
		if v.Type == "domain_name" {
			value = strings.ToLower(value)
		}
		changes = append(changes, &reconcile.Change{Kind: reconcile.IOC, Type: v.Type, Value: value, Action: reconcile.Create, After: &reconcile.Body{Enabled: true}})
	}
	return changes
}

func (h *hospital) asker(change func(*impact.Options)) *impact.Asker {
	o := impact.Options{Days: 7, Budget: 500, Limit: 1, Names: true, Host: hostOf, Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler), Retry: remote.Retry{Backoff: func(int) time.Duration { return 0 }}}
	if change != nil {
		change(&o)
	}
	return impact.New(h.client, o)
}

func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// ask has an asker set the impacts of changes.
func ask(t testing.TB, a *impact.Asker, changes []*reconcile.Change, c impact.Controls) (*reconcile.Estimate, impact.Controls, error) {
	var planned reconcile.Changes
	var places []int
	for i, ch := range changes {
		planned.Add(ch)
		places = append(places, i)
	}
	e, c, err := a.Ask(t.Context(), planned, places, c)
	for i := range changes {
		changes[i].Impact = planned.At(i).Impact
	}
	return e, c, err
}

// ask gives the impacts of changes by value.
func (h *hospital) ask(t testing.TB, changes []*reconcile.Change, change func(*impact.Options)) (*reconcile.Estimate, impact.Controls) {
	t.Helper()
	e, c, err := ask(t, h.asker(change), changes, impact.Controls{})
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

// truth is what the simulator knows of the values of some changes.
func (h *hospital) truth(changes []*reconcile.Change) (all []hlsim.Prevalence) {
	for _, ch := range changes {
		all = append(all, h.Prevalence(ch.Type, ch.Value, h.now.AddDate(0, 0, -7)))
	}
	return all
}

// claims says what is wrong with an impact: a number must be the simulator's truth, or say what it leaves out.
func claims(im *reconcile.Impact, truth hlsim.Prevalence) string {
	var last time.Time
	if im.LastSeen != nil {
		last = *im.LastSeen
	}
	switch {
	case im.Status == reconcile.ImpactExact:
		if im.Endpoints != truth.Agents || im.Events != truth.Events || !last.Equal(truth.Last) && !strings.Contains(im.Why, "or later") {
			return fmt.Sprintf("exact %d endpoints, %d events, last %s; in truth %+v", im.Endpoints, im.Events, last, truth)
		}
	case im.Endpoints > truth.Agents:
		return fmt.Sprintf("%s %d endpoints, %d events; in truth %+v", im.Status, im.Endpoints, im.Events, truth)
	case im.Why == "":
		return fmt.Sprintf("%s without a word", im.Status)
	}
	return ""
}

// everything is the answer of a manager whose only policy sends all.
const everything = `{"count": 1, "next": null, "results": [{"telemetry_process_state": "live", "telemetry_network_state": "live", "telemetry_network_limit": false, "telemetry_dns_resolution_state": "live", "telemetry_driverload_state": "live"}]}`

// The unkindness of managers, knob by knob: no number is ever too small without saying so.
func TestNoImpactIsTooSmallInSilence(t *testing.T) {
	tele := func(k hlsim.TelemetryKnobs) hlsim.Knobs { return hlsim.Knobs{TelemetryKnobs: k} }
	alerts := func(k hlsim.AlertKnobs) hlsim.Knobs { return hlsim.Knobs{AlertKnobs: k} }
	fail := func(f simhttp.Fault) *simhttp.Fault { return &f }
	const dns = "/telemetry/DNSResolution/"
	tests := []struct {
		name   string
		knobs  hlsim.Knobs
		fault  *simhttp.Fault
		known  int // values of which at least that many endpoints are known, being those that there are
		status map[string]reconcile.ImpactStatus
		why    string // that is said of the value near.example
	}{
		{name: "as documented", known: 11},
		{name: "the oldest come first", knobs: tele(hlsim.TelemetryKnobs{TelemetryOldestFirst: true}), known: 11},
		{name: "commas are letters", knobs: tele(hlsim.TelemetryKnobs{LiteralCommas: true}), known: 11},
		{name: "negation has no effect", knobs: tele(hlsim.TelemetryKnobs{IgnoreNegation: true}), known: 11},
		{name: "neither", knobs: tele(hlsim.TelemetryKnobs{IgnoreNegation: true, LiteralCommas: true}), known: 11},
		{name: "whole rows", knobs: tele(hlsim.TelemetryKnobs{WholeRows: true}), known: 11},
		{name: "short addresses", knobs: tele(hlsim.TelemetryKnobs{MaxQuery: 500}), known: 11},
		{name: "unknown filters are refused", knobs: alerts(hlsim.AlertKnobs{RefuseUnknown: true}), known: 11},
		{name: "pages beyond the window fail", knobs: hlsim.Knobs{AlertKnobs: hlsim.AlertKnobs{BeyondWindow: hlsim.BeyondFails}, TelemetryKnobs: hlsim.TelemetryKnobs{IgnoreNegation: true}}, known: 11},
		{name: "they are empty", knobs: hlsim.Knobs{AlertKnobs: hlsim.AlertKnobs{BeyondWindow: hlsim.BeyondEmpty, NextBeyond: true}, TelemetryKnobs: hlsim.TelemetryKnobs{IgnoreNegation: true}}, known: 11},
		{name: "the window is short", knobs: hlsim.Knobs{AlertKnobs: hlsim.AlertKnobs{IndexWindow: 100}, TelemetryKnobs: hlsim.TelemetryKnobs{IgnoreNegation: true}}, known: 8},
		{name: "pages are short", knobs: hlsim.Knobs{PageMax: 7}, known: 8},
		{name: "next is a whole address", knobs: hlsim.Knobs{AbsoluteNext: true}, known: 11},
		{name: "the count is too small", knobs: hlsim.Knobs{CountOff: -1}, known: 0},
		{name: "the count is too large", knobs: hlsim.Knobs{CountOff: 3}, known: 0},
		{name: "the history is short", knobs: tele(hlsim.TelemetryKnobs{TelemetryDays: 3}), known: 11, why: "the history is shorter than 7 days"},
		{name: "no resolutions", knobs: tele(hlsim.TelemetryKnobs{TelemetryQuiet: []string{"DNSResolution"}}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}, why: "endpoints send no DNS resolutions"},
		{name: "no drivers", knobs: tele(hlsim.TelemetryKnobs{TelemetryQuiet: []string{"DriverLoad"}}), known: 8, status: map[string]reconcile.ImpactStatus{strings.Repeat("d7", 32): reconcile.ImpactAtLeast}},
		{name: "the filter of names is unknown", knobs: hlsim.Knobs{IgnoreFilters: []string{"requested_name"}}, known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnsupported}, why: "ignores the filter"},
		{name: "that of hashes", knobs: hlsim.Knobs{IgnoreFilters: []string{"hashes.sha256__exact"}}, known: 6, status: map[string]reconcile.ImpactStatus{strings.Repeat("e1", 32): reconcile.ImpactUnsupported}},
		{name: "that of addresses", knobs: hlsim.Knobs{IgnoreFilters: []string{"daddr", "saddr"}}, known: 8},
		{name: "that of file names", knobs: hlsim.Knobs{IgnoreFilters: []string{"process_name", "imagename"}}, known: 13},
		{name: "that of endpoints", knobs: hlsim.Knobs{IgnoreFilters: []string{"agent.agentid__exact!"}}, known: 14},
		{name: "leaving out endpoints leaves nothing", fault: fail(simhttp.Fault{Path: "agentid__exact", Do: simhttp.Answer, Status: 200, Payload: `{"count": 0, "next": null, "results": []}`}), known: 14},
		{name: "lists find nothing", fault: fail(simhttp.Fault{Path: "%2C", Do: simhttp.Answer, Status: 200, Payload: `{"count": 0, "next": null, "results": []}`}), known: 14},
		{name: "no processes", knobs: tele(hlsim.TelemetryKnobs{TelemetryQuiet: []string{"Processes"}}), known: 9},
		{name: "no connections", knobs: tele(hlsim.TelemetryKnobs{TelemetryQuiet: []string{"Network"}}), known: 12},
		{name: "that of times", knobs: hlsim.Knobs{IgnoreFilters: []string{"@event_create_date__gte"}}, known: 0, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnsupported}, why: "ignores the time"},
		{name: "no right", fault: fail(simhttp.Fault{Path: "/telemetry/", Do: simhttp.Answer, Status: 403, Payload: `{"detail": ""}`}), status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactNotAsked}, why: "its right to view telemetry and endpoints"},
		{name: "no right to endpoints", fault: fail(simhttp.Fault{Path: "/endpoint/", Do: simhttp.Answer, Status: 403, Payload: `{"detail": ""}`}), known: 11, why: "which endpoints send their telemetry is not known"},
		{name: "an old manager", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 404, Payload: `{}`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnsupported}, why: "this manager does not have it"},
		{name: "another path", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 301, Payload: `{}`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnsupported}},
		{name: "bad requests", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 400, Payload: `{"limit": ["no"]}`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}, why: "limit"},
		{name: "a failing proxy", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 502, Payload: `<html>`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}, why: "502"},
		{name: "one that fails everywhere", fault: fail(simhttp.Fault{Path: "/telemetry/", Do: simhttp.Answer, Status: 502, Payload: `<html>`}), status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}, why: "502"},
		{name: "now and then", fault: fail(simhttp.Fault{Path: "/telemetry/", Skip: 9, Times: 1, Do: simhttp.Answer, Status: 502, Payload: `<html>`}), known: 11},
		{name: "a login page", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 200, Payload: `<html>`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}},
		{name: "too many requests", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 429, Payload: `{}`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}, why: "429"},
		{name: "no results", fault: fail(simhttp.Fault{Path: dns, Do: simhttp.Answer, Status: 200, Payload: `{"count": 0}`}), known: 4, status: map[string]reconcile.ImpactStatus{"near.example": reconcile.ImpactUnknown}},
		{name: "values alone fail", fault: fail(simhttp.Fault{Path: "requested_name=near.example$", Do: simhttp.Answer, Status: 500, Payload: `{}`}), known: 9},
	}
	h := hospitalOf(t, hlsim.Knobs{})
	whole := h.truth(creates(h.known...))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h.SetKnobs(func(k *hlsim.Knobs) { *k = tt.knobs })
			h.HTTP.Heal()
			all := simhttp.Fault{Path: "/endpoint/Policy/", Do: simhttp.Answer, Payload: everything} // or no number were exact
			for _, f := range []*simhttp.Fault{tt.fault, &all} {
				if f == nil {
					continue
				}
				if err := h.HTTP.Fail(*f); err != nil {
					t.Fatal(err)
				}
			}
			changes := creates(h.known...)
			h.HTTP.Forget()
			e, _ := h.ask(t, changes, nil)
			known := 0
			kept := whole
			if tt.knobs.TelemetryDays > 0 || tt.knobs.TelemetryQuiet != nil {
				kept = h.truth(changes)
			}
			for i, ch := range changes {
				truth := kept[i]
				if wrong := claims(ch.Impact, truth); wrong != "" {
					t.Errorf("%s: %s", ch.Label(), wrong)
				}
				if s := ch.Impact.Status; s == reconcile.ImpactExact || s == reconcile.ImpactAtLeast && ch.Impact.Endpoints == min(truth.Agents, ch.Impact.Endpoints) && (truth.Agents == ch.Impact.Endpoints || ch.Impact.Endpoints >= 50) {
					known++
				}
				if want := tt.status[ch.Value]; want != "" && ch.Impact.Status != want {
					t.Errorf("%s: %s, want %s (%s)", ch.Label(), ch.Impact.Status, want, ch.Impact.Why)
				}
				if ch.Value == strings.Repeat("05", 32) && ch.Impact.Endpoints > 0 && !strings.Contains(ch.Impact.Why, "signed by Microsoft Windows") {
					t.Errorf("%s: %q does not name the signer", ch.Label(), ch.Impact.Why)
				}
				if ch.Value == "near.example" && !strings.Contains(ch.Impact.Why, tt.why) {
					t.Errorf("%s: %q does not say %q", ch.Label(), ch.Impact.Why, tt.why)
				}
			}
			if known < tt.known {
				t.Errorf("%d values are known, want %d", known, tt.known)
			}
			h.heeds(t, e)
		})
	}
}

// heeds says whether what was asked is what an estimate may ask (contract harfanglab-telemetry 12.8).
func (h *hospital) heeds(t *testing.T, e *reconcile.Estimate) {
	t.Helper()
	log := h.HTTP.Requests()
	if len(log) != e.Requests || len(log) > e.Budget {
		t.Errorf("%d requests, said to be %d of %d", len(log), e.Requests, e.Budget)
	}
	for _, r := range log {
		value := strings.Contains(r.Path, "/telemetry/") && !strings.Contains(r.Query, "limit=1&")
		if r.Method != "GET" || value && !strings.Contains(r.Query, "event_create_date__gte") {
			t.Errorf("%s %s?%s", r.Method, r.Path, r.Query)
		}
	}
}

// A plan with more values than the budget has requests for asks about the first of them and says so of the others.
func TestTheBudgetOfAnImpact(t *testing.T) {
	h := hospitalOf(t, hlsim.Knobs{TelemetryKnobs: hlsim.TelemetryKnobs{LiteralCommas: true}}) // one value a request
	var values []hlsim.SeededValue
	for i := range 5000 {
		values = append(values, hlsim.SeededValue{Type: "domain_name", Value: fmt.Sprintf("n%d.example", i)})
	}
	values[3].Value = "near.example"
	changes := creates(values...)
	h.HTTP.Forget()
	e, _ := h.ask(t, changes, nil)
	if e.Requests != 500 || e.Asked < 480 || e.Asked+e.NotAsked != 5000 || len(e.Notes) < 2 || !strings.Contains(e.Notes[0], "the budget of 500 requests is spent") {
		t.Errorf("%+v", e)
	}
	for i, ch := range changes {
		if asked := ch.Impact.Status != reconcile.ImpactNotAsked; asked != (i < e.Asked) || !asked && ch.Impact.Why != e.Notes[0] {
			t.Fatalf("value %d: %+v", i, ch.Impact)
		}
	}
	if im := changes[3].Impact; im.Endpoints != 1 {
		t.Errorf("%+v", im)
	}
	h.heeds(t, e)

	// With lists the same budget is enough for all of them, and what was proven is not asked again for a day.
	h.SetKnobs(func(k *hlsim.Knobs) { *k = hlsim.Knobs{} })
	changes = creates(values...)
	e, c := h.ask(t, changes, nil)
	if e.NotAsked != 0 || e.Requests > 130 {
		t.Errorf("%+v", e)
	}
	h.now = h.now.Add(time.Hour)
	changes = creates(values[:50]...)
	e, again, err := ask(t, h.asker(nil), changes, c)
	if err != nil || e.Requests != 3 || again != c { // endpoints, policies, values
		t.Errorf("%+v %v %v", e, again == c, err)
	}
	h.now = h.now.Add(24 * time.Hour)
	changes = creates(values[:50]...)
	if _, _, err = ask(t, h.asker(nil), changes, c); err != nil || !strings.Contains(changes[3].Impact.Why, "endpoints send no DNS resolutions") {
		t.Errorf("%+v %v", changes[3].Impact, err)
	}
	h.HTTP.Forget()
	if e, _, err = ask(t, h.asker(nil), nil, c); err != nil || h.HTTP.Count() != 0 {
		t.Errorf("%d requests for nothing, %+v %v", h.HTTP.Count(), e, err)
	}
}

// One asker remembers what it was told, and names nobody where names may not be told.
func TestAnAskerRemembersAndKeepsNames(t *testing.T) {
	h := hospitalOf(t, hlsim.Knobs{})
	a := h.asker(func(o *impact.Options) { o.Names = false })
	for _, want := range []int{25, 0, 25} {
		changes := creates(hlsim.SeededValue{Type: "ip_src", Value: "198.51.100.11"}, hlsim.SeededValue{Type: "ip_dst", Value: "198.51.100.0/24"})
		e, _, err := ask(t, a, changes, impact.Controls{})
		if err != nil || e.Requests > want || want > 0 && e.Requests == 0 {
			t.Errorf("%+v %v, want at most %d requests", e, err, want)
		}
		for _, ch := range changes {
			if im := ch.Impact; !im.Own || im.Names != nil || !strings.Contains(im.Why, "the address of an endpoint") || strings.Contains(im.Why, "FLEET") {
				t.Errorf("%s: %+v", ch.Label(), im)
			}
		}
		if want == 0 {
			h.now = h.now.Add(25 * time.Hour)
		}
	}
}
