package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// MostUnblocked is how many values may be out of force at a time. They never make room for each other, so there is an
// end to what they take of the document, too.
const (
	MostUnblocked      = 100
	mostUnblockedBytes = MostBytes / 2
)

// Unblock notes a value that is out of force from now on, in place of what was noted of it before. It is an error
// where there is no room for it.
func (d *Document) Unblock(u reconcile.Unblock) error {
	list := slices.DeleteFunc(slices.Clone(d.Unblocked), func(old reconcile.Unblock) bool { return old.Value == u.Value })
	if len(list) >= MostUnblocked { // what is over makes room
		list = slices.DeleteFunc(list, func(old reconcile.Unblock) bool { return !old.Active(u.At) })
	}
	if len(list) >= MostUnblocked {
		return fmt.Errorf("%d values are unblocked already, and there is no room for more", len(list))
	}
	list = append(list, u)
	if b, err := json.Marshal(list); err != nil || len(b) > mostUnblockedBytes {
		return errors.New("what is unblocked already, and why, leaves no room for more")
	}
	d.Unblocked = list
	return nil
}

// Noted says whether an Unblock is the one that is noted of its value, which its times tell; its texts may have been
// stored in another spelling.
func (d *Document) Noted(u reconcile.Unblock) bool {
	return slices.ContainsFunc(d.Unblocked, func(n reconcile.Unblock) bool {
		return n.Value == u.Value && n.At.Equal(u.At) && n.Until.Equal(u.Until)
	})
}

// Block ends what is noted of a value, and says whether it was out of force until now.
func (d *Document) Block(value string, now time.Time) (was reconcile.Unblock, found bool) {
	for i := range d.Unblocked {
		if u := &d.Unblocked[i]; u.Value == value && u.Active(now) {
			was, u.Until = *u, now
			return was, true
		}
	}
	return reconcile.Unblock{}, false
}

// Settled forgets what was over when a run began that ended with everything in place.
func (d *Document) Settled(began time.Time) {
	d.Unblocked = slices.DeleteFunc(slices.Clone(d.Unblocked), func(u reconcile.Unblock) bool { return !u.Active(began) })
}

// Insist changes what is stored without holding the lock, beside a run that may change it too: the change is made
// again until stands says of what is read back that it is there. change may be called several times; its error ends it.
// The lease of a run at work is not shortened by it. What that run writes at the same moment may be lost, where the store
// cannot keep others out, as if it had been killed just before.
func (k *Keeper) Insist(ctx context.Context, change func(*Document) error, stands func(*Document) bool) error {
	const attempts = 5
	for range attempts {
		var refused error
		var began time.Time
		err := k.alone(ctx, func() error {
			began = time.Now()
			return k.amend(ctx, func(d *Document) {
				now := time.Now()
				for key, l := range d.Leases { // that may have been renewed since it was read
					if until := now.UTC().Add(l.term()).Truncate(time.Second); l.Until.After(now) && until.After(l.Until) && !l.junk(now) {
						l.Until = until
						d.Leases[key] = l
					}
				}
				refused = change(d)
			})
		})
		if err := errors.Join(refused, err); err != nil {
			return err
		}
		if err := remote.Sleep(ctx, min(max(settle, 4*time.Since(began)), leastLeft)); err != nil { // as long as others may take
			return err
		}
		if err := k.reload(ctx); err != nil {
			return err
		}
		if doc := k.Document(); stands(&doc) {
			return nil
		}
	}
	return errors.New("save state: another run keeps replacing it")
}

// Renews says whether a lock that is held in the document reads it again, by itself.
func (k *Keeper) Renews() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lock != nil
}
