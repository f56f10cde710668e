package harfanglab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

const (
	eventBase = "/api/data/alert/alert/"
	alertPath = eventBase + "Alert/"
)

// Alerts visits every alert of a query once, page by page, with the rows that could not be read: those
// that are no object, or have no id or no time. The manager promises no order: each page is sorted by
// time and id, by the time of change when ChangedSince is set; the pages come as they come.
//
// By creation (contract harfanglab-api 7.5): windows of time, halved while they hold more rows than the
// manager lists. By change: questions without an upper end, each from the last row of the one before.
// Filters are checked here again, so a manager that ignores one is only slower. No more than the ids of
// one window are kept.
//
// An error of the manager or of visit ends the read. A *SaturatedError or an *IncompleteError, both
// perhaps, comes after everything else was visited, and says that alerts may be missing.
func (c *Client) Alerts(ctx context.Context, q pull.AlertQuery, visit func([]alert.Alert, []alert.Bad) error) error {
	f := &feed[alert.Alert]{c: c, path: alertPath, filter: alertFilter(&q), order: "alert_time", read: func(raw json.RawMessage) event[alert.Alert] { return alertEvent(&q, raw) }, visit: visit}
	window := windowOf(q.From, q.To)
	switch {
	case window.from > window.to:
		return nil
	case q.ChangedSince.IsZero():
		if err := f.windows(ctx, window, map[uint64]metRow{}); err != nil {
			return err
		}
	default:
		f.order = "last_update"
		for k, v := range window.filter("alert_time") {
			f.filter[k] = v
		}
		if err := f.since(ctx, q.ChangedSince); err != nil {
			return err
		}
	}
	return f.end()
}

// Alert reads one alert, whole; nil when it is not there (contract harfanglab-api 7.2). One that cannot be
// read is an error of its own, and no *Error: the manager does answer.
func (c *Client) Alert(ctx context.Context, id string) (*alert.Alert, error) {
	path, ok := itemPath(alertPath, id)
	if !ok {
		return nil, nil
	}
	path += "details/"
	body, err := c.do(ctx, call{method: http.MethodGet, path: path, repeatable: true})
	if e, failed := errors.AsType[*Error](err); failed && e.NotFound() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var w struct{ Alert json.RawMessage }
	if remote.Decode(body, &w) != nil || !isObject(w.Alert) {
		return nil, shapeError(path, "no alert")
	}
	_, a, err := decodeAlert(w.Alert)
	switch {
	case a.ID != "" && a.ID != id && a.UniqueID != id:
		return nil, shapeError(path, "alert "+oneLine(a.ID)+", which was not asked for")
	case err != nil:
		return nil, fmt.Errorf("HarfangLab: GET %s: %w", path, err)
	}
	return &a, nil
}

func alertFilter(q *pull.AlertQuery) url.Values {
	f := url.Values{}
	if len(q.Statuses) > 0 {
		f.Set("status", strings.Join(q.Statuses, ","))
	}
	if len(q.Types) > 0 {
		f.Set("alert_type", strings.Join(q.Types, ","))
	}
	if q.Threat != "" {
		f.Set("threat_key", q.Threat)
	}
	return f
}

// alertEvent reads a row and judges it by everything but the time that the read goes by.
func alertEvent(q *pull.AlertQuery, raw json.RawMessage) event[alert.Alert] {
	w, a, err := decodeAlert(raw)
	e := event[alert.Alert]{id: a.ID, at: a.Time, level: a.Level, bad: err, v: a}
	if e.id == "" {
		e.id = a.UniqueID
	}
	e.pass = oneOf(q.Statuses, string(a.Status)) && oneOf(q.Types, a.Type) && (q.Threat == "" || strings.EqualFold(a.ThreatKey, q.Threat))
	if q.ChangedSince.IsZero() {
		return e
	}
	e.at = a.LastUpdate
	e.pass = e.pass && windowOf(q.From, q.To).holds(a.Time)
	if e.bad == nil && w.LastUpdate.unread != "" {
		e.bad = changeUnread("alert", a.ID, w.LastUpdate)
	}
	return e
}

// changeUnread says that nobody can tell when a row changed, which was asked for.
func changeUnread(what, id string, s stamp) error {
	return fmt.Errorf("%s %s: its last_update is %.60s, which is no time", what, oneLine(id), s.unread)
}

// oneOf says whether a word is among those asked for; no words ask for any.
func oneOf(words []string, word string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}
