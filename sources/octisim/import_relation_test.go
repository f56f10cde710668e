package octisim

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func relationship(id, kind, from, to, more string) string {
	return fmt.Sprintf(`{"type": "relationship", "id": %q, "relationship_type": %q, "source_ref": %q, "target_ref": %q%s}`, id, kind, from, to, more)
}

const (
	techniqueID = "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"
	technique   = `{"type": "attack-pattern", "id": "` + techniqueID + `", "name": "PowerShell", "x_mitre_id": "t1059.001"}`
	nameID      = "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1"
	name        = `{"type": "hostname", "id": "` + nameID + `", "value": "srv-db-01.corp.example"}`
	ruleID      = "indicator--b287e305-73c7-5bd4-84ad-f20d67824fb7"
	rule        = `{"type": "indicator", "id": "` + ruleID + `", "pattern": "rule r1 { strings: $a = \"abc\" condition: $a }", "pattern_type": "yara"}`
	edrID       = "identity--4f56eadc-ee9c-550b-849f-f0a7f72a1478"
	edr         = `{"type": "identity", "id": "` + edrID + `", "name": "Example EDR", "identity_class": "securityplatform"}`
	amber       = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
	red         = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
)

func TestAllowedRelationships(t *testing.T) {
	const refused = "FUNCTIONAL_ERROR"
	tests := []struct{ kind, from, to, message string }{
		{"based-on", domainID, nameID, ""},
		{"based-on", nameID, domainID, refused},
		{"based-on", domainID, alertID, refused},
		{"indicates", domainID, alertID, ""},
		{"indicates", domainID, techniqueID, ""},
		{"indicates", alertID, domainID, refused},
		{"indicates", nameID, alertID, refused},
		{"uses", alertID, techniqueID, ""},
		{"uses", domainID, techniqueID, refused},
		{"targets", alertID, hostID, ""},
		{"targets", alertID, corpID, ""},
		{"targets", alertID, edrID, refused},
		{"targets", alertID, nameID, refused},
		{"derived-from", domainID, ruleID, ""},
		{"derived-from", alertID, ruleID, refused},
		{"belongs-to", hostID, corpID, ""},
		{"belongs-to", corpID, hostID, refused},
		{"related-to", nameID, alertID, ""},
		{"related-to", alertID, edrID, ""},
		{"related-to", alertID, alertID, refused},
		{"related-to", alertID, amber, refused},
		{"revoked-by", domainID, ruleID, ""},
		{"attributed-to", alertID, corpID, refused},
		{"detects", domainID, alertID, refused},
		{"", domainID, alertID, refused},
		{"uses", alertID, fresh("attack-pattern"), "MISSING_REFERENCE_ERROR"},
		{"uses", fresh("incident"), techniqueID, "MISSING_REFERENCE_ERROR"},
	}
	s := registered(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, hostUnit, alert, domain, technique, name, rule, edr), "")
	for _, tt := range tests {
		t.Run(fmt.Sprint(s.typeOfID(tt.from), " ", tt.kind, " ", s.typeOfID(tt.to)), func(t *testing.T) {
			before := s.Held().Relations
			wants(t, pushed(t, s, corp, relationship(fresh("relationship"), tt.kind, tt.from, tt.to, "")), tt.message)
			if made := s.Held().Relations - before; (made == 1) != (tt.message == "") {
				t.Errorf("%d relations made", made)
			}
		})
	}
}

func TestRelationshipsMerge(t *testing.T) {
	stable := fresh("relationship")
	type push struct{ id, start, stop, more string }
	tests := []struct {
		name   string
		pushes []push
		want   []string
	}{
		{"the same ends", []push{{stable, "", "", ""}, {fresh("relationship"), "", "", `, "description": "new"`}}, []string{".. new"}},
		{"dates extend", []push{{stable, "05", "06", ""}, {fresh("relationship"), "04", "07", ""}}, []string{"03-04..03-07 "}},
		{"dates inside do not shrink", []push{{stable, "05", "09", ""}, {fresh("relationship"), "06", "07", ""}}, []string{"03-05..03-09 "}},
		{"thirty days apart", []push{{stable, "01", "", ""}, {fresh("relationship"), "31", "", ""}}, []string{"03-01.. "}},
		{"further apart", []push{{stable, "01", "", ""}, {fresh("relationship"), "04-01", "", ""}}, []string{"03-01.. ", "04-01.. "}},
		{"a date is not near none", []push{{stable, "", "", ""}, {fresh("relationship"), "05", "", ""}}, []string{".. ", "03-05.. "}},
		{"but an id is enough", []push{{stable, "", "", ""}, {stable, "05", "", ""}}, []string{"03-05.. "}},
		{"less confidence", []push{{stable, "05", "", `, "confidence": 50, "description": "old"`}, {stable, "04", "", `, "confidence": 40, "description": "new"`}}, []string{"03-05.. old"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			for _, p := range tt.pushes {
				more := p.more
				if p.start != "" {
					more += fmt.Sprintf(`, "start_time": %q`, in2026(p.start))
				}
				if p.stop != "" {
					more += fmt.Sprintf(`, "stop_time": %q`, in2026(p.stop))
				}
				wants(t, pushed(t, s, corp, name, alert, relationship(p.id, "related-to", nameID, alertID, more)), "")
			}
			var got []string
			date := func(at time.Time) string {
				if at.IsZero() {
					return ""
				}
				return at.Format("01-02")
			}
			for _, r := range s.Relations() {
				got = append(got, date(r.Start)+".."+date(r.Stop)+" "+r.Described)
			}
			slices.Sort(got) // made at one moment
			simtest.Same(t, "relations", tt.want, got)
		})
	}
}

func TestADateInAReferenceIsTakenForTheStart(t *testing.T) {
	s := registered(t, Options{Version: newest})
	id := relationID(parseVersion(newest), "related-to", nameID, alertID, never, never)
	wants(t, pushed(t, s, name, alert, relationship(id, "related-to", nameID, alertID,
		`, "external_references": [{"source_name": "EDR", "external_id": "1", "description": "Alert of 2026-03-05"}]`)), "")
	if r := s.Relations()[0]; r.Start.Format(time.DateOnly) != "2026-03-05" || r.StandardID == id {
		t.Errorf("relation %+v", r)
	}
}

func TestAnEditLeavesOtherRelationsAlone(t *testing.T) {
	s := registered(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, hostUnit, alert, domain, name, relationship(fresh("relationship"), "indicates", domainID, alertID, ""),
		relationship(fresh("relationship"), "related-to", domainID, nameID, ""), sighting(fresh("sighting"), "", "", 1, "")), "")
	if i, _ := s.Indicator(domainID); len(i.Observables) != 0 {
		t.Errorf("based on %+v", i.Observables)
	}
	s.Attach(domainID, Observable{EntityType: "Hostname", Value: "srv-db-01.corp.example"})
	s.Edit(domainID, func(i *Indicator) { i.Name = "new" })
	if held := s.Held(); held.Relations != 3 || held.Sightings != 1 {
		t.Errorf("after an edit: %+v", held)
	}
	s.Edit(domainID, func(i *Indicator) { i.Observables = nil })
	if held := s.Held(); held.Relations != 2 || held.Sightings != 1 {
		t.Errorf("without observables: %+v", held)
	}
	r := ask(t, s, `query($id: String!) { indicator(id: $id) { observables { edges { node { id } } } } }`, map[string]any{"id": domainID})
	if n := len(r.get("indicator", "observables", "edges").([]any)); n != 0 {
		t.Errorf("based on %d observables: %s", n, r.Text)
	}
	s.Delete(domainID)
	if held := s.Held(); held.Relations != 0 || held.Sightings != 0 || held.Observables != 1 || held.Incidents != 1 {
		t.Errorf("after a deletion: %+v", held)
	}
}

func TestForeignCommandsAreObeyed(t *testing.T) {
	for _, object := range []string{corp, alert, domain, name, relationship(fresh("relationship"), "indicates", domainID, alertID, ""), sighting(fresh("sighting"), "", "", 1, "")} {
		s := registered(t, Options{Version: newest, Users: []User{{Token: "u", Capabilities: []string{"APIACCESS_USETOKEN", "CONNECTORAPI", "KNOWLEDGE_KNUPDATE"}, MaxConfidence: new(100)}}})
		wants(t, pushed(t, s, corp, hostUnit, alert, domain, name, object), "")
		all := s.Held()
		wants(t, workOf(s, pushedAs(t, s, "u", plus(object, `"opencti_operation": "delete"`))), "FORBIDDEN_ACCESS")
		all.Works++
		if s.Held() != all {
			t.Errorf("without the right %s is gone", object)
		}
		wants(t, pushed(t, s, plus(object, `"extensions": {"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": {"opencti_operation": "delete"}}`)), "")
		all.Works++
		if s.Held() == all {
			t.Errorf("%s is still there", object)
		}
		if v := held(t, s, parseObject([]byte(object)).id, `__typename`); v != nil {
			t.Errorf("%s: %v", object, v)
		}
	}
}
