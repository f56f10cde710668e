package hlsim

import (
	"encoding/json"
	"strconv"
	"time"
)

// ThreatID is a number or any other word. In JSON numbers are numbers (contract harfanglab-api 8.1).
type ThreatID string

// MarshalJSON writes the decimal spelling of an integer as a number.
func (id ThreatID) MarshalJSON() ([]byte, error) {
	if n, err := strconv.Atoi(string(id)); err == nil && strconv.Itoa(n) == string(id) {
		return []byte(id), nil
	}
	return json.Marshal(string(id))
}

// UnmarshalJSON takes a number or a text.
func (id *ThreatID) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(id))
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	*id = ThreatID(n)
	return nil
}

// Threat is a threat as the API and the controls show it (contract harfanglab-api 8.1).
type Threat struct {
	ID         ThreatID `json:"id"`
	Slug       string   `json:"slug"`
	Status     string   `json:"status"`
	Level      string   `json:"level"`
	Created    string   `json:"creation_date"` // whole seconds, UTC, as all of these
	FirstSeen  string   `json:"first_seen"`
	LastSeen   string   `json:"last_seen"`
	LastUpdate string   `json:"last_update"`

	Count        int            `json:"total_security_event_count"`
	CountByLevel map[string]int `json:"security_event_count_by_level"`
	AgentCount   int            `json:"agent_count"`
	RuleCount    int            `json:"rule_count"`
	UserCount    int            `json:"impacted_user_count"`
	Agents       []ThreatAgent  `json:"top_agents"` // at most five, the most frequent first, as all that follow
	Users        []ThreatUser   `json:"top_impacted_users"`
	Rules        []ThreatRule   `json:"top_rules"`
	Tactics      []string       `json:"mitre_tactics"`
	Note         *ThreatNote    `json:"note"`
	Comments     []string       `json:"comments,omitempty"` // the controls' only, as what follows
	Alerts       []string       `json:"alerts,omitempty"`   // their ids
}

// ThreatAgent is an endpoint of a threat.
type ThreatAgent struct {
	ID       string `json:"agent_id"`
	Hostname string `json:"agent_hostname"`
	OSType   string `json:"agent_ostype"`
	Product  string `json:"agent_osproducttype"`
}

// ThreatUser is a user of a threat.
type ThreatUser struct {
	Name string `json:"user_name"`
	SID  string `json:"user_sid"`
}

// ThreatRule is a rule of a threat.
type ThreatRule struct {
	ID      int    `json:"id"`
	RuleID  string `json:"rule_id"`
	Name    string `json:"rule_name"`
	Level   string `json:"rule_level"`
	Type    string `json:"rule_type"`
	Message string `json:"rule_msg"`
	OS      string `json:"rule_os"`
	Count   int    `json:"security_event_count"`
}

// ThreatNote is what a person wrote on a threat.
type ThreatNote struct {
	Title   string `json:"title"`
	Content string `json:"content"`
	Created string `json:"creation_date,omitempty"`
	Updated string `json:"last_update,omitempty"`
}

// mostTop bounds the lists of a threat's top.
const mostTop = 5

// viewThreat counts what a threat shows.
func (k *Knobs) viewThreat(t *threat) *Threat {
	agents := tallies(t.alerts, func(e *event) string {
		if e.agent == nil {
			return ""
		}
		return e.agent.id
	})
	users := tallies(t.alerts, func(e *event) string { return e.username })
	rules := t.rules()
	v := &Threat{
		ID: ThreatID(t.id), Slug: slug(t.id), Status: t.status, Level: t.level,
		Created: seconds(t.created), FirstSeen: seconds(t.created), LastSeen: seconds(t.last), LastUpdate: seconds(t.updated()),
		Count: len(t.alerts), CountByLevel: map[string]int{"critical": 0, "high": 0, "medium": 0, "low": 0},
		AgentCount: len(agents), RuleCount: len(rules), UserCount: len(users),
		Agents: []ThreatAgent{}, Users: []ThreatUser{}, Rules: rules[:min(len(rules), mostTop)], Tactics: t.tactics(),
	}
	for _, e := range t.alerts {
		if _, known := v.CountByLevel[e.level]; known {
			v.CountByLevel[e.level]++
		}
	}
	if t.note != nil {
		v.Note = new(*t.note)
	}
	if k.hidesTop(t.nth) {
		return v
	}
	for _, one := range agents[:min(len(agents), mostTop)] {
		a := one.first.agent
		v.Agents = append(v.Agents, ThreatAgent{a.id, a.says("hostname"), a.says("ostype"), a.says("osproducttype")})
	}
	for _, one := range users[:min(len(users), mostTop)] {
		v.Users = append(v.Users, ThreatUser{one.first.username, one.first.usersid})
	}
	return v
}

// rules are those that fired, as Threat/rules/ lists them.
func (t *threat) rules() []ThreatRule {
	out := []ThreatRule{}
	for i, one := range tallies(t.alerts, func(e *event) string { return e.ruleID + e.ruleName }) {
		e := one.first
		r := ThreatRule{ID: i + 1, RuleID: e.ruleID, Name: e.ruleName, Level: e.level, Type: e.typ, Message: e.msg, Count: one.n}
		if e.agent != nil {
			r.OS = e.agent.says("ostype")
		}
		out = append(out, r)
	}
	return out
}

// tactics are those of its alerts, each once.
func (t *threat) tactics() []string {
	out, seen := []string{}, map[string]bool{}
	for _, e := range t.alerts {
		for _, name := range e.tactics {
			if !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}

// write puts a note on a threat, or changes the one that is there.
func (t *threat) write(title, content said, now time.Time) {
	at := seconds(now)
	if t.note == nil {
		t.note = &ThreatNote{Created: at}
	}
	title.into(&t.note.Title)
	content.into(&t.note.Content)
	t.note.Updated = at
	t.touched = now
}
