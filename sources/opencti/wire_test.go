package opencti_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// node is an indicator as a page holds it, with some members replaced: "x": nil is null, and
// absent{} leaves the member out.
type absent struct{}

func node(change map[string]any) map[string]any {
	n := map[string]any{
		"id": "i", "standard_id": "indicator--1", "name": "N", "description": "D", "pattern": "[url:value = 'x']", "pattern_type": "stix",
		"valid_from": "2026-03-01T10:00:00.000Z", "valid_until": "2026-04-01T10:00:00.000Z", "revoked": false,
		"created_at": "2026-03-01T10:00:00.123Z", "updated_at": "2026-03-02T10:00:00.000Z", "x_opencti_score": 70, "x_opencti_detection": true,
		"x_mitre_platforms": []string{"windows"}, "objectMarking": []any{map[string]any{"definition_type": "TLP", "definition": "TLP:AMBER"}},
		"objectLabel": []any{map[string]any{"value": "edr"}},
	}
	for k, v := range change {
		if n[k] = v; v == (absent{}) {
			delete(n, k)
		}
	}
	return n
}

// readNode reads a platform that holds one indicator.
func readNode(t testing.TB, n map[string]any) (reconcile.Indicator, error) {
	t.Helper()
	data, err := json.Marshal(map[string]any{"data": map[string]any{"list": map[string]any{
		"pageInfo": map[string]any{"endCursor": "c", "hasNextPage": false, "globalCount": 1, "startCursor": "c", "new": 1},
		"edges":    []any{map[string]any{"node": n, "cursor": "c"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	p := connect(t, &canned{answers: map[string]string{"": string(data)}}, opencti.Options{})
	var got reconcile.Indicator
	_, err = p.Read(context.Background(), nil, began, false, func(page []reconcile.Indicator, _ int) error {
		got = page[0]
		return nil
	})
	return got, err
}

func TestAnIndicatorInFull(t *testing.T) {
	got, err := readNode(t, node(map[string]any{"unknown": map[string]any{"x": 1}, "x_opencti_score_2": "y"}))
	if err != nil {
		t.Fatal(err)
	}
	want := reconcile.Indicator{
		ID: "i", StandardID: "indicator--1", Name: "N", Description: "D", Pattern: "[url:value = 'x']", PatternType: "stix", Detection: new(true), Score: new(70),
		ValidFrom: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), ValidUntil: time.Date(2026, 4, 1, 10, 0, 0, 0, time.UTC),
		CreatedAt: time.Date(2026, 3, 1, 10, 0, 0, 123e6, time.UTC), UpdatedAt: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		Platforms: []string{"windows"}, Labels: []string{"edr"}, Markings: []reconcile.Marking{{Type: "TLP", Definition: "TLP:AMBER"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("indicator (-want +got):\n%s", diff)
	}
}

func TestNullsAreTaken(t *testing.T) {
	null := map[string]any{}
	for _, k := range []string{"name", "description", "valid_from", "valid_until", "x_opencti_score", "x_opencti_detection", "x_mitre_platforms", "objectMarking", "objectLabel"} {
		null[k] = nil
	}
	entries := map[string]any{"x_mitre_platforms": []any{nil}, "objectMarking": []any{nil, map[string]any{"definition": nil}}, "objectLabel": []any{nil, map[string]any{"value": nil}}}
	empty := map[string]any{"valid_from": "", "valid_until": "", "x_mitre_platforms": []any{}, "objectMarking": []any{}, "objectLabel": []any{}, "description": "", "name": ""}
	for name, change := range map[string]map[string]any{"members": null, "entries": entries, "empty": empty} {
		t.Run(name, func(t *testing.T) {
			got, err := readNode(t, node(change))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Platforms)+len(got.Labels) != 0 || got.ID != "i" {
				t.Errorf("indicator %+v", got)
			}
			if name == "members" && (got.Score != nil || got.Detection != nil || !got.ValidFrom.IsZero() || !got.ValidUntil.IsZero()) {
				t.Errorf("a null became a value: %+v", got)
			}
		})
	}
}

func TestMomentsInTheirForms(t *testing.T) {
	want := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-03-01T10:00:00.000Z": want, "2026-03-01T10:00:00Z": want, "2026-03-01T12:00:00.000+02:00": want, "2026-03-01T10:00:00.123456789Z": want.Add(123456789),
		"1970-01-01T00:00:00.000Z": {}, // these two mean "unknown", as for the platform's filters
		"5138-11-16T09:46:40.000Z": {},
		"1970-01-01T00:00:01.000Z": time.Unix(1, 0).UTC(),
	} {
		for _, member := range []string{"valid_until", "valid_from"} {
			got, err := readNode(t, node(map[string]any{member: text}))
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			have := map[string]time.Time{"valid_until": got.ValidUntil, "valid_from": got.ValidFrom}[member]
			if !have.Equal(want) || have.Location() != time.UTC && !have.IsZero() {
				t.Errorf("%s %s = %v, want %v", member, text, have, want)
			}
		}
	}
}

// One row that cannot be understood ends the read: leaving it out would make its rules look unwanted.
func TestRowsThatCannotBeUnderstood(t *testing.T) {
	tests := []struct {
		name   string
		change map[string]any
		says   string
	}{
		{"no id", map[string]any{"id": absent{}}, "an indicator without an id"},
		{"an empty id", map[string]any{"id": ""}, "an indicator without an id"},
		{"an id that is none", map[string]any{"id": strings.Repeat("A", 1000)}, "an indicator whose ids have 1000 and"},
		{"no pattern", map[string]any{"pattern": nil}, "indicator i without pattern"},
		{"no pattern type", map[string]any{"pattern_type": nil}, "indicator i without pattern"},
		{"no word on revocation", map[string]any{"revoked": absent{}}, "indicator i without pattern, pattern type or revoked"},
		{"a date that is none", map[string]any{"valid_until": "tomorrow"}, "another shape"},
		{"a date that is a number", map[string]any{"valid_until": 5}, "another shape"},
		{"a score that is a text", map[string]any{"x_opencti_score": "70"}, "another shape"},
		{"labels in the form before 5.12.24", map[string]any{"objectLabel": map[string]any{"edges": []any{}}}, "another shape"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readNode(t, node(tt.change))
			says(t, err, "OpenCTI: Page: 200 with ", tt.says)
		})
	}
}

func TestPatternTypesAreFolded(t *testing.T) {
	got, err := readNode(t, node(map[string]any{"pattern_type": "STIX", "pattern": strings.Repeat("é", 70_000)}))
	if err != nil || got.PatternType != "stix" || len(got.Pattern) != 140_000 {
		t.Errorf("type %q, pattern of %d bytes, %v", got.PatternType, len(got.Pattern), err)
	}
}
