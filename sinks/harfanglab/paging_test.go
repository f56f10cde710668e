package harfanglab_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// A row that goes behind the cursor while another comes leaves the count as it was. It must not look absent:
// its rule would be created again.
func TestNoRowGoesBehindTheCursor(t *testing.T) {
	ignores := hlsim.Knobs{Orderings: []string{}}
	refuses := hlsim.Knobs{Orderings: []string{}, RefuseOrdering: true}
	halves := hlsim.Knobs{Orderings: []string{"creation_date"}, RefuseOrdering: true}
	for _, tt := range []struct {
		name                 string
		k                    hlsim.Knobs
		page                 int // before which it happens
		remove, move, create int
		size                 int    // of the pages; 0 is 5
		why                  string // "" is a whole read
		requests             int    // for 12 rows
	}{
		{name: "nothing happens", requests: 4 /* and the newest row */},
		{name: "one page is proof enough", size: 20, requests: 1},
		{name: "pages of one row", size: 1, requests: 13},
		{name: "pages of two", size: 2, requests: 12},
		{name: "an edit moves nothing", page: 2, move: 1, requests: 4},
		{name: "one goes and one comes", page: 2, remove: 1, create: 1, why: "stands where row"},
		{name: "one goes and one comes late", page: 3, remove: 1, create: 1, why: "stands where row"},
		{name: "one goes, one moves and one comes", page: 3, remove: 1, move: 1, create: 1, why: "stands where row"},
		{name: "ignored ordering, nothing happens", k: ignores, requests: 7 /* and once more */},
		{name: "ignored ordering, one page", k: ignores, size: 20, requests: 1},
		{name: "ignored ordering, one goes and one comes", k: ignores, page: 2, remove: 1, create: 1, why: "stands where row"},
		{name: "ignored ordering, one moves", k: ignores, page: 2, move: 1, why: "stands where row"},
		{name: "ignored ordering, one goes, one moves and one comes", k: ignores, page: 3, remove: 1, move: 1, create: 1, why: "held other rows"},
		{name: "the newest come first", k: hlsim.Knobs{Orderings: []string{}, NewestFirst: true}, requests: 6},
		{name: "the parameter is dropped", k: hlsim.Knobs{IgnoreFilters: []string{"ordering"}}, page: 3, remove: 1, move: 1, create: 1, why: "held other rows"},
		{name: "refused ordering, nothing happens", k: refuses, requests: 6},
		{name: "refused ordering, one page", k: refuses, size: 20, requests: 1},
		{name: "refused ordering, one goes, one moves and one comes", k: refuses, page: 3, remove: 1, move: 1, create: 1, why: "held other rows"},
		{name: "half of it is refused", k: halves, page: 3, remove: 1, move: 1, create: 1, why: "held other rows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := noon
			if tt.size == 0 {
				tt.size = 5
			}
			s, c := simulated(t, hlsim.Knobs{}, &now, func(o *harfanglab.Options) { o.PageSize = tt.size })
			list, err := s.AddSource(hlsim.IOC, "from_OpenCTI")
			if err != nil {
				t.Fatal(err)
			}
			for i := range 12 {
				now = now.Add(time.Second)
				s.Add(hlsim.IOC, hlsim.Rule{SourceID: list, Type: "domain_name", Value: fmt.Sprintf("d%d.example", i), Enabled: true})
			}
			now = now.Add(time.Second)
			requests := 0
			k := tt.k
			k.DriftPage, k.DriftRemove, k.DriftMove, k.DriftAdd, k.DriftOnce = tt.page, tt.remove, tt.move, tt.create, true
			k.BeforePage = func(string, int) { requests++ }
			s.SetKnobs(func(to *hlsim.Knobs) { *to = k })

			var got []string
			n, err := c.Rows(t.Context(), reconcile.IOC, list, func(rows []reconcile.Row, _ int) error {
				for _, r := range rows {
					got = append(got, r.Value)
				}
				return nil
			})
			if tt.why != "" {
				if e, ok := errors.AsType[*harfanglab.IncompleteError](err); !ok || !strings.Contains(e.Error(), tt.why) {
					t.Fatalf("%d rows, error %v, want an incomplete read: %s", n, err, tt.why)
				}
				return
			}
			var want []string
			for _, r := range s.Rules(hlsim.IOC) {
				want = append(want, r.Value)
			}
			slices.Sort(want)
			slices.Sort(got)
			if d := cmp.Diff(want, got); err != nil || n != len(want) || d != "" {
				t.Errorf("%d rows, error %v, rows (-want +got):\n%s", n, err, d)
			}
			if requests != tt.requests {
				t.Errorf("%d requests, want %d", requests, tt.requests)
			}
		})
	}
}
