package state_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// looking is the store of one of several processes. A save that is turned away first looks what others stored meanwhile.
type looking struct {
	*shared
	last string

	mu   sync.Mutex
	away func() // what happens while the next save is turned away
}

// will says what happens while the next save is turned away, and gives what was to happen.
func (l *looking) will(away func()) (before func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, l.away = l.away, away
	return before
}

func (l *looking) Load(ctx context.Context) (string, error) {
	text, err := l.shared.Load(ctx)
	l.last = text
	return text, err
}

func (l *looking) Save(ctx context.Context, text string) error {
	if away := l.will(nil); away != nil {
		away()
		if now, _ := l.shared.Load(ctx); now != l.last {
			return state.ErrChanged
		}
	}
	l.last = text
	return l.shared.Save(ctx, text)
}

// beside changes what is stored as another process does.
func beside(t *testing.T, s *shared, change func(*state.Document)) {
	t.Helper()
	if err := open(t, s).Update(t.Context(), change); err != nil {
		t.Error(err)
	}
}

func stored(t *testing.T, s *shared) state.Document {
	t.Helper()
	d, err := state.Parse(s.text)
	if err != nil {
		t.Error(err)
	}
	return d
}

// What another process stored while a save waited to be sent again is not undone by it, and what was to be saved is made
// from it.
func TestASaveThatComesLateUndoesNothing(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	theirs := func(d *state.Document) { _ = d.Unblock(unblock("theirs.example", now)) }
	for _, tt := range []struct {
		name string
		work func(t *testing.T, k *state.Keeper, l *looking)
	}{
		{"an update", func(t *testing.T, k *state.Keeper, _ *looking) {
			if err := k.Update(t.Context(), func(d *state.Document) { d.Stopped = append(d.Stopped, key(1)) }); err != nil {
				t.Error(err)
			}
		}},
		{"an unblock", func(t *testing.T, k *state.Keeper, _ *looking) { insist(t, k, unblock("ours.example", now)) }},
		{"the taking and the end of a lock", func(t *testing.T, k *state.Keeper, l *looking) {
			lock, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(err error) { t.Errorf("lost: %v", err) })
			if err != nil {
				t.Fatal(err)
			}
			l.will(func() { beside(t, l.shared, func(d *state.Document) { d.Stopped = append(d.Stopped, key(2)) }) })
			lock.Release()
			if d := stored(t, l.shared); len(d.Stopped) != 1 || len(d.Leases) != 0 {
				t.Errorf("%+v", d)
			}
		}},
		{"a renewal", func(t *testing.T, k *state.Keeper, l *looking) {
			away := l.will(nil)
			lock, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(err error) { t.Errorf("lost: %v", err) })
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Release()
			l.will(away)
			time.Sleep(15 * time.Second)
			synctest.Wait()
			if left := time.Until(stored(t, l.shared).Leases["target"].Until); left < 20*time.Second {
				t.Errorf("not renewed: %v", left)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shared{}
				l := &looking{shared: s}
				l.will(func() { beside(t, s, theirs) })
				k, err := state.Open(t.Context(), l, nil)
				if err != nil {
					t.Fatal(err)
				}
				tt.work(t, k, l)
				synctest.Wait()
				if d := stored(t, s); len(d.Unblocked) == 0 || d.Unblocked[0].Value != "theirs.example" || len(d.Stopped) > 1 {
					t.Errorf("stored %+v", d)
				}
			})
		})
	}
}

// A run whose save comes late leaves the lease of the run that took the lock meanwhile.
func TestASaveThatComesLateTakesNoLease(t *testing.T) {
	for _, tt := range []struct {
		name string
		work func(k *state.Keeper, l *looking, theirs func()) error
	}{
		{"of a run that takes the lock", func(k *state.Keeper, l *looking, theirs func()) error {
			l.will(theirs)
			_, err := k.Lock(context.Background(), []string{"target"}, time.Second, func(error) {})
			return err
		}},
		{"of a run whose lease ended", func(k *state.Keeper, l *looking, theirs func()) error {
			lock, err := k.Lock(context.Background(), []string{"target"}, time.Second, func(error) {})
			if err != nil {
				return err
			}
			defer lock.Release()
			l.will(func() { time.Sleep(40 * time.Second); theirs() })
			return k.Update(context.Background(), func(d *state.Document) { d.Stopped = []reconcile.Key{key(1)} })
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &shared{}
			l := &looking{shared: s}
			k, err := state.Open(t.Context(), l, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = tt.work(k, l, func() {
				s.put(t, state.Lease{Holder: "another", Until: time.Now().Add(30 * time.Second).UTC(), Term: 30})
			})
			if d := stored(t, s); !isLocked(err) && !isLost(err) || d.Leases["target"].Holder != "another" || len(d.Stopped) > 0 {
				t.Errorf("%s: %v, stored %+v", tt.name, err, d)
			}
		})
	}
}

func TestASaveIsNotTriedForEver(t *testing.T) {
	s := &shared{}
	l := &looking{shared: s}
	k, err := state.Open(t.Context(), l, nil)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	err = k.Update(t.Context(), func(*state.Document) {
		tries++
		l.will(func() { beside(t, s, func(d *state.Document) { d.Stopped = append(d.Stopped, key(tries)) }) })
	})
	if !errors.Is(err, state.ErrChanged) || tries != 5 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// late is a store whose first save takes its time to arrive.
type late struct {
	*shared
	by time.Duration
}

func (l *late) Save(ctx context.Context, text string) error {
	time.Sleep(l.by)
	l.by = 0
	return l.shared.Save(ctx, text)
}

// A run whose lease arrives late, over that of one that took the lock meanwhile, begins when that one has noticed.
func TestARunThatWasSlowToTakeTheLockWaitsForTheOneItReplaced(t *testing.T) {
	for _, tt := range []struct {
		by    time.Duration
		tails bool // the other one
	}{{time.Second, false}, {3 * time.Second, false}, {9 * time.Second, true}, {16 * time.Second, true}} {
		synctest.Test(t, func(t *testing.T) {
			s := &shared{}
			var other *state.Lock
			go func() {
				time.Sleep(tt.by / 10) // into the save of the first
				lock, err := open(t, s).Lock(t.Context(), []string{"target"}, time.Second, func(error) {})
				if err != nil {
					t.Error(err)
					return
				}
				if tt.tails {
					lock.Endure(15 * time.Minute)
				}
				other = lock
			}()
			k, err := state.Open(t.Context(), &late{s, tt.by}, nil)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			lock, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(err error) { t.Errorf("lost: %v", err) })
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if other.Check() == nil {
				t.Errorf("%v late: both hold the lock", tt.by)
			}
			if took := time.Since(began); took > 90*time.Second {
				t.Errorf("%v late: it took %v", tt.by, took)
			}
			if err := lock.Check(); err != nil {
				t.Errorf("%v late: %v", tt.by, err)
			}
			lock.Release()
			other.Release()
		})
	}
}
