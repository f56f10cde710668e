package run_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// domains are indicators with one domain each.
func domains(from, to int) []reconcile.Indicator {
	var out []reconcile.Indicator
	for i := from; i < to; i++ {
		out = append(out, ind(fmt.Sprintf("i%05d", i), fmt.Sprintf("domain_name h%05d.example", i)))
	}
	return out
}

// enabled counts the rules of a kind that are in force.
func (s *sink) enabled(k reconcile.Kind) int {
	n := 0
	for _, r := range s.rows {
		if r.Kind == k && r.Enabled {
			n++
		}
	}
	return n
}

// holding is a job that holds what its gates refuse, after a first run with everything in place.
func holding(t *testing.T, src *source, snk *sink) *run.Job {
	j := job(t, src, snk)
	j.Limits.Hold = true
	j.Policy.Values = 5000
	syncAll(t, j)
	return j
}

// step is a run that does what its gates let pass.
func step(t testing.TB, j *run.Job) *run.Planned {
	t.Helper()
	p, err := j.Plan(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Plan.Stopped() {
		return p
	}
	if r, err := j.Apply(t.Context(), p, false); err != nil || !r.Clean() {
		t.Fatal(err, brief(r))
	}
	return p
}

// refusal is the message of the first gate that refuses, "" for none.
func refusal(p *run.Planned) string {
	for _, g := range p.Plan.Gates {
		if !g.OK {
			return g.ID + " " + g.Name + ": " + g.Message
		}
	}
	return ""
}

func TestSmallStepsOf24RunsRemoveNoMoreThanOneMay(t *testing.T) {
	src, snk := &source{read: domains(0, 1000)}, newSink()
	j := holding(t, src, snk)
	now := noon
	j.Clock = func() time.Time { return now }
	said := ""
	for range 24 {
		now = now.Add(59 * time.Minute)
		n := snk.enabled(reconcile.IOC)
		src.read = src.read[min(reconcile.AbsenceLimit(n), len(src.read)-1):]
		said = refusal(step(t, j))
	}
	if n := snk.enabled(reconcile.IOC); n != 900 {
		t.Errorf("%d of 1000 rules are left after a day, want 900", n)
	}
	if !strings.Contains(said, "G4 removals_ioc_absence") || !strings.Contains(said, "and 100 went within the last 24h") {
		t.Errorf("the last run said %q", said)
	}
	now = now.Add(25 * time.Hour)
	src.read = domains(150, 1000)
	if step(t, j); snk.enabled(reconcile.IOC) != 850 {
		t.Errorf("%d rules are left a day later, want 850", snk.enabled(reconcile.IOC))
	}
}

func TestDeletionsInATailCountTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{read: domains(0, 3000)}, newSink()
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		follower.Job.Limits.Hold = true
		go func() {
			time.Sleep(time.Minute)
			for range 28 {
				synctest.Wait()
				var ids []string
				for _, i := range src.read[:80] {
					ids = append(ids, i.ID)
				}
				src.read = src.read[80:]
				s <- tail.Dirty{IDs: ids}
				time.Sleep(2 * time.Second)
			}
		}()
		if err := follower.Run(t.Context()); err == nil {
			t.Error("the tail ends clean, although it was refused")
		}
		if n := snk.enabled(reconcile.IOC); n < 2900 || n == 3000 {
			t.Errorf("%d of 3000 rules are left, want at least 2900", n)
		}
	})
}

func TestAnOverrideAcceptsTheFirstPlanOfATailAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, snk := &source{read: domains(0, 300)}, newSink()
		s := make(stream)
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		syncAll(t, follower.Job)
		follower.Job.Overrides.AcceptRemovals = 85
		lose := func() (ids []string) {
			for _, i := range src.read[:85] {
				ids = append(ids, i.ID)
			}
			src.read = src.read[85:]
			return ids
		}
		lose()
		go func() {
			time.Sleep(time.Minute)
			s <- tail.Dirty{IDs: lose()}
		}()
		if err := follower.Run(t.Context()); err == nil {
			t.Error("the tail ends clean, although its last plan was refused")
		}
		if n := snk.enabled(reconcile.IOC); n != 215 {
			t.Errorf("%d of 300 rules are left, want 215: one loss of 85 was accepted", n)
		}
	})
}

func TestJunkIndicatorsAreHeldAndTheRestGoesOn(t *testing.T) {
	src, snk := &source{read: domains(0, 2)}, newSink()
	j := holding(t, src, snk)
	src.read = append(domains(0, 10002), sigma("s", "aaaaaaaa-0000-4000-8000-000000000001"))
	p := step(t, j)
	if n, s := snk.enabled(reconcile.IOC), snk.enabled(reconcile.Sigma); n != 2 || s != 1 {
		t.Errorf("%d IOC and %d Sigma rules, want 2 and 1", n, s)
	}
	if p.Plan.Held.Len() != 10000 || p.Plan.Held.At(0).Reason != reconcile.GateHeld || p.Plan.Held.At(0).Gate != "additions_ioc" {
		t.Errorf("%d held, the first %+v", p.Plan.Held.Len(), p.Plan.Held.At(0))
	}
	if said := refusal(p); !strings.Contains(said, "if that is right, pass --accept-additions 10000") {
		t.Errorf("said %q", said)
	}
	j.Overrides.AcceptAdditions = 10000
	if p = step(t, j); p.Plan.Refused() || snk.enabled(reconcile.IOC) != 10002 {
		t.Errorf("accepted: %q, %d rules", refusal(p), snk.enabled(reconcile.IOC))
	}
	j.Overrides = reconcile.Overrides{}
	src.read = append(src.read, domains(20000, 22000)...)
	if p = step(t, j); p.Plan.Refused() {
		t.Errorf("what was accepted counts again: %q", refusal(p))
	}
}

// TestWithoutAStateTheRowsTellAFirstLoad: with sync.state: none no run ended well as far as any other knew, and additions had
// no limit at all.
func TestWithoutAStateTheRowsTellAFirstLoad(t *testing.T) {
	src, snk := &source{read: domains(0, 3000)}, newSink()
	process := func(store state.Store) *run.Job {
		j := job(t, src, snk)
		keeper, err := state.Open(t.Context(), store, nil)
		if err != nil {
			t.Fatal(err)
		}
		j.Keeper, j.Limits.Hold, j.Policy.Values = keeper, true, 100000
		return j
	}
	p := step(t, process(nil))
	if p.Plan.Refused() || snk.enabled(reconcile.IOC) != 3000 {
		t.Fatalf("the first load: %q", refusal(p))
	}
	src.read = domains(0, 13000)
	p = step(t, process(nil))
	if said := refusal(p); !strings.Contains(said, "G13 additions_ioc: 10000 rules begin to detect, beside 3000, limit 1000") || snk.enabled(reconcile.IOC) != 3000 {
		t.Errorf("10,000 more: %q", said)
	}
	j := process(nil)
	j.Overrides.AcceptAdditions = 10000
	if p = step(t, j); p.Plan.Refused() || snk.enabled(reconcile.IOC) != 13000 {
		t.Errorf("accepted: %q", refusal(p))
	}
	src.read = domains(0, 23000) // a state that is only just empty may be of a first load that goes on
	if p = step(t, process(&memory{})); p.Plan.Refused() {
		t.Errorf("with a state: %q", refusal(p))
	}
}

func TestOneIndicatorThatGivesTooMuchIsHeldAlone(t *testing.T) {
	src, snk := &source{read: domains(0, 20)}, newSink()
	j := holding(t, src, snk)
	j.Limits.Additions, j.Policy.Values = 10000, 500
	var values []string
	for i := range 501 {
		values = append(values, fmt.Sprintf("domain_name junk%d.example", i))
	}
	src.read = append(domains(0, 21), ind("heavy", strings.Join(append(values, "domain_name h00003.example"), ";")))
	p := step(t, j)
	if n := snk.enabled(reconcile.IOC); n != 21 {
		t.Errorf("%d rules, want 21", n)
	}
	if said := refusal(p); !strings.Contains(said, "G13 additions_values: indicator heavy gives 502 rules, more than 500: 501 begin to detect; if that is right, pass --accept-additions 501") {
		t.Errorf("said %q", said)
	}
}

func TestPoisonedBodiesAreHeld(t *testing.T) {
	src, snk := &source{read: domains(0, 3)}, newSink()
	for i := range 300 {
		src.read = append(src.read, yara(fmt.Sprintf("y%03d", i)))
	}
	j := holding(t, src, snk)
	for i := range src.read {
		src.read[i].Pattern = strings.Replace(src.read[i].Pattern, "condition: true", "condition: false", 1)
	}
	src.read = append(src.read, domains(3, 4)...)
	p := step(t, j)
	for _, r := range snk.rows {
		if strings.Contains(r.Content, "false") {
			t.Fatalf("%s: %s", r.Name, r.Content)
		}
	}
	if said := refusal(p); !strings.Contains(said, "G14 changes_yara: the content of 300 of 300 rules changes, limit 200; if that is right, pass --accept-changes 300") {
		t.Errorf("said %q", said)
	}
	if snk.enabled(reconcile.IOC) != 4 {
		t.Error("a new IOC waits for YARA bodies")
	}
}

func TestADeletedYARAOfFourStopsNoNewIOC(t *testing.T) {
	src, snk := &source{read: append(domains(0, 3), yara("y1"), yara("y2"), yara("y3"), yara("y4"))}, newSink()
	j := holding(t, src, snk)
	src.read = append(domains(0, 4), yara("y1"), yara("y2"), yara("y3"))
	if p := step(t, j); p.Plan.Refused() || snk.enabled(reconcile.IOC) != 4 || snk.enabled(reconcile.YARA) != 3 {
		t.Errorf("%q, %d IOC and %d YARA rules, want 4 and 3", refusal(p), snk.enabled(reconcile.IOC), snk.enabled(reconcile.YARA))
	}
}

func TestTheLastIndicatorOfAKindThatIsRevokedStopsNoOtherKind(t *testing.T) {
	src, snk := &source{read: append(domains(0, 3), yara("y1"))}, newSink()
	j := holding(t, src, snk)
	src.read = domains(1, 4)
	y := yara("y1")
	y.Revoked = true
	src.known = map[string]reconcile.Indicator{"y1": y}
	p := step(t, j)
	if snk.enabled(reconcile.IOC) != 3 || snk.enabled(reconcile.YARA) != 1 {
		t.Errorf("%d IOC and %d YARA rules, want 3 and 1", snk.enabled(reconcile.IOC), snk.enabled(reconcile.YARA))
	}
	if !slices.Contains(changes(p), "held gate yara name of y1") || !strings.HasPrefix(refusal(p), "G2 source_empty_yara: ") {
		t.Errorf("%q, %q", changes(p), refusal(p))
	}
	if last := j.Keeper.Document().LastGood; last.Sources[reconcile.YARA] != 1 || !last.At.Equal(noon) {
		t.Errorf("a run that was refused counts as good: %+v", last)
	}
}

// While one kind waits, the others are compared with what they were in the last run that did all of theirs.
func TestAKindThatWaitsMakesNoOtherLookShrunken(t *testing.T) {
	src, snk := &source{read: append(domains(0, 100), yara("y1"))}, newSink()
	j := holding(t, src, snk)
	now := noon
	j.Clock = func() time.Time { return now }
	src.known = map[string]reconcile.Indicator{}
	for i, x := range domains(0, 40) {
		now = now.Add(5 * time.Hour)
		x.Revoked = true
		src.known[x.ID] = x
		src.read = domains(i+1, 100)
		p := step(t, j)
		if said := refusal(p); !strings.HasPrefix(said, "G2 source_empty_yara") {
			t.Fatalf("after %d: %q", i+1, said)
		}
		delete(src.known, x.ID)
	}
	if last := j.Keeper.Document().LastGood.Sources; last[reconcile.IOC] != 60 || last[reconcile.YARA] != 1 {
		t.Errorf("the last good run has %v", last)
	}
	j.Unasked, src.read = "no route", domains(45, 100)
	for _, g := range step(t, j).Plan.Gates {
		if g.Name == "source_shrink" && !g.OK {
			t.Errorf("five of 60 are lost: %s", g.Message)
		}
	}
}

func TestAMassRevokeDoesNotHoldWhatExpires(t *testing.T) {
	src, snk := &source{read: domains(0, 100)}, newSink()
	j := holding(t, src, snk)
	src.known = map[string]reconcile.Indicator{}
	for i, x := range domains(0, 70) {
		if x.Revoked = i < 40; i >= 40 {
			x.ValidUntil = noon.Add(-time.Hour)
		}
		src.known[x.ID] = x
	}
	src.read = domains(70, 100)
	p := step(t, j)
	if n := snk.enabled(reconcile.IOC); n != 70 {
		t.Errorf("%d rules are left, want 70: 30 expired", n)
	}
	if said := refusal(p); !strings.Contains(said, "removals_ioc_evidence: 40 of 100") {
		t.Errorf("said %q", said)
	}
}

// A removal that makes room for what a gate holds waits with it.
func TestAnOldValueStaysWhileTheNewOneIsHeld(t *testing.T) {
	src, snk := &source{read: domains(0, 20)}, newSink()
	j := holding(t, src, snk)
	j.Limits.Additions = 1
	for i := range 5 {
		src.read[i].Pattern = fmt.Sprintf("domain_name moved%d.example", i)
	}
	if step(t, j); snk.enabled(reconcile.IOC) != 20 {
		t.Errorf("%d rules, want the 20 of before", snk.enabled(reconcile.IOC))
	}
}

// What a run does counts from before its first write on, so that one which is killed counts, too.
func TestWhatIsAboutToBeDoneCounts(t *testing.T) {
	src, snk := &source{read: domains(0, 100)}, newSink()
	j := holding(t, src, snk)
	src.read = domains(20, 100)
	most := 0
	snk.fail = func(what, _ string) error {
		if what == "update" {
			most = max(most, j.Keeper.Document().Window.Counted(noon, time.Hour)["removals_ioc_absence"])
			return &fault{reconcile.Fault{Verdict: true, Words: "no"}}
		}
		return nil
	}
	if r := apply(t, j, plan(t, j), false); r.Count(run.Failed, "") != 20 {
		t.Fatalf("%q", brief(r))
	}
	if most != 20 {
		t.Errorf("%d removals were noted when the first was sent, want 20", most)
	}
	if n := j.Keeper.Document().Window.Counted(noon, time.Hour)["removals_ioc_absence"]; n != 0 {
		t.Errorf("%d removals count, and none was made", n)
	}
}

// seeing is a tail that follows 20 indicators with an account that sees some markings.
func seeing(t *testing.T, sees *[]string) (*source, *sink, stream, *tail.Tail) {
	src, snk, s := &source{read: domains(0, 20)}, newSink(), make(stream)
	follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
	follower.Job.Markings = *sees
	follower.Job.AskMarkings = func(context.Context) ([]string, error) { return *sees, nil }
	return src, snk, s, follower
}

func TestLostMarkingsAreSeenInATail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sees := []string{"TLP:AMBER", "TLP:RED"}
		src, snk, s, follower := seeing(t, &sees)
		go func() {
			time.Sleep(time.Minute)
			synctest.Wait()
			sees, src.read = []string{"TLP:AMBER"}, src.read[3:]
			s <- tail.Dirty{IDs: []string{"i00000", "i00001", "i00002"}}
		}()
		_ = follower.Run(t.Context())
		if n := snk.enabled(reconcile.IOC); n != 20 {
			t.Errorf("%d of 20 rules are left: what the account does not see counted as deleted", n)
		}
	})
}

// TestNoBatchForgetsLostMarkings: what a batch wants is the last whole read, where all that is hidden by now still stands.
// A removal that it makes proves nothing of that, and the next whole read is to know what was seen once.
func TestNoBatchForgetsLostMarkings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sees := []string{"TLP:AMBER", "TLP:RED"}
		src, snk, s, follower := seeing(t, &sees)
		follower.FullEvery = 5 * time.Minute
		go func() {
			time.Sleep(time.Minute)
			synctest.Wait()
			sees, src.read = sees[:1], src.read[3:]
			src.read[0].Revoked = true
			s <- tail.Dirty{IDs: []string{"i00003"}}
		}()
		_ = follower.Run(t.Context())
		if n := snk.enabled(reconcile.IOC); n != 19 {
			t.Errorf("%d of 20 rules are left, want all but the revoked one: what the account does not see counted as deleted", n)
		}
		if seen := follower.Job.Keeper.Document().LastGood.Markings; !slices.Contains(seen, "TLP:RED") {
			t.Errorf("the markings that were seen are %q", seen)
		}
	})
}

// What a run saw that was not a good one counts, too: its rules are in force, and look deleted once they are hidden.
func TestMarkingsThatARefusedRunSawAreNotForgotten(t *testing.T) {
	src, snk := &source{read: domains(0, 20)}, newSink()
	j := holding(t, src, snk)
	j.Limits.Additions = 10
	src.read = append(domains(0, 24), yara("y1")) // four of these and the file are marked
	j.Markings = []string{"TLP:AMBER", "TLP:RED"}
	for i := range 11 {
		src.read = append(src.read, sigma(fmt.Sprintf("s%d", i), fmt.Sprintf("aaaaaaaa-0000-4000-8000-0000000000%02d", i)))
	}
	if p := step(t, j); !p.Plan.Refused() || snk.enabled(reconcile.IOC) != 24 {
		t.Fatalf("%q, %d rules", refusal(p), snk.enabled(reconcile.IOC))
	}
	j.Markings, src.read = j.Markings[:1], domains(0, 20)
	for range 2 {
		if step(t, j); snk.enabled(reconcile.IOC) != 24 || snk.enabled(reconcile.YARA) != 1 {
			t.Fatalf("%d IOC and %d YARA rules, want 24 and 1: what the account does not see counted as deleted", snk.enabled(reconcile.IOC), snk.enabled(reconcile.YARA))
		}
	}
}

func TestLostMarkingsAreTheMessage(t *testing.T) {
	src, snk := &source{read: domains(0, 100)}, newSink()
	j := job(t, src, snk)
	j.Markings = []string{"TLP:AMBER", "TLP:RED"}
	syncAll(t, j)
	j.Markings, src.read = j.Markings[:1], src.read[30:]
	p := plan(t, j)
	if said := refusal(p); !strings.HasPrefix(said, "G2 source_shrink: the account does not see the markings TLP:RED any more") {
		t.Errorf("said %q", said)
	}
}

// TestARunOfSomeKindsTeachesNothingOfTheOthers: whose filter has changed since a run had them, and not what a run since had.
func TestARunOfSomeKindsTeachesNothingOfTheOthers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alter func(*reconcile.Policy)
		runs  int
		want  reconcile.Class
	}{
		{"IOCs alone", func(p *reconcile.Policy) { p.Kinds = []reconcile.Kind{reconcile.IOC} }, 2, reconcile.Absence},
		{"nothing is removed", func(p *reconcile.Policy) { p.Mode = reconcile.UpsertOnlyMode }, 1, reconcile.Absence},
		{"Sigma rules alone", func(p *reconcile.Policy) { p.Kinds = []reconcile.Kind{reconcile.Sigma} }, 2, reconcile.ByEvidence},
		{"all", func(*reconcile.Policy) {}, 1, reconcile.ByEvidence},
	} {
		src, snk := &source{read: append(domains(0, 3), sigma("s", "aaaaaaaa-0000-4000-8000-000000000000"))}, newSink()
		j := job(t, src, snk)
		syncAll(t, j)
		before := j.Policy
		tt.alter(&j.Policy)
		j.Filter, j.Policy.Meaning, j.Selection.Kinds = "g", "g.", j.Policy.Kinds
		for range tt.runs {
			syncAll(t, j)
		}
		before.Meaning = j.Policy.Meaning
		j.Policy, j.Selection.Kinds = before, nil
		src.unfiltered, src.known = map[string]bool{"s": true}, map[string]reconcile.Indicator{"s": src.read[3]}
		src.read = src.read[:3]
		if ch := plan(t, j).Plan.Changes; ch.Len() != 1 || ch.At(0).Class != tt.want {
			t.Errorf("%s: %d changes, the first %+v, want the class %s", tt.name, ch.Len(), ch.At(0), tt.want)
		}
	}
}

func TestAChangedSettingReadsAsSuch(t *testing.T) {
	src, snk := &source{read: domains(0, 100)}, newSink()
	score := 40
	for i := range 40 {
		src.read[i].Score = &score
	}
	j := job(t, src, snk)
	syncAll(t, j)
	least := 0
	j.Selection.MinScore, j.Filter = reconcile.LeastScore(least), "g"
	for i := range src.read[40:] {
		src.read[40+i].Score = &score
	}
	low := -1
	for i := range 40 {
		src.read[i].Score = &low
	}
	p := plan(t, j)
	if said := refusal(p); !strings.HasPrefix(said, "G4 removals_ioc_absence: your settings changed: 40 fall below min_score: 40 of 100 enabled rules go, limit 30") {
		t.Errorf("said %q", said)
	}
}

// In any window no more than the limits go or come without an override, whatever the steps.
func TestNoWindowHasMoreThanTheLimits(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			src, snk := &source{read: domains(0, 10+random.IntN(110))}, newSink()
			j := job(t, src, snk)
			j.Limits.Hold, j.Limits.Additions, j.Limits.Changes, j.Policy.Remove = true, 10, 5, seed%2 == 0
			syncAll(t, j)
			type done struct {
				at    time.Time
				n     map[string]int
				rules int // before
			}
			var all []done
			now, next := noon, 1000
			j.Clock = func() time.Time { return now }
			for range 25 {
				now = now.Add(time.Duration(1+random.IntN(500)) * time.Minute)
				if gone := random.IntN(20); gone < len(src.read) {
					src.read = src.read[gone:]
				}
				come := random.IntN(20)
				src.read = append(slices.Clone(src.read), domains(next, next+come)...)
				next += come
				for i := range random.IntN(1 + min(12, len(src.read))) {
					src.read[i].Description += "."
				}
				d := done{now, map[string]int{}, snk.enabled(reconcile.IOC)}
				p := step(t, j)
				for i := range p.Plan.Changes.Len() {
					d.n[p.Plan.Changes.At(i).Limit()]++
				}
				all = append(all, d)
				sum, most := map[string]int{}, snk.enabled(reconcile.IOC)
				for _, d := range all {
					if ago := now.Sub(d.at); ago < j.Limits.Window*7/6 { // a part counts as long as its last run does
						most = max(most, d.rules)
					}
					for name, n := range d.n {
						if now.Sub(d.at) < j.Limits.Window {
							sum[name] += n
						}
					}
				}
				if n := sum["removals_ioc_absence"]; most >= 10 && n > reconcile.AbsenceLimit(most) {
					t.Fatalf("%d of %d rules went within a day", n, most)
				}
				if n := sum["additions_ioc"]; n > max(10, most/5) {
					t.Fatalf("%d rules came within a day, beside %d", n, most)
				}
				if n := sum["changes_ioc"]; n > max(5, most/5) {
					t.Fatalf("%d of %d rules changed within a day", n, most)
				}
			}
		})
	}
}

// What somebody else deleted meanwhile is no removal of ours, however the rows were checked.
func TestWhatWasGoneAlreadyCountsInNoLimit(t *testing.T) {
	for _, batch := range []bool{true, false} {
		for _, gone := range []int{0, 40, 100} {
			store, src, snk := &memory{}, &source{read: domains(0, 500)}, newSink()
			j := remembering(t, src, snk, store)
			j.Policy.Remove, j.Parallel = true, 1 // rows in the order of the indicators
			syncAll(t, j)
			src.read = src.read[100:]
			p := plan(t, j)
			snk.rows = snk.rows[gone:]
			j.Lazy, j.RecheckRows = batch, batch
			if r := apply(t, j, p, true); r.Count(run.Applied, reconcile.Delete) != 100 {
				t.Fatal(brief(r))
			}
			done := 0
			for _, part := range j.Keeper.Document().Window.Parts {
				done += part.Done["removals_ioc_absence"]
			}
			if done != 100-gone {
				t.Errorf("batch %t: of 100 deletes with %d gone already %d count", batch, gone, done)
			}
		}
	}
}
