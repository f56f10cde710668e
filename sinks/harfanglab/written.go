package harfanglab

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// written are the rows that were written lately, and when by the manager's own word.
type written struct {
	mu   sync.Mutex
	rows map[string]writing
	deaf bool // the manager does not heed last_update__gte
}

type writing struct {
	update time.Time // the manager's
	at     time.Time // ours
}

// What is remembered of writes: those of one read-back, and of no more rows than are read back one by one.
const (
	mostWritten = 400
	lately      = 5 * time.Minute
)

// note takes in the answer to a write.
func (w *written) note(body []byte) {
	var row struct {
		ID     text  `json:"id"`
		Update stamp `json:"last_update"`
	}
	if remote.Decode(body, &row) != nil || row.ID == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rows == nil || len(w.rows) >= mostWritten {
		w.rows = map[string]writing{}
	}
	w.rows[string(row.ID)] = writing{row.Update.Time, time.Now()}
}

// since is from when on the manager's changes include those of some rows; ok is false where that is not known.
func (w *written) since(ids []string) (from time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, id := range ids {
		s, known := w.rows[id]
		if !known || w.deaf || s.update.IsZero() || time.Since(s.at) > lately {
			return from, false
		}
		if i == 0 || s.update.Before(from) {
			from = s.update
		}
	}
	return from, len(ids) > 0
}

// Written finds IOC rules of a list that were written here lately, together: as those that changed since. Rules of
// which that is not known, or which do not show up, are not among them: Lookup finds each.
func (c *Client) Written(ctx context.Context, list string, ids []string) ([]reconcile.Located, error) {
	from, ok := c.written.since(ids)
	if !ok {
		return nil, nil
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	filter := url.Values{"source_id": {list}, "last_update__gte": {from.UTC().Truncate(time.Second).Format(time.DateTime)}}
	rows, err := c.narrow(ctx, reconcile.IOC, filter, func(w *wireRule) bool { return asked[string(w.ID)] })
	if errors.Is(err, ErrFilterIgnored) {
		c.written.mu.Lock()
		defer c.written.mu.Unlock()
		c.written.deaf = true
		return nil, nil
	}
	if _, incomplete := errors.AsType[*IncompleteError](err); incomplete { // the list changes meanwhile
		return nil, nil
	}
	return rows, err
}
