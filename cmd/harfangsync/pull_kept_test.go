package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// What an earlier version made, under another name, stays what it is and what it is called.
func TestWhatAnEarlierVersionMadeStays(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	id := w.resolved(t)
	w.must(t, 0, "pull")
	was := w.octi.Incidents()[0]
	named, err := json.Marshal(map[string]any{"type": "incident", "id": was.StandardID, "name": "IOC DNS check on wks-001", "created": was.Created, "description": was.Description})
	if err != nil {
		t.Fatal(err)
	}
	w.imports(t, string(named))
	if !w.hl.Triage(id, "closed") {
		t.Fatal("no such alert")
	}
	if out := w.must(t, 0, "pull"); !strings.Contains(out, "0 alerts imported, 1 updated") {
		t.Error(out)
	}
	now := w.octi.Incidents()
	if len(now) != 1 || now[0].ID != was.ID || now[0].Name != "IOC DNS check on wks-001" || !strings.Contains(now[0].Description, "closed") {
		t.Errorf("it was %+v and is %+v", was, now)
	}
}

// A host name that an earlier version wrote in lower case is used again; that of another source is another's.
func TestOurHostNamesInLowerCaseAreUsedAgain(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.resolved(t)
	author := `{"type": "identity", "id": "identity--5291661f-02f8-509d-9f7b-34bf85259b21", "name": "HarfangLab", "identity_class": "organization"}`
	other := `{"type": "identity", "id": "identity--81f298e7-4bb5-5459-8451-8bca41e52c14", "name": "Another", "identity_class": "organization"}`
	host := func(id, name, by string) string {
		return `{"type": "hostname", "id": "hostname--` + id + `", "value": "` + name + `", "x_opencti_created_by_ref": "identity--` + by + `"}`
	}
	w.imports(t, author, other, host("a2cb98a0-ca16-5018-b18a-b91aba8c8de1", "wks-001", "5291661f-02f8-509d-9f7b-34bf85259b21"), host("a2cb98a0-ca16-5018-b18a-b91aba8c8de2", "wks-002", "81f298e7-4bb5-5459-8451-8bca41e52c14"))
	w.sees(t, hlsim.Sighting{Value: "c2.example", Host: "WKS-002"})
	w.sees(t, hlsim.Sighting{Value: "c2.example", Host: "WKS-003"})
	w.must(t, 0, "pull")
	var hosts []string
	for _, o := range w.octi.Observables() {
		if o.EntityType == "Hostname" {
			hosts = append(hosts, o.Value)
		}
	}
	slices.Sort(hosts)
	if got := strings.Join(hosts, " "); got != "WKS-002 WKS-003 wks-001 wks-002" {
		t.Errorf("host names: %s", got)
	}
}

// imports has the platform hold objects of others.
func (w *chaosWorld) imports(t *testing.T, objects ...string) {
	t.Helper()
	wrong, err := w.octi.Import([]byte(`{"type": "bundle", "id": "bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c11", "objects": [` + strings.Join(objects, ",") + `]}`))
	if err != nil || len(wrong) > 0 {
		t.Fatal(wrong, err)
	}
}
