package harfanglab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// Error is a request that did not succeed. Status is 0 when there was no answer.
type Error struct {
	Method, Path string
	Status       int
	Words        string   // the server's, on one line, at most 500 characters
	Fields       []string // that a 400 names, sorted
	Exists       bool     // the rule or the list is there already
	Linked       bool     // a correlation uses the rule
	Unsure       bool     // the change may have been carried out, by this attempt or one before
	Shape        bool     // the answer was not one of the API
	Foreign      bool     // a 4xx that the API does not give: of something in front of the manager, or of no manager
	TooLarge     bool     // the answer is over a limit, and would be again
	Refused      bool     // a 2xx whose entry says that the content was refused (contract harfanglab-api 4.4)
	Err          error    // of the transport

	again bool          // it may be sent once more
	after time.Duration // what the server asks to wait
}

// Again says whether the request is made again (remote.Failure).
func (e *Error) Again(most int) (attempts int, wait time.Duration) {
	switch {
	case !e.again:
		return 1, 0
	case e.turnedAway():
		return most * remote.Patience, e.after
	}
	return most, e.after
}

// turnedAway says that the server has too much to do and did not look at the request.
func (e *Error) turnedAway() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
}

// ErrFilterIgnored says that a narrow look-up came back wide: this manager does not know the filter.
var ErrFilterIgnored error = filterIgnored{}

type filterIgnored struct{}

func (filterIgnored) Error() string          { return "HarfangLab ignores the filter of a narrow read" }
func (filterIgnored) Fault() reconcile.Fault { return reconcile.Fault{FilterIgnored: true} }

// versionPath is what every manager answers.
const versionPath = "/api/version/"

// Error names side, request and remedy.
func (e *Error) Error() string {
	if e.Refused {
		return "refused: " + e.Words
	}
	text := "HarfangLab: " + e.Request() + ": " + strings.TrimSuffix(e.what(), ".")
	if remedy := e.Remedy(); remedy != "" {
		text += "; " + remedy
	}
	return text
}

// Request is what was asked, without the address of the manager.
func (e *Error) Request() string { return e.Method + " " + e.Path }

func (e *Error) what() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Status == http.StatusTooManyRequests:
		return "429 too many requests (" + e.Words + ")"
	case e.TooLarge, e.Shape:
		return fmt.Sprintf("%d with %s", e.Status, e.Words)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Words)
}

// Remedy is what to do about the failure, "" where its words say that.
func (e *Error) Remedy() string {
	switch {
	case e.Refused, remote.Withheld(e.Err):
		return ""
	case e.Err != nil:
		return "check harfanglab.url, the network and ssl_verify or ca_bundle"
	case e.Auth() && strings.HasPrefix(e.Path, eventBase):
		return "check the token and its right to view security events and threats"
	case e.Auth() && (strings.HasPrefix(e.Path, telemetryBase) || strings.HasPrefix(e.Path, endpointBase)):
		return "check the token and its right to view telemetry and endpoints"
	case e.Auth():
		return "check the token and its right to view and edit rules, IOC and rulesets"
	case e.Status >= 300 && e.Status < 400:
		return "set harfanglab.url to the final address"
	case e.Status == http.StatusTooManyRequests:
		return "lower sync.parallelism or set sync.rate_limit"
	case e.TooLarge:
		return "lower sync.page_size"
	case e.Shape, e.Foreign:
		return "check harfanglab.url and what is in front of it"
	case e.Status >= 500:
		return "the manager failed, try again later"
	}
	return ""
}

// Unwrap is the transport's error.
func (e *Error) Unwrap() error { return e.Err }

// Auth says that the account was refused.
func (e *Error) Auth() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// NotFound says that the item is not there, in the manager's own words.
func (e *Error) NotFound() bool { return e.Status == http.StatusNotFound && !e.Foreign }

// elsewhere says that this generation of the manager has a stream of telemetry under another path, or not at all.
func (e *Error) elsewhere() bool {
	return (e.Status >= 300 && e.Status < 400 || e.Status == http.StatusNotFound) && strings.HasPrefix(e.Path, telemetryBase)
}

// Transport says that there was no answer.
func (e *Error) Transport() bool { return e.Err != nil }

// Temporary says that the same request may succeed later.
func (e *Error) Temporary() bool {
	return e.Err != nil || e.Status == http.StatusTooManyRequests || e.Status >= 500 || e.Shape || e.Foreign
}

// Verdict says that the server judged the item itself: asking again changes nothing.
func (e *Error) Verdict() bool {
	return e.Refused || e.Status >= 400 && e.Status < 500 && !e.Foreign && !e.Auth() && !e.NotFound() && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

// Fault is what the failure means to a run.
func (e *Error) Fault() reconcile.Fault {
	verdict := e.Verdict() || e.Exists
	return reconcile.Fault{
		Verdict: verdict, Exists: e.Exists, Linked: e.Linked, Unsure: e.Unsure, Once: e.Unsure && !e.again, Missing: e.NotFound() || e.elsewhere(),
		Side: !verdict && !e.Linked && !e.NotFound(), Foreign: e.Foreign, Account: e.Auth(), Words: e.Words, Fields: e.Fields,
	}
}

// foreign says whether a 4xx comes from something that does not know the API. The manager says what it has against a request
// in JSON, also that there is no such item (contract harfanglab-api 1.7); a collection is always there. What is too large or
// in conflict is so whoever says it, and so is who may not.
func (e *Error) foreign(r *call, body []byte) bool {
	switch e.Status {
	case http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnauthorized, http.StatusForbidden:
		return false
	case http.StatusNotFound:
		if r.method == http.MethodPost || r.query != nil || r.path == versionPath {
			return true
		}
	}
	t := bytes.TrimSpace(body)
	return !e.Exists && (len(t) == 0 || t[0] != '{' && t[0] != '[' || !remote.Valid(t))
}

// judge reads the forms of a 400 (contract harfanglab-api 1.7). Duplicates are known by their words
// alone, in whatever member they stand.
func (e *Error) judge(body []byte) {
	e.Exists = e.Status == http.StatusBadRequest && bytes.Contains(bytes.ToLower(body), []byte("already exists"))
	var o map[string]json.RawMessage
	if remote.Decode(body, &o) != nil {
		return
	}
	var code string
	_ = remote.Decode(o["code"], &code) // a code that is no text is none of ours
	_, linked := o["linked_correlation"]
	e.Linked = e.Status == http.StatusBadRequest && (linked || strings.HasPrefix(code, "linked_"))
	for name := range o {
		e.Fields = append(e.Fields, name)
	}
	slices.Sort(e.Fields)
}

// words is what a server says in a body, for people.
func words(body []byte) string {
	t := bytes.TrimSpace(body)
	if len(t) == 0 {
		return "without a word"
	}
	if t[0] == '<' {
		return "with an HTML page"
	}
	var o struct{ Detail *string }
	if remote.Decode(t, &o) == nil && o.Detail != nil {
		return oneLine(*o.Detail)
	}
	return oneLine(string(t))
}

// oneLine bounds a text and takes the control characters out of it.
func oneLine(s string) string { return remote.OneLine(s, 500) }

// IncompleteError says that the rows of a list could not be proven to be all of them (gate G1).
type IncompleteError struct{ Path, Why string }

// Fault says that the read may be whole at another time.
func (e *IncompleteError) Fault() reconcile.Fault {
	return reconcile.Fault{Incomplete: true, Side: true}
}

func (e *IncompleteError) Error() string {
	meanwhile := "and look for somebody editing the list meanwhile"
	if strings.HasPrefix(e.Path, eventBase) {
		meanwhile = "at a time when fewer of them change"
	}
	return fmt.Sprintf("HarfangLab: %s was not read completely: %s; run again, %s", e.Path, e.Why, meanwhile)
}
