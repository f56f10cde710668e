package octisim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// sample is an indicator with everything that the stream shows of one.
func sample() Indicator {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	return Indicator{
		ID: "2f9a1c1e-8f36-4f7e-9a41-0d6f3c1f6b77", Name: "payload.exe", Description: "a <b> \u2028 c", StixIDs: []string{"indicator--x"},
		Pattern: "[file:hashes.'SHA-256' = 'e3b0']", PatternVersion: "2.1", IndicatorTypes: []string{"malicious-activity"},
		Confidence: new(80), Score: new(0), Detection: new(false), Platforms: []string{"windows"},
		ValidFrom: at, ValidUntil: at, Created: at.Add(-time.Hour), Modified: at.Add(5 * time.Second), CreatedAt: at, UpdatedAt: at.Add(5120 * time.Millisecond),
		CreatedBy: &Identity{ID: "author", Name: "ACME"}, Labels: []Label{{"edr"}}, Markings: []Marking{{Definition: "TLP:AMBER"}},
		Phases:     []KillChain{{"lockheed", "delivery"}},
		References: []ExternalRef{{Source: "CERT", URL: "https://cert.example/1"}},
	}
}

// stixOf is the STIX form of an object as a client reads it.
func stixOf(t *testing.T, s *Sim, id string) map[string]any {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	return parsed(t, jsonText(s.stix(s.items[id])))
}

func parsed(t testing.TB, text []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestTheSTIXFormOfAnIndicator(t *testing.T) {
	s := New(Options{Now: func() time.Time { return day(0) }})
	s.Put(sample())
	got := stixOf(t, s, sample().ID)
	label := s.labels["edr"].id
	want := `{"id":"indicator--f4de0cbb-fe7c-53c2-b67f-ba3a0a9a9dc5","spec_version":"2.1","type":"indicator",` +
		`"created":"2026-03-01T09:00:00.000Z","modified":"2026-03-01T10:00:05.000Z","revoked":false,"confidence":80,"lang":"en","labels":["edr"],` +
		`"object_marking_refs":["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"],"created_by_ref":"identity--AUTHOR",` +
		`"external_references":[{"source_name":"CERT","url":"https://cert.example/1"}],"name":"payload.exe","description":"a <b> ` + "\u2028" + ` c",` +
		`"indicator_types":["malicious-activity"],"pattern":"[file:hashes.'SHA-256' = 'e3b0']","pattern_type":"stix","pattern_version":"2.1",` +
		`"valid_from":"2026-03-01T10:00:00.000Z","valid_until":"2026-03-01T10:00:01.000Z","kill_chain_phases":[{"kill_chain_name":"lockheed","phase_name":"delivery"}],` +
		`"extensions":{"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba":{"extension_type":"property-extension","id":"2f9a1c1e-8f36-4f7e-9a41-0d6f3c1f6b77",` +
		`"type":"Indicator","created_at":"2026-03-01T10:00:00.000Z","updated_at":"2026-03-01T10:00:05.120Z","stix_ids":["indicator--x"],"is_inferred":false,` +
		`"creator_ids":["` + systemUser + `"],"labels_ids":["` + label + `"],"created_by_ref_id":"author","created_by_ref_type":"Organization",` +
		`"detection":false,"score":0,"main_observable_type":"StixFile","observable_values":[{"type":"StixFile","hashes":{"SHA-256":"e3b0"}}]},` +
		`"extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b":{"extension_type":"property-extension","platforms":["windows"]}}}`
	i, _ := s.Indicator(sample().ID)
	want = strings.NewReplacer("identity--AUTHOR", i.CreatedBy.StandardID, "indicator--f4de0cbb-fe7c-53c2-b67f-ba3a0a9a9dc5", i.StandardID).Replace(want)
	simtest.Same(t, "STIX", parsed(t, []byte(want)), got)
}

// Null, empty texts and lists, and dates that mean "unknown" are left out; false and 0 stay.
func TestEmptyMembersAreLeftOut(t *testing.T) {
	s := New(Options{Now: func() time.Time { return day(0) }})
	s.Put(Indicator{ID: "a", Name: "n", Pattern: "rule x {}", PatternType: "yara", ValidFrom: time.UnixMilli(0), ValidUntil: time.Date(5138, 11, 16, 9, 46, 40, 0, time.UTC)})
	got := stixOf(t, s, "a")
	for _, name := range []string{"description", "labels", "object_marking_refs", "confidence", "valid_from", "valid_until", "external_references", "created_by_ref"} {
		if v, ok := got[name]; ok {
			t.Errorf("%s is %v", name, v)
		}
	}
	ext := sse{Data: map[string]any{"data": got}}
	if got["revoked"] != false || ext.octi("is_inferred") != false || ext.octi("detection") != nil || ext.octi("observable_values") != nil {
		t.Errorf("revoked %v, extension %v", got["revoked"], got["extensions"])
	}
}

func TestTheSTIXFormOfWhatSurroundsAnIndicator(t *testing.T) {
	s := New(Options{Now: func() time.Time { return day(0) }})
	in := deployed("a")
	in.CreatedBy, in.Markings = &Identity{ID: "author", Name: "ACME"}, []Marking{{Definition: "TLP:GREEN"}}
	s.Put(in)
	tests := []struct {
		name string
		in   Observable
		want map[string]any // top level, without what all have
	}{
		{"a file", Observable{EntityType: "StixFile", Name: "x.exe", Hashes: Hashes{{"MD5", "d41d"}}}, map[string]any{"type": "file", "name": "x.exe", "hashes": map[string]any{"MD5": "d41d"}}},
		{"an address", Observable{EntityType: "IPv4-Addr", Value: "192.0.2.1"}, map[string]any{"type": "ipv4-addr", "value": "192.0.2.1"}},
		{"a network's number", Observable{EntityType: "Autonomous-System", Value: "AS64500"}, map[string]any{"type": "autonomous-system", "number": 64500.0}},
		{"a registry key", Observable{EntityType: "Windows-Registry-Key", Value: `HKLM\x`}, map[string]any{"type": "windows-registry-key", "key": `HKLM\x`}},
		{"a process", Observable{EntityType: "Process", Value: "x.exe -a", Props: map[string]any{"pid": 7}}, map[string]any{"type": "process", "command_line": "x.exe -a", "pid": 7.0}},
		{"a kind of the platform's own", Observable{EntityType: "Hostname", Value: "pc", Score: new(5)}, map[string]any{"type": "hostname", "value": "pc", "score": 5.0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := s.Attach("a", tt.in)
			got := stixOf(t, s, id)
			m := sse{Data: map[string]any{"data": got}}
			if m.octi("id") != id || m.octi("type") != tt.in.EntityType || m.get("data", "extensions", extSCO) == nil || got["spec_version"] != "2.1" {
				t.Errorf("extensions %v", got["extensions"])
			}
			for _, name := range []string{"id", "spec_version", "extensions"} {
				delete(got, name)
			}
			simtest.Same(t, "STIX", tt.want, got)
			r := s.from["a"][len(s.from["a"])-1]
			rel := stixOf(t, s, r.id)
			m = sse{Data: map[string]any{"data": rel}}
			if rel["type"] != "relationship" || rel["relationship_type"] != "based-on" || rel["source_ref"] != s.items["a"].core().standard ||
				rel["target_ref"] != s.items[id].core().standard || m.octi("source_ref") != "a" || m.octi("target_ref") != id ||
				m.octi("source_value") != "a" || m.octi("target_type") != tt.in.EntityType || len(m.octi("source_ref_object_marking_refs").([]any)) != 1 {
				t.Errorf("relation %v", rel)
			}
		})
	}
}

func TestTheSTIXFormOfAuthorsAndMarkings(t *testing.T) {
	s := New(Options{Now: func() time.Time { return day(0) }})
	in := deployed("a")
	in.CreatedBy, in.Markings = &Identity{ID: "author", Name: "ACME"}, []Marking{{Definition: "TLP:GREEN"}}
	s.Put(in)
	for id, want := range map[string]string{"author": "identity ACME", s.items["a"].core().markings[0].id: "marking-definition TLP:GREEN"} {
		got := stixOf(t, s, id)
		if m := (sse{Data: map[string]any{"data": got}}); got["type"].(string)+" "+got["name"].(string) != want || m.octi("id") != id {
			t.Errorf("STIX of %s: %v", want, got)
		}
	}
}

// Patches lead there and back, whatever is in the objects.
func TestPatchesLeadThereAndBack(t *testing.T) {
	text := rapid.SampledFrom([]string{"", "a", "~", "/", "~1", "é\"\\"})
	value := rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return text.Draw(t, "text")
		case 1:
			return rapid.Bool().Draw(t, "flag")
		case 2:
			return rapid.SliceOfN(text, 0, 2).Draw(t, "list")
		default:
			return rapid.IntRange(0, 2).Draw(t, "number")
		}
	})
	flat := rapid.Custom(func(t *rapid.T) jsonObject {
		o := jsonObject{}
		for _, name := range rapid.SliceOfNDistinct(text, 0, 4, rapid.ID).Draw(t, "names") {
			o[name] = value.Draw(t, "value")
		}
		return o
	})
	nested := rapid.Custom(func(t *rapid.T) jsonObject {
		o := flat.Draw(t, "outer")
		for _, name := range sortedKeys(o) {
			if rapid.Bool().Draw(t, "nest") {
				o[name] = flat.Draw(t, "inner")
			}
		}
		return o
	})
	parse := func(o any) any {
		var v any
		if err := json.Unmarshal(jsonText(o), &v); err != nil {
			t.Fatalf("%s: %v", jsonText(o), err)
		}
		return v
	}
	rapid.Check(t, func(rt *rapid.T) {
		was, now := nested.Draw(rt, "was"), nested.Draw(rt, "now")
		forth, back := diff("", was, now)
		simtest.Same(rt, "forth", parse(now), patched(rt, parse(was), parse(forth)))
		simtest.Same(rt, "back", parse(was), patched(rt, parse(now), parse(back)))
		if (len(forth) == 0) != (cmp.Diff(parse(was), parse(now)) == "") {
			rt.Errorf("%d operations between %s and %s", len(forth), jsonText(was), jsonText(now))
		}
	})
}
