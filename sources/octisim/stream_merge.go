package octisim

import "slices"

// Merge makes indicators part of another one, all named by any of their ids: they vanish without an
// event of their own, and the target gets their labels, relations, sightings, and standard and
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
		for _, l := range from.Labels {
			if !slices.Contains(in.Labels, l) {
				in.Labels = append(in.Labels, l)
			}
		}
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
