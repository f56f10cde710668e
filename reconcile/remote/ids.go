package remote

import "hash/maphash"

// IDs remembers ids by a hash of each, in about 16 bytes; two of a million are taken for one with a chance
// of one in thirty million. The zero value is empty. It is not safe for concurrent use.
type IDs struct {
	slots []uint64 // a power of two of them; an id stands in the first one that was free from its own on
	n     int
}

var idSeed = maphash.MakeSeed()

// Add adds an id and says whether it is new.
func (s *IDs) Add(id string) bool {
	if 4*s.n >= 3*len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, max(2*len(old), 16))
		for _, h := range old {
			if h != 0 {
				*s.slot(h) = h
			}
		}
	}
	h := maphash.String(idSeed, id) | 1 // 0 is a free slot
	slot := s.slot(h)
	if *slot == h {
		return false
	}
	*slot = h
	s.n++
	return true
}

// slot is where a hash stands, or would stand.
func (s *IDs) slot(h uint64) *uint64 {
	for at := h >> 1; ; at++ {
		if slot := &s.slots[at&uint64(len(s.slots)-1)]; *slot == h || *slot == 0 {
			return slot
		}
	}
}

// Len is the number of different ids.
func (s *IDs) Len() int { return s.n }
