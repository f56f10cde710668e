package octisim

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// What a connector pushes comes down the stream: its indicators as events, what surrounds them as
// dependencies.
func TestPushedBundlesComeDownTheStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := registered(t, Options{})
		s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("entity_type", "eq", "Indicator"))})
		p := follow(t, s, "s")
		me, _ := ask(t, s, identQuery, nil).get("me", "id").(string)
		wants(t, pushed(t, s, corp, hostUnit, plus(domain, `"created_by_ref": "`+corpID+`", "name": "evil"`)), "")
		got := p.take(t)
		simtest.Same(t, "messages", []string{"create Example Corp init-dependencies", "create create evil"}, briefs(got))
		main := got[len(got)-1]
		creators, _ := main.octi("creator_ids").([]any)
		if main.get("data", "created_by_ref") != corpID || main.get("origin", "user_id") != me || !cmp.Equal(creators, []any{me}) {
			t.Errorf("made by %v, who did it is %v, creators %v", main.get("data", "created_by_ref"), main.get("origin", "user_id"), creators)
		}
		wants(t, pushed(t, s, hostUnit,
			plus(alert, `"severity": "high", "first_seen": "2026-03-01T10:00:00.000Z", "labels": ["edr"]`),
			`{"type": "relationship", "id": "`+fresh("relationship")+`", "relationship_type": "indicates", "source_ref": "`+domainID+`", "target_ref": "`+alertID+`", "start_time": "2026-03-01T10:00:00.000Z", "confidence": 60}`,
			sighting(fresh("sighting"), "2026-03-01T10:00:00.000Z", "2026-03-02T10:00:00.000Z", 3, `, "x_opencti_negative": true`)), "")
		simtest.Is(t, "relations and sightings are no events of an indicator", 0, len(p.briefs(t)))
		s.Edit(domainID, func(i *Indicator) { i.Score = new(90) })
		got = p.take(t)
		want := []string{
			"create Alert 4711: beaconing init-dependencies", "create relationship init-dependencies",
			"create srv-db-01.corp.example init-dependencies", "create sighting init-dependencies", "update update evil",
		}
		simtest.Same(t, "messages", want, briefs(got))
		incident, relation, seen := got[0], got[1], got[3]
		shown := map[string]any{
			"severity": incident.get("data", "severity"), "first_seen": incident.get("data", "first_seen"), "labels": incident.get("data", "labels"),
			"last_seen": incident.get("data", "last_seen"), "type": incident.octi("type"),
			"start_time": relation.get("data", "start_time"), "target_type": relation.octi("target_type"), "confidence": relation.get("data", "confidence"),
			"count": seen.get("data", "count"), "negative": seen.octi("negative"), "until": seen.get("data", "last_seen"),
			"of": seen.get("data", "sighting_of_ref"), "where": seen.get("data", "where_sighted_refs"),
		}
		wanted := map[string]any{
			"severity": "high", "first_seen": "2026-03-01T10:00:00.000Z", "labels": []any{"edr"}, "last_seen": nil, "type": "Incident",
			"start_time": "2026-03-01T10:00:00.000Z", "target_type": "Incident", "confidence": 60.0,
			"count": 3.0, "negative": true, "until": "2026-03-02T10:00:00.000Z", "of": domainID, "where": []any{hostID},
		}
		simtest.Same(t, "STIX", wanted, shown)
	})
}

// A case is a container, and shows what it holds.
func TestCasesAreContainersOfTheStream(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := registered(t, Options{})
		const caseID = "case-incident--11111111-1111-4111-8111-111111111111"
		wants(t, errorsOf(s, domain, `{"type": "case-incident", "id": "`+caseID+`", "name": "Threat 7", "created": "2026-03-01T10:00:00.000Z", "labels": ["open"],
			"severity": "high", "response_types": ["ransomware"], "object_refs": ["`+domainID+`"]}`), "")
		s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("objectLabel", "eq", "open"))})
		p := follow(t, s, "s", "no-dependencies=true")
		s.Edit(domainID, func(i *Indicator) { i.Name = "evil" })
		if got := p.briefs(t); !cmp.Equal(got, []string{"update update evil"}) {
			t.Errorf("messages %q", got)
		}
		m := sse{Data: map[string]any{"data": stixOf(t, s, caseID)}}
		if m.get("data", "severity") != "high" || !cmp.Equal(m.get("data", "object_refs"), any([]any{domainID})) || m.octi("extension_type") != "new-sdo" {
			t.Errorf("case %v", m.Data)
		}
	})
}

// The target of a merge takes over what its sources were tied to, once.
func TestAMergeTakesRelationsOver(t *testing.T) {
	s := five(Options{})
	url := Observable{EntityType: "Url", Value: "x"}
	s.Attach("a", url)
	s.Attach("b", url)
	s.Attach("b", Observable{EntityType: "Url", Value: "y"})
	joinObjects(s, "derived-from", "c", "b")
	joinObjects(s, "derived-from", "b", "a")
	if !s.Merge("a", "b") {
		t.Fatal("not merged")
	}
	a, _ := s.Indicator("a")
	if len(a.Observables) != 2 || len(s.to["a"]) != 1 || s.to["a"][0].from != "c" || len(s.from["a"]) != 2 || len(s.from["b"])+len(s.to["b"]) != 0 {
		t.Errorf("observables %v, relations from %v, to %v", a.Observables, s.from["a"], s.to["a"])
	}
	simtest.Is(t, "relations", 3, s.relations.live)
}
