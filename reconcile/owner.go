package reconcile

import (
	"cmp"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// owners describes a group, its winner first, then by id.
func (c *computation) owners(group []want, win want) []Owner {
	_, owners := c.describe(group, win)
	return owners
}

// describe reads every record of a group once: it gives the winner's, and all owners.
func (c *computation) describe(group []want, win want) (first wantRecord, out []Owner) {
	out = make([]Owner, 0, len(group))
	for _, w := range group {
		rec := c.w.read(w.at)
		if w.owner == win.owner {
			first = rec
		}
		out = append(out, rec.Owner)
	}
	slices.SortFunc(out, func(a, b Owner) int {
		switch {
		case a.ID == b.ID:
			return 0
		case a.ID == first.Owner.ID:
			return -1
		case b.ID == first.Owner.ID:
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return first, out
}

// ownersOf reads the owners from a row's marker.
func ownersOf(row *Row) []Owner {
	out := []Owner{}
	switch row.Kind {
	case IOC:
		m, _ := marker.ParseIOC(row.Comment)
		for i, id := range m.Owners {
			o := Owner{ID: id}
			if i == 0 {
				o.StandardID, o.Score = m.StandardID, m.Score
			}
			out = append(out, o)
		}
		if len(out) == 0 && m.StandardID != "" {
			out = append(out, Owner{StandardID: m.StandardID})
		}
	case Sigma:
		if rule, err := marker.ReadSigma(row.Content); err == nil && rule.Class == marker.Ours {
			out = append(out, Owner{ID: rule.Ref.Owner})
		} else if ref, ok := marker.FindRef(row.Content); err != nil && ok {
			out = append(out, Owner{ID: ref.Owner})
		}
	case YARA:
		l, _, _ := marker.SplitYARA(row.Content)
		for _, id := range l.Owners {
			out = append(out, Owner{ID: id})
		}
	}
	return out
}

// OwnersOf reads the indicators that a rule of ours names in its marker, the winner first: by internal
// id, or those of an old connector by standard id.
func OwnersOf(row *Row) []Owner { return ownersOf(row) }

func ownerIDsOf(owners []Owner) []string {
	ids := []string{}
	for _, o := range owners {
		if o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

func firstOwner(owners []Owner) string {
	if ids := ownerIDsOf(owners); len(ids) > 0 {
		return ids[0]
	}
	return ""
}
