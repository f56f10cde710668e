package hlsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// event is an alert as it is held: its document, and of that what lists, threats and agents ask for.
// Views that were given out stay good: a change replaces the document.
type event struct {
	id        string
	seq       int             // in the order of arrival
	raw       json.RawMessage // replaced, never written to
	at, moved time.Time       // alert_time, or the arrival where it says none; last_update, zero when there is none

	status, typ, level, maturity string
	threatKey, uniqueID          string
	ruleID, ruleName, msg        string
	username, usersid            string
	tactics                      []string

	agent  *agent  // nil when the document names none by its id
	host   string  // what the document calls it
	threat *threat // nil when it has no threat_key
}

// head is what is read of a document.
type head struct {
	ID         json.RawMessage `json:"id"`
	UniqueID   json.RawMessage `json:"alert_unique_id"`
	Time       json.RawMessage `json:"alert_time"`
	Updated    json.RawMessage `json:"last_update"`
	Status     json.RawMessage `json:"status"`
	Type       json.RawMessage `json:"alert_type"`
	Level      json.RawMessage `json:"level"`
	Maturity   json.RawMessage `json:"maturity"`
	ThreatKey  json.RawMessage `json:"threat_key"`
	RuleID     json.RawMessage `json:"rule_id"`
	RuleName   json.RawMessage `json:"rule_name"`
	Message    json.RawMessage `json:"msg"`
	Agent      json.RawMessage `json:"agent"`
	Groups     json.RawMessage `json:"groups"`
	Process    json.RawMessage `json:"process"`
	MitreCells json.RawMessage `json:"mitre_cells"`
}

// readEvent takes any object. Where it lacks an id and an alert_time it gets them; an alert_time that
// is no time is held as it is spelled.
func readEvent(raw []byte, newID func() string, now time.Time) (*event, *head, error) {
	h, err := readHead(raw)
	if err != nil {
		return nil, nil, err
	}
	if !absent(h.ID) && (h.ID[0] != '"' || text(h.ID) == "") {
		return nil, nil, errors.New("its id is no text")
	}
	e := &event{raw: bytes.Clone(bytes.TrimSpace(raw))}
	if absent(h.ID) || absent(h.Time) {
		all := objectOf(e.raw)
		if absent(h.ID) {
			h.ID = quoted(newID())
		}
		if absent(h.Time) {
			h.Time = quoted(stamp(now.UnixMicro()))
		}
		all["id"], all["alert_time"] = h.ID, h.Time
		if e.raw, err = encode(all); err != nil {
			return nil, nil, err
		}
	}
	e.take(h, now)
	return e, h, nil
}

func readHead(raw []byte) (*head, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("it is not UTF-8")
	}
	h := new(head)
	err := json.Unmarshal(raw, h)
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); other || string(bytes.TrimSpace(raw)) == "null" {
		return nil, errors.New("it is no object")
	}
	return h, err
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

func quoted(s string) json.RawMessage {
	b, _ := encode(s) // a string can be encoded
	return b
}

// take reads what is asked for out of a document. What has another shape than expected is as if absent.
func (e *event) take(h *head, arrival time.Time) {
	if e.at = moment(h.Time); e.at.IsZero() {
		e.at = arrival
	}
	e.moved = moment(h.Updated)
	e.id, e.uniqueID, e.threatKey = text(h.ID), text(h.UniqueID), text(h.ThreatKey)
	e.status, e.typ, e.level, e.maturity = text(h.Status), text(h.Type), text(h.Level), text(h.Maturity)
	e.ruleID, e.ruleName, e.msg = text(h.RuleID), text(h.RuleName), text(h.Message)
	var by struct {
		Username json.RawMessage `json:"username"`
		UserSID  json.RawMessage `json:"usersid"`
	}
	if len(h.Process) > 0 && h.Process[0] == '{' {
		_ = json.Unmarshal(h.Process, &by) // it was decoded before
	}
	e.username, e.usersid = text(by.Username), text(by.UserSID)
	e.tactics = nil
	for _, cell := range elements(h.MitreCells) {
		tactic, _, _ := strings.Cut(text(cell), "__")
		e.tactics = append(e.tactics, tactic)
	}
}

// triage is what a change of status leaves in a document: the status, the moment and a line of its
// history (contract harfanglab-api 12.27). The alert_time stays.
func triage(all map[string]json.RawMessage, status string, now time.Time, by *user) {
	at := seconds(now)
	all["status"], all["last_update"] = quoted(status), quoted(at)
	line, _ := encode(map[string]string{"action": "status_changed", "timestamp": at, "status": status, "username": by.username})
	all["status_history"], _ = encode(append(elements(all["status_history"]), line)) // parts of what was decoded
}
