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

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// errWide ends a narrow read that goes on and on.
var errWide = errors.New("the read is not narrow")

// mostLookupPages bounds a narrow read; beyond it the manager evidently ignores the filter.
const mostLookupPages = 4

// Lookup finds the rules that q names, in one list or, with an empty list, in all. Equality is
// checked here, without case, because the API's search returns near matches (contract harfanglab-api
// 1.5, 9). ErrFilterIgnored means that only a read of the whole list can tell.
func (c *Client) Lookup(ctx context.Context, k reconcile.Kind, list string, q reconcile.Query) ([]reconcile.Located, error) {
	var filters []url.Values
	switch k {
	case reconcile.IOC:
		filters = []url.Values{{"type": {q.Type}, "value__exact": {q.Value}}, {"type": {q.Type}, "search": {q.Value}}}
	case reconcile.Sigma:
		if q.RuleID != "" {
			filters = append(filters, url.Values{"search": {q.RuleID}})
		}
		if q.Title != "" { // a display name that is the title is as good
			filters = append(filters, url.Values{"rule_name__exact": {q.Title}}, url.Values{"name__exact": {q.Title}})
		}
		if q.Name != "" {
			filters = append(filters, url.Values{"name__exact": {q.Name}})
		}
	case reconcile.YARA:
		filters = []url.Values{{"name__exact": {q.Name}}}
	}
	var firstErr error
	for _, f := range filters {
		if list != "" {
			f["source_id"] = []string{list}
		}
		rows, err := c.narrow(ctx, k, f, func(w *wireRule) bool { return names(q, k, w) })
		if err != nil {
			if !errors.Is(err, ErrFilterIgnored) {
				return nil, err
			}
			firstErr = err
			continue
		}
		if len(rows) > 0 {
			return rows, nil
		}
	}
	return nil, firstErr
}

// narrow finds the rules that are meant, in the list of the filter if it names one. One of them that cannot
// be read is an error, beside the others.
func (c *Client) narrow(ctx context.Context, k reconcile.Kind, filter url.Values, meant func(*wireRule) bool) ([]reconcile.Located, error) {
	return c.within(ctx, k, mostLookupPages, filter, meant)
}

// within is narrow with another number of pages. An answer whose rows are not as many as it counts is asked for once
// more, and is then an *IncompleteError: what is absent from it may be there.
func (c *Client) within(ctx context.Context, k reconcile.Kind, most int, filter url.Values, meant func(*wireRule) bool) ([]reconcile.Located, error) {
	found, n, err := c.filtered(ctx, k, most, filter, meant)
	if err == nil && !n.whole() {
		found, n, err = c.filtered(ctx, k, most, filter, meant)
	}
	if err == nil && !n.whole() {
		err = &IncompleteError{Path: rulePath(k), Why: n.why()}
	}
	return found, err
}

func (c *Client) filtered(ctx context.Context, k reconcile.Kind, most int, filter url.Values, meant func(*wireRule) bool) (found []reconcile.Located, n counted, err error) {
	pages := 0
	var unread error
	list := filter.Get("source_id")
	n, err = each(ctx, c, rulePath(k), filter, nil, func(rules []wireRule, _ int) error {
		for i := range rules {
			w := &rules[i]
			if list != "" && w.foreign(list) || !meant(w) {
				continue
			}
			row, err := w.row(k)
			if err != nil {
				unread = &IncompleteError{Path: rulePath(k), Why: err.Error()}
				continue
			}
			found = append(found, reconcile.Located{Row: row, List: string(w.SourceID)})
		}
		if pages++; pages == most && len(rules) >= c.pageSize {
			return errWide
		}
		return nil
	})
	if err == nil {
		err = unread
	}
	return found, n, err
}

// names says whether a rule is that of q.
func names(q reconcile.Query, k reconcile.Kind, w *wireRule) bool {
	if q.ID != "" && string(w.ID) == q.ID {
		return true
	}
	switch {
	case k == reconcile.IOC:
		return string(w.Type) == q.Type && strings.EqualFold(strings.TrimSpace(string(w.Value)), q.Value)
	case k == reconcile.Sigma && q.RuleID != "":
		return strings.EqualFold(strings.TrimSpace(string(w.RuleID)), q.RuleID)
	case k == reconcile.Sigma && q.Title != "":
		return slices.Contains([]string{strings.TrimSpace(string(w.Title)), strings.TrimSpace(string(w.Name))}, strings.TrimSpace(q.Title))
	}
	return strings.TrimSpace(string(w.Name)) == strings.TrimSpace(q.Name)
}

// Create makes a rule and returns its id, or "" when the manager does not name it. A duplicate is an
// *Error with Exists; whose it is the caller must find out. The POST of an IOC or Sigma rule is
// repeated after any failure, because the manager refuses twins; that of a YARA file only when it was
// turned away, and after a lost answer Fault.Once holds.
func (c *Client) Create(ctx context.Context, list string, r reconcile.Row) (id string, err error) {
	body := map[string]any{"source_id": list, "hl_status": r.HLStatus}
	// The flag and the global state are two spellings of one thing, and which wins is unknown (contract
	// harfanglab-api 4.5), so one alone is sent.
	if r.State == "" {
		body["enabled"] = r.Enabled
	}
	for name, v := range map[string]string{"global_state": r.State, "rule_level_override": r.Level, "rule_confidence_override": r.Confidence} {
		if v != "" {
			body[name] = v
		}
	}
	if r.Kind == reconcile.IOC {
		body["type"], body["value"] = r.Type, r.Value
		body["description"], body["comment"] = r.Description, r.Comment
	} else {
		body["name"], body["content"] = r.Name, r.Content
	}
	path := rulePath(r.Kind)
	answer, err := c.do(ctx, call{method: http.MethodPost, path: path, body: body, repeatable: r.Kind != reconcile.YARA})
	if err != nil {
		return "", err
	}
	c.written.note(answer)
	return created(answer, http.MethodPost, path)
}

// wireEntry is one entry of the status list (contract harfanglab-api 4.4).
type wireEntry struct {
	ID      text  `json:"id"`
	Status  *bool `json:"status"`
	Code    loose `json:"code"`
	Content loose `json:"content"`
}

// statusList reads the entries of an answer; ok is false where it has no list of them.
func statusList(raw json.RawMessage) (entries []wireEntry, ok bool) {
	ok = len(raw) > 0 && remote.Decode(raw, &entries) == nil && entries != nil
	return entries, ok
}

// created judges the answer to a creation or a change: a bare object with an id, or a list of entries of
// which every one must say that it succeeded.
func created(body []byte, method, path string) (string, error) {
	refuse := func(w string) *Error {
		return &Error{Method: method, Path: path, Status: http.StatusCreated, Refused: true, Words: oneLine(w)}
	}
	var o struct {
		ID     text            `json:"id"`
		Status json.RawMessage `json:"status"`
	}
	if err := remote.Decode(body, &o); err != nil {
		return "", &Error{Method: method, Path: path, Status: http.StatusCreated, Shape: true, Words: "an answer of another shape", Unsure: true}
	}
	entries, list := statusList(o.Status)
	switch {
	case len(entries) == 0 && o.ID != "":
		return string(o.ID), nil
	case !list:
		return "", &Error{Method: method, Path: path, Status: http.StatusCreated, Shape: true, Words: "neither an id nor a status list", Unsure: true}
	case len(entries) == 0:
		return "", refuse("nothing was done: the status list is empty")
	}
	for _, e := range entries {
		if e.Status != nil && *e.Status {
			continue
		}
		err := refuse(strings.TrimSpace(fmt.Sprintf("%s %s", e.Code, e.Content)))
		if err.Words == "" {
			err.Words = "refused without a word"
		}
		err.Exists = e.Code == "duplicate_rule" || strings.Contains(strings.ToLower(string(e.Content)), "already exists")
		return "", err
	}
	return string(entries[0].ID), nil
}

// Update changes a rule. Members that are nil are not sent, so that fields which are not managed stay as
// they are. An answer that is not the rule is a failure: a proxy that says yes to
// everything changes nothing.
func (c *Client) Update(ctx context.Context, k reconcile.Kind, id string, p reconcile.Patch) error {
	body := map[string]any{}
	if p.Enabled != nil {
		body["enabled"] = *p.Enabled
	}
	for name, v := range map[string]*string{"description": p.Description, "comment": p.Comment, "hl_status": p.HLStatus, "name": p.Name, "content": p.Content,
		"rule_level_override": p.Level, "rule_confidence_override": p.Confidence, "global_state": p.State} {
		if v != nil {
			body[name] = *v
		}
	}
	path := rulePath(k) + url.PathEscape(id) + "/"
	answer, err := c.do(ctx, call{method: http.MethodPatch, path: path, body: body, repeatable: true, answer: changedRule})
	if err != nil || answer == nil {
		return err
	}
	c.written.note(answer)
	_, err = created(answer, http.MethodPatch, path)
	return err
}

// changedRule says what is wrong with the answer to a change: it is the rule, or a list of entries as
// after a creation.
func changedRule(body []byte) string {
	var o struct {
		ID     text            `json:"id"`
		Status json.RawMessage `json:"status"`
	}
	if err := remote.Decode(body, &o); err != nil {
		return "an answer of another shape: " + err.Error()
	}
	if _, list := statusList(o.Status); o.ID == "" && !list {
		return "an answer that is not the rule"
	}
	return ""
}

// Delete removes a rule. One that is gone already is fine.
func (c *Client) Delete(ctx context.Context, k reconcile.Kind, id string) error {
	path := rulePath(k) + url.PathEscape(id) + "/"
	_, err := c.do(ctx, call{method: http.MethodDelete, path: path, repeatable: true, noAnswer: true})
	if e, ok := errors.AsType[*Error](err); ok && e.NotFound() {
		return nil
	}
	return err
}
