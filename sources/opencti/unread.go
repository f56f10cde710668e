package opencti

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// One object that the platform cannot resolve takes the whole answer with it (contract opencti-api 1.4). Its ids it can give
// all the same: then the others are asked for by halves, and that one stays unread.

// unread are the indicators of one read, or of one look-up, that the platform cannot give. It is safe for concurrent use.
type unread struct {
	alone func(error) bool // whether one of the objects that were asked for may be to blame for a failure

	mu    sync.Mutex
	ids   map[string]bool
	first error
}

func (u *unread) has(id string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ids[id]
}

// More than these cannot be read only on a platform that is broken. Fewer of those are borne that take long, since each
// question about them is made again.
const (
	mostUnread = 100
	mostSlow   = 10
)

// add notes an indicator of which nothing but its ids is known, and why. More than a few are the platform's failure.
func (u *unread) add(ind *reconcile.Indicator, err error) error {
	*ind = reconcile.Indicator{ID: ind.ID, StandardID: ind.StandardID, Unread: reasonOf(err)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.first = cmp.Or(u.first, err)
	if u.ids == nil {
		u.ids = map[string]bool{}
	}
	u.ids[ind.ID] = true
	most := mostUnread
	if e, ok := errors.AsType[*Error](err); ok && e.Temporary() && !e.spoiled() {
		most = mostSlow
	}
	if len(u.ids) > most {
		return fmt.Errorf("more than %d indicators cannot be read: %w", most, err)
	}
	return nil
}

// all is the failure of a read in which nothing that is there could be read.
func (u *unread) all(read int) error {
	if n := len(u.ids); n == 0 || n < read {
		return nil
	}
	return fmt.Errorf("not one indicator can be read: %w", u.first)
}

// reasonOf is what a platform says, without what to do about it.
func reasonOf(err error) string {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return oneLine(err.Error())
	case e.Code != "":
		return e.Code + ": " + e.Message
	}
	return e.Message
}

// spoiled says whether the platform took a request and could not give all of the answer.
func spoiled(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.spoiled()
}

// byItself says whether a failed look-up may be to blame on one of the objects that were looked up: it is not, where the
// answer is one to another question.
func byItself(err error) bool {
	e, ok := errors.AsType[*Error](err)
	f := reconcile.FaultOf(err)
	return ok && (e.spoiled() || f.Side && !f.Account && (!e.Shape || !e.Permanent || e.Err != nil))
}

// apart asks for something of indicators together, or where that fails by halves. Only the first question, if patient, is
// made again as a rule; one that fails alone is asked for once more.
func (u *unread) apart(some []*reconcile.Indicator, patient bool, ask func(some []*reconcile.Indicator, once bool) error) error {
	once := !patient
	return remote.Apart(some, func(some []*reconcile.Indicator) error {
		defer func() { once = true }()
		return ask(some, once)
	}, u.alone, func(one *reconcile.Indicator, err error) error {
		if again := ask([]*reconcile.Indicator{one}, true); again == nil || !u.alone(again) {
			return again
		}
		return u.add(one, err)
	})
}

// fill asks for indicators of which the ids are known. Those that u has not and that did not come are not there any more: they
// are gone.
func (c *Client) fill(ctx context.Context, f, also *FilterGroup, some []*reconcile.Indicator, u *unread) (gone map[string]bool, err error) {
	gone = map[string]bool{}
	for _, ind := range some {
		gone[ind.ID] = true
	}
	err = u.apart(some, false, func(some []*reconcile.Indicator, once bool) error {
		ids, byID := internalIDs(some)
		l := listing{
			request: request{op: "Find", document: "find", fields: f.fields(), variables: map[string]any{"filters": And(f, also, Group(Eq("ids", ids...)))}, right: "KNOWLEDGE", once: once},
			what:    lookedUp, first: c.pageSize, most: len(ids),
		}
		return list(ctx, c, l, func(w *wireIndicator) (string, error) {
			ind := byID[w.ID]
			if ind == nil {
				return "", fmt.Errorf("indicator %s, which was not asked for: the filter by id is ignored", oneLine(w.ID))
			}
			var err error
			*ind, err = w.indicator(f)
			delete(gone, w.ID)
			if ind.Unread != "" {
				err = u.add(ind, misshapen("Find", ind.Unread))
			}
			return w.ID, err
		})
	})
	for _, ind := range some {
		if u.has(ind.ID) {
			delete(gone, ind.ID)
		}
	}
	return gone, err
}

func internalIDs(some []*reconcile.Indicator) (ids []string, byID map[string]*reconcile.Indicator) {
	byID = make(map[string]*reconcile.Indicator, len(some))
	for _, ind := range some {
		ids = append(ids, ind.ID)
		byID[ind.ID] = ind
	}
	return ids, byID
}
