package octisim

import (
	"fmt"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// life shows what of an indicator changes over time.
func life(i Indicator) string {
	line := fmt.Sprint(*i.Score, " ", *i.Detection, " until ", i.ValidUntil.Format(time.DateOnly))
	if i.Revoked {
		line += " revoked"
	}
	return line
}

func TestIndicatorsComeIn(t *testing.T) {
	tests := []struct{ name, members, want, message string }{
		{"nothing said", ``, "50 false until 2027-03-11", ""},
		{"score and detection", `"x_opencti_score": 80, "x_opencti_detection": true`, "80 true until 2027-03-11", ""},
		{"a score is at most 100", `"x_opencti_score": 180`, "100 false until 2027-03-11", ""},
		{"from an extension", `"extensions": {"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": {"score": 70, "detection": true}}`, "70 true until 2027-03-11", ""},
		{"the end is worked out whatever it was", `"valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-04-01T00:00:00Z"`, "50 false until 2027-03-01", ""},
		{"revoked is not believed", `"revoked": true`, "50 false until 2027-03-11", ""},
		{"but worked out", `"valid_from": "2024-03-01T00:00:00Z"`, "50 false until 2025-03-01 revoked", ""},
		{"an end before the start", `"valid_from": "2026-03-01T00:00:00Z", "valid_until": "2026-03-01T00:00:00Z"`, "", "FUNCTIONAL_ERROR: You cant create"},
		{"a type that is none", `"x_opencti_main_observable_type": "Indicator"`, "", "FUNCTIONAL_ERROR: Observable type"},
		{"another type that is none", `"x_opencti_main_observable_type": "Nothing"`, "", "FUNCTIONAL_ERROR: Observable type"},
		{"files go by two names", `"x_opencti_main_observable_type": "File"`, "50 false until 2027-03-11", ""},
		{"no type is known by its name", `"x_opencti_main_observable_type": "Unknown"`, "50 false until 2027-03-11", ""},
		{"a pattern type nobody may add", `"pattern_type": "regex"`, "", "FUNCTIONAL_ERROR: Unknown pattern type"},
		{"no pattern type", `"pattern_type": ""`, "", "FUNCTIONAL_ERROR: pattern and pattern_type"},
		{"a broken pattern", `"pattern": "[domain-name:value = 'evil.example'"`, "", "INCORRECT_INDICATOR_FORMAT"},
		{"a pattern without a comparison", `"pattern": "[domain-name]"`, "", "INCORRECT_INDICATOR_FORMAT"},
		{"a quote that never closes", `"pattern": "[domain-name:value = 'evil.example]"`, "", "INCORRECT_INDICATOR_FORMAT"},
		{"no YARA rule", `"pattern_type": "yara", "pattern": "rule"`, "", "INCORRECT_INDICATOR_FORMAT"},
		{"no Sigma rule", `"pattern_type": "sigma", "pattern": "title: x"`, "", "INCORRECT_INDICATOR_FORMAT"},
		{"no YAML at all", `"pattern_type": "sigma", "pattern": "\t{"`, "", "INCORRECT_INDICATOR_FORMAT"},
		{"an excluded value", `"pattern": "[domain-name:value = 'GOOD.example']"`, "", "INDICATOR_PATTERN_EXCLUDED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			s.SetKnobs(func(k *Knobs) { k.Exclude = []string{"good.example"} })
			object := domain
			if tt.members != "" {
				object = plus(domain, tt.members) // the last of two members with one name counts
			}
			wants(t, pushed(t, s, corp, object), tt.message)
			i, ok := s.Indicator(domainID)
			if ok != (tt.message == "") {
				t.Fatalf("held: %v", ok)
			}
			if ok && life(i) != tt.want {
				t.Errorf("got %s, want %s", life(i), tt.want)
			}
		})
	}
}

func TestIndicatorsChange(t *testing.T) {
	const first = `"x_opencti_score": 80, "x_opencti_detection": true, "confidence": 60, "labels": ["a"], "indicator_types": ["benign"], "x_mitre_platforms": ["windows"]`
	expire := func(s *Sim) { s.Expire(domainID) }
	decay := func(s *Sim) { s.Edit(domainID, func(i *Indicator) { i.Score = new(30) }) }
	tests := []struct {
		name    string
		between func(*Sim)
		members string
		want    string
	}{
		{"revoked is applied later", nil, `"revoked": true`, "80 true until 2027-03-11 revoked"},
		{"a new end is applied later", nil, `"valid_until": "2026-06-01T00:00:00Z"`, "80 true until 2026-06-01"},
		{"an end in the past revokes at once", nil, `"valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-03-01T00:00:00Z"`, "20 false until 2026-03-01 revoked"},
		{"too little confidence", nil, `"revoked": true, "x_opencti_score": 10, "confidence": 59`, "80 true until 2027-03-11"},
		{"detection off", nil, `"x_opencti_detection": false`, "80 false until 2027-03-11"},
		{"the same score does not undo decay", decay, `"x_opencti_score": 80`, "30 true until 2027-03-11"},
		{"nor with revoked false", decay, `"x_opencti_score": 80, "revoked": false`, "30 true until 2027-03-11"},
		{"another score does", decay, `"x_opencti_score": 81`, "81 true until 2027-03-11"},
		{"taking back a revocation restores the score", expire, `"revoked": false`, "80 false until 2027-03-11"},
		{"or sets it", expire, `"revoked": false, "x_opencti_score": 40`, "40 false until 2027-03-11"},
		{"silence does not take it back", expire, `"description": "x"`, "20 false until 2027-03-11 revoked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			wants(t, pushed(t, s, corp, plus(domain, first)), "")
			if tt.between != nil {
				tt.between(s)
			}
			wants(t, pushed(t, s, corp, plus(domain, tt.members)), "")
			if i, _ := s.Indicator(domainID); life(i) != tt.want {
				t.Errorf("got %s, want %s", life(i), tt.want)
			}
		})
	}
}

func TestIndicatorListsGrowAndEventsTellOfChanges(t *testing.T) {
	s := registered(t, Options{Version: newest})
	events := func() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.log.events) }
	start := events()
	object := plus(domain, `"labels": ["a"], "indicator_types": ["benign"], "kill_chain_phases": [{"kill_chain_name": "c", "phase_name": "p"}], "confidence": 60`)
	wants(t, pushed(t, s, corp, object), "")
	wants(t, pushed(t, s, corp, object), "")
	wants(t, pushed(t, s, corp, object), "")
	simtest.Is(t, "events of one change", 1, events()-start)
	wants(t, pushed(t, s, corp, plus(domain, `"labels": ["b", "a"], "indicator_types": ["attribution"], "x_mitre_platforms": ["linux"], "object_marking_refs": ["`+amber+`"],
		"external_references": [{"source_name": "S", "external_id": "1"}], "confidence": 10, "name": "not this"`)), "")
	i, _ := s.Indicator(domainID)
	got := []any{i.Name, i.Labels, i.IndicatorTypes, i.Platforms, i.Markings[0].Definition, i.References, len(i.Phases), *i.Confidence}
	want := []any{"[domain-name:value = 'evil.example']", []Label{{"a"}, {"b"}}, []string{"benign", "attribution"}, []string{"linux"}, "TLP:AMBER", []ExternalRef{{Source: "S", ExternalID: "1"}}, 1, 60}
	simtest.Same(t, "indicator", want, got)
	simtest.Is(t, "events of two changes", 2, events()-start)
}

func TestAPatternChangesUnderAKnownID(t *testing.T) {
	s := registered(t, Options{Version: newest})
	sent := fresh("indicator")
	object := func(value, more string) string {
		return `{"type": "indicator", "id": "` + sent + `", "pattern": "[domain-name:value='` + value + `']", "pattern_type": "stix"` + more + `}`
	}
	wants(t, pushed(t, s, corp, object("evil.example", "")), "")
	wants(t, pushed(t, s, corp, object("other.example", "")), "")
	i, ok := s.Indicator(sent)
	if !ok || i.Pattern != "[domain-name:value = 'other.example']" || i.StandardID == domainID || s.Held().Indicators != 6 {
		t.Errorf("indicator %+v", i)
	}
	wants(t, pushed(t, s, corp, domain), "")
	wants(t, pushed(t, s, corp, object("evil.example", `, "description": "x"`)), "")
	if i, _ := s.Indicator(domainID); i.Description != "x" || s.Held().Indicators != 7 {
		t.Errorf("the standard id comes first: %+v", i)
	}
	wants(t, pushed(t, s, corp, object("a.example", `, "confidence": 5`)), "")
	if i, _ := s.Indicator("a"); len(i.StixIDs) != 0 {
		t.Errorf("an id of another object was taken: %q", i.StixIDs)
	}
}

func TestObservablesAreMadeOfAPattern(t *testing.T) {
	s := registered(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, `{"type": "indicator", "id": "`+fresh("indicator")+`", "pattern_type": "stix", "x_opencti_create_observables": true,
		"pattern": "[domain-name:value = 'evil.example' OR file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e' OR file:name = 'a.exe' OR ipv4-addr:value = 'no address' OR x-custom:value = 'x' OR file:size = '5']"}`), "")
	var got []string
	for _, o := range s.Observables() {
		got = append(got, fmt.Sprint(o.EntityType, " ", o.Value, o.Name, o.Hashes))
	}
	if held := s.Held(); held.Relations != 3 || len(got) != 3 {
		t.Errorf("held %+v, observables %q", held, got)
	}
	// Two hashes of one file are two files, and each knows one.
	wants(t, pushed(t, s, corp, `{"type": "indicator", "id": "`+fresh("indicator")+`", "pattern_type": "stix", "x_opencti_create_observables": true,
		"pattern": "[file:hashes.MD5 = '0cc175b9c0f1b6a831c399e269772661' AND file:hashes.'SHA-1' = '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8']"}`), "")
	files := 0
	for _, o := range s.Observables() {
		if o.EntityType == "StixFile" && len(o.Hashes) == 1 {
			files++
		}
	}
	simtest.Is(t, "files with one hash", 3, files)
	// The literals lose their quotes, and an escape stays what it is written as.
	wants(t, pushed(t, s, corp, `{"type": "indicator", "id": "`+fresh("indicator")+`", "pattern_type": "stix", "x_opencti_create_observables": true,
		"pattern": "[file:name = 'C:\\\\Windows\\\\evil.exe' OR file:name = 'it\\'s.exe']"}`), "")
	var names []string
	for _, o := range s.Observables() {
		names = append(names, o.Name)
	}
	if !holds(names, []string{`C:\\Windows\\evil.exe`, `it\s.exe`}) {
		t.Errorf("observables %q", names)
	}
}

func TestExpiry(t *testing.T) {
	s, now := clocked(t, Options{Version: newest})
	wants(t, pushed(t, s, corp, plus(domain, `"x_opencti_score": 80, "x_opencti_detection": true`), plus(rule, `"x_opencti_score": 10, "x_opencti_detection": true`)), "")
	simtest.Is(t, "works expired before their time", 0, s.Expire())
	simtest.Is(t, "expired by id", 1, s.Expire(domainID, "unknown"))
	*now = now.AddDate(2, 0, 0)
	simtest.Is(t, "expired", 1, s.Expire())
	a, _ := s.Indicator(domainID)
	b, _ := s.Indicator(ruleID)
	if got := life(a) + ", " + life(b); got != "20 false until 2027-03-11 revoked, 0 false until 2027-03-11 revoked" || !b.UpdatedAt.Equal(*now) {
		t.Errorf("%s, changed at %v", got, b.UpdatedAt)
	}
}
