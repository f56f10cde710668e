package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"harfangsync/reconcile/crash"
	"harfangsync/reconcile/remote"
)

// LockedError says that another run is at work (gate G10).
type LockedError struct{ By string }

func (e *LockedError) Error() string {
	return "another run holds the lock (" + e.By + "); it is waited for with --lock-timeout"
}

// The lease: how long it is believed, how often it is renewed, and how long after writing it is read
// back, so that of two runs that wrote at once only one goes on.
const (
	leaseFor   = 90 * time.Second
	renewEvery = 30 * time.Second
	settle     = 250 * time.Millisecond
	retryEvery = 2 * time.Second
	leastLeft  = 15 * time.Second // of a lease that cannot be renewed, before its run stops
)

// LockFile takes a lock on path and waits up to timeout for it. The lock is the kernel's: it ends
// with the process.
func LockFile(ctx context.Context, path string, timeout time.Duration) (release func(), err error) {
	l := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, max(timeout, time.Millisecond))
	defer cancel()
	ok, err := l.TryLockContext(ctx, 100*time.Millisecond)
	if ok {
		return func() { _ = l.Unlock() }, nil
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return nil, &LockedError{By: "file " + path}
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// Lock takes the lease named key in the document and renews it until release. It waits up to timeout
// for another's lease to end; a run that was killed leaves one for up to 90 s. lost is called when
// the lease could not be kept.
func (k *Keeper) Lock(ctx context.Context, key string, timeout time.Duration, lost func(error)) (release func(), err error) {
	holder := rand.Text()
	deadline := time.Now().Add(timeout)
	for {
		err := k.take(ctx, holder, key)
		taken, isTaken := errors.AsType[*takenError](err)
		switch {
		case err == nil:
			return k.keep(ctx, holder, key, lost), nil
		case !isTaken:
			return nil, err
		case !time.Now().Add(retryEvery).Before(deadline):
			return nil, &LockedError{By: "lease until " + taken.Until.UTC().Format(time.RFC3339)}
		}
		if err := remote.Sleep(ctx, retryEvery); err != nil {
			return nil, err
		}
	}
}

// damaged says that the state is there and cannot be read: then nobody holds a lease in it.
func damaged(err error) bool {
	_, ok := errors.AsType[*DamagedError](err)
	return ok
}

// take writes the lease unless it is another's, lets a moment pass and reads it back. Another's is a
// takenError.
func (k *Keeper) take(ctx context.Context, holder, key string) error {
	if err := k.reload(ctx); err != nil && !damaged(err) {
		return err
	}
	if l, held := k.Document().Leases[key]; held && l.Holder != holder && time.Now().Before(l.Until) {
		return &takenError{l}
	}
	if err := k.alone(ctx, func() error { return k.save(ctx, lease(holder, key)) }); err != nil {
		return err
	}
	if err := remote.Sleep(ctx, settle); err != nil {
		return err
	}
	if err := k.reload(ctx); err != nil {
		return err
	}
	if l := k.Document().Leases[key]; l.Holder != holder {
		return &takenError{l}
	}
	return nil
}

// lease writes a lease that begins now.
func lease(holder, key string) func(*Document) {
	return func(d *Document) {
		if d.Leases == nil {
			d.Leases = map[string]Lease{}
		}
		d.Leases[key] = Lease{Holder: holder, Until: time.Now().UTC().Add(leaseFor).Truncate(time.Second)}
	}
}

// takenError says that a lease is another's by now.
type takenError struct{ Lease }

func (e *takenError) Error() string { return "the lease is another's" }

// renewKept renews a lease unless it is another's by now, which a takenError says.
func (k *Keeper) renewKept(ctx context.Context, holder, key string) error {
	return k.alone(ctx, func() error {
		err := k.load(ctx)
		if l, held := k.Document().Leases[key]; err == nil && held && l.Holder != holder {
			return &takenError{l}
		}
		if err != nil && !damaged(err) {
			return err
		}
		return k.save(ctx, lease(holder, key))
	})
}

// giveBack ends a lease that is still the holder's, or may be.
func (k *Keeper) giveBack(ctx context.Context, holder, key string) error {
	return k.alone(ctx, func() error {
		err := k.load(ctx)
		if k.Document().Leases[key].Holder != holder && err == nil {
			return nil
		}
		return k.save(ctx, func(d *Document) { delete(d.Leases, key) })
	})
}

func (k *Keeper) keep(ctx context.Context, holder, key string, lost func(error)) (release func()) {
	ctx = context.WithoutCancel(ctx) // an interrupted run still finishes what is in flight
	stop := make(chan struct{})
	var done sync.WaitGroup
	k.held()
	done.Go(func() {
		defer crash.Exit()
		every := cmp.Or(k.Renew, renewEvery)
		next := time.NewTimer(every)
		defer next.Stop()
		kept := time.Now()
		for {
			select {
			case <-stop:
				return
			case <-next.C:
			}
			short, cancel := context.WithTimeout(ctx, leastLeft)
			renew := k.renewKept
			if k.lapsed() != nil {
				renew = k.take
			}
			err := renew(short, holder, key)
			cancel()
			taken, isTaken := errors.AsType[*takenError](err)
			missed := time.Since(kept)
			switch {
			case isTaken:
				lost(&LockedError{By: "lease until " + taken.Until.UTC().Format(time.RFC3339) + ", taken while this run was held up"})
				return
			case err == nil:
				kept = time.Now()
				k.held()
				next.Reset(every)
				continue
			case missed > max(leaseFor-leastLeft, k.Patience):
				lost(fmt.Errorf("the lock could not be kept: %w", err))
				return
			case missed > leaseFor-leastLeft:
				k.lapse(err)
			}
			next.Reset(retryEvery)
		}
	})
	return sync.OnceFunc(func() {
		close(stop)
		done.Wait()
		short, cancel := context.WithTimeout(ctx, renewEvery)
		defer cancel()
		err := k.giveBack(short, holder, key)
		if err != nil && k.Log != nil {
			k.Log.Warn("the lock stays until its lease ends", "error", err)
		}
	})
}
