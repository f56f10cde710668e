package octisim

import "strconv"

// position is the id of an event: milliseconds, then a number within them.
type position struct {
	ms  moment
	seq int
}

func (p position) String() string {
	return strconv.FormatInt(int64(p.ms), 10) + "-" + strconv.Itoa(p.seq)
}

// event is one change of an indicator: before is nil for a creation, after for a deletion.
type event struct {
	at            position
	before, after *indicator
}

// eventLog is the platform's one log of changes, oldest first, cut at its oldest end.
type eventLog struct {
	start  position // where an empty log stands
	events []event
	size   int // most events kept
}

func (l *eventLog) add(at moment, before, after *indicator) {
	p := position{ms: at}
	if last := l.last(); p.ms <= last.ms {
		p = position{last.ms, last.seq + 1} // ids only grow, also when the clock does not
	}
	l.events = append(l.events, event{p, before, after})
	if n := len(l.events) - l.size; n > l.size/8 {
		l.events = append([]event(nil), l.events[n:]...)
	}
}

func (l *eventLog) first() position {
	if len(l.events) == 0 {
		return l.start
	}
	return l.events[0].at
}

func (l *eventLog) last() position {
	if len(l.events) == 0 {
		return l.start
	}
	return l.events[len(l.events)-1].at
}
