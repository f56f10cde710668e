package pull_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// memImporter writes objects as lines. An alert whose level is "unwritable" cannot be written.
type memImporter struct{}

func memLine(o memObject) alert.Object {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return alert.Object{ID: o.ID, Type: o.Type, JSON: b}
}

func (memImporter) Author() alert.Object {
	return memLine(memObject{Type: "identity", ID: "identity--author"})
}

func (memImporter) IncidentID(a *alert.Alert) string {
	if a.ID == "" {
		return ""
	}
	return "incident--" + a.ID
}

func (memImporter) EndpointID(a *alert.Alert) string {
	if a.Agent.Hostname == "" {
		return ""
	}
	return "identity--" + a.Agent.Hostname
}

func (memImporter) SightingID(indicator, endpoint string) string {
	return "sighting--" + indicator + "-" + endpoint
}
func (memImporter) HostnameIDs(*alert.Alert) []string  { return nil }
func (memImporter) TechniqueIDs(*alert.Alert) []string { return nil }
func (memImporter) FileIDs(*alert.Alert) []string      { return nil }

func (s memImporter) Alert(a *alert.Alert, indicators []string, _ alert.Known) ([]alert.Object, error) {
	if a.Level == "unwritable" {
		return nil, errors.New("it cannot be written")
	}
	out := []alert.Object{memLine(memObject{Type: "incident", ID: s.IncidentID(a), Text: string(a.Status) + " " + s.EndpointID(a)})}
	if a.Detected.Path != "" {
		file := "file--" + a.ID
		out = append(out, memLine(memObject{Type: "file", ID: file}), memLine(memObject{Type: "relationship", ID: "relationship--" + file, From: file, To: s.IncidentID(a)}))
	}
	for _, id := range indicators {
		out = append(out, memLine(memObject{Type: "relationship", ID: "relationship--" + id + a.ID, From: id, To: s.IncidentID(a)}))
	}
	return out, nil
}

func (memImporter) Sighting(s alert.Sighting) alert.Object {
	o := memObject{Type: "sighting", ID: s.ID, Seen: s}
	return memLine(o)
}

func (memImporter) CaseID(t *alert.Threat) string { return "case-incident--" + t.ID }

func (s memImporter) Threat(t *alert.Threat, refs []string) ([]alert.Object, error) {
	out := []alert.Object{memLine(memObject{Type: "case-incident", ID: s.CaseID(t), Parts: len(refs), Text: fmt.Sprintf("%s, %d of %d alerts", t.Status, t.Imported, t.Count)})}
	if t.Note != nil {
		out = append(out, memLine(memObject{Type: "note", ID: "note--" + t.ID, Text: t.Note.Content}))
	}
	return out, nil
}

func (memImporter) Bundle(objects []alert.Object) (string, error) {
	lines := make([]string, len(objects))
	for i, o := range objects {
		lines[i] = string(o.JSON)
	}
	return strings.Join(lines, "\n"), nil
}

func (memImporter) Read(description string) (alert.Facts, bool) {
	status, endpoint, ok := strings.Cut(description, " ")
	f := alert.Facts{Status: alert.Status(status), Endpoint: endpoint}
	_, _ = fmt.Sscanf(endpoint, "%d of", &f.Imported) // of a case
	return f, ok
}

func (memImporter) Fired(a *alert.Alert) (out []alert.Hint) {
	if a.RuleID != "" {
		out = append(out, alert.Hint{From: alert.ByRuleID, Kind: reconcile.IOC, RuleID: a.RuleID})
	}
	for _, m := range a.Matches {
		out = append(out, alert.Hint{From: alert.ByMatch, Kind: reconcile.IOC, SourceID: m.SourceID, Type: m.Type, Value: m.Value})
	}
	if typ, value, ok := strings.Cut(a.Message, "="); ok {
		out = append(out, alert.Hint{From: alert.ByMessage, Kind: reconcile.IOC, Type: typ, Value: value})
	}
	if a.RuleContent != "" {
		out = append(out, alert.Hint{From: alert.ByContent, Kind: reconcile.IOC, Owners: strings.Fields(a.RuleContent)})
	}
	if title, ok := strings.CutPrefix(a.RuleName, "sigma: "); ok {
		out = append(out, alert.Hint{From: alert.ByName, Kind: reconcile.Sigma, Name: title})
	}
	for _, m := range a.YARA {
		out = append(out, alert.Hint{From: alert.ByName, Kind: reconcile.YARA, YARARule: m.Rule, Source: m.Source})
	}
	return out
}
