package hlsim

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// events are all alerts with what is told from them: threats and agents. The lock of the Sim guards it.
type events struct {
	byID    map[string]*event
	byTime  []*event // by alert_time, then by arrival
	threats threats
	agents  agents
	arrived int    // how many ever
	version uint64 // moves with every change
	found   eventCache
}

func newEvents() *events {
	return &events{byID: map[string]*event{}, threats: newThreats(), agents: agents{byID: map[string]*agent{}, said: map[string]*description{}}}
}

// before is the order of the index.
func (e *event) before(o *event) int { return cmp.Or(e.at.Compare(o.at), cmp.Compare(e.seq, o.seq)) }

// arrival is a document that is read and not yet held.
type arrival struct {
	*event
	head *head
}

// hold adds alerts, those whose id is free; the others are errors, at the same place.
func (s *events) hold(in []arrival) []error {
	errs := make([]error, len(in))
	sorted := true
	for i, e := range in {
		if s.byID[e.id] != nil {
			errs[i] = fmt.Errorf("the alert %q %w", e.id, errTaken)
			continue
		}
		s.arrived++
		e.seq = s.arrived
		s.byID[e.id] = e.event
		s.agents.note(e.event, e.head, true)
		if e.threatKey != "" {
			s.threats.join(e.event)
		}
		if n := len(s.byTime); n > 0 && s.byTime[n-1].before(e.event) > 0 {
			if len(in) == 1 { // one late alert is put in its place, many are sorted at once
				at, _ := slices.BinarySearchFunc(s.byTime, e.event, (*event).before)
				s.byTime = slices.Insert(s.byTime, at, e.event)
				continue
			}
			sorted = false
		}
		s.byTime = append(s.byTime, e.event)
	}
	if !sorted {
		slices.SortFunc(s.byTime, (*event).before)
	}
	s.version++
	return errs
}

// change replaces members of an alert's document. Nothing changes the id.
func (s *events) change(e *event, by func(all map[string]json.RawMessage)) error {
	all := objectOf(e.raw)
	agentWas := all["agent"]
	by(all)
	raw, err := encode(all)
	if err != nil {
		return err
	}
	h, err := readHead(raw)
	if err != nil {
		return err
	}
	if text(h.ID) != e.id {
		return errors.New("the id of an alert cannot be changed")
	}
	was := *e
	e.raw = raw
	e.take(h, e.at)
	s.agents.note(e, h, !bytes.Equal(h.Agent, agentWas))
	if e.threatKey != was.threatKey || e.agent != was.agent || e.level != was.level || !e.at.Equal(was.at) {
		s.threats.move(e, was.threatKey)
	}
	if !e.at.Equal(was.at) {
		slices.SortFunc(s.byTime, (*event).before)
	}
	s.version++
	return nil
}

// visible are the alerts that the index shows at a moment, in its order.
func (s *events) visible(k *Knobs, now time.Time) []*event {
	if k.IndexDelay <= 0 {
		return s.byTime
	}
	last := now.Add(-time.Duration(k.IndexDelay) * time.Second)
	return s.byTime[:sort.Search(len(s.byTime), func(i int) bool { return s.byTime[i].at.After(last) })]
}

// seen is an alert that the index shows at a moment, nil for any other.
func (s *events) seen(k *Knobs, id string, now time.Time) *event {
	e := s.byID[id]
	if e == nil || k.IndexDelay > 0 && e.at.After(now.Add(-time.Duration(k.IndexDelay)*time.Second)) {
		return nil
	}
	return e
}

// eventCache keeps the alerts that the last list found, so that its other pages need no search. It has
// a lock of its own, since readers share it.
type eventCache struct {
	sync.Mutex
	version uint64
	visible int
	knobs   *Knobs
	asked   string
	rows    []*event
}

// search gives the alerts that a question finds, in its order. What it gives is shared.
func (s *events) search(k *Knobs, a *asked[*event], key string, now time.Time) []*event {
	rows := s.visible(k, now)
	s.found.Lock()
	defer s.found.Unlock()
	c := &s.found
	if c.version == s.version && c.visible == len(rows) && c.knobs == k && c.asked == key {
		return c.rows
	}
	c.version, c.visible, c.knobs, c.asked = s.version, len(rows), k, key
	c.rows = a.pick(rows, func(e *event) time.Time { return e.at })
	return c.rows
}

// triage changes the status of an alert. Nothing else that is told from it changes.
func (s *events) triage(e *event, status string, now time.Time, by *user) {
	all := objectOf(e.raw)
	triage(all, status, now, by)
	e.raw, _ = encode(all) // parts of what was decoded
	e.status, e.moved = status, now.UTC().Truncate(time.Second)
	s.version++
}
