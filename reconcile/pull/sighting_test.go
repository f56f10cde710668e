package pull_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// What a sighting says after a pull, whatever was there before.
func TestSightings(t *testing.T) {
	for _, tt := range []struct {
		name string
		life func(t *testing.T, r *platforms, store state.Store)
		want string // the sightings, by a space
	}{
		{"two alerts of a pair count two", func(_ *testing.T, r *platforms, _ state.Store) {
			r.saw(1, "h", "a")
			r.saw(2, "h", "a")
		}, "sighting--indicator--a-identity--h on identity--h +2"},
		{"an alert counts for each owner", func(_ *testing.T, r *platforms, _ state.Store) { r.saw(1, "h", "a b") },
			"sighting--indicator--a-identity--h on identity--h +1 sighting--indicator--b-identity--h on identity--h +1"},
		{"an owner that is gone has none", func(_ *testing.T, r *platforms, _ state.Store) { r.saw(1, "h", "a gone") }, "sighting--indicator--a-identity--h on identity--h +1"},
		{"an alert without an endpoint is no sighting", func(_ *testing.T, r *platforms, _ state.Store) { r.saw(1, "", "a") }, ""},
		{"a count of somebody else's is added to, in a wider range", func(_ *testing.T, r *platforms, _ state.Store) {
			r.sight("a", "h", 40, false)
			r.saw(300, "h", "a")
		}, "sighting--indicator--a-identity--h on identity--h +41"},
		{"and in the same range", func(_ *testing.T, r *platforms, _ state.Store) {
			r.sight("a", "h", 40, false)
			r.saw(30, "h", "a")
			r.saw(31, "h", "a")
		}, "sighting--indicator--a-identity--h on identity--h +42"},
		{"dates that are not known are given", func(_ *testing.T, r *platforms, _ state.Store) {
			s := r.sight("a", "h", 3, false)
			s.First, s.Last = time.Time{}, time.Time{}
			r.saw(30, "h", "a")
		}, "sighting--indicator--a-identity--h on identity--h +4"},
		{"the id it was stored under is kept after the indicator's changed", func(_ *testing.T, r *platforms, _ state.Store) {
			r.sight("a", "h", 1, false, "sighting--of-the-old-pattern")
			r.indicators["a"] = "indicator--a2"
			r.saw(30, "h", "a")
		}, "sighting--of-the-old-pattern on identity--h +2"},
		{"an endpoint that the account may not see keeps its count", func(t *testing.T, r *platforms, store state.Store) {
			r.blind = true
			r.saw(1, "h", "a")
			r.pull(t, store)
			r.saw(2, "h", "a")
		}, "sighting--indicator--a-identity--h on identity--h +2"},
		{"a mistake does not turn what somebody saw", func(_ *testing.T, r *platforms, _ state.Store) {
			r.sight("a", "h", 1, false)
			r.saw(30, "h", "a").Status = alert.FalsePositive
		}, "sighting--indicator--a-identity--h on identity--h +2"},
		{"what is seen turns a mistake", func(_ *testing.T, r *platforms, _ state.Store) {
			r.sight("a", "h", 1, true)
			r.saw(30, "h", "a")
		}, "sighting--indicator--a-identity--h on identity--h +2"},
		{"all alerts are mistakes", func(_ *testing.T, r *platforms, _ state.Store) {
			r.saw(30, "h", "a").Status = alert.FalsePositive
			r.saw(31, "h", "a").Status = alert.ProbableFalsePositive
		}, "sighting--indicator--a-identity--h on identity--h -2"},
		{"a sighting that was lost counts all alerts of its pair again", func(t *testing.T, r *platforms, store state.Store) {
			r.saw(1, "h", "a")
			r.saw(2, "h", "a")
			r.saw(3, "elsewhere", "a")
			r.pull(t, store)
			r.sights = nil
			r.triage(1, alert.Investigating)
			r.pull(t, store)
		}, "sighting--indicator--a-identity--h on identity--h +2"},
		{"and is no mistake while one of them is none", func(t *testing.T, r *platforms, store state.Store) {
			r.saw(1, "h", "a")
			r.saw(2, "h", "a")
			r.pull(t, store)
			r.sights = nil
			r.triage(1, alert.FalsePositive)
			r.pull(t, store)
		}, "sighting--indicator--a-identity--h on identity--h +2"},
		{"a sighting that was refused once counts all, and is no mistake while one is none", func(t *testing.T, r *platforms, store state.Store) {
			r.saw(1, "h", "a")
			r.saw(2, "h", "a").Status = alert.FalsePositive
			refusals := 3 // the bundle's and each alone
			r.refuse = func(o memObject) bool {
				if o.Type == "sighting" && refusals > 0 {
					refusals--
					return true
				}
				return false
			}
			r.pull(t, store)
			r.pull(t, store)
		}, "sighting--indicator--a-identity--h on identity--h +2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newPlatforms()
			store := &memStore{}
			tt.life(t, r, store)
			puller := r.puller(t, store)
			puller.Statuses = append(puller.Statuses, "false_positive", "probable_false_positive")
			if _, err := puller.Pull(t.Context()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range r.graph() {
				if strings.HasPrefix(l, "sighting") {
					got = append(got, l)
				}
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Errorf("sightings (-want +got):\n%s", d)
			}
		})
	}
}

// An indicator that many endpoints saw is asked for its incidents once a bundle, not once an endpoint.
func TestTheIncidentsOfAnIndicatorAreReadOnceABundle(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	for i := range 40 {
		r.saw(i, fmt.Sprintf("host-%d", i), "a")
	}
	r.pull(t, store)
	for i := range 40 {
		r.triage(i, alert.FalsePositive)
	}
	r.reads["IncidentsOf"] = 0
	r.pull(t, store)
	if n := r.reads["IncidentsOf"]; n != 1 {
		t.Errorf("asked %d times", n)
	}
	for _, s := range r.sights {
		if !s.Negative {
			t.Fatalf("%+v", s)
		}
	}
}

// Whatever bundles fail and whichever objects of them, in the end every alert is counted once, and a
// sighting is negative only if all of its alerts are mistakes.
func TestEveryAlertIsCountedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newPlatforms()
		type count struct {
			n        int
			positive bool
		}
		want := map[string]count{}
		total := rapid.IntRange(1, 12).Draw(t, "alerts")
		for i := range total {
			host := rapid.SampledFrom([]string{"h", "g"}).Draw(t, "host")
			a := r.saw(i, host, rapid.SampledFrom([]string{"a", "b", "a b"}).Draw(t, "owners"))
			a.Status = rapid.SampledFrom([]alert.Status{alert.New, alert.FalsePositive}).Draw(t, "status")
			for _, o := range strings.Fields(a.RuleContent) {
				c := want[o+host]
				want[o+host] = count{c.n + 1, c.positive || a.Status == alert.New}
			}
		}
		failures := rapid.IntRange(0, 4).Draw(t, "failures") // after five an alert is given up
		kinds := rapid.SliceOfN(rapid.SampledFrom([]string{"sighting", "incident", "relationship"}), 1, 3).Draw(t, "kinds")
		r.refuse = func(o memObject) bool {
			if failures > 0 && slices.Contains(kinds, o.Type) {
				failures--
				return true
			}
			return false
		}
		store := &memStore{}
		for range 5 {
			k, err := state.Open(t.Context(), store, nil)
			if err != nil {
				t.Fatal(err)
			}
			puller := r.with(k)
			puller.Statuses = []string{"new", "false_positive"}
			if _, err := puller.Pull(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, o := range []string{"a", "b"} {
			for _, h := range []string{"h", "g"} {
				w, there := want[o+h]
				i := slices.IndexFunc(r.sights, func(s *pull.Sighted) bool { return s.IDs[1] == "sighting--indicator--"+o+"-identity--"+h })
				switch {
				case !there && i >= 0:
					t.Fatalf("a sighting of %s on %s, which no alert saw", o, h)
				case there && i < 0:
					t.Fatalf("no sighting of %s on %s", o, h)
				case there && (r.sights[i].Count != w.n || r.sights[i].Negative == w.positive):
					t.Fatalf("%s on %s counts %d, negative %v; %d alerts saw it, positive %v", o, h, r.sights[i].Count, r.sights[i].Negative, w.n, w.positive)
				}
			}
		}
	})
}
