package run_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// exactly takes an Unblock to be of a value as it stands there.
func exactly(list []reconcile.Unblock) func(reconcile.Kind, reconcile.Value, []string) int {
	return func(_ reconcile.Kind, v reconcile.Value, _ []string) int {
		return slices.IndexFunc(list, func(u reconcile.Unblock) bool { return u.Value == v.Value })
	}
}

// remembering is a job that keeps its state in a store.
func remembering(t *testing.T, src *source, snk *sink, store state.Store) *run.Job {
	t.Helper()
	j := job(t, src, snk)
	j.Clock, j.Unblocks = nil, exactly
	var err error
	if j.Keeper, err = state.Open(t.Context(), store, nil); err != nil {
		t.Fatal(err)
	}
	return j
}

// note writes into the state that a value is unblocked, as another process does.
func note(t *testing.T, store state.Store, value string, span time.Duration) reconcile.Unblock {
	t.Helper()
	k, err := state.Open(context.Background(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	u := reconcile.Unblock{Value: value, Reason: "ours", By: "anna", At: now, Until: now.Add(span)}
	if err := k.Update(context.Background(), func(d *state.Document) {
		if err := d.Unblock(u); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return u
}

func inForce(snk *sink) []string {
	snk.mu.Lock()
	defer snk.mu.Unlock()
	out := []string{}
	for _, r := range snk.rows {
		if r.Enabled {
			out = append(out, r.Value)
		}
	}
	slices.Sort(out)
	return out
}

// A tail that has the rule in memory neither undoes what a person unblocked beside it, nor forgets to bring it back.
func TestATailKeepsAnUnblockedValueOutUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		a := ind("a", "domain_name x.example; domain_name y.example")
		src, snk := &source{read: []reconcile.Indicator{a}}, newSink()
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		follower.Job = remembering(t, src, snk, store)
		follower.FullEvery = 2 * time.Hour
		follower.For = time.Hour
		go func() {
			time.Sleep(61 * time.Second) // just after it looked
			u := note(t, store, "x.example", 30*time.Minute)
			hand := remembering(t, src, snk, store)
			planned, err := hand.PlanUnblock(t.Context(), u, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if got := brief(apply(t, hand, planned, false)); !cmp.Equal(got, []string{"! domain_name x.example applied"}) {
				t.Errorf("unblock: %q", got)
			}
			for i := range 28 {
				time.Sleep(time.Minute)
				if got := inForce(snk); !cmp.Equal(got, []string{"y.example"}) {
					t.Errorf("%d minutes later: %q", i+1, got)
				}
				synctest.Wait()
				src.read = []reconcile.Indicator{with(a, func(n *reconcile.Indicator) { n.Description += "." })} // an event about the indicator
				s <- tail.Dirty{IDs: []string{"a"}}
			}
			time.Sleep(3 * time.Minute)
			if got := inForce(snk); !cmp.Equal(got, []string{"x.example", "y.example"}) {
				t.Errorf("after its end: %q", got)
			}
		}()
		if err := follower.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func with(i reconcile.Indicator, change func(*reconcile.Indicator)) reconcile.Indicator {
	change(&i)
	return i
}

// What is unblocked while an apply is at work does not come into force, and what had come goes again.
func TestWhatIsUnblockedDuringAnApplyEndsOutOfForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example; domain_name y.example; domain_name z.example")}}, newSink()
		j := remembering(t, src, snk, store)
		j.Parallel = 1
		creates := 0
		snk.fail = func(what, _ string) error {
			if what == "create" {
				if creates++; creates == 2 { // y is on its way, and z is to follow in a while
					note(t, store, "x.example", time.Hour)
					note(t, store, "y.example", time.Hour)
					note(t, store, "z.example", time.Hour)
					time.Sleep(10 * time.Second)
				}
			}
			return nil
		}
		p := plan(t, j)
		got := brief(apply(t, j, p, false))
		if want := []string{"+ domain_name x.example conflict", "+ domain_name y.example conflict", "+ domain_name z.example conflict"}; !cmp.Equal(got, want) {
			t.Errorf("got %q", got)
		}
		if got := inForce(snk); len(got) > 0 || len(snk.rows) != 2 {
			t.Errorf("in force: %q, of %d rules made", got, len(snk.rows))
		}
		for i := range 3 {
			if again := plan(t, j); again.Plan.Changes.Len() > 0 {
				t.Errorf("run %d after it: %q", i+1, changes(again))
			}
		}
	})
}

// A plan that was saved before a value was unblocked does not bring it into force.
func TestASavedPlanDoesNotUndoAnUnblock(t *testing.T) {
	store := &memory{}
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example; domain_name y.example")}}, newSink()
	p := plan(t, remembering(t, src, snk, store))
	note(t, store, "x.example", time.Hour)
	got := brief(apply(t, remembering(t, src, snk, store), p, true))
	if want := []string{"+ domain_name x.example conflict", "+ domain_name y.example applied"}; !cmp.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// Once a run has ended with everything in place, what is over is forgotten.
func TestWhatIsOverIsForgottenAfterAGoodRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
		syncAll(t, remembering(t, src, snk, store))
		note(t, store, "x.example", time.Hour)
		j := remembering(t, src, snk, store)
		apply(t, j, plan(t, j), false)
		if n := len(j.Keeper.Unblocked()); n != 1 {
			t.Errorf("while it holds %d are remembered", n)
		}
		time.Sleep(2 * time.Hour)
		j = remembering(t, src, snk, store)
		p := plan(t, j)
		if got := changes(p); !cmp.Equal(got, []string{"* domain_name x.example unblock_ended"}) {
			t.Errorf("at its end: %q", got)
		}
		apply(t, j, p, false)
		if n := len(j.Keeper.Unblocked()); n != 0 {
			t.Errorf("after it %d are remembered", n)
		}
	})
}

// What is over does not hide what holds: a URL stays out although its domain is back.
func TestWhatHoldsCountsBeforeWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example; domain_name y.example")}}, newSink()
		syncAll(t, remembering(t, src, snk, store))
		note(t, store, "x.example", time.Minute)
		note(t, store, "all", time.Hour)
		time.Sleep(2 * time.Minute)
		j := remembering(t, src, snk, store)
		j.Unblocks = func(list []reconcile.Unblock) func(reconcile.Kind, reconcile.Value, []string) int {
			return func(_ reconcile.Kind, v reconcile.Value, _ []string) int {
				return slices.IndexFunc(list, func(u reconcile.Unblock) bool { return u.Value == v.Value || u.Value == "all" })
			}
		}
		apply(t, j, plan(t, j), false)
		if got := inForce(snk); len(got) > 0 {
			t.Errorf("in force: %q", got)
		}
	})
}

// What a batch of a tail brings into force while somebody unblocks it is out of force within seconds.
func TestWhatIsUnblockedDuringABatchGoesSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		follower.Job = remembering(t, src, snk, store)
		follower.For = 5 * time.Minute
		snk.fail = func(what, id string) error {
			if what == "create" && id == "y.example" {
				note(t, store, id, time.Hour)
			}
			return nil
		}
		go func() {
			time.Sleep(time.Minute)
			synctest.Wait()
			src.read = append(src.read, ind("b", "domain_name y.example"))
			s <- tail.Dirty{IDs: []string{"b"}}
			time.Sleep(time.Second)
			if got := inForce(snk); !cmp.Equal(got, []string{"x.example", "y.example"}) {
				t.Errorf("after the batch: %q, so nothing is tried", got)
			}
			time.Sleep(9 * time.Second)
			if got := inForce(snk); !cmp.Equal(got, []string{"x.example"}) {
				t.Errorf("ten seconds later: %q", got)
			}
		}()
		if err := follower.Run(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What was unblocked and is over before a tail looked comes back all the same, within two minutes.
func TestATailBringsBackWhatWasUnblockedForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example; domain_name y.example")}}, newSink()
		follower := tailed(t, src, snk, make(stream), func(context.Context) (bool, error) { return false, nil })
		follower.Job = remembering(t, src, snk, store)
		follower.FullEvery = 2 * time.Hour
		reads := 0
		src.onRead = func() { reads++ }
		go func() {
			time.Sleep(61 * time.Second) // just after it looked
			u := note(t, store, "x.example", 5*time.Second)
			hand := remembering(t, src, snk, store)
			planned, err := hand.PlanUnblock(t.Context(), u, nil)
			if err != nil {
				t.Error(err)
				return
			}
			apply(t, hand, planned, false)
			time.Sleep(2 * time.Minute)
			if got := inForce(snk); !cmp.Equal(got, []string{"x.example", "y.example"}) {
				t.Errorf("two minutes later: %q", got)
			}
		}()
		if err := follower.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if reads > 2 {
			t.Errorf("%d full runs, want the first and one for it", reads)
		}
	})
}
