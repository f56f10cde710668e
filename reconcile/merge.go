package reconcile

import (
	"fmt"
	"slices"

	"harfangsync/reconcile/marker"
)

// unwanted decides on rows that no indicator asks for.
func (c *computation) unwanted(owned, strangers []entry) error {
	for _, h := range owned { // duplicates as well: no row stays that would make them mere duplicates
		if err := c.remove(h, IndicatorGone); err != nil {
			return err
		}
	}
	for _, h := range strangers {
		if h.whose == nobodys && c.p.Unmanaged == RemoveUnmanaged && (h.enabled || c.p.Remove) {
			c.take(&h)
			if err := c.remove(h, IndicatorGone); err != nil {
				return err
			}
		} else if err := c.hold([]entry{h}, nil); err != nil {
			return err
		}
	}
	return nil
}

// adoptOrCreate decides on a wanted rule that no row of ours holds.
func (c *computation) adoptOrCreate(group []want, strangers []entry) error {
	if len(strangers) == 0 {
		c.missing = append(c.missing, group)
		return nil
	}
	adopts := c.p.Unmanaged == AdoptUnmanaged || c.p.Unmanaged == RemoveUnmanaged
	if !adopts || slices.ContainsFunc(strangers, func(h entry) bool { return h.whose == others }) {
		return c.hold(strangers, group)
	}
	if err := c.rank(strangers); err != nil {
		return err
	}
	if err := c.hold(strangers[1:], nil); err != nil {
		return err
	}
	if h := strangers[0]; h.enabled || c.p.Revert {
		c.take(&h)
		return c.change(h, group, Adopt, Unmanaged, "")
	}
	return c.pin(strangers[0], group, "disabled in the console, and not ours")
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
func (c *computation) duplicates(rows []entry, inForce bool) error {
	for _, h := range rows {
		if inForce || !h.enabled {
			if err := c.remove(h, Duplicate); err != nil {
				return err
			}
			continue
		}
		row, err := c.rows.read(h.at)
		if err != nil {
			return err
		}
		item := c.heldItem(&row)
		item.Action, item.Reason, item.Owners = c.ending(), Ambiguous, ownersOf(&row)
		item.Detail = "a second rule of ours for it, and the one that would stay is out of force"
		c.plan.Held = append(c.plan.Held, item)
		c.plan.Unchanged++
	}
	return nil
}

// enabling says whether the plan brings a row into force.
func (c *computation) enabling(h entry) bool {
	if n := len(c.plan.Changes); n > 0 {
		last := &c.plan.Changes[n-1]
		return last.Key == h.key && last.After != nil && last.After.Enabled
	}
	return false
}

// ending is the action that takes a row out of force.
func (c *computation) ending() Action {
	if c.p.Remove {
		return Delete
	}
	return Disable
}

// hold notes rows that are not ours.
func (c *computation) hold(rows []entry, group []want) error {
	for _, h := range rows {
		row, err := c.rows.read(h.at)
		if err != nil {
			return err
		}
		item := c.heldItem(&row)
		if item.Reason = Unmanaged; h.whose == others {
			item.Reason = ForeignOwner
		}
		if len(group) > 0 {
			item.Action, item.Detail = Create, "the wanted rule exists and is not ours"
			if item.Owners, err = c.owners(group, group[0]); err != nil {
				return err
			}
		}
		c.plan.Held = append(c.plan.Held, item)
	}
	return nil
}

func (c *computation) heldItem(row *Row) Held {
	h := Held{Kind: row.Kind, List: c.p.List, ID: row.ID, Name: row.Name}
	if row.Kind == IOC {
		h.Type, h.Value, h.Name = row.Type, c.rows.canon(row.Type, row.Value), ""
	}
	return h
}

// compare decides on a row of ours whose rule is wanted.
func (c *computation) compare(h entry, group []want) error {
	h.ourStop = h.ourStop || !h.enabled && c.p.Stopped[h.key]
	if !h.enabled && !h.ourStop && !c.p.Revert {
		detail := "disabled in the console"
		if h.whose == old {
			detail = "disabled_before_adoption"
		}
		return c.pin(h, group, detail)
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
	default:
		win, named := winner(&h, group)
		text, owners := c.sameText(&h, win), named && c.sameOwners(&h, group)
		moved, pending := c.maturityMoved(&h, win), c.pending(&h, win)
		switch {
		case text && owners && !moved && pending.None() && !h.stopped:
			c.plan.Unchanged++
			return nil
		case text && moved && (c.p.Remapped || c.w.mapped(win).Maturity == ""):
			cause = MappingChanged
		case text && moved:
		case text && owners && !pending.None():
			cause = c.remapped(&h, win, pending)
		case !owners && (text || !named):
			why = OwnersChanged
		case h.known && h.sent == win.text:
			cause = Drifted
		}
	}
	return c.change(h, group, action, why, cause)
}

func (c *computation) pin(h entry, group []want, detail string) error {
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	item := c.heldItem(&row)
	item.Action, item.Reason, item.Detail = Enable, Pinned, detail
	win, _ := winner(&h, group)
	if item.Owners, err = c.owners(group, win); err != nil {
		return err
	}
	c.plan.Held = append(c.plan.Held, item)
	if h.whose.owned() {
		c.plan.Unchanged++
	}
	return nil
}

// change plans a write to an existing row.
func (c *computation) change(h entry, group []want, a Action, why Reason, cause Cause) error {
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	win, err := c.best(&h, &row, group)
	if err != nil {
		return err
	}
	after, rec, owners, err := c.after(group, win, &row, &h)
	if err != nil {
		return err
	}
	after.HLStatus = row.HLStatus
	if a != Adopt && c.maturityMoved(&h, win) {
		after.HLStatus = c.maturity(win)
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: a, Reason: why, Cause: cause, ID: row.ID,
		Before: beside(&row, after), After: after, Key: h.key, Sent: c.sentOf(win)}
	ch.nameFrom(&row, c.rows.canon)
	if row.Kind != IOC {
		ch.Name = rec.Name
	}
	ch.Owners = owners
	ch.Fields = differing(row.Kind, ch.Before, ch.After)
	if item, refused := c.refused(&ch); refused {
		c.plan.Held = append(c.plan.Held, item)
		c.plan.Unchanged++
		return nil
	}
	c.add(ch)
	return nil
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
func (c *computation) best(h *entry, row *Row, group []want) (want, error) {
	win, named := winner(h, group)
	if named || h.whose != old || h.kind != IOC {
		return win, nil
	}
	m, _ := marker.ParseIOC(row.Comment)
	for _, e := range group {
		rec, err := c.w.read(e.at)
		if err != nil {
			return win, err
		}
		if rec.Owner.StandardID == m.StandardID {
			return e, nil
		}
	}
	return win, nil
}

// refused looks a change up among the server's verdicts.
func (c *computation) refused(ch *Change) (Held, bool) {
	r, ok := c.p.Refusals[ch.Key]
	if !ok || r.Sent != ch.Sent || r.Elsewhere && c.p.Now.Sub(r.At) > elsewhereFor {
		return Held{}, false
	}
	h := heldChange(ch, Refused, r.Words)
	return h, true
}

func heldChange(ch *Change, why Reason, detail string) Held {
	return Held{Kind: ch.Kind, List: ch.List, Type: ch.Type, Value: ch.Value, Name: ch.Name, ID: ch.ID,
		Action: ch.Action, Reason: why, Detail: detail, Owners: ch.Owners}
}

// add plans a change, or holds it where the mode forbids it.
func (c *computation) add(ch Change) {
	if c.p.Mode.allows(ch.Action) {
		c.plan.Changes = append(c.plan.Changes, ch)
		return
	}
	c.plan.Held = append(c.plan.Held, heldChange(&ch, PolicyHeld, fmt.Sprintf("policy %s forbids %s", c.p.Mode, ch.Action)))
	if ch.Action != Create {
		c.plan.Unchanged++
	}
}

// remove plans the end of a row. A row that is out of force already is deleted where removals
// delete, and left alone otherwise.
func (c *computation) remove(h entry, why Reason) error {
	if !h.enabled && !c.p.Remove {
		c.plan.Unchanged++
		return nil
	}
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: c.ending(), Reason: why, ID: row.ID, Before: bodyOf(&row),
		Key: h.key, Fields: []string{}, Owners: ownersOf(&row)}
	ch.nameFrom(&row, c.rows.canon)
	if h.whose == old && h.kind != IOC {
		ch.Owners = c.ownerByDigest(h.winner)
	}
	if why != Duplicate {
		ch.Reason = c.provisional(ch.Owners)
	}
	if ch.Action == Delete && !h.enabled {
		ch.Sent = DeleteSent
		if item, refused := c.refused(&ch); refused {
			c.plan.Held = append(c.plan.Held, item)
			c.plan.Unchanged++
			return nil
		}
	}
	c.stop(&ch)
	c.add(ch)
	return nil
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
