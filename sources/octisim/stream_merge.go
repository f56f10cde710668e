package octisim

import "slices"

// Merge makes indicators part of another one, all named by any of their ids: they vanish without an
// event of their own, and the target gets their labels, what they were based on, and their standard
// and further STIX ids. It is false, and nothing changes, for unknown ids, for no sources, and for a
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
		in.Observables = append(in.Observables, from.Observables...)
		for _, l := range from.Labels {
			if !slices.Contains(in.Labels, l) {
				in.Labels = append(in.Labels, l)
			}
		}
		s.vanish(i)
	}
	now := s.build(in)
	s.replace(old, now, false)
	s.rebase(now.id, in.Observables)
	s.log.append(momentOf(s.now()), event{before: old, after: now, merged: gone})
	return true
}

// vanish takes an indicator and its relations out, without an event.
func (s *Sim) vanish(i *indicator) {
	for _, r := range slices.Concat(s.from[i.id], s.to[i.id]) {
		if !r.dead { // one that joins the object to itself comes twice
			s.unrelate(r)
		}
	}
	s.leave(i)
	s.indicators.remove(i)
}
