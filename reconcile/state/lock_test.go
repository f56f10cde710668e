package state_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"

	"github.com/google/go-cmp/cmp"
)

// take takes the lock of a target, which has to be free within the time.
func take(t *testing.T, s *shared, within time.Duration, lost func(error)) *state.Lock {
	t.Helper()
	l, err := open(t, s).Lock(t.Context(), []string{"target"}, within, lost)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// put replaces what is stored by a document with one lease.
func (s *shared) put(t *testing.T, l state.Lease) {
	t.Helper()
	if err := s.Save(t.Context(), state.Document{Leases: map[string]state.Lease{"target": l}}.Text()); err != nil {
		t.Fatal(err)
	}
}

func isLost(err error) bool {
	_, ok := errors.AsType[*state.LostError](err)
	return ok
}

// stuck is a store that does not even hear that nobody waits any more.
type stuck struct {
	*shared
	stop  atomic.Bool
	until chan struct{}
}

func (s *stuck) Load(ctx context.Context) (string, error) {
	if s.stop.Load() {
		<-s.until
	}
	return s.shared.Load(ctx)
}

// A process that the kernel did not run for longer than its lease, its timers included, writes nothing when it goes on.
func TestALeaseThatEndedByTheWallClockIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan error, 1)
		s := &stuck{shared: &shared{}, until: make(chan struct{})}
		k, err := state.Open(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(err error) { lost <- err })
		if err != nil {
			t.Fatal(err)
		}
		s.stop.Store(true)
		time.Sleep(28 * time.Second)
		if err := l.Check(); err != nil {
			t.Errorf("lost within its time: %v", err)
		}
		time.Sleep(2 * time.Second)
		before := s.text
		if err := l.Check(); !isLost(err) {
			t.Errorf("after the end of the lease a write is still allowed: %v", err)
		}
		close(s.until)
		if err := k.Update(t.Context(), func(d *state.Document) { d.Pull.Alerts = time.Now() }); !isLost(err) || s.text != before {
			t.Errorf("after the end of the lease the state is replaced: %v", err)
		}
		select {
		case err := <-lost:
			if !isLost(err) {
				t.Errorf("told %v", err)
			}
		default:
			t.Error("nobody was told")
		}
		l.Release()
	})
}

func TestAMissingLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		lost := make(chan error, 1)
		l := take(t, s, time.Second, func(err error) { lost <- err })
		if err := s.Save(t.Context(), state.Document{}.Text()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if err := l.Check(); len(lost) == 0 || !isLost(<-lost) || !isLost(err) {
			t.Errorf("the lease is still held: %v", err)
		}
		l.Release()
		if d, err := state.Parse(s.text); err != nil || len(d.Leases) != 0 {
			t.Errorf("the lease came back: %+v, %v", d.Leases, err)
		}
	})
}

// A lease says when it ends by a clock that may be wrong.
func TestALeaseOfTheFutureIsNotBelieved(t *testing.T) {
	for _, tt := range []struct {
		name        string
		ahead       time.Duration
		term        int
		least, most time.Duration
	}{
		{"by an hour, nobody wrote it", time.Hour, 30, 0, time.Second},
		{"by two minutes, a run's is believed for 30 s", 2 * time.Minute, 30, 29 * time.Second, 35 * time.Second},
		{"by two minutes, a tail's is believed for 90 s", 2 * time.Minute, 90, 89 * time.Second, 95 * time.Second},
		{"a term of a day is none", 2 * time.Minute, 86400, 89 * time.Second, 95 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &shared{}
			s.put(t, state.Lease{Holder: "dead", Until: time.Now().Add(tt.ahead).UTC(), Term: tt.term})
			began := time.Now()
			take(t, s, 2*time.Minute, func(error) {}).Release()
			if waited := time.Since(began); waited < tt.least || waited > tt.most {
				t.Errorf("%s: waited %v", tt.name, waited)
			}
		})
	}
}

// A run whose clock is ahead of ours renews its lease, and is not robbed of it.
func TestARunWithAClockAheadKeepsItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		renew := func() {
			s.put(t, state.Lease{Holder: "other", Until: time.Now().Add(3 * time.Minute).UTC(), Term: 30})
		}
		renew()
		go func() {
			for range 20 {
				time.Sleep(10 * time.Second)
				renew()
			}
		}()
		if _, err := open(t, s).Lock(t.Context(), []string{"target"}, 2*time.Minute, func(error) {}); !isLocked(err) {
			t.Errorf("it was: %v", err)
		}
		time.Sleep(2 * time.Minute)
	})
}

// A host whose clock is ahead sees the end of every lease too early, and robs no run that renews its own.
func TestAClockAheadRobsNoLease(t *testing.T) {
	for _, tt := range []struct {
		term  int
		every time.Duration
	}{{30, 10 * time.Second}, {90, time.Minute}} {
		for _, ahead := range []time.Duration{20 * time.Second, 35 * time.Second, 100 * time.Second, 4 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				s := &shared{}
				renew := func() {
					until := time.Now().Add(time.Duration(tt.term)*time.Second - ahead)
					s.put(t, state.Lease{Holder: "other", Until: until.UTC().Truncate(time.Second), Term: tt.term})
				}
				renew()
				go func() {
					for range 5 * time.Minute / tt.every {
						time.Sleep(tt.every)
						renew()
					}
				}()
				time.Sleep(tt.every - time.Second)
				if _, err := open(t, s).Lock(t.Context(), []string{"target"}, 2*time.Minute, func(error) {}); !isLocked(err) {
					t.Errorf("%v ahead, a lease of %d s: it was robbed: %v", ahead, tt.term, err)
				}
				time.Sleep(5 * time.Minute)
			})
		}
	}
}

// A lease that nobody renews any more is outwaited by the lock timeout, whenever its run died.
func TestADeadLeaseEnds(t *testing.T) {
	for _, tt := range []struct {
		name        string
		left        time.Duration
		term        int
		least, most time.Duration
	}{
		{"a run's, just written", 30 * time.Second, 30, 30 * time.Second, 35 * time.Second},
		{"a run's, about to end", 2 * time.Second, 30, 12 * time.Second, 15 * time.Second},
		{"a run's that has ended", -20 * time.Second, 30, 12 * time.Second, 15 * time.Second},
		{"a tail's, just written", 90 * time.Second, 90, 90 * time.Second, 95 * time.Second},
		{"a tail's that has ended", -20 * time.Second, 90, 62 * time.Second, 65 * time.Second},
		{"one that ended before clocks differ", -5 * time.Minute, 90, 0, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &shared{}
			lease := state.Lease{Holder: "dead", Until: time.Now().Add(tt.left).In(time.FixedZone("", 3600)), Term: tt.term}
			s.put(t, lease)
			d := state.Document{Leases: map[string]state.Lease{"target": lease}}
			if _, held := d.HeldBy(time.Now()); held != (tt.left > 0) {
				t.Errorf("%s: shown as held: %t", tt.name, held)
			}
			within := 2 * time.Minute
			if tt.left < 0 { // then it is only watched, however short the timeout
				within = 0
			}
			began := time.Now()
			take(t, s, within, func(error) {}).Release()
			if waited := time.Since(began); waited < tt.least || waited > tt.most {
				t.Errorf("%s: waited %v", tt.name, waited)
			}
		})
	}
}

// A store that never answers in time for its leases to be proven does not keep a run for ever.
func TestALockThatCannotBeProvenIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sluggish{shared: &shared{}}
		s.by.Store(int64(12 * time.Second))
		k, err := state.Open(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := k.Lock(t.Context(), []string{"target"}, time.Minute, func(error) {}); !isLocked(err) || !strings.Contains(err.Error(), "too slowly") {
			t.Errorf("it was: %v", err)
		}
		if waited := time.Since(began); waited > 5*time.Minute {
			t.Errorf("after %v", waited)
		}
	})
}

// sluggish is a store that takes its time for each request, as long as it says at the moment.
type sluggish struct {
	*shared
	by atomic.Int64
}

func (s *sluggish) Load(ctx context.Context) (string, error) {
	time.Sleep(time.Duration(s.by.Load()))
	return s.shared.Load(ctx)
}

func (s *sluggish) Save(ctx context.Context, text string) error {
	time.Sleep(time.Duration(s.by.Load()))
	return s.shared.Save(ctx, text)
}

// A renewal that arrives after the end of its lease may have been made over another's.
func TestARenewalThatArrivesTooLateIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sluggish{shared: &shared{}}
		k, err := state.Open(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		var lost atomic.Bool
		lock, err := k.Lock(t.Context(), []string{"target"}, time.Minute, func(error) { lost.Store(true) })
		if err != nil {
			t.Fatal(err)
		}
		s.by.Store(int64(11 * time.Second)) // from the first renewal on: its load ends before its lease does, its save after that
		time.Sleep(35 * time.Second)
		if lock.Check() == nil || !lost.Load() {
			t.Error("the lock is held by a lease that had ended")
		}
		lock.Release()
	})
}

// The lock is one if any of its names is: the manager may be called by several.
func TestLocksThatShareOneNameKeepEachOtherOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		l, err := open(t, s).Lock(t.Context(), []string{"a", "b"}, time.Second, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, s).Lock(t.Context(), []string{"b", "c"}, 5*time.Second, func(error) {}); !isLocked(err) {
			t.Errorf("b is taken twice: %v", err)
		}
		l.Release()
		if d, err := state.Parse(s.text); err != nil || len(d.Leases) != 0 {
			t.Errorf("left behind: %+v, %v", d.Leases, err)
		}
	})
}

// A tail's lease outlives the renewals that it has requests for.
func TestATailRenewsItsLeaseOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		k := open(t, s)
		l, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(err error) { t.Errorf("lost: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		l.Endure(15 * time.Minute)
		time.Sleep(11 * time.Second)
		before, _ := s.Load(t.Context())
		time.Sleep(58 * time.Second)
		if now, _ := s.Load(t.Context()); now != before {
			t.Error("renewed more often than every minute")
		}
		time.Sleep(10 * time.Minute)
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		l.Release()
	})
}

// A tail that was stopped for longer than its lease writes nothing before it has taken the lock anew.
func TestAPausedTailTakesItsLockAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{shared: &shared{}, until: make(chan struct{})}
		k, err := state.Open(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(err error) { t.Errorf("lost: %v", err) })
		if err != nil {
			t.Fatal(err)
		}
		l.Endure(15 * time.Minute)
		s.stop.Store(true)
		time.Sleep(5 * time.Minute)
		if err := l.Check(); !errors.Is(err, state.ErrLapsed) {
			t.Errorf("a write is still allowed: %v", err)
		}
		s.stop.Store(false)
		close(s.until)
		time.Sleep(5 * time.Second)
		select {
		case <-k.Regained():
		default:
			t.Error("not taken anew")
		}
		if err := l.Check(); err != nil {
			t.Error(err)
		}
		l.Release()
	})
}

// TestMain holds the lock of a file until it is killed, where a test asks for that.
func TestMain(m *testing.M) {
	path := os.Getenv("STATE_TEST_LOCK")
	if path == "" {
		os.Exit(m.Run())
	}
	k, err := state.Open(context.Background(), state.File(path), nil)
	if err == nil {
		_, err = k.Lock(context.Background(), []string{"target"}, time.Second, func(error) {})
	}
	fmt.Println("held", err)
	select {}
}

// After kill -9 the lease stays; the next run of the same host sees that its process is gone.
func TestALeaseOfAKilledProcessOfThisHostEndsWithIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STATE_TEST_LOCK="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held <nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	k, err := state.Open(t.Context(), state.File(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Lock(t.Context(), []string{"target"}, 0, func(error) {}); !isLocked(err) {
		t.Errorf("while it lives: %v", err)
	}
	if lease := k.Document().Leases["target"]; lease.PID != cmd.Process.Pid || lease.Host == "" || lease.Boot == "" || lease.Started == 0 {
		t.Errorf("the lease does not name its holder: %+v", lease)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, reaped := range []bool{false, true} { // its parent may not have waited for it yet
		if reaped {
			_ = cmd.Wait()
		}
		began := time.Now()
		l, err := k.Lock(t.Context(), []string{"target"}, 20*time.Second, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited > 5*time.Second {
			t.Errorf("waited %v for a dead process", waited)
		}
		lease := k.Document().Leases["target"]
		l.Release()
		lease.Holder, lease.PID, lease.Started = "dead", cmd.Process.Pid, 1
		if err := k.Update(t.Context(), func(d *state.Document) { d.Leases = map[string]state.Lease{"target": lease} }); err != nil {
			t.Fatal(err)
		}
	}
}

// What an old connector keeps in the state is its own: without start_from it does not start again.
func TestMembersOfAnOldConnectorStayAsTheyAre(t *testing.T) {
	const old = `{"start_from": "1772359200000-3", "recover_until": "2026-03-01T10:00:00+00:00", "last": {"n": 12345678901234567890, "s": "<é>"}}`
	s := &shared{text: old}
	l := take(t, s, time.Second, func(err error) { t.Errorf("lost: %v", err) })
	k := open(t, s)
	if err := k.Update(t.Context(), func(d *state.Document) { d.Pull.Alerts = time.Now().UTC() }); err != nil {
		t.Fatal(err)
	}
	l.Release()
	var was, is map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal([]byte(old), &was), json.Unmarshal([]byte(s.text), &is)); err != nil {
		t.Fatal(err)
	}
	for name, value := range was {
		var a, b any
		if err := errors.Join(json.Unmarshal(value, &a), json.Unmarshal(is[name], &b)); err != nil || !cmp.Equal(a, b) {
			t.Errorf("%s was %s and is %s (%v)", name, value, is[name], err)
		}
	}
	if d, err := state.Parse(s.text); err != nil || d.Shape == "" || d.RecoverUntil.IsZero() || d.Pull.Alerts.IsZero() {
		t.Errorf("our own members: %+v, %v", d, err)
	}
}
