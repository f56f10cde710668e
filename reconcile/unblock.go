package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Unblock is a value, or all that an indicator gives, that a person took out of force until a time. Its end is kept
// for a while after it is over, so that a plan can say why a rule comes back.
type Unblock struct {
	Value  string    `json:"value"` // in its canonical spelling; an indicator's internal id or a Sigma rule's
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
}

// Active says whether it holds at a time.
func (u *Unblock) Active(now time.Time) bool { return now.Before(u.Until) }

// Words are what a person is told of it.
func (u *Unblock) Words() string {
	return fmt.Sprintf("%s, until %s, by %s: %s", u.Value, u.Until.UTC().Format(time.RFC3339), u.By, u.Reason)
}

// Unblocks are some of them, with what they say of a rule. The zero value is none.
type Unblocks struct {
	List []Unblock
	// Of is the one that a rule of some owners falls under, as a place in List; -1 is none. A value is canonical, and
	// of a Sigma rule it is the YAML id. One that is over counts only where none that holds does.
	Of func(k Kind, v Value, owners []string) int
}

// none is how a rule stands that falls under no Unblock.
const none = -1

func (u *Unblocks) of(k Kind, v Value, owners ...string) int {
	if len(u.List) == 0 {
		return none
	}
	return u.Of(k, v, owners)
}

// At are those that hold at a time.
func (u *Unblocks) At(now time.Time) []Unblock {
	return slices.DeleteFunc(slices.Clone(u.List), func(b Unblock) bool { return !b.Active(now) })
}

// Covering is the one that a rule falls under which a change brings into force, or keeps there; nil for none.
func (u *Unblocks) Covering(ch *Change) *Unblock {
	if ch.Action.Removal() || ch.After == nil || !ch.After.Enabled {
		return nil
	}
	v := Value{Type: ch.Type, Value: ch.Value}
	if ch.Kind == Sigma {
		v.Value = ch.Row().RuleID
	}
	if at := u.of(ch.Kind, v, ownerIDsOf(ch.Owners)...); at != none {
		return &u.List[at]
	}
	return nil
}

// Unblock notes what persons took out of force, before anything is added.
func (w *Wanted) Unblock(u Unblocks) { w.unblocks = u }

// Unblock notes what persons took out of force, before anything is added.
func (r *Rows) Unblock(u Unblocks) { r.unblocks = u }

// unblocked is the Unblock that a rule falls under, whether or not it is over; nil for none.
func (c *computation) unblocked(group []want, rows []entry) *Unblock {
	if len(c.w.unblocked)+len(c.rows.unblocked) == 0 {
		return nil
	}
	for _, w := range group {
		if at, hit := c.w.unblocked[w.at]; hit {
			return &c.w.unblocks.List[at]
		}
	}
	for _, e := range rows {
		if at, hit := c.rows.unblocked[e.at]; hit && len(group) == 0 {
			return &c.rows.unblocks.List[at]
		}
	}
	return nil
}

// keepOut decides on a rule that a person unblocked: ours goes out of force whoever wants it, is not deleted, so that
// it can come back, and nothing brings it back before its time.
func (c *computation) keepOut(u *Unblock, group []want, rows []entry) {
	owned, others := c.split(rows)
	for _, e := range owned {
		c.takeOut(e, group)
	}
	c.leave(others, nil)
	for _, w := range group {
		rec := c.w.read(w.at)
		c.plan.Skipped.Add(&Skip{Indicator: rec.Owner.ID, Reason: Unblocked,
			Detail: label(w.kind, rec.Type, rec.Value, rec.Name) + ": " + u.Words()})
	}
}

// takeOut disables a row for as long as its rule is unblocked, whatever the policy says of removals. A row that does not
// name its owners, by their internal ids, is given those that want it, if any do.
func (c *computation) takeOut(e entry, group []want) {
	if !e.enabled {
		c.plan.Unchanged++
		return
	}
	row := c.rows.read(e.at)
	ch := Change{Kind: row.Kind, List: c.p.List, Action: Disable, Reason: Unblocked, ID: row.ID, Before: bodyOf(&row), Owners: ownersOf(&row), Key: e.key}
	if len(ownerIDsOf(ch.Owners)) == 0 && len(group) > 0 {
		ch.Owners = c.owners(group, c.best(&e, &row, group))
	}
	ch.nameFrom(&row, c.rows.canon)
	ch.stop(&c.p)
	c.plan.Changes.Add(&ch)
}

// TakeOut plans that our rules which fall under what is unblocked go out of force, and nothing else: it asks no
// indicator. Rules of others that do, and are in force, are held.
func TakeOut(rows *Rows, p Policy) (*Plan, error) {
	c := computation{rows: rows, w: &Wanted{}, p: p, plan: &Plan{Owned: map[Kind]int{}, Enabled: map[Kind]int{}, Wanted: map[Kind]int{}, Unblocked: rows.unblocks.List}}
	c.countOwned()
	for _, e := range rows.entries {
		switch covered := c.unblocked(nil, []entry{e}) != nil; {
		case covered && e.whose.owned():
			c.takeOut(e, nil)
		case covered && e.enabled:
			c.leave([]entry{e}, nil)
		case !covered && e.whose.owned():
			c.plan.Unchanged++
		}
	}
	c.plan.sortAll()
	if err := errors.Join(rows.Err(), c.plan.Err()); err != nil {
		return nil, err
	}
	return c.plan, nil
}

// unblockOf is the place of the Unblock that a row falls under.
func (r *Rows) unblockOf(row *Row) int {
	if len(r.unblocks.List) == 0 {
		return none
	}
	v := Value{Type: row.Type, Value: r.canon(row.Type, row.Value)}
	if row.Kind == Sigma {
		v.Value = row.RuleID
	}
	return r.unblocks.of(row.Kind, v, ownerIDsOf(ownersOf(row))...)
}
