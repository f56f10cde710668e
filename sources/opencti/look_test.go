package opencti_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

const lookStream = "3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11"

var notRevoked = group(`{"key":"revoked","values":[false],"id":"x"}`)

// following is a Source of a stream with a filter, on a platform of six indicators.
func following(t *testing.T, s *octisim.Sim, p *probe) *opencti.Source {
	t.Helper()
	fill(s, 6)
	if _, err := p.Ident(t.Context()); err != nil { // which learns the version
		t.Fatal(err)
	}
	s.HTTP.Forget()
	filters, err := opencti.ParseFilters(notRevoked)
	if err != nil {
		t.Fatal(err)
	}
	s.PutStream(octisim.Stream{ID: lookStream, Filters: new(notRevoked), Live: true})
	return &opencti.Source{Client: p.Client, Filter: filters, Stream: lookStream, Observables: true}
}

// answered gives an answer in one line.
func answered(a reconcile.Answer) string {
	var out []string
	for _, f := range a.Found {
		word := fmt.Sprintf("%s>%s passes %t", f.Asked, f.ID, f.Passes)
		for _, o := range f.Observables {
			word += " " + o.Value
		}
		out = append(out, word)
	}
	slices.Sort(out)
	return strings.Join(append(out, fmt.Sprintf("refiltered %t", a.Refiltered)), ", ")
}

// All that is asked of a few indicators of a stream comes in one answer, and is what each question alone would give.
func TestAFewIndicatorsOfAStreamTakeOneRequest(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	src := following(t, s, p)
	if _, _, err := read(p, live, false); err != nil {
		t.Fatal(err)
	}
	s.Edit("i02", func(i *octisim.Indicator) { i.Revoked = true })
	first, _ := s.Indicator("i01")
	many := []string{"i01", "i02", "gone"}
	for i := range 30 {
		many = append(many, fmt.Sprint("nobody", i))
	}
	const found = "i01>i01 passes true host-01.example, i02>i02 passes false host-02.example, refiltered false"
	for _, tt := range []struct {
		name     string
		ids      []string
		want     string
		requests string
	}{
		{"a few", []string{"i01", "i02", "gone"}, found, "Look 1"},
		{"many", many, found, "BasedOn 2, Find 2, Stream 1"},
		{"by standard id", []string{first.StandardID}, first.StandardID + ">i01 passes true host-01.example, refiltered false", "BasedOn 1, Find 1, Stream 1"},
	} {
		s.HTTP.Forget()
		a, err := src.Ask(t.Context(), tt.ids)
		if got := answered(a); got != tt.want || err != nil {
			t.Errorf("%s: %s, %v, want %s", tt.name, got, err, tt.want)
		}
		if d := cmp.Diff(tt.requests, operations(s)); d != "" {
			t.Errorf("%s: requests (-want +got):\n%s", tt.name, d)
		}
	}
	if a, _ := src.Ask(t.Context(), []string{"i01"}); !slices.Contains(a.Markings, "TLP:AMBER") || !slices.IsSorted(a.Markings) {
		t.Errorf("markings %q", a.Markings)
	}
	s.PutStream(octisim.Stream{ID: lookStream, Filters: new(group(`{"key":"revoked","values":[true],"id":"x"}`)), Live: true})
	for _, ids := range [][]string{{"i01"}, many} {
		if a, err := src.Ask(t.Context(), ids); !a.Refiltered || err != nil {
			t.Errorf("another filter of the stream goes unnoticed with %d ids: %v", len(ids), err)
		}
	}
}

// The state of our connector comes along where it is asked for, and the account may read it.
func TestALookTellsTheConnectorsState(t *testing.T) {
	const connector = "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01"
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	src := following(t, s, p)
	src.Connector = connector
	if a, err := src.Ask(t.Context(), []string{"i01"}); a.Stored != nil || err != nil {
		t.Errorf("of a connector that is not there: %v, %v", a.Stored, err)
	}
	if _, err := p.Register(t.Context(), opencti.Registration{ID: connector, Name: "x"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Ping(t.Context(), connector, `"text"`); err != nil {
		t.Fatal(err)
	}
	s.HTTP.Forget()
	if a, err := src.Ask(t.Context(), []string{"i01"}); a.Stored == nil || *a.Stored != `"text"` || err != nil || operations(s) != "Look 1" {
		t.Errorf("%v, %v, requests %s", a.Stored, err, operations(s))
	}
	s.PutUser(octisim.User{Name: "Connector", Token: token, Capabilities: []string{"KNOWLEDGE", "TAXIIAPI"}})
	for _, want := range []string{"BasedOn 1, Find 1, Look 1, Stream 1", "BasedOn 1, Find 1, Stream 1"} {
		s.HTTP.Forget()
		if a, err := src.Ask(t.Context(), []string{"i01"}); a.Stored != nil || len(a.Found) != 1 || err != nil || operations(s) != want {
			t.Errorf("without the right: %v, %v, requests %s, want %s", a, err, operations(s), want)
		}
	}
}

// A stream that filters by who caused a change cannot be followed, whichever way its filters are read.
func TestALookSeesOriginFilters(t *testing.T) {
	s, p := simulated(t, octisim.Options{Version: "7.260817.0"}, opencti.Options{})
	src := following(t, s, p)
	origin := group(`{"key":"user_id","values":["u"],"id":"x"}`)
	s.PutStream(octisim.Stream{ID: lookStream, Filters: new(notRevoked), OriginFilters: &origin, Live: true})
	if _, err := src.Ask(t.Context(), []string{"i01"}); err == nil || !strings.Contains(err.Error(), "who caused a change") {
		t.Errorf("%v", err)
	}
	if got := operations(s); got != "Look 1" {
		t.Errorf("requests %s", got)
	}
}

// What one of the questions is refused for is said as if it had been asked alone.
func TestQuestionsThatAreRefusedTogetherAreAskedAlone(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	src := following(t, s, p)
	src.Stream = "00000000-0000-4000-8000-000000000000"
	if _, err := src.Ask(t.Context(), []string{"i01"}); !errors.Is(err, opencti.ErrUnknownStream) {
		t.Errorf("a stream that is not there: %v", err)
	}
	src.Stream = lookStream
	s.PutUser(octisim.User{Name: "Connector", Token: token, Capabilities: []string{"KNOWLEDGE"}})
	if _, err := src.Ask(t.Context(), []string{"i01"}); err == nil || !strings.Contains(err.Error(), "TAXIIAPI") {
		t.Errorf("no right to read streams: %v", err)
	}
}

// Each part of the one answer has to be whole, and about what was asked; one that comes short is asked for alone.
func TestAPartialAnswerToAllQuestionsIsNotBelieved(t *testing.T) {
	less := func(l map[string]any) { l["edges"] = l["edges"].([]any)[1:] }
	for _, tt := range []struct {
		name string
		edit func(d map[string]any)
		says string
	}{
		{"a row less that pass", func(d map[string]any) { less(within(d, "list")) }, ""},
		{"a row less of all", func(d map[string]any) { less(within(d, "all")) }, ""},
		{"an observable less", func(d map[string]any) { less(within(d, "basedOn")) }, ""},
		{"an observable of another", func(d map[string]any) {
			within(within(d, "basedOn")["edges"].([]any)[0].(map[string]any), "node")["fromId"] = "stranger"
		}, "not asked for"},
		{"another row", func(d map[string]any) {
			n := within(within(d, "all")["edges"].([]any)[0].(map[string]any), "node")
			n["id"], n["standard_id"] = "stranger", "indicator--stranger"
		}, "not asked for"},
		{"no count", func(d map[string]any) { delete(within(d, "all", "pageInfo"), "globalCount") }, "page information"},
		{"a count of more", func(d map[string]any) { within(d, "list", "pageInfo")["globalCount"] = 90 }, "a count of 90"},
		{"nothing of all", func(d map[string]any) {
			l := within(d, "all")
			l["edges"], within(l, "pageInfo")["globalCount"] = []any{}, 0
		}, "was not found"},
	} {
		s := platform(octisim.Options{})
		p := connect(t, spoiled(s, func(q question, d map[string]any) {
			if q.op == "Look" {
				tt.edit(d)
			}
		}), opencti.Options{})
		src := following(t, s, p)
		if _, _, err := read(p, live, false); err != nil {
			t.Fatal(err)
		}
		a, err := src.Ask(t.Context(), []string{"i01", "i03"})
		if got := answered(a); tt.says == "" && (err != nil || got != "i01>i01 passes true host-01.example, i03>i03 passes true host-03.example, refiltered false" || !strings.Contains(operations(s), "Find 1")) {
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
		if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
}
