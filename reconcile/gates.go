package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/failpoint"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// LastGood is what is remembered of the last run that ended with everything in place. A zero At
// means that there was none.
type LastGood struct {
	At       time.Time         `json:"at"`
	Filter   string            `json:"filter"`            // Criteria.Filter of that run
	Meaning  string            `json:"meaning,omitempty"` // and Criteria.Meaning
	Apart    map[Kind]Criteria `json:"apart,omitempty"`   // of kinds that no run has judged by these
	Mapping  string            `json:"mapping,omitempty"` // digest of its mapping
	Markings []string          `json:"markings"`          // visible to the account then, or to a run since, good or not
	Sources  map[Kind]int      `json:"sources"`           // wanted indicators of each kind
}

// Criteria are what a run decides by which indicators are wanted, and what they give.
type Criteria struct {
	Filter  string `json:"filter"`            // digest of the stream's filter and our selection
	Meaning string `json:"meaning,omitempty"` // Policy.Meaning
}

// CriteriaOf are those by which the rules of a kind were judged last.
func (l LastGood) CriteriaOf(k Kind) Criteria {
	if c, apart := l.Apart[k]; apart {
		return c
	}
	return Criteria{l.Filter, l.Meaning}
}

// Known says whether there was a last good run at all.
func (l LastGood) Known() bool { return !l.At.IsZero() }

// Shrinks says whether a run with these indicators has lost more than may always be lost (gate G2).
func (l LastGood) Shrinks(sources map[Kind]int) bool {
	return slices.ContainsFunc(Kinds, func(k Kind) bool { return l.Sources[k]-sources[k] > fewLost })
}

// Overrides are what a person accepted by flag. A number accepts exactly what the message named. They
// count for one plan.
type Overrides struct {
	AllowEmpty      bool
	AcceptShrink    int
	AcceptRemovals  int
	AcceptAdditions int
	AcceptChanges   int
	AcceptMarkings  []string   // that the account lost for good: exactly those
	AcceptImpact    [][]string // values, each in every spelling that it may be meant in, as it was typed first
}

// Accept says whether a gate's override is among the flags that were given.
func (o *Overrides) Accept(override string) bool {
	switch override {
	case "":
		return false
	case allowEmpty:
		return o.AllowEmpty
	}
	if strings.HasPrefix(override, acceptImpact) {
		return o.acceptFelt(override)
	}
	return slices.Contains([]string{acceptShrink(o.AcceptShrink), acceptRemovals(o.AcceptRemovals), acceptAdditions(o.AcceptAdditions), acceptChanges(o.AcceptChanges)}, override)
}

const allowEmpty = "--allow-empty"

func acceptShrink(n int) string    { return fmt.Sprintf("--accept-shrink %d", n) }
func acceptRemovals(n int) string  { return fmt.Sprintf("--accept-removals %d", n) }
func acceptAdditions(n int) string { return fmt.Sprintf("--accept-additions %d", n) }
func acceptChanges(n int) string   { return fmt.Sprintf("--accept-changes %d", n) }

// Limits are the settings behind the gates.
type Limits struct {
	SourceShrink int // percent
	Additions    int // rules of a kind that may come in a window, if that is more than a fifth of ours
	Changes      int // likewise rules whose content changes
	Impact       int // percent of the endpoints that may see a value which begins to detect
	Failures     int
	Window       time.Duration // back to where the limits look
	// Hold says that a gate which finds too much of something holds that alone, and lets the rest pass.
	Hold bool
}

// Judge fills in the plan's gates: complete is G1, of the two reads, and absence G3, of Explain; the others
// are counted here, together with what earlier runs did within the window. A plan that Stopped must not be
// applied. Under Limits.Hold a gate that finds too much of something holds it, and the rest may go on.
//
// G15 is there where the impact was asked for. The other safety rules refuse no plan. They hold while it is made and carried out:
//
//	G5  ownership  only rows with our marker, or an old connector's, in the configured lists (Compute)
//	G6  stale      a change is made only if its row still equals what the plan saw (planfile, run)
//	G7  order      create and enable, then adopt and update, disable, delete (run)
//	G8  read_back  touched rows are read again after apply (run)
//	G9  breaker    so many consecutive failures of the platform stop the apply (run)
//	G10 lock       one run at a time for each pair of platforms and list (state)
//	G11 backup     rows are written to a directory before they change, when asked (run)
//	G12 dry_run    reading commands cannot send a write (httpclient)
func (p *Plan) Judge(complete, absence Gate, m Memory, filter string, pol Policy, lim Limits, over Overrides) {
	j := judging{plan: p, memory: &m, policy: &pol, limits: &lim, over: &over, window: m.Window.within(m.Now, lim.Window), basis: map[Kind]basis{}}
	for _, k := range Kinds {
		j.basis[k] = p.basis(k, m.LastGood, filter, pol)
	}
	j.count()
	p.Gates = append([]Gate{complete}, j.source()...)
	p.Gates = append(p.Gates, absence)
	p.Gates = append(p.Gates, j.removals()...)
	p.Gates = append(p.Gates, j.additions()...)
	p.Gates = append(p.Gates, j.changes()...)
	p.Gates = append(p.Gates, j.impact()...)
	if lim.Hold && complete.OK && absence.OK {
		j.hold()
	}
}

// judging is one call of Judge.
type judging struct {
	plan    *Plan
	memory  *Memory
	policy  *Policy
	limits  *Limits
	over    *Overrides
	window  Window
	basis   map[Kind]basis
	planned Tally                     // changes of the plan, by the gate that limits them
	cause   map[string]map[Reason]int // removals that our own settings, another version or another filter cause, by gate
	ours    map[Kind]int              // content that our settings change, an upgrade or an adoption
	shrunk  map[Kind]bool             // kinds of which G2 misses indicators
}

// count sorts the plan's changes by the limits that they count in.
func (j *judging) count() {
	j.planned, j.cause, j.ours, j.shrunk = Tally{}, map[string]map[Reason]int{}, map[Kind]int{}, map[Kind]bool{}
	for i, ch := range j.plan.Changes.All() {
		if ch.Action.Removal() {
			ch.Class = j.basis[ch.Kind].class(ch.Reason)
			j.plan.Changes.Set(i, ch)
			if gate := removalsGate(ch.Kind, ch.Class); j.basis[ch.Kind].ours(ch.Reason) {
				if j.cause[gate] == nil {
					j.cause[gate] = map[Reason]int{}
				}
				j.cause[gate][ch.Reason]++
			}
		}
		if gate := j.limit(ch); gate != "" {
			j.planned[gate]++
		} else if (ch.Action == Adopt || ch.Action == Update) && ch.newContent() {
			j.ours[ch.Kind]++
		}
	}
}

// limit is the name of the gate that limits a change, "" for none.
func (j *judging) limit(ch *Change) string {
	if ch.begins() && j.plan.heavyAlone(ch) {
		return gateValues
	}
	return ch.Limit()
}

const gateValues = "additions_values"

// Limit is the name of the gate whose limit a change counts in, "" for none.
func (ch *Change) Limit() string {
	switch {
	case ch.Reason == Unblocked: // a person asked for that very one
	case ch.Action.Removal() && ch.Before != nil && ch.Before.Enabled:
		return removalsGate(ch.Kind, ch.Class)
	case ch.begins():
		return "additions_" + ch.Kind.String()
	case ch.Action == Update && ch.Cause != MappingChanged && ch.Reason != Promoted && ch.newContent():
		return "changes_" + ch.Kind.String()
	}
	return ""
}

func removalsGate(k Kind, c Class) string { return "removals_" + k.String() + "_" + string(c) }

// begins says whether a rule begins to detect.
func (ch *Change) begins() bool {
	return (ch.Action == Create || ch.Action == Enable) && ch.After != nil && ch.After.Enabled
}

// newContent says whether a row that stays in force gets another content: texts, or what a mapping asks
// for, but not owners and markers alone.
func (ch *Change) newContent() bool {
	if ch.Before == nil || ch.After == nil {
		return false
	}
	for _, f := range ch.Fields {
		switch {
		case f == "enabled" || f == "comment":
		case f != "content":
			return true
		case ch.Kind == YARA:
			if marker.YARAText("", deref(ch.Before.Content)) != marker.YARAText("", deref(ch.After.Content)) {
				return true
			}
		default:
			a, err := marker.ReadSigma(deref(ch.Before.Content))
			z, err2 := marker.ReadSigma(deref(ch.After.Content))
			if err != nil || err2 != nil || marker.SigmaText("", a) != marker.SigmaText("", z) {
				return true
			}
		}
	}
	return false
}

// source is G2: an empty or shrunken source is not believed.
func (j *judging) source() []Gate {
	var gates []Gate
	p, last := j.plan, j.memory.LastGood
	lost, lostLine := 0, []string{}
	all, short := [2]int{}, [2]int{} // indicators of the last good run and how many may be lost, of all kinds and of those that shrank
	for _, k := range j.policy.Included() {
		unread := p.unread(k)
		if p.Enabled[k] > 0 && unread == 0 && (p.Sources[k] == 0 || p.Wanted[k] == 0) {
			what := "indicators"
			if p.Sources[k] > 0 {
				what = "rules"
			}
			gates = append(gates, Gate{ID: "G2", Name: gateEmpty + k.String(), Kind: k, OK: j.over.AllowEmpty, Base: p.Enabled[k],
				Message:  p.invisible() + fmt.Sprintf("0 wanted %s %s while %s ours; if the source is meant to be empty, say so with %s", k, what, Count(p.Enabled[k], "enabled rule")+Plural(p.Enabled[k], " is", " are"), allowEmpty),
				Override: allowEmpty})
		}
		if !last.Known() || p.Enabled[k] > 0 && unread == 0 && p.Sources[k] == 0 { // an empty source has a gate of its own
			continue
		}
		gap, limit := last.Sources[k]-p.Sources[k]-p.explained(k, j.basis[k]), max(last.Sources[k]*j.limits.SourceShrink/100, fewLost)
		all[0], all[1] = all[0]+last.Sources[k], all[1]+limit
		if gap > limit {
			lost += gap
			short[0], short[1] = short[0]+last.Sources[k], short[1]+limit
			lostLine = append(lostLine, fmt.Sprintf("%s %d of %d (limit %d)", k, gap, last.Sources[k], limit))
			j.shrunk[k] = true
		}
	}
	g := Gate{ID: "G2", Name: gateShrink, OK: true, Value: lost, Base: all[0], Limit: all[1], Message: "as many indicators as at the last good run, within the limit"}
	if !last.Known() {
		g.Message = "no earlier run to compare with"
	}
	if lost == 0 {
		return append(gates, g)
	}
	g.Base, g.Limit, g.Override = short[0], short[1], acceptShrink(lost)
	g.OK = j.over.Accept(g.Override)
	g.Message = p.invisible() + fmt.Sprintf("%s fewer than at the last good run, unexplained: %s; if that is right, pass %s", Count(lost, "indicator"), strings.Join(lostLine, ", "), g.Override)
	return append(gates, g)
}

const (
	gateEmpty  = "source_empty_"
	gateShrink = "source_shrink"
	fewLost    = 10 // indicators of a kind may always be lost
)

// unread counts the indicators that own rules of a kind and could not be read: OpenCTI has them.
func (p *Plan) unread(k Kind) (n int) {
	for _, why := range p.lost[k] {
		if why == Unreadable {
			n++
		}
	}
	return n
}

// explained counts the indicators of a kind whose loss is explained: by what OpenCTI, asked by id, says of
// them, by its failure to give them, or by our own settings.
func (p *Plan) explained(k Kind, b basis) int {
	n := 0
	for _, why := range p.lost[k] {
		if why == IndicatorGone || why == Unreadable || b.evidences(why) || b.settings(why) && why != OutOfFilter {
			n++
		}
	}
	return n
}

// removals is G4: how many rules may go within the window, for each kind, and apart with evidence, as they
// expire, and without.
func (j *judging) removals() []Gate {
	var gates []Gate
	for _, k := range Kinds {
		now := j.plan.Enabled[k]
		base := max(j.window.base(k, now), now)
		for _, c := range Classes {
			limit := EvidenceLimit(base)
			if c == Absence {
				limit = AbsenceLimit(base)
			}
			g := j.counted("G4", removalsGate(k, c), k, base, limit)
			g.OK = g.OK || base < smallList || failpoint.Active(failpoint.G4)
			g.Message = fmt.Sprintf("%d of %s %s%s, limit %d", g.Planned, Count(base, "enabled rule"), Plural(g.Planned, "goes", "go"), j.before(g.Name, "went"), limit)
			if base < smallList {
				g.Message = fmt.Sprintf("%d of %s %s; no limit below %d rules", g.Planned, Count(base, "enabled rule"), Plural(g.Planned, "goes", "go"), smallList)
			}
			if words := j.basis[k].causeWords(j.cause[g.Name]); words != "" {
				g.Message = words + ": " + g.Message
			}
			gates = append(gates, g)
		}
	}
	return j.overridable(gates, acceptRemovals)
}

// additions is G13: how many rules may begin to detect within the window, for each kind, and how many one
// indicator may give.
func (j *judging) additions() []Gate {
	var gates []Gate
	unlimited := ""
	switch {
	case j.plan.restored:
		unlimited = "a restore may bring back any number"
	case j.memory.LastGood.Known(), j.memory.None && j.plan.Marked > 0:
	case j.memory.None:
		unlimited = "no limit while no rule is ours: nothing is remembered between runs, so this one counts as the first"
	default:
		unlimited = "no limit before a run has ended with everything in place"
	}
	for _, k := range Kinds {
		base := j.window.base(k, j.plan.Enabled[k])
		g := j.counted("G13", "additions_"+k.String(), k, base, max(j.limits.Additions, base/5))
		g.Message = fmt.Sprintf("%s to detect%s, beside %d, limit %d", begin(g.Planned), j.before(g.Name, "began"), base, g.Limit)
		if unlimited != "" {
			g.OK, g.Limit = true, 0
			g.Message = begin(g.Planned) + " to detect; " + unlimited
		}
		gates = append(gates, g)
	}
	g := Gate{ID: "G13", Name: gateValues, OK: true, Limit: j.policy.Values, Value: j.planned[gateValues], Planned: j.planned[gateValues]}
	g.Message = "no indicator gives too many rules"
	if len(j.plan.heavy) > 0 {
		g.OK = g.Planned == 0
		g.Message = fmt.Sprintf("%s, more than %d: %d %s to detect", j.plan.heavyWords(), j.policy.Values, g.Planned, Plural(g.Planned, "begins", "begin"))
	}
	return j.overridable(append(gates, g), acceptAdditions)
}

func begin(n int) string { return Count(n, "rule") + Plural(n, " begins", " begin") }

// changes is G14: of how many rules the content may change within the window, for each kind.
func (j *judging) changes() []Gate {
	var gates []Gate
	for _, k := range Kinds {
		base := j.window.base(k, j.plan.Enabled[k])
		g := j.counted("G14", "changes_"+k.String(), k, base, max(j.limits.Changes, base/5))
		g.Message = fmt.Sprintf("the content of %d of %s changes%s, limit %d", g.Planned, Count(base, "rule"), j.before(g.Name, "changed"), g.Limit)
		if n := j.ours[k]; n > 0 {
			g.Message += fmt.Sprintf("; not counted are %d that our settings, an upgrade or an adoption change", n)
		}
		gates = append(gates, g)
	}
	return j.overridable(gates, acceptChanges)
}

// counted is a gate that limits what is done within the window. A plan that adds nothing passes.
func (j *judging) counted(id, name string, k Kind, base, limit int) Gate {
	g := Gate{ID: id, Name: name, Kind: k, Base: base, Limit: limit, Planned: j.planned[name]}
	g.Value = g.Planned + j.window.done(name)
	g.OK = g.Planned == 0 || g.Value <= limit
	return g
}

// About says whether a gate is about the rules of a kind, or of all of them.
func (g *Gate) About(k Kind) bool { return g.Kind == 0 || g.Kind == k }

// before says what earlier runs did within the window.
func (j *judging) before(name, verb string) string {
	if n := j.window.done(name); n > 0 {
		return fmt.Sprintf(", and %d %s within the last %s", n, verb, hours(j.limits.Window))
	}
	return ""
}

// hours is a duration without the parts that are zero.
func hours(d time.Duration) string {
	s := d.String()
	if d >= time.Minute {
		s = strings.TrimSuffix(s, "0s")
	}
	if d >= time.Hour {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// overridable names the one flag that lets all gates of a sort pass: its number is what this plan does of all
// that they refuse.
func (j *judging) overridable(gates []Gate, flag func(int) string) []Gate {
	sum := 0
	for i := range gates {
		if !gates[i].OK {
			sum += gates[i].Planned
		}
	}
	for i := range gates {
		if g := &gates[i]; !g.OK {
			g.Override = flag(sum)
			g.OK = j.over.Accept(g.Override)
			g.Message += "; if that is right, pass " + g.Override
		}
	}
	return gates
}

// hold takes what refused gates guard out of the plan. Of an update whose content waits the owners are written all
// the same: they are asked for before the rule goes.
func (j *judging) hold() {
	refused := map[string]*Gate{}
	for i := range j.plan.Gates {
		if g := &j.plan.Gates[i]; !g.OK {
			g.Hold = true
			refused[g.Name] = g
		}
	}
	if len(refused) == 0 {
		return
	}
	held := make([]*Gate, j.plan.Changes.Len())
	removals := j.plan.Count(Delete)+j.plan.Count(Disable) > 0
	waits := map[string]*Gate{} // owners of rules, and rules, that are to come into force and do not yet
	for i, ch := range j.plan.Changes.All() {
		if g := j.guard(ch, refused); g != nil {
			held[i] = g
			if removals && ch.begins() {
				waits[ch.Key.String()] = g
				for _, o := range ch.Owners {
					waits[o.ID] = g
				}
			}
		}
	}
	for i := range j.plan.Changes.Len() {
		ch := j.plan.Changes.At(i)
		if held[i] == nil {
			held[i] = awaited(ch, waits)
		}
		g := held[i]
		if g == nil {
			continue
		}
		waits := heldChange(ch, GateHeld, fmt.Sprintf("%s, %s, waits for %s %s", ch.Action, ch.Reason, g.ID, g.Name))
		waits.Gate, waits.Change = g.Name, ch
		j.plan.leave(&waits)
		if alone, ok := ch.ownersAlone(); ok {
			j.plan.replace(&alone, j.memory)
		}
	}
	j.plan.Changes.Drop(func(i int) bool { return i < len(held) && held[i] != nil }) // what replaces some of them comes after
	j.plan.sortAll()
}

// guard is the refused gate that a change waits for, nil for none.
func (j *judging) guard(ch *Change, refused map[string]*Gate) *Gate {
	if ch.needsEvidence() || ch.Reason == Duplicate {
		if g := refused[gateEmpty+ch.Kind.String()]; g != nil {
			return g
		}
		if g := refused[gateShrink]; g != nil && j.shrunk[ch.Kind] && ch.Class == Absence {
			return g
		}
	}
	if g := refused[gateImpact]; g != nil && ch.felt(g.Limit) && !j.over.felt(ch.Value) {
		return g
	}
	return refused[j.limit(ch)]
}

// awaited is the gate that holds what a removal makes room for: another value of its indicator, or the
// rule of which it is a duplicate.
func awaited(ch *Change, waits map[string]*Gate) *Gate {
	switch {
	case !ch.Action.Removal():
	case ch.Reason == Duplicate:
		return waits[ch.Key.String()]
	case ch.Reason == ValueRemoved:
		for _, o := range ch.Owners {
			if g := waits[o.ID]; g != nil {
				return g
			}
		}
	}
	return nil
}

// Release puts back what gates hold, once these are accepted. After an error the plan is of no use.
func (p *Plan) Release() error {
	whole := map[string]bool{} // rows that are updated with their content, and not in owners alone
	for i := range p.Held.Len() {
		if a, _ := p.Held.Waits(i); a == Update {
			whole[p.Held.At(i).ID] = true
		}
	}
	p.Changes.Drop(func(i int) bool {
		alone := p.Changes.Action(i) == Update && whole[p.Changes.At(i).ID]
		if alone {
			p.Unchanged++
		}
		return alone
	})
	p.Held.Drop(func(i int) bool {
		a, _ := p.Held.Waits(i)
		if a == "" {
			return false
		}
		h, err := p.Held.Read(i)
		if err != nil {
			return false
		}
		p.Changes.Add(h.Change)
		if a != Create {
			p.Unchanged--
		}
		return true
	})
	p.sortAll()
	return p.Err()
}

// smallList is the number of rules below which only G2 guards removals.
const smallList = 10

// EvidenceLimit is how many of n enabled rules may go with evidence: 30 %.
func EvidenceLimit(n int) int { return n * 30 / 100 }

// AbsenceLimit is how many of n enabled rules may go because their owners are absent: the largest of
// 30 % of the first hundred, 10 % of the first thousand, 3 % of the first ten thousand and 1 % of all.
func AbsenceLimit(n int) int {
	return max(min(n, 100)*30/100, min(n, 1000)*10/100, min(n, 10000)*3/100, n/100)
}
