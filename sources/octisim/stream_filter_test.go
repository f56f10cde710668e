package octisim

import (
	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
	"slices"
	"strings"
	"testing"
)

// traits is a platform with one indicator of every trait that filters look at.
func traits() *Sim {
	s := five(Options{})
	for _, in := range []Indicator{
		{ID: "cafe", Name: "Café", Pattern: "p1", PatternType: "yara", Detection: new(true), Score: new(50), Markings: []Marking{{Definition: "TLP:GREEN"}, {Definition: "TLP:RED"}}},
		{ID: "long", Name: "n", Description: " Long ", Pattern: "p2" + strings.Repeat("x", 600), PatternType: "sigma", Detection: new(false), Labels: []Label{{"one"}, {"two"}}},
		{ID: "null", Name: "plain", Pattern: "p3", PatternType: "pcre", Revoked: true, IndicatorTypes: []string{"benign"}},
	} {
		s.Put(in)
	}
	return s
}

// passed are the ids that a filter lets through, as lists and as streams evaluate it; an error is its own word.
func passed(s *Sim, v version, text string) (lists, streams string) {
	g, err := parseStored(&text)
	if err != nil {
		return "bad", "bad"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := databaseOf(s, indicatorColumns)
	f.version = v
	list, listErr := compile(g.withoutChanges(), f.key)
	live, liveErr := compileLive(v, g)
	var inList, inStream []string
	for _, id := range []string{"cafe", "long", "null"} {
		i := s.items[id].(*indicator)
		if listErr == nil && list(i) {
			inList = append(inList, id)
		}
		if liveErr == nil && live.passes(i, &event{before: i, after: i}) {
			inStream = append(inStream, id)
		}
	}
	words := func(ids []string, err error) string {
		if err != nil {
			return "error"
		}
		return strings.Join(ids, " ")
	}
	return words(inList, listErr), words(inStream, liveErr)
}

// The same stored filter, evaluated by lists and by streams (contract opencti-api 3.3).
func TestWhereListsAndStreamsDiffer(t *testing.T) {
	s := traits()
	marking := func(d string) string { return s.marking(Marking{Definition: d}).id }
	label := func(text string) string { return s.labels[text].id }
	filter := func(key, op, mode string, values ...string) string {
		f := is(key, op, values...)
		f["mode"] = mode
		return *storedText(f)
	}
	tests := []struct{ name, filter, lists, streams string }{
		{"accents", filter("name", "eq", "or", "cafe"), "cafe", "error"}, // names are no key of streams
		{"accents of a key that both know", filter("description", "eq", "or", "lông"), "", ""},
		{"case", filter("pattern_type", "eq", "or", "YARA"), "cafe", "cafe"},
		{"outer blanks", filter("description", "eq", "or", "long"), "", "long"},
		{"accents of a pattern's type", filter("pattern_type", "eq", "or", "yárá"), "cafe", ""},
		{"values over 512 characters", filter("pattern", "contains", "or", "xxx"), "", "long"},
		{"a boolean", filter("x_opencti_detection", "eq", "or", "true"), "cafe", "cafe"},
		{"a boolean by another word", filter("x_opencti_detection", "eq", "or", "yes"), "error", "cafe"},
		{"a number for a boolean", filter("revoked", "eq", "or", "1"), "error", "null"},
		{"several ids, any of them", filter("objectMarking", "eq", "or", marking("TLP:GREEN"), marking("TLP:AMBER")), "cafe", "cafe"},
		{"several ids, all of them", filter("objectMarking", "eq", "and", marking("TLP:GREEN"), marking("TLP:AMBER")), "cafe", ""},
		{"both of two ids", filter("objectMarking", "eq", "and", marking("TLP:GREEN"), marking("TLP:RED")), "cafe", "cafe"},
		{"none of several ids", filter("objectMarking", "not_eq", "or", marking("TLP:GREEN"), marking("TLP:AMBER")), "long null", "cafe long null"},
		{"none of several texts", filter("pattern_type", "not_eq", "or", "yara", "sigma"), "cafe long null", "cafe long null"},
		{"none of several texts, all of them", filter("pattern_type", "not_eq", "and", "yara", "sigma"), "null", "null"},
		{"no values", filter("objectLabel", "eq", "or"), "error", "cafe null"},
		{"not without values", filter("objectLabel", "not_eq", "or"), "error", "long"},
		{"nil", filter("x_opencti_score", "nil", "or"), "long null", "long null"},
		{"not nil", filter("x_opencti_detection", "not_nil", "or"), "cafe long", "cafe long"},
		{"a null boolean is neither", filter("x_opencti_detection", "eq", "or", "false"), "long", "long"},
		{"a label by its id", filter("objectLabel", "eq", "or", label("one")), "long", "long"},
		{"a label by its text", filter("objectLabel", "eq", "or", "TWO"), "long", "long"},
		{"not a label", filter("objectLabel", "not_eq", "or", label("one")), "cafe null", "cafe null"},
		{"a number", filter("x_opencti_score", "gte", "or", "50"), "cafe", "cafe"},
		{"no number", filter("x_opencti_score", "gte", "or", "much"), "error", ""},
		{"a date", filter("created_at", "gt", "or", "2020-01-01T00:00:00.000Z"), "cafe long null", "error"},
		{"a type above", filter("entity_type", "eq", "or", "Stix-Domain-Object"), "cafe long null", "cafe long null"},
		{"another type", filter("entity_type", "eq", "or", "Report"), "", ""},
		{"any id", filter("ids", "eq", "or", s.items["null"].core().standard), "null", "null"},
		{"a beginning", filter("pattern", "starts_with", "or", "P"), "cafe null", "cafe long null"},
		{"not an end", filter("pattern", "not_ends_with", "or", "1", "2"), "cafe long null", "cafe long null"},
		{"a part", filter("indicator_types", "contains", "or", "nig"), "null", "null"},
		{"a wildcard", filter("pattern", "wildcard", "or", "p?"), "cafe null", "cafe null"},
		{"a wildcard that is also an expression", filter("pattern", "wildcard", "or", "p["), "", ""},
		{"an order of texts", filter("pattern_type", "gt", "or", "SIGMA"), "cafe", "cafe"},
		{"an order with its end", filter("pattern_type", "lte", "or", "sigma"), "long null", "long null"},
		{"words in any order", filter("name", "search", "or", "plain"), "null", "error"},
		{"words of a description", filter("description", "search", "or", "LONG"), "long", "long"},
		{"no words", filter("description", "search", "or", "-"), "", ""},
		{"an order of booleans", filter("revoked", "gt", "or", "false"), "error", ""},
		{"a part of a number", filter("x_opencti_score", "contains", "or", "5"), "error", ""},
		{"nothing else", filter("indicator_types", "only_eq_to", "or", "BENIGN"), "null", "null"},
		{"an unknown operator", filter("pattern", "sounds_like", "or", "p"), "error", "error"},
		{"a key of other kinds", filter("incident_type", "eq", "or", "alert"), "", ""},
		{"a key of streams alone", filter("representative", "contains", "or", "plain"), "error", "null"},
		{"a key of nothing", filter("colour", "eq", "or", "red"), "error", "error"},
		{"any part of a group", `{"mode":"or","filters":[{"key":"pattern_type","values":"yara"},{"key":["revoked"],"values":[true]}]}`, "cafe null", "cafe null"},
		{"groups in groups", `{"mode":"and","filters":[],"filterGroups":[{"mode":"or","filters":[{"key":"pattern","values":["p1"]}],"filterGroups":[]},{"mode":"and","filters":[{"key":"pattern_type","operator":"not_eq","values":["pcre"]}],"filterGroups":[]}]}`, "cafe", "cafe"},
		{"members that nobody knows", `{"mode":"and","id":"1","filters":[{"id":"2","key":["x_opencti_score"],"values":[50],"operator":"eq","mode":"or"}],"filterGroups":[]}`, "cafe", "cafe"},
		{"several keys, any of them", `{"mode":"and","filters":[{"key":["pattern","pattern_type"],"values":["p1","sigma"]}],"filterGroups":[]}`, "cafe long", "cafe long"},
		{"the form before 5.12", `{"revoked":[{"id":"false","value":"false"}]}`, "bad", "bad"},
		{"half a filter", `{"mode":"and","filters":[`, "bad", "bad"},
		{"two filters", `{"mode":"and","filters":[]} {}`, "bad", "bad"},
		{"a list", `[]`, "bad", "bad"},
		{"a filter that is none", `{"mode":"and","filters":["x"]}`, "bad", "bad"},
		{"a value that is none", `{"mode":"and","filters":[{"key":"pattern","values":[{}]}]}`, "bad", "bad"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lists, streams := passed(s, parseVersion(since811), tt.filter)
			simtest.Same(t, "lists, streams", []string{tt.lists, tt.streams}, []string{lists, streams})
		})
	}
}

func TestNoFilterIsEverything(t *testing.T) {
	for _, text := range []*string{nil, new(""), new(" "), new("null"), new(`{"mode":"and","filters":[],"filterGroups":[]}`)} {
		g, err := parseStored(text)
		f, err2 := compileLive(parseVersion(since811), g)
		if g != nil || f != nil || err != nil || err2 != nil {
			t.Errorf("%v: %v, %v, %v, %v", text, g, f, err, err2)
		}
	}
}

// Since 7.260624.0 a stream may ask what has changed.
func TestStreamsAskWhatHasChanged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{Version: since811}, is("x_opencti_score", "has_changed"), is("revoked", "not_has_changed"))
		p := follow(t, s, "s")
		s.Put(deployed("a"))
		s.Edit("a", func(i *Indicator) { i.Score = new(1) })
		s.Edit("a", func(i *Indicator) { i.Description = "x" })
		s.Edit("a", func(i *Indicator) { i.Score, i.Revoked = new(2), true })
		if got := p.briefs(t); !slices.Equal(got, []string{"update update a"}) {
			t.Errorf("messages %q", got)
		}
	})
	if _, err := compileLive(parseVersion("7.260623.0"), &filterGroup{filters: []filter{{keys: []string{"revoked"}, op: "has_changed"}}}); err == nil {
		t.Error("before 7.260624.0 the operator is known")
	}
}

func FuzzStoredFilter(f *testing.F) {
	for _, text := range []string{
		``, `null`, `{"mode":"and","filters":[{"key":["revoked"],"values":["false"]}],"filterGroups":[]}`, `{"filters":[{"key":"pattern","operator":"wildcard","values":["*?("]}]}`,
		`{"mode":"or","filters":[{"key":"objectLabel","operator":"not_only_eq_to","values":["a"],"mode":"and"}],"filterGroups":[{"filters":[]}]}`,
	} {
		f.Add(text)
	}
	s := traits()
	f.Fuzz(func(t *testing.T, text string) {
		g, err := parseStored(&text)
		if err != nil || g == nil {
			return
		}
		live, err := compileLive(parseVersion(since811), g)
		if err != nil {
			return
		}
		for _, id := range []string{"cafe", "long", "null"} {
			i := s.items[id].(*indicator)
			live.passes(i, &event{before: i, after: i})
			live.passes(i, &event{after: i})
			live.containers(&entity{i.base})
		}
		g.who(systemUser)
		g.markings()
	})
}

func FuzzPosition(f *testing.F) {
	for _, text := range []string{"0", "0-0", "1772366400000-3", "2026-03-01", "2026-03-01T10:00:00Z", "-1", "1-", "0001-01-01", "99999999999999999999-1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		if err != nil || p == nil {
			return
		}
		if p.ms < 0 || p.seq < 0 {
			t.Fatalf("%q is %v", text, *p)
		}
		again, err := parsePosition(p.String())
		if err != nil || *again != *p {
			t.Errorf("%q is %s, which is %v, %v", text, p, again, err)
		}
	})
}
