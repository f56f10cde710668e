package opencti_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// thing is an object that a shelf holds.
type thing struct {
	kind, id, standard string
	further            []string
	name, text         string
}

// shelf is a platform as far as objects are asked for by id: by the filter key ids, in pages, and alone.
type shelf struct {
	asked
	things []thing
	cap    int                                           // largest page; 0 is none
	filter string                                        // "ignored" passes everything, "empty" nothing
	deaf   func(id string) bool                          // ids that the filter does not find
	edit   func(q question, list map[string]any)         // the answer to a listing, on its way
	before func(q question)                              // each answer
	mu     sync.Mutex                                    // guards all of it
	seen   []question                                    // in order
	raw    func(q question) (answer string, anyway bool) // in place of all that
}

var kindOf = map[string]string{"Incidents": "Incident", "Cases": "CaseIncident", "Notes": "Note", "AttackPatterns": "AttackPattern"}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := s.question(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, q)
	if s.before != nil {
		s.before(q)
	}
	if s.raw != nil {
		if answer, anyway := s.raw(q); anyway {
			_, _ = w.Write([]byte(answer))
			return
		}
	}
	data := map[string]any{}
	if kind, ok := kindOf[q.op]; ok {
		data["list"] = s.list(q, kind)
	} else {
		var found any
		for _, t := range s.things {
			if t.has(q.vars["id"].(string)) {
				found = map[string]any{"__typename": t.kind, "id": t.id}
			}
		}
		data["stixObjectOrStixRelationship"] = found
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func (t *thing) has(id string) bool {
	return t.id == id || t.standard == id || slices.Contains(t.further, id)
}

func (s *shelf) list(q question, kind string) map[string]any {
	var ids []string
	for _, f := range within(q.vars, "filters")["filters"].([]any) {
		f := f.(map[string]any)
		if key := f["key"].([]any); len(key) == 1 && key[0] == "ids" {
			for _, v := range f["values"].([]any) {
				ids = append(ids, v.(string))
			}
		}
	}
	var rows []any
	for _, t := range s.things {
		asked := slices.ContainsFunc(ids, func(id string) bool { return t.has(id) && (s.deaf == nil || !s.deaf(id)) })
		if t.kind == kind && s.filter != "empty" && (asked || s.filter == "ignored") {
			rows = append(rows, map[string]any{"node": map[string]any{"id": t.id, "standard_id": t.standard, "x_opencti_stix_ids": t.further, "name": t.name, "description": t.text}})
		}
	}
	return s.page(q, rows)
}

// page cuts a listing as the platform does (contract opencti-api 2.2).
func (s *shelf) page(q question, rows []any) map[string]any {
	from := 0
	if after, ok := q.vars["after"].(string); ok {
		from, _ = strconv.Atoi(after)
	}
	first := int(q.vars["first"].(float64))
	n := first
	if s.cap > 0 {
		n = min(n, s.cap)
	}
	page := rows[min(from, len(rows)):min(from+n, len(rows))]
	cursor := ""
	if len(page) > 0 {
		cursor = strconv.Itoa(from + len(page))
	}
	list := map[string]any{"edges": page, "pageInfo": map[string]any{"endCursor": cursor, "hasNextPage": len(page) == first, "globalCount": len(rows)}}
	if s.edit != nil {
		s.edit(q, list)
	}
	return list
}

// operations are the questions so far, in one line.
func (s *shelf) operations() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ops []string
	for _, q := range s.seen {
		ops = append(ops, q.op)
	}
	return strings.Join(ops, " ")
}

func things(kind string, n int) []thing {
	var out []thing
	for i := range n {
		out = append(out, thing{kind: kind, id: fmt.Sprintf("o%03d", i), standard: fmt.Sprintf("std--%03d", i), further: []string{fmt.Sprintf("own--%03d", i)}, name: fmt.Sprintf("name %d", i), text: "text"})
	}
	return out
}

// ids are the internal ids of what came, in one line.
func storedIDs(objects []pull.Stored) string {
	var ids []string
	for _, o := range objects {
		ids = append(ids, o.IDs[0])
	}
	return strings.Join(ids, " ")
}

func TestObjectsAreFoundByAnyOfTheirIDs(t *testing.T) {
	s := &shelf{}
	for _, kind := range []string{"Incident", "CaseIncident", "Note", "AttackPattern"} {
		s.things = append(s.things,
			thing{kind: kind, id: kind + " 1", standard: kind + "--s1", name: "First", text: "of\nall"},
			thing{kind: kind, id: kind + " 2", standard: kind + "--s2", further: []string{kind + "--f2", kind + "--g2"}, name: "Second"},
			thing{kind: kind, id: kind + " 3", standard: kind + "--s3"})
	}
	p := connect(t, s, opencti.Options{})
	for kind, ask := range map[string]func(context.Context, []string) ([]pull.Stored, error){
		"Incident": p.Incidents, "CaseIncident": p.Cases, "Note": p.Notes, "AttackPattern": p.Techniques,
	} {
		got, err := ask(context.Background(), []string{kind + "--g2", "", kind + "--s1", kind + "--nobody", kind + "--s1", kind + " 2", "Incident--s3 of another kind"})
		want := []pull.Stored{
			{IDs: []string{kind + " 1", kind + "--s1"}, Name: "First", Description: "of\nall"},
			{IDs: []string{kind + " 2", kind + "--s2", kind + "--f2", kind + "--g2"}, Name: "Second"},
		}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", kind, err, d)
		}
		// An id that names something else is absent among these.
		other := "Note--s1"
		if kind == "Note" {
			other = "Incident--s1"
		}
		if got, err := ask(context.Background(), []string{other}); len(got) != 0 || err != nil {
			t.Errorf("%s, asked for %s: %v, %v", kind, other, got, err)
		}
	}
	n := len(s.operations())
	if got, err := p.Incidents(context.Background(), []string{"", ""}); got != nil || err != nil || len(s.operations()) != n {
		t.Errorf("asked for nothing: %v, %v", got, err)
	}
}

func TestObjectsAreAskedForInBatches(t *testing.T) {
	for _, tt := range []struct {
		name      string
		size, cap int
		want      string
	}{
		{"a page each", 500, 0, "Incidents Incidents Incidents There"},
		{"two pages each", 150, 0, "Incidents Incidents Incidents Incidents Incidents There"},
		{"pages that the platform cuts", 500, 120, "Incidents Incidents Incidents Incidents Incidents There"},
	} {
		s := &shelf{things: things("Incident", 420), cap: tt.cap}
		var ids []string
		for i := range 430 {
			ids = append(ids, fmt.Sprintf("own--%03d", i))
		}
		p := connect(t, s, opencti.Options{PageSize: tt.size})
		got, err := p.Incidents(context.Background(), ids)
		var want []string
		for i := range 420 {
			want = append(want, fmt.Sprintf("o%03d", i))
		}
		if d := cmp.Diff(strings.Join(want, " "), storedIDs(got)); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
		if d := cmp.Diff(tt.want, s.operations()); d != "" {
			t.Errorf("%s, requests (-want +got):\n%s", tt.name, d)
		}
		for _, q := range s.seen {
			if q.op == "Incidents" && len(within(q.vars, "filters")["filters"].([]any)[0].(map[string]any)["values"].([]any)) > 200 {
				t.Errorf("%s: more than 200 ids at once", tt.name)
			}
		}
	}
	// One object that is asked for by ids of two batches comes once.
	s := &shelf{things: things("Note", 201)}
	var ids []string
	for i := range 201 {
		ids = append(ids, fmt.Sprintf("own--%03d", i))
	}
	got, err := connect(t, s, opencti.Options{}).Notes(context.Background(), append(ids, "std--000"))
	if len(got) != 201 || err != nil {
		t.Errorf("%d notes, %v", len(got), err)
	}
}

// That an object is absent makes an alert new, so a filter that finds nothing must not be believed.
func TestAbsenceHasToBeProven(t *testing.T) {
	ask := func(s *shelf) error {
		p := connect(t, s, opencti.Options{})
		got, err := p.Incidents(context.Background(), []string{"own--000", "std--001", "own--gone"})
		if err != nil && got != nil {
			t.Errorf("an error and %d objects", len(got))
		}
		return err
	}
	for _, tt := range []struct {
		name string
		s    *shelf
		says string
		ops  string
	}{
		{"a filter that works", &shelf{}, "", "Incidents There"},
		{"a filter that finds nothing", &shelf{filter: "empty"}, "own--000 is there and was not found: the filter by id does not work", "Incidents There Incidents There"},
		{"a filter that is deaf to one kind of id", &shelf{deaf: func(id string) bool { return strings.HasPrefix(id, "own") }}, "the filter by id does not work", "Incidents There Incidents There"},
		{"a filter that is ignored", &shelf{filter: "ignored"}, "o002, which was not asked for: the filter by id is ignored", "Incidents"},
	} {
		tt.s.things = things("Incident", 5)
		err := ask(tt.s)
		if tt.says != "" {
			says(t, err, tt.says)
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if d := cmp.Diff(tt.ops, tt.s.operations()); d != "" {
			t.Errorf("%s, requests (-want +got):\n%s", tt.name, d)
		}
		if _, incomplete := errors.AsType[*opencti.IncompleteError](err); incomplete != strings.Contains(tt.says, "does not work") {
			t.Errorf("%s: error %T", tt.name, err)
		}
	}
	// An object that is made between the two questions is no contradiction.
	s := &shelf{things: things("Incident", 2)}
	s.before = func(q question) {
		if q.op == "There" && q.n == 1 {
			s.things = append(s.things, thing{kind: "Incident", id: "new", standard: "own--gone"})
		}
	}
	if err := ask(s); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff("Incidents There Incidents", s.operations()); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func TestListingsThatAreNotWhole(t *testing.T) {
	edges := func(l map[string]any) []any { return l["edges"].([]any) }
	for _, tt := range []struct {
		name string
		edit func(l map[string]any)
		says string
	}{
		{"a row less", func(l map[string]any) { l["edges"] = edges(l)[1:] }, "1 came and the platform counts 2"},
		{"a null row", func(l map[string]any) { edges(l)[0] = nil }, "1 came and the platform counts 2"},
		{"a null node", func(l map[string]any) { edges(l)[0] = map[string]any{"node": nil} }, "1 came and the platform counts 2"},
		{"a row twice", func(l map[string]any) { l["edges"] = append(edges(l), edges(l)[0]) }, "o000 came twice"},
		{"a row without an id", func(l map[string]any) { within(edges(l)[0].(map[string]any), "node")["id"] = "" }, "an entry without an id"},
		{"a count of more", func(l map[string]any) { within(l, "pageInfo")["globalCount"] = 9 }, "a count of 9 for 2 ids: the filter by id is ignored"},
		{"no page information", func(l map[string]any) { delete(l, "pageInfo") }, "a page without page information"},
		{"a page that promises another one", func(l map[string]any) { within(l, "pageInfo")["hasNextPage"] = true; l["edges"] = []any{} }, "promises another one"},
		{"another shape", func(l map[string]any) { l["edges"] = "x" }, "another shape"},
	} {
		s := &shelf{things: things("CaseIncident", 3), edit: func(q question, l map[string]any) {
			if q.n == 1 {
				tt.edit(l)
			}
		}}
		got, err := connect(t, s, opencti.Options{}).Cases(context.Background(), []string{"own--000", "own--001"})
		if err == nil || got != nil {
			t.Errorf("%s: got %v, %v", tt.name, got, err)
			continue
		}
		says(t, err, "OpenCTI: ", tt.says)
	}
	for name, tt := range map[string]struct{ answer, says string }{
		"no list":       {`{"data":{"list":null}}`, "OpenCTI: Notes: 200 with no notes asked for by id"},
		"partial":       {`{"errors":[{"message":"half","extensions":{"code":"FUNCTIONAL_ERROR"}}],"data":{"list":{"edges":[],"pageInfo":{"hasNextPage":false,"globalCount":0}}}}`, "FUNCTIONAL_ERROR: half"},
		"no right":      {coded("FORBIDDEN_ACCESS"), "the capability KNOWLEDGE"},
		"unknown field": {coded("GRAPHQL_VALIDATION_FAILED"), "does not take the request"},
	} {
		_, err := connect(t, &canned{answers: map[string]string{"": tt.answer}}, opencti.Options{}).Notes(context.Background(), []string{"n"})
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		says(t, err, tt.says)
	}
}

// Reading back is asked again after any failure that may pass, on both ways.
func TestReadingBackIsRepeated(t *testing.T) {
	s := &shelf{things: things("AttackPattern", 1)}
	s.raw = func(q question) (string, bool) {
		return []string{"<html>", coded("DATABASE_ERROR"), ""}[min(q.n-1, 2)], q.n < 3
	}
	p := connect(t, s, opencti.Options{})
	got, err := p.Techniques(context.Background(), []string{"own--000", "own--gone"})
	if storedIDs(got) != "o000" || err != nil || len(p.slept()) != 4 {
		t.Errorf("got %q after %d waits, %v", storedIDs(got), len(p.slept()), err)
	}
	// The look-up of one object may answer absence with a code.
	s = &shelf{raw: func(q question) (string, bool) { return coded("RESOURCE_NOT_FOUND"), q.op == "There" }}
	if got, err := connect(t, s, opencti.Options{}).Incidents(context.Background(), []string{"own--gone"}); len(got) != 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	s = &shelf{raw: func(q question) (string, bool) { return coded("FORBIDDEN_ACCESS"), q.op == "There" }}
	_, err = connect(t, s, opencti.Options{}).Incidents(context.Background(), []string{"own--gone"})
	says(t, err, "OpenCTI: There: FORBIDDEN_ACCESS")
}
