package octisim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// filledByImports holds the alert of alertBundle and four more incidents, two of them amber.
func filledByImports(t testing.TB) *Sim {
	s := registered(t, Options{Version: newest, Users: []User{{Token: "green", Capabilities: ConnectorRole(), MaxConfidence: new(100), Markings: []string{"TLP:GREEN"}}}})
	objects := alertBundle()
	for i := range 4 {
		more := fmt.Sprintf(`{"type": "incident", "id": %q, "name": "Alert %d", "created": "2026-02-0%dT10:00:00Z", "severity": %q, "confidence": %d}`,
			fresh("incident"), i+1, i+1, []string{"low", "critical"}[i%2], 10*i)
		if i >= 2 {
			more = plus(more, `"object_marking_refs": ["`+amber+`"]`)
		}
		objects = append(objects, more)
	}
	wants(t, pushed(t, s, objects...), "")
	return s
}

func TestImportedObjectsAreListed(t *testing.T) {
	s := filledByImports(t)
	r := ask(t, s, `{ stixObjectOrStixRelationship(id: "`+alertID+`") { ... on Incident { id } } }`, nil)
	incident, _ := r.get("stixObjectOrStixRelationship", "id").(string)
	org := s.items[corpID].core().id
	marking := s.items[amber].core().id
	tests := []struct {
		name, field, token string
		filter             map[string]any
		want               []string // names, sorted by created
	}{
		{"all incidents", "incidents", "t", nil, []string{"Alert 1", "Alert 2", "Alert 3", "Alert 4", "Alert 4711: beaconing"}},
		{"those that a user may see", "incidents", "green", nil, []string{"Alert 1", "Alert 2"}},
		{"by any id", "incidents", "t", and(is("ids", "eq", alertID, corpID, "unknown")), []string{"Alert 4711: beaconing"}},
		{"by internal id", "incidents", "t", and(is("ids", "eq", incident)), []string{"Alert 4711: beaconing"}},
		{"by severity", "incidents", "t", and(is("severity", "eq", "critical", "high")), []string{"Alert 2", "Alert 4", "Alert 4711: beaconing"}},
		{"by confidence", "incidents", "t", and(is("confidence", "gte", "20"), is("confidence", "lt", "80")), []string{"Alert 3", "Alert 4"}},
		{"by time of the source", "incidents", "t", and(is("created", "lt", "2026-02-02T12:00:00Z")), []string{"Alert 1", "Alert 2"}},
		{"by author", "incidents", "t", and(is("createdBy", "eq", org)), []string{"Alert 4711: beaconing"}},
		{"by marking", "incidents", "t", and(is("objectMarking", "eq", marking)), []string{"Alert 3", "Alert 4", "Alert 4711: beaconing"}},
		{"by label", "incidents", "t", and(is("objectLabel", "eq", "EDR")), []string{"Alert 4711: beaconing"}},
		{"unknown dates are none", "incidents", "t", and(is("last_seen", "nil")), []string{"Alert 1", "Alert 2", "Alert 3", "Alert 4", "Alert 4711: beaconing"}},
		{"cases by what they hold", "caseIncidents", "t", and(is("objects", "eq", incident)), []string{"Case 99 – phishing wave"}},
		{"cases by priority", "caseIncidents", "t", and(is("priority", "eq", "P1")), nil},
		{"techniques", "attackPatterns", "t", and(is("x_mitre_id", "eq", "T1059.001")), []string{"PowerShell"}},
		{"ids of other kinds", "attackPatterns", "t", and(is("ids", "eq", alertID)), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vars := map[string]any{}
			if tt.filter != nil {
				vars["filters"] = tt.filter
			}
			r := askAs(t, s, tt.token, `query($filters: FilterGroup) { `+tt.field+`(filters: $filters, orderBy: created) { pageInfo { globalCount hasNextPage } edges { node { name } } } }`, vars)
			simtest.Same(t, "names", tt.want, r.each([]any{tt.field, "edges"}, "node", "name"))
			simtest.Is(t, "count", any(float64(len(tt.want))), r.get(tt.field, "pageInfo", "globalCount"))
		})
	}
}

func TestPagesOfIncidents(t *testing.T) {
	s := filledByImports(t)
	var names []string
	after := ""
	for range 3 {
		r := ask(t, s, `query($after: ID) { incidents(first: 2, after: $after, orderBy: name, orderMode: desc) { pageInfo { endCursor hasNextPage globalCount } edges { node { name } } } }`, map[string]any{"after": after})
		names = append(names, r.each([]any{"incidents", "edges"}, "node", "name")...)
		after, _ = r.get("incidents", "pageInfo", "endCursor").(string)
	}
	simtest.Same(t, "names", []string{"Alert 4711: beaconing", "Alert 4", "Alert 3", "Alert 2", "Alert 1"}, names)
}

func TestOneObjectByItsID(t *testing.T) {
	s := filledByImports(t)
	note := "note--5debf649-153a-5eee-8fe8-0839948985ff"
	for query, want := range map[string]string{
		`{ incident(id: "` + alertID + `") { name severity externalReferences { edges { node { url } } } createdBy { name } objectMarking { definition } status: confidence } }`: `{"incident":{"name":"Alert 4711: beaconing","severity":"high",` +
			`"externalReferences":{"edges":[{"node":{"url":"https://edr.example/alerts/4711"}}]},"createdBy":{"name":"Example Corp"},"objectMarking":[{"definition":"TLP:AMBER"}],"status":80}}`,
		`{ incident(id: "` + domainID + `") { name } }`: `{"incident":null}`,
		`{ incident { name } }`:                         `{"incident":null}`,
		`{ caseIncident(id: "case-incident--5a1c766f-0734-5129-ad64-1199e7d7e487") { severity priority response_types rating } }`: `{"caseIncident":` +
			`{"severity":"high","priority":"P2","response_types":["ransomware"],"rating":null}}`,
		`{ note(id: "` + note + `") { attribute_abstract content note_types likelihood authors} }`: `{"note":{"attribute_abstract":"Triage","content":"Analyst comment","note_types":["analysis"],` +
			`"likelihood":80,"authors":null}}`,
	} {
		if got := ask(t, s, query, nil); got.Text != `{"data":`+want+`}` {
			t.Errorf("%s\ngot  %s\nwant %s", query, got.Text, want)
		}
	}
}

func TestRelationsAndSightingsAreListedApart(t *testing.T) {
	s := filledByImports(t)
	id := func(standard string) string { return s.items[standard].core().id }
	sightingIs := s.Sightings()[0].ID
	tests := []struct{ name, field, args, want string }{
		{"all relations", "stixCoreRelationships", ``, "indicates related-to related-to targets uses"},
		{"all sightings", "stixSightingRelationships", ``, "stix-sighting-relationship"},
		{"relations from an indicator", "stixCoreRelationships", `(fromId: ["` + id(domainID) + `"])`, "indicates"},
		{"sightings of an indicator", "stixSightingRelationships", `(fromId: "` + id(domainID) + `")`, "stix-sighting-relationship"},
		{"ends go by internal id", "stixSightingRelationships", `(fromId: "` + domainID + `")`, ""},
		{"sightings in a system", "stixSightingRelationships", `(toId: "` + id(hostID) + `", toTypes: ["Identity"])`, "stix-sighting-relationship"},
		{"relations to a system", "stixCoreRelationships", `(toId: "` + id(hostID) + `")`, "targets"},
		{"by types", "stixCoreRelationships", `(fromTypes: ["Stix-Cyber-Observable"], toTypes: ["Incident"])`, "related-to related-to"},
		{"no such type", "stixSightingRelationships", `(fromTypes: ["Incident"])`, ""},
		{"by id", "stixSightingRelationships", `(filters: {mode: and, filterGroups: [], filters: [{key: "ids", values: ["` + sightingIs + `", "` + sightedID + `"]}]})`, "stix-sighting-relationship"},
		{"a sighting is no relation", "stixCoreRelationships", `(filters: {mode: and, filterGroups: [], filters: [{key: "ids", values: ["` + sightingIs + `"]}]})`, ""},
		{"by count", "stixSightingRelationships", `(filters: {mode: and, filterGroups: [], filters: [{key: "attribute_count", values: ["3"]}, {key: "x_opencti_negative", values: ["false"]}]})`, "stix-sighting-relationship"},
		{"by end in a filter", "stixSightingRelationships", `(filters: {mode: and, filterGroups: [], filters: [{key: "fromId", values: ["` + id(domainID) + `"]}, {key: "toTypes", values: ["System"]}]})`, "stix-sighting-relationship"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			edge := map[string]string{"stixCoreRelationships": "StixCoreRelationship", "stixSightingRelationships": "StixSightingRelationship"}[tt.field]
			r := ask(t, s, `{ `+tt.field+tt.args+` { pageInfo { globalCount } edges { node { relationship_type __typename } } } }`, nil)
			got := r.each([]any{tt.field, "edges"}, "node", "relationship_type")
			want := strings.Fields(tt.want)
			if len(got) != len(want) || r.get(tt.field, "pageInfo", "globalCount") != float64(len(want)) {
				t.Fatalf("got %q: %s", got, r.Text)
			}
			for _, w := range want {
				if !strings.Contains(strings.Join(got, " "), w) || r.get(tt.field, "edges", 0, "node", "__typename") != edge {
					t.Errorf("got %q, want %s: %s", got, tt.want, r.Text)
				}
			}
		})
	}
}

func TestEndsOfAnyKind(t *testing.T) {
	s := filledByImports(t)
	r := ask(t, s, `{ stixCoreRelationships(relationship_type: ["uses"]) { edges { node { confidence start_time revoked fromType toType from { ... on Incident { name } } to { ... on AttackPattern { name x_mitre_id } } createdBy { name } } } } }`, nil)
	want := map[string]any{"confidence": 80.0, "start_time": nil, "revoked": false, "fromType": "Incident", "toType": "Attack-Pattern", "from": map[string]any{"name": "Alert 4711: beaconing"},
		"to": map[string]any{"name": "PowerShell", "x_mitre_id": "T1059.001"}, "createdBy": map[string]any{"name": "Example Corp"}}
	simtest.Same(t, "relation", want, r.get("stixCoreRelationships", "edges", 0, "node"))
	found := held(t, s, sightedID, `__typename ... on BasicObject { id } ... on StixObject { x_opencti_stix_ids }
		... on StixSightingRelationship { entity_type fromRole toRole attribute_count first_seen from { ... on Indicator { name } } to { ... on System { name identity_class } } }`)
	want = map[string]any{"__typename": "StixSightingRelationship", "entity_type": sightingType, "fromRole": sightingType + "_from", "toRole": sightingType + "_to", "attribute_count": 3.0,
		"first_seen": "2026-03-01T10:00:00.000Z", "from": map[string]any{"name": "[domain-name:value = 'evil.example']"}, "to": map[string]any{"name": "srv-db-01.corp.example", "identity_class": "system"}}
	simtest.Same(t, "sighting", want, found)
}
