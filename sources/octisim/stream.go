package octisim

// stream is a stored collection as an object that can be listed.
type stream struct {
	base
	Stream
}

func (*stream) typename() string { return "StreamCollection" }

// PutStream stores a stream collection, or replaces the one with its id, and gives the id, which is
// made when empty.
func (s *Sim) PutStream(in Stream) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.ID == "" {
		in.ID = s.newID()
	}
	s.streams[in.ID] = &stream{base{id: in.ID, standard: in.ID, entity: "StreamCollection"}, in}
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

var streamFields = map[string]resolver{
	"id":             on(func(s *stream) any { return s.id }),
	"name":           on(func(s *stream) any { return text(s.Name) }),
	"description":    on(func(s *stream) any { return text(s.Description) }),
	"filters":        on(func(s *stream) any { return valueOf(s.Filters) }),
	"origin_filters": on(func(s *stream) any { return valueOf(s.OriginFilters) }),
	"stream_live":    on(func(s *stream) any { return s.Live }),
	"stream_public":  on(func(s *stream) any { return s.Public }),
}

var streamInfoFields = map[string]resolver{
	"lastEventId":    on(func(l *eventLog) any { return l.last().String() }),
	"firstEventId":   on(func(l *eventLog) any { return l.first().String() }),
	"lastEventDate":  on(func(l *eventLog) any { return l.last().ms }),
	"firstEventDate": on(func(l *eventLog) any { return l.first().ms }),
	"streamSize":     on(func(l *eventLog) any { return len(l.events) }),
}
