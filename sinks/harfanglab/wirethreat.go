package harfanglab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// wireThreat is a threat as the list and the item answer it, and with the members of the export beside
// them (contract harfanglab-api 8.1). As with alerts, every member may be of any form.
type wireThreat struct {
	ID     loose `json:"id"`
	Slug   loose `json:"slug"`
	Status loose `json:"status"`
	Level  loose `json:"level"`

	Created    stamp `json:"creation_date"`
	FirstSeen  stamp `json:"first_seen"`
	LastSeen   stamp `json:"last_seen"`
	LastUpdate stamp `json:"last_update"`

	Count     loose                 `json:"total_security_event_count"`
	TopAgents many[wireThreatAgent] `json:"top_agents"`
	Agents    many[wireThreatAgent] `json:"agents"`
	TopUsers  many[wireUser]        `json:"top_impacted_users"`
	Users     many[wireUser]        `json:"impacted_users"`
	TopRules  many[wireThreatRule]  `json:"top_rules"`
	Rules     many[wireThreatRule]  `json:"rules"`
	Note      maybe[wireNote]       `json:"note"`
}

type wireThreatAgent struct {
	ID        loose `json:"agent_id"`
	Hostname  loose `json:"agent_hostname"`
	OS        loose `json:"agent_ostype"`
	OSProduct loose `json:"agent_osproducttype"`
}

type wireUser struct {
	Name loose `json:"user_name"`
	SID  loose `json:"user_sid"`
}

type wireThreatRule struct {
	Name loose `json:"rule_name"`
}

type wireNote struct {
	Title   loose `json:"title"`
	Content loose `json:"content"`
	Created stamp `json:"creation_date"`
}

// decodeThreat reads one row. The error says what keeps it from being a threat: that it is no object, or
// that it has no id or no time of creation; what could be read comes all the same.
func decodeThreat(raw json.RawMessage) (w wireThreat, t alert.Threat, err error) {
	if err := decodeRow(raw, "a threat", &w); err != nil {
		return w, t, err
	}
	t = w.threat()
	if t.ID == "" {
		return w, t, fmt.Errorf("a threat without an id: %.200s", oneLine(string(raw)))
	}
	return w, t, w.Created.due("threat", t.ID, "creation_date")
}

func (w *wireThreat) threat() alert.Threat {
	t := alert.Threat{
		ID: strings.TrimSpace(string(w.ID)), Slug: string(w.Slug), Status: alert.Status(w.Status), Level: string(w.Level),
		Created: w.Created.Time, FirstSeen: w.FirstSeen.Time, LastSeen: w.LastSeen.Time, LastUpdate: w.LastUpdate.Time,
		Count: whole(w.Count), Note: w.Note.v.note(), NoteTold: w.Note.told,
	}
	// The short lists come first; the long ones, where there are any, add to them.
	for _, a := range slices.Concat(w.TopAgents, w.Agents) {
		found := alert.Agent{ID: string(a.ID), Hostname: string(a.Hostname), OS: string(a.OS), OSProduct: string(a.OSProduct)}
		same := func(b alert.Agent) bool {
			return b.ID == found.ID && (b.ID != "" || b.Hostname == found.Hostname)
		}
		if (found.ID != "" || found.Hostname != "") && !slices.ContainsFunc(t.Agents, same) {
			t.Agents = append(t.Agents, found)
		}
	}
	for _, u := range slices.Concat(w.TopUsers, w.Users) {
		found := alert.User{Name: string(u.Name), SID: string(u.SID)}
		if found != (alert.User{}) && !slices.Contains(t.Users, found) {
			t.Users = append(t.Users, found)
		}
	}
	for _, r := range slices.Concat(w.TopRules, w.Rules) {
		if name := string(r.Name); name != "" && !slices.Contains(t.Rules, name) {
			t.Rules = append(t.Rules, name)
		}
	}
	return t
}

// note is nil when nothing is written.
func (w *wireNote) note() *alert.Note {
	if w.Title == "" && w.Content == "" {
		return nil
	}
	return &alert.Note{Title: string(w.Title), Content: string(w.Content), Created: w.Created.Time}
}
