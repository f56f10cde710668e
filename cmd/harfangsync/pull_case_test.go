package main

import (
	"slices"
	"testing"

	"harfangsync/sinks/hlsim"
)

// A case of hundreds of alerts holds all of them, and what ties them together: a graph, not a heap.
func TestACaseOfHundredsOfAlertsIsConnected(t *testing.T) {
	t.Parallel()
	const n = 300
	w := newChaosWorld(t)
	w.stix(1, domainPattern("c2.example"))
	w.stix(2, "[ipv4-addr:value = '198.51.100.7']")
	w.pulls(t, "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true")
	for i := range n {
		w.sees(t, hlsim.Sighting{Value: []string{"c2.example", "198.51.100.7"}[i%2], Host: "WKS-042"})
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
		if o.Count != n/2 {
			t.Errorf("a sighting counts %d", o.Count)
		}
		holds("sighting", o.ID, o.StandardID)
	}
	for _, o := range w.octi.Indicators() {
		holds("indicator", o.ID, o.StandardID)
	}
	held := len(cases[0].Objects)
	w.must(t, 0, "pull")
	if now := len(w.octi.Cases()[0].Objects); now != held {
		t.Errorf("%d objects, then %d", held, now)
	}
}
