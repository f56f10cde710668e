package reconcile

import (
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// creates plans the rules that no row holds. An owner that has other rules gained a value; one that
// has none is new.
func (c *computation) creates() {
	if len(c.missing) == 0 {
		return
	}
	known := map[uint64]bool{} // owners of what is missing, and whether a row is theirs
	for _, group := range c.missing {
		for _, w := range group {
			known[w.owner] = false
		}
	}
	found := func(owner uint64) {
		if _, asked := known[owner]; asked {
			known[owner] = true
		}
	}
	for _, e := range c.rows.entries {
		if e.whose != ours && e.whose != taken {
			continue
		}
		found(e.winner)
		if e.count > 1 {
			row := c.rows.read(e.at)
			for _, o := range ownersOf(&row) {
				found(marker.OwnersDigest(o.ID))
			}
		}
	}
	for _, group := range c.missing {
		c.create(group, known)
	}
}

func (c *computation) create(group []want, known map[uint64]bool) {
	after, rec, owners := c.after(group, group[0], nil, nil)
	after.HLStatus = c.maturity(group[0])
	ch := Change{Kind: group[0].kind, List: c.p.List, Action: Create, Reason: NewIndicator, After: after,
		Fields: []string{}, Owners: owners, Notes: rec.Notes, Key: group[0].key, Sent: c.sentOf(group[0])}
	if ch.Name = rec.Name; ch.Kind == IOC {
		ch.Type, ch.Value = rec.Type, rec.Value
	}
	if slices.ContainsFunc(group, func(w want) bool { return known[w.owner] }) {
		ch.Reason = ValueAdded
	}
	if r, refused := c.m.refused(&ch); refused && r.Elsewhere && ch.Kind == Sigma {
		c.plan.Skipped.Add(&Skip{Indicator: rec.Owner.ID, Name: rec.Owner.Name, Reason: ExistsElsewhere, Detail: "the Sigma id exists in another list: " + r.Words})
		return
	}
	if c.add(&ch) {
		c.begun(&ch, &rec)
	}
}
