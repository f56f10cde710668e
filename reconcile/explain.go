package reconcile

import (
	"fmt"
	"slices"
	"time"

	"harfangsync/reconcile/mark"
)

// Evidence is what OpenCTI says, asked by id, of the owners of rules that are to be removed.
type Evidence struct {
	Started  time.Time          // when the read began
	Found    map[string]Finding // by the id asked for; an owner that is not there is absent
	Excluded func(typ, value string) bool
	// FewerMarkings says that the account may see less than at the last good run. Objects that it
	// cannot see look deleted, so nothing then counts as gone.
	FewerMarkings bool
}

// Finding is one owner that exists.
type Finding struct {
	Indicator Indicator
	Read      bool           // it was among the indicators read
	Matches   bool           // the server finds it with the run's own filter
	Judged    Reason         // our own selection's word on its present state, "" when it passes
	Values    map[Value]bool // what it gives now: IOC values, {"", Sigma id}, {"", internal id} for YARA
}

// Absent is the owners to ask for by id before any removal may be believed, sorted. They are
// internal ids, and standard ids where a row of an old connector names no other.
func (p *Plan) Absent() []string {
	ids := map[string]bool{}
	for i := range p.Changes {
		ch := &p.Changes[i]
		if !ch.Action.Removal() || ch.Reason == Duplicate {
			continue
		}
		for _, o := range ch.Owners {
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
	var contradicted []string
	kept := p.Changes[:0]
	for _, ch := range p.Changes {
		if !ch.Action.Removal() || ch.Reason == Duplicate {
			kept = append(kept, ch)
			continue
		}
		gate.Base++
		verdict, why := e.judge(&ch)
		switch verdict {
		case gone:
			if e.FewerMarkings && why == IndicatorGone {
				p.Held = append(p.Held, heldChange(&ch, Ambiguous, "fewer markings are visible than at the last good run; an object that is not visible looks deleted"))
				p.Unchanged++
				continue
			}
			ch.Reason = why
			e.describe(&ch)
			stopAs(&ch, pol)
			kept = append(kept, ch)
		case meanwhile:
			p.Held = append(p.Held, heldChange(&ch, ChangedMeanwhile, "its indicator changed while this plan was made; the next run settles it"))
			p.Unchanged++
		case contradiction:
			contradicted = append(contradicted, ch.Label())
			kept = append(kept, ch)
		}
	}
	p.Changes = kept
	if n := len(contradicted); n > 0 {
		gate.OK, gate.Value = false, n
		gate.Message = fmt.Sprintf("the read of OpenCTI was incomplete: %d rules would be removed although their indicators are there and want them, first %s; run again, and look for a proxy or a page limit that drops rows if it stays",
			n, contradicted[0])
	}
	p.sortAll()
	return gate
}

type verdict uint8

const (
	gone verdict = iota
	meanwhile
	contradiction
)

// judge weighs all owners of one rule: it goes only if none of them wants it.
func (e *Evidence) judge(ch *Change) (verdict, Reason) {
	why := IndicatorGone
	moved := false
	for _, o := range ch.Owners {
		f, ok := e.Found[o.ask()]
		if !ok {
			continue
		}
		reason := f.Judged
		if reason == "" && !f.Matches {
			reason = OutOfFilter
		}
		if reason == "" {
			switch {
			case !f.Read || f.Values[ch.ident()]:
				// It is there, it matches, and by the read it should not: either it changed after the
				// read began, or the read lost it.
				if f.Indicator.UpdatedAt.Before(e.Started) {
					return contradiction, ""
				}
				moved = true
				continue
			case ch.Kind == IOC && e.Excluded != nil && e.Excluded(ch.Type, ch.Value):
				reason = Excluded
			case len(f.Values) == 0:
				reason = PatternSkipped
			default:
				reason = ValueRemoved
			}
		}
		if why == IndicatorGone {
			why = reason
		}
	}
	if moved {
		return meanwhile, ""
	}
	return gone, why
}

// ident is the value under which an owner would give the changed rule.
func (ch *Change) ident() Value {
	switch ch.Kind {
	case IOC:
		return Value{ch.Type, ch.Value}
	case YARA:
		return Value{"", ch.Owners[0].ID}
	}
	if ch.Before != nil {
		return Value{"", sigmaIDOf(deref(ch.Before.Content))}
	}
	return Value{}
}

// describe completes the owners of a removal with what the evidence knows of them.
func (e *Evidence) describe(ch *Change) {
	for i, o := range ch.Owners {
		if f, ok := e.Found[o.ask()]; ok {
			ch.Owners[i] = Owner{ID: f.Indicator.ID, StandardID: f.Indicator.StandardID, Name: f.Indicator.Name, Score: f.Indicator.Score}
		}
	}
}

// evidenced says whether a removal's reason is evidence, and not mere absence. What a filter or a
// setting leaves out is evidence only while these are the last good run's.
func evidenced(why Reason, sameFilter, changedFilter bool) bool {
	switch why {
	case IndicatorGone:
		return false
	case OutOfFilter, NotYetValid:
		return sameFilter
	case BelowThreshold, LabelFiltered, MarkingDenied, Excluded, DetectionOff:
		return !changedFilter
	}
	return true
}

func sigmaIDOf(content string) string {
	if rule, err := mark.ReadSigma(content); err == nil {
		return rule.ID
	}
	return ""
}
