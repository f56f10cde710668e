package reconcile

import "encoding/hex"

// Restore decides what must change so that the lists hold again what a dump holds: rows that are
// gone are created, rows that differ are set back. Nothing else is touched, unless exact asks that
// rows of ours which the dump lacks go as well. Rows that are not ours are set back only where the
// dump holds them.
func Restore(rows *Rows, dump []Row, p Policy, exact bool) (*Plan, error) {
	plan := &Plan{Owned: map[Kind]int{}, Enabled: map[Kind]int{}, Wanted: map[Kind]int{}, Sources: map[Kind]int{}}
	byID, byKey := map[string]int{}, map[[16]byte]int{}
	current := make([]Row, len(rows.entries))
	for i, h := range rows.entries {
		row, err := rows.read(h.at)
		if err != nil {
			return nil, err
		}
		current[i] = row
		byID[row.Kind.String()+row.ID] = i
		byKey[h.key] = i
		if h.whose.owned() {
			plan.Owned[h.kind]++
			if h.enabled {
				plan.Enabled[h.kind]++
			}
		}
	}
	met := map[int]bool{}
	for i := range dump {
		want := &dump[i]
		key := rows.judge(want).key
		at, found := byID[want.Kind.String()+want.ID]
		if !found {
			at, found = byKey[key]
		}
		plan.Wanted[want.Kind]++
		if found {
			met[at] = true
		}
		restoreRow(plan, rows, want, key, current, at, found, p)
	}
	for i, h := range rows.entries {
		if met[i] {
			continue
		}
		if !exact || !h.whose.owned() {
			if h.whose.owned() {
				plan.Unchanged++
			}
			continue
		}
		c := computation{rows: rows, w: NewWanted(0), p: p, plan: plan}
		if err := c.remove(h, Duplicate); err != nil {
			return nil, err
		}
	}
	for i := range plan.Changes {
		if ch := &plan.Changes[i]; ch.Reason == Duplicate {
			ch.Reason = ValueRemoved
			stopAs(ch, p)
		}
	}
	plan.sortAll()
	return plan, nil
}

func restoreRow(plan *Plan, rows *Rows, want *Row, key [16]byte, current []Row, at int, found bool, p Policy) {
	ch := Change{Kind: want.Kind, List: p.List, Action: Create, Reason: ValueAdded, After: bodyOf(want),
		Key: hex.EncodeToString(key[:]), Owners: ownersOf(want), Fields: []string{}}
	ch.nameFrom(want, rows.canon)
	if found {
		row := &current[at]
		ch.Action, ch.Reason, ch.Cause, ch.ID, ch.Before = Update, FieldsChanged, Drifted, row.ID, bodyOf(row)
		if ch.Fields = differing(want.Kind, ch.Before, ch.After); len(ch.Fields) == 0 {
			plan.Unchanged++
			return
		}
		switch {
		case ch.After.Enabled && !ch.Before.Enabled:
			ch.Action, ch.Reason = Enable, DriftFound
		case !ch.After.Enabled && ch.Before.Enabled:
			ch.Action, ch.Reason, ch.Cause = Disable, ValueRemoved, ""
		}
	}
	plan.Changes = append(plan.Changes, ch)
}
