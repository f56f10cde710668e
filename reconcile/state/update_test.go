package state_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// slow is a store whose answers take their time.
type slow struct{ *shared }

func (s slow) Load(ctx context.Context) (string, error) {
	text, err := s.shared.Load(ctx)
	time.Sleep(100 * time.Millisecond)
	return text, err
}

func (s slow) Save(ctx context.Context, text string) error {
	time.Sleep(10 * time.Millisecond)
	return s.shared.Save(ctx, text)
}

// A lease that is renewed, or a document that is read again, while others update it undoes no update.
func TestSlowAnswersLoseNoUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const updates = 60
		s := &shared{}
		k, err := state.Open(t.Context(), slow{s}, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.Renew = 150 * time.Millisecond
		lock, err := k.Lock(t.Context(), []string{"target"}, time.Minute, func(err error) { t.Errorf("the lease is lost: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range updates {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 20 * time.Millisecond)
				if i%10 == 0 {
					if err := k.Reload(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if err := k.Update(t.Context(), func(d *state.Document) { d.Remember(nil, nil, []reconcile.Key{key(i)}) }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		lock.Release()
		stored, err := state.Parse(s.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(stored.Stopped); got != updates {
			t.Errorf("%d of %d updates are stored", got, updates)
		}
		if len(stored.Leases) != 0 {
			t.Errorf("the lease stays behind: %v", stored.Leases)
		}
	})
}

// Reading what is remembered waits for no answer of the store.
func TestTheDocumentIsReadWhileTheStoreIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := state.Open(t.Context(), slow{&shared{}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_ = k.Update(t.Context(), func(d *state.Document) { d.Remember(nil, nil, []reconcile.Key{key(1)}) })
		}()
		time.Sleep(5 * time.Millisecond) // into the save
		began := time.Now()
		_ = k.Document()
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Second)
	})
}

// Of two runs that find the lease free at the same moment, one gets it, however their requests interleave.
func TestOneOfTwoRunsThatClaimAtOnceGetsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for apart := time.Duration(0); apart < 500*time.Millisecond; apart += 30 * time.Millisecond {
			s := slow{&shared{}}
			var got atomic.Int32
			var both sync.WaitGroup
			for i := range 2 {
				both.Go(func() {
					time.Sleep(time.Duration(i) * apart)
					k, err := state.Open(t.Context(), s, nil)
					if err != nil {
						t.Error(err)
						return
					}
					lock, err := k.Lock(t.Context(), []string{"target"}, 10*time.Second, func(err error) { t.Errorf("%v apart: the lease is lost: %v", apart, err) })
					switch {
					case err == nil:
						got.Add(1)
						time.Sleep(time.Minute)
						lock.Release()
					case !isLocked(err):
						t.Error(err)
					}
				})
			}
			both.Wait()
			if got.Load() != 1 {
				t.Errorf("%v apart: %d runs have the lease", apart, got.Load())
			}
		}
	})
}
