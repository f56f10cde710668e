package reconcile

import (
	"fmt"
	"strings"
	"time"

	"harfangsync/reconcile/failpoint"
)

// LastGood is what is remembered of the last run that ended with everything in place. A zero At
// means that there was none.
type LastGood struct {
	At       time.Time    `json:"at"`
	Filter   string       `json:"filter"`            // digest of the stream's filter and our selection
	Meaning  string       `json:"meaning,omitempty"` // Policy.Meaning of that run
	Mapping  string       `json:"mapping,omitempty"` // digest of its mapping
	Markings []string     `json:"markings"`          // visible to the account then
	Sources  map[Kind]int `json:"sources"`           // wanted indicators of each kind
}

// Known says whether there was a last good run at all.
func (l LastGood) Known() bool { return !l.At.IsZero() }

// Overrides are what a person accepted by flag. A number accepts exactly what the message named.
type Overrides struct {
	AllowEmpty     bool
	AcceptShrink   int
	AcceptRemovals int
}

// Limits are the settings behind the gates.
type Limits struct {
	SourceShrink int // percent
	Failures     int
}

// Judge fills in the plan's gates: complete is G1, of the two reads, and absence G3, of Explain; G2 and G4
// are counted here. A plan that a gate refuses must not be applied.
//
// The other safety rules refuse no plan. They hold while it is made and carried out:
//
//	G5  ownership  only rows with our marker, or an old connector's, in the configured lists (Compute)
//	G6  stale      a change is made only if its row still equals what the plan saw (planfile, run)
//	G7  order      create and enable, then adopt and update, disable, delete (run)
//	G8  read_back  touched rows are read again after apply (run)
//	G9  breaker    so many consecutive failures of the platform stop the apply (run)
//	G10 lock       one run at a time for each pair of platforms and list (state)
//	G11 backup     rows are written to a directory before they change, when asked (run)
//	G12 dry_run    reading commands cannot send a write (httpclient)
func (p *Plan) Judge(complete, absence Gate, last LastGood, filter string, pol Policy, lim Limits, over Overrides) {
	p.Gates = []Gate{complete}
	p.Gates = append(p.Gates, p.sourceGates(last, filter, pol, lim, over)...)
	p.Gates = append(p.Gates, absence)
	p.Gates = append(p.Gates, p.removalGates(p.basis(last, filter, pol), over)...)
}

// sourceGates is G2: an empty or shrunken source is not believed.
func (p *Plan) sourceGates(last LastGood, filter string, pol Policy, lim Limits, over Overrides) []Gate {
	var gates []Gate
	lost, base, lostLine := 0, 0, []string{}
	for _, k := range pol.Included() {
		base += last.Sources[k]
		if p.Enabled[k] > 0 && (p.Sources[k] == 0 || p.Wanted[k] == 0) {
			what := "indicators"
			if p.Sources[k] > 0 {
				what = "rules"
			}
			gates = append(gates, Gate{ID: "G2", Name: "source_empty_" + k.String(), OK: over.AllowEmpty, Base: p.Enabled[k],
				Message:  fmt.Sprintf("0 wanted %s %s while %d enabled rules are ours; if the source is meant to be empty, say so with --allow-empty", k, what, p.Enabled[k]),
				Override: "--allow-empty"})
		}
		if !last.Known() || p.Enabled[k] > 0 && p.Sources[k] == 0 { // an empty source has a gate of its own
			continue
		}
		gap := last.Sources[k] - p.Sources[k] - p.explained(k, p.basis(last, filter, pol))
		if limit := last.Sources[k] * lim.SourceShrink / 100; gap > limit {
			lost += gap
			lostLine = append(lostLine, fmt.Sprintf("%s %d of %d (limit %d)", k, gap, last.Sources[k], limit))
		}
	}
	g := Gate{ID: "G2", Name: "source_shrink", OK: true, Value: lost, Base: base, Limit: lim.SourceShrink, Override: fmt.Sprintf("--accept-shrink %d", lost),
		Message: "as many indicators as at the last good run, within the limit"}
	if !last.Known() {
		g.Message = "no earlier run to compare with"
	}
	if lost == 0 {
		g.Override = ""
		return append(gates, g)
	}
	g.OK = over.AcceptShrink == lost
	g.Message = fmt.Sprintf("%d indicators fewer than at the last good run are not explained: %s; if that is right, pass --accept-shrink %d", lost, strings.Join(lostLine, ", "), lost)
	return append(gates, g)
}

// explained counts the indicators of a kind whose loss the evidence explains.
func (p *Plan) explained(k Kind, b basis) int {
	n := 0
	for _, why := range p.lost[k] {
		if b.evidences(why) {
			n++
		}
	}
	return n
}

// removalGates is G4: how many rules one run may take out of force, for each kind, evidence and
// absence apart.
func (p *Plan) removalGates(b basis, over Overrides) []Gate {
	type class struct {
		kind     Kind
		evidence bool
	}
	n := map[class]int{}
	for i := range p.Changes {
		if ch := &p.Changes[i]; ch.Action.Removal() && ch.Before != nil && ch.Before.Enabled {
			n[class{ch.Kind, b.evidences(ch.Reason)}]++
		}
	}
	var gates []Gate
	sum := 0
	add := func(k Kind, word string, value, limit int) {
		g := Gate{ID: "G4", Name: "removals_" + k.String() + "_" + word, OK: true, Value: value, Base: p.Enabled[k], Limit: limit}
		if g.Base >= smallList && value > limit && !failpoint.Active(failpoint.G4) {
			g.OK = false
			sum += value
		}
		gates = append(gates, g)
	}
	for _, k := range Kinds {
		add(k, "evidence", n[class{k, true}], EvidenceLimit(p.Enabled[k]))
		add(k, "absence", n[class{k, false}], AbsenceLimit(p.Enabled[k]))
	}
	for i := range gates {
		g := &gates[i]
		g.Message = fmt.Sprintf("%d of %d enabled rules go, limit %d", g.Value, g.Base, g.Limit)
		if g.Base < smallList {
			g.Message = fmt.Sprintf("%d of %d enabled rules go; no limit below %d rules", g.Value, g.Base, smallList)
		}
		if !g.OK {
			g.OK = over.AcceptRemovals == sum
			g.Override = fmt.Sprintf("--accept-removals %d", sum)
			g.Message += fmt.Sprintf("; if that is right, pass %s", g.Override)
		}
	}
	return gates
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
