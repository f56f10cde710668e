package reconcile

import "slices"

// Changes are the steps of a plan.
type Changes struct{ Series[Change, *Change] }

// Action is what the i-th change does.
func (c Changes) Action(i int) Action { return Action(c.word(c.list[i].action)) }

// Reason is why the i-th change is planned.
func (c Changes) Reason(i int) Reason { return Reason(c.word(c.list[i].reason)) }

// Kind is that of the i-th change's rule.
func (c Changes) Kind(i int) Kind { return c.list[i].kind }

// Type is that of the i-th change's value.
func (c Changes) Type(i int) string { return c.word(c.list[i].also) }

// Unasked gives the i-th an Impact that was not asked for, and why nothing more was: the same of all.
func (c Changes) Unasked(i int, why string) {
	c.list[i].unasked, c.pack.unasked = true, why
}

func (ch *Change) head(w *words) head {
	return head{action: w.of(string(ch.Action)), reason: w.of(string(ch.Reason)), also: w.of(ch.Type), kind: ch.Kind}
}

func (ch *Change) place() place {
	return place{slices.Index(Actions, ch.Action)*256 + int(ch.Kind), placeName(ch.Type, ch.Value, ch.Name, ch.ID, string(ch.Key[:]))}
}

// AllHeld are what a plan leaves alone.
type AllHeld struct{ Series[Held, *Held] }

// Reason is why the i-th is held.
func (h AllHeld) Reason(i int) Reason { return Reason(h.word(h.list[i].reason)) }

// Unseen says whether an owner of the i-th is not seen.
func (h AllHeld) Unseen(i int) bool { return h.list[i].unseen }

// Gate is the one that holds the i-th, "" for none.
func (h AllHeld) Gate(i int) string { return h.word(h.list[i].also) }

// Waits is what the change would do that a gate holds of the i-th, "" where there is none, and to which kind of rule.
func (h AllHeld) Waits(i int) (Action, Kind) {
	return Action(h.word(h.list[i].action)), h.list[i].kind
}

func (h *Held) head(w *words) head {
	waits := Change{}
	if h.Change != nil {
		waits = *h.Change
	}
	return head{action: w.of(string(waits.Action)), reason: w.of(string(h.Reason)), also: w.of(h.Gate), kind: waits.Kind, unseen: h.Unseen}
}

func (h *Held) place() place {
	return place{0, placeName(string(h.Reason), string(rune(h.Kind)), h.Type, h.Value, h.Name, h.ID)}
}

// AllSkipped are what could not become a rule.
type AllSkipped struct{ Series[Skip, *Skip] }

// Reason is that of the i-th.
func (s AllSkipped) Reason(i int) Reason { return Reason(s.word(s.list[i].reason)) }

// Compilable is that of the i-th.
func (s AllSkipped) Compilable(i int) bool { return s.word(s.list[i].also) != "" }

func (s *Skip) head(w *words) head {
	also := ""
	if s.Compilable {
		also = "compilable"
	}
	return head{reason: w.of(string(s.Reason)), also: w.of(also)}
}

func (s *Skip) place() place { return place{0, placeName(s.Indicator, string(s.Reason), s.Detail)} }
