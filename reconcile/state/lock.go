package state

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// LockedError says that another run is at work (gate G10).
type LockedError struct {
	By string

	over bool // it may be free, which a while of waiting tells
}

func (e *LockedError) Error() string {
	return "another run holds the lock (" + e.By + "); it is waited for with --lock-timeout"
}

// LostError says that a lock that was taken does not hold any more, so that nothing may be written.
type LostError struct{ Err error }

func (e *LostError) Error() string { return "the lock is lost: " + e.Err.Error() }

// Unwrap says why: a *LockedError where another run has it.
func (e *LostError) Unwrap() error { return e.Err }

// Permanent says that trying again ends alike.
func (e *LostError) Permanent() bool { return true }

// The lease: how long a run's is believed and how often it is renewed, the same for a tail, which has two requests a
// minute to spend when idle, and how long after writing it is read back, so that of two runs that wrote at once
// only one goes on.
const (
	leaseFor     = 30 * time.Second
	renewEvery   = 10 * time.Second
	tailLeaseFor = 90 * time.Second
	tailRenews   = time.Minute
	settle       = 500 * time.Millisecond
	late         = 2 * time.Second // how late a renewal may come
	retryEvery   = 2 * time.Second
	leastLeft    = 5 * time.Second // of a lease that cannot be renewed, before its run stops
	clocksDiffer = 5 * time.Minute // more than this no clock is ahead of another
	renewWithin  = 10 * time.Second
)

// LockFile takes a lock for a file, on a second one whose name has an ending more, and waits up to timeout for it. The lock
// is the kernel's: it ends with the process. The second file belongs to whom the first does, as far as this process may say so.
func LockFile(ctx context.Context, file, ending string, timeout time.Duration) (release func(), err error) {
	path := file + ending
	l := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, max(timeout, time.Millisecond))
	defer cancel()
	ok, err := l.TryLockContext(ctx, 100*time.Millisecond)
	if ok {
		giveToOwner(file, func(uid, gid int) error { return os.Lchown(path, uid, gid) })
		return func() { _ = l.Unlock() }, nil
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		return nil, &LockedError{By: "file " + path}
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// Lock is a lock that is held, until Release or until it is lost.
type Lock struct {
	k      *Keeper
	holder string // this taking of the lock, like no other
	keys   []string
	tell   func(error) // of the loss, once
	stop   chan struct{}
	done   sync.WaitGroup

	trusted time.Time // from then on leases that are read back are ours; kept by whoever takes

	mu       sync.Mutex
	term     time.Duration
	every    time.Duration
	tails    bool          // its next renewal is a tail\'s
	patience time.Duration // with a store that is away
	renewed  time.Time     // when the last renewal began
	until    time.Time     // by the wall clock, as it is stored
	lapsed   bool          // its end has passed, and it may be taken anew
	lost     *LostError
}

// Lock takes the leases named keys in the document, all of them or none, and renews them until Release. It waits up
// to timeout for those of another run. lost is told when they could not be kept; it must not ask the Lock.
func (k *Keeper) Lock(ctx context.Context, keys []string, timeout time.Duration, lost func(error)) (*Lock, error) {
	l := &Lock{k: k, holder: rand.Text(), keys: keys, tell: lost, stop: make(chan struct{}), term: leaseFor, every: cmp.Or(k.Renew, renewEvery)}
	deadline := time.Now().Add(timeout)
	others := others{holder: l.holder, since: map[string]sighting{}}
	for {
		by, mine, err := l.take(ctx, &others)
		switch {
		case err != nil:
			return nil, err
		case mine:
			k.hold(l)
			k.held()
			l.done.Go(func() {
				defer crash.Exit()
				l.keep(context.WithoutCancel(ctx), &others) // an interrupted run still finishes what is in flight
			})
			return l, nil
		case by == nil:
			by = &LockedError{By: "or may: the state is stored too slowly to tell", over: true}
		}
		last := deadline
		if by.over { // which a renewal shows, at most two
			last = deadline.Add(2 * (tailRenews + late))
		}
		if !time.Now().Add(retryEvery).Before(last) {
			return nil, by
		}
		if err := remote.Sleep(ctx, retryEvery); err != nil {
			return nil, err
		}
	}
}

// others watches the leases of other runs. A lease is believed until its end, but no longer than its term from when
// it was first seen as it is: a clock that is ahead of ours keeps nobody out who outlives it. One that reaches
// further than clocks differ is not believed at all, and neither is that of a process of this host that is gone. Nor is one
// whose end has passed taken for free before its run has missed a renewal, as long as it is our clock that may be ahead.
type others struct {
	holder string // ours
	since  map[string]sighting
}

type sighting struct {
	Lease
	at time.Time
}

// hold is a lease of another run that is to be believed.
func (o *others) hold(leases map[string]Lease, keys []string, now time.Time) (Lease, bool) {
	for _, key := range keys {
		lease, held := leases[key]
		if !held || lease.Holder == o.holder {
			continue
		}
		seen := o.since[key]
		if !seen.Lease.same(lease) {
			seen = sighting{lease, now}
			o.since[key] = seen
		}
		watched := now.Sub(seen.at)
		if lease.living(now) && watched < lease.term() || lease.barelyOver(now) && watched < lease.renews()+late {
			return lease, true
		}
	}
	return Lease{}, false
}

// Lease says which run is at work, and until when it may be believed to live.
type Lease struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
	Term   int       `json:"term,omitempty"` // seconds, from the renewal to Until
	Process
}

func (l *Lease) term() time.Duration {
	if l.Term <= 0 {
		return leaseFor
	}
	return min(time.Duration(l.Term)*time.Second, tailLeaseFor)
}

// renews is how often its run renews a lease.
func (l *Lease) renews() time.Duration {
	if l.term() > leaseFor {
		return tailRenews
	}
	return renewEvery
}

func (l *Lease) same(o Lease) bool {
	return l.Holder == o.Holder && l.Until.Equal(o.Until) && l.Term == o.Term && l.Process == o.Process
}

// living says that the end of a lease is yet to come, and nothing speaks against it.
func (l *Lease) living(now time.Time) bool { return now.Before(l.Until) && !l.junk(now) && !l.gone() }

// barelyOver says that the end of a lease has passed, unless our clock is ahead of that of its run.
func (l *Lease) barelyOver(now time.Time) bool {
	ago := now.Sub(l.Until)
	return ago >= 0 && ago < clocksDiffer && !l.gone()
}

// junk says that a lease reaches further ahead than a run would write it, whatever its clock.
func (l *Lease) junk(now time.Time) bool { return l.Until.Sub(now) > l.term()+clocksDiffer }

// HeldBy is the lease of a run that may be at work, if there is one.
func (d *Document) HeldBy(now time.Time) (Lease, bool) {
	for _, key := range slices.Sorted(maps.Keys(d.Leases)) {
		if lease := d.Leases[key]; lease.living(now) {
			return lease, true
		}
	}
	return Lease{}, false
}

// Endure makes a lock that of a tail, which has two requests a minute to spend when idle, and may outlive a restart of
// the store: from its next renewal on it lasts longer, and one that lapses is taken anew when the store answers, unless
// it is away for longer than patience. Until then Held's contexts are over and Update fails.
func (l *Lock) Endure(patience time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tails, l.patience = true, patience
}

// take writes the leases unless another run is at work, lets a moment pass and reads them back: mine says whether
// they are there and to be trusted, and by who else has one.
func (l *Lock) take(ctx context.Context, o *others) (by *LockedError, mine bool, err error) {
	err = l.k.alone(ctx, func() error {
		began := time.Now()
		by = nil
		if err := l.k.load(ctx); err != nil {
			return err
		}
		now := time.Now()
		if lease, held := o.hold(l.k.Document().Leases, l.keys, now); held {
			by = &LockedError{By: fmt.Sprintf("%v, lease until %s", lease.Process, lease.Until.UTC().Format(time.RFC3339)), over: !lease.living(now)}
			return nil
		}
		known := l.stored() && !l.ended()
		if err := l.write(ctx); err != nil {
			return err
		}
		if !known {
			if s, ok := l.k.store.(looker); ok && s.Looked().After(began) {
				began = s.Looked()
			}
			wait := doubted(time.Since(began))
			if l.trusted = time.Now().Add(wait); wait > renewEvery && l.k.Log != nil {
				l.k.Log.Info("the state was stored slowly, so it takes a while to tell whether another run took the lock meanwhile", "wait", wait)
			}
		}
		return nil
	})
	if err != nil || by != nil {
		return by, false, err
	}
	const most = renewEvery / 2 // then they are written again
	if err := remote.Sleep(ctx, min(max(settle, time.Until(l.trusted)), most)); err != nil {
		return nil, false, err
	}
	if err := l.k.reload(ctx); err != nil {
		return nil, false, err
	}
	return nil, l.stored() && !time.Now().Before(l.trusted), nil
}

// looker is a store that looks again at what is stored before it replaces it, and says when it did so last.
type looker interface{ Looked() time.Time }

// doubted is for how long leases are not trusted that were written so long after it was read that they are free: somebody
// else who wrote his in between may read them back, and go on, before these arrive. He stops when he is to renew them. One
// who makes a tail of them does so at his first renewal.
func doubted(took time.Duration) time.Duration {
	switch {
	case took <= settle:
		return max(settle, 4*took)
	case took <= renewEvery:
		return max(renewEvery+late, 4*took)
	}
	return tailRenews + late
}

// stored says whether the document that was read last has all leases of l.
func (l *Lock) stored() bool {
	leases := l.k.Document().Leases
	return !slices.ContainsFunc(l.keys, func(key string) bool { return leases[key].Holder != l.holder })
}

// write stores leases that begin now. The caller is alone.
func (l *Lock) write(ctx context.Context) error {
	l.mu.Lock()
	if l.tails {
		l.term, l.every = tailLeaseFor, cmp.Or(l.k.Renew, tailRenews)
	}
	began, term := time.Now(), l.term
	l.mu.Unlock()
	until := began.UTC().Add(term).Truncate(time.Second)
	err := l.k.save(ctx, func(d *Document) {
		if d.Leases == nil {
			d.Leases = map[string]Lease{}
		}
		for _, key := range l.keys {
			d.Leases[key] = Lease{Holder: l.holder, Until: until, Term: int(term / time.Second), Process: self()}
		}
	})
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.renewed, l.until = began, until
	}
	return err
}

// ended says whether the end of the leases has passed, by the wall clock or by that of the process.
func (l *Lock) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.overdue()
}

// overdue is ended for whoever holds mu.
func (l *Lock) overdue() bool {
	now := time.Now()
	return !now.Before(l.until) || now.Sub(l.renewed) >= l.term
}

// Check is a *LostError once the lock does not hold any more: its leases are gone or another's, or their end has
// passed, by the wall clock or by that of the process. It is asked before every write. A lock that is to
// endure gives ErrLapsed until it is held again.
func (l *Lock) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.overdue() {
		l.over(errors.New("its lease ended at " + l.until.Format(time.RFC3339) + ", while this run was held up"))
	}
	switch {
	case l.lost != nil:
		return l.lost
	case l.lapsed:
		return ErrLapsed
	}
	return nil
}

// over notes that the lock does not hold any more. The caller holds mu.
func (l *Lock) over(why error) {
	switch {
	case l.lost != nil || l.lapsed:
	case l.patience > 0:
		l.lapsed = true
		l.k.lapse(why, l.patience)
	default:
		l.lose(why)
	}
}

// lose notes that the lock will not hold again, and tells of it. The caller holds mu.
func (l *Lock) lose(why error) {
	if l.lost == nil {
		l.lost = &LostError{why}
		l.tell(l.lost)
	}
}

// renew writes the leases again, if they are still there.
func (l *Lock) renew(ctx context.Context) error {
	return l.k.alone(ctx, func() error {
		if err := l.k.load(ctx); err != nil {
			return err
		}
		if !l.stored() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.over(errors.New("its lease is gone, or another run's by now"))
			return nil
		}
		if l.Check() != nil {
			return nil
		}
		l.mu.Lock()
		until := l.until
		l.mu.Unlock()
		err := l.write(ctx)
		if err == nil && !time.Now().Before(until) { // another run may have taken it before this arrived
			l.mu.Lock()
			defer l.mu.Unlock()
			l.over(errors.New("its lease ended before it was renewed"))
		}
		return err
	})
}

// again takes a lock that has lapsed. Another run that has it by now has come for good.
func (l *Lock) again(ctx context.Context, o *others) error {
	by, mine, err := l.take(ctx, o)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case by != nil:
		l.lose(by)
	case mine:
		l.lapsed = false
		l.k.held()
	}
	return err
}

// keep renews the leases until the lock is released or lost.
func (l *Lock) keep(ctx context.Context, o *others) {
	var failed error
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(l.next(failed)):
		}
		short, cancel := context.WithTimeout(ctx, renewWithin)
		switch held := l.Check(); {
		case held == nil:
			failed = l.renew(short)
		case errors.Is(held, ErrLapsed):
			failed = l.again(short, o)
		default:
			cancel()
			return
		}
		cancel()
	}
}

// next is how long to wait before the next renewal. It is too late for one when what is in flight might not be
// through before the lease ends.
func (l *Lock) next(failed error) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case failed == nil && !l.lapsed:
		return l.every
	case failed != nil && time.Since(l.renewed) > max(l.term-leastLeft, l.patience):
		l.lose(fmt.Errorf("its lease could not be renewed: %w", failed))
	case failed != nil && time.Since(l.renewed) > l.term-leastLeft:
		l.over(failed)
	}
	return retryEvery
}

// Release ends the leases that are still ours.
func (l *Lock) Release() {
	close(l.stop)
	l.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), renewWithin)
	defer cancel()
	err := l.k.alone(ctx, func() error {
		defer l.k.hold(nil)
		err := l.k.load(ctx)
		leases := l.k.Document().Leases
		mine := slices.DeleteFunc(slices.Clone(l.keys), func(key string) bool { return leases[key].Holder != l.holder })
		if err != nil || len(mine) == 0 {
			return err
		}
		return l.k.save(ctx, func(d *Document) {
			for _, key := range mine {
				delete(d.Leases, key)
			}
		})
	})
	if err != nil && l.k.Log != nil {
		l.k.Log.Warn("the lock stays until its lease ends", "error", err)
	}
}
