package octisim

import (
	"cmp"
	"slices"
)

// Attach makes the indicator based on an observable, which is created unless the platform knows it
// by one of its ids, and gives the observable's internal id; empty for an unknown indicator. The
// indicator's updated_at stays: a relation is no change of its ends.
func (s *Sim) Attach(indicatorID string, o Observable) (observableID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[indicatorID].(*indicator)
	if !ok {
		return ""
	}
	return s.attach(i.id, o).id
}

// Detach removes the based-on relation between the two; the observable stays.
func (s *Sim) Detach(indicatorID, observableID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[indicatorID].(*indicator)
	if !ok {
		return false
	}
	for _, r := range s.from[i.id] {
		if o := s.items[r.to]; r.entity == basedOn && o != nil && (o.core().id == observableID || o.core().standard == observableID) {
			s.unrelate(r)
			return true
		}
	}
	return false
}

// rebase makes the indicator based on exactly the given observables.
func (s *Sim) rebase(id string, want []Observable) {
	kept := map[string]bool{}
	for _, o := range want {
		kept[s.attach(id, o).id] = true
	}
	for _, r := range slices.Clone(s.from[id]) {
		if r.entity == basedOn && !kept[r.to] {
			s.unrelate(r)
		}
	}
}

func (s *Sim) attach(id string, in Observable) *observable {
	o := s.observable(in)
	for _, r := range s.from[id] {
		if r.entity == basedOn && r.to == o.id {
			return o
		}
	}
	i := s.items[id].(*indicator)
	at := momentOf(s.now())
	standard := "relationship--" + s.newID() // random before 6.4.0
	if s.version.atLeast("6.4.0") {
		standard = basedOnID(i.standard, o.standard)
		if s.items[standard] != nil {
			standard = "relationship--" + s.newID()
		}
	}
	r := &relation{
		base: base{id: s.newID(), standard: standard, entity: basedOn, createdAt: at, updatedAt: at, facts: certain}, from: i.id, to: o.id,
	}
	s.relate(r)
	return o
}

// certain are the facts of a relation that no import brought.
var certain = &facts{confidence: 100}

// basedOn joins an indicator to the observables that make it.
const basedOn = "based-on"

// relate stores a new relation or sighting.
func (s *store) relate(r *relation) {
	s.tableOf(r).add(r)
	s.enter(r)
	s.from[r.from] = append(s.from[r.from], r)
	s.to[r.to] = append(s.to[r.to], r)
}

func (s *store) tableOf(r *relation) *table[*relation] {
	if r.sighting() {
		return s.sightings
	}
	return s.relations
}

func (s *Sim) unrelate(r *relation) {
	s.leave(r)
	s.tableOf(r).remove(r)
	is := func(x *relation) bool { return x == r }
	if s.from[r.from] = slices.DeleteFunc(s.from[r.from], is); len(s.from[r.from]) == 0 {
		delete(s.from, r.from)
	}
	if s.to[r.to] = slices.DeleteFunc(s.to[r.to], is); len(s.to[r.to]) == 0 {
		delete(s.to, r.to)
	}
}

// observable finds an observable by one of its ids, or makes it.
func (s *Sim) observable(in Observable) *observable {
	k := observableKind(in.EntityType)
	in.EntityType = k.entity
	in.StandardID = cmp.Or(in.StandardID, observableID(s.version, &in))
	for _, id := range []string{in.ID, in.StandardID} {
		if o, ok := s.items[id].(*observable); ok {
			return o
		}
	}
	at := momentOf(s.now())
	o := &observable{
		base:  base{id: in.ID, standard: in.StandardID, entity: k.entity, createdAt: at, updatedAt: at, markings: s.markingsOf(in.Markings)},
		value: in.Value, name: in.Name, hashes: in.Hashes, score: optional(in.Score),
	}
	if in.Props != nil {
		o.facts = &facts{confidence: -1, props: in.Props}
	}
	if o.id == "" {
		o.id = s.newID()
	}
	s.observables.add(o)
	s.enter(o)
	return o
}

// Merge makes indicators part of another one, all named by any of their ids: they vanish without an
// event of their own, and the target gets their labels, markings, relations, sightings, and standard and
// further STIX ids. It is false, and nothing changes, for unknown ids, for no sources, and for a
// target among its own sources.
func (s *Sim) Merge(target string, sources ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.items[target].(*indicator)
	if !ok {
		return false
	}
	var gone []*indicator
	for _, id := range sources {
		i, ok := s.items[id].(*indicator)
		if !ok || i == old {
			return false
		}
		if !slices.Contains(gone, i) {
			gone = append(gone, i)
		}
	}
	if len(gone) == 0 {
		return false
	}
	in := s.public(old)
	moved := in.Modified.Equal(in.UpdatedAt)
	in.UpdatedAt = s.after(old.updatedAt).time()
	if moved {
		in.Modified = in.UpdatedAt
	}
	for _, i := range gone {
		from := s.public(i)
		in.StixIDs = append(append(in.StixIDs, from.StandardID), from.StixIDs...)
		in.Labels = grow(in.Labels, from.Labels, new(bool))
		in.Markings = grow(in.Markings, from.Markings, new(bool))
		s.leave(i)
		s.indicators.remove(i)
		s.rejoin(i.id, old.id)
	}
	now := s.build(in)
	s.replace(old, now, false)
	s.log.append(momentOf(s.now()), event{before: old, after: now, cause: &cause{s.log.by, gone}})
	return true
}

// rejoin moves the relations and sightings of one object to another, but for those that it has, and
// those between the two.
func (s *Sim) rejoin(from, to string) {
	for _, r := range slices.Concat(s.from[from], s.to[from]) {
		if r.dead { // one that joins the object to itself comes twice
			continue
		}
		s.unrelate(r)
		next := *r
		next.dead = false
		if next.from == from {
			next.from = to
		}
		if next.to == from {
			next.to = to
		}
		same := func(x *relation) bool { return x.entity == next.entity && x.to == next.to }
		if next.from != next.to && !slices.ContainsFunc(s.from[next.from], same) {
			s.relate(&next)
		}
	}
}
