package reconcile

import (
	"encoding/hex"
	"fmt"

	"harfangsync/reconcile/mark"
)

// unwanted settles rows that no indicator asks for.
func (c *computation) unwanted(owned, strangers []held) error {
	for i, h := range owned {
		why := IndicatorGone
		if i > 0 {
			why = Duplicate
		}
		if err := c.remove(h, why); err != nil {
			return err
		}
	}
	for _, h := range strangers {
		if h.whose == nobodys && c.p.Strays == RemoveStrays {
			if err := c.remove(h, IndicatorGone); err != nil {
				return err
			}
		} else if err := c.hold([]held{h}, nil); err != nil {
			return err
		}
	}
	return nil
}

// unheld settles a wanted rule that no row of ours holds.
func (c *computation) unheld(group []want, strangers []held) error {
	for _, h := range strangers {
		if h.whose == nobodys && c.p.Strays != ReportStrays && c.p.Strays != "" {
			return c.change(h, group, Adopt, Unmanaged, "")
		}
	}
	if len(strangers) > 0 {
		return c.hold(strangers, group)
	}
	c.missing = append(c.missing, group)
	return nil
}

// hold notes rows that are not ours.
func (c *computation) hold(rows []held, group []want) error {
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
			if item.Owners, err = c.owners(group); err != nil {
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

// compare settles a row of ours whose rule is wanted.
func (c *computation) compare(h held, group []want) error {
	win, named := winner(&h, group)
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
		text, owners := c.sameText(&h, win), named && c.sameOwners(&h, group)
		moved := c.maturityMoved(&h)
		switch {
		case text && owners && !moved:
			c.plan.Unchanged++
			return nil
		case (text || !named) && !owners && !moved:
			why = OwnersChanged // a winner that left takes its description along
		case text && owners:
			cause = MappingChanged
		case h.known && h.sent == win.text:
			cause = Drifted
		}
	}
	return c.change(h, group, action, why, cause)
}

func (c *computation) pin(h held, group []want, detail string) error {
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	item := c.heldItem(&row)
	item.Action, item.Reason, item.Detail = Enable, Pinned, detail
	if item.Owners, err = c.owners(group); err != nil {
		return err
	}
	c.plan.Held = append(c.plan.Held, item)
	c.plan.Unchanged++
	return nil
}

// change plans a write to an existing row.
func (c *computation) change(h held, group []want, a Action, why Reason, cause Cause) error {
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	win, _ := winner(&h, group)
	after, rec, err := c.after(group, win, &row)
	if err != nil {
		return err
	}
	after.HLStatus = row.HLStatus
	if c.maturityMoved(&h) {
		after.HLStatus = c.p.Maturity
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: a, Reason: why, Cause: cause, ID: row.ID,
		Before: bodyOf(&row), After: after, Key: hex.EncodeToString(h.key[:]), Sent: fmt.Sprintf("%016x", win.text)}
	ch.nameFrom(&row, c.rows.canon)
	if row.Kind != IOC {
		ch.Name = rec.Name
	}
	if ch.Owners, err = c.owners(group); err != nil {
		return err
	}
	ch.Fields = differing(row.Kind, ch.Before, ch.After)
	if held, refused := c.refused(&ch); refused {
		c.plan.Held = append(c.plan.Held, held)
		c.plan.Unchanged++
		return nil
	}
	c.add(ch)
	return nil
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
func (c *computation) remove(h held, why Reason) error {
	if !h.enabled && !c.p.Remove {
		c.plan.Unchanged++
		return nil
	}
	row, err := c.rows.read(h.at)
	if err != nil {
		return err
	}
	ch := Change{Kind: row.Kind, List: c.p.List, Action: Disable, Reason: why, ID: row.ID, Before: bodyOf(&row),
		Key: hex.EncodeToString(h.key[:]), Fields: []string{}, Owners: ownersOf(&row)}
	if c.p.Remove {
		ch.Action = Delete
	}
	ch.nameFrom(&row, c.rows.canon)
	if h.whose == old && h.kind != IOC {
		ch.Owners = c.ownerByDigest(h.winner)
	}
	if why != Duplicate {
		ch.Reason = c.provisional(ch.Owners)
	}
	if ch.Action == Delete && !h.enabled {
		ch.Sent = deleteSent
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

// deleteSent stands for a text in the memory of refusals when the server refused a delete.
const deleteSent = "delete"

// provisional is the reason for a removal that the read itself knows.
func (c *computation) provisional(owners []Owner) Reason {
	why := IndicatorGone
	for _, o := range owners {
		s, read := c.w.lookup(mark.OwnersDigest(o.ID))
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
