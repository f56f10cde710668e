package reconcile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// Compute decides what must change so that the rows equal the wanted set, given what earlier runs left.
// It is a function of its arguments, which stay as they were: no clock, no log, no I/O but the spools of
// the two sealed sets, whose failures are its errors. Removals carry a provisional reason until Explain
// has seen the evidence.
func Compute(rows *Rows, w *Wanted, p Policy, m Memory) (*Plan, error) {
	c := computation{rows: rows, w: w, p: p, m: m, remapped: m.LastGood.Mapping != p.Mapping.Digest(), authors: map[string]int{}, labels: map[string]int{}, plan: &Plan{
		Owned: map[Kind]int{}, Enabled: map[Kind]int{}, Wanted: map[Kind]int{}, Sources: w.Selected(),
		Indicators: w.Read(), WantedDigest: w.Digest(), Skipped: w.skipped(), Unblocked: w.unblocks.At(m.Now),
	}}
	c.countOwned()
	c.weigh()
	for i, j := 0, 0; i < len(w.wants) || j < len(rows.entries); {
		var key Key
		if j == len(rows.entries) || i < len(w.wants) && w.wants[i].key.Compare(rows.entries[j].key) < 0 {
			key = w.wants[i].key
		} else {
			key = rows.entries[j].key
		}
		from, first := i, j
		for i < len(w.wants) && w.wants[i].key == key {
			i++
		}
		for j < len(rows.entries) && rows.entries[j].key == key {
			j++
		}
		c.merge(w.wants[from:i], rows.entries[first:j])
	}
	c.creates()
	c.plan.Origins = c.originsOf()
	if err := errors.Join(rows.Err(), w.Err(), c.plan.Err(), c.err); err != nil {
		return nil, err
	}
	c.plan.sortAll()
	return c.plan, nil
}

type computation struct {
	rows    *Rows
	w       *Wanted
	p       Policy
	m       Memory
	plan    *Plan
	missing [][]want // groups that no row holds
	err     error    // the first rule whose text could not be made

	remapped bool           // the mapping is another one than at the last good run
	heavy    map[uint64]int // owners that give more rules than one may, and how many

	authors, labels map[string]int // of what begins to detect
}

func (c *computation) fail(indicator string, err error) {
	if c.err == nil {
		c.err = fmt.Errorf("indicator %s: %w", indicator, err)
	}
}

func (c *computation) countOwned() {
	for i := range c.rows.entries {
		e := &c.rows.entries[i]
		if e.whose.owned() {
			c.take(e)
		}
		if e.whose == ours {
			c.plan.Marked++
		}
		if e.whose == taken {
			c.plan.Taken++
		}
	}
}

// merge decides on one rule: group are the indicators that want it, rows those that hold it.
func (c *computation) merge(group []want, rows []entry) {
	if len(group) > 0 {
		c.plan.Wanted[group[0].kind]++
		group = c.order(group, rows)
	}
	over := c.unblocked(group, rows)
	if over != nil && over.Active(c.m.Now) {
		c.keepOut(over, group, rows)
		return
	}
	if len(rows) == 1 && len(group) > 0 && rows[0].whose == ours && c.same(&rows[0], group) {
		c.plan.Unchanged++ // nearly every row of nearly every run
		c.trial(&rows[0], group)
		return
	}
	owned, others := c.split(rows)
	switch {
	case len(group) == 0:
		c.unwanted(owned, others)
	case len(owned) > 0:
		c.leave(others, nil)
		inForce := c.compare(owned[0], group, over)
		c.duplicates(owned[1:], group, inForce)
	case len(others) > 0:
		c.adopt(group, others)
	default:
		c.missing = append(c.missing, group)
	}
}

// order breaks ties between owners of one rule by internal id; the digests by which they are sorted
// otherwise say nothing about ids. A Sigma rule has one owner, the one that its row names or else the
// best; the others are skips.
func (c *computation) order(group []want, rows []entry) []want {
	for i := range group[1:] {
		if group[i].score == group[i+1].score && group[i].created == group[i+1].created {
			group = c.byID(group)
			break
		}
	}
	if group[0].kind != Sigma || len(group) == 1 {
		return group
	}
	first := group[0]
	for _, e := range rows {
		if w, named := winner(&e, group); named && e.whose.owned() {
			first = w
			break
		}
	}
	kept := c.w.read(first.at).Owner.ID
	for _, w := range group {
		if w.owner != first.owner {
			rec := c.w.read(w.at)
			c.plan.Skipped.Add(&Skip{Indicator: rec.Owner.ID, Name: rec.Owner.Name, Reason: DuplicateMerged,
				Detail: fmt.Sprintf("Sigma id %s is that of indicator %s", rec.Value, kept)})
		}
	}
	return []want{first}
}

// byID is a group sorted by score, newest and internal id.
func (c *computation) byID(group []want) []want {
	ids := make(map[uint64]string, len(group))
	for _, w := range group {
		ids[w.owner] = c.w.read(w.at).Owner.ID
	}
	return slices.SortedFunc(slices.Values(group), func(a, b want) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.created, a.created), cmp.Compare(ids[a.owner], ids[b.owner]))
	})
}

// same says whether a row of ours needs nothing at all.
func (c *computation) same(e *entry, group []want) bool {
	win, named := winner(e, group)
	return named && e.enabled && !e.stopped && c.sameText(e, win) && c.sameOwners(e, group) && !c.maturityMoved(e, win) && c.pending(e, win).None()
}

// winner is the owner named first in the row while it still owns the value, otherwise the best.
// named is false when the row names another. A row whose marker was cut before the names is known by
// the text, which covers the winner's standard id.
func winner(e *entry, group []want) (win want, named bool) {
	for _, w := range group {
		if w.owner == e.winner || e.winner == 0 && (w.text == e.text || e.known && w.text == e.sent) {
			return w, true
		}
	}
	return group[0], false
}

func (c *computation) sameText(e *entry, win want) bool {
	return e.text == win.text || e.stored && e.sent == win.text
}

func (c *computation) sameOwners(e *entry, group []want) bool {
	if e.blind {
		return true // what the server does not keep cannot differ
	}
	if len(group) == 1 {
		return e.count == 1 && e.owners == group[0].owner
	}
	if int(e.count) != min(len(group), 1<<16-1) {
		return false
	}
	ids := make([]string, len(group))
	for i, w := range group {
		ids[i] = c.w.read(w.at).Owner.ID
	}
	return marker.OwnersDigest(ids...) == e.owners
}

// maturity is what a rule with this winner is to be created with.
func (c *computation) maturity(win want) string {
	if win.kind == Sigma && c.w.ours[win.at] {
		return cmp.Or(c.w.mapped(win).Maturity, "testing")
	}
	return cmp.Or(c.w.mapped(win).Maturity, c.p.Maturity)
}

// maturityMoved says whether our setting changed since the row was written. The server moves rules
// out of testing by itself, so the row's own maturity alone says nothing.
func (c *computation) maturityMoved(e *entry, win want) bool {
	wanted := c.maturity(win)
	if !e.known || e.testing == (wanted == "testing") {
		return false
	}
	return e.maturity != maturityCode(wanted)
}

// pending are the fields that a mapping asks for and the row does not have. What the server holds instead of what
// was sent last, as the marker notes, is its own word and is not sent again.
func (c *computation) pending(e *entry, win want) marker.Fields {
	asked := c.w.mapped(win).fields()
	if asked.None() {
		return marker.Fields{}
	}
	var out marker.Fields
	for i := range asked {
		out[i] = marker.Unset
		if asked.Has(i) && e.has[i] != asked[i] && !(e.asked[i] == asked[i] && e.kept[i] == e.has[i]) {
			out[i] = asked[i]
		}
	}
	return out
}

// mappedCause tells who made a row differ in what a mapping asks for: somebody in the console, our settings, or the
// indicator, for which another entry counts now.
func (c *computation) mappedCause(e *entry, win want, pending marker.Fields) Cause {
	asked := c.w.mapped(win).fields()
	for i := range pending {
		switch {
		case !pending.Has(i) || e.asked[i] == asked[i]:
		case c.remapped:
			return MappingChanged
		default:
			return SourceChanged
		}
	}
	return Drifted
}

// split parts our rows, best first, from those of others. Of several owned rows the one in canonical
// spelling stays, then the oldest.
func (c *computation) split(rows []entry) (owned, others []entry) {
	for _, e := range rows {
		if e.whose.owned() {
			owned = append(owned, e)
		} else {
			others = append(others, e)
		}
	}
	c.rank(owned)
	return owned, others
}

// rank sorts the rows of one rule: the canonical spelling first, then the oldest.
func (c *computation) rank(rows []entry) {
	if len(rows) < 2 {
		return
	}
	age := map[int64]string{}
	for _, e := range rows {
		row := c.rows.read(e.at)
		age[e.at] = row.Created + "\x00" + row.ID
	}
	slices.SortFunc(rows, func(a, b entry) int {
		if a.canonical != b.canonical {
			return map[bool]int{true: -1, false: 1}[a.canonical]
		}
		return cmp.Compare(age[a.at], age[b.at])
	})
}
