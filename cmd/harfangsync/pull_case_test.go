package main

import (
	"slices"
	"testing"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// A case of hundreds of alerts holds all of them, and what ties them together: a graph, not a heap.
func TestACaseOfHundredsOfAlertsIsConnected(t *testing.T) {
	t.Parallel()
	const n = 300
	w := newChaosWorld(t)
	w.stix(1, domainPattern("c2.example"))
	w.stix(2, "[ipv4-addr:value = '198.51.100.7']")
	w.put(3, "indicator 3", "sigma", "title: Whoami\nid: "+shapeSigma+"\ntags:\n  - attack.discovery\n  - attack.t1033\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n    Image|endswith: \\whoami.exe\n  condition: sel\n", "")
	w.pulls(t, "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true")
	for i := range n {
		seen := []hlsim.Sighting{{Value: "c2.example"}, {Value: "198.51.100.7"}, {Rule: shapeSigma}}[i%3]
		seen.Host = "WKS-042"
		w.sees(t, seen)
	}
	w.must(t, 0, "pull")
	cases := w.octi.Cases()
	if len(cases) != 1 || len(w.octi.Incidents()) != n {
		t.Fatalf("%d cases, %d incidents", len(cases), len(w.octi.Incidents()))
	}
	holds := func(what string, ids ...string) {
		if !slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(cases[0].Objects, id) }) {
			t.Errorf("the case lacks the %s %s", what, ids)
		}
	}
	for _, o := range w.octi.Incidents() {
		holds("incident", o.ID, o.StandardID)
	}
	for _, o := range w.octi.Relations() {
		if o.EntityType != "based-on" {
			holds("relation "+o.EntityType, o.ID, o.StandardID)
		}
	}
	for _, o := range w.octi.Sightings() {
		if o.Count != n/3 {
			t.Errorf("a sighting counts %d", o.Count)
		}
		holds("sighting", o.ID, o.StandardID)
	}
	for _, o := range w.octi.Indicators() {
		holds("indicator", o.ID, o.StandardID)
	}
	techniques, observables := w.octi.AttackPatterns(), w.octi.Observables()
	if len(techniques) != 1 || len(observables) < 5 {
		t.Errorf("%d techniques, %d observables", len(techniques), len(observables))
	}
	for _, o := range techniques {
		holds("technique", o.ID, o.StandardID)
	}
	for _, o := range observables {
		holds("observable "+o.EntityType, o.ID, o.StandardID)
	}
	held := len(cases[0].Objects)
	w.must(t, 0, "pull")
	if now := len(w.octi.Cases()[0].Objects); now != held {
		t.Errorf("%d objects, then %d", held, now)
	}
}
