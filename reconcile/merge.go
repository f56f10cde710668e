package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// unwanted decides on rows that no indicator asks for.
func (c *computation) unwanted(owned, others []entry) {
	for _, e := range owned { // duplicates as well: no row stays that would make them mere duplicates
		c.removeUnwanted(e)
	}
	for _, e := range others {
		if e.whose == nobodys && c.p.Unmanaged == RemoveUnmanaged && (e.enabled || c.p.Remove && c.p.Revert) {
			c.take(&e)
			c.removeUnwanted(e)
			continue
		}
		c.leave([]entry{e}, nil)
	}
}

// adopt decides on a wanted rule that only rows of others hold.
func (c *computation) adopt(group []want, others []entry) {
	adopts := c.p.Unmanaged == AdoptUnmanaged || c.p.Unmanaged == RemoveUnmanaged
	if !adopts || slices.ContainsFunc(others, func(e entry) bool { return e.whose == foreign }) {
		c.leave(others, group)
		return
	}
	c.rank(others)
	c.leave(others[1:], nil)
	if e := others[0]; e.enabled || c.p.Revert {
		c.take(&e)
		c.change(e, group, Adopt, Unmanaged, "")
		return
	}
	c.pin(others[0], group, "disabled in the console, and not ours")
}

// take counts an unmanaged row among ours, because this plan acts on it.
func (c *computation) take(e *entry) {
	c.plan.Owned[e.kind]++
	if e.enabled {
		c.plan.Enabled[e.kind]++
	}
}

// duplicates decides on further rows of a wanted rule. One that is in force goes only if the row that stays
// is in force too: otherwise the wanted value would lose its only rule.
func (c *computation) duplicates(rows []entry, group []want, inForce bool) {
	for _, e := range rows {
		row := c.rows.read(e.at)
		if inForce || !e.enabled {
			if ch := c.removal(e); ch != nil && !c.keeps(ch, ch.Owners) {
				c.forsake(ch, c.leaving(c.owners(group, group[0]), &row, &e))
				c.end(ch, Duplicate)
			}
			continue
		}
		item := c.heldRow(&row)
		item.Action, item.Reason, item.Owners = c.ending(), Ambiguous, ownersOf(&row)
		item.Unseen = c.w.unseen(item.Owners)
		item.Detail = "a second rule of ours for it, and the one that would stay is out of force"
		c.plan.Held.Add(&item)
		c.plan.Unchanged++
	}
}

// ending is the action that takes a row out of force.
func (c *computation) ending() Action {
	if c.p.Remove {
		return Delete
	}
	return Disable
}

// leave notes rows that are not ours, in place of a create when group wants their rule.
func (c *computation) leave(rows []entry, group []want) {
	for _, e := range rows {
		row := c.rows.read(e.at)
		item := c.heldRow(&row)
		if item.Reason = Unmanaged; e.whose == foreign {
			item.Reason = ForeignOwner
		} else if e.namesake {
			item.Detail = "it has the name of a wanted rule, and is not ours"
		}
		if len(group) > 0 {
			item.Action, item.Detail = Create, "the wanted rule exists and is not ours"
			item.Owners = c.owners(group, group[0])
		}
		c.plan.Held.Add(&item)
	}
}

func (c *computation) heldRow(row *Row) Held {
	e := Held{Kind: row.Kind, List: c.p.List, ID: row.ID, Name: row.Name}
	if row.Kind == IOC {
		e.Type, e.Value, e.Name = row.Type, c.rows.canon(row.Type, row.Value), ""
	}
	return e
}

// compare decides on a row of ours whose rule is wanted, and says whether it will be in force. over is what kept it
// out of force until now; nil for nothing.
func (c *computation) compare(e entry, group []want, over *Unblock) (inForce bool) {
	if c.pinned(&e) {
		detail := "disabled in the console"
		if e.whose == old {
			detail = "disabled_before_adoption"
		}
		c.pin(e, group, detail)
		return false
	}
	action, why, cause := Update, FieldsChanged, SourceChanged
	switch {
	case e.whose == old:
		action, why, cause = Adopt, OldConnector, ""
	case e.whose == taken:
		action, why, cause = Adopt, Unmanaged, ""
	case !e.enabled && (e.ourStop || c.m.stopped(e.key)):
		action, why = Enable, IndicatorBack
		if over != nil {
			why = UnblockEnded
		}
	case !e.enabled:
		action, why, cause = Enable, DriftFound, Drifted
	case c.same(&e, group):
		c.plan.Unchanged++
		c.trial(&e, group)
		return true
	default:
		why, cause = c.difference(&e, group)
	}
	return c.change(e, group, action, why, cause) || e.enabled
}

// difference says why a row of ours is not as it is wanted.
func (c *computation) difference(e *entry, group []want) (Reason, Cause) {
	win, named := winner(e, group)
	text, owners := c.sameText(e, win), named && c.sameOwners(e, group)
	pending := c.pending(e, win)
	switch {
	case text && c.maturityMoved(e, win):
		if c.remapped || c.w.mapped(win).Maturity == "" {
			return FieldsChanged, MappingChanged
		}
	case text && owners && !pending.None():
		return FieldsChanged, c.mappedCause(e, win, pending)
	case !owners && (text || !named):
		return OwnersChanged, SourceChanged
	case e.known && e.sent == win.text:
		return FieldsChanged, Drifted
	case c.sameAuthor(e, win):
		return FieldsChanged, MappingChanged
	}
	return FieldsChanged, SourceChanged
}

// sameAuthor says whether a Sigma rule was written from the text that its author has now, so that only our
// own way of saying it has changed.
func (c *computation) sameAuthor(e *entry, win want) bool {
	if win.kind != Sigma || !e.known {
		return false
	}
	row := c.rows.read(e.at)
	rule, err := marker.ReadSigma(row.Content)
	return err == nil && rule.Ref.Applied.Author() == cmp.Or(c.w.sources[win.at], win.text)
}

// pin notes a row that a person disabled, and that is wanted.
func (c *computation) pin(e entry, group []want, detail string) {
	row := c.rows.read(e.at)
	item := c.heldRow(&row)
	win, _ := winner(&e, group)
	item.Action, item.Reason, item.Detail, item.Owners = Enable, Pinned, detail, c.owners(group, win)
	c.plan.Held.Add(&item)
	if e.whose.owned() {
		c.plan.Unchanged++
	}
}

// change decides on a write to an existing row, and says whether it is planned.
func (c *computation) change(e entry, group []want, a Action, why Reason, cause Cause) bool {
	row := c.rows.read(e.at)
	win := c.best(&e, &row, group)
	after, rec, owners := c.after(group, win, &row, &e)
	after.HLStatus = row.HLStatus
	if a != Adopt && c.maturityMoved(&e, win) {
		after.HLStatus = c.maturity(win)
	}
	before := beside(&row, after)
	ch := Change{Kind: row.Kind, List: c.p.List, Action: a, Reason: why, Cause: cause, ID: row.ID, Before: before, After: after,
		Fields: differing(row.Kind, before, after), Owners: owners, Notes: rec.Notes, Key: e.key, Sent: c.sentOf(win)}
	ch.nameFrom(&row, c.rows.canon)
	if row.Kind != IOC {
		ch.Name = rec.Name
	}
	gone := c.leaving(ch.Owners, &row, &e)
	if a == Enable { // what is wanted does not wait
		gone = slices.DeleteFunc(gone, func(o Owner) bool {
			unread := c.w.unreadOf([]Owner{o}) != ""
			if unread {
				ch.nameAlso(o)
			}
			return unread
		})
	} else if c.keeps(&ch, gone) {
		return false
	}
	c.forsake(&ch, gone)
	planned := c.add(&ch)
	if planned {
		c.begun(&ch, &rec)
	}
	return planned
}

// leaving are the owners of a row that are none of those which stay, and were not read or are selected all the same. One without
// an id stands for those that the marker only counts.
func (c *computation) leaving(stay []Owner, row *Row, e *entry) []Owner {
	named := ownersOf(row)
	among := func(owners []Owner, o Owner) bool {
		return slices.ContainsFunc(owners, func(n Owner) bool { return n.ID == o.ID })
	}
	further := len(stay)
	for _, o := range stay {
		if among(named, o) {
			further--
		}
	}
	unnamed := int(e.count) - len(named)
	gone := slices.DeleteFunc(named, func(o Owner) bool {
		return c.w.unreadOf([]Owner{o}) == "" && (o.ID == "" || c.w.left(o.ID) || among(stay, o))
	})
	if unnamed > further {
		gone = append(gone, Owner{})
	}
	return gone
}

// forsake notes those that a change takes away, to be asked for.
func (c *computation) forsake(ch *Change, gone []Owner) {
	if len(gone) == 0 {
		return
	}
	if c.plan.forsaken == nil {
		c.plan.forsaken = map[Key][]Owner{}
	}
	c.plan.forsaken[ch.Key] = append(c.plan.forsaken[ch.Key], gone...)
}

// sentOf names what a rule with this winner says, for the memory of refusals and for Verify.
func (c *computation) sentOf(win want) string {
	return sent(win.text, c.w.mapped(win).fields())
}

func sent(text uint64, asked marker.Fields) string {
	s := fmt.Sprintf("%016x", text)
	if !asked.None() {
		s += "-" + asked.String()
	}
	return s
}

// best is the winner of a group for a row, which the row of an old connector names by standard id.
func (c *computation) best(e *entry, row *Row, group []want) want {
	win, named := winner(e, group)
	if named || e.whose != old || e.kind != IOC {
		return win
	}
	m, _ := marker.ParseIOC(row.Comment)
	for _, w := range group {
		if c.w.read(w.at).Owner.StandardID == m.StandardID {
			return w
		}
	}
	return win
}

// add plans a change unless the server refused it before or the mode forbids it, and says whether it did. Of an
// update that was refused the owners are written all the same: they are asked for before the rule goes.
func (c *computation) add(ch *Change) bool {
	if r, refused := c.m.refused(ch); refused {
		c.plan.hold(ch, Refused, r.Words)
		if alone, ok := ch.ownersAlone(); ok && c.p.Mode.allows(Update) {
			c.plan.replace(&alone, &c.m)
		}
		return false
	}
	if !c.p.Mode.allows(ch.Action) {
		c.plan.hold(ch, PolicyHeld, fmt.Sprintf("policy %s forbids %s", c.p.Mode, ch.Action))
		return false
	}
	c.plan.Changes.Add(ch)
	c.noteHeavy(ch)
	return true
}

// removeUnwanted takes out of force a row that no indicator asks for.
func (c *computation) removeUnwanted(e entry) {
	if ch := c.removal(e); ch != nil && !c.keeps(ch, wanters(ch, &e)) {
		c.end(ch, c.provisional(ch.Owners))
	}
}

// wanters are the owners of a row that is to go, those that its marker does not name as one without an id. An old connector
// named an indicator by its standard id, which may be another by now.
func wanters(ch *Change, e *entry) []Owner {
	if len(ch.Owners) == 0 || ch.Unnamed > 0 || ch.Blind || e.whose == old {
		return append(slices.Clone(ch.Owners), Owner{})
	}
	return ch.Owners
}

// keeps holds a change that takes a rule away from owners of which one could not be read, and may want it.
func (c *computation) keeps(ch *Change, owners []Owner) bool {
	id := c.w.unreadOf(owners)
	if id == "" {
		return false
	}
	c.plan.lose(id, Unreadable, ch.Kind)
	unseen := len(ch.Owners) > 0 && c.w.unseen(owners) // one that names nobody stays, whatever is seen
	is := func(o Owner) bool { return o.ID == id }
	if slices.ContainsFunc(owners, is) && !slices.ContainsFunc(ch.Owners, is) {
		ch.Owners = append(ch.Owners, Owner{ID: id})
	}
	c.plan.doubt(ch, Ambiguous, "an indicator that owns it, or may own it, cannot be read: "+id, unseen)
	return true
}

// pinned says whether a person disabled a row, and not we, so that it stays as it is.
func (c *computation) pinned(e *entry) bool {
	return !e.enabled && !e.ourStop && !c.m.stopped(e.key) && !c.p.Revert
}

// removal is the change that ends a row. There is none for a row that is out of force already, unless removals
// delete; and one that a person disabled stays even then, since it remembers that decision for the day on which its
// indicator is back.
func (c *computation) removal(e entry) *Change {
	if !e.enabled && !c.p.Remove {
		c.plan.Unchanged++
		return nil
	}
	row := c.rows.read(e.at)
	if c.pinned(&e) {
		item := c.heldRow(&row)
		item.Action, item.Reason, item.Owners = Delete, Pinned, ownersOf(&row)
		item.Detail = "disabled in the console, and not wanted any more; it stays for the day it is"
		c.plan.Held.Add(&item)
		c.plan.Unchanged++
		return nil
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: c.ending(), ID: row.ID, Before: bodyOf(&row),
		Fields: []string{}, Owners: ownersOf(&row), Key: e.key, Blind: e.blind}
	ch.Unnamed = max(0, int(e.count)-len(ch.Owners))
	ch.nameFrom(&row, c.rows.canon)
	if ch.Action == Delete && !e.enabled {
		ch.Sent = DeleteSent
	}
	return &ch
}

// end plans a removal for a reason.
func (c *computation) end(ch *Change, why Reason) {
	ch.Reason = why
	ch.stop(&c.p)
	c.add(ch)
}

// DeleteSent stands for a text in the memory of refusals when the server refused a delete.
const DeleteSent = "delete"

// provisional is the reason for a removal that the read itself knows.
func (c *computation) provisional(owners []Owner) Reason {
	why := IndicatorGone
	for _, o := range owners {
		s, read := c.w.lookup(marker.OwnersDigest(o.ID))
		switch {
		case !read:
		case s.passed:
			return ValueRemoved
		case s.why > 0:
			why = skipCodes[s.why]
		}
	}
	return why
}
