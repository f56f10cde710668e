package opencti

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// lookupBatch is how many ids one request asks for.
const lookupBatch = 200

// ByIDs asks for indicators by internal, standard or further STIX id, all that f lets through, or all
// that are visible when f is nil. An id that is not among the answers is absent or not visible. Since
// rules are removed on that word (gate G3), the filter by id has to prove that it works: it must find
// witnesses, which are indicators of the last read, and it must find nothing that was not asked for. A few that are there
// and that the platform cannot give are unread.
func (c *Client) ByIDs(ctx context.Context, ids []string, f *FilterGroup, observables bool) ([]reconcile.Found, error) {
	bad := &unread{alone: byItself}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	var found []reconcile.Found
	for batch := range slices.Chunk(ids, lookupBatch) {
		some, err := c.lookup(ctx, batch, f, observables, bad)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

func (c *Client) lookup(ctx context.Context, ids []string, f *FilterGroup, observables bool, bad *unread) ([]reconcile.Found, error) {
	q := question{ids: ids, filter: f, known: c.witnessesOf(f)}
	asked := q.asked()
	find := func(op, document, fields string) error {
		q.page, q.names = nil, nil
		return list(ctx, c, listing{
			request: request{op: op, document: document, fields: fields, variables: map[string]any{"filters": And(f, Group(Eq("ids", asked...)))}, right: "KNOWLEDGE"},
			what:    lookedUp, first: c.pageSize, most: len(asked),
		}, q.note)
	}
	err := find("Find", "find", f.fields())
	apart := err != nil && bad.alone(err) && find("FindIDs", "find_ids", "") == nil
	if err != nil && !apart {
		return nil, cmp.Or(ctx.Err(), err)
	}
	if err := c.believe(ctx, &q); err != nil {
		return nil, err
	}
	q.dismiss()
	if apart {
		c.takeOthers()
		gone, err := c.fill(ctx, f, nil, pointers(q.page), bad)
		if err != nil {
			return nil, err
		}
		for id := range gone {
			return nil, &IncompleteError{What: lookedUp, Why: "indicator " + oneLine(id) + " came and went"}
		}
	}
	if observables && len(q.page) > 0 {
		if err := c.attach(ctx, q.page, bad); err != nil {
			return nil, err
		}
	}
	return q.answers(), nil
}

// question is a look-up by id and what is answered.
type question struct {
	ids    []string
	filter *FilterGroup
	known  witnesses // that have to be found as well

	wanted map[string]bool // by each id that is asked for; false is a witness
	page   []reconcile.Indicator
	names  [][]string // of each of page
}

// asked are all ids to ask for.
func (q *question) asked() []string {
	q.wanted = make(map[string]bool, len(q.ids))
	known := q.known.ids()
	for _, id := range known {
		q.wanted[id] = false
	}
	for _, id := range q.ids {
		q.wanted[id] = true
	}
	var once remote.IDs
	return slices.DeleteFunc(slices.Concat(q.ids, known), func(id string) bool { return !once.Add(id) })
}

// note takes in an entry, and refuses an answer wider than the question.
func (q *question) note(w *wireIndicator) (string, error) {
	ind, err := w.indicator(q.filter)
	ids := w.ids()
	if err == nil && !slices.ContainsFunc(ids, func(id string) bool { _, ok := q.wanted[id]; return ok }) {
		err = fmt.Errorf("indicator %s, which was not asked for: the filter by id is ignored", oneLine(ind.ID))
	}
	q.page, q.names = append(q.page, ind), append(q.names, ids)
	return ind.ID, err
}

// dismiss drops the witnesses: that they were found is all that is asked of them.
func (q *question) dismiss() {
	var page []reconcile.Indicator
	var names [][]string
	for i, ids := range q.names {
		if slices.ContainsFunc(ids, func(id string) bool { return q.wanted[id] }) {
			page, names = append(page, q.page[i]), append(names, ids)
		}
	}
	q.page, q.names = page, names
}

// answers are what came of the ids that were asked for.
func (q *question) answers() (found []reconcile.Found) {
	for i := range q.page {
		for _, id := range q.names[i] {
			if q.wanted[id] && !q.page[i].Outside {
				found = append(found, reconcile.Found{Asked: id, Indicator: q.page[i]})
			}
		}
	}
	return found
}

const lookedUp = "indicators asked for by id"

// witnesses are indicators of which it is known that a look-up has to find them. It asks for two of them: for one by its
// internal and for one by its standard id.
type witnesses struct {
	filter string    // digest of the filter that they pass
	since  time.Time // they had not changed then
	all    []witness // the first and the last of a read
	turn   int       // which two of them
}

type witness struct{ internal, standard string }

const mostWitnesses = 8

// note picks from a read, page by page, of what did not change lately.
func (k *witnesses) note(page []reconcile.Indicator) {
	for i := range page {
		if page[i].Unread != "" || page[i].Outside || !page[i].UpdatedAt.Before(k.since) {
			continue
		}
		if len(k.all) == mostWitnesses {
			k.all = slices.Delete(k.all, mostWitnesses/2, mostWitnesses/2+1)
		}
		k.all = append(k.all, witness{page[i].ID, page[i].StandardID})
	}
}

// ids are those to ask for.
func (k *witnesses) ids() (ids []string) {
	n := len(k.all)
	if n == 0 {
		return nil
	}
	first, last := k.all[k.turn%n], k.all[n-1-k.turn%n]
	if ids = append(ids, first.internal); last != first && last.standard != "" {
		ids = append(ids, last.standard)
	}
	return ids
}

// remember keeps the witnesses of a read that was whole.
func (c *Client) remember(k witnesses) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.witnesses = k
}

// takeOthers lets later look-ups ask for other witnesses, after one that failed: these may be to blame.
func (c *Client) takeOthers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.witnesses.turn++
}

// witnessesOf are those that pass f too.
func (c *Client) witnessesOf(f *FilterGroup) witnesses {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f != nil && f.Digest() != c.witnesses.filter {
		return witnesses{}
	}
	return c.witnesses
}

// believe refuses the word of a look-up by filter which a look-up without one contradicts. It asks
// only if a witness is missing, or if there is none and something is absent.
func (c *Client) believe(ctx context.Context, q *question) error {
	alone, there := q.filter == nil, map[string]bool{}
	for _, all := range q.names {
		for _, id := range all {
			there[id] = true
		}
	}
	suspect := slices.DeleteFunc(q.known.ids(), func(id string) bool { return there[id] })
	if len(q.known.all) == 0 && alone {
		if i := slices.IndexFunc(q.ids, func(id string) bool { return !there[id] }); i >= 0 {
			suspect = []string{q.ids[i]}
		}
	}
	for _, id := range suspect {
		var w struct {
			Indicator *struct {
				UpdatedAt moment `json:"updated_at"`
			}
		}
		err := c.query(ctx, request{op: "Indicator", document: "indicator", variables: map[string]any{"id": id}, right: "KNOWLEDGE"}, &w)
		if e, ok := errors.AsType[*Error](err); ok && e.Absent() {
			continue
		}
		if err != nil {
			return err
		}
		if w.Indicator == nil || !alone && !w.Indicator.UpdatedAt.Before(q.known.since) {
			continue // deleted, or changed and no longer passing
		}
		return &IncompleteError{What: lookedUp, Why: "indicator " + oneLine(id) + " is there and was not found: the filter by id does not work"}
	}
	return nil
}
