package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

func TestParseTakesOnlyItsOwnShape(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	own := state.Document{LastGood: reconcile.LastGood{At: at, Filter: "f", Sources: map[reconcile.Kind]int{reconcile.IOC: 3}}}
	for _, tt := range []struct {
		name, text string
		want       state.Document
		bad        bool
	}{
		{name: "nothing stored", text: ""},
		{name: "an old connector that had no state", text: "null"},
		{name: "its own", text: own.Text(), want: state.Document{Shape: "harfangsync/1", LastGood: own.LastGood}},
		{name: "a stream consumer's, which tells how far it read", text: `{"start_from": "1-0", "recover_until": "2026-03-01T10:00:00Z"}`, want: state.Document{RecoverUntil: at}},
		{name: "somebody else's", text: `{"last_run": 17}`},
		{name: "a list", text: `[1]`},
		{name: "no JSON", text: `{"shape":`, bad: true},
	} {
		got, err := state.Parse(tt.text)
		if (err != nil) != tt.bad {
			t.Errorf("%s: error %v, want one: %t", tt.name, err, tt.bad)
		}
		if d := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(state.Document{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// One member that cannot be read takes no other with it, is named, and is warned about once.
func TestADamagedMemberIsLostAlone(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	whole := state.Document{
		LastGood: reconcile.LastGood{At: at, Filter: "f"}, Unblocked: []reconcile.Unblock{unblock("a.example", at)},
		Leases: map[string]state.Lease{"target": {Holder: "x", Until: at}}, Stream: state.Stream{Position: "1-0"},
	}
	for member, bad := range map[string]string{
		"verdicts": `["no", "bytes"]`, "last_good": `{"at": "yesterday"}`, "window": `7`, "leases": `{"target": {"holder": "x", "until": 5}}`, "stream": `[]`,
	} {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(whole.Text()), &members); err != nil {
			t.Fatal(err)
		}
		members[member] = json.RawMessage(bad)
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		d, err := state.Parse(string(text))
		damaged, ok := errors.AsType[*state.DamagedError](err)
		if !ok || !slices.Equal(damaged.Members, []string{member}) {
			t.Errorf("%s: %v", member, err)
		}
		if got := len(d.Unblocked) == 1 && d.LastGood.Known() != (member == "last_good") && (d.Leases["target"].Holder == "x") != (member == "leases") && (d.Stream.Position != "") != (member == "stream"); !got {
			t.Errorf("%s: kept %+v", member, d)
		}
		var said strings.Builder
		s := &shared{text: string(text)}
		k := state.Unread(s)
		k.Log = slog.New(slog.NewTextHandler(&said, nil))
		for range 2 {
			if err := k.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if err := k.Update(t.Context(), func(*state.Document) {}); err != nil {
			t.Error(err)
		}
		if n := strings.Count(said.String(), "parts of the state cannot be read"); n != 1 || !strings.Contains(said.String(), member) {
			t.Errorf("%s: warned %d times: %s", member, n, said.String())
		}
		if d, err := state.Parse(s.text); err != nil || len(d.Unblocked) != 1 {
			t.Errorf("%s: stored afterwards: %+v, %v", member, d, err)
		}
	}
}

// key is that of the n-th of many rules.
func key(n int) reconcile.Key { return reconcile.KeyOf(reconcile.YARA, "", fmt.Sprint(n)) }

func TestOldestRefusalsMakeRoom(t *testing.T) {
	var d state.Document
	for i := range 500 {
		d.Remember(nil, []reconcile.Refusal{{Key: key(i), Sent: "00", Words: strings.Repeat("w", 1000), At: time.Unix(int64(i), 0).UTC()}}, nil)
	}
	text := d.Text()
	if len(text) > state.MostBytes {
		t.Errorf("%d bytes, at most %d", len(text), state.MostBytes)
	}
	got, err := state.Parse(text)
	if err != nil || len(got.Refused) == 0 {
		t.Fatalf("%d refusals, error %v", len(got.Refused), err)
	}
	if got.Refused[0].Key != key(499) {
		t.Errorf("the newest refusal is gone; first kept is %s", got.Refused[0].Key)
	}
	d.Remember(nil, []reconcile.Refusal{{Key: key(7), Sent: "01"}}, nil)
	if r := d.Memory().Refusals[key(7)]; r.Sent != "01" {
		t.Errorf("a newer verdict did not replace the older: %+v", r)
	}
	d.Remember([]reconcile.Key{key(7)}, nil, nil)
	if _, still := d.Memory().Refusals[key(7)]; still {
		t.Error("a text whose refusal is over is still refused")
	}
}

func TestFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	f := state.File(filepath.Join(dir, "state.json"))
	ctx := t.Context()
	if text, err := f.Load(ctx); err != nil || text != "" {
		t.Fatalf("a missing file reads %q, %v", text, err)
	}
	if err := f.Save(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(string(f))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := state.WriteFile(filepath.Join(dir, "missing", "x"), nil); err == nil {
		t.Error("a file in a missing directory was written")
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if os.Geteuid() != 0 { // root may write anywhere
		if err := f.Save(ctx, "two"); err == nil {
			t.Error("a directory that cannot be written took a file")
		}
	}
	if text, err := f.Load(ctx); err != nil || text == "" {
		t.Errorf("after a failed save: %q, %v", text, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFileLockEndsTheSecondRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := state.LockFile(t.Context(), path, ".lock", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.LockFile(t.Context(), path, ".lock", time.Millisecond); !isLocked(err) {
		t.Errorf("second lock: %v", err)
	}
	release()
	again, err := state.LockFile(t.Context(), path, ".lock", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func isLocked(err error) bool {
	_, ok := errors.AsType[*state.LockedError](err)
	return ok
}

// shared is one document that several keepers store.
type shared struct {
	mu     sync.Mutex
	text   string
	resets int // how many saves tell of one
	fail   error
}

func (s *shared) Load(context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text, nil
}

func (s *shared) breakDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *shared) Save(_ context.Context, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.resets > 0 {
		s.text = ""
		s.resets--
		return state.ErrReset
	}
	s.text = text
	return nil
}

func open(t *testing.T, s *shared) *state.Keeper {
	t.Helper()
	k, err := state.Open(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLeaseKeepsTheSecondRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		a, b := open(t, s), open(t, s)
		never := func(err error) { t.Errorf("lease lost: %v", err) }
		lock, err := a.Lock(t.Context(), []string{"target"}, time.Minute, never)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Lock(t.Context(), []string{"target"}, 10*time.Second, never); !isLocked(err) {
			t.Errorf("second run: %v", err)
		}
		time.Sleep(5 * time.Minute) // the lease is renewed
		if _, err := b.Lock(t.Context(), []string{"target"}, 10*time.Second, never); !isLocked(err) {
			t.Errorf("second run after the lease's first term: %v", err)
		}
		other, err := b.Lock(t.Context(), []string{"another target"}, time.Second, never)
		if err != nil {
			t.Errorf("another target: %v", err)
		} else {
			other.Release()
		}
		lock.Release()
	})
}

func TestLeaseOfAKilledRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{text: state.Document{Leases: map[string]state.Lease{"target": {Holder: "dead", Until: time.Now().Add(25 * time.Second)}}}.Text()}
		start := time.Now()
		lock, err := open(t, s).Lock(t.Context(), []string{"target"}, 2*time.Minute, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited < 24*time.Second || waited > 35*time.Second {
			t.Errorf("waited %v for a lease of 25 s", waited)
		}
		lock.Release()
		if d, _ := state.Parse(s.text); len(d.Leases) > 0 {
			t.Errorf("the lease stays after release: %+v", d.Leases)
		}
	})
}

func TestLostLeaseIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		lost := make(chan error, 1)
		lock, err := open(t, s).Lock(t.Context(), []string{"target"}, time.Minute, func(err error) { lost <- err })
		if err != nil {
			t.Fatal(err)
		}
		broken := errors.New("no route")
		s.breakDown(broken)
		time.Sleep(3 * time.Minute)
		select {
		case err := <-lost:
			if !isLost(err) || !strings.Contains(err.Error(), broken.Error()) {
				t.Errorf("lost: %v", err)
			}
		default:
			t.Error("nobody was told")
		}
		lock.Release()
	})
}

// A run that was held up longer than its lease finds another at work: it is told, and leaves the other's
// lease alone.
func TestAStolenLeaseIsToldAndLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		lost := make(chan error, 1)
		lock, err := open(t, s).Lock(t.Context(), []string{"target"}, time.Minute, func(err error) { lost <- err })
		if err != nil {
			t.Fatal(err)
		}
		theirs := state.Document{Leases: map[string]state.Lease{"target": {Holder: "another", Until: time.Now().Add(time.Hour).UTC()}}}.Text()
		if err := s.Save(t.Context(), theirs); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		select {
		case err := <-lost:
			if !isLost(err) {
				t.Errorf("lost: %v", err)
			}
		default:
			t.Error("nobody was told")
		}
		lock.Release()
		if now, err := s.Load(t.Context()); err != nil || now != theirs {
			t.Errorf("the other run's state was changed: %s, %v", now, err)
		}
	})
}

func TestVerdictsOutliveTheirWords(t *testing.T) {
	var d state.Document
	for i := range 180 {
		d.Remember(nil, []reconcile.Refusal{{Key: key(i), Sent: "0123456789abcdef", Words: strings.Repeat("w", 300), At: time.Unix(int64(i), 0).UTC()}}, nil)
	}
	got, err := state.Parse(d.Text())
	if err != nil || len(got.Refused) != 180 || len(d.Text()) > state.MostBytes {
		t.Errorf("%d verdicts in %d bytes, %v; want all 180", len(got.Refused), len(d.Text()), err)
	}
}

func TestRememberingManyVerdictsIsQuick(t *testing.T) {
	var d state.Document
	var refused []reconcile.Refusal
	var over []reconcile.Key
	for i := range 200_000 {
		refused = append(refused, reconcile.Refusal{Key: key(i)})
		over = append(over, key(100_000+i))
	}
	d.Remember(over, refused, nil)
	if len(d.Refused) != 3000 || d.Refused[2999].Key != key(199_999) {
		t.Errorf("%d verdicts kept, want the newest 3000", len(d.Refused))
	}
}

func TestResetStartsOver(t *testing.T) {
	s := &shared{}
	k := open(t, s)
	ctx := t.Context()
	note := func(n int) func(*state.Document) {
		return func(d *state.Document) { d.Remember(nil, []reconcile.Refusal{{Key: key(n)}}, nil) }
	}
	if err := k.Update(ctx, note(1)); err != nil {
		t.Fatal(err)
	}
	s.resets = 2 // one more than where no answer was lost
	if err := k.Update(ctx, note(2)); err != nil {
		t.Fatal(err)
	}
	d, err := state.Parse(s.text)
	if err != nil || len(d.Refused) != 1 || d.Refused[0].Key != key(2) {
		t.Errorf("after a reset: %+v, %v", d.Refused, err)
	}
	s.fail = errors.New("disk full")
	if err := k.Update(ctx, note(3)); !errors.Is(err, s.fail) || len(k.Document().Refused) != 1 {
		t.Errorf("a failed save: %v, kept %+v", err, k.Document().Refused)
	}
}

// What is kept of a refusal in short says of which text it was, where the rule is instead, and when.
func TestVerdictsInShort(t *testing.T) {
	var d state.Document
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 900 {
		d.Remember(nil, []reconcile.Refusal{{Key: key(i), Sent: "text", Elsewhere: i%2 == 0, At: day.Add(time.Duration(i) * time.Minute)}}, nil)
	}
	d.Remember(nil, []reconcile.Refusal{{Key: key(5), Sent: reconcile.DeleteSent, At: day}}, nil)
	got, err := state.Parse(d.Text())
	if err != nil || got.Forgets() != 0 || len(got.Refused)+len(got.Verdicts)/10 != 900 || len(got.Refused) > 300 {
		t.Fatalf("%d in full, %d in short, %v", len(got.Refused), len(got.Verdicts)/10, err)
	}
	verdicts := got.Memory().Verdicts
	for i := range 4 {
		if v, known := verdicts[reconcile.VerdictOf(key(i), "text")]; !known || v.Elsewhere != (i%2 == 0) || !v.At.Equal(day) {
			t.Errorf("%d: %t, %+v", i, known, v)
		}
	}
	if _, known := verdicts[reconcile.VerdictOf(key(1), "another text")]; known {
		t.Error("a text counts as refused that was not sent")
	}
	got.Remember([]reconcile.Key{key(5)}, nil, nil)
	if m := got.Memory(); m.Knows(key(5)) {
		t.Error("what was noted of a delete is not over with the rule")
	}
}

// A note is stored with the next update, the next renewal of the lease or its end, and at once where nobody renews one.
func TestANoteIsStoredWithWhatIsStoredNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{}
		k := open(t, s)
		meaning := func(text string) func(*state.Document) {
			return func(d *state.Document) { d.LastGood.Meaning = text }
		}
		expect := func(when, stored, known string) {
			t.Helper()
			synctest.Wait() // for the renewal of a lease
			d, err := state.Parse(s.text)
			if d.LastGood.Meaning != stored || k.Document().LastGood.Meaning != known || err != nil {
				t.Errorf("%s: %q is stored and %q known, want %q and %q; %v", when, d.LastGood.Meaning, k.Document().LastGood.Meaning, stored, known, err)
			}
		}
		note := func(text string) {
			if err := k.Note(t.Context(), meaning(text)); err != nil {
				t.Fatal(err)
			}
		}
		note("a")
		expect("without a lease", "a", "a")
		lock, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		note("b")
		expect("under a lease", "a", "b")
		if err := k.Update(t.Context(), func(d *state.Document) { d.LastGood.Filter = "f" }); err != nil {
			t.Fatal(err)
		}
		expect("with an update", "b", "b")
		note("c")
		s.breakDown(errors.New("away"))
		if err := k.Update(t.Context(), func(*state.Document) {}); err == nil {
			t.Error("stored although the store is away")
		}
		expect("when the store is away", "b", "c")
		s.breakDown(nil)
		if err := k.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("when what is stored is read again", "b", "c")
		time.Sleep(time.Minute)
		expect("when the lease is renewed", "c", "c")
		note("d")
		lock.Release()
		expect("when the lease ends", "d", "d")
	})
}

// counting counts how often a document is read.
type counting struct {
	*shared
	loads int
}

func (c *counting) Load(ctx context.Context) (string, error) {
	c.loads++
	return c.shared.Load(ctx)
}

// What was read along with something else need not be read again by an update that follows at once, and by none later;
// it is left where the document was read or stored meanwhile, or was reset.
func TestWhatWasHeardNeedNotBeReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{shared: &shared{}}
		k, err := state.Open(t.Context(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		lock, err := k.Lock(t.Context(), []string{"target"}, time.Second, func(error) {})
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release()
		update := func(filter string) {
			t.Helper()
			if err := k.Update(t.Context(), func(d *state.Document) { d.LastGood.Filter = filter }); err != nil {
				t.Fatal(err)
			}
		}
		beside := func(value string) string { // another process
			d, err := state.Parse(s.text)
			if err == nil {
				err = d.Unblock(reconcile.Unblock{Value: value, At: time.Now(), Until: time.Now().Add(time.Hour)})
			}
			if err != nil {
				t.Fatal(err)
			}
			s.text = d.Text()
			return s.text
		}
		for _, tt := range []struct {
			name  string
			hear  func()
			loads int
			known int // unblocked values
		}{
			{"heard just now", func() { k.Heard(k.Turn(), beside("a")) }, 0, 1},
			{"nothing heard", func() { beside("b") }, 1, 2},
			{"heard a while ago", func() { k.Heard(k.Turn(), beside("c")); time.Sleep(time.Second) }, 1, 3},
			{"stored since it was asked", func() {
				turn, old := k.Turn(), s.text
				update("x")
				beside("d")
				s.loads = 0
				k.Heard(turn, old)
			}, 1, 4},
			{"reset", func() { s.text = ""; k.Heard(k.Turn(), "") }, 1, 0},
		} {
			s.loads = 0
			tt.hear()
			update(tt.name)
			d, err := state.Parse(s.text)
			if s.loads != tt.loads || len(d.Unblocked) != tt.known || d.LastGood.Filter != tt.name || d.Leases["target"].Holder == "" || err != nil {
				t.Errorf("%s: read %d times, %d values unblocked, %+v, %v", tt.name, s.loads, len(d.Unblocked), d.Leases, err)
			}
		}
	})
}
