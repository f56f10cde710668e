package octisim

import (
	"fmt"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestWhatAUserMayBringIn(t *testing.T) {
	const (
		labelled = `{"type": "incident", "id": "incident--0dd27c59-e170-57ee-8f53-fadc094093bd", "name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00.000Z",
			"labels": ["new", " EDR "], "incident_type": "unheard-of", "severity": "high"}`
		paper = `{"type": "marking-definition", "id": "marking-definition--4e4e3b84-de45-53df-9d9b-b21207699fd8", "definition_type": "PAP", "name": "PAP:RED"}`
		green = `{"type": "marking-definition", "id": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "definition_type": "tlp", "name": "TLP:GREEN"}`
	)
	with := func(more ...string) User {
		return User{Token: "u", Capabilities: append([]string{"APIACCESS_USETOKEN", "CONNECTORAPI", "KNOWLEDGE_KNUPDATE"}, more...), MaxConfidence: new(100)}
	}
	show := func(s *Sim) string {
		var out []string
		for _, i := range s.Incidents() {
			out = append(out, fmt.Sprint(i.Labels, i.IncidentType, " ", i.Severity, i.Markings))
		}
		return strings.Join(out, "; ")
	}
	tests := []struct {
		name    string
		user    User
		objects []string
		message string
		want    string
	}{
		{"labels and words that are known", with(), []string{labelled}, "", "[edr] high[]"},
		{"new labels", with("SETTINGS_SETLABELS"), []string{labelled}, "", "[new edr] high[]"},
		{"new words", with("SETTINGS_SETVOCABULARIES"), []string{labelled}, "", "[edr]unheard-of high[]"},
		{"no write at all", User{Token: "u", Capabilities: []string{"APIACCESS_USETOKEN", "CONNECTORAPI", "KNOWLEDGE"}, MaxConfidence: new(100)}, []string{labelled}, "FORBIDDEN_ACCESS", ""},
		{"no confidence", User{Token: "u", Capabilities: []string{"APIACCESS_USETOKEN", "CONNECTORAPI", "KNOWLEDGE_KNUPDATE"}}, []string{labelled}, "FUNCTIONAL_ERROR: User has no effective max confidence", ""},
		{"a new marking", with(), []string{paper}, "FORBIDDEN_ACCESS", ""},
		{"a new marking by who may", with("SETTINGS_SETMARKINGS"), []string{paper, plus(alert, `"object_marking_refs": ["marking-definition--4e4e3b84-de45-53df-9d9b-b21207699fd8"]`)}, "", "[] [PAP:RED]"},
		{"another id of a known marking", with(), []string{green, plus(alert, `"object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]`)}, "", "[] [TLP:GREEN]"},
		{"that id alone is dropped", with(), []string{plus(alert, `"object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]`)}, "", "[] []"},
		{"a marking that the user may not see", User{Token: "u", Capabilities: with().Capabilities, MaxConfidence: new(100), Markings: []string{"TLP:GREEN"}},
			[]string{plus(alert, `"object_marking_refs": ["`+red+`"]`)}, "", "[] []"},
		{"what is inferred is passed over", with(), []string{plus(alert, `"extensions": {"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": {"is_inferred": true}}`)}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest, Users: []User{tt.user}})
			s.Put(Indicator{Pattern: "[url:value = 'x']", Labels: []Label{{"edr"}}})
			wants(t, workOf(s, pushedAs(t, s, "u", tt.objects...)), tt.message)
			simtest.Is(t, "incidents", tt.want, show(s))
		})
	}
}

func TestHiddenObjectsAreNotThere(t *testing.T) {
	s := registered(t, Options{Version: newest, Users: []User{{Token: "u", Capabilities: ConnectorRole(), MaxConfidence: new(100), Markings: []string{"TLP:AMBER"}}}})
	wants(t, errorsOf(s, plus(corp, `"object_marking_refs": ["`+red+`"]`), plus(alert, `"object_marking_refs": ["`+red+`"]`), hostUnit, plus(domain, `"object_marking_refs": ["`+amber+`"]`),
		`{"type": "case-incident", "id": "`+fresh("case-incident")+`", "name": "Case", "created": "2026-03-01T10:00:00.000Z", "object_refs": ["`+alertID+`", "`+domainID+`"], "created_by_ref": "`+corpID+`"}`,
		relationship(fresh("relationship"), "indicates", domainID, alertID, "")), "")
	push := func(object string) Work { return workOf(s, pushedAs(t, s, "u", hostUnit, object)) }
	wants(t, push(plus(alert, `"description": "taken over"`)), "UNSUPPORTED_ERROR: Restricted entity already exists")
	wants(t, push(plus(domain, `"description": "seen"`)), "")
	const query = `{ incidents { pageInfo { globalCount } edges { node { id } } } stixCoreRelationships { edges { node { from { ... on Indicator { standard_id } } to { ... on Incident { id } } } } }
		caseIncidents { edges { node { createdBy { name } } } } }`
	want := `{"data":{"incidents":{"pageInfo":{"globalCount":0},"edges":[]},"stixCoreRelationships":{"edges":[{"node":{"from":{"standard_id":"` + domainID + `"},"to":null}}]},` +
		`"caseIncidents":{"edges":[{"node":{"createdBy":null}}]}}}`
	simtest.Is(t, "text", want, askAs(t, s, "u", query, nil).Text)
	simtest.Is(t, "incidents that who may see everything sees", 1.0, ask(t, s, query, nil).get("incidents", "pageInfo", "globalCount"))
}

func TestWhoImportedIt(t *testing.T) {
	s := registered(t, Options{Users: []User{{ID: "user-2", Name: "Second", Token: "u", Capabilities: ConnectorRole(), MaxConfidence: new(100)}}})
	wants(t, workOf(s, pushedAs(t, s, "u", corp, alert, domain)), "")
	wants(t, pushed(t, s, corp, plus(alert, `"description": "later"`), plus(domain, `"description": "later"`)), "")
	r := ask(t, s, `query($f: FilterGroup) { incidents(filters: $f) { edges { node { description } } } indicators(filters: $f) { edges { node { description } } } }`,
		map[string]any{"f": and(is("creator_id", "eq", "user-2"))})
	want := []any{map[string]any{"node": map[string]any{"description": "later"}}}
	for _, field := range []string{"incidents", "indicators"} {
		simtest.Same(t, field, want, r.get(field, "edges"))
	}
}

func TestAuthorsAreShownAsTheyAreNow(t *testing.T) {
	s := registered(t, Options{Version: newest})
	sent := fresh("identity")
	author := `{"type": "identity", "id": "` + sent + `", "identity_class": "organization", "name": "Old"}`
	wants(t, pushed(t, s, author, plus(domain, `"created_by_ref": "`+sent+`"`), plus(alert, `"created_by_ref": "`+sent+`"`)), "")
	wants(t, pushed(t, s, strings.Replace(author, "Old", "New", 1), corp), "")
	i, _ := s.Indicator(domainID)
	r := ask(t, s, `{ incidents { edges { node { createdBy { name } } } } indicator(id: "`+domainID+`") { createdBy { name } } }`, nil)
	want := `{"data":{"incidents":{"edges":[{"node":{"createdBy":{"name":"New"}}}]},"indicator":{"createdBy":{"name":"New"}}}}`
	if i.CreatedBy.Name != "New" || r.Text != want {
		t.Errorf("indicator %+v, answer %s", i.CreatedBy, r.Text)
	}
	wants(t, pushed(t, s, plus(author, `"opencti_operation": "delete"`), corp), "")
	if i, _ := s.Indicator(domainID); i.CreatedBy != nil || s.Incidents()[0].CreatedBy != "" {
		t.Errorf("an author that is gone: %+v", i.CreatedBy)
	}
}

func TestACaseWithoutAuthorGetsTheUser(t *testing.T) {
	s := registered(t, Options{})
	wants(t, pushed(t, s, corp, `{"type": "x-opencti-case-incident", "id": "`+fresh("x-opencti-case-incident")+`", "name": "Case 1", "created": "2026-03-01T10:00:00.000Z"}`), "")
	r := ask(t, s, `{ caseIncidents { edges { node { createdBy { name entity_type } } } } }`, nil)
	want := map[string]any{"name": "Connector", "entity_type": "Individual"}
	simtest.Same(t, "author", want, r.get("caseIncidents", "edges", 0, "node", "createdBy"))
}
