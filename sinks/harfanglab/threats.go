package harfanglab

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

const threatPath = eventBase + "Threat/"

// Threats visits every threat of a query once, page by page, with the rows that could not be read: those
// that are no object, or have no id or no time of creation. What Alerts says of order, of filters and of
// errors holds here too; each page is sorted by creation, or by change when ChangedSince is set. Notes
// are those that the list carries, which may leave them out: see Note.
func (c *Client) Threats(ctx context.Context, q pull.ThreatQuery, visit func([]alert.Threat, []alert.Bad) error) error {
	f := &feed[alert.Threat]{c: c, path: threatPath, filter: url.Values{}, order: "creation_date", read: func(raw json.RawMessage) event[alert.Threat] { return threatEvent(&q, raw) }, visit: visit}
	if len(q.Statuses) > 0 {
		f.filter.Set("status", strings.Join(q.Statuses, ","))
	}
	from := q.CreatedSince
	if !q.ChangedSince.IsZero() {
		f.order, from = "last_update", q.ChangedSince
		if !q.CreatedSince.IsZero() {
			f.filter.Set("creation_date__gte", second(q.CreatedSince.Unix()))
		}
	}
	if err := f.since(ctx, from); err != nil {
		return err
	}
	return f.end()
}

// threatEvent reads a row and judges it by everything but the time that the read goes by.
func threatEvent(q *pull.ThreatQuery, raw json.RawMessage) event[alert.Threat] {
	w, t, err := decodeThreat(raw)
	e := event[alert.Threat]{id: t.ID, at: t.Created, level: t.Level, bad: err, v: t, pass: oneOf(q.Statuses, string(t.Status))}
	if q.ChangedSince.IsZero() {
		return e
	}
	e.at = t.LastUpdate
	e.pass = e.pass && (q.CreatedSince.IsZero() || t.Created.Unix() >= q.CreatedSince.Unix())
	if e.bad == nil && w.LastUpdate.unread != "" {
		e.bad = changeUnread("threat", t.ID, w.LastUpdate)
	}
	return e
}

// Note reads what an analyst wrote on a threat; nil when there is nothing, which the manager answers
// with an empty body (contract harfanglab-api 8.4).
func (c *Client) Note(ctx context.Context, threatID string) (*alert.Note, error) {
	path, ok := itemPath(threatPath, threatID)
	if !ok {
		return nil, nil
	}
	path += "note/"
	body, err := c.do(ctx, call{method: http.MethodGet, path: path, repeatable: true, noAnswer: true})
	if e, failed := errors.AsType[*Error](err); failed && e.NotFound() || err == nil && body == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !isObject(body) {
		return nil, shapeError(path, "no note")
	}
	var w maybe[wireNote]
	_ = w.UnmarshalJSON(body) // never fails
	return w.v.note(), nil
}

// itemPath is the path of one item. Some texts name none, and would lead elsewhere.
func itemPath(collection, id string) (string, bool) {
	if id = strings.TrimSpace(id); id == "" || id == "." || id == ".." {
		return "", false
	}
	return collection + url.PathEscape(id) + "/", true
}
