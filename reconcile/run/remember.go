package run

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// reserve notes what the plan is about to do before it is done, so that a run which is killed counts, too; and the
// markings that it saw, whose rules may come into force although the run is not a good one.
func (a *applying) reserve(p *Planned) {
	a.counted, _ = p.Plan.Counts(func(i int) bool { return a.report.Items[i].Outcome == NotAttempted })
	seen := a.job.Keeper.Document().LastGood.Markings
	all := union(seen, a.job.Markings)
	ctx, cancel := context.WithTimeout(a.requests, SaveTimeout)
	defer cancel()
	if len(a.counted) == 0 && len(all) == len(seen) {
		if len(a.report.Items) > 0 { // what was unblocked while the plan was made is to be seen before the first write
			a.look(ctx)
		}
		return
	}
	err := a.job.Keeper.Update(ctx, func(d *state.Document) {
		d.Window = d.Window.With(a.job.Now(), a.job.Limits.Window, p.Plan.Enabled, a.counted)
		d.LastGood.Markings = all
	})
	if err != nil {
		a.job.Log.Error("what this run is about to do could not be saved; the limits of later runs may not count it", "error", err)
	}
}

// count turns what was reserved into what was done.
func (a *applying) count(p *Planned) func(*state.Document) {
	done, moved := p.Plan.Counts(func(i int) bool { return a.report.Items[i].Outcome == Applied && !a.did[i].gone || a.did[i].unsure })
	if p.Plan.Changes.Err() != nil { // nobody knows what was done, so what was reserved counts
		return nil
	}
	back := reconcile.Tally{}
	for gate, n := range a.counted {
		if n -= done[gate]; n != 0 {
			back[gate] = -n
		}
	}
	if len(back) == 0 && len(moved) == 0 {
		return nil
	}
	return func(d *state.Document) {
		d.Window = d.Window.With(a.job.Now(), a.job.Limits.Window, p.Plan.Enabled, back).Shifted(moved)
	}
}

// giveBack takes out what was reserved for a plan that is not carried out.
func (a *applying) giveBack(p *Planned) {
	if count := a.count(p); count != nil {
		if err := a.save(false, count); err != nil {
			a.job.Log.Warn("what was not done counts in the limits of later runs", "error", err)
		}
	}
}

// remember saves what later runs must know: refused texts, and after a clean run that it was good.
func (a *applying) remember(p *Planned) {
	before := a.job.Keeper.Document()
	a.cleared = remembered(a.cleared, before.Memory())
	done := a.whole(p) && !p.seen().Before(before.LastGood.At)
	clean := done && !p.Plan.Refused()
	var sources map[reconcile.Kind]int
	if done && !clean && before.LastGood.Known() {
		sources = a.job.undoubted(p.Plan, before.LastGood.Sources)
	}
	count, proven := a.count(p), p.Controls != (impact.Controls{}) && p.Controls != before.Impact
	learned := proven || count != nil || len(a.refused)+len(a.cleared)+len(a.stopped) > 0
	if !learned && !clean && len(sources) == 0 {
		return
	}
	err := a.save(!learned && !before.LastGood.Shrinks(p.Plan.Sources), func(d *state.Document) {
		d.Remember(a.cleared, a.refused, a.stopped)
		if count != nil {
			count(d)
		}
		if proven {
			d.Impact = p.Controls
		}
		if clean {
			a.job.noteGood(d, p)
		}
		d.LastGood.Sources = merged(d.LastGood.Sources, sources)
	})
	if n := a.job.Keeper.Document().Forgets(); err == nil && n > 0 {
		a.job.Log.Warn("HarfangLab's verdicts on some rules are forgotten, the oldest first, since there are more than there is room for; these rules are sent again", "rules", n)
	}
	if err != nil {
		a.job.Log.Error("what this run learned could not be saved; the next run works without it", "error", err)
	}
}

// whole says whether everything planned was done, of a plan that knows both sides and can still be read.
func (a *applying) whole(p *Planned) bool {
	return a.report.Clean() && !p.Restore && p.Plan.Sources != nil && p.Plan.Err() == nil
}

// noteGood notes a run that ended with everything in place, unless a later one is noted.
func (j *Job) noteGood(d *state.Document, p *Planned) {
	if !p.seen().Before(d.LastGood.At.Truncate(time.Second)) {
		d.LastGood = j.lastGood(d.LastGood, p)
		d.Settled(p.Started)
	}
}

// save changes the state, and lazily where nothing is lost if it is not stored at once: a tail goes on, and a run that has
// written nothing ends its lease soon.
func (a *applying) save(lazily bool, change func(*state.Document)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.requests), SaveTimeout)
	defer cancel()
	if lazily && (a.job.Lazy || len(a.report.Items) == 0) {
		return a.job.Keeper.Note(ctx, change)
	}
	return a.job.Keeper.Update(ctx, change)
}

// remembered are the keys of which a memory holds something that can be cleared.
func remembered(keys []reconcile.Key, memory reconcile.Memory) []reconcile.Key {
	return slices.DeleteFunc(keys, func(key reconcile.Key) bool {
		return !memory.Knows(key)
	})
}

// undoubted are the indicators of the kinds that no refused gate is about, where they are others than before:
// what one kind waits for must not make the others look shrunken later.
func (j *Job) undoubted(p *reconcile.Plan, before map[reconcile.Kind]int) map[reconcile.Kind]int {
	n := map[reconcile.Kind]int{}
	for _, k := range j.Policy.Included() {
		if p.Sources[k] != before[k] && !slices.ContainsFunc(p.Gates, func(g reconcile.Gate) bool { return !g.OK && g.About(k) }) {
			n[k] = p.Sources[k]
		}
	}
	return n
}

// merged is a map with what another has in place of its own.
func merged(a, b map[reconcile.Kind]int) map[reconcile.Kind]int {
	if len(b) == 0 {
		return a
	}
	out := map[reconcile.Kind]int{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// Times of a run.
const (
	SaveTimeout = 30 * time.Second // for what is remembered, also after an interruption
	grace       = 20 * time.Second // for what is in flight when a run is interrupted
)

// seen is when the source was as the plan saw it.
func (p *Planned) seen() time.Time {
	if !p.ReadAt.IsZero() {
		return p.ReadAt
	}
	return p.Started
}

// lastGood is what this run teaches the next ones. Kinds that took no part keep their counts, and all of which nothing could be
// removed the criteria by which they were judged.
func (j *Job) lastGood(before reconcile.LastGood, p *Planned) reconcile.LastGood {
	markings := j.Markings
	removes := j.Policy.Mode == reconcile.SyncMode || j.Policy.Mode == ""
	whole := len(j.Policy.Included()) == len(reconcile.Kinds) && removes
	if p.Plan.Hidden() || p.Saved || p.Folded || !whole { // this run proves nothing about what is not visible
		markings = union(before.Markings, markings)
	}
	g := reconcile.LastGood{At: p.seen().Truncate(time.Second), Filter: cmp.Or(p.Filter, j.Filter), Meaning: j.Policy.Meaning, Apart: map[reconcile.Kind]reconcile.Criteria{},
		Mapping: j.Policy.Mapping.Digest(), Markings: markings, Sources: map[reconcile.Kind]int{}}
	if p.Another && before.Known() {
		g.Meaning = before.Meaning
	}
	for _, k := range reconcile.Kinds {
		by := before.CriteriaOf(k)
		if judged := removes && slices.Contains(j.Policy.Included(), k); before.Known() && !judged && by != g.CriteriaOf(k) {
			g.Apart[k] = by
		}
	}
	for k, n := range before.Sources {
		g.Sources[k] = n
	}
	for _, k := range j.Policy.Included() {
		g.Sources[k] = p.Plan.Sources[k]
	}
	return g
}

// union is a with what b has beside it.
func union(a, b []string) []string {
	return slices.Concat(a, slices.DeleteFunc(slices.Clone(b), func(s string) bool { return slices.Contains(a, s) }))
}

// RememberGood saves that a plan without changes was good, as an apply does.
func (j *Job) RememberGood(ctx context.Context, p *Planned) error {
	if j.Now().Sub(j.Keeper.Document().LastGood.At) < rememberEvery && sameCounts(j.Keeper.Document().LastGood.Sources, p.Plan.Sources) {
		return nil
	}
	_, err := j.Apply(ctx, p, false)
	return err
}

// rememberEvery is how old the note of the last good run may grow while a tail finds nothing to do.
const rememberEvery = 10 * time.Minute

func sameCounts(a, b map[reconcile.Kind]int) bool {
	for _, k := range reconcile.Kinds {
		if a[k] != b[k] {
			return false
		}
	}
	return true
}
