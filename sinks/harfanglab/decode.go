package harfanglab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/harfangsync/harfangsync/reconcile"
)

// text is a JSON string, or a number kept as it is written: ids come in both forms (contract
// harfanglab-api 1.8). null is "".
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	switch {
	case bytes.Equal(b, []byte("null")):
		*t = ""
	case len(b) > 1 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b):
		*t = text(b[1 : len(b)-1])
	case len(b) > 0 && b[0] == '"':
		s, _ := jsontext.AppendUnquote(nil, b) // all it could find wrong is UTF-8, and that it replaces
		*t = text(s)
	case len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9'):
		*t = text(b)
	default:
		return fmt.Errorf("%.20s where a text is due", b)
	}
	return nil
}

// loose is a text that other forms may stand in for; those read as "".
type loose string

func (l *loose) UnmarshalJSON(b []byte) error {
	var t text
	if t.UnmarshalJSON(b) == nil {
		*l = loose(t)
	}
	return nil
}

// page is the envelope of every list (contract harfanglab-api 1.5).
type page[T any] struct {
	Count   *int            `json:"count"`
	Next    json.RawMessage `json:"next"`
	Results *[]T            `json:"results"`
}

// getPage asks for one page of a collection.
func getPage[T any](ctx context.Context, c *Client, path string, query url.Values, limit, offset int) (*page[T], error) {
	return askPage[T](ctx, c, call{path: path, query: query}, limit, offset)
}

// askPage asks for one page by a call that says where, and how often.
func askPage[T any](ctx context.Context, c *Client, r call, limit, offset int) (*page[T], error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(offset)}}
	maps.Copy(q, r.query)
	var p page[T]
	r.method, r.query, r.repeatable, r.into = http.MethodGet, q, true, &p
	if _, err := c.do(ctx, r); err != nil {
		return nil, err
	}
	if p.Count == nil || *p.Count < 0 || p.Results == nil {
		return nil, shapeError(r.path, "no count or no results in it")
	}
	return &p, nil
}

func shapeError(path, why string) *Error {
	return &Error{Method: "GET", Path: path, Status: 200, Shape: true, Words: "a page of another shape: " + oneLine(why)}
}

func (p *page[T]) more() bool {
	t := bytes.TrimSpace(p.Next)
	return len(t) > 0 && !bytes.Equal(t, []byte("null")) && !bytes.Equal(t, []byte(`""`)) && !bytes.Equal(t, []byte("false"))
}

// wireRule is what is read of a rule of any kind. Members of no interest are skipped, unknown values
// kept as text.
type wireRule struct {
	ID          text        `json:"id"`
	SourceID    text        `json:"source_id"`
	Created     loose       `json:"creation_date"`
	Updated     loose       `json:"last_update"`
	Type        loose       `json:"type"`
	Value       loose       `json:"value"`
	Description loose       `json:"description"`
	Comment     loose       `json:"comment"`
	Name        loose       `json:"name"`
	RuleID      text        `json:"rule_id"`
	Content     loose       `json:"content"`
	Enabled     *bool       `json:"enabled"`
	GlobalState loose       `json:"global_state"`
	HLStatus    loose       `json:"hl_status"`
	Level       loose       `json:"rule_level_override"`
	Confidence  loose       `json:"rule_confidence_override"`
	Title       loose       `json:"rule_name"`  // of a Sigma rule's YAML
	RuleNames   many[loose] `json:"rule_names"` // in a YARA file; some managers leave them out
}

// foreign says that the rule belongs to another list. A rule that does not name its list is taken to
// be what the filter asked for.
func (w *wireRule) foreign(list string) bool {
	return w.SourceID != "" && string(w.SourceID) != list
}

// row checks a rule's shape. A row that cannot be understood is an error of the whole read: leaving
// it out would make its rule look absent.
func (w *wireRule) row(k reconcile.Kind) (reconcile.Row, error) {
	r := reconcile.Row{Kind: k, ID: string(w.ID), Created: string(w.Created), HLStatus: string(w.HLStatus),
		Level: string(w.Level), Confidence: string(w.Confidence), State: string(w.GlobalState)}
	if r.HLStatus == "testing" { // whose age matters (sync.promote)
		r.Updated = string(w.Updated)
	}
	if r.ID == "" {
		return r, fmt.Errorf("a row without an id")
	}
	switch {
	case w.Enabled != nil:
		r.Enabled = *w.Enabled
	case w.GlobalState != "":
		r.Enabled = w.GlobalState != "disabled"
	default:
		return r, fmt.Errorf("row %s does not say whether it is enabled", oneLine(r.ID))
	}
	if k == reconcile.IOC {
		r.Type, r.Value, r.Description, r.Comment = string(w.Type), string(w.Value), string(w.Description), string(w.Comment)
		if r.Type == "" || r.Value == "" {
			return r, fmt.Errorf("row %s has no type or no value", oneLine(r.ID))
		}
		return r, nil
	}
	r.Name, r.RuleID, r.Content = string(w.Name), strings.TrimSpace(string(w.RuleID)), string(w.Content)
	return r, nil
}
