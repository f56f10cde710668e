package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"harfangsync/reconcile/marker"
)

// Compute decides what must change so that the rows equal the wanted set. It is a function of its
// arguments: no clock, no log, no I/O but the spools of the two sealed sets, which are the only
// source of its errors. Removals carry a provisional reason until Explain has seen the evidence.
func Compute(rows *Rows, w *Wanted, p Policy) (*Plan, error) {
	c := computation{rows: rows, w: w, p: p, plan: &Plan{
		Owned: map[Kind]int{}, Enabled: map[Kind]int{}, Wanted: map[Kind]int{}, Sources: w.Selected(),
		Indicators: w.Read(), WantedDigest: w.Digest(), Skipped: w.skipped(),
	}}
	for _, h := range rows.entries {
		if h.whose.owned() {
			c.plan.Owned[h.kind]++
			if h.enabled {
				c.plan.Enabled[h.kind]++
			}
		}
	}
	// A merge of two sorted sequences: each key is met once, with all that want it and all that hold it.
	i, j := 0, 0
	for i < len(w.entries) || j < len(rows.entries) {
		var key Key
		switch {
		case i == len(w.entries):
			key = rows.entries[j].key
		case j == len(rows.entries) || w.entries[i].key.Compare(rows.entries[j].key) <= 0:
			key = w.entries[i].key
		default:
			key = rows.entries[j].key
		}
		i2, j2 := i, j
		for i2 < len(w.entries) && w.entries[i2].key == key {
			i2++
		}
		for j2 < len(rows.entries) && rows.entries[j2].key == key {
			j2++
		}
		if err := c.merge(w.entries[i:i2], rows.entries[j:j2]); err != nil {
			return nil, err
		}
		i, j = i2, j2
	}
	if err := c.creates(); err != nil {
		return nil, err
	}
	c.plan.sortAll()
	return c.plan, nil
}

type computation struct {
	rows    *Rows
	w       *Wanted
	p       Policy
	plan    *Plan
	missing [][]want // groups that no row holds
}

// merge decides on one rule: the indicators that want it and the rows that hold it.
func (c *computation) merge(group []want, rows []entry) error {
	if len(group) > 0 {
		c.plan.Wanted[group[0].kind]++
		var err error
		if group, err = c.order(group, rows); err != nil {
			return err
		}
	}
	if len(rows) == 1 && len(group) > 0 && rows[0].whose == ours && c.same(&rows[0], group) {
		c.plan.Unchanged++ // nearly every row of nearly every run
		return nil
	}
	owned, strangers, err := c.split(rows)
	if err != nil {
		return err
	}
	if len(group) == 0 {
		return c.unwanted(owned, strangers)
	}
	if len(owned) == 0 {
		return c.adoptOrCreate(group, strangers)
	}
	if err := c.hold(strangers, nil); err != nil {
		return err
	}
	if err := c.compare(owned[0], group); err != nil {
		return err
	}
	return c.duplicates(owned[1:], owned[0].enabled || c.enabling(owned[0]))
}

// order breaks ties between owners of one rule by internal id; the digests by which they are sorted
// otherwise say nothing about ids. A Sigma rule has one owner, the one that its row names or else the
// best; the others are skips.
func (c *computation) order(group []want, rows []entry) ([]want, error) {
	for from := 0; from < len(group); {
		to := from + 1
		for to < len(group) && group[to].score == group[from].score && group[to].created == group[from].created {
			to++
		}
		if to-from > 1 {
			ids := map[uint64]string{}
			for _, e := range group[from:to] {
				rec, err := c.w.read(e.at)
				if err != nil {
					return nil, err
				}
				ids[e.owner] = rec.Owner.ID
			}
			slices.SortFunc(group[from:to], func(a, b want) int { return cmp.Compare(ids[a.owner], ids[b.owner]) })
		}
		from = to
	}
	if group[0].kind != Sigma || len(group) == 1 {
		return group, nil
	}
	first := group[0]
	for _, h := range rows {
		if w, named := winner(&h, group); named && h.whose.owned() {
			first = w
			break
		}
	}
	kept, err := c.w.read(first.at)
	if err != nil {
		return nil, err
	}
	for _, e := range group {
		if e.owner == first.owner {
			continue
		}
		rec, err := c.w.read(e.at)
		if err != nil {
			return nil, err
		}
		c.plan.Skipped = append(c.plan.Skipped, Skip{rec.Owner.ID, DuplicateMerged,
			fmt.Sprintf("Sigma id %s is that of indicator %s", rec.Value, kept.Owner.ID)})
	}
	return []want{first}, nil
}

// same says whether a row of ours needs nothing at all.
func (c *computation) same(h *entry, group []want) bool {
	win, ok := winner(h, group)
	return ok && h.enabled && !h.stopped && c.sameText(h, win) && c.sameOwners(h, group) && !c.maturityMoved(h, win) && c.pending(h, win).None()
}

// winner is the owner named first in the row while it still owns the value, otherwise the best.
// ok is false when the row names another. A row whose marker was cut before the names is known by
// the text, which covers the winner's standard id.
func winner(h *entry, group []want) (w want, ok bool) {
	for _, e := range group {
		if e.owner == h.winner || h.winner == 0 && (e.text == h.text || h.known && e.text == h.sent) {
			return e, true
		}
	}
	return group[0], false
}

func (c *computation) sameText(h *entry, win want) bool {
	return h.text == win.text || h.stored && h.sent == win.text
}

func (c *computation) sameOwners(h *entry, group []want) bool {
	if h.blind {
		return true // what the server does not keep cannot differ
	}
	if len(group) == 1 {
		return h.count == 1 && h.owners == group[0].owner
	}
	if int(h.count) != min(len(group), 1<<16-1) {
		return false
	}
	ids, err := c.ownerIDs(group)
	return err == nil && marker.OwnersDigest(ids...) == h.owners
}

func (c *computation) ownerIDs(group []want) ([]string, error) {
	ids := make([]string, len(group))
	for i, e := range group {
		rec, err := c.w.read(e.at)
		if err != nil {
			return nil, err
		}
		ids[i] = rec.Owner.ID
	}
	return ids, nil
}

// maturity is what a rule with this winner is to be created with.
func (c *computation) maturity(win want) string {
	return cmp.Or(c.w.mapped(win).Maturity, c.p.Maturity)
}

// maturityMoved says whether our setting changed since the row was written. The server moves rules
// out of testing by itself, so the row's own maturity alone says nothing.
func (c *computation) maturityMoved(h *entry, win want) bool {
	wanted := c.maturity(win)
	if !h.known || h.testing == (wanted == "testing") {
		return false
	}
	return h.maturity != maturityCode(wanted)
}

// pending are the fields that a mapping asks for and the row does not have. What the server holds instead of what
// was sent last, as the marker notes, is its own word and is not sent again.
func (c *computation) pending(h *entry, win want) marker.Fields {
	asked := c.w.mapped(win).fields()
	if asked.None() {
		return marker.Fields{}
	}
	var out marker.Fields
	for i := range asked {
		out[i] = marker.Unset
		if asked.Has(i) && h.has[i] != asked[i] && !(h.asked[i] == asked[i] && h.kept[i] == h.has[i]) {
			out[i] = asked[i]
		}
	}
	return out
}

// remapped tells who made a row differ in what a mapping asks for: somebody in the console, our settings, or the
// indicator, for which another entry counts now.
func (c *computation) remapped(h *entry, win want, pending marker.Fields) Cause {
	asked := c.w.mapped(win).fields()
	for i := range pending {
		switch {
		case !pending.Has(i) || h.asked[i] == asked[i]:
		case c.p.Remapped:
			return MappingChanged
		default:
			return SourceChanged
		}
	}
	return Drifted
}

// split parts our rows, best first, from those of others. Of several owned rows the one in canonical
// spelling stays, then the oldest.
func (c *computation) split(rows []entry) (owned, strangers []entry, err error) {
	for _, h := range rows {
		if h.whose.owned() {
			owned = append(owned, h)
		} else {
			strangers = append(strangers, h)
		}
	}
	return owned, strangers, c.rank(owned)
}

// rank sorts the rows of one rule: the canonical spelling first, then the oldest.
func (c *computation) rank(rows []entry) error {
	if len(rows) < 2 {
		return nil
	}
	age := map[int64]string{}
	for _, h := range rows {
		row, err := c.rows.read(h.at)
		if err != nil {
			return err
		}
		age[h.at] = row.Created + "\x00" + row.ID
	}
	slices.SortFunc(rows, func(a, b entry) int {
		if a.canonical != b.canonical {
			return map[bool]int{true: -1, false: 1}[a.canonical]
		}
		return cmp.Compare(age[a.at], age[b.at])
	})
	return nil
}
