package octisim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// alertBundle is what a bridge pushes for one alert: ids by the table, the sighting's without dates.
func alertBundle() []string {
	const (
		author   = `, "created_by_ref": "` + corpID + `", "object_marking_refs": ["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"], "confidence": 80}`
		times    = `, "created": "2026-03-01T10:00:00.000Z", "modified": "2026-03-01T10:00:00.000Z"`
		fileID   = "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"
		hostname = "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1"
		shellID  = "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"
	)
	join := func(kind, from, to string) string {
		return fmt.Sprintf(`{"type": "relationship", "id": %q, "relationship_type": %q, "source_ref": %q, "target_ref": %q%s%s`,
			relationID(parseVersion(newest), kind, from, to, never, never), kind, from, to, times, author)
	}
	return []string{
		join("indicates", domainID, alertID), join("uses", alertID, shellID), join("targets", alertID, hostID),
		join("related-to", fileID, alertID), join("related-to", hostname, alertID),
		`{"type": "case-incident", "id": "case-incident--5a1c766f-0734-5129-ad64-1199e7d7e487", "name": "Case 99 – phishing wave", "created": "2026-03-02T08:30:15.250Z",
			"severity": "high", "priority": "P2", "response_types": ["ransomware"], "object_refs": ["` + alertID + `", "` + domainID + `", "` + fileID + `"]` + author,
		`{"type": "note", "id": "note--5debf649-153a-5eee-8fe8-0839948985ff", "abstract": "Triage", "content": "Analyst comment", "created": "2026-03-02T09:00:00.000Z",
			"note_types": ["analysis"], "likelihood": 80, "object_refs": ["` + alertID + `"]` + author,
		sighting(sightedID, "2026-03-01T10:00:00.000Z", "2026-03-01T10:05:00.000Z", 3, `, "x_opencti_negative": false`+strings.TrimSuffix(author, "}")),
		plus(alert, `"description": "First line", "incident_type": "alert", "severity": "high", "source": "Example EDR", "first_seen": "2026-03-01T10:00:00.000Z", "labels": ["edr"],
			"external_references": [{"source_name": "Example EDR", "external_id": "4711", "url": "https://edr.example/alerts/4711"}, {"source_name": "nothing"}]`+strings.TrimSuffix(author, "}")),
		`{"type": "attack-pattern", "id": "` + shellID + `", "name": "PowerShell", "x_mitre_id": "T1059.001"}`,
		`{"type": "file", "id": "` + fileID + `", "hashes": {"SHA-256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}, "name": "payload.exe", "x_opencti_score": 80,
			"x_opencti_created_by_ref": "` + corpID + `", "x_opencti_description": "Dropped"}`,
		`{"type": "hostname", "id": "` + hostname + `", "value": "srv-db-01.corp.example"}`,
		`{"type": "user-account", "id": "user-account--e44b731b-467d-57ea-9e27-3a40509d28f2", "account_login": "CORP\\jdoe", "account_type": "windows-domain"}`,
		plus(domain, `"x_opencti_score": 80, "x_opencti_detection": true, "valid_from": "2026-03-01T10:00:00.000Z"`+strings.TrimSuffix(author, "}")),
		plus(hostUnit, `"created_by_ref": "`+corpID+`"`), corp,
	}
}

// sightedID is the id of the sighting of evil.example on srv-db-01, computed without dates.
var sightedID = relationID(parseVersion(newest), sightingType, domainID, hostID, never, never)

func TestAWholeAlertIsImported(t *testing.T) {
	s, now := clocked(t, Options{Version: newest})
	w := pushed(t, s, alertBundle()...)
	wants(t, w, "")
	want := Held{Indicators: 6, Incidents: 1, Cases: 1, Notes: 1, AttackPatterns: 1, Identities: 2, Observables: 3, Relations: 5, Sightings: 1, Works: 1}
	if s.Held() != want || w.Expected != 16 || !w.Complete {
		t.Fatalf("held %+v, work %+v", s.Held(), w)
	}
	user := s.users[0].ID
	common := func(standard, entity string) Object {
		return Object{
			StandardID: standard, EntityType: entity, CreatedAt: day(10), UpdatedAt: day(10), Created: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
			Modified: day(10), CreatorID: user, CreatedBy: corpID, Confidence: new(80), Markings: []string{"TLP:AMBER"},
		}
	}
	incident := common(alertID, "Incident")
	incident.Labels = []string{"edr"}
	incident.References = []ExternalRef{{"Example EDR", "4711", "https://edr.example/alerts/4711", ""}}
	unnamed := cmpopts.IgnoreFields(Object{}, "ID", "Modified")
	if diff := cmp.Diff([]Incident{{
		Object: incident, Name: "Alert 4711: beaconing", Description: "First line", IncidentType: "alert", Severity: "high", Source: "Example EDR",
		FirstSeen: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
	}}, s.Incidents(), unnamed); diff != "" {
		t.Errorf("incidents (-want +got):\n%s", diff)
	}
	first, last := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC)
	seen := common(relationID(parseVersion(newest), sightingType, domainID, hostID, momentOf(first), momentOf(last)), sightingType)
	seen.Created, seen.StixIDs = day(10), []string{sightedID}
	got := s.Sightings()
	if diff := cmp.Diff([]Sighting{{
		Object: seen, Ends: Ends{From: domainID, To: hostID}, Count: 3,
		FirstSeen: first, LastSeen: last,
	}}, got, unnamed, cmpopts.IgnoreFields(Ends{}, "FromID", "ToID")); diff != "" {
		t.Errorf("sightings (-want +got):\n%s", diff)
	}
	if i, _ := s.Indicator(domainID); got[0].FromID != i.ID || *i.Score != 80 || !*i.Detection || i.CreatedBy.StandardID != corpID || i.CreatorID != user {
		t.Errorf("indicator %+v", i)
	}
	if c := s.Cases()[0]; c.Severity != "high" || c.Priority != "P2" || cmp.Diff([]string{alertID, domainID, "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"}, c.Objects) != "" {
		t.Errorf("case %+v", c)
	}
	if n := s.Notes()[0]; n.Abstract != "Triage" || *n.Likelihood != 80 || len(n.Objects) != 1 {
		t.Errorf("note %+v", n)
	}

	before := compact(t, s.everything())
	*now = now.Add(time.Hour)
	wants(t, pushed(t, s, alertBundle()...), "")
	simtest.Same(t, "a second push of the same", before, compact(t, s.everything()))
}

// everything is all knowledge as callers see it.
func (s *Sim) everything() []any {
	return []any{s.Indicators(), s.Incidents(), s.Cases(), s.Notes(), s.AttackPatterns(), s.Identities(), s.Observables(), s.Relations(), s.Sightings()}
}

func TestUpdatesGoByConfidence(t *testing.T) {
	base := plus(alert, `"description": "old", "severity": "low", "labels": ["a"], "confidence": 50, "aliases": ["one"], "created_by_ref": "`+corpID+`"`)
	tests := []struct{ name, members, want string }{
		{"the same confidence replaces", `"description": "new", "confidence": 50`, "new low corp 50 [a] [one]"},
		{"a higher one too", `"severity": "high", "confidence": 70`, "old high corp 70 [a] [one]"},
		{"a lower one does not", `"description": "new", "confidence": 49, "created_by_ref": "` + hostID + `"`, "old low corp 50 [a] [one]"},
		{"but lists grow", `"description": "new", "confidence": 10, "labels": ["b", "A"], "aliases": ["two", "one"]`, "old low corp 50 [a b] [one two]"},
		{"none is 100, cut to the user's", `"description": "new"`, "new low corp 75 [a] [one]"},
		{"more than the user's is cut", `"description": "new", "confidence": 100`, "new low corp 75 [a] [one]"},
		{"empty members clear nothing", `"description": "", "severity": null, "labels": [], "aliases": [], "confidence": 60`, "old low corp 60 [a] [one]"},
		{"absent members clear nothing", `"confidence": 60`, "old low corp 60 [a] [one]"},
		{"the author is replaced", `"confidence": 60, "created_by_ref": "` + hostID + `"`, "old low host 60 [a] [one]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Users: []User{{Token: "u", Capabilities: ConnectorRole(), MaxConfidence: new(75)}}})
			wants(t, workOf(s, pushedAs(t, s, "u", corp, hostUnit, base)), "")
			wants(t, workOf(s, pushedAs(t, s, "u", corp, plus(alert, tt.members))), "")
			i := s.Incidents()[0]
			author := map[string]string{corpID: "corp", hostID: "host"}[i.CreatedBy]
			simtest.Is(t, "found", tt.want, fmt.Sprint(i.Description, " ", i.Severity, " ", author, " ", *i.Confidence, " ", i.Labels, " ", i.Aliases))
		})
	}
}

func TestObjectsAreFoundByAnyID(t *testing.T) {
	mine, other := fresh("incident"), fresh("incident")
	const v1 = "incident--c8a9d9a0-1c5e-11ef-9262-0242ac120002"
	tests := []struct {
		name   string
		second string
		ids    []string // further STIX ids afterwards
		n      int
	}{
		{"by the standard id", `{"type": "incident", "id": "` + alertID + `", "name": "ALERT 4711: beaconing", "created": "2026-03-01T10:00:00Z"}`, []string{mine}, 1},
		{"by the id it was pushed under", `{"type": "incident", "id": "` + mine + `", "name": "Another name", "created": "2026-03-09T10:00:00Z"}`, []string{mine}, 1},
		{"by what makes the id, with one more id", `{"type": "incident", "id": "` + other + `", "name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00Z"}`, []string{mine, other}, 1},
		{"by a further id", `{"type": "incident", "id": "` + other + `", "name": "X 2", "created": "2026-03-09T10:00:00Z", "x_opencti_stix_ids": ["` + mine + `"]}`, []string{mine, other}, 1},
		{"ids of version 1 are not kept", `{"type": "incident", "id": "` + v1 + `", "name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00Z"}`, []string{mine}, 1},
		{"another name, time and id is another one", `{"type": "incident", "id": "` + other + `", "name": "X 2", "created": "2026-03-09T10:00:00Z"}`, []string{mine}, 2},
		{"without a creation time it is always another one", `{"type": "incident", "id": "` + other + `", "name": "Alert 4711: beaconing"}`, []string{mine}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{})
			wants(t, pushed(t, s, corp, strings.Replace(alert, alertID, mine, 1)), "")
			wants(t, pushed(t, s, corp, tt.second), "")
			all := s.Incidents()
			if len(all) != tt.n {
				t.Fatalf("%d incidents, want %d", len(all), tt.n)
			}
			simtest.Same(t, "further ids", tt.ids, all[0].StixIDs)
		})
	}
}

func TestFurtherIDsOfAnotherTypeSayNothing(t *testing.T) {
	s := registered(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, alert, plus(technique, `"x_opencti_stix_ids": ["`+alertID+`", "`+domainID+`", "no id", "`+techniqueID+`"]`)), "")
	if i, a := s.Incidents(), s.AttackPatterns(); len(i) != 1 || i[0].Name != "Alert 4711: beaconing" || len(a) != 1 || len(a[0].StixIDs) != 0 {
		t.Errorf("incidents %+v, techniques %+v", i, a)
	}
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	s := registered(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, plus(alert, `"x_opencti_first_seen": "2026-03-01T10:00:00Z", "x_opencti_score": "high", "x_custom": {"a": [1]}, "x_opencti_create_indicator": true`)), "")
	if i := s.Incidents(); len(i) != 1 || !i[0].FirstSeen.IsZero() || s.Held().Indicators != 5 {
		t.Errorf("incidents %+v", i)
	}
}

func TestWhatRefersToARefusedObjectFailsToo(t *testing.T) {
	s := registered(t, Options{Version: newest})
	s.SetKnobs(func(k *Knobs) { k.FailImport = `"type": "incident"` })
	w := pushed(t, s, alertBundle()...)
	codes := map[string]int{}
	for _, e := range w.Errors {
		code, _, _ := strings.Cut(e.Message, ":")
		codes[code]++
	}
	if want := map[string]int{"FUNCTIONAL_ERROR": 2, "MISSING_REFERENCE_ERROR": 5}; !w.Complete || cmp.Diff(want, codes) != "" {
		t.Errorf("errors %v of %+v", codes, w.Errors)
	}
	if held := s.Held(); held.Sightings != 1 || held.Relations != 0 || held.Cases != 1 || len(s.Cases()[0].Objects) != 2 {
		t.Errorf("everything else goes on: %+v", held)
	}
}

// Whatever is referred to and not there is dropped, and the object stored without it.
func TestReferencesThatLeadNowhereAreDropped(t *testing.T) {
	s := registered(t, Options{})
	w := pushed(t, s, corp, `{"type": "case-incident", "id": "`+fresh("case-incident")+`", "name": "Case", "created": "2026-03-01T10:00:00.000Z",
		"created_by_ref": "`+fresh("identity")+`", "object_marking_refs": ["`+fresh("marking-definition")+`", "`+amber+`"], "object_refs": ["`+corpID+`", "`+fresh("incident")+`"]}`,
		plus(alert, `"created_by_ref": "`+domainID+`"`))
	wants(t, w, "")
	c, i := s.Cases()[0], s.Incidents()[0]
	if got := []any{c.Markings, c.Objects, i.CreatedBy}; !cmp.Equal(got, []any{[]string{"TLP:AMBER"}, []string{corpID}, ""}) {
		t.Errorf("case %+v, incident %+v", c, i)
	}
}

// And so may be what is there.
func TestReferencesAreLostWhereAKnobSaysSo(t *testing.T) {
	s := registered(t, Options{})
	s.SetKnobs(func(k *Knobs) { k.StripRefs = `"type": "incident"` })
	whose := `"created_by_ref": "` + corpID + `", "object_marking_refs": ["` + amber + `"]`
	wants(t, pushed(t, s, corp, plus(alert, whose), plus(hostUnit, whose)), "")
	if i := s.Incidents()[0]; i.CreatedBy != "" || len(i.Markings) > 0 {
		t.Errorf("incident %+v", i)
	}
	s.SetKnobs(func(k *Knobs) { k.StripRefs = "" })
	wants(t, pushed(t, s, corp, plus(alert, whose)), "")
	if i := s.Incidents()[0]; i.CreatedBy == "" || len(i.Markings) != 1 {
		t.Errorf("sent again: incident %+v", i)
	}
}

func TestANameMovesTheStandardID(t *testing.T) {
	s := registered(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, alert), "")
	wants(t, pushed(t, s, corp, strings.Replace(alert, "beaconing", "phishing", 1)), "")
	i := s.Incidents()[0]
	if i.StandardID == alertID || cmp.Diff([]string{alertID}, i.StixIDs) != "" || len(s.Incidents()) != 1 {
		t.Errorf("incident %+v", i)
	}
	other := `{"type": "incident", "id": "` + fresh("incident") + `", "name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00Z"}`
	wants(t, pushed(t, s, corp, other), "")
	simtest.Is(t, "incidents, where a former standard id is still an id", 1, len(s.Incidents()))
}

func TestTwoObjectsNeverGetOneID(t *testing.T) {
	s := registered(t, Options{Version: newest})
	sent := fresh("incident")
	wants(t, pushed(t, s, alert, `{"type": "incident", "id": "`+sent+`", "name": "Second", "created": "2026-03-01T10:00:00.000Z"}`), "")
	w := pushed(t, s, corp, `{"type": "incident", "id": "`+sent+`", "name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00.000Z", "description": "x"}`)
	wants(t, w, "")
	if got := s.Incidents(); len(got) != 2 || got[0].Description != "x" || got[1].Name != "Second" {
		t.Errorf("the standard id comes first: %+v", got)
	}
	second := s.Incidents()[1].StandardID
	wants(t, pushed(t, s, corp, `{"type": "incident", "id": "`+second+`", "name": "Third", "created": "2026-03-02T10:00:00.000Z"}`), "")
	simtest.Is(t, "incident", "Third", s.Incidents()[1].Name)
}

func TestATechniqueIsRenamedByWhoBringsAnotherName(t *testing.T) {
	const id = "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"
	tests := []struct{ name, object, want string }{
		{"another name", `{"type": "attack-pattern", "id": "` + id + `", "name": "T1059.001", "x_mitre_id": "T1059.001"}`, "T1059.001"},
		{"by a reference to MITRE", `{"type": "attack-pattern", "id": "` + fresh("attack-pattern") + `", "name": "Posh", "external_references": [{"source_name": "mitre-attack", "external_id": "T1059.001"}]}`, "Posh"},
		{"with too little confidence", `{"type": "attack-pattern", "id": "` + id + `", "name": "T1059.001", "x_mitre_id": "T1059.001", "confidence": 20}`, "PowerShell"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			wants(t, errorsOf(s, `{"type": "attack-pattern", "id": "`+id+`", "name": "PowerShell", "x_mitre_id": "T1059.001", "confidence": 90}`), "")
			wants(t, pushed(t, s, corp, tt.object), "")
			if got := s.AttackPatterns(); len(got) != 1 || got[0].Name != tt.want || got[0].MitreID != "T1059.001" || got[0].StandardID != id {
				t.Errorf("techniques %+v", got)
			}
		})
	}
}

func TestNothingWrongIsImported(t *testing.T) {
	id := func(stix string) string { return `{"type": "` + stix + `", "id": "` + fresh(stix) + `"` }
	const created = `, "created": "2026-03-01T10:00:00.000Z"`
	tests := []struct{ name, object, message string }{
		{"a short name", id("incident") + created + `, "name": "x"}`, "FUNCTIONAL_ERROR: name must be at least 2"},
		{"a blank name", id("incident") + created + `, "name": "   "}`, "FUNCTIONAL_ERROR"},
		{"no name of a case", id("case-incident") + created + `}`, "FUNCTIONAL_ERROR"},
		{"no name of a technique", id("attack-pattern") + `, "x_mitre_id": "T1"}`, "FUNCTIONAL_ERROR"},
		{"no name of an identity", id("identity") + `, "identity_class": "system"}`, "FUNCTIONAL_ERROR"},
		{"a note about nothing", id("note") + created + `, "content": "text"}`, "FUNCTIONAL_ERROR: A note needs object_refs"},
		{"a note without text", id("note") + created + `, "content": "", "object_refs": ["` + corpID + `"]}`, "FUNCTIONAL_ERROR: content"},
		{"an impossible likelihood", id("note") + created + `, "content": "text", "likelihood": 101, "object_refs": ["` + corpID + `"]}`, "FUNCTIONAL_ERROR: likelihood"},
		{"a member of a wrong form", id("incident") + created + `, "name": ["list"]}`, "VALIDATION_ERROR: Member name is no text"},
		{"a list that is none", id("incident") + created + `, "name": "Name", "labels": "one"}`, "VALIDATION_ERROR: Member labels"},
		{"a list of something else", id("incident") + created + `, "name": "Name", "aliases": [1]}`, "VALIDATION_ERROR: Member aliases"},
		{"a date without a zone", id("incident") + `, "created": "2026-03-01", "name": "Name"}`, "VALIDATION_ERROR: Member created"},
		{"a score that is none", id("hostname") + `, "value": "host", "x_opencti_score": "80"}`, "VALIDATION_ERROR: Member x_opencti_score"},
		{"an id of another type", `{"type": "incident", "id": "` + fresh("report") + `", "name": "Name"}`, "BAD_USER_INPUT: StixId"},
		{"an id without a UUID", `{"type": "incident", "id": "incident--4711", "name": "Name"}`, "BAD_USER_INPUT: StixId"},
		{"no id", `{"type": "incident", "name": "Name"}`, "BAD_USER_INPUT: StixId"},
		{"a type that is not simulated", id("grouping") + `, "name": "Name"}`, "UNSUPPORTED_ERROR: Objects of type grouping"},
		{"a foreign command", id("incident") + created + `, "name": "Name", "opencti_operation": "merge"}`, "UNSUPPORTED_ERROR: Operation merge"},
		{"a deletion of nothing", id("incident") + created + `, "name": "Name", "opencti_operation": "delete"}`, "ALREADY_DELETED_ERROR"},
		{"a marking without a definition", id("marking-definition") + `}`, "FUNCTIONAL_ERROR: definition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{})
			wants(t, pushed(t, s, corp, alert), "")
			before := s.Held()
			before.Works++
			w := pushed(t, s, tt.object, corp)
			if wants(t, w, tt.message); w.Processed != 2 || !w.Complete {
				t.Errorf("everything else goes on: %+v", w)
			}
			simtest.Same(t, "held", before, s.Held())
		})
	}
}
