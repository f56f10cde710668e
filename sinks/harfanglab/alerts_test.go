package harfanglab_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
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
		q    pull.AlertQuery
		want string
	}{
		{"everything", pull.AlertQuery{}, "limit=100&offset=0&ordering=alert_time"},
		{"whole seconds, rounded outward, in UTC", pull.AlertQuery{From: at("2026-03-02T10:00:00.9+02:00"), To: at("2026-03-02T09:00:00.000000001Z")},
			"alert_time__gte=2026-03-02T08:00:00Z&alert_time__lte=2026-03-02T09:00:01Z&limit=100&offset=0&ordering=alert_time"},
		{"statuses, types and threat", pull.AlertQuery{Statuses: []string{"new", "investigating"}, Types: []string{"ioc", "sigma"}, Threat: "4257"},
			"alert_type=ioc,sigma&limit=100&offset=0&ordering=alert_time&status=new,investigating&threat_key=4257"},
		{"changed", pull.AlertQuery{ChangedSince: at("2026-03-02T10:00:00.9Z")}, "last_update__gte=2026-03-02T10:00:00Z&limit=100&offset=0&ordering=last_update"},
		{"changed and created", pull.AlertQuery{ChangedSince: at("2026-03-02T10:00:00Z"), From: at("2026-03-01T00:00:00Z")},
			"alert_time__gte=2026-03-01T00:00:00Z&last_update__gte=2026-03-02T10:00:00Z&limit=100&offset=0&ordering=last_update"},
		{"a window that ends before it starts", pull.AlertQuery{From: noon, To: noon.Add(-time.Minute)}, ""},
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
		q    pull.AlertQuery
		want string
	}{
		{"by time, both ends included", pull.AlertQuery{From: noon, To: noon.Add(time.Hour)}, "changed early closed first last"},
		{"from a time on", pull.AlertQuery{From: noon.Add(time.Minute)}, "changed early closed last late"},
		{"up to a time", pull.AlertQuery{To: noon}, "early first"},
		{"by status", pull.AlertQuery{From: noon, To: noon.Add(time.Hour), Statuses: []string{"new", "investigating"}}, "changed early first last"},
		{"by type", pull.AlertQuery{Types: []string{"sigma"}}, ""},
		{"by threat", pull.AlertQuery{Threat: "t1"}, "closed"},
		{"by change, the second included", pull.AlertQuery{ChangedSince: noon.Add(2*time.Hour + 900*time.Millisecond)}, "closed last"},
		{"by change and time", pull.AlertQuery{ChangedSince: noon, To: noon.Add(time.Minute)}, "changed early closed"},
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

func TestAlertsThatCannotBeRead(t *testing.T) {
	stop := errors.New("enough")
	x := &index{rows: spread(3, time.Second)}
	if err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{}, func([]alert.Alert, []alert.Bad) error { return stop }); !errors.Is(err, stop) {
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
		for _, q := range []pull.AlertQuery{{From: noon}, {ChangedSince: noon}} {
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
	if err := x.serve(t).Alerts(ctx, pull.AlertQuery{}, (&got{}).alerts); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Of any rows behind any index, a read visits exactly those asked for, or says that some are missing.
// TestAHugeAlertFailsAlone: what is made of one is copied and remembered, and one of 75 MB took the memory of a pod.
func TestAHugeAlertFailsAlone(t *testing.T) {
	rows := spread(3, time.Second)
	rows[1].raw = `{"id": "` + strings.Repeat("A", 2<<20) + `", "status": "new", "alert_time": "2026-03-02T08:15:30Z"}`
	var g got
	if err := (&index{rows: rows}).serve(t).Alerts(t.Context(), pull.AlertQuery{}, g.alerts); err != nil {
		t.Fatal(err)
	}
	if len(g.bad) != 1 || !strings.HasPrefix(g.bad[0], ": an alert of 2097") || len(g.bad[0]) > 1000 || len(g.ids) != 2 {
		t.Errorf("%d alerts, unreadable %.300v", len(g.ids), g.bad)
	}
}

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
		q := pull.AlertQuery{Statuses: []string{"new"}}
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
