package stixtest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/stix/stixtest"
)

const (
	author    = "identity--5291661f-02f8-509d-9f7b-34bf85259b21"
	system    = "identity--81f298e7-4bb5-5459-8451-8bca41e52c14"
	incident  = "incident--9eb63999-f423-53f5-b72d-d7088abf4cb8"
	file      = "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"
	indicator = "indicator--8d30e978-c6dd-5439-9ed0-bd61238915c3"
	amber     = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
	day       = "2026-03-01T10:00:00.000Z"
)

type members = map[string]any

// sound is a bundle with nothing wrong.
func sound() (bundle members, at map[string]members) {
	o := func(typ, id string, m members) members {
		m["type"], m["id"], m["spec_version"] = typ, id, "2.1"
		return m
	}
	at = map[string]members{
		"author":   o("identity", author, members{"name": "Example EDR Bridge", "identity_class": "organization"}),
		"system":   o("identity", system, members{"name": "srv-db-01.corp.example", "identity_class": "system", "created_by_ref": author}),
		"incident": o("incident", incident, members{"name": "Beaconing", "created": day, "modified": day, "severity": "high", "incident_type": "alert", "first_seen": day, "last_seen": day, "labels": []any{"edr"}, "object_marking_refs": []any{amber}, "external_references": []any{members{"source_name": "EDR", "external_id": "4711"}}}),
		"file":     o("file", file, members{"hashes": members{"MD5": "d41d8cd98f00b204e9800998ecf8427e"}, "x_opencti_score": 50, "x_opencti_created_by_ref": author}),
		"address":  o("ipv6-addr", "ipv6-addr--6469e3a9-b053-5e34-a025-9396ae051d26", members{"value": "2001:db8::1"}),
		"related":  o("relationship", "relationship--d692512e-0ba8-53ba-8a9d-b998603e5410", members{"relationship_type": "related-to", "source_ref": file, "target_ref": incident, "created": day, "modified": day}),
		"sighting": o("sighting", "sighting--d95c25fe-4908-518f-b549-603dc6b97c46", members{"sighting_of_ref": indicator, "where_sighted_refs": []any{system}, "count": 3, "x_opencti_negative": false, "created": day, "modified": day}),
		"note":     o("note", "note--36a9d9af-b9da-5e63-8fee-686f8ae5397f", members{"content": "ok", "note_types": []any{"analysis"}, "object_refs": []any{incident}, "created": day, "modified": day}),
		"case":     o("case-incident", "case-incident--e994cb4f-62a4-56ef-b122-6e37c37f933e", members{"name": "Case 99", "priority": "P2", "created": day, "modified": day}),
	}
	objects := []any{}
	for _, name := range []string{"author", "system", "incident", "file", "address", "related", "sighting", "note", "case"} {
		objects = append(objects, at[name])
	}
	return members{"type": "bundle", "id": "bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c11", "objects": objects}, at
}

func outside(id string) bool { return id == indicator }

func check(t *testing.T, bundle members) error {
	t.Helper()
	text, err := json.Marshal(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return stixtest.Check(string(text), outside)
}

func TestASoundBundlePasses(t *testing.T) {
	bundle, _ := sound()
	if err := check(t, bundle); err != nil {
		t.Error(err)
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	set := func(object, name string, v any) func(members, map[string]members) {
		return func(_ members, at map[string]members) {
			if v == nil {
				delete(at[object], name)
				return
			}
			at[object][name] = v
		}
	}
	var null *string
	for _, tt := range []struct {
		name   string
		change func(bundle members, at map[string]members)
		want   string
	}{
		{"another envelope", func(b members, _ map[string]members) { b["spec_version"] = "2.0" }, "has the members"},
		{"an id that is not random", func(b members, _ map[string]members) { b["id"] = "bundle--69f1df30-eb2f-5845-88e0-64e2d05ab72e" }, "not that of a bundle"},
		{"no objects", func(b members, _ map[string]members) { b["objects"] = []any{} }, "no objects"},
		{"an object twice", func(b members, at map[string]members) { b["objects"] = append(b["objects"].([]any), at["file"]) }, "twice"},
		{"an unknown type", set("file", "type", "x-thing"), `unknown type "x-thing"`},
		{"the id of another type", set("file", "id", incident), "not that of a file"},
		{"an id in capitals", set("file", "id", strings.ToUpper(file)), "not that of a file"},
		{"an older standard", set("file", "spec_version", "2.0"), "spec_version is 2.0"},
		{"an unknown property", set("file", "valid_from", day), "unknown property valid_from"},
		{"an unknown custom property", set("file", "x_opencti_create_indicator", true), "unknown property x_opencti_create_indicator"},
		{"a date on an observable", set("file", "created", day), "unknown property created"},
		{"a null", set("incident", "source", null), "source is null"},
		{"an empty text", set("incident", "source", ""), "source is null or empty"},
		{"an empty list", set("incident", "labels", []any{}), "labels is null or empty"},
		{"a null hash", set("file", "hashes", members{"MD5": null}), "hashes is null or empty, or holds what is"},
		{"a missing property", set("incident", "created", nil), "created is missing"},
		{"a name under two characters", set("incident", "name", "x"), "name is under two characters"},
		{"microseconds", set("incident", "first_seen", "2026-03-01T10:00:00.000123Z"), "first_seen is 2026-03-01T10:00:00.000123Z"},
		{"a day that never was", set("incident", "first_seen", "2026-02-30T10:00:00.000Z"), "first_seen is 2026-02-30"},
		{"a last time before the first", set("incident", "last_seen", "2026-02-28T10:00:00.000Z"), "first_seen is after last_seen"},
		{"a word of no vocabulary", set("incident", "severity", "informational"), "severity is informational"},
		{"a type of note", set("note", "note_types", []any{"rant"}), "note_types has rant"},
		{"a reference that the platform skips", set("incident", "external_references", []any{members{"source_name": "EDR"}}), "without url and external_id"},
		{"a label twice", set("incident", "labels", []any{"a", "a"}), "labels has a twice"},
		{"outer blanks", set("incident", "name", "Beaconing "), "outer blanks"},
		{"a number as text", set("sighting", "count", "3"), "count is 3"},
		{"a score above 100", set("file", "x_opencti_score", 101), "x_opencti_score is 101"},
		{"text for a truth", set("sighting", "x_opencti_negative", "no"), "neither true nor false"},
		{"a hash in capitals", set("file", "hashes", members{"MD5": "D41D8CD98F00B204E9800998ECF8427E"}), "hashes has MD5"},
		{"a short hash", set("file", "hashes", members{"SHA-1": "d41d8cd98f00b204e9800998ecf8427e"}), "hashes has SHA-1"},
		{"a file by nothing", set("file", "hashes", nil), "none of hashes, name"},
		{"an address at length", set("address", "value", "2001:0db8:0:0:0:0:0:1"), "not in the one form"},
		{"an address of the other kind", set("address", "value", "198.51.100.7"), "not in the one form"},
		{"no address", set("address", "value", "198.51.100"), "no address"},
		{"a marking of another standard", set("incident", "object_marking_refs", []any{"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"}), "no TLP marking of the platform"},
		{"an author that is none", set("system", "created_by_ref", file), "created_by_ref refers to a file"},
		{"a reference into nothing", set("note", "object_refs", []any{"incident--0dd27c59-e170-57ee-8f53-fadc094093bd"}), "neither in the bundle nor known"},
		{"a reference that is no id", set("note", "object_refs", []any{"4711"}), `"4711", which is no id`},
		{"a relationship to itself", set("related", "target_ref", file), "relates an object to itself"},
		{"a relationship that the platform refuses", set("related", "relationship_type", "indicates"), "no indicates from file to incident"},
		{"a relationship with a date", set("related", "start_time", day), "unknown property start_time"},
		{"a relationship with an external reference", set("related", "external_references", []any{members{"source_name": "EDR", "external_id": "1"}}), "unknown property external_references"},
		{"two places of a sighting", set("sighting", "where_sighted_refs", []any{system, author}), "has 2 entries"},
		{"a sighting in a file", set("sighting", "where_sighted_refs", []any{file}), "where_sighted_refs refers to a file"},
		{"a priority", set("case", "priority", "1"), "priority is 1"},
	} {
		bundle, at := sound()
		tt.change(bundle, at)
		if err := check(t, bundle); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestTextThatIsNoBundle(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "EOF",
		"[]":                         "cannot unmarshal",
		`{"type":1,"type":2}`:        "Duplicate key",
		`{"objects":["x"]}`:          "member 0 is no object",
		"{\"type\":\"bundle\xff\"}":  "Invalid UTF-8",
		`{"type":"x","objects":[1]}`: "type is x",
	} {
		if err := stixtest.Check(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
