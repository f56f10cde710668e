package octisim

// entity is an object that is its facts: an incident, a case, a note, an attack pattern, an identity.
type entity struct{ base }

func (e *entity) typename() string { return kindOf(e.entity).graphql }

// shown is the name that the platform displays; of a note it is the abstract, or the content.
func (e *entity) shown() string {
	for _, name := range []string{"name", "attribute_abstract", "content"} {
		if s := e.told().text(name); s != "" {
			return s
		}
	}
	return e.entity
}

// insert stores a new object.
func insert[T item](s *store, t *table[T], v T) {
	t.add(v)
	s.enter(v)
}

// exchange stores now in the place of old.
func exchange[T item](s *store, t *table[T], old, now T) {
	s.leave(old)
	t.swap(old, now)
	s.enter(now)
}

// exchangeRelation does so for a relation, which its ends know too.
func (s *store) exchangeRelation(old, now *relation) {
	exchange(s, s.tableOf(old), old, now)
	for _, rows := range [][]*relation{s.from[old.from], s.to[old.to]} {
		for i, r := range rows {
			if r == old {
				rows[i] = now
				break
			}
		}
	}
}

// erase removes any object, with its relations and sightings. What holds it or names it as author
// does so no longer.
func (s *Sim) erase(v item) {
	b := v.core()
	if r, ok := v.(*relation); ok {
		s.isolate(b.id)
		s.unrelate(r)
		return
	}
	s.isolate(b.id)
	s.leave(v)
	switch v := v.(type) {
	case *indicator:
		s.indicators.remove(v)
		s.log.add(momentOf(s.now()), v, nil)
	case *observable:
		s.observables.remove(v)
	case *entity:
		s.entityTable(v.entity).remove(v)
	}
}
