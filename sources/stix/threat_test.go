package stix_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

func TestAThreatBecomesACase(t *testing.T) {
	m, th := maker(t), threat()
	th.Imported = 1
	a := fileAlert()
	of := made(t)(m.Alert(a, []string{indicator}, none))
	incident := m.IncidentID(a)
	objects := made(t)(m.Threat(th, []string{incident, indicator, incident}))
	checked(t, m, append(of, objects...))
	c := members(objects[0])
	if objects[0].Type != "case-incident" || objects[0].ID != m.CaseID(th) || c["priority"] != "P2" || c["severity"] != "high" || c["created"] != "2026-03-02T08:15:31.000Z" {
		t.Errorf("%s", objects[0].JSON)
	}
	want := []any{incident, indicator, m.EndpointID(a), "user-account--07456d4d-3f60-5506-90d7-2f6549f8ee35"}
	if diff := cmp.Diff(want, c["object_refs"]); diff != "" {
		t.Errorf("object_refs (-want +got):\n%s", diff)
	}
	if facts, ok := reader.Read(c["description"].(string)); !ok || facts != (alert.Facts{Status: alert.New, Imported: 1}) {
		t.Errorf("read back as %+v, %v", facts, ok)
	}
	for _, o := range objects[1:3] {
		if !slices.ContainsFunc(of, func(p alert.Object) bool { return cmp.Equal(p, o) }) {
			t.Errorf("the alert has another object than the threat's %s", o.JSON)
		}
	}
	refs := c["external_references"].([]any)[0].(map[string]any)
	if refs["url"] != "https://edr.example:8443/threat/6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d/summary" {
		t.Errorf("links to %v", refs["url"])
	}
}

func TestPriorities(t *testing.T) {
	for level, want := range map[string]string{"critical": "P1 critical", "high": "P2 high", "medium": "P3 medium", "low": "P4 low", "informational": "P4 low", "": "P3 medium", "odd": "P3 medium"} {
		th := threat()
		th.Level = level
		c := members(made(t)(maker(t).Threat(th, nil))[0])
		said := strings.Contains(c["description"].(string), "not a known level")
		if got := c["priority"].(string) + " " + c["severity"].(string); got != want || said != (level == "" || level == "odd") {
			t.Errorf("%q: %s, said to be unknown: %v; want %s", level, got, said, want)
		}
	}
}

func TestACaseAndItsNoteStayThemselves(t *testing.T) {
	m := maker(t)
	noteOf := func(th *alert.Threat) map[string]any {
		notes := ofType(made(t)(m.Threat(th, nil)), "note")
		if len(notes) != 1 {
			t.Fatalf("%d notes", len(notes))
		}
		return notes[0]
	}
	th := threat()
	id, note := m.CaseID(th), noteOf(th)
	later := threat()
	later.Slug, later.Status, later.Level, later.LastSeen, later.LastUpdate = "renamed", alert.Closed, "critical", at("2026-03-05T00:00:00Z"), at("2026-03-05T00:00:00Z")
	later.Note.Title, later.Note.Content, later.Note.Created = "other", "  Triage: *false* positive\nsee <ticket>\n", time.Time{}
	if m.CaseID(later) != id {
		t.Error("a case that got another name is another case")
	}
	again := noteOf(later)
	if note["id"] != again["id"] || again["content"] != "Triage: *false* positive\nsee <ticket>" || again["abstract"] != "other" {
		t.Errorf("%v, then %v", note, again)
	}
	elsewhere := threat()
	elsewhere.ID = "4257"
	if m.CaseID(elsewhere) == id || noteOf(elsewhere)["id"] == note["id"] {
		t.Error("two threats share a case or a note")
	}
}

func TestThreatsWithLittle(t *testing.T) {
	m := maker(t)
	for name, th := range map[string]*alert.Threat{
		"nothing but an id":                       {ID: "4257", Created: at("2026-03-02T08:15:31Z")},
		"an empty note":                           {ID: "4257", Created: at("2026-03-02T08:15:31Z"), Note: &alert.Note{Title: "x", Content: " y "}},
		"agents without names, users without any": {ID: "4257", Created: at("2026-03-02T08:15:31Z"), Agents: []alert.Agent{{}, {ID: "x"}}, Users: []alert.User{{}}},
	} {
		objects := made(t)(m.Threat(th, nil))
		checked(t, m, objects)
		if got := brief(objects); !slices.Equal(got, []string{"case-incident Threat (4257)"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	many := threat()
	for range 30 {
		many.Agents = append(many.Agents, alert.Agent{Hostname: "h" + strings.Repeat("x", len(many.Agents))})
		many.Users = append(many.Users, many.Users[0])
	}
	d := members(made(t)(m.Threat(many, nil))[0])["description"].(string)
	if !strings.Contains(d, "and 11 more") || strings.Count(d, "mallory") != 1 {
		t.Errorf("%s", d)
	}
}

func TestThreatsThatCannotBeFoundAgain(t *testing.T) {
	m := maker(t)
	for want, change := range map[string]func(*alert.Threat) []string{
		`the threat "swift-otter-42" has no id`:     func(th *alert.Threat) []string { th.ID = ""; return nil },
		"has no creation date":                      func(th *alert.Threat) []string { th.Created = time.Time{}; return nil },
		`"indicator--x" is not the id of an object`: func(*alert.Threat) []string { return []string{"indicator--x"} },
	} {
		th := threat()
		refs := change(th)
		if objects, err := m.Threat(th, refs); err == nil || !strings.Contains(err.Error(), want) || objects != nil {
			t.Errorf("%v, %v; want %q", objects, err, want)
		}
		if id := m.CaseID(th); (id == "") != (refs == nil) {
			t.Errorf("%s: the case's id is %q", want, id)
		}
	}
}
