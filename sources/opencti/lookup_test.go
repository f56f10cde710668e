package opencti_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// lookup asks by id and gives asked>found for each answer, in one line.
func lookup(p *probe, f *opencti.FilterGroup, observables bool, ids ...string) (string, error) {
	found, err := p.ByIDs(context.Background(), ids, f, observables)
	var out []string
	for _, x := range found {
		s := x.Asked + ">" + x.ID
		for _, o := range x.Observables {
			s += "(" + o.Value + ")"
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return strings.Join(out, " "), err
}

var live = opencti.Group(opencti.Eq("revoked", "false"))

func TestLookupTakesAnyKindOfID(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	fill(s, 4)
	s.Edit("i02", func(i *octisim.Indicator) {
		i.StixIDs = []string{"indicator--old", "indicator--older"}
		i.Revoked = true
	})
	first, _ := s.Indicator("i00")
	third, _ := s.Indicator("i02")
	all := []string{"i00", first.StandardID, "", "i02", "indicator--older", third.StandardID, "i03", "nobody", "indicator--nobody"}
	tests := []struct {
		name        string
		filter      *opencti.FilterGroup
		observables bool
		want        []string
	}{
		{"alone", nil, false, []string{"i00>i00", first.StandardID + ">i00", "i02>i02", "indicator--older>i02", third.StandardID + ">i02", "i03>i03"}},
		{"with a filter", live, false, []string{"i00>i00", first.StandardID + ">i00", "i03>i03"}},
		{"with observables", live, true, []string{"i00>i00(host-00.example)", first.StandardID + ">i00(host-00.example)", "i03>i03(host-03.example)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := lookup(p, tt.filter, tt.observables, all...)
			slices.Sort(tt.want)
			if diff := cmp.Diff(strings.Join(tt.want, " "), got); diff != "" || err != nil {
				t.Errorf("found (-want +got):\n%s%v", diff, err)
			}
		})
	}
	if got, err := lookup(p, nil, false); got != "" || err != nil {
		t.Errorf("asked for nothing, found %q, %v", got, err)
	}
}

func TestLookupAsksInBatches(t *testing.T) {
	for _, size := range []int{0, 60} {
		s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: size})
		fill(s, 100)
		var ids []string
		for i := range 500 {
			ids = append(ids, fmt.Sprintf("i%02d", i))
		}
		found, err := p.ByIDs(context.Background(), ids, nil, false)
		if err != nil || len(found) != 100 {
			t.Errorf("found %d, %v", len(found), err)
		}
		want := "Find 3, Indicator 3" // each batch had something absent, and no witness
		if size == 60 {
			want = "Find 4, Indicator 3"
		}
		if diff := cmp.Diff(want, operations(s)); diff != "" {
			t.Errorf("requests in pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

// An answer wider than the question says that the filter was not heard.
func TestLookupRefusesWhatWasNotAskedFor(t *testing.T) {
	tests := []struct {
		name string
		edit func(d map[string]any)
		says string
	}{
		{"a row more", func(d map[string]any) {
			l := within(d, "list")
			l["edges"] = append(l["edges"].([]any), map[string]any{"node": node(map[string]any{"id": "stranger"})})
		}, "indicator stranger, which was not asked for"},
		{"another row", func(d map[string]any) {
			within(within(d, "list")["edges"].([]any)[0].(map[string]any), "node")["id"] = "stranger"
			within(within(d, "list")["edges"].([]any)[0].(map[string]any), "node")["standard_id"] = "indicator--stranger"
		}, "indicator stranger, which was not asked for"},
		{"a count of more", func(d map[string]any) { within(d, "list", "pageInfo")["globalCount"] = 9 }, "a count of 9 for 2 ids"},
		{"a row twice", func(d map[string]any) {
			l := within(d, "list")
			l["edges"] = append(l["edges"].([]any), l["edges"].([]any)[0])
		}, "came twice"},
		{"a row less", func(d map[string]any) {
			l := within(d, "list")
			l["edges"] = l["edges"].([]any)[1:]
		}, "1 came and the platform counts 2"},
		{"a null row", func(d map[string]any) { within(d, "list")["edges"].([]any)[0] = nil }, "1 came and the platform counts 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := platform(octisim.Options{})
			fill(s, 5)
			p := connect(t, spoiled(s, func(q question, d map[string]any) {
				if q.op == "Find" && q.n == 1 {
					tt.edit(d)
				}
			}), opencti.Options{})
			got, err := lookup(p, nil, false, "i01", "i03")
			says(t, err, tt.says)
			if got != "" {
				t.Errorf("found %q", got)
			}
		})
	}
}

// A platform that leaves the filter out would answer everything: one page of that is enough.
func TestLookupEndsAtOnceWhenTheFilterIsIgnored(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 10})
	fill(s, 90)
	s.SetKnobs(func(k *octisim.Knobs) { k.IDsFilter = "ignored" })
	_, err := lookup(p, nil, true, "i00", "i01", "i02", "i03", "i04", "i05", "i06", "i07", "i08", "i09", "i10")
	says(t, err, "the filter by id is ignored")
	if diff := cmp.Diff("Find 1", operations(s)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// A look-up that finds nothing would be taken for evidence that indicators are gone, and their rules
// removed (gate G3). So it has to find something that is known to be there.
func TestABrokenLookupIsNotAbsence(t *testing.T) {
	tests := []struct {
		name   string
		read   bool
		filter *opencti.FilterGroup
	}{
		{"after a read", true, nil},
		{"after a read, with its filter", true, live},
		{"without a read", false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{})
			fill(s, 6)
			s.SetKnobs(func(k *octisim.Knobs) { k.IDsFilter = "empty" })
			if tt.read {
				if _, _, err := read(p, live, false); err != nil {
					t.Fatal(err)
				}
			}
			got, err := lookup(p, tt.filter, false, "i02", "gone")
			incomplete(t, err, "is there and was not found", "the filter by id does not work")
			if got != "" {
				t.Errorf("found %q", got)
			}
		})
	}
}

// Nor may one kind of id be deaf: rows of old connectors are asked for by standard id.
func TestALookupDeafToStandardIDs(t *testing.T) {
	s := platform(octisim.Options{})
	fill(s, 6)
	first, _ := s.Indicator("i00")
	p := connect(t, spoiled(s, func(q question, d map[string]any) {
		if q.op != "Find" {
			return
		}
		l := within(d, "list")
		l["edges"] = slices.DeleteFunc(l["edges"].([]any), func(e any) bool {
			return !strings.Contains(string(q.raw), `"`+within(e.(map[string]any), "node")["id"].(string)+`"`)
		})
		within(l, "pageInfo")["globalCount"] = len(l["edges"].([]any))
	}), opencti.Options{})
	if _, _, err := read(p, live, false); err != nil {
		t.Fatal(err)
	}
	_, err := lookup(p, nil, false, first.StandardID)
	incomplete(t, err, "the filter by id does not work")
}

// What was deleted or changed since the read is no contradiction.
func TestWitnessesMayGo(t *testing.T) {
	tests := []struct {
		name   string
		change func(s *octisim.Sim)
		filter *opencti.FilterGroup
		want   string
	}{
		{"nothing happened", func(*octisim.Sim) {}, live, "i02>i02"},
		{"they were deleted", func(s *octisim.Sim) { s.Delete("i00"); s.Delete("i05") }, nil, "i02>i02"},
		{"they changed and do not pass any more", func(s *octisim.Sim) {
			for _, id := range []string{"i00", "i05"} {
				s.Edit(id, func(i *octisim.Indicator) { i.Revoked = true })
			}
		}, live, "i02>i02"},
		{"another filter has none", func(s *octisim.Sim) {}, opencti.Group(opencti.Eq("revoked", "true")), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{})
			fill(s, 6)
			if _, _, err := read(p, live, false); err != nil {
				t.Fatal(err)
			}
			tt.change(s)
			got, err := lookup(p, tt.filter, true, "i02", "gone")
			if want := strings.Replace(tt.want, ">i02", ">i02(host-02.example)", 1); got != want || err != nil {
				t.Errorf("found %q, %v, want %q", got, err, want)
			}
		})
	}
}

// With something to witness, being sure costs no request.
func TestWitnessesCostNothing(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	fill(s, 6)
	if _, _, err := read(p, live, false); err != nil {
		t.Fatal(err)
	}
	s.HTTP.Forget()
	for _, f := range []*opencti.FilterGroup{nil, live} {
		if got, err := lookup(p, f, false, "gone", "i05", "indicator--gone"); got != "i05>i05" || err != nil {
			t.Errorf("found %q, %v", got, err)
		}
	}
	if diff := cmp.Diff("Find 2", operations(s)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestLookupIncompleteObservables(t *testing.T) {
	s := platform(octisim.Options{})
	fill(s, 3)
	s.SetKnobs(func(k *octisim.Knobs) { k.SkipPage = 1; k.DriftField = "stixCoreRelationships" })
	p := connect(t, s, opencti.Options{})
	_, err := lookup(p, nil, true, "i01")
	if _, ok := errors.AsType[*opencti.IncompleteError](err); !ok {
		t.Errorf("error %v, want an IncompleteError", err)
	}
}
