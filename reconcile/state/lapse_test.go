package state_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"
)

// patient is a lease on a store that goes away for a while.
func patient(t *testing.T, s *shared, lost chan error) (k *state.Keeper, release func()) {
	k = open(t, s)
	l, err := k.Lock(t.Context(), []string{"target"}, time.Minute, func(err error) { lost <- err })
	if err != nil {
		t.Fatal(err)
	}
	l.Endure(15 * time.Minute)
	time.Sleep(11 * time.Second) // a renewal
	return k, l.Release
}

// While the store is away the lease lapses, and nothing is written; when it is back, the lease is taken anew.
func TestALeaseThatLapsedIsTakenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, lost := &shared{}, make(chan error, 1)
		k, release := patient(t, s, lost)
		defer release()
		held, done := k.Held(t.Context())
		defer done()
		s.breakDown(errors.New("no route"))
		time.Sleep(70 * time.Second)
		if held.Err() != nil {
			t.Error("the lease lapsed before its time")
		}
		time.Sleep(10 * time.Minute)
		if !errors.Is(context.Cause(held), state.ErrLapsed) {
			t.Errorf("the lease is held still, although its 90 s are over: %v", context.Cause(held))
		}
		if err := k.Update(t.Context(), func(*state.Document) {}); !errors.Is(err, state.ErrLapsed) {
			t.Errorf("a document that may be another's was replaced: %v", err)
		}
		select {
		case <-k.Regained():
			t.Error("regained while the store is away")
		default:
		}
		s.breakDown(nil)
		time.Sleep(5 * time.Second)
		select {
		case <-k.Regained():
		case err := <-lost:
			t.Fatalf("lost: %v", err)
		default:
			t.Fatal("not taken anew")
		}
		again, end := k.Held(t.Context())
		defer end()
		if again.Err() != nil {
			t.Error("taken anew, and not held")
		}
		synctest.Wait()
		if d, _ := state.Parse(s.text); !d.Leases["target"].Until.After(time.Now()) {
			t.Errorf("stored: %v", d.Leases)
		}
	})
}

func TestALeaseThatLapsedAndIsAnothersIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, lost := &shared{}, make(chan error, 1)
		_, release := patient(t, s, lost)
		s.breakDown(errors.New("no route"))
		time.Sleep(5 * time.Minute)
		s.breakDown(nil)
		theirs := state.Document{Leases: map[string]state.Lease{"target": {Holder: "another", Until: time.Now().Add(time.Minute).UTC()}}}.Text()
		if err := s.Save(t.Context(), theirs); err != nil {
			t.Fatal(err)
		}
		if err := <-lost; !isLocked(err) {
			t.Errorf("lost: %v", err)
		}
		release()
		synctest.Wait()
		if s.text != theirs {
			t.Errorf("the other run's state was changed: %s", s.text)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, lost, began := &shared{}, make(chan error, 1), time.Now()
		_, release := patient(t, s, lost)
		broken := errors.New("no route")
		s.breakDown(broken)
		if err := <-lost; !errors.Is(err, broken) {
			t.Errorf("lost: %v", err)
		}
		if took := time.Since(began); took < 15*time.Minute || took > 16*time.Minute {
			t.Errorf("after %s", took)
		}
		release()
	})
}
