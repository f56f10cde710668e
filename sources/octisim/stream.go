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

func streamCollection(c *call) (any, error) { return orNil(c.sim.streams[c.args["id"].(string)]), nil }

// streamCollections lists the public streams to anybody, and all of them to users with TAXIIAPI.
func streamCollections(c *call) (any, error) {
	all := c.user != nil && c.user.can([]string{"TAXIIAPI"})
	rows := newTable[*stream]()
	for _, id := range sortedKeys(c.sim.streams) {
		if s := c.sim.streams[id]; all || s.Public {
			rows.add(s)
		}
	}
	return answer(page(c.request, listing[*stream]{
		field: "streamCollections", args: c.args, rows: rows,
		only: rows.byStandard.list(), search: func(s *stream) []string { return []string{s.Name} },
		columns: allColumns(columns[*stream]{
			"name":          {text: func(s *stream) string { return s.Name }},
			"id":            {text: func(s *stream) string { return s.id }},
			"stream_public": {flag: func(s *stream) int8 { return flag(s.Public) }},
			"stream_live":   {flag: func(s *stream) int8 { return flag(s.Live) }},
		}), orders: map[string]string{"_score": ""},
	}))
}

func optionalText(p *string) any {
	if p == nil {
		return nil
	}
	return *p
}

var streamFields = map[string]resolver{
	"id":             on(func(s *stream) any { return s.id }),
	"name":           on(func(s *stream) any { return text(s.Name) }),
	"description":    on(func(s *stream) any { return text(s.Description) }),
	"filters":        on(func(s *stream) any { return optionalText(s.Filters) }),
	"origin_filters": on(func(s *stream) any { return optionalText(s.OriginFilters) }),
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
