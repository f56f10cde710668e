package opencti_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// attached reads everything and gives each indicator's observables in a line: id: type value name.
func attached(p *probe) ([]string, error) {
	var out []string
	_, err := p.Read(context.Background(), nil, began, true, func(page []reconcile.Indicator, _ int) error {
		for _, i := range page {
			var all []string
			for _, o := range i.Observables {
				s := o.Type + " " + o.Value + o.Name
				for _, alg := range slices.Sorted(maps.Keys(o.Hashes)) {
					s += " " + alg + ":" + o.Hashes[alg]
				}
				all = append(all, s)
			}
			out = append(out, i.ID+": "+strings.Join(all, ", "))
		}
		return nil
	})
	return out, err
}

func TestObservablesComeWithTheirIndicators(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 2})
	put := func(id string, minute int, o ...octisim.Observable) {
		s.Put(octisim.Indicator{ID: id, Pattern: "[url:value = '" + id + "']", CreatedAt: day(minute), Observables: o})
	}
	put("none", 0)
	put("file", 1, octisim.Observable{EntityType: "StixFile", Name: "a.exe", Hashes: octisim.Hashes{{Algorithm: "MD5", Hash: "d41d"}, {Algorithm: "SHA-256", Hash: "e3b0"}}})
	put("two", 2, octisim.Observable{EntityType: "IPv4-Addr", Value: "192.0.2.1"}, octisim.Observable{EntityType: "Url", Value: "http://x.example/"})
	put("shared", 3, octisim.Observable{EntityType: "IPv4-Addr", Value: "192.0.2.1"})
	put("name", 4, octisim.Observable{EntityType: "StixFile", Name: "b.exe"})
	got, err := attached(p)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"none: ", "file: StixFile d41da.exe MD5:d41d SHA-256:e3b0", "two: IPv4-Addr 192.0.2.1, Url http://x.example/", "shared: IPv4-Addr 192.0.2.1", "name: StixFile b.exeb.exe"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("observables (-want +got):\n%s", diff)
	}
}

// One request for each page of indicators, with its ids; more only where the answer has more pages.
func TestObservablesAreAskedForByPage(t *testing.T) {
	relation := func(id, from string) string {
		return fmt.Sprintf(`{"node":{"id":%q,"fromId":%q,"toId":"o","toType":"Url","to":null}}`, id, from)
	}
	answer := func(next bool, cursor string, total int, edges ...string) string {
		return fmt.Sprintf(`{"data":{"list":{"pageInfo":{"endCursor":%q,"hasNextPage":%v,"globalCount":%d},"edges":[%s]}}}`, cursor, next, total, strings.Join(edges, ","))
	}
	s := platform(octisim.Options{})
	for i := range 3 {
		put(s, i)
	}
	var seen []question
	p := connect(t, replaced(s, "BasedOn", func(q question) string {
		seen = append(seen, q)
		switch {
		case len(q.vars["fromId"].([]any)) == 1:
			return answer(false, "", 0)
		case q.vars["after"] == nil:
			return answer(true, "c1", 3, relation("r1", "i00"), relation("r2", "i01"))
		}
		return answer(false, "c2", 3, relation("r3", "i00"))
	}), opencti.Options{PageSize: 2})
	got, err := attached(p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"i00: Url , Url ", "i01: Url ", "i02: "}, got); diff != "" {
		t.Errorf("observables (-want +got):\n%s", diff)
	}
	var asked []string
	for _, q := range seen {
		asked = append(asked, fmt.Sprint(q.vars["fromId"], " after ", q.vars["after"], ", ", q.vars["first"]))
	}
	slices.Sort(asked)
	want := []string{"[i00 i01] after <nil>, 5000", "[i00 i01] after c1, 5000", "[i02] after <nil>, 5000"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
}

func TestObservablesThatAreNotWhole(t *testing.T) {
	page := func(d map[string]any) map[string]any { return within(d, "list") }
	edge := func(d map[string]any, i int) map[string]any { return page(d)["edges"].([]any)[i].(map[string]any) }
	tests := []struct {
		name string
		edit func(d map[string]any)
		says string
	}{
		{"a relation is dropped", func(d map[string]any) { page(d)["edges"] = page(d)["edges"].([]any)[1:] }, "3 came and the platform counts 4"},
		{"a relation is null", func(d map[string]any) { page(d)["edges"].([]any)[1] = nil }, "3 came and the platform counts 4"},
		{"a node is null", func(d map[string]any) { edge(d, 1)["node"] = nil }, "3 came and the platform counts 4"},
		{"a relation comes twice", func(d map[string]any) { edge(d, 1)["node"] = edge(d, 0)["node"] }, "came twice"},
		{"a relation of another indicator", func(d map[string]any) { within(edge(d, 1), "node")["fromId"] = "stranger" }, "not asked for"},
		{"a relation without an id", func(d map[string]any) { within(edge(d, 1), "node")["id"] = "" }, "not asked for"},
		{"a promise without a cursor", func(d map[string]any) {
			within(d, "list", "pageInfo")["hasNextPage"] = true
			within(d, "list", "pageInfo")["endCursor"] = ""
		}, "names no cursor"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := platform(octisim.Options{})
			fill(s, 4)
			p := connect(t, spoiled(s, func(q question, d map[string]any) {
				if q.op == "BasedOn" && page(d)["edges"] != nil && len(page(d)["edges"].([]any)) > 0 {
					tt.edit(d)
				}
			}), opencti.Options{})
			_, err := attached(p)
			incomplete(t, err, "observables of indicators were not read completely", tt.says)
		})
	}
	for name, answer := range map[string]string{
		"no relationships":    `{"list":null}`,
		"no page information": `{"list":{"edges":[]}}`,
		"no count":            `{"list":{"pageInfo":{"hasNextPage":false,"endCursor":""},"edges":[]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := platform(octisim.Options{})
			fill(s, 1)
			p := connect(t, replaced(s, "BasedOn", func(question) string { return `{"data":` + answer + `}` }), opencti.Options{})
			_, err := attached(p)
			says(t, err, "OpenCTI: BasedOn: 200 with ")
		})
	}
}

// An observable that the account may not see, or of a type that nobody knows, keeps its type alone:
// it gives no value, and what to do about that is decided where values are made.
func TestObservablesThatAreHidden(t *testing.T) {
	s := octisim.New(octisim.Options{Users: []octisim.User{{Token: token, Capabilities: []string{"KNOWLEDGE"}, Markings: []string{"TLP:GREEN"}}}})
	s.Put(octisim.Indicator{ID: "a", Pattern: "[url:value = 'x']", CreatedAt: day(0), Observables: []octisim.Observable{
		{EntityType: "Url", Value: "x", Markings: []octisim.Marking{{Definition: "TLP:RED"}}},
	}})
	for name, edit := range map[string]func(node map[string]any){
		"invisible":                func(map[string]any) {},
		"of a type we do not know": func(n map[string]any) { n["to"] = map[string]any{} },
		"everything in it is null": func(n map[string]any) {
			n["to"] = map[string]any{"id": nil, "entity_type": nil, "observable_value": nil, "hashes": nil}
		},
		"with hashes that are null": func(n map[string]any) {
			n["to"] = map[string]any{"hashes": []any{nil, map[string]any{"algorithm": "MD5", "hash": nil}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, spoiled(s, func(q question, d map[string]any) {
				if q.op == "BasedOn" {
					edit(within(within(d, "list")["edges"].([]any)[0].(map[string]any), "node"))
				}
			}), opencti.Options{})
			got, err := attached(p)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"a: Url "}, got[:1]); diff != "" {
				t.Errorf("observables (-want +got):\n%s", diff)
			}
		})
	}
}

// Relations are read in the order they were made, so that new ones come at the end.
func TestObservablesThatComeMeanwhile(t *testing.T) {
	var ticks atomic.Int64
	s, p := simulated(t, octisim.Options{PageCap: 2, Now: func() time.Time { return now.Add(time.Duration(ticks.Add(1)) * time.Millisecond) }}, opencti.Options{})
	fill(s, 2)
	for i := range 4 {
		s.Attach("i00", octisim.Observable{EntityType: "Url", Value: fmt.Sprintf("http://a%d.example/", i)})
	}
	s.SetKnobs(func(k *octisim.Knobs) {
		k.BeforePage = func(field string, page int) {
			if field == "stixCoreRelationships" && page == 2 {
				for i := range 8 {
					s.Attach("i01", octisim.Observable{EntityType: "Url", Value: fmt.Sprintf("http://b%d.example/", i)})
				}
			}
		}
	})
	found, err := p.ByIDs(context.Background(), []string{"i00", "i01"}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || len(found[0].Observables) != 5 || len(found[1].Observables) != 9 {
		t.Errorf("found %+v", found)
	}
}

// Platforms of 5.12 cut every page at 500, and this request asks for 5000.
func TestManyObservablesOfAnOldPlatform(t *testing.T) {
	s, p := simulated(t, octisim.Options{Version: "5.12.24"}, opencti.Options{})
	var many []octisim.Observable
	for i := range 1100 {
		many = append(many, octisim.Observable{EntityType: "Domain-Name", Value: fmt.Sprintf("h%d.example", i)})
	}
	s.Put(octisim.Indicator{ID: "a", Pattern: "[url:value = 'x']", CreatedAt: day(0), Observables: many})
	got, err := attached(p)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(got[0], "Domain-Name"); n != 1100 {
		t.Errorf("%d observables, want 1100", n)
	}
	if n := strings.Count(operations(s), "BasedOn 3"); n != 1 {
		t.Errorf("requests: %s", operations(s))
	}
}

// The documents run on every supported platform without change (contract opencti-api 12.2).
func TestReadOnEveryVersion(t *testing.T) {
	for _, v := range []string{"5.12.24", "6.0.0", "6.1.0", "6.2.6", "6.5.10", "6.5.11", "6.9.22", "7.260224.0", "7.260817.0"} {
		s, p := simulated(t, octisim.Options{Version: v}, opencti.Options{PageSize: 3})
		fill(s, 7)
		if _, err := p.Ident(context.Background()); err != nil {
			t.Errorf("%s: %v", v, err)
		}
		if got, _, err := read(p, opencti.Group(opencti.Eq("revoked", "false")), true); err != nil || got != names(0, 7) {
			t.Errorf("%s: read %q, %v", v, got, err)
		}
		if found, err := p.ByIDs(context.Background(), []string{"i03", "gone"}, nil, true); err != nil || len(found) != 1 {
			t.Errorf("%s: found %v, %v", v, found, err)
		}
	}
}
