package opencti_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

func TestCountAsksForOneID(t *testing.T) {
	for _, version := range []string{"5.12.24", "6.2.6", "6.9.22", "7.260817.0"} {
		s, p := simulated(t, octisim.Options{Version: version}, opencti.Options{PageSize: 5})
		fill(s, 12)
		s.HTTP.Forget()
		if n, err := p.Count(context.Background(), nil); n != 12 || err != nil {
			t.Errorf("%s: %d indicators, error %v; want 12", version, n, err)
		}
		if n, err := p.Count(context.Background(), opencti.Group(opencti.Eq("name", "host-03.example"))); n != 1 || err != nil {
			t.Errorf("%s: %d indicators pass the filter, error %v; want 1", version, n, err)
		}
		if n := s.HTTP.Count(); n != 2 {
			t.Errorf("%s: %d requests", version, n)
		}
	}
}

func TestPageCapIsTried(t *testing.T) {
	for _, tt := range []struct {
		name       string
		fill, cap  int
		came       int
		cut, whole bool
	}{
		{"a page comes whole", 20, 5000, 10, false, true},
		{"as many as a page holds", 10, 5000, 10, false, true},
		{"fewer than a page holds tell nothing", 7, 5000, 7, false, false},
		{"none tell nothing", 0, 5000, 0, false, false},
		{"a page is cut", 20, 4, 4, true, false},
		{"the cap is the page size", 20, 10, 10, false, true},
	} {
		s, p := simulated(t, octisim.Options{PageCap: tt.cap}, opencti.Options{PageSize: 10})
		fill(s, tt.fill)
		came, cut, whole, err := p.PageCap(context.Background())
		if came != tt.came || cut != tt.cut || whole != tt.whole || err != nil {
			t.Errorf("%s: %d came, cut %t, whole %t, error %v; want %d, %t, %t", tt.name, came, cut, whole, err, tt.came, tt.cut, tt.whole)
		}
	}
}

func TestCountBelievesWholeAnswersOnly(t *testing.T) {
	for name, answer := range map[string]string{
		"no indicators":                 `{"data": {"indicators": null}}`,
		"no page information":           `{"data": {"indicators": {"edges": []}}}`,
		"no count":                      `{"data": {"indicators": {"pageInfo": {"hasNextPage": false}, "edges": []}}}`,
		"a negative count":              `{"data": {"indicators": {"pageInfo": {"hasNextPage": false, "globalCount": -1}, "edges": []}}}`,
		"another shape":                 `{"data": {"indicators": {"pageInfo": {"hasNextPage": false, "globalCount": "3"}, "edges": []}}}`,
		"a page and an error beside it": `{"data": {"indicators": {"pageInfo": {"hasNextPage": false, "globalCount": 3}, "edges": []}}, "errors": [{"message": "x"}]}`,
	} {
		p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }), opencti.Options{Retry: remote.Retry{Attempts: 1}})
		_, err := p.Count(context.Background(), nil)
		if _, ok := errors.AsType[*opencti.Error](err); !ok {
			t.Errorf("%s: %v, want an *Error", name, err)
		}
	}
}

func TestFiltersInWords(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"no filter", `null`, "everything"},
		{"a group without filters", `{"mode":"and","filters":[],"filterGroups":[]}`, "everything"},
		{"as the platform's pages write it", `{"mode":"and","filters":[{"key":["entity_type"],"operator":"eq","values":["Indicator"],"mode":"or"},
			{"key":["revoked"],"operator":"eq","values":["false"],"mode":"or"},{"key":["x_opencti_detection"],"values":["true"]},{"key":"pattern_type","values":["stix","sigma"]}],"filterGroups":[]}`,
			"type is Indicator and revoked is false and detection is true and pattern type is one of stix, sigma"},
		{"groups and numbers", `{"mode":"or","filters":[{"key":"x_opencti_score","operator":"gte","values":[70]}],"filterGroups":[
			{"mode":"and","filters":[{"key":"objectLabel","operator":"eq","mode":"and","values":["a","b"]},{"key":"valid_until","operator":"nil","values":[]}],"filterGroups":[]},
			{"mode":"and","filters":[{"key":["name","pattern"],"operator":"contains","values":["x"]}],"filterGroups":[]}]}`,
			"score is at least 70 or (label is all of a, b and valid until has no value) or name or pattern contains x"},
		{"a range", `{"mode":"and","filters":[{"key":"created_at","operator":"within","values":["2026-01-01","2026-02-01"]}],"filterGroups":[]}`,
			"creation on the platform is within 2026-01-01 to 2026-02-01"},
	} {
		g, err := opencti.ParseFilters(tt.text)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if got := g.Words(); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// Whatever can be parsed can be said.
func TestEveryFilterHasWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		operator := rapid.SampledFrom([]string{"eq", "not_eq", "lt", "within", "nil", "not_nil", "script", "search", "only_eq_to"})
		var group func(depth int) *opencti.FilterGroup
		group = func(depth int) *opencti.FilterGroup {
			g := &opencti.FilterGroup{Mode: rapid.SampledFrom([]string{"and", "or"}).Draw(t, "mode")}
			for range rapid.IntRange(0, 3).Draw(t, "filters") {
				g.Filters = append(g.Filters, opencti.Filter{Key: rapid.SliceOfN(rapid.StringN(1, 5, -1), 1, 2).Draw(t, "key"),
					Values: rapid.SliceOfN(rapid.StringN(1, 5, -1), 0, 3).Draw(t, "values"), Operator: operator.Draw(t, "operator"), Mode: "or"})
			}
			if depth < 3 {
				for range rapid.IntRange(0, 2).Draw(t, "groups") {
					g.FilterGroups = append(g.FilterGroups, group(depth+1))
				}
			}
			return g
		}
		if words := group(0).Words(); words == "" {
			t.Fatal("no words")
		}
	})
}
