package octisim

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// day is the first of March 2026 plus n days, at noon.
func day(n int) time.Time { return time.Date(2026, 3, 1+n, 12, 0, 0, 0, time.UTC) }

// five is a platform with indicators a to e, made a day apart, whose patterns sort otherwise.
func five(o Options) *Sim {
	o.Token = "t"
	if o.Now == nil {
		o.Now = func() time.Time { return day(10) }
	}
	s := New(o)
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		s.Put(Indicator{ID: name, Name: name, Pattern: "[domain-name:value = '" + name + ".example']", CreatedAt: day(i)})
	}
	return s
}

// walk reads every page and gives the names in order, and the counts that the pages told.
func walk(t testing.TB, s *Sim, vars map[string]any) (names []string, pages int, last reply) {
	t.Helper()
	for vars["after"] = ""; ; pages++ {
		last = ask(t, s, indicatorPage, vars)
		if last.code() != "" {
			t.Fatalf("page %d: %s", pages, last.Text)
		}
		names = append(names, last.each([]any{"indicators", "edges"}, "node", "name")...)
		if more, _ := last.get("indicators", "pageInfo", "hasNextPage").(bool); !more {
			return names, pages + 1, last
		}
		vars["after"] = last.get("indicators", "pageInfo", "endCursor")
	}
}

func byCreation(first int) map[string]any {
	return map[string]any{"first": first, "orderBy": "created_at", "orderMode": "asc"}
}

func TestPages(t *testing.T) {
	tests := []struct {
		name      string
		knobs     Knobs
		vars      map[string]any
		want      string
		pages     int
		wantCount float64
	}{
		{"a last page that is not full ends the listing", Knobs{}, byCreation(2), "abcde", 3, 5},
		{"an exact multiple has an empty page more", Knobs{}, byCreation(5), "abcde", 2, 5},
		{"a page above the cap is cut and says there is no more", Knobs{PageCap: 3}, byCreation(4), "abc", 1, 5},
		{"a page at the cap goes on", Knobs{PageCap: 3}, byCreation(3), "abcde", 2, 5},
		{"newest first", Knobs{}, map[string]any{"first": 2, "orderBy": "created_at", "orderMode": "desc"}, "edcba", 3, 5},
		{"by name, downwards", Knobs{}, map[string]any{"first": 2, "orderBy": "name", "orderMode": "desc"}, "edcba", 3, 5},
		{"missing values come last", Knobs{}, map[string]any{"first": 1, "orderBy": "x_opencti_score"}, "", 6, 5},
		{"a wrong count", Knobs{CountOff: 2}, byCreation(5), "abcde", 2, 7},
		{"a page repeated", Knobs{RepeatPage: 2}, byCreation(2), "ababcde", 4, 5},
		{"a page left out", Knobs{SkipPage: 2}, byCreation(2), "abe", 2, 5},
		{"a drift of another listing is not this one's", Knobs{SkipPage: 2, DriftField: "stixCoreRelationships"}, byCreation(2), "abcde", 3, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := five(Options{})
			s.SetKnobs(func(k *Knobs) {
				if tt.knobs.PageCap == 0 {
					tt.knobs.PageCap = k.PageCap
				}
				*k = tt.knobs
			})
			names, pages, last := walk(t, s, tt.vars)
			got := ""
			for _, n := range names {
				got += n
			}
			if tt.want == "" {
				tt.want = got // all of them, in the order of ids
				if len(got) != 5 {
					t.Errorf("names = %q, want five", got)
				}
			}
			if got != tt.want || pages != tt.pages {
				t.Errorf("names %q on %d pages, want %q on %d", got, pages, tt.want, tt.pages)
			}
			simtest.Is(t, "globalCount", any(tt.wantCount), last.get("indicators", "pageInfo", "globalCount"))
		})
	}
}

func TestEmptyPageHasNoCursor(t *testing.T) {
	s := five(Options{})
	_, _, last := walk(t, s, byCreation(5))
	want := map[string]any{"endCursor": "", "hasNextPage": false, "globalCount": 5.0}
	simtest.Same(t, "pageInfo", want, last.get("indicators", "pageInfo"))
}

func TestDefaultPageAndOldCap(t *testing.T) {
	for version, want := range map[string][]int{"5.12.24": {500, 500}, "6.9.22": {500, 600}} {
		s := New(Options{Token: "t", Version: version})
		for i := range 600 {
			s.Put(Indicator{Pattern: fmt.Sprintf("[url:value = '%d']", i)})
		}
		for i, text := range []string{`{ indicators { edges { node { id } } } }`, `{ indicators(first: 1000) { edges { node { id } } } }`} {
			if n := len(ask(t, s, text, nil).each([]any{"indicators", "edges"}, "node", "id")); n != want[i] {
				t.Errorf("version %s, request %d: %d indicators, want %d", version, i, n, want[i])
			}
		}
	}
}

// The cap holds for connections without a cursor too.
func TestOldCapOfObservables(t *testing.T) {
	for version, want := range map[string]int{"5.12.24": 500, "6.9.22": 600} {
		s := New(Options{Token: "t", Version: version})
		var all []Observable
		for i := range 600 {
			all = append(all, Observable{EntityType: "Url", Value: fmt.Sprint(i)})
		}
		s.Put(Indicator{ID: "a", Pattern: "[url:value = 'x']", Observables: all})
		r := ask(t, s, `{ indicator(id: "a") { observables(first: 1000) { edges { node { id } } pageInfo { globalCount } } } }`, nil)
		if n := len(r.each([]any{"indicator", "observables", "edges"}, "node", "id")); n != want || r.get("indicator", "observables", "pageInfo", "globalCount") != 600.0 {
			t.Errorf("version %s: %d observables, want %d", version, n, want)
		}
	}
}

func TestObservablesOverrunTheSearchEngine(t *testing.T) {
	s := five(Options{})
	s.SetKnobs(func(k *Knobs) { k.OverrunPages = 1 })
	for _, want := range []string{"DATABASE_ERROR", ""} {
		simtest.Is(t, "code", want, ask(t, s, `{ indicator(id: "a") { observables(first: 1) { pageInfo { globalCount } } } }`, nil).code())
	}
}

func TestDefaultOrderIsTheStandardID(t *testing.T) {
	s := five(Options{})
	r := ask(t, s, `{ indicators { edges { node { standard_id } } } }`, nil)
	got := r.each([]any{"indicators", "edges"}, "node", "standard_id")
	if len(got) != 5 {
		t.Fatalf("got %d indicators: %s", len(got), r.Text)
	}
	for i := 1; i < len(got); i++ {
		if got[i-1] >= got[i] {
			t.Errorf("%s comes before %s", got[i-1], got[i])
		}
	}
}

func TestBrokenCursorIsAServerError(t *testing.T) {
	s := five(Options{})
	for _, cursor := range []string{"%%%", "bm90IGpzb24=", "WzFd", "e30=", "WyJhIiwiYiIsImMiXQ=="} {
		vars := byCreation(2)
		vars["after"] = cursor
		r := ask(t, s, indicatorPage, vars)
		if r.code() != "INTERNAL_SERVER_ERROR" || r.Status != 200 || r.get("indicators") != nil {
			t.Errorf("cursor %s: status %d, code %q", cursor, r.Status, r.code())
		}
	}
}

func TestDataChangeBetweenPages(t *testing.T) {
	s := five(Options{})
	s.SetKnobs(func(k *Knobs) {
		k.BeforePage = func(field string, page int) {
			if field == "indicators" && page == 2 {
				s.Delete("c")
				s.Delete("a")
				s.Put(Indicator{ID: "f", Name: "f", Pattern: "[domain-name:value = 'f.example']", CreatedAt: day(6)})
			}
		}
	})
	names, _, last := walk(t, s, byCreation(2))
	simtest.Same(t, "names", []string{"a", "b", "d", "e", "f"}, names)
	simtest.Is(t, "globalCount without a snapshot", 4.0, last.get("indicators", "pageInfo", "globalCount"))
}

// Whatever happens to the data, a listing by creation meets everything that was there throughout
// exactly once.
func TestStableOrderMissesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := New(Options{Token: "t", Now: func() time.Time { return day(10) }})
		n := rapid.IntRange(0, 60).Draw(rt, "n")
		put := func(i int) {
			s.Put(Indicator{ID: fmt.Sprint(i), Name: fmt.Sprint(i), Pattern: fmt.Sprintf("[url:value = '%d']", i), CreatedAt: day(i % 7)})
		}
		for i := range n {
			put(i)
		}
		gone := map[string]bool{}
		extra := 1000
		s.SetKnobs(func(k *Knobs) {
			k.BeforePage = func(string, int) {
				for _, i := range rapid.SliceOfN(rapid.IntRange(0, 80), 0, 5).Draw(rt, "edits") {
					switch i % 3 {
					case 0:
						s.Delete(fmt.Sprint(i))
						gone[fmt.Sprint(i)] = true
					case 1:
						s.Edit(fmt.Sprint(i), func(in *Indicator) { in.Revoked = !in.Revoked })
					case 2:
						extra++
						put(extra)
					}
				}
			}
		})
		names, _, _ := walk(t, s, byCreation(rapid.IntRange(1, 9).Draw(rt, "first")))
		seen := map[string]int{}
		for _, name := range names {
			seen[name]++
		}
		for i := range n {
			if name := fmt.Sprint(i); !gone[name] && seen[name] != 1 {
				rt.Errorf("indicator %s was met %d times", name, seen[name])
			}
		}
	})
}
