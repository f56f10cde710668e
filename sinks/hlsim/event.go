package hlsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// event is an alert as it is held: its document, and of that what lists, threats and agents ask for.
// Rows that were given out stay good: a change replaces the event's document.
type event struct {
	id        string
	seq       int             // in the order of arrival
	raw       json.RawMessage // compact; replaced, never written to
	at, moved time.Time       // alert_time, or the arrival where it says none; last_update, zero when there is none

	status, typ, level, maturity string
	threatKey, uniqueID          string
	ruleID, ruleName, msg        string
	hostname                     string
	username, usersid            string
	tactics                      []string

	agent  *agent  // nil when the document names none
	threat *threat // nil when it has no threat_key
}

// readEvent takes any object. Where it lacks an id and an alert_time it gets them; an alert_time that
// is no time is held as it is spelled. It gives the document's members too.
func readEvent(raw []byte, newID func() string, now time.Time) (*event, map[string]json.RawMessage, error) {
	all, err := members(raw)
	if err != nil {
		return nil, nil, err
	}
	whole := true
	switch id := all["id"]; {
	case absent(id):
		all["id"], whole = quoted(newID()), false
	case text(id) == "" || id[0] != '"':
		return nil, nil, errors.New("its id is no text")
	}
	if absent(all["alert_time"]) {
		all["alert_time"], whole = quoted(stamp(now.UnixMicro())), false
	}
	e := &event{}
	if whole {
		var b bytes.Buffer
		err = json.Compact(&b, raw)
		e.raw = bytes.Clone(b.Bytes())
	} else {
		e.raw, err = encode(all)
	}
	if err != nil {
		return nil, nil, err
	}
	e.take(all, now)
	return e, all, nil
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

func quoted(s string) json.RawMessage {
	b, _ := encode(s) // a string can be encoded
	return b
}

// take reads the members of a document. What has another shape than expected is as if absent.
func (e *event) take(all map[string]json.RawMessage, arrival time.Time) {
	if e.at = moment(all["alert_time"]); e.at.IsZero() {
		e.at = arrival
	}
	e.moved = moment(all["last_update"])
	e.id, e.uniqueID, e.threatKey = text(all["id"]), text(all["alert_unique_id"]), text(all["threat_key"])
	e.status, e.typ = text(all["status"]), text(all["alert_type"])
	e.level, e.maturity = text(all["level"]), text(all["maturity"])
	e.ruleID, e.ruleName, e.msg = text(all["rule_id"]), text(all["rule_name"]), text(all["msg"])
	process := objectOf(all["process"])
	e.username, e.usersid = text(process["username"]), text(process["usersid"])
	e.hostname = text(objectOf(all["agent"])["hostname"])
	e.tactics = nil
	for _, cell := range elements(all["mitre_cells"]) {
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
