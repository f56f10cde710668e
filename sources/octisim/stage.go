package octisim

import "errors"

// Import brings the objects of a bundle in at once, with every right and no work, as other users of
// the platform did before. It gives what went wrong with single objects, and an error for a text that
// is no bundle.
func (s *Sim) Import(bundle []byte) ([]WorkError, error) {
	objects, ok := bundled(bundle)
	if !ok {
		return nil, errors.New("invalid bundle")
	}
	s.lock()
	defer s.mu.Unlock()
	im := s.importer(&User{ID: systemUser, Name: "SYSTEM", Capabilities: []string{"BYPASS"}, MaxConfidence: new(100)})
	im.may = nil
	var wrong []WorkError
	for _, o := range split(objects) {
		if fail := im.take(o); fail != nil {
			wrong = append(wrong, WorkError{fail.code + ": " + fail.message, string(o.raw)})
		}
	}
	return wrong, nil
}

// Expire does what the platform's managers do with indicators whose time is over, whose ids are given,
// or with all whose valid_until has passed when none are: they become revoked and undetected, and
// their score falls to the one at which decay revokes. It gives the number that it changed.
func (s *Sim) Expire(ids ...string) int {
	if len(ids) == 0 {
		ids = s.expired()
	}
	n := 0
	for _, id := range ids {
		if s.Edit(id, func(i *Indicator) {
			fallen := 0
			if i.Score != nil && *i.Score > revokeScore {
				fallen = revokeScore
			}
			i.Revoked, i.Detection, i.Score = true, new(false), &fallen
		}) {
			n++
		}
	}
	return n
}

// revokeScore is where decay revokes an indicator; one that had no more ends at 0.
const revokeScore = 20

// expired are the internal ids of what is valid no longer and not revoked yet.
func (s *Sim) expired() []string {
	s.lock()
	defer s.mu.Unlock()
	var out []string
	now := momentOf(s.now())
	for _, i := range s.indicators.byCreation.list() {
		if !i.dead && !i.revoked && !i.validUntil.unknown() && i.validUntil <= now {
			out = append(out, i.id)
		}
	}
	return out
}
