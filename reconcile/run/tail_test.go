package run_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// stream tells a tail what is put into it.
type stream chan tail.Signal

func (s stream) follow(ctx context.Context, _ state.Position) iter.Seq2[tail.Signal, error] {
	return func(yield func(tail.Signal, error) bool) {
		for {
			select {
			case signal := <-s:
				if !yield(signal, nil) {
					return
				}
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// tailed is a tail on a stream, in the time of the bubble.
func tailed(t *testing.T, src *source, snk *sink, s stream, refilter func(context.Context) (bool, error)) *tail.Tail {
	j := job(t, src, snk)
	j.Clock = nil
	return &tail.Tail{
		Job: j, Follow: s.follow, Refilter: refilter,
		Position: func(context.Context) (state.Position, error) { return state.Position{}, nil },
		Told:     func(*run.Planned, *run.Report) error { return nil },
		Quiet:    time.Second, FullEvery: time.Hour, For: 10 * time.Minute, Log: slog.New(slog.DiscardHandler),
	}
}

// A gap that is told after a batch has begun is not forgotten with the indicators that the batch takes.
func TestAGapThatComesWhileABatchBeginsLeadsToAFullRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink()
		s, asked := make(stream), 0
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		src.onAsk = func() {
			if asked++; asked == 1 { // the batch begins
				src.read = append(src.read, ind("b", "domain_name y.example"))
				s <- tail.Gap{Reason: "the platform keeps no events any more"}
				synctest.Wait()
			}
		}
		go func() { s <- tail.Dirty{IDs: []string{"a"}} }()
		if err := follower.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(snk.rows) != 2 {
			t.Errorf("%d rules, want 2: the full run that the gap asks for never came", len(snk.rows))
		}
	})
}

// A gap that cannot be closed is tried again later and later, not again at once.
func TestAGapThatCannotBeClosedIsTriedAgainInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 20 // of ten minutes, the waits growing from 5 s to 5 min
		s, asked := make(stream), 0
		follower := tailed(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink(), s, func(context.Context) (bool, error) {
			if asked++; asked == 1 || asked > most {
				return false, nil
			}
			return false, errors.New("no right to read the stream's filters")
		})
		go func() { s <- tail.Gap{Reason: "the platform keeps no events any more"} }()
		if err := follower.Run(t.Context()); err == nil {
			t.Error("no error although the last full run failed")
		}
		if asked > most {
			t.Errorf("asked more than %d times in ten minutes", most)
		}
	})
}

// TestEventsFasterThanTheyAreReadMakeNoFullRunsInARow: of more indicators than can be read one by one, 10,000 a second,
// a tail reads everything now and then.
func TestEventsFasterThanTheyAreReadMakeNoFullRunsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 20 * time.Second
		src, s := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, make(stream)
		follower := tailed(t, src, newSink(), s, func(context.Context) (bool, error) { return false, nil })
		follower.For = 6 * time.Minute
		runs := 0
		src.onRead = func() {
			runs++
			time.Sleep(took)
		}
		ids := make([]string, 120_000)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		ctx, stop := context.WithCancel(t.Context())
		go func() {
			for some := range slices.Chunk(slices.Repeat(ids, 30), 5000) {
				select {
				case s <- tail.Dirty{IDs: some}:
					time.Sleep(time.Second / 2)
				case <-ctx.Done():
					return
				}
			}
		}()
		if err := follower.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		synctest.Wait()
		time.Sleep(time.Second)
		if busy := time.Duration(runs) * took; busy > 3*time.Minute || runs < 3 {
			t.Errorf("%d full runs of %s in six minutes", runs, took)
		}
	})
}

// What comes after a pause is in force at once; what follows it waits until no more comes, and goes together. What comes
// while that is written waits for its end alone.
func TestTheFirstEventAfterAPauseGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const write = 3 * time.Second
		src, snk, s := &source{read: []reconcile.Indicator{ind("a", "domain_name a.example")}}, newSink(), make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		follower.For, follower.Job.Parallel = time.Minute, 1
		var start time.Time
		var made []string
		snk.fail = func(what, id string) error {
			if what != "create" || start.IsZero() {
				return nil
			}
			made = append(made, fmt.Sprint(id, " after ", time.Since(start)))
			if id == "c.example" {
				time.Sleep(write)
			}
			return nil
		}
		go func() {
			time.Sleep(10 * time.Second)
			synctest.Wait()
			start = time.Now()
			for _, e := range []struct {
				id   string
				wait time.Duration
			}{{"b", 100 * time.Millisecond}, {"c", 900 * time.Millisecond}, {"d", 2 * time.Second}, {"e", 10 * time.Second}, {"f", 0}} {
				synctest.Wait()
				src.read = append(src.read, ind(e.id, "domain_name "+e.id+".example"))
				s <- tail.Dirty{IDs: []string{e.id}}
				time.Sleep(e.wait)
			}
		}()
		if err := follower.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{"b.example after 0s", "c.example after 2s", "d.example after 5s", "e.example after 5s", "f.example after 13s"}
		if d := cmp.Diff(want, made); d != "" {
			t.Errorf("created (-want +got):\n%s", d)
		}
	})
}

// A batch that finds its list gone does nothing, and counts as nothing in the limits of later ones.
func TestABatchThatIsStaleCountsForNothing(t *testing.T) {
	store := &memory{}
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name a.example")}}, newSink()
	j := remembering(t, src, snk, store)
	syncAll(t, j)
	additions := func() (n int) {
		d, err := state.Parse(store.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range d.Window.Parts {
			n += part.Done["additions_ioc"]
		}
		return n
	}
	before := additions()
	src.read = append(src.read, ind("b", "domain_name b.example"))
	p := plan(t, j)
	snk.lists = map[reconcile.Kind]*reconcile.List{}
	j.Lazy, j.RecheckRows = true, true
	if _, err := j.Apply(t.Context(), p, true); !errors.Is(err, run.ErrStale) {
		t.Errorf("error %v", err)
	}
	if n := additions(); n != before || len(snk.rows) != 1 {
		t.Errorf("%d additions count, want %d as before; %d rules", n, before, len(snk.rows))
	}
}

// Batches that a limit refuses, one after the other, put the next full run off no further.
func TestRefusedBatchesPutNoFullRunOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{}, newSink()
		for i := range 20 {
			src.read = append(src.read, ind(fmt.Sprint(i), fmt.Sprintf("domain_name x%d.example", i)))
		}
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		follower.For, follower.FullEvery = 6*time.Hour, time.Hour
		refused := 0
		follower.Told = func(p *run.Planned, _ *run.Report) error {
			if p.Plan.Refused() {
				refused++
			}
			return nil
		}
		reads := 0
		src.onRead = func() { reads++ }
		go func() {
			time.Sleep(time.Minute)
			synctest.Wait()
			for i := range 20 {
				src.read[i].Revoked = true
			}
			for range 33 {
				s <- tail.Dirty{IDs: []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}}
				time.Sleep(10 * time.Minute)
			}
		}()
		if err := follower.Run(t.Context()); err == nil {
			t.Error("the tail ends clean, although its last plan was refused")
		}
		if refused < 10 {
			t.Fatalf("%d plans were refused; the test tries nothing", refused)
		}
		if reads < 5 {
			t.Errorf("%d full runs in 6 hours, want one each hour", reads)
		}
	})
}

// What happens while the first full run reads is told afterwards: the stream is followed from where it stood
// before.
func TestTheStreamIsFollowedFromBeforeTheFirstFullRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		position := func(text string) state.Position {
			p, err := state.ParsePosition(text)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		src := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}
		now, from := position("1000-0"), state.Position{}
		src.onRead = func() { now = position("2000-0") } // an event
		follower := tailed(t, src, newSink(), nil, func(context.Context) (bool, error) { return false, nil })
		follower.Position = func(context.Context) (state.Position, error) { return now, nil }
		follower.Follow = func(ctx context.Context, p state.Position) iter.Seq2[tail.Signal, error] {
			from = p
			return stream(nil).follow(ctx, p)
		}
		if err := follower.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if from.String() != "1000-0" {
			t.Errorf("followed from %s, so what happened while the source was read is never told", from)
		}
	})
}

// An answer by id that leaves out indicators which pass the filter proves nothing about the others.
func TestABatchBelievesNoAnswerThatLeavesOutWhatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{}, newSink()
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			i := ind(id, "domain_name "+id+".example")
			i.UpdatedAt = time.Now().Add(-time.Hour)
			src.read = append(src.read, i)
		}
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		go func() {
			time.Sleep(time.Minute)
			src.unfiltered = map[string]bool{"a": true, "b": true, "c": true, "d": true, "e": true, "f": true}
			s <- tail.Dirty{IDs: []string{"b"}}
		}()
		if err := follower.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be believed") {
			t.Errorf("the tail ends with %v", err)
		}
		for _, r := range snk.rows {
			if !r.Enabled {
				t.Errorf("%s is out of force", r.Value)
			}
		}
	})
}

// What an import of alerts ended with counts until the next one, whatever becomes of the lists meanwhile.
func TestATailEndsWithWhatItsLastImportEndedWith(t *testing.T) {
	failed := errors.New("some alerts failed")
	for _, tt := range []struct {
		name string
		ends []error // of the imports
		want error
	}{
		{"an import failed, and a full run was whole after it", []error{failed}, failed},
		{"an import failed, and the next was whole", []error{failed, nil}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			src := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}
			follower := tailed(t, src, newSink(), make(stream), func(context.Context) (bool, error) { return false, nil })
			follower.FullEvery, follower.PullEvery = time.Minute, follower.For/time.Duration(len(tt.ends))
			n := 0
			follower.Pull = func(context.Context) func() func() error {
				n++
				return func() func() error { return func() error { return tt.ends[n-1] } }
			}
			if err := follower.Run(t.Context()); !errors.Is(err, tt.want) {
				t.Errorf("%s: the tail ends with %v, want %v", tt.name, err, tt.want)
			}
		})
	}
}

// An import is prepared by the tail's loop, which writes what the preparation reads.
func TestAnImportIsPreparedWhileNothingElseGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, s := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, make(stream)
		preparing := false
		follower := tailed(t, src, newSink(), s, func(context.Context) (bool, error) {
			if preparing {
				t.Error("a full run goes on beside the preparation of an import")
			}
			return false, nil
		})
		follower.PullEvery = time.Hour
		follower.Pull = func(context.Context) func() func() error {
			preparing = true
			time.Sleep(time.Minute)
			preparing = false
			return func() func() error { return func() error { return nil } }
		}
		go func() { s <- tail.Gap{Reason: "the platform keeps no events any more"} }()
		if err := follower.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// absent is a store of the state that answers only now and then.
type absent struct {
	away atomic.Bool
	text atomic.Value
}

func (s *absent) Load(context.Context) (string, error) {
	if s.away.Load() {
		return "", errors.New("connection refused")
	}
	text, _ := s.text.Load().(string)
	return text, nil
}

func (s *absent) Save(_ context.Context, text string) error {
	if s.away.Load() {
		return errors.New("connection refused")
	}
	s.text.Store(text)
	return nil
}

// A restart of OpenCTI ends no tail: while the lock has lapsed nothing is written, and what was told
// meanwhile comes with a full run once the lock is held again.
func TestATailOutlivesARestartOfOpenCTI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk, store, s := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, newSink(), &absent{}, make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		follower.For = time.Hour
		leases, err := state.Open(t.Context(), store, nil)
		if err != nil {
			t.Fatal(err)
		}
		follower.Leases = leases
		ctx, lost := context.WithCancelCause(t.Context())
		lock, err := leases.Lock(ctx, []string{"target"}, time.Minute, lost)
		if err != nil {
			t.Fatal(err)
		}
		lock.Endure(15 * time.Minute)
		defer lock.Release()
		go func() {
			time.Sleep(time.Minute)
			store.away.Store(true)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			src.read = append(src.read, ind("b", "domain_name y.example"))
			s <- tail.Dirty{IDs: []string{"b"}} // of a platform that answers, and whose state does not
			time.Sleep(time.Minute)
			synctest.Wait()
			if len(snk.rows) != 1 {
				t.Errorf("%d rules were written without the lock", len(snk.rows)-1)
			}
			store.away.Store(false)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if len(snk.rows) != 2 {
				t.Errorf("%d rules 10 s after OpenCTI was back, want 2", len(snk.rows))
			}
		}()
		if err := follower.Run(ctx); err != nil {
			t.Errorf("the tail ended with %v", err)
		}
	})
}

// Another run that took the lock while it had lapsed makes up for what was not done, and is no failure; what was half
// done is.
func TestATailEndsForARunThatTookItsLock(t *testing.T) {
	for name, tt := range map[string]struct {
		steal string // with which write
		half  bool
	}{
		"while nothing is written":  {"", false},
		"with its first write":      {"create x.example", false},
		"between two of its writes": {"create y.example", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			src, snk, store := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), ind("b", "domain_name y.example")}}, newSink(), &absent{}
			follower := tailed(t, src, snk, make(stream), func(context.Context) (bool, error) { return false, nil })
			follower.Job.Parallel, follower.For = 1, time.Hour
			leases, err := state.Open(t.Context(), store, nil)
			if err != nil {
				t.Fatal(err)
			}
			follower.Leases = leases
			ctx, lost := context.WithCancelCause(t.Context())
			lock, err := leases.Lock(ctx, []string{"target"}, time.Minute, lost)
			if err != nil {
				t.Fatal(err)
			}
			lock.Endure(15 * time.Minute)
			defer lock.Release()
			steal := func() {
				theirs := state.Document{Leases: map[string]state.Lease{"target": {Holder: "another", Until: time.Now().Add(5 * time.Minute).UTC(), Term: 90}}}
				store.text.Store(theirs.Text())
			}
			snk.fail = func(what, id string) error {
				if what+" "+id == tt.steal {
					steal()
					time.Sleep(11 * time.Second) // until the next renewal
					return context.Canceled
				}
				return nil
			}
			if tt.steal == "" {
				time.AfterFunc(time.Minute, steal)
			}
			err = follower.Run(ctx)
			_, locked := errors.AsType[*state.LockedError](err)
			if err == nil || locked == tt.half {
				t.Errorf("%s: the tail ended with %v", name, err)
			}
		})
	}
}

// An interruption in the middle of an apply is one, and no lock that was lost.
func TestATailThatIsInterruptedHasLostNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), ind("b", "domain_name y.example")}}, newSink()
		follower := tailed(t, src, snk, make(stream), func(context.Context) (bool, error) { return false, nil })
		follower.Job.Parallel = 1
		ctx, interrupt := context.WithCancel(t.Context())
		snk.fail = func(what, id string) error {
			if what+" "+id == "create y.example" {
				interrupt()
				return context.Canceled
			}
			return nil
		}
		if err := follower.Run(ctx); !errors.Is(err, run.ErrInterrupted) {
			t.Errorf("the tail ended with %v", err)
		}
	})
}

// One indicator that OpenCTI cannot give keeps its rule and stops no other; where it gives none of those any more that it gave
// before, it is the platform, and is asked again.
func TestABatchGoesOnWithoutWhatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{read: domains(0, 6)}, newSink()
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		force := func(what, value string, want bool) {
			t.Helper()
			synctest.Wait()
			i := slices.IndexFunc(snk.rows, func(r reconcile.Row) bool { return r.Value == value })
			if got := i >= 0 && snk.rows[i].Enabled; got != want {
				t.Errorf("%s: %s is in force: %t", what, value, got)
			}
		}
		go func() {
			time.Sleep(time.Minute)
			becomes(func() {
				src.broken = map[string]bool{"i00004": true, "i00006": true}
				src.read = append(slices.Clone(src.read[:4]), domains(4, 8)...)
				src.read[3].Revoked = true
			})
			s <- tail.Dirty{IDs: []string{"i00003", "i00004", "i00006", "i00007"}}
			time.Sleep(time.Minute)
			force("it cannot be read", "h00004.example", true)
			force("it is new and cannot be read", "h00006.example", false)
			force("beside it", "h00007.example", true)
			force("beside it", "h00003.example", false)

			becomes(func() { src.broken = nil })
			s <- tail.Dirty{IDs: []string{"i00006"}}
			time.Sleep(time.Minute)
			force("once it can be read", "h00006.example", true)

			becomes(func() {
				src.broken = map[string]bool{"i00008": true}
				for _, i := range src.read {
					src.broken[i.ID] = true
				}
				src.read = append(src.read, domains(8, 9)...)
			})
			s <- tail.Dirty{IDs: []string{"i00008"}}
			time.Sleep(time.Minute)
			becomes(func() { src.broken = nil })
			time.Sleep(2 * time.Minute)
			force("once the platform is back", "h00008.example", true)
		}()
		if err := follower.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAWitnessThatBreaksGivesWayToAnother: a tail asked for the same indicators with every batch, and where OpenCTI cannot give
// those any more, it waited for the next full run; one of them spoiled every look-up.
func TestAWitnessThatBreaksGivesWayToAnother(t *testing.T) {
	for _, broken := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d of 2", broken), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, snk := &source{read: domains(0, 20)}, newSink()
				s := make(stream)
				follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
				told := func(id string) (asked []string) {
					t.Helper()
					becomes(func() {
						src.asked = nil
						src.read = slices.DeleteFunc(slices.Clone(src.read), func(i reconcile.Indicator) bool { return i.ID == id })
					})
					s <- tail.Dirty{IDs: []string{id}}
					time.Sleep(30 * time.Second)
					synctest.Wait()
					for _, r := range snk.rows {
						if r.Enabled && r.Value == "h"+id[1:]+".example" {
							t.Errorf("the rule of %s, which is gone, stays", id)
						}
					}
					becomes(func() { asked = slices.DeleteFunc(src.asked, func(is string) bool { return is == id }) })
					return asked
				}
				go func() {
					time.Sleep(time.Minute)
					witnesses := told("i00019")[:broken]
					becomes(func() { src.broken = map[string]bool{witnesses[0]: true, witnesses[broken-1]: true} })
					told("i00018")
					if again := told("i00017"); slices.ContainsFunc(again, func(id string) bool { return src.broken[id] }) || len(again) == 0 {
						t.Errorf("asked for %q, of which %q cannot be read", again, witnesses)
					}
				}()
				if err := follower.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A row that an old connector wrote spells its value in its own way, and a person may rename a rule: neither is gone
// because it is not found by what is written today.
func TestABatchReachesRowsThatAreSpelledOtherwise(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remove bool
		change func(*reconcile.Row) // after the plan
		want   []string
		left   int // rows
		reads  int // of a whole list
	}{
		{"deletes", true, nil, []string{"- domain_name x.example applied", "- sigma name of b applied"}, 0, 0},
		{"disables", false, nil, []string{"! domain_name x.example applied", "! sigma name of b applied"}, 2, 0},
		{"a rule renamed meanwhile", true, func(r *reconcile.Row) {
			if r.Kind == reconcile.Sigma {
				r.Name = "mine"
			}
		}, []string{"- domain_name x.example applied", "- sigma name of b conflict"}, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), sigma("b", "0e95725d-7320-415d-80f7-004da920fc11"), ind("c", "domain_name stays.example")}}, newSink()
			j := job(t, src, snk)
			j.Canon = func(_, v string) string { return strings.TrimSuffix(v, ".") }
			j.Policy.Remove = tt.remove
			syncAll(t, j)
			for i := range snk.rows {
				if snk.rows[i].Value == "x.example" {
					snk.rows[i].Value = "x.example."
				}
			}
			src.read[0].Revoked, src.read[1].Revoked = true, true
			p := plan(t, j)
			if tt.change != nil {
				for i := range snk.rows {
					tt.change(&snk.rows[i])
				}
			}
			j.Lazy, j.RecheckRows, snk.log = true, true, nil
			r := apply(t, j, p, true)
			if d := cmp.Diff(tt.want, brief(r)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			reads := 0
			for _, line := range snk.log {
				if strings.HasPrefix(line, "read ") {
					reads++
				}
			}
			if left := len(snk.rows) - 1; left != tt.left || reads != tt.reads {
				t.Errorf("%d rows are left after %d reads of a list, want %d and %d", left, reads, tt.left, tt.reads)
			}
		})
	}
}
