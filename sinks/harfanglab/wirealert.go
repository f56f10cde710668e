package harfanglab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"harfangsync/reconcile/alert"
	"harfangsync/reconcile/remote"
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

	Detection maybe[struct {
		Path   loose             `json:"file_path"`
		Hashes maybe[wireHashes] `json:"file_hashes"`
	}] `json:"detection"`
	// Of the written file only the hashes are documented; its path is taken where it is found.
	Written maybe[struct {
		Path   loose             `json:"file_path"`
		Path2  loose             `json:"path"`
		Hashes maybe[wireHashes] `json:"written_file_hashes"`
	}] `json:"details_windows_filesystem_event"`
	Process    maybe[wireProcess] `json:"process"`
	Agent      maybe[wireAgent]   `json:"agent"`
	DriverLoad maybe[wireMatches] `json:"driverload"`
	EventLog   maybe[wireMatches] `json:"eventlog"`
}

type wireHashes struct {
	MD5    loose `json:"md5"`
	SHA1   loose `json:"sha1"`
	SHA256 loose `json:"sha256"`
}

type wireMatches struct {
	Matches many[wireMatch] `json:"ioc_matches"`
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
	Rules            many[struct {
		File   loose `json:"namespace"`
		Rule   loose `json:"rulename"`
		Source loose `json:"source"`
	}] `json:"matched_rules"`
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

// decodeRow reads a row into a type whose members take anything.
func decodeRow(raw json.RawMessage, what string, into any) error {
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
		Detected: file(w.Detection.v.Path, w.Detection.v.Hashes.v), Written: file(firstText(w.Written.v.Path, w.Written.v.Path2), w.Written.v.Hashes.v),
		Process: w.Process.v.process(), Agent: w.Agent.v.agent(),
	}
	for _, list := range []many[wireMatch]{w.Process.v.Matches, w.DriverLoad.v.Matches, w.EventLog.v.Matches} {
		for _, m := range list {
			found := alert.Match{SourceID: string(m.SourceID), Type: string(m.Type), Value: string(m.Value)}
			if found.Value != "" && !slices.Contains(a.Matches, found) {
				a.Matches = append(a.Matches, found)
			}
		}
	}
	for _, r := range w.Process.v.Rules {
		if r.Rule != "" {
			a.YARA = append(a.YARA, alert.YARAMatch{File: string(r.File), Rule: string(r.Rule), Source: string(r.Source)})
		}
	}
	return a
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

func firstText(all ...loose) loose {
	for _, l := range all {
		if l != "" {
			return l
		}
	}
	return ""
}
