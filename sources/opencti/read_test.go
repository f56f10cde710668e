package opencti_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// incomplete fails the test unless err says that the read is not whole, and why.
func incomplete(t testing.TB, err error, parts ...string) {
	t.Helper()
	says(t, err, parts...)
	if _, ok := errors.AsType[*opencti.IncompleteError](err); !ok {
		t.Errorf("error %T, want an IncompleteError: %v", err, err)
	}
}

func TestReadTakesEveryPageInOrder(t *testing.T) {
	for _, tt := range []struct{ n, size, pages int }{{0, 4, 1}, {1, 4, 1}, {3, 4, 1}, {4, 4, 2}, {5, 4, 2}, {8, 4, 3}, {9, 1, 10}, {30, 0, 1}} {
		t.Run(fmt.Sprintf("%d in pages of %d", tt.n, tt.size), func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: tt.size})
			for i := tt.n - 1; i >= 0; i-- { // the order is that of created_at
				put(s, i)
			}
			got, n, err := read(p, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(names(0, tt.n), got); diff != "" {
				t.Errorf("ids (-want +got):\n%s", diff)
			}
			if pages := fmt.Sprintf("Page %d", tt.pages+1); n != tt.n || operations(s) != pages { // one more for what changed
				t.Errorf("count %d, want %d; asked %s, want %s", n, tt.n, operations(s), pages)
			}
		})
	}
}

// The request budget of spec 11: one for each page, one for its observables, and a handful.
func TestReadNeedsFewRequests(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 10})
	fill(s, 95)
	if _, err := p.Ident(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(p, opencti.Group(opencti.Eq("revoked", "false")), true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.ConnectorState(context.Background(), "c1"); err != nil {
		t.Fatal(err)
	}
	// 10 pages, and one look at what changed.
	if diff := cmp.Diff("BasedOn 10, ConnectorState 1, Ident 1, Page 11", operations(s)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// Whatever happens to the data meanwhile, a read that ends well met everything that passed throughout.
func TestReadWhileTheDataChange(t *testing.T) {
	edit := func(s *octisim.Sim, id string, change func(*octisim.Indicator)) { s.Edit(id, change) }
	live := opencti.Group(opencti.Eq("revoked", "false"))
	tests := []struct {
		name   string
		page   int // before which it happens
		change func(s *octisim.Sim)
		want   string // visits
		count  int
	}{
		{"one is created at the end", 2, func(s *octisim.Sim) { put(s, 9) }, names(0, 6) + " i09", 7},
		{"one is deleted behind the cursor", 2, func(s *octisim.Sim) { s.Delete("i00") }, names(0, 6), 6},
		{"one is deleted before it", 2, func(s *octisim.Sim) { s.Delete("i04") }, "i00 i01 i02 i03 i05", 5},
		{"many go", 2, func(s *octisim.Sim) {
			for _, id := range []string{"i00", "i02", "i03", "i05"} {
				s.Delete(id)
			}
		}, "i00 i01 i04", 3},
		{"one changes behind the cursor and is visited again", 3, func(s *octisim.Sim) {
			edit(s, "i00", func(i *octisim.Indicator) { i.Description = "new" })
		}, names(0, 6) + " i00", 6},
		{"one begins to pass behind the cursor and is visited late", 3, func(s *octisim.Sim) {
			edit(s, "x", func(i *octisim.Indicator) { i.Revoked = false })
		}, names(0, 6) + " x", 7},
		{"one ceases to pass before the cursor", 2, func(s *octisim.Sim) {
			edit(s, "i05", func(i *octisim.Indicator) { i.Revoked = true })
		}, names(0, 5), 5},
		{"a pattern is edited, and with it the standard id", 2, func(s *octisim.Sim) {
			edit(s, "i03", func(i *octisim.Indicator) { i.Pattern = "[url:value = 'http://x.example/']"; i.StandardID = "" })
		}, names(0, 6) + " i03", 6},
		{"one changes after the last page", 5, func(s *octisim.Sim) {
			edit(s, "i05", func(i *octisim.Indicator) { i.Description = "new" })
		}, names(0, 6) + " i05", 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 2})
			fill(s, 6)
			s.Put(octisim.Indicator{ID: "x", Pattern: "[url:value = 'http://y.example/']", Revoked: true, CreatedAt: day(0).Add(30 * time.Second)})
			asked := 0
			s.SetKnobs(func(k *octisim.Knobs) {
				k.BeforePage = func(field string, _ int) {
					if asked++; asked == tt.page {
						tt.change(s)
					}
				}
			})
			got, n, err := read(p, live, false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("visits (-want +got):\n%s", diff)
			}
			if n != tt.count {
				t.Errorf("count %d, want %d", n, tt.count)
			}
		})
	}
}

// The clock of the platform may be off by a minute, and so a write may look older than the run.
func TestTheSecondReadAsksAMinuteBack(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	for i, ago := range []time.Duration{59 * time.Second, 60 * time.Second, 61 * time.Second} {
		id := put(s, i)
		s.Edit(id, func(in *octisim.Indicator) { in.UpdatedAt = began.Add(-ago) })
	}
	got, _, err := read(p, nil, false)
	if err != nil || got != names(0, 3)+" "+names(0, 2) {
		t.Errorf("visits %q, %v", got, err)
	}
}

// On a busy platform rows join what changed meanwhile all the time, also behind the cursor.
func TestTheSecondReadMayBeOvertaken(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 2})
	fill(s, 6)
	for i := 2; i < 6; i++ {
		s.Edit(fmt.Sprintf("i%02d", i), func(in *octisim.Indicator) { in.UpdatedAt = now })
	}
	asked := 0
	s.SetKnobs(func(k *octisim.Knobs) {
		k.BeforePage = func(string, int) {
			if asked++; asked == 6 { // 4 pages, then the second of what changed
				s.Edit("i00", func(in *octisim.Indicator) { in.UpdatedAt = now })
			}
		}
	})
	if got, _, err := read(p, nil, false); err != nil || got != names(0, 6)+" "+names(2, 6) {
		t.Errorf("visits %q, %v", got, err)
	}
}

func TestReadsThatAreNotWhole(t *testing.T) {
	page := func(data map[string]any) map[string]any { return within(data, "list") }
	edges := func(data map[string]any) []any { return page(data)["edges"].([]any) }
	info := func(data map[string]any) map[string]any { return within(data, "list", "pageInfo") }
	tests := []struct {
		name string
		edit func(q question, data map[string]any) // of Page
		says string
	}{
		{"a row is dropped", func(q question, d map[string]any) {
			if q.n == 2 {
				page(d)["edges"] = edges(d)[1:]
			}
		}, "5 came and the platform counts 6"},
		{"an edge is null", func(q question, d map[string]any) {
			if q.n == 1 {
				edges(d)[1] = nil
			}
		}, "5 came and the platform counts 6"},
		{"a node is null", func(q question, d map[string]any) {
			if q.n == 3 {
				edges(d)[0] = map[string]any{"node": nil}
			}
		}, "5 came and the platform counts 6"},
		{"the edges are null", func(q question, d map[string]any) {
			if q.n == 3 {
				page(d)["edges"] = nil
			}
		}, "promises another one and brings nothing"},
		{"a page comes twice", func(q question, d map[string]any) {
			if q.n == 2 {
				edges(d)[0].(map[string]any)["node"].(map[string]any)["id"] = "i00"
			}
		}, "indicator i00 came twice"},
		{"the last page is not the last", func(q question, d map[string]any) {
			if q.n == 2 {
				info(d)["hasNextPage"] = false
			}
		}, "4 came and the platform counts 6"},
		{"the count is higher", func(_ question, d map[string]any) { info(d)["globalCount"] = 7 }, "6 came and the platform counts 7"},
		{"no cursor", func(q question, d map[string]any) {
			if q.n == 1 {
				info(d)["endCursor"] = ""
			}
		}, "names no cursor"},
		{"a page of nothing goes on", func(_ question, d map[string]any) {
			edges(d)[0], edges(d)[1] = nil, nil
		}, "brings nothing"},
		{"what changed is not whole", func(q question, d map[string]any) {
			if q.n == 5 {
				info(d)["globalCount"] = 1
			}
		}, "indicators that changed meanwhile were not read completely: 0 came and the platform counts 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := platform(octisim.Options{})
			fill(s, 6)
			p := connect(t, spoiled(s, tt.edit), opencti.Options{PageSize: 2})
			_, _, err := read(p, nil, false)
			incomplete(t, err, tt.says)
		})
	}
}

// What came after the last page was not counted there, so it cannot stand for a row that was lost.
// Of one that cannot be read nobody knows when it came.
func TestALateRowHidesNoLoss(t *testing.T) {
	for _, broken := range []bool{false, true} {
		s := platform(octisim.Options{})
		fill(s, 6)
		p := connect(t, spoiled(s, func(q question, d map[string]any) {
			switch {
			case q.op != "Page":
			case q.n == 2:
				l := within(d, "list")
				l["edges"] = l["edges"].([]any)[1:]
			case q.n == 4:
				s.Put(octisim.Indicator{ID: "late", Pattern: "[url:value = 'late']", CreatedAt: now, UpdatedAt: now})
				if broken {
					breakIDs(s, "late")
				}
			}
		}), opencti.Options{PageSize: 2})
		_, _, err := read(p, nil, false)
		incomplete(t, err, "5 came and the platform counts 6")
	}
}

func TestPagesWithoutPageInformation(t *testing.T) {
	for name, answer := range map[string]string{
		"no indicators":             `{"list":null}`,
		"no page information":       `{"list":{"edges":[]}}`,
		"no members":                `{"list":{"pageInfo":{},"edges":[]}}`,
		"no count":                  `{"list":{"pageInfo":{"endCursor":"","hasNextPage":false},"edges":[]}}`,
		"a null count":              `{"list":{"pageInfo":{"endCursor":"","hasNextPage":false,"globalCount":null},"edges":[]}}`,
		"a negative count":          `{"list":{"pageInfo":{"endCursor":"","hasNextPage":false,"globalCount":-1},"edges":[]}}`,
		"no word on the next":       `{"list":{"pageInfo":{"endCursor":"","globalCount":0},"edges":[]}}`,
		"another answer altogether": `{"connector":null}`,
		"edges of another shape":    `{"list":{"pageInfo":{"endCursor":"","hasNextPage":false,"globalCount":0},"edges":{"node":1}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p := connect(t, &canned{answers: map[string]string{"": `{"data":` + answer + `}`}}, opencti.Options{})
			got, _, err := read(p, nil, false)
			says(t, err, "OpenCTI: Page: 200 with ")
			if got != "" {
				t.Errorf("visited %q", got)
			}
		})
	}
}

func TestAVisitorMayEndTheRead(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{PageSize: 2})
	fill(s, 9)
	stop := errors.New("enough")
	pages := 0
	_, err := p.Read(context.Background(), nil, began, false, func([]reconcile.Indicator, int) error {
		if pages++; pages == 2 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || s.HTTP.Count() > 3 {
		t.Errorf("error %v after %d requests", err, s.HTTP.Count())
	}
}
