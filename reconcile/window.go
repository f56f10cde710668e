package reconcile

import (
	"maps"
	"slices"
	"time"
)

// Window is what runs did within Limits.Window, as the gates count it. It is kept in parts, so that it
// stays small however many runs there were; a part counts until its last run is older than the window.
type Window struct {
	Parts []Part `json:"parts,omitempty"` // oldest first
}

// Part is what some runs in a row did.
type Part struct {
	From  time.Time    `json:"from"`  // of the first of them
	Until time.Time    `json:"until"` // of the last
	Base  map[Kind]int `json:"base"`  // enabled rules of ours before the first
	Done  Tally        `json:"done"`
}

// Tally counts changes by the name of the gate that limits them.
type Tally map[string]int

// mostParts is how many parts a window is kept in.
const mostParts = 12

// within is w without what is older than the window. A part from the future, of a clock that was wrong,
// counts as if it were now.
func (w Window) within(now time.Time, span time.Duration) Window {
	var out Window
	for _, p := range w.Parts {
		if p.Until.After(now) {
			p.Until = now
		}
		if p.From.After(p.Until) {
			p.From = p.Until
		}
		if now.Sub(p.Until) < span {
			out.Parts = append(out.Parts, p)
		}
	}
	return out
}

// Counted is what was done within a time.
func (w Window) Counted(now time.Time, span time.Duration) Tally {
	all := Tally{}
	for _, p := range w.within(now, span).Parts {
		for gate, n := range p.Done {
			all[gate] += n
		}
	}
	return all
}

// done is how many changes of a sort were made.
func (w Window) done(gate string) int {
	n := 0
	for _, p := range w.Parts {
		n += p.Done[gate]
	}
	return n
}

// base is the number of enabled rules of a kind at the window's start: as the first run in it saw that worked
// on this kind, or as it is now.
func (w Window) base(k Kind, now int) int {
	for _, p := range w.Parts {
		if n, seen := p.Base[k]; seen {
			return n
		}
	}
	return now
}

// With is w and what a plan does now, upon so many enabled rules; what a plan does not do after all is
// taken back by negative numbers.
func (w Window) With(now time.Time, span time.Duration, enabled map[Kind]int, done Tally) Window {
	now = now.Truncate(time.Second)
	w = w.within(now, span)
	if len(done) == 0 {
		return w
	}
	n := len(w.Parts)
	if n == 0 || now.Sub(w.Parts[n-1].From) >= span/mostParts {
		w.Parts = append(w.Parts, Part{From: now})
		n++
	}
	last := &w.Parts[n-1]
	last.Until, last.Done, last.Base = now, cloned(last.Done), cloned(last.Base)
	for k, n := range enabled {
		if _, seen := last.Base[k]; !seen { // no run in it has worked on this kind
			last.Base[k] = n
		}
	}
	for gate, add := range done {
		if last.Done[gate] = max(last.Done[gate]+add, 0); last.Done[gate] == 0 {
			delete(last.Done, gate)
		}
	}
	return w
}

// Shifted is w as if so many rules had come, or gone, before it began: those that a person accepted.
func (w Window) Shifted(by map[Kind]int) Window {
	w.Parts = slices.Clone(w.Parts)
	for i := range w.Parts {
		p := &w.Parts[i]
		p.Base = cloned(p.Base)
		for k, n := range by {
			if was, seen := p.Base[k]; seen {
				p.Base[k] = max(was+n, 0)
			}
		}
	}
	return w
}

// cloned is a copy of a map that can be written to.
func cloned[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return maps.Clone(m)
}

// Counts tells, of the changes that become done, how many count in which limit, and by how many rules the
// number of ours moves without being counted: those that a person accepted, and those that have no limit.
func (p *Plan) Counts(done func(at int) bool) (counted Tally, moved map[Kind]int) {
	counted, moved = Tally{}, map[Kind]int{}
	gates := map[string]*Gate{}
	for i := range p.Gates {
		gates[p.Gates[i].Name] = &p.Gates[i]
	}
	for i, ch := range p.Changes.All() {
		name := ch.Limit()
		if name == "" || !done(i) {
			continue
		}
		g := gates[name]
		if p.heavyAlone(ch) && ch.begins() {
			g = gates[gateValues]
		}
		switch {
		case g == nil || !g.accepted() && !(ch.begins() && g.Limit == 0):
			counted[name]++
		case ch.Action.Removal():
			moved[ch.Kind]--
		case ch.begins():
			moved[ch.Kind]++
		}
	}
	return counted, moved
}

// accepted says whether a gate would refuse, but for the flag that was given.
func (g *Gate) accepted() bool { return g.OK && g.Override != "" }
