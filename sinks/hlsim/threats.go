package hlsim

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// threatIndex is what threats can be asked for. id__gt fits numbers only.
var threatIndex = index[*threat]{
	main: "creation_date",
	columns: map[string]column[*threat]{
		"id":            {text: func(t *threat) string { return t.id }, number: true},
		"status":        {text: func(t *threat) string { return t.status }},
		"level":         {text: func(t *threat) string { return t.level }},
		"creation_date": {moment: func(t *threat) time.Time { return t.created }},
		"first_seen":    {moment: func(t *threat) time.Time { return t.created }},
		"last_seen":     {moment: func(t *threat) time.Time { return t.last }},
		"last_update":   {moment: (*threat).updated},
	},
}

func (s *Sim) listThreats(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	w := q.window(k)
	want, bad := threatIndex.parse(k, q)
	if bad != nil {
		return bad
	}
	if k.BeforePage != nil {
		k.BeforePage("threat", w.page())
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := slices.SortedStableFunc(slices.Values(s.alerts.threats.order), func(a, b *threat) int { return a.created.Compare(b.created) })
	return paged(k, r, w, want.pick(all), func(t *threat) any { return slim(k.viewThreat(t), want.fields) })
}

func (s *Sim) oneThreat(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.alerts.threats.byID[r.PathValue("id")]
	if t == nil {
		return notFound
	}
	return ok(slim(k.viewThreat(t), words(k.query(r).Get("fields"))))
}

// threatRules lists the rules of one threat; of a threat that is not there it lists none.
func (s *Sim) threatRules(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	id := q.Get("threat_id")
	if id == "" {
		return refused("threat_id", "This field is required.")
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []ThreatRule
	if t := s.alerts.threats.byID[id]; t != nil {
		found = t.rules()
	}
	return paged(k, r, q.window(k), found, func(one ThreatRule) any { return slim(one, words(q.Get("fields"))) })
}

// threatStatus changes the status of threats, and of their alerts if it is told to (contract
// harfanglab-api 8.2). Ids of no threat are left out of the count.
func (s *Sim) threatStatus(r *http.Request, by *user) *answer {
	b := readBody(r)
	ids, status, cascade := b.ids("threat_ids"), b.choice("new_status", triages, false), false
	set(&cascade, b.flag("tag_security_events"))
	b.require("new_status")
	if bad := b.bad(); bad != nil {
		return bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, id := range ids {
		if t := s.alerts.threats.byID[id]; t != nil {
			s.alerts.triageThreat(t, status.text, cascade, s.options.Now(), by)
			n++
		}
	}
	return s.knobs.Load().tagged(n, "threats")
}

// triageThreat changes the status of a threat, and with cascade that of its alerts.
func (s *alertStore) triageThreat(t *threat, status string, cascade bool, now time.Time, by *user) {
	t.status, t.touched = status, now
	if cascade {
		for _, e := range t.alerts {
			s.triage(e, status, now, by)
		}
	}
}

// threatNote answers without a body when there is no note (contract harfanglab-api 8.4).
func (s *Sim) threatNote(r *http.Request, _ *user) *answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.alerts.threats.byID[r.PathValue("id")]
	switch {
	case t == nil:
		return notFound
	case t.note == nil:
		return &answer{status: http.StatusOK}
	}
	return ok(*t.note)
}

// Threats are all of them in the order of their making, with the ids of their alerts. None hides its
// top lists here.
func (s *Sim) Threats() []Threat {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Threat{}
	for _, t := range s.alerts.threats.order {
		v := (&Knobs{AlertKnobs: AlertKnobs{EmptyTops: -1}}).viewThreat(t)
		for _, e := range t.alerts {
			v.Alerts = append(v.Alerts, e.id)
		}
		out = append(out, *v)
	}
	return out
}

// onThreat does something to a threat. It is false when there is none with that id.
func (s *Sim) onThreat(id string, do func(*threat)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.alerts.threats.byID[id]
	if t != nil {
		do(t)
	}
	return t != nil
}

// TriageThreat changes the status of a threat as an analyst does in the console, to any word, and with
// cascade that of its alerts. It is false when there is no such threat.
func (s *Sim) TriageThreat(id, status string, cascade bool) bool {
	return s.onThreat(id, func(t *threat) { s.alerts.triageThreat(t, status, cascade, s.options.Now(), analyst) })
}

// WriteNote puts a note on a threat, or replaces the one that is there. It is false when there is no
// such threat.
func (s *Sim) WriteNote(id, title, content string) bool {
	return s.onThreat(id, func(t *threat) {
		t.touched = s.options.Now()
		made := seconds(t.touched)
		if t.note != nil {
			made = t.note.Created
		}
		t.note = &ThreatNote{title, content, made, seconds(t.touched)}
	})
}

// DropThreat takes a threat away while its alerts still name it. It is false when there is no such
// threat.
func (s *Sim) DropThreat(id string) bool {
	return s.onThreat(id, func(t *threat) {
		l := &s.alerts.threats
		delete(l.byID, id)
		l.order = slices.DeleteFunc(l.order, func(o *threat) bool { return o == t })
	})
}

// threat is a group of alerts. What it shows of them is counted when it is asked for.
type threat struct {
	id     string // a number or any other word
	nth    int    // in the order of their making, from 1
	status string
	alerts []*alert // in the order of their arrival

	agents        map[string]bool // the ids of those that its alerts name
	created, last time.Time       // the first and the last alert_time
	touched       time.Time       // of the last change by a person; zero when there is none
	level         string          // the highest
	note          *ThreatNote     // nil when there is none
}

// threats are all of them.
type threats struct {
	byID    map[string]*threat
	order   []*threat // of their making
	made    int       // how many ever
	numbers int       // the highest number among the ids
}

func newThreats() threats { return threats{byID: map[string]*threat{}, numbers: 4200} }

// join adds an alert to the threat that it names, which is made if it is not there.
func (l *threats) join(e *alert) {
	t := l.byID[e.threatKey]
	if t == nil {
		l.made++
		t = &threat{id: e.threatKey, nth: l.made, status: "new", agents: map[string]bool{}, created: e.at, level: e.level}
		l.byID[t.id] = t
		l.order = append(l.order, t)
		if n, err := strconv.Atoi(t.id); err == nil && n < 1<<52 {
			l.numbers = max(l.numbers, n)
		}
	}
	t.alerts = append(t.alerts, e)
	if e.agent != nil {
		t.agents[e.agent.id] = true
	}
	if e.at.Before(t.created) {
		t.created = e.at
	}
	if e.at.After(t.last) {
		t.last = e.at
	}
	if t.level == "" || levelInt[e.level] > levelInt[t.level] {
		t.level = e.level
	}
}

// openOf is the newest threat of an endpoint that further alerts join, nil when there is none.
func (l *threats) openOf(agentID string) *threat {
	for _, t := range slices.Backward(l.order) {
		if (t.status == "new" || t.status == "investigating") && t.agents[agentID] {
			return t
		}
	}
	return nil
}

// updated is the moment of the last change, by an alert or by a person.
func (t *threat) updated() time.Time {
	if t.touched.After(t.last) {
		return t.touched
	}
	return t.last
}

// levelInt is the order of levels (contract harfanglab-api 7.3). Unknown ones are the lowest.
var levelInt = map[string]int{"informational": 10, "low": 20, "medium": 30, "high": 40, "critical": 50}

// slug is a name for people, the same for the same id.
func slug(id string) string {
	sum := sha256.Sum256([]byte(id))
	first := []string{"swift", "quiet", "amber", "brave", "distant", "early", "gentle", "hidden"}
	second := []string{"otter", "heron", "badger", "falcon", "marten", "lynx", "raven", "viper"}
	return first[sum[0]%8] + "-" + second[sum[1]%8] + "-" + strconv.Itoa(int(sum[2])%100)
}

// tally is what some alerts share, such as a user.
type tally struct {
	n     int
	first *alert // the first of them to arrive
}

// tallies counts alerts by a key, the most frequent first, then by arrival. Those without it are left
// out.
func tallies(alerts []*alert, key func(*alert) string) []tally {
	at := map[string]int{}
	var out []tally
	for _, e := range alerts {
		k := key(e)
		if k == "" {
			continue
		}
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			out = append(out, tally{first: e})
		}
		out[i].n++
	}
	slices.SortStableFunc(out, func(a, b tally) int { return cmp.Compare(b.n, a.n) })
	return out
}

// ThreatID is a number or any other word. In JSON numbers are numbers (contract harfanglab-api 8.1).
type ThreatID string

// MarshalJSON writes the decimal spelling of an integer as a number.
func (id ThreatID) MarshalJSON() ([]byte, error) {
	if n, err := strconv.Atoi(string(id)); err == nil && strconv.Itoa(n) == string(id) {
		return []byte(id), nil
	}
	return json.Marshal(string(id))
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
	Alerts       []string       `json:"alerts,omitempty"` // their ids; the controls' only
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
	agents := tallies(t.alerts, func(e *alert) string {
		if e.agent == nil {
			return ""
		}
		return e.agent.id
	})
	users := tallies(t.alerts, func(e *alert) string { return e.username })
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
	for i, one := range tallies(t.alerts, func(e *alert) string { return e.ruleID + e.ruleName }) {
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
