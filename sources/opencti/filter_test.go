package opencti_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// line is a group in short: (and key:eq/or[v w] (or ...)).
func line(g *opencti.FilterGroup) string {
	if g == nil {
		return "none"
	}
	var b strings.Builder
	b.WriteString("(" + g.Mode)
	for _, f := range g.Filters {
		b.WriteString(" " + strings.Join(f.Key, "+") + ":" + f.Operator + "/" + f.Mode + "[" + strings.Join(f.Values, " ") + "]")
	}
	for _, s := range g.FilterGroups {
		b.WriteString(" " + line(s))
	}
	return b.String() + ")"
}

// group is the text of an and-group with some filters.
func group(filters string) string {
	return `{"mode":"and","filters":[` + filters + `],"filterGroups":[]}`
}

// The variants of contract opencti-api 4.1, read by the rules of 4.2.
func TestParseFilters(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no text", "", "none"},
		{"blanks", " \n", "none"},
		{"null", "null", "none"},
		{"an empty object", "{}", "none"},
		{"a group without filters", group(""), "none"},
		{"groups of nothing", `{"mode":"and","filters":[],"filterGroups":[` + group("") + `]}`, "none"},
		{"the web client's text", `{"mode":"and","filters":[{"key":["entity_type"],"operator":"eq","values":["Indicator"],"mode":"or"},{"key":["pattern_type"],"operator":"eq","values":["stix","sigma"],"mode":"or"}],"filterGroups":[]}`,
			"(and entity_type:eq/or[Indicator] pattern_type:eq/or[stix sigma])"},
		{"a key as a text", group(`{"key":"revoked","operator":"eq","values":["false"],"mode":"or"}`), "(and revoked:eq/or[false])"},
		{"several keys", group(`{"key":["name","pattern"],"values":["x"]}`), "(and name+pattern:eq/or[x])"},
		{"members that are not ours", `{"id":"g","mode":"or","filters":[{"id":"f","key":["name"],"values":["x"],"operator":"contains","mode":"and","extra":{}}],"filterGroups":[],"x":1}`, "(or name:contains/and[x])"},
		{"no operator and no mode", group(`{"key":["name"],"values":["x"]}`), "(and name:eq/or[x])"},
		{"null and empty operator and mode", group(`{"key":["name"],"values":["x"],"operator":null,"mode":""}`), "(and name:eq/or[x])"},
		{"no mode of the group", `{"filters":[{"key":["name"],"values":["x"]}]}`, "(and name:eq/or[x])"},
		{"booleans and numbers", group(`{"key":["x"],"values":[true, false,70,0.5,-1]}`), "(and x:eq/or[true false 70 0.5 -1])"},
		{"members in another order", `{"filterGroups":[],"filters":[{"values":["x"],"mode":"and","key":["name"]}],"mode":"or"}`, "(or name:eq/and[x])"},
		{"modes in capitals", `{"mode":"OR","filters":[{"key":["name"],"values":["x"],"mode":"AND"}],"filterGroups":[]}`, "(or name:eq/and[x])"},
		{"sub-groups", `{"mode":"and","filters":[],"filterGroups":[{"mode":"or","filters":[{"key":["a"],"values":["1"]}],"filterGroups":[{"mode":"and","filters":[{"key":["b"],"values":["2"]}],"filterGroups":[]}]}]}`,
			"(and (or a:eq/or[1] (and b:eq/or[2])))"},
		{"an empty sub-group stays, since it may pass everything", `{"mode":"or","filters":[{"key":["a"],"values":["1"]}],"filterGroups":[{"mode":"and","filters":[],"filterGroups":[]}]}`, "(or a:eq/or[1] (and))"},
		{"eq without values is nil", group(`{"key":["name"],"operator":"eq","values":[]}`), "(and name:nil/or[])"},
		{"so is no operator without values", group(`{"key":["name"],"values":[]}`), "(and name:nil/or[])"},
		{"nil needs no values", group(`{"key":["name"],"operator":"not_nil"}`), "(and name:not_nil/or[])"},
		{"has_changed is for events", group(`{"key":["name"],"operator":"has_changed","values":[]},{"key":["a"],"values":["1"]}`), "(and a:eq/or[1])"},
		{"not_has_changed too", group(`{"key":["name"],"operator":"not_has_changed","values":["x"]}`), "none"},
		{"nothing is left of a group about events", `{"mode":"or","filters":[{"key":["a"],"values":["1"]}],"filterGroups":[` + group(`{"key":["b"],"operator":"has_changed","values":[]}`) + `]}`, "(or a:eq/or[1])"},
		{"a range", group(`{"key":["created_at"],"operator":"within","values":["now-1d","now"]}`), "(and created_at:within/or[now-1d now])"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := opencti.ParseFilters(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, line(g)); diff != "" {
				t.Errorf("filter (-want +got):\n%s", diff)
			}
		})
	}
}

// Never everything by mistake: what is not understood is an error that says what it is.
func TestParseFiltersRefuses(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"the form before 5.12", `{"entity_type":[{"id":"Indicator","value":"Indicator"}],"pattern_type":[{"id":"stix","value":"stix"}]}`, "before 5.12.0"},
		{"broken text", `{"mode":"and","filters":[`, "not a JSON object"},
		{"a text in a text", `"{}"`, "not a JSON object"},
		{"a list", `[]`, "not a JSON object"},
		{"two documents", `{}{}`, "not a JSON object"},
		{"a mode and nothing else", `{"mode":"and"}`, "without the member filters"},
		{"a misspelt member", `{"mode":"and","filter":[{"key":["a"],"values":["1"]}]}`, "without the member filters"},
		{"filters that are null", `{"mode":"and","filters":null,"filterGroups":null}`, "without the member filters"},
		{"filters that are no list", `{"mode":"and","filters":{},"filterGroups":[]}`, "a group"},
		{"another mode", `{"mode":"xor","filters":[],"filterGroups":[]}`, `mode "xor"`},
		{"another mode of a filter", group(`{"key":["a"],"values":["1"],"mode":"not"}`), `mode "not"`},
		{"another operator", group(`{"key":["a"],"values":["1"],"operator":"equals"}`), `operator "equals"`},
		{"no key", group(`{"values":["1"]}`), "without a key"},
		{"a null key", group(`{"key":null,"values":["1"]}`), "without a key"},
		{"an empty key", group(`{"key":[""],"values":["1"]}`), "without a key"},
		{"no keys", group(`{"key":[],"values":["1"]}`), "without a key"},
		{"a key that is a number", group(`{"key":1,"values":["1"]}`), "without a key"},
		{"a null filter", group(`null`), "without a key"},
		{"no values", group(`{"key":["a"],"operator":"eq"}`), "without values"},
		{"misspelt values", group(`{"key":["a"],"value":["1"]}`), "without values"},
		{"a value that is an object", group(`{"key":["a"],"values":[{"id":"1"}]}`), "value"},
		{"a value that is a list", group(`{"key":["a"],"values":[["1"]]}`), "value"},
		{"a null value", group(`{"key":["a"],"values":[null]}`), "value null"},
		{"values that are no list", group(`{"key":["a"],"values":"1"}`), "a filter"},
		{"a null group", `{"mode":"and","filters":[],"filterGroups":[null]}`, "without the member filters"},
		{"a nest without end", strings.Repeat(`{"mode":"and","filters":[],"filterGroups":[`, 40) + strings.Repeat(`]}`, 40), "too deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := opencti.ParseFilters(tt.text)
			if err == nil {
				t.Fatalf("taken for %s", line(g))
			}
			says(t, err, tt.says)
		})
	}
}

func TestDigestIsFreeOfOrder(t *testing.T) {
	digest := func(text string) string {
		g, err := opencti.ParseFilters(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return g.Digest()
	}
	const a, b = `{"key":["a","b"],"values":["1","2"]}`, `{"key":["c"],"values":["3"],"operator":"gte"}`
	nest := func(parts ...string) string {
		return `{"mode":"or","filters":[],"filterGroups":[` + strings.Join(parts, ",") + `]}`
	}
	same := [][2]string{
		{group(a + "," + b), group(b + "," + a)},
		{group(a), group(`{"values":["2","1"],"key":["b","a"]}`)},
		{nest(group(a), group(b)), nest(group(b), group(a))},
		{group(b), group(`{"key":"c","values":[3],"operator":"gte","mode":"or","id":"x"}`)},
		{"", group("")},
	}
	for _, s := range same {
		if digest(s[0]) != digest(s[1]) {
			t.Errorf("%s and %s have different digests", s[0], s[1])
		}
	}
	differ := [][2]string{
		{group(a), group(b)},
		{group(a), ""},
		{group(a), group(`{"key":["a","b"],"values":["1","2"],"mode":"and"}`)},
		{group(a), group(`{"key":["a","b"],"values":["1","2"],"operator":"not_eq"}`)},
		{group(a + "," + b), nest(group(a), group(b))},
		{group(a + "," + b), strings.Replace(group(a+","+b), `"and"`, `"or"`, 1)},
		{group(`{"key":["x"],"operator":"within","values":["1","2"]}`), group(`{"key":["x"],"operator":"within","values":["2","1"]}`)},
	}
	for _, d := range differ {
		if digest(d[0]) == digest(d[1]) {
			t.Errorf("%s and %s have one digest", d[0], d[1])
		}
	}
}

// Digesting must not reorder what is sent.
func TestDigestLeavesTheFilterAlone(t *testing.T) {
	g, err := opencti.ParseFilters(group(`{"key":["z","a"],"values":["2","1"]},{"key":["b"],"values":["9","3"]}`))
	if err != nil {
		t.Fatal(err)
	}
	before := line(g)
	g.Digest()
	if diff := cmp.Diff(before, line(g)); diff != "" {
		t.Errorf("filter (-before +after):\n%s", diff)
	}
}

func TestAndJoins(t *testing.T) {
	a, b := opencti.Group(opencti.Eq("a", "1")), opencti.OrNil("b", "gt", "2")
	tests := []struct {
		name string
		got  *opencti.FilterGroup
		want string
	}{
		{"nothing", opencti.And(), "none"},
		{"nothing but nothing", opencti.And(nil, opencti.Group()), "none"},
		{"one", opencti.And(a, nil), "(and a:eq/or[1])"},
		{"and-groups merge, or-groups stay", opencti.And(a, b, a), "(and a:eq/or[1] a:eq/or[1] (or b:gt/or[2] b:nil/or[]))"},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, line(tt.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if line(a) != "(and a:eq/or[1])" {
		t.Errorf("its argument became %s", line(a))
	}
}

// Whatever is read is sent in the platform's own form: reading that again changes nothing.
func TestParsedFiltersAreClean(t *testing.T) {
	filter := rapid.Custom(func(rt *rapid.T) opencti.Filter {
		word := rapid.StringMatching(`[a-z ]{1,6}`)
		return opencti.Filter{
			Key: rapid.SliceOfN(word, 1, 2).Draw(rt, "key"), Values: rapid.SliceOfN(word, 1, 3).Draw(rt, "values"),
			Operator: rapid.SampledFrom([]string{"eq", "not_eq", "gt", "within"}).Draw(rt, "operator"), Mode: rapid.SampledFrom([]string{"and", "or"}).Draw(rt, "mode"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		g := opencti.Group(rapid.SliceOfN(filter, 1, 3).Draw(rt, "filters")...)
		g.FilterGroups = append(g.FilterGroups, opencti.Group(rapid.SliceOf(filter).Draw(rt, "more")...))
		text, err := json.Marshal(g)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := opencti.ParseFilters(string(text))
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(g, again); diff != "" {
			rt.Errorf("filter (-want +got):\n%s", diff)
		}
	})
}

func TestStream(t *testing.T) {
	ctx := context.Background()
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	adopted := s.PutStream(octisim.Stream{Name: "EDR", Live: true, Filters: new(group(`{"key":"revoked","values":[false],"id":"x"}`))})
	stopped := s.PutStream(octisim.Stream{Name: "none", Public: true})
	old := s.PutStream(octisim.Stream{Name: "old", Filters: new(`{"revoked":[{"id":"false"}]}`)})

	c, err := p.Stream(ctx, adopted)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "EDR" || !c.Live || c.Public || line(c.Filters) != "(and revoked:eq/or[false])" {
		t.Errorf("stream %+v with filters %s", c, line(c.Filters))
	}
	if c, err = p.Stream(ctx, stopped); err != nil || c.Live || !c.Public || c.Filters != nil {
		t.Errorf("stopped stream %+v, %v", c, err)
	}
	_, err = p.Stream(ctx, old)
	says(t, err, `the filters of stream "old"`, "before 5.12.0", "connector.live_stream_id")
	if _, ok := errors.AsType[*opencti.FilterError](err); !ok {
		t.Errorf("error %T, want a FilterError", err)
	}
	if _, err = p.Stream(ctx, "11111111-2222-4333-8444-555555555555"); !errors.Is(err, opencti.ErrUnknownStream) {
		t.Errorf("an unknown stream: %v", err)
	}
	p = connect(t, &canned{answers: map[string]string{"": `{"errors":[{"message":"gone","extensions":{"code":"RESOURCE_NOT_FOUND"}}],"data":null}`}}, opencti.Options{})
	if _, err = p.Stream(ctx, "x"); !errors.Is(err, opencti.ErrUnknownStream) {
		t.Errorf("a stream that was not found: %v", err)
	}
}

// The adopted filter reaches the platform, and a key that lists do not know is an error, not a read
// without a filter.
func TestAdoptedFilterIsSent(t *testing.T) {
	s, p := simulated(t, octisim.Options{Version: "7.260817.0"}, opencti.Options{})
	fill(s, 3)
	s.Edit("i01", func(i *octisim.Indicator) { i.Revoked = true })
	f, err := opencti.ParseFilters(`{"mode":"and","filters":[{"key":"revoked","values":[true],"id":"x"},{"key":["name"],"operator":"has_changed","values":[]}],"filterGroups":[{"mode":"or","filters":[],"filterGroups":[]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := read(p, f, false); err != nil || got != "i01 i01" {
		t.Errorf("read %q, %v, want the revoked one and once more since it changed", got, err)
	}
	unknown, err := opencti.ParseFilters(group(`{"key":["patern"],"values":["x"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = read(p, unknown, false)
	says(t, err, "UNSUPPORTED_ERROR", "Incorrect filter keys", "check its filters")
	if len(p.slept()) != 0 {
		t.Error("a verdict was asked for again")
	}
}
