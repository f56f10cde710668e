package reconcile

import "maps"

// Restore decides what must change so that the lists hold again what a dump holds: rows that are
// gone are created, rows that differ are set back. Nothing else is touched, unless exact asks that
// rows of ours which the dump lacks go as well. Rows that are not ours are set back only where the
// dump holds these very rows.
func Restore(rows *Rows, dump []Row, p Policy, exact bool) (*Plan, error) {
	p.Revert = true // the dump says what is disabled
	r := restoring{computation: computation{rows: rows, w: &Wanted{}, p: p, plan: &Plan{Owned: map[Kind]int{}, Enabled: map[Kind]int{}, Wanted: map[Kind]int{}, restored: true}}}
	r.countOwned()
	r.match(dump)
	for i := range dump {
		r.plan.Wanted[dump[i].Kind]++
		r.restore(&dump[i], i)
	}
	for i, e := range rows.entries {
		switch {
		case r.claimed[i] || !e.whose.owned():
		case !exact:
			r.plan.Unchanged++
			r.plan.Since++
			r.plan.Wanted[e.kind]++ // it stays
		default:
			if ch := r.removal(e); ch != nil {
				r.end(ch, ValueRemoved)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	r.plan.Sources = maps.Clone(r.plan.Wanted) // the dump stands in for the source
	r.plan.sortAll()
	return r.plan, nil
}

type restoring struct {
	computation
	current []Row
	claimed []bool      // rows that a row of the dump stands for
	of      map[int]int // row of the dump to current row
	keys    []Key       // of the dump's rows
}

// match finds the current row of each row of the dump: the one with its id, else another one that is
// the same rule. No row is taken twice.
func (r *restoring) match(dump []Row) {
	byID, byKey := map[string]int{}, map[Key][]int{}
	r.current, r.claimed = make([]Row, len(r.rows.entries)), make([]bool, len(r.rows.entries))
	r.of, r.keys = map[int]int{}, make([]Key, len(dump))
	for i, e := range r.rows.entries {
		row := r.rows.read(e.at)
		r.current[i] = row
		byID[row.Kind.String()+row.ID] = i
		byKey[e.key] = append(byKey[e.key], i)
	}
	for i := range dump {
		r.keys[i] = r.rows.judge(&dump[i]).key
		if at, ok := byID[dump[i].Kind.String()+dump[i].ID]; ok && !r.claimed[at] {
			r.of[i], r.claimed[at] = at, true
		}
	}
	for i := range dump {
		if _, done := r.of[i]; done {
			continue
		}
		for _, at := range byKey[r.keys[i]] {
			if !r.claimed[at] {
				r.of[i], r.claimed[at] = at, true
				break
			}
		}
	}
}

// restore plans the return of one row.
func (r *restoring) restore(want *Row, i int) {
	ch := Change{Kind: want.Kind, List: r.p.List, Action: Create, Reason: ValueAdded, After: bodyOf(want),
		Key: r.keys[i], Owners: ownersOf(want), Fields: []string{}}
	ch.nameFrom(want, r.rows.canon)
	if u := r.rows.unblocks.Covering(&ch); u != nil {
		held := heldChange(&ch, Unblocked, u.Words())
		r.plan.Held.Add(&held)
		if _, found := r.of[i]; found {
			r.plan.Unchanged++
		}
		return
	}
	at, found := r.of[i]
	if !found {
		ch.Stored = ""
		r.plan.Changes.Add(&ch)
		return
	}
	row, e := &r.current[at], &r.rows.entries[at]
	ch.storedAs(row)
	ch.Action, ch.Reason, ch.Cause, ch.ID, ch.Before = Update, FieldsChanged, Drifted, row.ID, bodyOf(row)
	ch.Fields = differing(want.Kind, ch.Before, ch.After)
	switch {
	case len(ch.Fields) == 0:
		if e.whose.owned() {
			r.plan.Unchanged++
		}
		return
	case !e.whose.owned() && row.ID != want.ID:
		why := Unmanaged
		if e.whose == foreign {
			why = ForeignOwner
		}
		held := heldChange(&ch, why, "this rule was made after the dump, and it is not ours")
		r.plan.Held.Add(&held)
		return
	case ch.After.Enabled && !ch.Before.Enabled:
		ch.Action, ch.Reason = Enable, DriftFound
	case !ch.After.Enabled && ch.Before.Enabled:
		ch.Action, ch.Reason, ch.Cause = Disable, ValueRemoved, ""
	}
	if !e.whose.owned() {
		r.take(e)
	}
	r.plan.Changes.Add(&ch)
}
