package reconcile

import (
	"fmt"
	"slices"

	"harfangsync/reconcile/marker"
)

// unwanted decides on rows that no indicator asks for.
func (c *computation) unwanted(owned, others []entry) {
	for _, h := range owned { // duplicates as well: no row stays that would make them mere duplicates
		c.removeUnwanted(h)
	}
	for _, h := range others {
		if h.whose == nobodys && c.p.Unmanaged == RemoveUnmanaged && (h.enabled || c.p.Remove) {
			c.take(&h)
			c.removeUnwanted(h)
			continue
		}
		c.leave([]entry{h}, nil)
	}
}

// adopt decides on a wanted rule that only rows of others hold.
func (c *computation) adopt(group []want, others []entry) {
	adopts := c.p.Unmanaged == AdoptUnmanaged || c.p.Unmanaged == RemoveUnmanaged
	if !adopts || slices.ContainsFunc(others, func(h entry) bool { return h.whose == foreign }) {
		c.leave(others, group)
		return
	}
	c.rank(others)
	c.leave(others[1:], nil)
	if h := others[0]; h.enabled || c.p.Revert {
		c.take(&h)
		c.change(h, group, Adopt, Unmanaged, "")
		return
	}
	c.pin(others[0], group, "disabled in the console, and not ours")
}

// take counts an unmanaged row among ours, because this plan acts on it.
func (c *computation) take(h *entry) {
	c.plan.Owned[h.kind]++
	if h.enabled {
		c.plan.Enabled[h.kind]++
	}
}

// duplicates decides on further rows of a wanted rule. One that is in force goes only if the row that stays
// is in force too: otherwise the wanted value would lose its only rule.
func (c *computation) duplicates(rows []entry, inForce bool) {
	for _, h := range rows {
		if inForce || !h.enabled {
			if ch := c.removal(h); ch != nil {
				c.end(ch, Duplicate)
			}
			continue
		}
		row := c.rows.read(h.at)
		item := c.heldRow(&row)
		item.Action, item.Reason, item.Owners = c.ending(), Ambiguous, ownersOf(&row)
		item.Detail = "a second rule of ours for it, and the one that would stay is out of force"
		c.plan.Held = append(c.plan.Held, item)
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
	for _, h := range rows {
		row := c.rows.read(h.at)
		item := c.heldRow(&row)
		if item.Reason = Unmanaged; h.whose == foreign {
			item.Reason = ForeignOwner
		}
		if len(group) > 0 {
			item.Action, item.Detail = Create, "the wanted rule exists and is not ours"
			item.Owners = c.owners(group, group[0])
		}
		c.plan.Held = append(c.plan.Held, item)
	}
}

func (c *computation) heldRow(row *Row) Held {
	h := Held{Kind: row.Kind, List: c.p.List, ID: row.ID, Name: row.Name}
	if row.Kind == IOC {
		h.Type, h.Value, h.Name = row.Type, c.rows.canon(row.Type, row.Value), ""
	}
	return h
}

// compare decides on a row of ours whose rule is wanted, and says whether it will be in force.
func (c *computation) compare(h entry, group []want) (inForce bool) {
	h.ourStop = h.ourStop || !h.enabled && c.m.Stopped[h.key]
	if !h.enabled && !h.ourStop && !c.p.Revert {
		detail := "disabled in the console"
		if h.whose == old {
			detail = "disabled_before_adoption"
		}
		c.pin(h, group, detail)
		return false
	}
	action, why, cause := Update, FieldsChanged, SourceChanged
	switch {
	case h.whose == old:
		action, why, cause = Adopt, OldConnector, ""
	case h.whose == taken:
		action, why, cause = Adopt, Unmanaged, ""
	case !h.enabled && h.ourStop:
		action, why = Enable, IndicatorBack
	case !h.enabled:
		action, why, cause = Enable, DriftFound, Drifted
	case c.same(&h, group):
		c.plan.Unchanged++
		return true
	default:
		why, cause = c.difference(&h, group)
	}
	return c.change(h, group, action, why, cause) || h.enabled
}

// difference says why a row of ours is not as it is wanted.
func (c *computation) difference(h *entry, group []want) (Reason, Cause) {
	win, named := winner(h, group)
	text, owners := c.sameText(h, win), named && c.sameOwners(h, group)
	pending := c.pending(h, win)
	switch {
	case text && c.maturityMoved(h, win):
		if c.m.remapped(&c.p) || c.w.mapped(win).Maturity == "" {
			return FieldsChanged, MappingChanged
		}
	case text && owners && !pending.None():
		return FieldsChanged, c.remapped(h, win, pending)
	case !owners && (text || !named):
		return OwnersChanged, SourceChanged
	case h.known && h.sent == win.text:
		return FieldsChanged, Drifted
	}
	return FieldsChanged, SourceChanged
}

// pin notes a row that a person disabled, and that is wanted.
func (c *computation) pin(h entry, group []want, detail string) {
	row := c.rows.read(h.at)
	item := c.heldRow(&row)
	win, _ := winner(&h, group)
	item.Action, item.Reason, item.Detail, item.Owners = Enable, Pinned, detail, c.owners(group, win)
	c.plan.Held = append(c.plan.Held, item)
	if h.whose.owned() {
		c.plan.Unchanged++
	}
}

// change decides on a write to an existing row, and says whether it is planned.
func (c *computation) change(h entry, group []want, a Action, why Reason, cause Cause) bool {
	row := c.rows.read(h.at)
	win := c.best(&h, &row, group)
	after, rec, owners := c.after(group, win, &row, &h)
	after.HLStatus = row.HLStatus
	if a != Adopt && c.maturityMoved(&h, win) {
		after.HLStatus = c.maturity(win)
	}
	before := beside(&row, after)
	ch := Change{Kind: row.Kind, List: c.p.List, Action: a, Reason: why, Cause: cause, ID: row.ID, Before: before, After: after,
		Fields: differing(row.Kind, before, after), Owners: owners, Key: h.key, Sent: c.sentOf(win)}
	ch.nameFrom(&row, c.rows.canon)
	if row.Kind != IOC {
		ch.Name = rec.Name
	}
	return c.add(&ch)
}

// sentOf names what a rule with this winner says, for the memory of refusals and for Verify.
func (c *computation) sentOf(win want) string {
	s := fmt.Sprintf("%016x", win.text)
	if asked := c.w.mapped(win).fields(); !asked.None() {
		s += "-" + asked.String()
	}
	return s
}

// best is the winner of a group for a row, which the row of an old connector names by standard id.
func (c *computation) best(h *entry, row *Row, group []want) want {
	win, named := winner(h, group)
	if named || h.whose != old || h.kind != IOC {
		return win
	}
	m, _ := marker.ParseIOC(row.Comment)
	for _, e := range group {
		if c.w.read(e.at).Owner.StandardID == m.StandardID {
			return e
		}
	}
	return win
}

// add plans a change unless the server refused it before or the mode forbids it, and says whether it did.
func (c *computation) add(ch *Change) bool {
	if r, refused := c.m.refused(ch); refused {
		c.plan.hold(ch, Refused, r.Words)
		return false
	}
	if !c.p.Mode.allows(ch.Action) {
		c.plan.hold(ch, PolicyHeld, fmt.Sprintf("policy %s forbids %s", c.p.Mode, ch.Action))
		return false
	}
	c.plan.Changes = append(c.plan.Changes, *ch)
	return true
}

// removeUnwanted takes out of force a row that no indicator asks for.
func (c *computation) removeUnwanted(h entry) {
	if ch := c.removal(h); ch != nil {
		c.end(ch, c.provisional(ch.Owners))
	}
}

// removal is the change that ends a row. A row that is out of force already is deleted where removals
// delete, and left alone otherwise: then there is none.
func (c *computation) removal(h entry) *Change {
	if !h.enabled && !c.p.Remove {
		c.plan.Unchanged++
		return nil
	}
	row := c.rows.read(h.at)
	ch := Change{Kind: row.Kind, List: c.p.List, Action: c.ending(), ID: row.ID, Before: bodyOf(&row),
		Fields: []string{}, Owners: ownersOf(&row), Key: h.key}
	ch.nameFrom(&row, c.rows.canon)
	if h.whose == old && h.kind != IOC {
		ch.Owners = c.ownerByDigest(h.winner)
	}
	if ch.Action == Delete && !h.enabled {
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
