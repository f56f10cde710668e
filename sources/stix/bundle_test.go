package stix_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/sources/stix"
)

var update = flag.Bool("update", false, "rewrite the golden bundles")

func TestGoldenBundles(t *testing.T) {
	m := maker(t)
	a := fileAlert()
	sighting := m.Sighting(alert.Sighting{Indicator: indicator, Endpoint: m.EndpointID(a), First: a.EventTime, Last: a.EventTime, Count: 1, Created: a.Time})
	for name, objects := range map[string][]alert.Object{
		"ioc":    append(made(t)(m.Alert(a, []string{indicator}, none)), sighting),
		"sigma":  made(t)(m.Alert(forms()["sigma with a process"], []string{indicator}, none)),
		"threat": append(made(t)(m.Alert(a, []string{indicator}, none)), made(t)(m.Threat(threat(), []string{m.IncidentID(a), indicator}))...),
	} {
		var got bytes.Buffer
		if err := json.Indent(&got, []byte(checked(t, m, objects)), "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		path := filepath.Join("..", "..", "testdata", "stix", name+".json")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s is missing; make update writes it", path)
		}
		if diff := cmp.Diff(string(want), got.String()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestSightings(t *testing.T) {
	m := maker(t)
	endpoint := m.EndpointID(fileAlert())
	id := m.SightingID(indicator, endpoint)
	first, last := at("2026-03-02T08:00:00Z"), at("2026-03-02T09:00:00Z")
	for name, tt := range map[string]struct {
		s    alert.Sighting
		want map[string]any
	}{
		"as it is":           {alert.Sighting{First: first, Last: last, Count: 3, Negative: true, Created: first}, map[string]any{"first_seen": "2026-03-02T08:00:00.000Z", "last_seen": "2026-03-02T09:00:00.000Z", "count": 3.0, "x_opencti_negative": true, "modified": "2026-03-02T09:00:00.000Z"}},
		"last before first":  {alert.Sighting{First: last, Last: first, Count: 1}, map[string]any{"first_seen": "2026-03-02T08:00:00.000Z", "last_seen": "2026-03-02T09:00:00.000Z", "count": 1.0, "x_opencti_negative": false}},
		"a first alone":      {alert.Sighting{First: first, Count: 2_000_000_000}, map[string]any{"first_seen": "2026-03-02T08:00:00.000Z", "last_seen": "2026-03-02T08:00:00.000Z", "count": 999_999_999.0}},
		"a last alone":       {alert.Sighting{Last: first, Count: -1}, map[string]any{"first_seen": "2026-03-02T08:00:00.000Z", "last_seen": "2026-03-02T08:00:00.000Z", "count": nil, "created": "2026-03-02T08:00:00.000Z"}},
		"an id that it has":  {alert.Sighting{ID: "sighting--21b6e883-0818-5df7-8560-8f94e5f26cf8", First: first}, map[string]any{"id": "sighting--21b6e883-0818-5df7-8560-8f94e5f26cf8"}},
		"its id is of ends":  {alert.Sighting{First: first}, map[string]any{"id": id}},
		"whatever its dates": {alert.Sighting{First: last}, map[string]any{"id": id}},
	} {
		tt.s.Indicator, tt.s.Endpoint = indicator, endpoint
		o := m.Sighting(tt.s)
		checked(t, m, append(made(t)(m.Alert(fileAlert(), nil, none)), o))
		got := members(o)
		for _, member := range slices.Sorted(maps.Keys(tt.want)) {
			if got[member] != tt.want[member] {
				t.Errorf("%s: %s is %v, want %v", name, member, got[member], tt.want[member])
			}
		}
		if got["id"] != o.ID {
			t.Errorf("%s: called %s and is %v", name, o.ID, got["id"])
		}
	}
	links := members(m.Sighting(alert.Sighting{Indicator: indicator, Endpoint: endpoint, First: first, Alerts: []string{"one", "t w"}}))["external_references"]
	want := []any{map[string]any{"source_name": "HarfangLab", "external_id": "one", "url": "https://edr.example:8443/security-event/one/summary"},
		map[string]any{"source_name": "HarfangLab", "external_id": "t w", "url": "https://edr.example:8443/security-event/t%20w/summary"}}
	if d := cmp.Diff(want, links); d != "" {
		t.Errorf("links (-want +got):\n%s", d)
	}
	if o := members(m.Sighting(alert.Sighting{Indicator: indicator, Endpoint: endpoint})); o["first_seen"] != nil || o["last_seen"] != nil {
		t.Errorf("times out of nothing: %v", o)
	}
}

func TestBundlesRefuseWhatCannotBeImported(t *testing.T) {
	m := maker(t)
	all := made(t)(m.Alert(fileAlert(), []string{indicator}, none))
	relations := slices.DeleteFunc(slices.Clone(all), func(o alert.Object) bool { return o.Type != "relationship" })
	for _, tt := range []struct {
		name, want string
		objects    []alert.Object
	}{
		{"nothing", "a bundle without objects", nil},
		{"relationships alone", "which is not in the bundle", relations},
		{"no id", `object "x" is not a STIX object`, []alert.Object{{ID: "x", Type: "x", JSON: []byte("{}")}}},
		{"the id of another type", "is not a STIX object", []alert.Object{{ID: all[0].ID, Type: "note", JSON: []byte("{}")}}},
		{"no JSON", "is not a STIX object", []alert.Object{{ID: all[0].ID, Type: "incident", JSON: []byte("{")}}},
	} {
		text, err := m.Bundle(tt.objects)
		if err == nil || !strings.Contains(err.Error(), tt.want) || text != "" {
			t.Errorf("%s: %q, %v; want %q", tt.name, text, err, tt.want)
		}
	}
	if _, err := m.Bundle(nil); !errors.Is(err, stix.ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
}

func TestOfObjectsWithOneIDTheFirstCounts(t *testing.T) {
	m := maker(t)
	one, two := fileAlert(), fileAlert()
	two.Status = alert.Closed
	first := made(t)(m.Alert(one, nil, none))
	text := checked(t, m, append(slices.Clone(first), append(made(t)(m.Alert(two, nil, none)), m.Author())...))
	if want := checked(t, m, first); text != want {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, text))
	}
}

func TestReadKnowsOnlyOurOwnDescriptions(t *testing.T) {
	endpoint := maker(t).EndpointID(fileAlert())
	for d, want := range map[string]*alert.Facts{
		"Status: `closed`\n\n- Endpoint: `wks-042`":                                     {Status: alert.Closed, Endpoint: endpoint},
		"\n Status: `closed` \r\n\r\n- Endpoint: `WKS-042` \r\n- Rule: `x`\r\n\r\nmine": {Status: alert.Closed, Endpoint: endpoint},
		"Status: `new`\n\nsomebody's own words":                                         {Status: alert.New},
		"Status: not given":                                                             {},
		"Status: `` a`b ``\n- Endpoint: wks-042":                                        {Status: "a`b"},
		"":                                                                              nil,
		"An incident\nStatus: `new`":                                                    nil,
		"Status: new":                                                                   nil,
		"Status: `new":                                                                  nil,
	} {
		got, ok := reader.Read(d)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%q: %+v, %v; want %+v", d, got, ok, want)
		}
	}
}
