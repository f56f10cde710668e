package octisim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const (
	newest    = "7.260817.0"
	pushQuery = `mutation Push($connectorId: String!, $bundle: String!, $workId: String) {
  stixBundlePush(connectorId: $connectorId, bundle: $bundle, work_id: $workId)
}`
	corpID   = "identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"
	corp     = `{"type": "identity", "id": "` + corpID + `", "name": "Example Corp", "identity_class": "organization"}`
	hostID   = "identity--81f298e7-4bb5-5459-8451-8bca41e52c14"
	hostUnit = `{"type": "identity", "id": "` + hostID + `", "name": "srv-db-01.corp.example", "identity_class": "system"}`
	alertID  = "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"
	alert    = `{"type": "incident", "id": "` + alertID + `", "name": "Alert 4711: beaconing", "created": "2026-03-01T10:00:00.000Z"}`
	domainID = "indicator--4085ccb3-051d-5f93-9a2e-e75dfe732425"
	domain   = `{"type": "indicator", "id": "` + domainID + `", "pattern": "[domain-name:value = 'evil.example']", "pattern_type": "stix"}`
)

// clocked is a platform with a connector, whose clock the test moves.
func clocked(t testing.TB, o Options) (*Sim, *time.Time) {
	now := day(10)
	o.Now = func() time.Time { return now }
	return registered(t, o), &now
}

func bundleOf(objects ...string) string {
	return `{"type": "bundle", "id": "bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c11", "objects": [` + strings.Join(objects, ",") + `]}`
}

// pushedAs adds a work, pushes objects under it as the user with a token and gives the work's id.
func pushedAs(t testing.TB, s *Sim, token string, objects ...string) string {
	t.Helper()
	id, _ := askAs(t, s, "t", workAddQuery, map[string]any{"connectorId": conID, "name": "run"}).get("workAdd", "id").(string)
	r := askAs(t, s, token, pushQuery, map[string]any{"connectorId": conID, "bundle": bundleOf(objects...), "workId": id})
	if r.get("stixBundlePush") != true {
		t.Fatalf("push: %s", r.Text)
	}
	return id
}

// pushed gives the work of a push by the connector.
func pushed(t testing.TB, s *Sim, objects ...string) Work {
	t.Helper()
	return workOf(s, pushedAs(t, s, "t", objects...))
}

// errorsOf imports objects as the platform's own user.
func errorsOf(s *Sim, objects ...string) Work {
	wrong, err := s.Import([]byte(bundleOf(objects...)))
	if err != nil {
		wrong = append(wrong, WorkError{Message: err.Error()})
	}
	return Work{Errors: wrong}
}

func workOf(s *Sim, id string) Work {
	for _, w := range s.Works() {
		if w.ID == id {
			return w
		}
	}
	return Work{}
}

// wants fails the test unless a push left no error, or just one that matches.
func wants(t testing.TB, w Work, message string) {
	t.Helper()
	switch {
	case message == "" && len(w.Errors) > 0:
		t.Fatalf("errors %v", w.Errors)
	case message != "" && (len(w.Errors) != 1 || !regexp.MustCompile(message).MatchString(w.Errors[0].Message)):
		t.Fatalf("errors %v, want %s", w.Errors, message)
	}
}

// with gives an object's JSON with further members.
func plus(object, members string) string {
	return strings.TrimSuffix(object, "}") + ", " + members + "}"
}

// fresh is a random id of the given type.
func fresh(stix string) string { return stix + "--" + uuid.NewString() }

// held gives the object with one of its ids as GraphQL shows it.
func held(t testing.TB, s *Sim, id, fields string) map[string]any {
	t.Helper()
	r := ask(t, s, `query($id: String!) { stixObjectOrStixRelationship(id: $id) { `+fields+` } }`, map[string]any{"id": id})
	if r.code() != "" {
		t.Fatalf("look-up: %s", r.Text)
	}
	v, _ := r.get("stixObjectOrStixRelationship").(map[string]any)
	return v
}

func sighting(id, first, last string, count int, more string) string {
	dates := ""
	if first != "" {
		dates += fmt.Sprintf(`, "first_seen": %q`, first)
	}
	if last != "" {
		dates += fmt.Sprintf(`, "last_seen": %q`, last)
	}
	return fmt.Sprintf(`{"type": "sighting", "id": %q, "sighting_of_ref": %q, "where_sighted_refs": [%q]%s, "count": %d%s}`,
		id, domainID, hostID, dates, count, more)
}

func compact(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	simtest.Fine(t, err)
	return string(b)
}
