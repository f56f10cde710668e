package harfanglab_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

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
		q      pull.AlertQuery
	}{
		{"over an hour", quick, 10_000, pull.AlertQuery{From: noon, To: noon.Add(time.Hour)}},
		{"over all time", quick[:4000], 1000, pull.AlertQuery{}},
		{"with a filter", quick[:4000], 1000, pull.AlertQuery{To: noon.Add(time.Hour), Statuses: []string{"new"}}},
		{"in one second", crowd, 1000, pull.AlertQuery{From: noon.Add(-time.Hour), To: noon.Add(time.Hour)}},
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
		err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{From: noon, To: noon.Add(time.Hour)}, g.alerts)
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
	err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{From: noon}, g.alerts)
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
		err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{From: noon.Add(1000 * time.Second), To: noon.Add(1049 * time.Second)}, g.alerts)
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
	for _, q := range []pull.AlertQuery{{From: before, To: behind}, {ChangedSince: before}} {
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
	for _, q := range []pull.AlertQuery{{From: noon, To: noon.Add(time.Minute)}, {ChangedSince: noon}} {
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
		q := pull.AlertQuery{From: noon, To: noon.Add(time.Hour)}
		if changed {
			q = pull.AlertQuery{ChangedSince: noon}
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
