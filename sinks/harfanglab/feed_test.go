package harfanglab_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

func TestChangedAlertsPastTheLimit(t *testing.T) {
	rows := spread(2500, time.Minute)
	for i, r := range rows {
		r.changed = noon.Add(time.Duration(len(rows)-i) * 300 * time.Millisecond)
	}
	for _, ends := range []bool{false, true} {
		x := &index{rows: rows, window: 1000, ends: ends}
		var g got
		if err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{ChangedSince: noon}, g.alerts); err != nil {
			t.Fatal(err)
		}
		g.once(t, idsOf(rows))
		for _, q := range x.asked {
			if q.Has("last_update__lte") {
				t.Fatal("an end was asked for, which hides what changes meanwhile")
			}
		}
		if len(x.asked) > 30 {
			t.Errorf("%d requests", len(x.asked))
		}
	}
}

// More changes in one second than can be paged to: no question begins behind them but the next second's.
func TestTooManyChangesInOneSecond(t *testing.T) {
	rows := spread(1300, time.Minute)
	for i, r := range rows {
		r.changed = noon.Add(time.Hour)
		if i < 100 || i >= 1200 {
			r.changed = noon.Add(time.Duration(i) * 10 * time.Second)
		}
	}
	x := &index{rows: rows, window: 1000}
	var g got
	err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{ChangedSince: noon}, g.alerts)
	e, ok := errors.AsType[*harfanglab.SaturatedError](err)
	if !ok || !e.At.Equal(noon.Add(time.Hour)) || e.Seconds != 1 {
		t.Errorf("got %v", err)
	}
	if len(g.ids) != 1200 || !slices.Contains(g.ids, "a01299") {
		t.Errorf("visited %d, want all but 100 of that second", len(g.ids))
	}
}

func TestChangesInAnOrderThatLeadsNowhere(t *testing.T) {
	rows := spread(1100, time.Second)
	for _, r := range rows {
		r.changed = r.at
	}
	r := rand.New(rand.NewPCG(1, 2))
	shuffled := slices.Clone(rows)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, tt := range []struct {
		name string
		rows []*row
		deaf []string
		want string
	}{
		{"not sorted", shuffled, []string{"ordering"}, "it does not sort them by last_update"},
		{"not filtered", rows, []string{"last_update__gte"}, "it does not heed last_update__gte"},
	} {
		x := &index{rows: tt.rows, deaf: tt.deaf, window: 1000}
		var g got
		err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{ChangedSince: noon.Add(time.Minute)}, g.alerts)
		if _, ok := errors.AsType[*harfanglab.SaturatedError](err); !ok || !strings.Contains(err.Error(), tt.want) || len(x.asked) > 11 {
			t.Errorf("%s: %d requests, got %v", tt.name, len(x.asked), err)
		}
	}
}

// Rows come, change and leave while they are read.
func TestAlertsThatMoveMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		name string
		move func(x *index, page int)
		also string // visited too
	}{
		{"nothing happens", func(*index, int) {}, ""},
		{"late rows come in front", func(x *index, page int) {
			if page == 3 {
				for i := range 150 {
					x.rows = append(x.rows, &row{id: fmt.Sprintf("late%d", i), at: noon, status: "new"})
				}
			}
		}, ""},
		{"rows that were read leave the filter", func(x *index, page int) {
			if page == 3 {
				for _, r := range x.rows[:30] {
					r.status = "closed"
				}
			}
		}, ""},
		{"a page is empty once", func(x *index, page int) {
			if page == 2 {
				x.rows, x.pages = x.rows[:100], 2
			}
			if page == 3 {
				x.rows = spread(450, time.Second)
			}
		}, ""},
	} {
		x := &index{rows: spread(450, time.Second)}
		x.before = func(page int) { tt.move(x, page) }
		var g got
		if err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{From: noon, To: noon.Add(time.Hour), Statuses: []string{"new"}}, g.alerts); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		seen := map[string]int{}
		for _, id := range g.ids {
			if seen[id]++; seen[id] > 1 {
				t.Errorf("%s: %s was visited twice", tt.name, id)
			}
		}
		for _, r := range spread(450, time.Second) {
			if seen[r.id] == 0 {
				t.Errorf("%s: %s was not visited", tt.name, r.id)
			}
		}
	}
}

// A change moves a row to the end, and pulls another one in front of the next page.
func TestChangesMeanwhile(t *testing.T) {
	rows := spread(450, time.Second)
	for _, r := range rows {
		r.changed = r.at
	}
	x := &index{rows: rows}
	x.before = func(page int) {
		if page <= 4 {
			for i := range 5 {
				x.rows[page*20+i].changed = noon.Add(time.Hour + time.Duration(page)*time.Minute)
			}
		}
	}
	var g got
	if err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{ChangedSince: noon}, g.alerts); err != nil {
		t.Fatal(err)
	}
	g.once(t, idsOf(rows))
}

func TestRowsThatNeverComeAreTold(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"a count that is too high", `{"count": 7, "next": null, "results": [{"id": "a", "alert_time": "2026-03-02T12:00:00Z"}]}`},
		{"a page that promises another one and is empty", `{"count": 7, "next": "/x", "results": []}`},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, tt.body) })
		var g got
		err := client(t, m.URL).Alerts(t.Context(), pull.AlertQuery{}, g.alerts)
		if _, ok := errors.AsType[*harfanglab.IncompleteError](err); !ok || !strings.Contains(err.Error(), "the count was 7 at last") || strings.Contains(err.Error(), "list meanwhile") {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if n := len(m.requests()); n != 3 || len(g.ids) > 1 {
			t.Errorf("%s: %d requests, visited %q", tt.name, n, g.ids)
		}
	}
}

func TestRowsThatAreNoAlerts(t *testing.T) {
	rows := []*row{
		{id: "good", at: noon}, {raw: "null"}, {raw: `"text"`}, {raw: "[1]"}, {raw: `{}`}, {raw: `{"id": "", "alert_unique_id": "u-1", "alert_time": "2026-03-02T12:00:00Z"}`},
		{raw: `{"id": "no-time"}`}, {raw: `{"id": "null-time", "alert_time": null}`}, {raw: `{"id": "odd\u001b-time", "alert_time": "yester\u0007day"}`}, {raw: `{"id": {"a": 1}, "alert_time": 5}`},
		{id: "better", at: noon.Add(time.Second)},
	}
	want := []string{
		`: null in place of an alert`, `: "text" in place of an alert`, `: [1] in place of an alert`, `: an alert without an id: {}`,
		`u-1: an alert without an id; its alert_unique_id is u-1`,
		`no-time: alert no-time without a time: it has no alert_time`, `null-time: alert null-time without a time: it has no alert_time`,
		"odd\x1b-time: alert odd -time without a time: its alert_time is \"yester\\u0007day\"",
		`: an alert without an id: {"id": {"a": 1}, "alert_time": 5}`,
	}
	for _, size := range []int{100, 2} {
		x := &index{rows: rows}
		var g got
		if err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = size }).Alerts(t.Context(), pull.AlertQuery{From: noon, To: noon.Add(time.Minute)}, g.alerts); err != nil {
			t.Errorf("pages of %d: %v", size, err)
		}
		if d := cmp.Diff("better good", g.sorted()); d != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, d)
		}
		if d := cmp.Diff(want, g.bad); d != "" {
			t.Errorf("pages of %d, unreadable rows (-want +got):\n%s", size, d)
		}
	}
	x := &index{rows: []*row{{raw: `{"id": "c", "alert_time": "2026-03-02T12:00:00Z", "last_update": "soon"}`}, {raw: `{"id": "d", "alert_time": "2026-03-02T12:00:00Z"}`}}}
	var g got
	if err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{ChangedSince: noon}, g.alerts); err != nil || len(g.ids) != 0 {
		t.Errorf("visited %q, %v", g.ids, err)
	}
	if d := cmp.Diff([]string{`c: alert c: its last_update is "soon", which is no time`}, g.bad); d != "" {
		t.Errorf("changed, unreadable rows (-want +got):\n%s", d)
	}
}

// A row without a time belongs to no window; it is told of once all the same.
func TestUnreadableRowsAreToldOnce(t *testing.T) {
	x := &index{rows: append(spread(200, time.Second), &row{raw: `{"id": "odd"}`}), window: 50}
	var g got
	if err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = 10 }).Alerts(t.Context(), pull.AlertQuery{}, g.alerts); err != nil {
		t.Fatal(err)
	}
	g.once(t, idsOf(x.rows[:200]))
	if len(g.bad) != 1 {
		t.Errorf("told %q", g.bad)
	}
}

func TestPagesAreSorted(t *testing.T) {
	rows := spread(7, time.Second)
	slices.Reverse(rows)
	rows[0].at = rows[1].at // equal times go by id
	x := &index{rows: rows, deaf: []string{"ordering"}}
	var g got
	if err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = 3 }).Alerts(t.Context(), pull.AlertQuery{}, g.alerts); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]string{{"a00004", "a00005", "a00006"}, {"a00001", "a00002", "a00003"}, {"a00000"}}, g.pages); d != "" {
		t.Errorf("pages (-want +got):\n%s", d)
	}
}
