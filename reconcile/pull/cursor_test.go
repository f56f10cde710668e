package pull_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Where reading goes on after a pull, as seconds after t0.
func TestTheCursorNeverPassesWhatWasNotRead(t *testing.T) {
	const late = 120 // seconds that it stays behind the last alert
	for _, tt := range []struct {
		name   string
		before time.Duration // of an earlier pull; 0 is none
		alerts []int         // seconds
		turn   func(r *platforms, puller *pull.Puller)
		want   time.Duration // 0 is none
	}{
		{"behind the last alert", 0, []int{600, 900}, nil, (900 - late) * time.Second},
		{"not back", 900 * time.Second, []int{600}, nil, 900 * time.Second},
		{"an alert from the future moves nothing", 0, []int{600, 7200}, nil, (600 - late) * time.Second},
		{"a read that lost rows moves nothing", 0, []int{600}, func(r *platforms, _ *pull.Puller) {
			r.unread = &memFault{reconcile.Fault{Incomplete: true}, "rows are missing"}
		}, 0},
		{"rows that nobody can read do not stop it", 0, []int{600}, func(r *platforms, _ *pull.Puller) {
			r.unread = &memFault{reconcile.Fault{Saturated: true}, "too many in a second"}
		}, (600 - late) * time.Second},
		{"reading from earlier on moves it", 0, []int{600}, func(_ *platforms, puller *pull.Puller) { puller.Since = t0.Add(-2 * time.Hour) }, (600 - late) * time.Second},
		{"reading from later on than it leaves it", 300 * time.Second, []int{600, 3000}, func(_ *platforms, puller *pull.Puller) { puller.Since = t0.Add(2000 * time.Second) }, 300 * time.Second},
		{"reading from later on than the start leaves none", 0, []int{600, 3000}, func(_ *platforms, puller *pull.Puller) { puller.Since = t0.Add(2000 * time.Second) }, 0},
		{"a dry run moves nothing", 0, []int{600}, func(_ *platforms, puller *pull.Puller) { puller.Show = func(string) error { return nil } }, 0},
		{"more failures than are remembered leave it", 0, nil, func(r *platforms, _ *pull.Puller) {
			for i := range state.MostFailed + 1 {
				r.saw(i, "h", "a").Level = "unwritable"
			}
		}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newPlatforms()
			for _, at := range tt.alerts {
				r.saw(at, "h", "a")
			}
			var d state.Document
			if tt.before > 0 {
				d.Pull.Alerts = t0.Add(tt.before)
			}
			store := &memStore{d.Text()}
			puller := r.puller(t, store)
			if tt.turn != nil {
				tt.turn(r, puller)
			}
			if _, err := puller.Pull(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := time.Time{}
			if tt.want > 0 {
				want = t0.Add(tt.want)
			}
			if got := store.doc(t).Pull.Alerts; !got.Equal(want) {
				t.Errorf("the cursor is at %v, want %v", got, want)
			}
		})
	}
}

func TestWhereReadingBegins(t *testing.T) {
	for _, tt := range []struct {
		name    string
		cursor  time.Duration
		start   time.Duration
		rolling bool
		since   time.Duration
		want    time.Duration
	}{
		{"at the start", 0, -time.Hour, false, 0, -time.Hour},
		{"a while before the cursor", time.Hour, -time.Hour, false, 0, 45 * time.Minute},
		{"not before a start that was set", time.Hour, 50 * time.Minute, false, 0, 50 * time.Minute},
		{"before a start that moves with the clock, after a pause", time.Hour, 20 * time.Hour, true, 0, 45 * time.Minute},
		{"at a start that moves, the first time", 0, 20 * time.Hour, true, 0, 20 * time.Hour},
		{"where it is told to", time.Hour, -time.Hour, false, 2 * time.Hour, 2 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newPlatforms()
			var d state.Document
			if tt.cursor != 0 {
				d.Pull.Alerts, d.Pull.Changes = t0.Add(tt.cursor), t0.Add(tt.cursor)
			}
			puller := r.puller(t, &memStore{d.Text()})
			puller.Start, puller.Rolling = t0.Add(tt.start), tt.rolling
			if tt.since != 0 {
				puller.Since = t0.Add(tt.since)
			}
			if _, err := puller.Pull(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := t0.Add(tt.want)
			if from, changed := r.asked[0].From, r.asked[1].ChangedSince; !from.Equal(want) || !changed.Equal(want) {
				t.Errorf("new alerts are read from %v and changes from %v, want %v", from, changed, want)
			}
		})
	}
}

// resetStore is emptied by an administrator while a pull is at work.
type resetStore struct {
	memStore
	due int // saves until then
}

func (s *resetStore) Save(_ context.Context, text string) error {
	if s.due--; s.due == 0 {
		s.text = ""
		return state.ErrReset
	}
	s.text = text
	return nil
}

// An administrator's reset means that everything is read again, whenever it comes.
func TestAResetWhileAlertsAreImportedStartsOver(t *testing.T) {
	for due := 1; due <= 3; due++ {
		r := newPlatforms()
		r.saw(600, "h", "a")
		var d state.Document
		d.Pull.Alerts, d.Pull.Changes = t0.Add(300*time.Second), t0.Add(300*time.Second)
		store := &resetStore{memStore{d.Text()}, due}
		r.pull(t, store)
		if got := store.doc(t).Pull.Alerts; !got.IsZero() {
			t.Errorf("a reset at save %d: reading goes on at %v instead of starting over", due, got)
		}
		r.pull(t, store)
		if got := store.doc(t).Pull.Alerts; got.IsZero() {
			t.Errorf("a reset at save %d: the pull after it moves no cursor", due)
		}
		if got := strings.Join(r.graph(), "; "); got != "incident--alert-600 new identity--h; sighting--indicator--a-identity--h on identity--h +1" {
			t.Errorf("a reset at save %d: %s", due, got)
		}
	}
}

// An alert that is read twice in a pull is one in its report.
func TestAnAlertIsCountedOnceInAReport(t *testing.T) {
	r := newPlatforms()
	r.saw(600, "h", "a")
	r.triage(600, alert.Investigating)
	store := &memStore{}
	if got := r.pull(t, store); got.Read != 1 || got.Count("alert", pull.Imported) != 1 || got.Unchanged != 0 {
		t.Errorf("first: %d read, %d unchanged, %+v", got.Read, got.Unchanged, got.Items)
	}
	if got := r.pull(t, store); got.Read != 1 || got.Unchanged != 1 || len(got.Items) != 0 {
		t.Errorf("again: %d read, %d unchanged, %+v", got.Read, got.Unchanged, got.Items)
	}
}

// One alert that cannot be read by itself stops no other.
func TestAnAlertThatCannotBeReadStopsNoOther(t *testing.T) {
	r := newPlatforms()
	r.saw(1, "h", "a").Level = "unwritable"
	store := &memStore{}
	r.pull(t, store)
	r.broken["alert-001"] = errors.New("alert alert-001: its alert_time is no time")
	r.saw(2, "h", "a")
	report := r.pull(t, store)
	if report.Count("alert", pull.Failed) != 1 || report.Count("alert", pull.Imported) != 1 {
		t.Errorf("%+v", report.Items)
	}
	for range 5 {
		report = r.pull(t, store)
	}
	if report.Count("alert", pull.GivenUp) != 1 || !report.Clean() {
		t.Errorf("after five runs: %+v", report.Items)
	}
}

// A changed alert that cannot be written has failed, and is not updated as well.
func TestAChangeThatCannotBeWrittenIsNoUpdate(t *testing.T) {
	r := newPlatforms()
	r.saw(1, "h", "a")
	r.saw(2, "h", "a")
	store := &memStore{}
	r.pull(t, store)
	r.triage(1, alert.Investigating)
	r.triage(2, alert.Investigating)
	r.alerts[0].Level = "unwritable"
	report := r.pull(t, store)
	if report.Count("", pull.Failed) != 1 || report.Count("", pull.Updated) != 1 || len(store.doc(t).Pull.Failed) != 1 {
		t.Errorf("%+v, remembered %+v", report.Items, store.doc(t).Pull.Failed)
	}
}

// What a bundle is remembered by stays far below what a connector's state holds (contract opencti-api
// 6.2).
func TestWhatIsPendingFitsTheState(t *testing.T) {
	r := newPlatforms()
	var owners []string
	for i := range 40 {
		id := fmt.Sprintf("11111111-2222-4333-8444-%012d", i)
		r.indicators[id] = "indicator--" + id
		owners = append(owners, id)
	}
	for i := range 50 {
		r.saw(i, fmt.Sprintf("a-host-with-a-name-of-some-length-%02d", i), strings.Join(owners, " "))
	}
	store, most := &memStore{}, 0
	r.take = func(r *platforms, bundle, work string) error {
		most = max(most, len(store.text))
		r.importBundle(bundle, work)
		return nil
	}
	r.pull(t, store)
	if most > state.MostBytes || most == 0 {
		t.Errorf("the state grew to %d bytes, %d are allowed", most, state.MostBytes)
	}
	for i := range 50 {
		r.triage(i, alert.FalsePositive)
	}
	most = 0
	r.pull(t, store)
	if most > state.MostBytes || most == 0 {
		t.Errorf("with changes the state grew to %d bytes", most)
	}
	if n := len(r.sights); n != 50*40 {
		t.Errorf("%d sightings, want %d", n, 50*40)
	}
	for _, s := range r.sights {
		if s.Count != 1 || !s.Negative {
			t.Fatalf("%+v", s)
		}
	}
}
