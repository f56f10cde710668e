package opencti_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// A page above the platform's cap comes short and says that it is the last one (contract opencti-api
// 1.6). No row is lost by that, and the cap is learned once.
func TestPageCap(t *testing.T) {
	for _, cap := range []int{1, 3, 7, 10, 11} {
		s, p := simulated(t, octisim.Options{PageCap: cap}, opencti.Options{PageSize: 10})
		fill(s, 21)
		got, _, err := read(p, nil, true)
		if err != nil || got != names(0, 21) {
			t.Errorf("cap %d: read %q, %v", cap, got, err)
		}
		if warned := strings.Count(p.log.String(), "OpenCTI cuts pages"); warned > 1 || cap < 10 != (warned == 1) {
			t.Errorf("cap %d: warned %d times: %s", cap, warned, p.log.String())
		}
		s.HTTP.Forget()
		if got, _, err = read(p, nil, false); err != nil || got != names(0, 21) {
			t.Errorf("cap %d, again: read %q, %v", cap, got, err)
		}
		if pages, want := s.HTTP.Count(), 21/min(cap, 10)+2; pages != want {
			t.Errorf("cap %d, again: %d requests, want %d", cap, pages, want)
		}
	}
}

// A row that one answer dropped is not taken for a cap.
func TestADroppedRowTeachesNoCap(t *testing.T) {
	s := platform(octisim.Options{})
	fill(s, 8)
	p := connect(t, spoiled(s, func(q question, d map[string]any) {
		if q.n == 1 {
			l := within(d, "list")
			l["edges"] = l["edges"].([]any)[1:]
		}
	}), opencti.Options{PageSize: 10})
	_, _, err := read(p, nil, false)
	incomplete(t, err, "7 came and the platform counts 8", "max_pagination_result")
	s.HTTP.Forget()
	if got, _, err := read(p, nil, false); err != nil || got != names(0, 8) {
		t.Errorf("read %q, %v", got, err)
	}
	if diff := cmp.Diff("Page 2", operations(s)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Nor is a last page that came short because rows joined behind the cursor.
func TestALateRowTeachesNoCap(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 2})
	fill(s, 5)
	s.Put(octisim.Indicator{ID: "x", Pattern: "[url:value = 'x']", Revoked: true, CreatedAt: day(-1)})
	asked := 0
	s.SetKnobs(func(k *octisim.Knobs) {
		k.BeforePage = func(string, int) {
			if asked++; asked == 3 {
				s.Edit("x", func(in *octisim.Indicator) { in.Revoked = false })
			}
		}
	})
	if got, _, err := read(p, opencti.Group(opencti.Eq("revoked", "false")), false); err != nil || got != names(0, 5)+" x" {
		t.Errorf("visits %q, %v", got, err)
	}
	if diff := cmp.Diff("Page 4", operations(s)); diff != "" || strings.Contains(p.log.String(), "cuts pages") {
		t.Errorf("requests (-want +got):\n%s%s", diff, p.log.String())
	}
}

// Of any faulty listing of a platform, a read is refused or holds everything.
func TestReadIsWholeOrRefused(t *testing.T) {
	s := platform(octisim.Options{})
	fill(s, 23)
	p := connect(t, s, opencti.Options{PageSize: 5})
	rapid.Check(t, func(rt *rapid.T) {
		knobs := octisim.Knobs{
			PageCap:    rapid.IntRange(1, 12).Draw(rt, "cap"),
			RepeatPage: rapid.IntRange(0, 6).Draw(rt, "repeat"), SkipPage: rapid.IntRange(0, 6).Draw(rt, "skip"),
			DriftField: rapid.SampledFrom([]string{"indicators", "stixCoreRelationships"}).Draw(rt, "field"),
		}
		s.SetKnobs(func(k *octisim.Knobs) { *k = knobs })
		got, _, err := read(p, nil, true)
		all := strings.Fields(got)
		slices.Sort(all)
		if err == nil && strings.Join(slices.Compact(all), " ") != names(0, 23) {
			rt.Errorf("believed %q", got)
		}
	})
}
