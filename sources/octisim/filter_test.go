package octisim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// zoo is a platform with indicators that differ in what filters look at.
func zoo(version string) *Sim {
	s := New(Options{Token: "t", Version: version, Now: func() time.Time { return day(10) }})
	p := func(name string) string { return "[domain-name:value = '" + name + ".example']" }
	s.Put(Indicator{ID: "plain", Name: "Été", Pattern: p("plain"), CreatedAt: day(0), Score: new(50), Detection: new(true), Labels: []Label{{"edr"}, {"Red Team"}}})
	s.Put(Indicator{ID: "revoked", Name: "revoked", Pattern: p("revoked"), CreatedAt: day(1), Revoked: true, Score: new(0), Detection: new(false), IndicatorTypes: []string{"benign", "anomalous"}})
	s.Put(Indicator{ID: "sigma", Name: "sigma rule", Pattern: "title: x", PatternType: "sigma", CreatedAt: day(2), ValidUntil: day(5), Markings: []Marking{{Definition: "TLP:AMBER"}}})
	s.Put(Indicator{ID: "long", Name: strings.Repeat("n", 513), Pattern: p("long"), CreatedAt: day(3), UpdatedAt: day(8), ValidUntil: time.Date(5138, 11, 16, 9, 46, 40, 0, time.UTC), Score: new(90)})
	s.Put(Indicator{ID: "edge", Name: strings.Repeat("m", 512), Pattern: p("edge"), CreatedAt: day(4), ValidUntil: day(20), Confidence: new(80), Platforms: []string{"windows"}, CreatedBy: &Identity{ID: "author", Name: "Lab"}})
	return s
}

func filtered(t *testing.T, s *Sim, filters any) reply {
	t.Helper()
	return ask(t, s, indicatorPage, map[string]any{"first": 100, "orderBy": "created_at", "filters": filters})
}

func TestFilters(t *testing.T) {
	s := zoo("7.260817.0")
	amber := s.marking(Marking{Definition: "TLP:AMBER"}).id
	edr := s.labelIDs("edr")[0]
	long := strings.Repeat("n", 513)
	all := func(f map[string]any) map[string]any { f["mode"] = "and"; return f }
	const everything = "plain revoked sigma long edge"
	tests := []struct {
		name   string
		filter map[string]any
		want   string
	}{
		{"an empty group passes all", and(), everything},
		{"an empty or passes all", group("or"), everything},
		{"booleans are texts", and(is("revoked", "eq", "false")), "plain sigma long edge"},
		{"null is neither true", and(is("x_opencti_detection", "eq", "true")), "plain"},
		{"nor false", and(is("x_opencti_detection", "eq", "false")), "revoked"},
		{"but it is not true", and(is("x_opencti_detection", "not_eq", "true")), "revoked sigma long edge"},
		{"several values are any of them", and(is("pattern_type", "eq", "sigma", "yara")), "sigma"},
		{"text compares without case", and(is("pattern_type", "eq", "SIGMA")), "sigma"},
		{"and without accents", and(is("name", "eq", "ete")), "plain"},
		{"not_eq of several, by or, is nearly always true", and(is("pattern_type", "not_eq", "sigma", "stix")), everything},
		{"not_eq of several, by and, is none of them", and(all(is("pattern_type", "not_eq", "sigma", "yara"))), "plain revoked long edge"},
		{"eq by and wants every value", and(all(is("indicator_types", "eq", "benign", "anomalous"))), "revoked"},
		{"eq by and fails on one", and(all(is("indicator_types", "eq", "benign", "other"))), ""},
		{"512 characters are indexed", and(is("name", "starts_with", "mmm")), "edge"},
		{"513 are not", and(is("name", "eq", long)), ""},
		{"not even in part", and(is("name", "contains", "nnn")), ""},
		{"so they are not equal to themselves", and(is("name", "not_eq", long)), everything},
		{"contains", and(is("pattern", "contains", "PLAIN.")), "plain"},
		{"not_contains", and(is("pattern", "not_contains", "plain.")), "revoked sigma long edge"},
		{"starts_with", and(is("name", "starts_with", "Sig")), "sigma"},
		{"not_starts_with", and(is("name", "not_starts_with", "sig")), "plain revoked long edge"},
		{"ends_with", and(is("name", "ends_with", "RULE")), "sigma"},
		{"not_ends_with", and(is("name", "not_ends_with", "rule")), "plain revoked long edge"},
		{"wildcard", and(is("name", "wildcard", "s*rul?")), "sigma"},
		{"match wants whole words", and(is("name", "match", "rule")), "sigma"},
		{"match does not take half of one", and(is("name", "match", "rul")), ""},
		{"search does", and(is("name", "search", "rul")), "sigma"},
		{"numbers are texts", and(is("x_opencti_score", "gte", "50")), "plain long"},
		{"and compare as numbers", and(is("x_opencti_score", "lt", "9")), "revoked"},
		{"lte", and(is("x_opencti_score", "lte", "50")), "plain revoked"},
		{"no score", and(is("x_opencti_score", "nil")), "sigma edge"},
		{"a score", and(is("x_opencti_score", "not_nil")), "plain revoked long"},
		{"confidence", and(is("confidence", "gt", "79")), "edge"},
		{"a date that means unknown is nil", and(is("valid_until", "nil")), "plain revoked long"},
		{"still valid or without end", group("or", is("valid_until", "gt", "2026-03-10T00:00:00Z"), is("valid_until", "nil")), "plain revoked long edge"},
		{"created", and(is("created_at", "lte", "2026-03-02T12:00:00.000Z")), "plain revoked"},
		{"updated since", and(is("updated_at", "gte", "2026-03-08T00:00:00Z")), "long"},
		{"a distance from now", and(is("created_at", "gt", "now-7d")), "edge"},
		{"within takes both ends", and(is("created_at", "within", "2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z")), "revoked sigma"},
		{"by internal id", and(is("ids", "eq", "plain", "nobody", "edge")), "plain edge"},
		{"by standard id", and(is("ids", "eq", s.Indicators()[1].StandardID)), "revoked"},
		{"ids under or do not narrow the rest", group("or", is("ids", "eq", "plain"), is("revoked", "eq", "true")), "plain revoked"},
		{"ids with the rest of the filter", and(is("ids", "eq", "plain", "revoked"), is("revoked", "eq", "true")), "revoked"},
		{"the mode of ids has no effect", and(all(is("ids", "eq", "plain", "edge"))), "plain edge"},
		{"not these ids", and(is("ids", "not_eq", "plain", "edge")), "revoked sigma long"},
		{"a marking by internal id", and(is("objectMarking", "eq", amber)), "sigma"},
		{"a marking's standard id matches nothing", and(is("objectMarking", "eq", "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82")), ""},
		{"no such marking", and(is("objectMarking", "not_eq", amber)), "plain revoked long edge"},
		{"no marking at all", and(is("objectMarking", "nil")), "plain revoked long edge"},
		{"a label by id", and(is("objectLabel", "eq", edr)), "plain"},
		{"a label by text", and(is("objectLabel", "eq", "red TEAM")), "plain"},
		{"not a label", and(is("objectLabel", "not_eq", "edr")), "revoked sigma long edge"},
		{"an author by internal id", and(is("createdBy", "eq", "author")), "edge"},
		{"platforms", and(is("x_mitre_platforms", "eq", "Windows")), "edge"},
		{"the entity type is harmless", and(is("entity_type", "eq", "Indicator")), everything},
		{"a parent type", and(is("entity_type", "eq", "Stix-Domain-Object")), everything},
		{"another type has none", and(is("entity_type", "eq", "Report")), ""},
		{"a key of other kinds is missing", and(is("severity", "eq", "high")), ""},
		{"exactly these values", and(is("indicator_types", "only_eq_to", "anomalous", "benign")), "revoked"},
		{"not exactly these values", and(is("indicator_types", "not_only_eq_to", "benign")), everything},
		{"groups nest", map[string]any{"mode": "and", "filters": []any{is("revoked", "eq", "false")}, "filterGroups": []any{
			group("or", is("pattern_type", "eq", "sigma"), is("x_opencti_score", "eq", "90")),
		}}, "sigma long"},
		{"any of several keys", and(map[string]any{"key": []string{"name", "pattern_type"}, "values": []string{"sigma", "revoked"}}), "revoked sigma"},
		{"a single text stands for a list", and(map[string]any{"key": "pattern_type", "values": "sigma"}), "sigma"},
		{"values may be no texts", and(map[string]any{"key": "revoked", "values": []any{true}}), "revoked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := filtered(t, s, tt.filter)
			got := strings.Join(r.each([]any{"indicators", "edges"}, "node", "id"), " ")
			if diff := cmp.Diff(tt.want, got); diff != "" || r.code() != "" {
				t.Errorf("ids (-want +got):\n%s%s", diff, r.code())
			}
			simtest.Is(t, "globalCount", any(float64(len(strings.Fields(tt.want)))), r.get("indicators", "pageInfo", "globalCount"))
		})
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	tests := []struct {
		name, version string
		filter        map[string]any
		code, says    string
	}{
		{"an unknown key", "", and(is("patern_type", "eq", "stix")), "UNSUPPORTED_ERROR", "Incorrect filter keys not existing in any schema definition"},
		{"an unknown key in a nested group", "", map[string]any{"mode": "or", "filters": []any{}, "filterGroups": []any{and(is("x", "nil"))}}, "UNSUPPORTED_ERROR", "Incorrect filter keys"},
		{"eq without values", "", and(is("pattern_type", "eq")), "UNSUPPORTED_ERROR", "Invalid filter configuration"},
		{"no key", "", and(map[string]any{"key": []string{}, "values": []string{"x"}}), "UNSUPPORTED_ERROR", "Incorrect filters format"},
		{"a value that is an object", "", and(map[string]any{"key": []string{"name"}, "values": []any{map[string]any{"a": 1}}}), "UNSUPPORTED_ERROR", "Incorrect filters format"},
		{"no date", "", and(is("valid_until", "gt", "tomorrow")), "DATABASE_ERROR", "failed to parse date"},
		{"no boolean", "", and(is("revoked", "eq", "yes")), "DATABASE_ERROR", "boolean"},
		{"no number", "", and(is("x_opencti_score", "gt", "high")), "DATABASE_ERROR", "number"},
		{"an operator of streams", "7.260624.0", and(is("revoked", "has_changed", "true")), "UNSUPPORTED_ERROR", "has_changed"},
		{"an operator that is newer", "6.5.11", and(is("created_at", "within", "now-1d", "now")), "BAD_USER_INPUT", "within"},
		{"an unknown operator", "", and(is("name", "equals", "x")), "BAD_USER_INPUT", "FilterOperator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := filtered(t, zoo(tt.version), tt.filter)
			if r.Status != 200 || r.code() != tt.code || !strings.Contains(r.Text, tt.says) || r.get("indicators") != nil {
				t.Errorf("status %d: %s", r.Status, r.Text)
			}
		})
	}
}

func TestLabelTextsBeganWith6(t *testing.T) {
	simtest.Is(t, "found by a label before 6.0.0", 0, len(filtered(t, zoo("5.12.24"), and(is("objectLabel", "eq", "edr"))).each([]any{"indicators", "edges"}, "node", "id")))
}

func TestIDsFilterThatDoesNotWork(t *testing.T) {
	for knob, want := range map[string]string{"": "plain", "ignored": "plain long edge", "empty": ""} {
		s := zoo("")
		s.SetKnobs(func(k *Knobs) { k.IDsFilter = knob })
		for range 2 { // counts are remembered
			r := filtered(t, s, and(is("ids", "eq", "plain", "revoked"), is("revoked", "eq", "false"), is("pattern_type", "eq", "stix")))
			if got := strings.Join(r.each([]any{"indicators", "edges"}, "node", "id"), " "); got != want || r.get("indicators", "pageInfo", "globalCount") != float64(len(strings.Fields(want))) {
				t.Errorf("%q: found %q, want %q: %s", knob, got, want, r.Text)
			}
		}
	}
}

func TestCountsFollowTheData(t *testing.T) {
	s := zoo("")
	count := func() any {
		return filtered(t, s, and(is("revoked", "eq", "true"))).get("indicators", "pageInfo", "globalCount")
	}
	got := []any{count(), count()}
	s.Edit("plain", func(i *Indicator) { i.Revoked = true })
	got = append(got, count())
	s.Delete("revoked")
	got = append(got, count())
	simtest.Same(t, "counts", []any{1.0, 1.0, 2.0, 1.0}, got)
}
