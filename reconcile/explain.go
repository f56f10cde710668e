package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/failpoint"
)

// Evidence is what OpenCTI says, asked by id, of the owners of rules that are to be removed.
type Evidence struct {
	Started  time.Time          // when the read began
	Found    map[string]Finding // by the id asked for; an owner that is not there is absent
	Unknown  map[string]string  // owners that cannot be looked up, and why
	Excluded func(typ, value string) bool
	// LostMarkings are those that the account may not see any more since the last good run. Objects that
	// it cannot see look deleted, so nothing then counts as gone: no indicator, and no value of one that
	// an observable may give it.
	LostMarkings []string
	// AcceptMarkings are those whose loss a person accepted; if these are exactly the lost ones, none counts as lost.
	AcceptMarkings []string
	// MayGive says whether an observable may give an indicator a value of a type, beside its pattern; nil where none counts.
	MayGive func(ind *Indicator, typ string) bool
	// OwnFilter says that the run's filter is our own selection alone, which judges every finding as
	// well: a platform that then leaves out what passes contradicts itself.
	OwnFilter bool
	// Unasked says why OpenCTI could not be asked, so that Found knows no more than the read itself; "" when it
	// was asked. Every removal but that of a duplicate then counts as absence (gate G4).
	Unasked string
}

// Finding is one owner that exists.
type Finding struct {
	Indicator Indicator
	Read      bool           // it was among the indicators read
	Matches   bool           // the server finds it with the run's own filter
	Judged    Reason         // our own selection's word on its present state, "" when it passes
	Values    map[Value]bool // what it gives now: IOC values, {"", Sigma id}, {"", internal id} for YARA
	Excluded  []Value        // what it would give without exclusions
}

// Absent is the owners to ask for by id before any removal, or loss of an owner, may be believed, sorted. They are
// internal ids, and standard ids where a row of an old connector names no other.
func (p *Plan) Absent() []string {
	ids := map[string]bool{}
	for i := range p.Changes.Len() {
		if !p.Changes.Action(i).Removal() {
			continue
		}
		ch := p.Changes.At(i)
		if !ch.needsEvidence() {
			continue
		}
		for _, o := range ch.Owners {
			ids[o.ask()] = true
		}
	}
	for _, owners := range p.forsaken {
		for _, o := range owners {
			ids[o.ask()] = true
		}
	}
	delete(ids, "")
	out := make([]string, 0, len(ids))
	for id := range ids {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// needsEvidence says whether a change is a removal of which the indicators decide, and not our rows or a person.
func (ch *Change) needsEvidence() bool {
	return ch.Action.Removal() && ch.Reason != Duplicate && ch.Reason != Unblocked
}

func (o Owner) ask() string {
	if o.ID != "" {
		return o.ID
	}
	return o.StandardID
}

// Explain turns absence into a reason or a refusal (gate G3). Every removal gets the reason that the
// evidence gives; one that the evidence contradicts because its owner changed meanwhile is held; and
// where an unchanged owner still wants the rule, the read was incomplete and the gate refuses all.
func (p *Plan) Explain(e Evidence, pol Policy) Gate {
	gate := Gate{ID: "G3", Name: "absence", OK: true, Message: "every absent owner was asked for by id"}
	if p.unasked = e.Unasked != ""; p.unasked {
		gate.Message = "no owner could be asked for by id, so every removal counts as absence: " + e.Unasked
	}
	other := e.accept(&gate)
	if p.lostMarkings = e.LostMarkings; len(p.lostMarkings) > 0 {
		gate.Message = p.invisible() + "no rule goes because its indicator looks deleted, and no value because no indicator gives it"
	}
	var contradicted []string
	held := map[int]bool{}
	for i := range p.Changes.Len() {
		a := p.Changes.Action(i)
		if !a.Removal() && (a == Create || len(p.forsaken) == 0) {
			continue
		}
		ch := p.Changes.At(i)
		if !a.Removal() || ch.Reason == Duplicate {
			held[i] = p.takesAway(&e, i, ch)
			continue
		}
		if !ch.needsEvidence() {
			continue
		}
		gate.Base++
		verdict, why := e.judge(ch)
		if failpoint.Active(failpoint.G3) && verdict != gone {
			verdict, why = gone, IndicatorGone
		}
		switch doubt := e.doubts(ch, pol, verdict, why); {
		case doubt != "":
			p.doubt(ch, Ambiguous, doubt, doubt == fewerMarkings || e.unseen(ch))
			held[i] = true
		case verdict == gone:
			p.noteLost(e, ch)
			ch.Reason = why
			e.describe(ch)
			ch.stop(&pol)
			p.Changes.Set(i, ch)
		case verdict == meanwhile:
			p.doubt(ch, ChangedMeanwhile, "its indicator changed while this plan was made; the next run settles it", e.unseen(ch))
			held[i] = true
		default:
			contradicted = append(contradicted, ch.Label())
		}
	}
	p.Changes.Drop(func(i int) bool { return held[i] })
	if n := len(contradicted); n > 0 {
		gate.OK, gate.Value = false, n
		gate.Message = fmt.Sprintf("the read of OpenCTI was incomplete: %s would be removed although OpenCTI, asked by id, has what wants %s, first %s; run again, and look for a proxy or a page limit that drops rows if it stays",
			Count(n, "rule"), Plural(n, "it", "them"), contradicted[0])
	}
	if gate.OK && other {
		gate.OK = false
		gate.Message, gate.Override = otherMarkings(&e)
	}
	p.sortAll()
	return gate
}

// accept counts no marking as lost if a person accepted exactly those that are, and says whether one accepted others.
func (e *Evidence) accept(gate *Gate) (other bool) {
	if len(e.AcceptMarkings) == 0 {
		return false
	}
	if !slices.Equal(distinct(e.AcceptMarkings), distinct(e.LostMarkings)) {
		return true
	}
	gate.Message += "; accepted by " + acceptMarkings(e.LostMarkings) + ": what the account does not see any more counts as gone"
	e.LostMarkings = nil
	return false
}

// otherMarkings says that what was accepted is not what is lost, and what would accept that.
func otherMarkings(e *Evidence) (said, override string) {
	said = acceptMarkings(e.AcceptMarkings) + " names other markings than the account lost since the last good run: "
	if len(e.LostMarkings) == 0 {
		return said + "it lost none; leave it out", ""
	}
	override = acceptMarkings(e.LostMarkings)
	return said + "if the loss is meant, pass " + override, override
}

func acceptMarkings(names []string) string {
	return "--accept-markings " + shellWord(strings.Join(distinct(names), ","))
}

// distinct are names in order, each once.
func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// takesAway decides on owners that a change takes away from a rule, and that may still want it, and says whether it is held for
// them. One that brings the rule into force does not wait, and its marker goes on naming them.
func (p *Plan) takesAway(e *Evidence, at int, ch *Change) (held bool) {
	if ch.Action != Enable {
		gone := p.forsaken[ch.Key]
		why := e.keeps(gone, ch)
		if why != "" {
			p.doubt(ch, Ambiguous, why, e.hidesAny(gone, ch))
		}
		return why != ""
	}
	var kept []Owner
	for _, o := range p.forsaken[ch.Key] {
		if why := e.keeps([]Owner{o}, ch); why != "" {
			kept = append(kept, o)
			p.namesHidden = p.namesHidden || why == fewerMarkings
		}
	}
	if len(kept) > 0 {
		ch.nameAlso(kept...)
		p.Changes.Set(at, ch)
	}
	return false
}

type verdict uint8

const (
	gone verdict = iota
	meanwhile
	contradiction
)

const fewerMarkings = "fewer markings are visible than at the last good run; give them back, or accept the loss with --accept-markings"

// Hidden says whether the plan holds rules of which an indicator, or an observable of one, may be there and not visible, for
// whatever doubt it holds them, or goes on naming such indicators. As long as it does, the markings of the last good run must not be
// forgotten. What is held and cannot be read may be such a rule.
func (p *Plan) Hidden() bool {
	for i := range p.Held.Len() {
		if len(p.lostMarkings) > 0 && p.Held.Unseen(i) {
			return true
		}
	}
	return p.namesHidden || p.Held.Err() != nil
}

// invisible says that markings are lost, as the beginning of a message; "" when none is.
func (p *Plan) invisible() string {
	if len(p.lostMarkings) == 0 {
		return ""
	}
	return fmt.Sprintf("the account does not see the markings %s any more, which it saw at the last good run, and what it does not see looks deleted: give them back to its group in OpenCTI, or pass %s if the loss is meant; ",
		strings.Join(p.lostMarkings, ", "), acceptMarkings(p.lostMarkings))
}

// noteLost remembers which owners of a removed rule are no longer selected, or proven to be gone.
func (p *Plan) noteLost(e Evidence, ch *Change) {
	for _, o := range ch.Owners {
		f, ok := e.Found[o.ask()]
		switch {
		case ok:
			if why := f.left(); why != "" {
				p.lose(f.Indicator.ID, why, ch.Kind, patternKind(f.Indicator.PatternType)) // a STIX pattern may give Sigma rules
			}
		case e.Unasked == "":
			p.lose(o.ask(), IndicatorGone, ch.Kind)
		}
	}
}

func (p *Plan) lose(id string, why Reason, kinds ...Kind) {
	if p.lost == nil {
		p.lost = map[Kind]map[string]Reason{}
	}
	for _, k := range kinds {
		if p.lost[k] == nil {
			p.lost[k] = map[string]Reason{}
		}
		p.lost[k][id] = why
	}
}

// keeps says why owners that were not read may still want a changed rule, "" when they do not. Once its marker does
// not name them, nobody would ask for them before it goes.
func (e *Evidence) keeps(owners []Owner, ch *Change) string {
	if why := e.unknown(owners); why != "" {
		return why
	}
	for _, o := range owners {
		f, found := e.Found[o.ask()]
		switch {
		case found && f.left() == "" && f.gives(ch):
			return "an indicator that the rule names is there and wants it, which the read did not say: " + o.ID
		case e.hides(o, ch):
			return fewerMarkings
		}
	}
	return ""
}

// hides says whether an owner may want a rule although nothing is seen of that: where markings are lost, it may be hidden,
// or the observable by which it gives a value.
func (e *Evidence) hides(o Owner, ch *Change) bool {
	if _, unknown := e.Unknown[o.ask()]; unknown || len(e.LostMarkings) == 0 {
		return false
	}
	f, found := e.Found[o.ask()]
	return !found || ch.Kind == IOC && f.left() == "" && !f.gives(ch) && !e.excludes(ch, &f) &&
		e.MayGive != nil && e.MayGive(&f.Indicator, ch.Type)
}

func (e *Evidence) hidesAny(owners []Owner, ch *Change) bool {
	return slices.ContainsFunc(owners, func(o Owner) bool { return e.hides(o, ch) })
}

// unseen says whether a removed rule has an owner that may be hidden. One that names nobody stays, whatever is seen.
func (e *Evidence) unseen(ch *Change) bool {
	return len(e.LostMarkings) > 0 && len(ch.Owners) > 0 && (ch.Unnamed > 0 || ch.Blind || e.hidesAny(ch.Owners, ch))
}

// excludes says whether exclusions take a value away: itself, or from an owner that names it, as another hash of an excluded file.
func (e *Evidence) excludes(ch *Change, f *Finding) bool {
	return ch.Kind == IOC && (e.Excluded != nil && e.Excluded(ch.Type, ch.Value) ||
		slices.ContainsFunc(f.Excluded, func(v Value) bool { return KeyOf(IOC, v.Type, v.Value) == ch.Key }))
}

// doubts says why nothing can be believed of the owners of a removed rule, "" where it can.
func (e *Evidence) doubts(ch *Change, pol Policy, v verdict, why Reason) string {
	if len(ch.Owners) == 0 && pol.Unmanaged != RemoveUnmanaged {
		return "its marker names no indicator that could be asked for"
	}
	if why := e.unknown(ch.Owners); why != "" {
		return why
	}
	if v == gone && len(e.LostMarkings) > 0 && (why == IndicatorGone || ch.Blind || e.hidesAny(ch.Owners, ch)) {
		return fewerMarkings
	}
	return ""
}

// unknown says which of some owners cannot be looked up, "" for none.
func (e *Evidence) unknown(owners []Owner) string {
	for _, o := range owners {
		if why, unknown := e.Unknown[o.ask()]; unknown {
			return "an indicator that the rule names cannot be looked up: " + o.ask() + ": " + why
		}
	}
	return ""
}

// left is why an indicator is not selected now, "" when it is.
func (f *Finding) left() Reason {
	switch {
	case f.Judged == NotYetValid: // no reason of its own for a removal
		return OutOfFilter
	case f.Judged != "":
		return f.Judged
	case !f.Matches:
		return OutOfFilter
	}
	return ""
}

// judge weighs all owners of one rule: it goes only if none of them wants it. The weakest proof is the
// reason: an owner that is absent, or that the row's marker counts and does not name, counts more than one that says
// itself why it is out.
func (e *Evidence) judge(ch *Change) (verdict, Reason) {
	var why Reason
	absent, moved := len(ch.Owners) == 0 || ch.Unnamed > 0, false
	for _, o := range ch.Owners {
		f, ok := e.Found[o.ask()]
		if !ok {
			absent = true
			continue
		}
		reason := e.out(ch, &f)
		if reason == "" {
			// It is there, it matches, and by the read it should not: either it changed after the
			// read began, or the read lost it.
			if f.Indicator.UpdatedAt.Before(e.Started) {
				return contradiction, ""
			}
			moved = true
			continue
		}
		if why == "" || reason == OutOfFilter {
			why = reason
		}
	}
	switch {
	case moved:
		return meanwhile, ""
	case absent:
		return gone, IndicatorGone
	}
	return gone, why
}

// out is why an owner that is there does not want the rule of a change; empty where it does.
func (e *Evidence) out(ch *Change, f *Finding) Reason {
	reason := f.left()
	unfiltered := reason == OutOfFilter && f.Judged == "" && e.OwnFilter
	switch {
	case reason != "" && !unfiltered:
		return reason
	case unfiltered || !f.Read || f.gives(ch):
		return ""
	case e.excludes(ch, f):
		return Excluded
	case len(f.Values) == 0:
		return PatternSkipped
	}
	return ValueRemoved
}

// gives says whether an owner would give the changed rule now.
func (f *Finding) gives(ch *Change) bool {
	for v, given := range f.Values {
		if given && KeyOf(ch.Kind, v.Type, v.Value) == ch.Key {
			return true
		}
	}
	return false
}

// describe completes the owners of a removal with what the evidence knows of them.
func (e *Evidence) describe(ch *Change) {
	for i, o := range ch.Owners {
		if f, ok := e.Found[o.ask()]; ok {
			ch.Owners[i] = Owner{ID: f.Indicator.ID, StandardID: f.Indicator.StandardID, Name: f.Indicator.Name, Score: f.Indicator.Score}
		}
	}
}

// basis is how this run's criteria stand to those by which the rules of a kind were judged last.
type basis struct {
	sameFilter, otherFilter bool // both false when there was no good run
	otherMeaning            bool // what decides which values an indicator gives has changed
	otherVersion            bool // and that is no setting
	first                   bool // there was no good run
	unasked                 bool // nothing that a removal says of its owners was asked for
}

func (p *Plan) basis(k Kind, last LastGood, filter string, pol Policy) basis {
	by, known := last.CriteriaOf(k), last.Known()
	return basis{
		unasked:    p.unasked,
		sameFilter: known && by.Filter == filter, otherFilter: known && by.Filter != filter,
		otherMeaning: known && by.Meaning != "" && by.Meaning != pol.Meaning,
		otherVersion: settingsOf(by.Meaning) == settingsOf(pol.Meaning), first: !known,
	}
}

func settingsOf(meaning string) string {
	settings, _, _ := strings.Cut(meaning, ".")
	return settings
}

// evidences says whether a removal's reason is evidence, and not mere absence. What a filter or a
// setting leaves out is evidence only while these are the last good run's.
func (b basis) evidences(why Reason) bool {
	switch {
	case why == Duplicate, why == Unblocked: // the rows themselves say so, or a person
		return true
	case b.unasked:
		return false
	}
	switch why {
	case IndicatorGone:
		return false
	case OutOfFilter:
		return b.sameFilter
	case BelowThreshold, LabelFiltered, MarkingDenied, DetectionOff:
		return !b.otherFilter
	case Excluded, ValueRemoved, PatternSkipped:
		return !b.otherMeaning
	}
	return true
}

// settings says whether a removal's reason is our own settings, or another filter than the last good run's.
func (b basis) settings(why Reason) bool {
	switch why {
	case OutOfFilter, BelowThreshold, LabelFiltered, MarkingDenied, DetectionOff:
		return b.otherFilter
	case Excluded, ValueRemoved, PatternSkipped:
		return b.otherMeaning
	}
	return false
}

// ours says whether a removal's reason is our own doing: our settings or another version than the last good run's, or in a
// first run whatever of them leaves out what somebody else deployed.
func (b basis) ours(why Reason) bool {
	return b.settings(why) || b.first && slices.ContainsFunc(causes, func(c cause) bool { return c.why == why && why != ValueRemoved })
}

// Class says how a removal is known to be right: its limits are apart.
type Class string

// The classes: OpenCTI says so itself, the indicator has expired, nothing is known of it or our settings
// have changed.
const (
	ByEvidence Class = "evidence"
	ByExpiry   Class = "expired"
	Absence    Class = "absence"
)

// Classes lists the classes in the order of their gates.
var Classes = []Class{ByEvidence, ByExpiry, Absence}

func (b basis) class(why Reason) Class {
	switch {
	case !b.evidences(why):
		return Absence
	case why == Expired:
		return ByExpiry
	}
	return ByEvidence
}

// cause is a reason for a removal that is our own doing, in words.
type cause struct {
	why  Reason
	says string
	mean bool // it may be this version's, and not a setting
}

var causes = []cause{
	{BelowThreshold, "fall below min_score", false}, {LabelFiltered, "are left out by labels or exclude_labels", false}, {MarkingDenied, "are above max_tlp", false},
	{DetectionOff, "are not flagged for detection", false}, {Excluded, "are excluded", true}, {ValueRemoved, "are values that patterns do not give any more", true},
	{PatternSkipped, "are of patterns that give no rule any more", true},
}

// causeWords say what our own doing leaves out.
func (b basis) causeWords(n map[Reason]int) string {
	words := map[bool][]string{} // whether it is this version that says so
	for _, c := range causes {
		if n[c.why] > 0 {
			byVersion := c.mean && b.otherVersion
			words[byVersion] = append(words[byVersion], fmt.Sprintf("%d %s", n[c.why], c.says))
		}
	}
	ours := "your settings changed: "
	if b.first {
		ours = "by your settings and this version: "
	}
	var said []string
	for _, by := range []struct {
		version bool
		says    string
	}{{false, ours}, {true, "this version of harfangsync judges otherwise: "}} {
		if w := words[by.version]; len(w) > 0 {
			said = append(said, by.says+strings.Join(w, ", "))
		}
	}
	if n[OutOfFilter] > 0 {
		said = append(said, fmt.Sprintf("the stream's filter or your settings changed: %d are out of it", n[OutOfFilter]))
	}
	return strings.Join(said, "; ")
}
