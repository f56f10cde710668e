package octisim

import (
	"cmp"
	"slices"
)

// orgRight is what the right to restrict to organisations is called here.
const orgRight = "KNOWLEDGE_KNUPDATE_KNORGARESTRICT"

// recovery answers the wish to be told of the past from the database, and lets the events go on from
// its end (contract opencti-api 5.7).
func (l *listener) recovery() {
	to := l.recover
	switch {
	case to == nil:
	case l.start == nil:
		l.fail("Recovery needs a start")
	case to.compare(*l.start) <= 0:
	case l.origin != nil:
		l.noRecovery()
	default:
		if err := l.scan(l.start.ms, to.ms); err != nil {
			l.fail(err.Error())
		} else if len(l.backlog) == 0 {
			l.at = *to
		}
	}
}

// noRecovery goes on from where the recovery would have ended: the database cannot tell who caused a
// change.
func (l *listener) noRecovery() {
	l.at = *l.recover
	if !l.sim.version.atLeast("7.260512.0") {
		return
	}
	if l.user == nil || !l.user.can(orgRight) {
		l.fail("You are not allowed to do this.")
		return
	}
	l.emit(message{id: position{ms: momentOf(l.sim.now())}.String(), event: "no-recover", data: jsonText(jsonObject{
		"stream": l.id, "message": "Recovery is not possible for a stream with filters on the origin", "resume_from": l.at.String(),
	})})
}

// scan finds what the recovery sends, the oldest first: the filter is evaluated as lists do it.
func (l *listener) scan(from, to moment) error {
	s := l.sim
	pass := predicate[*indicator](func(*indicator) bool { return true })
	if l.stored != nil {
		var err error
		if pass, err = compile(l.stored.withoutChanges(), databaseOf(s, indicatorColumns).key); err != nil {
			return err
		}
	}
	for _, i := range s.indicators.byStandard.list() {
		if !i.dead && i.updatedAt >= from && i.updatedAt <= to && i.visible(l.allowed) && pass(i) {
			l.backlog = append(l.backlog, i)
		}
	}
	slices.SortStableFunc(l.backlog, func(a, b *indicator) int {
		return cmp.Or(cmp.Compare(a.updatedAt, b.updatedAt), cmp.Compare(a.standard, b.standard))
	})
	return nil
}

// recovered sends the next part of a recovery.
func (l *listener) recovered() {
	n := min(len(l.backlog), batchSize)
	for _, i := range l.backlog[:n] {
		l.at = position{ms: i.updatedAt}
		l.depend(i, l.at)
		l.emit(message{id: l.at.String(), event: "create", data: l.extra(i, "init")})
	}
	if l.backlog = l.backlog[n:]; len(l.backlog) == 0 {
		l.at, l.eventAt = *l.recover, l.now
	}
}
