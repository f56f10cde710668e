package state_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

func unblock(value string, at time.Time) reconcile.Unblock {
	return reconcile.Unblock{Value: value, Reason: "ours", By: "anna@soc", At: at, Until: at.Add(time.Hour)}
}

func insist(t *testing.T, k *state.Keeper, u reconcile.Unblock) {
	t.Helper()
	err := k.Insist(t.Context(), func(d *state.Document) error { return d.Unblock(u) }, func(d *state.Document) bool {
		return len(d.Unblocked) > 0 && d.Unblocked[len(d.Unblocked)-1] == u
	})
	if err != nil {
		t.Error(err)
	}
}

// A run that holds the lock and writes all the time neither loses what is unblocked beside it, nor its lease.
func TestWhatIsUnblockedBesideARunStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		k, err := state.Open(t.Context(), slow{s}, nil)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := k.Lock(t.Context(), []string{"target"}, time.Minute, func(err error) { t.Errorf("the lease is lost: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release()
		lock.Endure(time.Minute)
		time.Sleep(11 * time.Second) // until it is renewed
		const updates = 30
		var all sync.WaitGroup
		all.Go(func() {
			for i := range updates {
				if err := k.Update(t.Context(), func(d *state.Document) { d.Remember(nil, nil, []reconcile.Key{key(i)}) }); err != nil {
					t.Error(err)
				}
				time.Sleep(300 * time.Millisecond)
			}
		})
		all.Go(func() {
			time.Sleep(700 * time.Millisecond)
			other, err := state.Open(t.Context(), slow{s}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			insist(t, other, unblock("a.example", time.Now().UTC()))
			if doc := other.Document(); time.Until(doc.Leases["target"].Until) < time.Minute {
				t.Errorf("the lease is cut to %v", time.Until(doc.Leases["target"].Until))
			}
		})
		all.Wait()
		d, err := state.Parse(s.text)
		if err != nil || len(d.Unblocked) != 1 || len(d.Stopped) < updates-1 { // one may fall into the same moment
			t.Errorf("%d values unblocked and %d of %d updates stored: %v", len(d.Unblocked), len(d.Stopped), updates, err)
		}
		if doc := k.Document(); len(doc.Unblocked) != 1 {
			t.Error("the run does not know of it after its next update")
		}
	})
}

func TestProcessesThatShareAFileLoseNoUpdate(t *testing.T) {
	store := state.File(filepath.Join(t.TempDir(), "state.json"))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			k, err := state.Open(t.Context(), store, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 5 {
				if err := k.Update(t.Context(), func(d *state.Document) { d.Remember(nil, nil, []reconcile.Key{key(10*i + j)}) }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	k, err := state.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(k.Document().Stopped); n != 40 {
		t.Errorf("%d of 40 updates are stored", n)
	}
}

func TestThereIsAnEndToWhatCanBeUnblocked(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var d state.Document
	for i := range state.MostUnblocked {
		if err := d.Unblock(unblock(fmt.Sprintf("v%d.example", i), now)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Unblock(unblock("more.example", now)); err == nil {
		t.Error("there is room for more")
	}
	again := unblock("v7.example", now)
	again.Reason = "still ours"
	if err := d.Unblock(again); err != nil || len(d.Unblocked) != state.MostUnblocked {
		t.Errorf("the same value again: %v, %d noted", err, len(d.Unblocked))
	}
	if err := d.Unblock(unblock("more.example", now.Add(2*time.Hour))); err != nil || len(d.Unblocked) != 1 {
		t.Errorf("once the others are over: %v, %d noted", err, len(d.Unblocked))
	}
	for i := range 40 {
		u := unblock(fmt.Sprintf("https://v%d.example/%s", i, strings.Repeat("x", 1000)), now)
		if err := d.Unblock(u); err != nil {
			break
		}
	}
	d.Remember(nil, []reconcile.Refusal{{Key: key(1), Words: strings.Repeat("no ", 100)}}, nil)
	stored, err := state.Parse(d.Text())
	if err != nil || len(d.Text()) > state.MostBytes || len(stored.Unblocked) != len(d.Unblocked) || len(stored.Refused) != 1 {
		t.Errorf("%d bytes, %d of %d values, %d verdicts: %v", len(d.Text()), len(stored.Unblocked), len(d.Unblocked), len(stored.Refused), err)
	}
}

func TestAValueIsBlockedAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var d state.Document
	if err := d.Unblock(unblock("a.example", now)); err != nil {
		t.Fatal(err)
	}
	d.Settled(now)
	if was, found := d.Block("a.example", now.Add(time.Minute)); !found || was.By != "anna@soc" {
		t.Errorf("it was %+v, %v", was, found)
	}
	if _, again := d.Block("a.example", now.Add(time.Minute)); again {
		t.Error("it is blocked twice")
	}
	if len(d.Unblocked) != 1 || d.Unblocked[0].Active(now.Add(time.Minute)) {
		t.Errorf("noted: %+v", d.Unblocked)
	}
	if d.Settled(now.Add(time.Minute)); len(d.Unblocked) != 0 {
		t.Errorf("after a run: %+v", d.Unblocked)
	}
}
