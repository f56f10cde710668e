package opencti_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// zoo puts indicators that differ in all that a filter may ask for.
func zoo(s *octisim.Sim) {
	score := []int{0, 50, 80}
	author := octisim.Identity{ID: "author-1", Name: "CERT"}
	marking := func(ids ...string) (all []octisim.Marking) {
		for _, id := range ids {
			all = append(all, octisim.Marking{ID: id, Type: "TLP", Definition: "TLP:" + strings.ToUpper(id)})
		}
		return all
	}
	for i, ind := range []octisim.Indicator{
		{Name: "Bad Host", Score: &score[0], Detection: new(true), Labels: []octisim.Label{{Value: "EDR"}}, CreatedBy: &author, Markings: marking("green")},
		{Name: "bad host 2", Score: &score[1], Detection: new(false), Labels: []octisim.Label{{Value: "edr"}, {Value: "apt"}}, IndicatorTypes: []string{"malicious-activity"}, Markings: marking("green", "amber")},
		{Name: "other", Score: &score[2], PatternType: "yara", Pattern: "rule r { condition: false }", Confidence: new(70), IndicatorTypes: []string{"benign", "anomalous-activity"}, Markings: marking("red")},
		{Name: "past", Revoked: true, Detection: new(true), Labels: []octisim.Label{{Value: "apt"}}, ValidFrom: day(-9), ValidUntil: day(-1), MainType: "StixFile", CreatedBy: &author, Markings: marking("green")},
		{Name: "caf\u00e9", ValidFrom: day(-9), ValidUntil: day(9), Confidence: new(0), MainType: "Domain-Name", Markings: marking("clear")},
		{Name: strings.Repeat("long ", 200), Score: &score[1], Markings: marking("clear")},
	} {
		ind.ID, ind.CreatedAt = names(i, i+1), day(i)
		if ind.Pattern == "" {
			ind.Pattern = "[domain-name:value = '" + names(i, i+1) + ".example']"
		}
		s.Put(ind)
	}
}

var (
	zooKeys = []string{"entity_type", "pattern_type", "name", "revoked", "x_opencti_detection", "x_opencti_score", "confidence", "indicator_types",
		"x_opencti_main_observable_type", "objectLabel", "objectMarking", "createdBy", "valid_from", "valid_until", "created_at"}
	zooValues = []string{"true", "false", "50", "0", "80", "stix", "YARA", "bad host", "host", "bad", "caf\u00e9", "cafe", "edr", "apt", "Indicator", "Stix-Core-Object", "Report",
		"malicious-activity", "benign", "StixFile", "green", "amber", "author-1", "i00", "i03", "2026-03-01T00:00:00.000Z", "2026-03-05T00:00:00Z", "b*d ?ost"}
	zooOperators = []string{"eq", "not_eq", "lt", "lte", "gt", "gte", "contains", "not_contains", "starts_with", "not_starts_with", "ends_with", "not_ends_with", "wildcard",
		"nil", "not_nil", "within", "only_eq_to", "not_only_eq_to"}
)

func drawGroup(rt *rapid.T, depth int) *opencti.FilterGroup {
	g := opencti.Group()
	g.Mode = rapid.SampledFrom([]string{"and", "or"}).Draw(rt, "mode")
	for range rapid.IntRange(1, 2).Draw(rt, "filters") {
		f := opencti.Filter{Operator: rapid.SampledFrom(zooOperators).Draw(rt, "operator"), Mode: rapid.SampledFrom([]string{"and", "or"}).Draw(rt, "how"), Values: []string{}}
		f.Key = rapid.SliceOfNDistinct(rapid.SampledFrom(zooKeys), 1, 2, rapid.ID).Draw(rt, "key")
		if !strings.HasSuffix(f.Operator, "nil") {
			f.Values = rapid.SliceOfN(rapid.SampledFrom(zooValues), 1, 2).Draw(rt, "values")
		}
		g.Filters = append(g.Filters, f)
	}
	if depth > 0 && rapid.Bool().Draw(rt, "deeper") {
		g.FilterGroups = append(g.FilterGroups, drawGroup(rt, depth-1))
	}
	return g
}

// TestFiltersMeanHereWhatTheyMeanToThePlatform: what the platform lets through is never outside here; and what it does not is,
// but for what only it can tell. A platform that ignored its stream's filters had everything deployed.
func TestFiltersMeanHereWhatTheyMeanToThePlatform(t *testing.T) {
	s, p := simulated(t, octisim.Options{Version: "7.260817.0"}, opencti.Options{PageSize: 100})
	zoo(s)
	through := func(f *opencti.FilterGroup) (ids []string, err error) {
		_, err = p.Read(context.Background(), f, began, false, func(page []reconcile.Indicator, _ int) error {
			for _, i := range page {
				if !i.Outside {
					ids = append(ids, i.ID)
				}
			}
			return nil
		})
		slices.Sort(ids)
		return slices.Compact(ids), err
	}
	all, judged := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		f := drawGroup(rt, 1)
		if f.Check() != nil {
			return
		}
		want, err := through(f)
		if err != nil { // a filter that the platform refuses, which stops a run
			return
		}
		s.SetKnobs(func(k *octisim.Knobs) { k.IgnoreFilters = true })
		got, err := through(f)
		s.SetKnobs(func(k *octisim.Knobs) { k.IgnoreFilters = false })
		if err != nil {
			rt.Fatal(err)
		}
		all++
		if slices.Equal(want, got) {
			judged++
		}
		for _, id := range want {
			if !slices.Contains(got, id) {
				rt.Fatalf("%s: %s passes there and is outside here", f.Words(), id)
			}
		}
		for _, id := range got { // what is not surely outside has an accent, is long, or hides its author
			if !slices.Contains(want, id) && !slices.Contains([]string{"i04", "i05"}, id) && !strings.Contains(f.Words(), "author") && !strings.Contains(f.Words(), "caf\u00e9") {
				rt.Fatalf("%s: %s does not pass there and is not outside here", f.Words(), id)
			}
		}
	})
	if judged*2 < all {
		t.Errorf("of %d filters %d were judged alike", all, judged)
	}
}

// TestAnIndicatorOutsideTheFilterIsNotDeployed: neither a read nor a look-up takes it for one that passes.
func TestAnIndicatorOutsideTheFilterIsNotDeployed(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	zoo(s)
	s.SetKnobs(func(k *octisim.Knobs) { k.IgnoreFilters = true })
	f := opencti.Group(opencti.Eq("x_opencti_detection", "true"))
	if _, n, err := read(p, f, false); err != nil || n != 6 || !strings.Contains(p.log.String(), "do not pass the filter; they are left out") {
		t.Errorf("%d, %v, log %s", n, err, p.log.String())
	}
	found, err := p.ByIDs(context.Background(), []string{"i00", "i01"}, f, false)
	if err != nil || len(found) != 1 || found[0].ID != "i00" {
		t.Errorf("%v, %v", found, err)
	}
	sel := reconcile.Selection{}
	if why, _ := sel.Judge(&reconcile.Indicator{PatternType: "stix", Outside: true}, now); why != reconcile.OutOfFilter {
		t.Errorf("judged %q", why)
	}
}

// TestStreamsThatCannotBeHeldHere: what no indicator says stops the run by name, and so do filters on who caused a change.
func TestStreamsThatCannotBeHeldHere(t *testing.T) {
	s, p := simulated(t, octisim.Options{Version: "7.260817.0"}, opencti.Options{})
	if _, err := p.Ident(context.Background()); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]string{
		`{"key":["workflow_id"],"values":["x"]}`:                               `"workflow_id" cannot be evaluated here: workflow status is x`,
		`{"key":["name"],"operator":"search","values":["x"]}`:                  `search is no test of a text that could be evaluated here: name is found by x`,
		`{"key":["valid_from"],"operator":"within","values":["now-1d","now"]}`: `gte "now-1d" is no test of a time: valid from is within now-1d to now`,
		`{"key":["x_opencti_score"],"operator":"gt","values":["many"]}`:        `gt "many" is no test of a number: score is above many`,
	} {
		id := s.PutStream(octisim.Stream{Name: "EDR", Live: true, Filters: new(group(filter))})
		_, err := p.Stream(context.Background(), id)
		says(t, err, `the filters of stream "EDR" cannot be held here`, want, "connector.live_stream_id")
	}
	id := s.PutStream(octisim.Stream{Name: "EDR", Live: true, OriginFilters: new(group(`{"key":["creator_id"],"values":["someone"]}`))})
	_, err := p.Stream(context.Background(), id)
	says(t, err, `it also filters by who caused a change, which no indicator says: creator is someone`)
	id = s.PutStream(octisim.Stream{Name: "EDR", Live: true, OriginFilters: new(group(""))})
	if _, err := p.Stream(context.Background(), id); err != nil {
		t.Error(err)
	}
}
