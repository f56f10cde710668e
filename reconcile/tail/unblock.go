package tail

import (
	"context"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// lookEvery is how often a tail looks whether a person unblocked a value, or blocked it again.
const lookEvery = 30 * time.Second

// lookSoon is how long after a batch a tail looks whether a person unblocked what it was about to bring into force: once
// for all batches within that time.
const lookSoon = 5 * time.Second

// unblocks is what a tail knows of the values that persons took out of force.
type unblocks struct {
	known  []reconcile.Unblock // when it looked last
	active []reconcile.Unblock // of these, what held then
	next   time.Time           // when to look again
	anew   bool                // something came into force since
}

// brought notes that something came into force, which a person may have unblocked meanwhile.
func (u *unblocks) brought(now time.Time) {
	u.anew, u.next = true, earliest(u.next, now.Add(lookSoon))
}

// look says whether other values are out of force now than when it looked last, or were in between. Where the lock reads the state again by
// itself, that need not be done for it, unless anew says so.
func (t *Tail) look(ctx context.Context, anew bool) (moved bool) {
	if anew || !t.Job.Keeper.Renews() {
		short, cancel := context.WithTimeout(ctx, run.SaveTimeout)
		defer cancel()
		if err := t.Job.Keeper.Reload(short); err != nil {
			t.Log.Debug("the state could not be read again", "error", err)
		}
	}
	now, before := t.now(), t.unblocks
	u := reconcile.Unblocks{List: t.Job.Keeper.Unblocked()}
	t.unblocks = unblocks{known: u.List, active: u.At(now), next: now.Add(lookEvery)}
	for _, out := range t.unblocks.active {
		t.unblocks.next = earliest(t.unblocks.next, out.Until)
	}
	return !slices.Equal(before.active, t.unblocks.active) || slices.ContainsFunc(u.List, func(out reconcile.Unblock) bool { return !slices.Contains(before.known, out) })
}
