package harfanglab_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"harfangsync/reconcile/alert"
	"harfangsync/sinks/harfanglab"
)

func TestAlertsAreAskedForAsTheManagerTakesIt(t *testing.T) {
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	for _, tt := range []struct {
		name string
		q    harfanglab.AlertQuery
		want string
	}{
		{"everything", harfanglab.AlertQuery{}, "limit=100&offset=0&ordering=alert_time"},
		{"whole seconds, rounded outward, in UTC", harfanglab.AlertQuery{From: at("2026-03-02T10:00:00.9+02:00"), To: at("2026-03-02T09:00:00.000000001Z")},
			"alert_time__gte=2026-03-02T08:00:00Z&alert_time__lte=2026-03-02T09:00:01Z&limit=100&offset=0&ordering=alert_time"},
		{"statuses, types and threat", harfanglab.AlertQuery{Statuses: []string{"new", "investigating"}, Types: []string{"ioc", "sigma"}, Threat: "4257"},
			"alert_type=ioc,sigma&limit=100&offset=0&ordering=alert_time&status=new,investigating&threat_key=4257"},
		{"changed", harfanglab.AlertQuery{ChangedSince: at("2026-03-02T10:00:00.9Z")}, "last_update__gte=2026-03-02T10:00:00Z&limit=100&offset=0&ordering=last_update"},
		{"changed and created", harfanglab.AlertQuery{ChangedSince: at("2026-03-02T10:00:00Z"), From: at("2026-03-01T00:00:00Z")},
			"alert_time__gte=2026-03-01T00:00:00Z&last_update__gte=2026-03-02T10:00:00Z&limit=100&offset=0&ordering=last_update"},
		{"a window that ends before it starts", harfanglab.AlertQuery{From: noon, To: noon.Add(-time.Minute)}, ""},
	} {
		x := &index{}
		if err := x.serve(t).Alerts(t.Context(), tt.q, (&got{}).alerts); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var asked []string
		for _, q := range x.asked {
			asked = append(asked, strings.NewReplacer("%3A", ":", "%2C", ",").Replace(q.Encode()))
		}
		if d := cmp.Diff(tt.want, strings.Join(asked, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// Whatever the manager ignores, only rows that were asked for are visited.
func TestAlertsAreFilteredHereToo(t *testing.T) {
	rows := []*row{
		{id: "early", at: noon.Add(-time.Second), status: "new"},
		{id: "first", at: noon, status: "new"},
		{id: "late", at: noon.Add(time.Hour + time.Nanosecond), status: "new"},
		{id: "last", at: noon.Add(time.Hour), status: "new", changed: noon.Add(2 * time.Hour)},
		{id: "closed", at: noon.Add(time.Minute), status: "closed", changed: noon.Add(3 * time.Hour), threat: "t1"},
		{id: "changed early", at: noon.Add(time.Minute), status: "new", changed: noon, threat: "t2"},
	}
	all := []string{"alert_time__gte", "alert_time__lte", "last_update__gte", "status", "alert_type", "threat_key", "ordering"}
	for _, tt := range []struct {
		name string
		q    harfanglab.AlertQuery
		want string
	}{
		{"by time, both ends included", harfanglab.AlertQuery{From: noon, To: noon.Add(time.Hour)}, "changed early closed first last"},
		{"from a time on", harfanglab.AlertQuery{From: noon.Add(time.Minute)}, "changed early closed last late"},
		{"up to a time", harfanglab.AlertQuery{To: noon}, "early first"},
		{"by status", harfanglab.AlertQuery{From: noon, To: noon.Add(time.Hour), Statuses: []string{"new", "investigating"}}, "changed early first last"},
		{"by type", harfanglab.AlertQuery{Types: []string{"sigma"}}, ""},
		{"by threat", harfanglab.AlertQuery{Threat: "t1"}, "closed"},
		{"by change, the second included", harfanglab.AlertQuery{ChangedSince: noon.Add(2*time.Hour + 900*time.Millisecond)}, "closed last"},
		{"by change and time", harfanglab.AlertQuery{ChangedSince: noon, To: noon.Add(time.Minute)}, "changed early closed"},
	} {
		for _, deaf := range [][]string{nil, all} {
			x := &index{rows: rows, deaf: deaf}
			var g got
			if err := x.serve(t).Alerts(t.Context(), tt.q, g.alerts); err != nil {
				t.Errorf("%s, %d ignored: %v", tt.name, len(deaf), err)
			}
			want := strings.Fields(strings.ReplaceAll(tt.want, "changed early", "changed_early"))
			slices.Sort(want)
			if d := cmp.Diff(strings.ReplaceAll(strings.Join(want, " "), "_", " "), g.sorted()); d != "" && deaf == nil {
				t.Errorf("%s (-want +got):\n%s", tt.name, d)
			} else if d != "" {
				t.Errorf("%s, by a manager that ignores it (-want +got):\n%s", tt.name, d)
			}
		}
	}
}

// No window with more rows than the manager lists is read to its limit: it is halved.
func TestMoreAlertsThanTheManagerLists(t *testing.T) {
	quick := spread(12_000, 100*time.Millisecond)
	crowd := spread(3000, 0) // in one second, each level for itself within the limit
	for i, r := range crowd {
		r.at, r.level = noon.Add(time.Duration(i)*time.Microsecond), []string{"low", "medium", "high", "critical", "informational"}[i%5]
	}
	for _, tt := range []struct {
		name   string
		rows   []*row
		window int
		q      harfanglab.AlertQuery
	}{
		{"over an hour", quick, 10_000, harfanglab.AlertQuery{From: noon, To: noon.Add(time.Hour)}},
		{"over all time", quick[:4000], 1000, harfanglab.AlertQuery{}},
		{"with a filter", quick[:4000], 1000, harfanglab.AlertQuery{To: noon.Add(time.Hour), Statuses: []string{"new"}}},
		{"in one second", crowd, 1000, harfanglab.AlertQuery{From: noon.Add(-time.Hour), To: noon.Add(time.Hour)}},
	} {
		x := &index{rows: tt.rows, window: tt.window}
		var g got
		if err := x.serve(t).Alerts(t.Context(), tt.q, g.alerts); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		g.once(t, idsOf(tt.rows))
		if len(x.asked) > 2*len(tt.rows)/100+100 {
			t.Errorf("%s: %d requests", tt.name, len(x.asked))
		}
	}
}

// What cannot be reached is told, after everything that can be was visited.
func TestTooManyAlertsInOneSecond(t *testing.T) {
	rows := spread(500, time.Second)
	crowd := func(at time.Time, level string, n int) {
		for i := range n {
			rows = append(rows, &row{id: fmt.Sprintf("%s %s %05d", at.Format("15:04:05"), level, i), at: at.Add(time.Duration(i) * time.Microsecond), level: level})
		}
	}
	reached := 0
	for _, tt := range []struct {
		name  string
		level string
		n     int
		want  string
		lost  int
	}{
		{"one level", "low", 1050, "more rows than the 1000 that it lists in the second from 2026-03-02T12:01:00Z (it counts 1000); not all", 50},
		{"and another second", "high", 1020, "in the second from 2026-03-02T12:01:00Z (it counts 1000), and 1 such seconds more; not all", 71},
		{"a level that nobody knows", "dire", 1010, "and 2 such seconds more", -1},
	} {
		crowd(noon.Add(time.Duration(60+100*reached)*time.Second), tt.level, tt.n)
		reached++
		x := &index{rows: rows, window: 1000}
		var g got
		err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{From: noon, To: noon.Add(time.Hour)}, g.alerts)
		e, ok := errors.AsType[*harfanglab.SaturatedError](err)
		if !ok || !strings.Contains(err.Error(), tt.want) || !e.At.Equal(noon.Add(time.Minute)) || e.Seconds != reached || e.Count != 1000 {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if tt.lost >= 0 && len(g.ids) != len(rows)-tt.lost {
			t.Errorf("%s: visited %d, want %d", tt.name, len(g.ids), len(rows)-tt.lost)
		}
		for _, id := range []string{"a00499", "a00000"} {
			if !slices.Contains(g.ids, id) {
				t.Errorf("%s: %s was not visited", tt.name, id)
			}
		}
	}
}

// As many rows as are listed may be more, and levels that are ignored bring the same ones again: all of
// them are visited, and the doubt is told.
func TestLevelsThatAreIgnored(t *testing.T) {
	rows := spread(1000, time.Microsecond)
	x := &index{rows: rows, window: 1000, deaf: []string{"level"}}
	var g got
	err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{From: noon}, g.alerts)
	if _, ok := errors.AsType[*harfanglab.SaturatedError](err); !ok {
		t.Errorf("got %v", err)
	}
	g.once(t, idsOf(rows))
}

// A manager that does not heed the window cannot be asked narrower questions, which is found out at once.
func TestAWindowThatIsIgnored(t *testing.T) {
	rows := spread(2200, time.Second)
	for _, tt := range []struct {
		name string
		deaf []string
		most int // requests
	}{
		{"both ends", []string{"alert_time__gte", "alert_time__lte"}, 11},
		{"the end", []string{"alert_time__lte"}, 20},
	} {
		x := &index{rows: rows, deaf: tt.deaf, window: 1000}
		var g got
		err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{From: noon.Add(1000 * time.Second), To: noon.Add(1049 * time.Second)}, g.alerts)
		if e, ok := errors.AsType[*harfanglab.SaturatedError](err); !ok || !strings.Contains(e.Error(), "does not heed alert_time__gte and alert_time__lte; not all of them were read") {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if len(x.asked) > tt.most {
			t.Errorf("%s: %d requests, want at most %d", tt.name, len(x.asked), tt.most)
		}
		for _, id := range g.ids {
			if id < "a01000" || id > "a01049" {
				t.Errorf("%s: visited %s, which was not asked for", tt.name, id)
			}
		}
	}
}

// A manager may leave out what is on a bound: nothing is lost on the seam of two questions.
func TestBoundsThatAreLeftOut(t *testing.T) {
	rows := spread(3000, time.Second)
	for i, r := range rows {
		r.changed = noon.Add(time.Duration(i) * time.Second)
	}
	before, behind := noon.Add(-time.Second), noon.Add(time.Hour)
	for _, q := range []harfanglab.AlertQuery{{From: before, To: behind}, {ChangedSince: before}} {
		x := &index{rows: rows, window: 1000, exclusive: true}
		var g got
		if err := x.serve(t).Alerts(t.Context(), q, g.alerts); err != nil {
			t.Error(err)
		}
		g.once(t, idsOf(rows))
	}
}

// A crowded second does not spoil the one behind it.
func TestACrowdedSecondAlone(t *testing.T) {
	var rows []*row
	for i := range 1200 {
		at := noon.Add(time.Duration(i/600)*time.Second + time.Duration(i)*time.Microsecond)
		rows = append(rows, &row{id: fmt.Sprintf("r%04d", i), at: at, changed: at, level: "high"})
	}
	for _, q := range []harfanglab.AlertQuery{{From: noon, To: noon.Add(time.Minute)}, {ChangedSince: noon}} {
		x := &index{rows: rows, window: 1000}
		var g got
		if err := x.serve(t).Alerts(t.Context(), q, g.alerts); err != nil {
			t.Error(err)
		}
		g.once(t, idsOf(rows))
	}
}

// A manager may page less far than is known of it.
func TestAManagerThatPagesLessFar(t *testing.T) {
	rows := spread(3000, time.Second)
	for _, changed := range []bool{false, true} {
		x := &index{rows: rows, window: 1000}
		q := harfanglab.AlertQuery{From: noon, To: noon.Add(time.Hour)}
		if changed {
			q = harfanglab.AlertQuery{ChangedSince: noon}
			for _, r := range rows {
				r.changed = r.at
			}
		}
		var g got
		c := x.serve(t)
		c.ShrinkIndex(10_000)
		if err := c.Alerts(t.Context(), q, g.alerts); err != nil {
			t.Errorf("changed %t: %v", changed, err)
		}
		g.once(t, idsOf(rows))
	}
}

func TestChangedAlertsPastTheLimit(t *testing.T) {
	rows := spread(2500, time.Minute)
	for i, r := range rows {
		r.changed = noon.Add(time.Duration(len(rows)-i) * 300 * time.Millisecond)
	}
	for _, ends := range []bool{false, true} {
		x := &index{rows: rows, window: 1000, ends: ends}
		var g got
		if err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{ChangedSince: noon}, g.alerts); err != nil {
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
	err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{ChangedSince: noon}, g.alerts)
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
		err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{ChangedSince: noon.Add(time.Minute)}, g.alerts)
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
		if err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{From: noon, To: noon.Add(time.Hour), Statuses: []string{"new"}}, g.alerts); err != nil {
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
	if err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{ChangedSince: noon}, g.alerts); err != nil {
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
		err := client(t, m.URL).Alerts(t.Context(), harfanglab.AlertQuery{}, g.alerts)
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
		if err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = size }).Alerts(t.Context(), harfanglab.AlertQuery{From: noon, To: noon.Add(time.Minute)}, g.alerts); err != nil {
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
	if err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{ChangedSince: noon}, g.alerts); err != nil || len(g.ids) != 0 {
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
	if err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = 10 }).Alerts(t.Context(), harfanglab.AlertQuery{}, g.alerts); err != nil {
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
	if err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = 3 }).Alerts(t.Context(), harfanglab.AlertQuery{}, g.alerts); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]string{{"a00004", "a00005", "a00006"}, {"a00001", "a00002", "a00003"}, {"a00000"}}, g.pages); d != "" {
		t.Errorf("pages (-want +got):\n%s", d)
	}
}

func TestAlertsThatCannotBeRead(t *testing.T) {
	stop := errors.New("enough")
	x := &index{rows: spread(3, time.Second)}
	if err := x.serve(t).Alerts(t.Context(), harfanglab.AlertQuery{}, func([]alert.Alert, []alert.Bad) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a visitor that stops: %v", err)
	}
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter)
		want   string
		tries  int
	}{
		{"401", func(w http.ResponseWriter) { w.WriteHeader(401) }, "check the token and its right to view security events and threats", 1},
		{"400 for the first page", func(w http.ResponseWriter) { w.WriteHeader(400); fmt.Fprint(w, `{"ordering": ["bad"]}`) }, "400", 1},
		{"429", func(w http.ResponseWriter) { w.WriteHeader(429) }, "429 too many requests", 9},
		{"500", func(w http.ResponseWriter) { w.WriteHeader(500) }, "try again later", 3},
		{"HTML", func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, "HTML where JSON is due", 3},
		{"another shape", func(w http.ResponseWriter) { fmt.Fprint(w, `{"count": "1", "results": {}}`) }, "another shape", 1},
		{"a redirect", func(w http.ResponseWriter) { w.Header().Set("Location", "/login/"); w.WriteHeader(302) }, "set harfanglab.url", 1},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { tt.answer(w) })
		for _, q := range []harfanglab.AlertQuery{{From: noon}, {ChangedSince: noon}} {
			err := client(t, m.URL).Alerts(t.Context(), q, func([]alert.Alert, []alert.Bad) error { t.Error("visited"); return nil })
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "/api/data/alert/alert/Alert/") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
			}
		}
		if n := len(m.requests()); n != 2*tt.tries {
			t.Errorf("%s: %d requests, want %d", tt.name, n, 2*tt.tries)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.serve(t).Alerts(ctx, harfanglab.AlertQuery{}, (&got{}).alerts); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Of any rows behind any index, a read visits exactly those asked for, or says that some are missing.
func TestAlertsAreReadWhollyOrTold(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := &index{
			window: rapid.IntRange(6, 20).Draw(rt, "window"), ends: rapid.Bool().Draw(rt, "ends"), most: rapid.IntRange(0, 5).Draw(rt, "most"),
			deaf: rapid.SliceOfDistinct(rapid.SampledFrom([]string{"alert_time__gte", "alert_time__lte", "last_update__gte", "status", "level", "ordering"}), rapid.ID[string]).Draw(rt, "deaf"),
		}
		for i := range rapid.IntRange(0, 60).Draw(rt, "rows") {
			r := &row{id: fmt.Sprintf("r%02d", i), at: noon.Add(time.Duration(rapid.IntRange(0, 40).Draw(rt, "at")) * 250 * time.Millisecond),
				status: rapid.SampledFrom([]string{"new", "closed"}).Draw(rt, "status"), level: rapid.SampledFrom([]string{"low", "high"}).Draw(rt, "level")}
			if rapid.Bool().Draw(rt, "changes") {
				r.changed = noon.Add(time.Duration(rapid.IntRange(0, 40).Draw(rt, "changed")) * 250 * time.Millisecond)
			}
			x.rows = append(x.rows, r)
		}
		q := harfanglab.AlertQuery{Statuses: []string{"new"}}
		from := noon.Add(time.Duration(rapid.IntRange(0, 8).Draw(rt, "from")) * time.Second)
		to := from.Add(time.Duration(rapid.IntRange(0, 8).Draw(rt, "to")) * time.Second)
		want := func(r *row) bool { return !r.at.Before(from) && !r.at.After(to) }
		if rapid.Bool().Draw(rt, "by change") {
			q.ChangedSince = from
			// Few rows look sorted by chance; of the thousands that fill a real index not.
			x.deaf = slices.DeleteFunc(x.deaf, func(name string) bool { return name == "ordering" })
			want = func(r *row) bool { return !r.changed.Before(from) }
		} else {
			q.From, q.To = from, to
		}
		var ids []string
		for _, r := range x.rows {
			if r.status == "new" && want(r) {
				ids = append(ids, r.id)
			}
		}
		var g got
		err := x.serve(t, func(o *harfanglab.Options) { o.PageSize = 5 }).Alerts(t.Context(), q, g.alerts)
		for _, id := range g.ids {
			if !slices.Contains(ids, id) {
				rt.Errorf("visited %s, which was not asked for", id)
			}
		}
		seen := slices.Compact(slices.Sorted(slices.Values(g.ids)))
		if len(seen) != len(g.ids) {
			rt.Errorf("visited twice: %v", g.ids)
		}
		if err == nil && len(seen) != len(ids) {
			rt.Errorf("visited %d of %d without a word", len(seen), len(ids))
		}
		_, saturated := errors.AsType[*harfanglab.SaturatedError](err)
		_, incomplete := errors.AsType[*harfanglab.IncompleteError](err)
		if err != nil && !saturated && !incomplete {
			rt.Error(err)
		}
		if len(x.deaf) == 0 && incomplete {
			rt.Errorf("an honest manager was not believed: %v", err)
		}
	})
}
