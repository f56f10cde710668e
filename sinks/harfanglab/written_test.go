package harfanglab_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// Rules that were just written are read together, by when the manager says that it wrote them; what it cannot be asked
// so, each has to be looked up.
func TestRulesThatWereJustWrittenAreReadTogether(t *testing.T) {
	for _, tt := range []struct {
		name  string
		knobs hlsim.Knobs
		rules int // that were there before
		want  string
		more  int // requests
	}{
		{"one answer", hlsim.Knobs{}, 3, "0.example:x 1.example:y 2.example:y", 1},
		{"a manager that does not heed the filter, with a long list", hlsim.Knobs{IgnoreFilters: []string{"last_update__gte"}}, 3000, "", 4},
		{"a manager that does not heed it, with a short one", hlsim.Knobs{IgnoreFilters: []string{"last_update__gte"}}, 3, "0.example:x 1.example:y 2.example:y", 1},
	} {
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		m, c := simulated(t, tt.knobs, &now)
		list, err := c.CreateList(t.Context(), reconcile.IOC, "l")
		if err != nil {
			t.Fatal(err)
		}
		for i := range tt.rules {
			m.Add("ioc", hlsim.Rule{SourceID: list.ID, Type: "domain_name", Value: fmt.Sprintf("old-%d.example", i)})
		}
		now = now.Add(time.Hour)
		var ids []string
		for i := range 3 {
			id, err := c.Create(t.Context(), list.ID, reconcile.Row{Kind: reconcile.IOC, Type: "domain_name", Value: fmt.Sprintf("%d.example", i), HLStatus: "stable", Enabled: true, Description: "x"})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		for _, id := range ids[1:] {
			if err := c.Update(t.Context(), reconcile.IOC, id, reconcile.Patch{Description: new("y")}); err != nil {
				t.Fatal(err)
			}
		}
		for try := range 2 {
			m.HTTP.Forget()
			rows, err := c.Written(t.Context(), list.ID, ids)
			var got []string
			for _, r := range rows {
				got = append(got, r.Value+":"+r.Description)
			}
			slices.Sort(got)
			requests := len(m.HTTP.Requests())
			if want := tt.more; try == 1 && tt.want == "" {
				want = 0 // it is not tried again
				if requests != want {
					t.Errorf("%s: once more: %d requests", tt.name, requests)
				}
			} else if requests != want {
				t.Errorf("%s: %d requests, want %d", tt.name, requests, want)
			}
			if strings.Join(got, " ") != tt.want || err != nil {
				t.Errorf("%s: %q, %v", tt.name, got, err)
			}
		}
		if rows, err := c.Written(t.Context(), list.ID, []string{ids[0], "another"}); len(rows) > 0 || err != nil {
			t.Errorf("%s: with a rule that was not written: %v, %v", tt.name, rows, err)
		}
	}
}

// While somebody edits the list, what counts and what comes differ. That hides no row from who looks each up, and the
// filter works the next time.
func TestAReadThatIsNotWholeKnowsOfNoWrites(t *testing.T) {
	count := 2
	m := serve(t, func(w http.ResponseWriter, r request) {
		if r.method == http.MethodGet {
			fmt.Fprintf(w, `{"count": %d, "results": [{"id": "1", "source_id": "l", "type": "url", "value": "v", "enabled": true}]}`, count)
			return
		}
		fmt.Fprint(w, `{"id": "1", "last_update": "2026-03-01T12:00:00Z"}`)
	})
	c := client(t, m.URL)
	if err := c.Update(t.Context(), reconcile.IOC, "1", reconcile.Patch{Description: new("y")}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if rows, err := c.Written(t.Context(), "l", []string{"1"}); len(rows) != 2-count || err != nil {
			t.Errorf("of %d: %v, %v", count, rows, err)
		}
		count = 1
	}
}
