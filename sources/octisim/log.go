package octisim

import (
	"cmp"
	"slices"
	"strconv"
)

// position is the id of an event: milliseconds, then a number within them.
type position struct {
	ms  moment
	seq int
}

func (p position) String() string {
	return strconv.FormatInt(int64(p.ms), 10) + "-" + strconv.Itoa(p.seq)
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.ms, q.ms), cmp.Compare(p.seq, q.seq))
}

// event is one change of an indicator: before is nil for a creation, after for a deletion.
type event struct {
	at            position
	before, after *indicator
	cause         *cause // nil for most: the platform itself did it
}

// cause is what few events have. There may be millions.
type cause struct {
	by     string       // internal id of the user who did it; empty is the platform itself
	merged []*indicator // those that became part of after, and are gone
}

func (e *event) merged() []*indicator {
	if e.cause == nil {
		return nil
	}
	return e.cause.merged
}

// by is the internal id of the user who did it.
func (e *event) by() string {
	if e.cause == nil {
		return systemUser
	}
	return cmp.Or(e.cause.by, systemUser)
}

// eventLog is the platform's one log of changes, oldest first, cut at its oldest end.
type eventLog struct {
	start  position // where an empty log stands
	floor  position // ids that readers have been told of without an event; what comes is later
	events []event
	size   int           // most events kept
	by     string        // whose changes come now, as in cause
	wake   chan struct{} // closed by ring; nil while nobody waits
}

func (l *eventLog) add(at moment, before, after *indicator) {
	e := event{before: before, after: after}
	if l.by != "" {
		e.cause = &cause{by: l.by}
	}
	l.append(at, e)
}

func (l *eventLog) append(at moment, e event) {
	e.at = position{ms: at}
	last := l.last()
	if l.floor.compare(last) > 0 {
		last = l.floor
	}
	if e.at.ms <= last.ms {
		e.at = position{last.ms, last.seq + 1} // ids only grow, also when the clock does not
	}
	l.events = append(l.events, e)
	if n := len(l.events) - l.size; n > l.size/8 {
		l.trim(l.size)
	}
	l.ring()
}

// trim forgets all but the newest events. The log still knows where it stands when none is left.
func (l *eventLog) trim(keep int) {
	if keep <= 0 {
		l.start = l.last()
	}
	if n := len(l.events) - max(keep, 0); n > 0 {
		l.events = append([]event(nil), l.events[n:]...)
	}
}

// since gives at most n events after p, the oldest first. It says nothing of events that were
// trimmed (contract opencti-api 5.6). The slice is for reading, and may be read without a lock.
func (l *eventLog) since(p position, n int) []event {
	i, found := slices.BinarySearchFunc(l.events, p, func(e event, p position) int { return e.at.compare(p) })
	if found {
		i++
	}
	return l.events[i:min(i+n, len(l.events))]
}

// bell gives a channel that the next ring closes.
func (l *eventLog) bell() <-chan struct{} {
	if l.wake == nil {
		l.wake = make(chan struct{})
	}
	return l.wake
}

// ring wakes everybody who waits for events, or for anything else that concerns a stream.
func (l *eventLog) ring() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
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
