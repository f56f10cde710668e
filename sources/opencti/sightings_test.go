package opencti_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// relations is a platform that lists relations, given as JSON nodes, in pages.
func relations(edit func(q question, list map[string]any), nodes ...string) http.Handler {
	s := &shelf{edit: edit}
	var rows []any
	for _, n := range nodes {
		rows = append(rows, map[string]any{"node": rawJSON(n)})
	}
	s.raw = func(q question) (string, bool) {
		return encoded(map[string]any{"data": map[string]any{"list": s.page(q, rows)}}), true
	}
	return s
}

func rawJSON(text string) (v any) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	return v
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

const sighted = `"id":"s1","standard_id":"sighting--std1","x_opencti_stix_ids":["sighting--own1"],"fromId":"i1","toId":"sys1","toType":"System","attribute_count":3,` +
	`"first_seen":"2026-03-01T10:00:00.000Z","last_seen":"2026-03-01T10:05:00.000Z","x_opencti_negative":false`

func TestSightingsOfAnIndicator(t *testing.T) {
	p := connect(t, relations(nil,
		`{`+sighted+`,"to":{"id":"sys1","standard_id":"identity--sys1","x_opencti_stix_ids":["identity--own1",null]}}`,
		`{"id":"s2","standard_id":"sighting--std2","x_opencti_stix_ids":null,"fromId":"i1","toId":"sys2","toType":"System","attribute_count":0,"first_seen":"1970-01-01T00:00:00.000Z",
			"last_seen":"5138-11-16T09:46:40.000Z","x_opencti_negative":true,"to":null}`,
		`{"id":"s3","standard_id":"sighting--std3","fromId":"i1","toId":"org","toType":"Organization","attribute_count":1,"first_seen":null,"last_seen":null,"x_opencti_negative":false,"to":{}}`,
		`{"id":"s4","standard_id":"sighting--std4","fromId":"i1","toId":"sys4","toType":"System","attribute_count":1,"first_seen":null,"last_seen":null,"x_opencti_negative":false,"to":{}}`,
	), opencti.Options{PageSize: 3})
	got, err := p.Sightings(context.Background(), []string{"i1"})
	want := []pull.Sighted{
		{Indicator: "i1", IDs: []string{"s1", "sighting--std1", "sighting--own1"}, Endpoint: []string{"sys1", "identity--sys1", "identity--own1"}, Count: 3,
			First: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), Last: time.Date(2026, 3, 1, 10, 5, 0, 0, time.UTC)},
		{Indicator: "i1", IDs: []string{"s2", "sighting--std2"}, Endpoint: []string{"sys2"}, Negative: true},
		{Indicator: "i1", IDs: []string{"s4", "sighting--std4"}, Endpoint: []string{"sys4"}, Count: 1},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if all, err := connect(t, relations(nil), opencti.Options{}).Sightings(context.Background(), []string{"i1"}); len(all) != 0 || err != nil {
		t.Errorf("of none: %v, %v", all, err)
	}
}

func TestIncidentsOfAnIndicator(t *testing.T) {
	p := connect(t, relations(nil,
		`{"id":"r1","fromId":"i1","toId":"n1","toType":"Incident","relationship_type":"indicates","to":{"id":"n1","standard_id":"incident--s1","x_opencti_stix_ids":["incident--f1"],"name":"First","description":"d"}}`,
		`{"id":"r2","fromId":"i1","toId":"n2","toType":"Incident","relationship_type":"indicates","to":null}`,
		`{"id":"r3","fromId":"i1","toId":"n1","toType":"Incident","relationship_type":"indicates","to":{"id":"n1","standard_id":"incident--s1","name":"First"}}`,
		`{"id":"r4","fromId":"i1","toId":"m","toType":"Malware","relationship_type":"indicates","to":{}}`,
		`{"id":"r5","fromId":"i1","toId":"n3","toType":"Incident","relationship_type":"related-to","to":{"id":"n3","standard_id":"incident--s3","name":"Third"}}`,
		`{"id":"r6","fromId":"i1","toId":"n4","toType":"Incident","relationship_type":"indicates","to":{"id":"n4","standard_id":"incident--s4","x_opencti_stix_ids":null,"name":"Fourth","description":null}}`,
	), opencti.Options{PageSize: 2})
	got, err := p.IncidentsOf(context.Background(), "i1")
	want := []pull.Stored{
		{IDs: []string{"n1", "incident--s1", "incident--f1"}, Name: "First", Description: "d"}, {IDs: []string{"n2"}},
		{IDs: []string{"n4", "incident--s4"}, Name: "Fourth"},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

func TestRelationsAreAskedForByTheirIndicator(t *testing.T) {
	for _, tt := range []struct {
		size, first int
	}{{0, 500}, {2000, 500}, {50, 50}} {
		c := &canned{answers: map[string]string{"": `{"data":{"list":{"pageInfo":{"endCursor":"","hasNextPage":false,"globalCount":0},"edges":[]}}}`}}
		p := connect(t, c, opencti.Options{PageSize: tt.size})
		_, err1 := p.Sightings(context.Background(), []string{"i1"})
		_, err2 := p.IncidentsOf(context.Background(), "i1")
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		want := []map[string]any{{"first": float64(tt.first), "fromId": "i1"}, {"first": float64(tt.first), "fromId": []any{"i1"}}}
		if d := cmp.Diff(want, []map[string]any{c.questions("Sightings")[0].vars, c.questions("Indicates")[0].vars}); d != "" {
			t.Errorf("variables (-want +got):\n%s", d)
		}
	}
}

func TestRelationsThatAreNotWhole(t *testing.T) {
	edges := func(l map[string]any) []any { return l["edges"].([]any) }
	second := strings.Replace(strings.Replace(sighted, `"s1"`, `"s2"`, 1), `"sys1"`, `"sys2"`, 1)
	node := func(l map[string]any) map[string]any { return edges(l)[1].(map[string]any)["node"].(map[string]any) }
	for _, tt := range []struct {
		name string
		edit func(l map[string]any)
		says string
	}{
		{"one of another indicator", func(l map[string]any) { node(l)["fromId"] = "i2" }, "sighting s2 of i2, which was not asked for"},
		{"one without a count", func(l map[string]any) { node(l)["attribute_count"] = nil }, "sighting s2 without an end, a count"},
		{"one without an end", func(l map[string]any) { node(l)["toId"] = "" }, "sighting s2 without an end"},
		{"one that does not say whether it is negative", func(l map[string]any) { delete(node(l), "x_opencti_negative") }, "or a word whether it is negative"},
		{"a time that is none", func(l map[string]any) { node(l)["first_seen"] = "soon" }, "is not a time"},
		{"one twice", func(l map[string]any) { l["edges"] = append(edges(l), edges(l)[0]) }, "s1 came twice"},
		{"one less", func(l map[string]any) { l["edges"] = edges(l)[:1] }, "1 came and the platform counts 2"},
		{"a null one", func(l map[string]any) { edges(l)[0] = nil }, "1 came and the platform counts 2"},
	} {
		p := connect(t, relations(func(q question, l map[string]any) {
			if q.n == 1 {
				tt.edit(l)
			}
		}, `{`+sighted+`}`, `{`+second+`}`), opencti.Options{})
		got, err := p.Sightings(context.Background(), []string{"i1"})
		if err == nil || got != nil {
			t.Errorf("%s: got %v, %v", tt.name, got, err)
			continue
		}
		says(t, err, "OpenCTI: ", tt.says)
	}
	for says, relation := range map[string]string{
		"relationship r1 of i2, which was not asked for": `{"id":"r1","fromId":"i2","toId":"n1","toType":"Incident"}`,
		"relationship r1 without an end":                 `{"id":"r1","fromId":"i1","toId":"","toType":"Incident"}`,
	} {
		got, err := connect(t, relations(nil, relation), opencti.Options{}).IncidentsOf(context.Background(), "i1")
		if got != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, %v, want %s", got, err, says)
		}
	}
}

func TestManySightings(t *testing.T) {
	var nodes []string
	for i := range 1203 {
		nodes = append(nodes, fmt.Sprintf(`{"id":"s%d","standard_id":"sighting--%d","fromId":"i1","toId":"sys%d","toType":"System","attribute_count":%d,"x_opencti_negative":false}`, i, i, i, i))
	}
	got, err := connect(t, relations(nil, nodes...), opencti.Options{}).Sightings(context.Background(), []string{"i1"})
	if err != nil || len(got) != len(nodes) || got[1202].Count != 1202 {
		t.Errorf("%d sightings, %v", len(got), err)
	}
}

// The sightings of several indicators come in one answer, and from a platform that cannot do that all the same.
func TestSightingsOfSeveralIndicators(t *testing.T) {
	const empty = `{"data":{"list":{"pageInfo":{"endCursor":"","hasNextPage":false,"globalCount":0},"edges":[]}}}`
	of := func(ids ...string) string {
		var edges []string
		for _, id := range ids {
			edges = append(edges, `{"node":{`+strings.NewReplacer(`"id":"s1"`, `"id":"s-`+id+`"`, `"fromId":"i1"`, `"fromId":"`+id+`"`).Replace(sighted)+`}}`)
		}
		return fmt.Sprintf(`{"data":{"list":{"pageInfo":{"endCursor":"","hasNextPage":false,"globalCount":%d},"edges":[%s]}}}`, len(ids), strings.Join(edges, ","))
	}
	for _, tt := range []struct {
		name, together string
		requests       int // for two calls of two indicators each
	}{
		{"one answer", of("i1", "i2"), 2},
		{"the filter is refused", `{"errors":[{"message":"Incorrect filter keys","extensions":{"code":"UNSUPPORTED_ERROR"}}],"data":null}`, 5},
		{"the filter is ignored", of("i1", "i2", "i3"), 5},
		{"the filter finds nothing", empty, 6},
	} {
		n := 0
		p := connect(t, &shelf{raw: func(q question) (string, bool) {
			if n++; q.op == "SightingsOf" {
				return tt.together, true
			}
			return of(q.vars["fromId"].(string)), true
		}}, opencti.Options{})
		for range 2 {
			got, err := p.Sightings(t.Context(), []string{"i1", "i2"})
			if err != nil || len(got) != 2 || got[0].Indicator != "i1" || got[1].Indicator != "i2" {
				t.Errorf("%s: %v, %+v", tt.name, err, got)
			}
		}
		if n != tt.requests {
			t.Errorf("%s: %d requests, want %d", tt.name, n, tt.requests)
		}
	}
}

// TestAListingWithoutAnEndEndsBeforeMemoryDoes: what is attached to indicators, and their sightings, may be any number, and is
// kept until all of it came.
func TestAListingWithoutAnEndEndsBeforeMemoryDoes(t *testing.T) {
	was := debug.SetMemoryLimit(96 << 20)
	defer debug.SetMemoryLimit(was)
	const enough = 80
	pages, value := 0, strings.Repeat("v", 1<<20)
	p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		pages++
		fmt.Fprintf(w, `{"data":{"list":{"pageInfo":{"globalCount":%d,"hasNextPage":%t,"endCursor":"c"},"edges":[{"node":{"id":"s%[1]d","fromId":"a","toId":"e","toType":"System",
			"attribute_count":1,"x_opencti_negative":false,"standard_id":"%[3]s"}}]}}}`, pages, pages < enough, value)
	}), opencti.Options{})
	_, err := p.Sightings(t.Context(), []string{"a"})
	says(t, err, "sightings of an indicator that have no end, or take more than 50331648 bytes")
	if pages == enough {
		t.Errorf("%d pages were read", pages)
	}
}
