package octisim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// in2026 is a time of the form that bundles hold: of March 2026, unless the month is given too.
func in2026(day string) string {
	if day == "" {
		return ""
	}
	if !strings.Contains(day, "-") {
		day = "03-" + day
	}
	return "2026-" + day + "T00:00:00.000Z"
}

// seen shows sightings as their dates and count, and a ! for those that are negative.
func seen(s *Sim) []string {
	var out []string
	for _, x := range s.Sightings() {
		date := func(at time.Time) string {
			if at.IsZero() {
				return "?"
			}
			return at.Format("01-02")
		}
		line := fmt.Sprintf("%s..%s %d", date(x.FirstSeen), date(x.LastSeen), x.Count)
		if x.Negative {
			line += "!"
		}
		out = append(out, line)
	}
	return out
}

func TestSightingsMerge(t *testing.T) {
	stable, other := fresh("sighting"), fresh("sighting")
	type push struct {
		id, first, last string
		count           int
		more            string
	}
	tests := []struct {
		name   string
		pushes []push
		want   []string
	}{
		{"the same range: the count is replaced", []push{{stable, "05", "06", 3, ""}, {stable, "05", "06", 2, ""}}, []string{"03-05..03-06 2"}},
		{"a later end: counts add up", []push{{stable, "05", "06", 3, ""}, {stable, "05", "07", 2, ""}}, []string{"03-05..03-07 5"}},
		{"an earlier start: counts add up", []push{{stable, "05", "06", 3, ""}, {stable, "04", "06", 2, ""}}, []string{"03-04..03-06 5"}},
		{"a range inside: the count is replaced", []push{{stable, "05", "09", 3, ""}, {stable, "06", "07", 2, ""}}, []string{"03-05..03-09 2"}},
		{"a total with a wider range is added on top, and replaced by a second push", []push{
			{stable, "05", "06", 3, ""}, {stable, "05", "07", 5, ""}, {stable, "05", "07", 5, ""},
		}, []string{"03-05..03-07 5"}},
		{"no dates: the count is replaced", []push{{stable, "05", "06", 3, ""}, {stable, "", "", 7, ""}}, []string{"03-05..03-06 7"}},
		{"first dates of a sighting without any extend it", []push{{stable, "", "", 3, ""}, {stable, "05", "06", 7, ""}}, []string{"03-05..03-06 10"}},
		{"a stable id knows no gap", []push{{stable, "05", "06", 3, ""}, {stable, "06-20", "06-21", 2, ""}}, []string{"03-05..06-21 5"}},
		{"other ids within 30 days are one", []push{{stable, "05", "06", 3, ""}, {other, "04-04", "04-05", 2, ""}}, []string{"03-05..04-05 5"}},
		{"other ids further apart are two", []push{{stable, "05", "06", 3, ""}, {other, "04-05", "04-05", 2, ""}}, []string{"03-05..03-06 3", "04-05..04-05 2"}},
		{"each given date has to be near", []push{{stable, "05", "06", 3, ""}, {other, "05", "04-06", 2, ""}}, []string{"03-05..03-06 3", "03-05..04-06 2"}},
		{"another id without dates is the same", []push{{stable, "05", "06", 3, ""}, {other, "", "", 2, ""}}, []string{"03-05..03-06 2"}},
		{"negative is applied later", []push{{stable, "05", "06", 3, ""}, {stable, "05", "06", 3, `, "x_opencti_negative": true`}}, []string{"03-05..03-06 3!"}},
		{"and taken back", []push{{stable, "05", "06", 3, `, "x_opencti_negative": true`}, {stable, "05", "06", 3, `, "x_opencti_negative": false`}}, []string{"03-05..03-06 3"}},
		{"and not by silence", []push{{stable, "05", "06", 3, `, "x_opencti_negative": true`}, {stable, "05", "06", 4, ""}}, []string{"03-05..03-06 4!"}},
		{"the extension says it too", []push{{stable, "05", "06", 3, `, "extensions": {"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": {"negative": true}}`}}, []string{"03-05..03-06 3!"}},
		{"less confidence changes nothing", []push{{stable, "05", "06", 3, `, "confidence": 80`}, {stable, "04", "07", 9, `, "confidence": 79, "x_opencti_negative": true`}}, []string{"03-05..03-06 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: newest})
			for _, p := range tt.pushes {
				wants(t, pushed(t, s, corp, hostUnit, domain, sighting(p.id, in2026(p.first), in2026(p.last), p.count, p.more)), "")
			}
			simtest.Same(t, "sightings", tt.want, seen(s))
		})
	}
}

func TestSightingsThatCannotBe(t *testing.T) {
	s := registered(t, Options{})
	id := fresh("sighting")
	wants(t, pushed(t, s, corp, hostUnit, domain, sighting(id, in2026("06"), in2026("05"), 1, "")), "FUNCTIONAL_ERROR")
	wants(t, pushed(t, s, corp, sighting(id, "", "", 1, `, "x_opencti_sighting_of_ref": "`+fresh("indicator")+`"`)), "MISSING_REFERENCE_ERROR")
	wants(t, pushed(t, s, corp, sighting(id, "", "", 1, `, "x_opencti_where_sighted_refs": ["`+fresh("identity")+`"]`)), "MISSING_REFERENCE_ERROR")
	wants(t, pushed(t, s, `{"type": "sighting", "id": "`+id+`", "sighting_of_ref": "`+domainID+`"}`), "MISSING_REFERENCE_ERROR")
	if s.Held().Sightings != 0 {
		t.Errorf("sightings %+v", s.Sightings())
	}
}

func TestSightingEndsThatStrictToolsRefuse(t *testing.T) {
	s := registered(t, Options{})
	wants(t, pushed(t, s, corp, alert, domain, hostUnit, sighting(fresh("sighting"), "", "", 1,
		`, "x_opencti_sighting_of_ref": "`+alertID+`", "x_opencti_where_sighted_refs": ["`+corpID+`"]`)), "")
	if got := s.Sightings()[0]; !strings.HasPrefix(got.From, "incident--") || got.To != corpID {
		t.Errorf("sighting from %s to %s", got.From, got.To)
	}
}

func TestEveryDateLeavesAnIDBehindUnlessItIsStable(t *testing.T) {
	for _, stable := range []bool{true, false} {
		s := registered(t, Options{Version: newest})
		id := fresh("sighting")
		for _, last := range []string{"06", "07", "08"} {
			if !stable {
				id = fresh("sighting")
			}
			wants(t, pushed(t, s, corp, hostUnit, domain, sighting(id, in2026("05"), in2026(last), 1, "")), "")
		}
		if n := len(s.Sightings()[0].StixIDs); (n == 1) != stable {
			t.Errorf("stable %v: %d further ids", stable, n)
		}
	}
}

func TestAnUnknownRangeIsShownAsThePlatformDoes(t *testing.T) {
	s := registered(t, Options{})
	id := fresh("sighting")
	wants(t, pushed(t, s, corp, hostUnit, domain, sighting(id, "", "", 1, ""), alert), "")
	want := map[string]any{"first_seen": "1970-01-01T00:00:00.000Z", "last_seen": "5138-11-16T09:46:40.000Z", "attribute_count": 1.0, "x_opencti_negative": false}
	simtest.Same(t, "sighting", want, held(t, s, id, `... on StixSightingRelationship { first_seen last_seen attribute_count x_opencti_negative }`))
	want = map[string]any{"first_seen": "1970-01-01T00:00:00.000Z", "last_seen": "5138-11-16T09:46:40.000Z"}
	simtest.Same(t, "incident", want, held(t, s, alertID, `... on Incident { first_seen last_seen }`))
}

// TestCountArithmetic drives one sighting with a stable id against the two sentences of the contract.
func TestCountArithmetic(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := registered(t, Options{Version: newest})
		wants(t, pushed(t, s, corp, hostUnit, domain), "")
		id := fresh("sighting")
		first, last, total := 0, 0, 0
		for i := range rapid.IntRange(1, 6).Draw(rt, "pushes") {
			from := rapid.IntRange(1, 28).Draw(rt, "first")
			to := rapid.IntRange(from, 28).Draw(rt, "last")
			n := rapid.IntRange(0, 5).Draw(rt, "count")
			wants(t, pushed(t, s, corp, sighting(id, in2026(fmt.Sprintf("%02d", from)), in2026(fmt.Sprintf("%02d", to)), n, "")), "")
			switch {
			case i == 0:
				first, last, total = from, to, n
			case from < first || to > last:
				first, last, total = min(first, from), max(last, to), total+n
			default:
				total = n
			}
			if got, want := seen(s), fmt.Sprintf("03-%02d..03-%02d %d", first, last, total); len(got) != 1 || got[0] != want {
				rt.Fatalf("push %d: %v, want %s", i, got, want)
			}
		}
	})
}
