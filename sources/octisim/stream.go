package octisim

// PutStream stores a stream collection, or replaces the one with its id, and gives the id, which is
// made when empty.
func (s *Sim) PutStream(in Stream) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ID == "" {
		in.ID = s.newID()
	}
	s.streams[in.ID] = &in
	s.log.ring()
	return in.ID
}

// DeleteStream forgets a stream collection. It is false for an unknown id.
func (s *Sim) DeleteStream(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.streams[id]
	delete(s.streams, id)
	s.log.ring()
	return ok
}

var streamInfoFields = map[string]resolver{
	"lastEventId":    on(func(l *eventLog) any { return l.last().String() }),
	"firstEventId":   on(func(l *eventLog) any { return l.first().String() }),
	"lastEventDate":  on(func(l *eventLog) any { return l.last().ms }),
	"firstEventDate": on(func(l *eventLog) any { return l.first().ms }),
	"streamSize":     on(func(l *eventLog) any { return len(l.events) }),
}
