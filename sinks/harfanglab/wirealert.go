package harfanglab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// wireAlert is an alert as it is listed (contract harfanglab-api 7.3). Every member may be absent, null
// or of another form, and no form of one makes the others unreadable.
type wireAlert struct {
	ID          loose       `json:"id"`
	UniqueID    loose       `json:"alert_unique_id"`
	Type        loose       `json:"alert_type"`
	Subtype     loose       `json:"alert_subtype"`
	Status      loose       `json:"status"`
	Level       loose       `json:"level"`
	Maturity    loose       `json:"maturity"`
	RuleID      loose       `json:"rule_id"`
	RuleName    loose       `json:"rule_name"`
	Message     loose       `json:"msg"`
	RuleContent loose       `json:"rule_content"`
	Tags        many[loose] `json:"tags"`
	MitreCells  many[loose] `json:"mitre_cells"`
	References  many[loose] `json:"references"`

	Time       stamp `json:"alert_time"`
	EventTime  stamp `json:"@event_create_date"`
	Detected   stamp `json:"detection_date"`
	Detected2  stamp `json:"detection_timestamp"`
	LastUpdate stamp `json:"last_update"`

	ThreatKey loose `json:"threat_key"`

	Detection maybe[wirePart]    `json:"detection"`
	Process   maybe[wireProcess] `json:"process"`
	Agent     maybe[wireAgent]   `json:"agent"`
	Matches   many[wireMatch]    `json:"ioc_matches"`
	Burst     maybe[struct {
		Events many[json.RawMessage] `json:"events"`
	}] `json:"correlation"`

	// What stands at the top where there is no process.
	Image       loose             `json:"image_name"`
	CommandLine loose             `json:"commandline"`
	PID         loose             `json:"pid"`
	User        loose             `json:"username"`
	Hashes      maybe[wireHashes] `json:"hashes"`
}

type wireHashes struct {
	MD5    loose `json:"md5"`
	SHA1   loose `json:"sha1"`
	SHA256 loose `json:"sha256"`
}

type wireMatch struct {
	SourceID loose `json:"source_id"`
	Type     loose `json:"type"`
	Value    loose `json:"value"`
}

type wireProcess struct {
	Name             loose             `json:"process_name"`
	Image            loose             `json:"image_name"`
	CommandLine      loose             `json:"commandline"`
	WorkingDirectory loose             `json:"current_directory"`
	PID              loose             `json:"pid"`
	User             loose             `json:"username"`
	UserSID          loose             `json:"usersid"`
	Hashes           maybe[wireHashes] `json:"hashes"`
	ParentImage      loose             `json:"parent_image"`
	ParentCommand    loose             `json:"parent_commandline"`
	Matches          many[wireMatch]   `json:"ioc_matches"`
	Rules            many[wireYARA]    `json:"matched_rules"`
}

type wireYARA struct {
	File   loose `json:"namespace"`
	Rule   loose `json:"rulename"`
	Source loose `json:"source"`
}

type wireAgent struct {
	ID        loose `json:"agentid"`
	Hostname  loose `json:"hostname"`
	Domain    loose `json:"domainname"`
	DNSDomain loose `json:"dnsdomainname"`
	Address   loose `json:"ipaddress"`
	OS        loose `json:"ostype"`
	OSProduct loose `json:"osproducttype"`
	OSVersion loose `json:"osversion"`
	Version   loose `json:"version"`
}

// decodeAlert reads one row. The error says what keeps it from being an alert: that it is no object,
// or that it has no id or no time; what could be read comes all the same.
func decodeAlert(raw json.RawMessage) (w wireAlert, a alert.Alert, err error) {
	if err := decodeRow(raw, "an alert", &w); err != nil {
		return w, a, err
	}
	a = w.alert()
	gather(&a, raw)
	for _, event := range w.Burst.v.Events {
		var rule struct {
			ID   loose `json:"rule_id"`
			Name loose `json:"rule_name"`
		}
		if isObject(event) && remote.Decode(event, &rule) == nil {
			a.Correlated = append(a.Correlated, alert.Rule{ID: string(rule.ID), Name: string(rule.Name)})
			gather(&a, event)
		}
	}
	if a.Process == nil {
		a.Process = w.program(&a)
	}
	switch {
	case a.ID == "" && a.UniqueID != "":
		err = fmt.Errorf("an alert without an id; its alert_unique_id is %s", oneLine(a.UniqueID))
	case a.ID == "":
		err = fmt.Errorf("an alert without an id: %.200s", oneLine(string(raw)))
	default:
		err = w.Time.due("alert", a.ID, "alert_time")
	}
	return w, a, err
}

// mostRow bounds an alert and a threat: what is made of one is kept, copied and remembered.
const mostRow = 1 << 20

// decodeRow reads a row into a type whose members take anything.
func decodeRow(raw json.RawMessage, what string, into any) error {
	if len(raw) > mostRow {
		return fmt.Errorf("%s of %d bytes: %s", what, len(raw), oneLine(string(raw[:200])))
	}
	if !isObject(raw) {
		return fmt.Errorf("%.60s in place of %s", oneLine(string(raw)), what)
	}
	if err := remote.Decode(raw, into); err != nil {
		return fmt.Errorf("%s that cannot be read: %w", what, err)
	}
	return nil
}

// due says that a time which has to be there is not.
func (s stamp) due(what, id, member string) error {
	switch {
	case !s.IsZero():
		return nil
	case s.unread != "":
		return fmt.Errorf("%s %s without a time: its %s is %.60s", what, oneLine(id), member, s.unread)
	}
	return fmt.Errorf("%s %s without a time: it has no %s", what, oneLine(id), member)
}

func (w *wireAlert) alert() alert.Alert {
	a := alert.Alert{
		ID: strings.TrimSpace(string(w.ID)), UniqueID: string(w.UniqueID), Type: string(w.Type), Subtype: string(w.Subtype), Status: alert.Status(w.Status),
		Level: string(w.Level), Maturity: string(w.Maturity), RuleID: string(w.RuleID), RuleName: string(w.RuleName), Message: string(w.Message),
		RuleContent: string(w.RuleContent), Tags: texts(w.Tags), MitreCells: texts(w.MitreCells), References: texts(w.References),
		Time: w.Time.Time, EventTime: firstOf(w.EventTime, w.Detected, w.Detected2), LastUpdate: w.LastUpdate.Time, ThreatKey: string(w.ThreatKey),
		Detected: w.Detection.v.file(), Process: w.Process.v.process(), Agent: w.Agent.v.agent(),
	}
	match(&a, w.Matches, nil)
	match(&a, w.Process.v.Matches, w.Process.v.Rules)
	return a
}

// program is what the top level says of the process. The image is none when it is a file that the alert
// shows anyway: a driver, or the file that matched.
func (w *wireAlert) program(a *alert.Alert) *alert.Process {
	p := wireProcess{Image: w.Image, CommandLine: w.CommandLine, PID: w.PID, User: w.User, Hashes: w.Hashes}
	if p.CommandLine+p.PID+p.User == "" && slices.ContainsFunc(append(slices.Clone(a.Files), a.Detected, a.Written), func(f alert.File) bool {
		return strings.EqualFold(f.Path, string(w.Image))
	}) {
		return nil
	}
	return p.process()
}

// process is nil when nothing is known of it.
func (w *wireProcess) process() *alert.Process {
	p := alert.Process{
		Name: string(w.Name), Image: string(w.Image), CommandLine: string(w.CommandLine), WorkingDirectory: string(w.WorkingDirectory), PID: whole(w.PID),
		User: string(w.User), UserSID: string(w.UserSID), File: file(w.Image, w.Hashes.v), ParentImage: string(w.ParentImage), ParentCommand: string(w.ParentCommand),
	}
	if p == (alert.Process{}) {
		return nil
	}
	return &p
}

func (w *wireAgent) agent() alert.Agent {
	return alert.Agent{
		ID: string(w.ID), Hostname: string(w.Hostname), Domain: string(w.Domain), DNSDomain: string(w.DNSDomain), Address: string(w.Address),
		OS: string(w.OS), OSProduct: string(w.OSProduct), OSVersion: string(w.OSVersion), Version: string(w.Version),
	}
}

func file(path loose, h wireHashes) alert.File {
	return alert.File{Path: string(path), MD5: hexOf(h.MD5, 32), SHA1: hexOf(h.SHA1, 40), SHA256: hexOf(h.SHA256, 64)}
}

// hexOf is a hash of n digits in lower case, or "".
func hexOf(l loose, n int) string {
	s := strings.ToLower(strings.TrimSpace(string(l)))
	if len(s) != n || strings.Trim(s, "0123456789abcdef") != "" {
		return ""
	}
	return s
}
