package octisim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestLoadedLinesGetSensibleValues(t *testing.T) {
	s := New(Options{Token: "t", Now: func() time.Time { return day(3) }})
	n, err := s.LoadJSONL(strings.NewReader(`{"pattern": "[domain-name:value='evil.example']", "observables": [{"entity_type": "Domain-Name", "value": "evil.example"}]}

{"id": "given", "standard_id": "indicator--00000000-0000-4000-8000-000000000000", "name": "N", "pattern": "rule x {}", "pattern_type": "yara", "x_opencti_detection": null, "created_at": "2026-02-01T00:00:00.000Z", "valid_until": null, "objectLabel": [{"value": "a"}], "objectMarking": [{"definition": "TLP:WHITE"}]}`))
	if n != 2 || err != nil {
		t.Fatalf("loaded %d, %v", n, err)
	}
	r := ask(t, s, `{ indicators(orderBy: created_at) { edges { node { id standard_id name pattern pattern_type revoked x_opencti_detection x_opencti_score valid_from valid_until
		created_at updated_at x_opencti_main_observable_type objectLabel { value } objectMarking { definition } } } } }`, nil)
	want := []any{
		map[string]any{"node": map[string]any{
			"id": "given", "standard_id": "indicator--00000000-0000-4000-8000-000000000000", "name": "N", "pattern": "rule x {}", "pattern_type": "yara",
			"revoked": false, "x_opencti_detection": nil, "x_opencti_score": nil, "valid_from": "2026-02-01T00:00:00.000Z", "valid_until": nil,
			"created_at": "2026-02-01T00:00:00.000Z", "updated_at": "2026-02-01T00:00:00.000Z", "x_opencti_main_observable_type": "Unknown",
			"objectLabel": []any{map[string]any{"value": "a"}}, "objectMarking": []any{map[string]any{"definition": "TLP:CLEAR"}},
		}},
		map[string]any{"node": map[string]any{
			"id": r.get("indicators", "edges", 1, "node", "id"), "standard_id": "indicator--4085ccb3-051d-5f93-9a2e-e75dfe732425",
			"name": "[domain-name:value = 'evil.example']", "pattern": "[domain-name:value = 'evil.example']", "pattern_type": "stix",
			"revoked": false, "x_opencti_detection": nil, "x_opencti_score": nil, "valid_from": "2026-03-04T12:00:00.000Z", "valid_until": nil,
			"created_at": "2026-03-04T12:00:00.000Z", "updated_at": "2026-03-04T12:00:00.000Z", "x_opencti_main_observable_type": "Domain-Name",
			"objectLabel": []any{}, "objectMarking": []any{},
		}},
	}
	simtest.Same(t, "indicators", want, r.get("indicators", "edges"))
	rel := ask(t, s, basedOnQuery, map[string]any{"first": 10})
	if got := rel.get("stixCoreRelationships", "edges", 0, "node", "to", "observable_value"); got != "evil.example" {
		t.Errorf("based on %v: %s", got, rel.Text)
	}
}

func TestBadLinesAreNamed(t *testing.T) {
	s := New(Options{})
	s.Put(Indicator{ID: "a", Pattern: "[url:value = 'a']"})
	s.Put(Indicator{ID: "b", Pattern: "[url:value = 'b']"})
	for text, want := range map[string]string{
		"\n{": "line 2:", `{"id": "a", "pattern": "[url:value = 'b']"}`: "line 1: another indicator has this pattern",
		`{"pattern": "x", "created_at": "yesterday"}`: "line 1:",
	} {
		if _, err := s.LoadJSONL(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestEditMovesWhatFollowsFromIt(t *testing.T) {
	s := five(Options{})
	before, _ := s.Indicator("b")
	if !s.Edit("b", func(i *Indicator) { i.Pattern = "[ipv4-addr:value='198.51.100.7']"; i.Labels = []Label{{"new"}} }) {
		t.Fatal("no such indicator")
	}
	after, ok := s.Indicator("indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968")
	want := before
	want.Pattern, want.StandardID, want.MainType = "[ipv4-addr:value = '198.51.100.7']", "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "IPv4-Addr"
	want.UpdatedAt, want.Modified, want.Labels = day(10), day(10), []Label{{"new"}}
	if diff := cmp.Diff(want, after); diff != "" || !ok {
		t.Errorf("indicator (-want +got):\n%s", diff)
	}
	if _, ok := s.Indicator(before.StandardID); ok {
		t.Error("the old standard id still leads to it")
	}
	s.Edit("b", func(i *Indicator) { i.Revoked = true })
	if again, _ := s.Indicator("b"); !again.UpdatedAt.After(after.UpdatedAt) || again.StandardID != after.StandardID {
		t.Errorf("a second edit at the same time: updated_at %v, was %v", again.UpdatedAt, after.UpdatedAt)
	}
	if s.Edit("b", func(i *Indicator) { i.Pattern = "[domain-name:value = 'a.example']" }) || s.Edit("nobody", func(*Indicator) {}) {
		t.Error("an edit that cannot be was done")
	}
	if names, _, _ := walk(t, s, byCreation(2)); strings.Join(names, "") != "abcde" {
		t.Errorf("names %v", names)
	}
}

func TestOnePatternIsOneIndicator(t *testing.T) {
	s := five(Options{})
	simtest.Is(t, "id of the indicator with the pattern", "a", s.Put(Indicator{Pattern: "[domain-name:value='a.example']", Name: "again"}))
	got, _ := s.Indicator("a")
	if got.Name != "again" || !got.CreatedAt.Equal(day(0)) || len(s.Indicators()) != 5 {
		t.Errorf("name %q, created %v", got.Name, got.CreatedAt)
	}
	simtest.Is(t, "pattern of the other indicator", "", s.Put(Indicator{ID: "a", Pattern: "[domain-name:value = 'b.example']"}))
}

// What comes back from the trash has its internal id, and another created_at.
func TestARestoreKeepsTheInternalID(t *testing.T) {
	s := five(Options{})
	was, _ := s.Indicator("a")
	s.Delete("a")
	simtest.Is(t, "restored as", "a", s.Put(Indicator{ID: was.ID, Name: was.Name, Pattern: was.Pattern}))
	if now, _ := s.Indicator("a"); now.StandardID != was.StandardID || !now.CreatedAt.After(was.CreatedAt) {
		t.Errorf("restored %+v", now)
	}
}

// pairs reads all pages of based-on relations, as what is based on what.
func pairs(t *testing.T, s *Sim, vars map[string]any) []string {
	vars["first"] = 2
	var out []string
	for vars["after"] = ""; ; {
		r := ask(t, s, basedOnQuery, vars)
		from := r.each([]any{"stixCoreRelationships", "edges"}, "node", "fromId")
		for i, to := range r.each([]any{"stixCoreRelationships", "edges"}, "node", "to", "observable_value") {
			out = append(out, from[i]+" "+to)
		}
		if r.code() != "" || r.get("stixCoreRelationships", "pageInfo", "hasNextPage") != true {
			return out
		}
		vars["after"] = r.get("stixCoreRelationships", "pageInfo", "endCursor")
	}
}

func TestBasedOn(t *testing.T) {
	s := five(Options{})
	file := Observable{EntityType: "StixFile", Name: "x.exe", Hashes: Hashes{{"SHA-256", strings.Repeat("e", 64)}, {"MD5", strings.Repeat("d", 32)}}}
	one, two := s.Attach("a", file), s.Attach("b", file)
	url := s.Attach("a", Observable{EntityType: "Url", Value: "http://a.example/"})
	if one == "" || one != two || url == one || s.Attach("a", file) != one || s.Attach("nobody", file) != "" {
		t.Fatalf("observables %q, %q, %q", one, two, url)
	}
	if i, _ := s.Indicator("a"); !i.UpdatedAt.Equal(day(0)) {
		t.Errorf("updated_at = %v: a relation moved it", i.UpdatedAt)
	}
	md5 := strings.Repeat("d", 32)
	tests := []struct {
		name string
		vars map[string]any
		want []string
	}{
		{"all", map[string]any{}, []string{"a " + md5, "a http://a.example/", "b " + md5}},
		{"from some", map[string]any{"from": []string{"b", "c", "b", "nobody"}}, []string{"b " + md5}},
		{"from none of them", map[string]any{"from": []string{"c"}}, nil},
		{"an empty list restricts nothing", map[string]any{"from": []string{}}, []string{"a " + md5, "a http://a.example/", "b " + md5}},
		{"by filter", map[string]any{"filters": and(is("toId", "eq", url))}, []string{"a http://a.example/"}},
		{"by filter and from", map[string]any{"from": []string{"a"}, "filters": and(is("toTypes", "eq", "StixFile"))}, []string{"a " + md5}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := map[string]bool{}
			for _, p := range pairs(t, s, tt.vars) {
				got[p] = true
			}
			want := map[string]bool{}
			for _, p := range tt.want {
				want[p] = true
			}
			simtest.Same(t, "pairs", want, got)
		})
	}
	r := ask(t, s, basedOnQuery, map[string]any{"first": 1, "from": []string{"b"}})
	want := map[string]any{"id": one, "standard_id": "file--" + strings.TrimPrefix(s.items[one].core().standard, "file--"), "entity_type": "StixFile",
		"observable_value": md5, "file_name": "x.exe", "hashes": []any{
			map[string]any{"algorithm": "SHA-256", "hash": strings.Repeat("e", 64)}, map[string]any{"algorithm": "MD5", "hash": md5}}}
	simtest.Same(t, "target", want, r.get("stixCoreRelationships", "edges", 0, "node", "to"))
	if !s.Detach("a", one) || s.Detach("a", one) {
		t.Error("detached not exactly once")
	}
	s.Delete("b")
	if got := pairs(t, s, map[string]any{}); !cmp.Equal(got, []string{"a http://a.example/"}) {
		t.Errorf("relations left: %v", got)
	}
	simtest.Is(t, "the observable went with its relations", "StixFile", ask(t, s, findQuery, map[string]any{"id": one}).get("stixObjectOrStixRelationship", "__typename"))
}

func TestAnyIDFindsAnObject(t *testing.T) {
	s := five(Options{})
	s.Edit("a", func(i *Indicator) { i.StixIDs = []string{"indicator--11111111-1111-4111-8111-111111111111"} })
	i, _ := s.Indicator("a")
	for _, id := range []string{"a", i.StandardID, i.StixIDs[0]} {
		if r := ask(t, s, `query($id: String!) { indicator(id: $id) { id } }`, map[string]any{"id": id}); r.get("indicator", "id") != "a" {
			t.Errorf("id %s: %s", id, r.Text)
		}
	}
	simtest.Is(t, "an unknown id", `{"data":{"stixObjectOrStixRelationship":null}}`, ask(t, s, findQuery, map[string]any{"id": "nobody"}).Text)
}

func TestObservableValuesComeFromThePattern(t *testing.T) {
	s := New(Options{Token: "t"})
	s.Put(Indicator{ID: "i", Pattern: `[file:hashes.'SHA-256' = 'ab' AND file:name = 'it\'s'] OR [ipv4-addr:value = '198.51.100.7' OR domain-name:value != 'x' OR url:value LIKE 'y']`})
	r := ask(t, s, `{ indicator(id: "i") { x_opencti_main_observable_type x_opencti_observable_values { type value hashes { algorithm hash } } } }`, nil)
	want := map[string]any{"x_opencti_main_observable_type": "StixFile", "x_opencti_observable_values": []any{
		map[string]any{"type": "StixFile", "value": nil, "hashes": []any{map[string]any{"algorithm": "SHA-256", "hash": "ab"}}},
		map[string]any{"type": "StixFile", "value": `it\s`, "hashes": nil},
		map[string]any{"type": "IPv4-Addr", "value": "198.51.100.7", "hashes": nil},
	}}
	simtest.Same(t, "indicator", want, r.get("indicator"))
}
