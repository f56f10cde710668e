package hlsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// agent is an endpoint, as the alerts of it tell: the latest to arrive wins.
type agent struct {
	id          string
	shown       map[string]json.RawMessage // what alerts say of it
	groups      json.RawMessage
	first, last time.Time
}

// agents are all endpoints that an alert named.
type agents struct {
	byID         map[string]*agent
	order        []*agent                // of their first alert's arrival
	descriptions map[string]*description // of the many alerts of one endpoint most say the same
}

// description is what alerts say of an endpoint, read.
type description struct {
	agent *agent // nil when it has no id
	host  string
	shown map[string]json.RawMessage
}

// note tells an alert its agent, and the agent of the alert: what the latest to arrive says holds.
func (l *agents) note(e *alert) {
	d := l.descriptions[string(e.rawAgent)]
	if d == nil {
		d = l.read(e.rawAgent)
	}
	e.rawAgent = nil
	e.agent, e.host = d.agent, d.host
	a := d.agent
	if a == nil {
		return
	}
	if a.first.IsZero() || e.at.Before(a.first) {
		a.first = e.at
	}
	if e.at.After(a.last) {
		a.last = e.at
	}
	a.shown = d.shown
	if !absent(e.groups) {
		a.groups = e.groups
	}
}

// read makes the description of an endpoint, and the endpoint if it was not known.
func (l *agents) read(raw json.RawMessage) *description {
	d := &description{shown: objectOf(raw)}
	d.host = text(d.shown["hostname"])
	if id := text(d.shown["agentid"]); id != "" {
		if d.agent = l.byID[id]; d.agent == nil {
			d.agent = &agent{id: id, shown: d.shown}
			l.byID[id] = d.agent
			l.order = append(l.order, d.agent)
		}
	}
	l.descriptions[string(raw)] = d
	return d
}

// says is a text of the agent, such as its hostname.
func (a *agent) says(name string) string { return text(a.shown[name]) }

// view is the agent in an answer. Every one is online and runs the default policy.
func (a *agent) view() document {
	d := document{
		"id": a.id, "status": "online", "firstseen": seconds(a.first), "lastseen": seconds(a.last), "isolation_state": false,
		"policy": document{"id": "00000000-0000-4000-8000-000000000001", "name": "Default"}, "groups": []any{}, "effective_ioc_revision": 1,
	}
	for _, name := range []string{"hostname", "domainname", "dnsdomainname", "ipaddress", "ostype", "osproducttype", "osversion", "version"} {
		d[name] = a.says(name)
	}
	if a.groups != nil {
		d["groups"] = a.groups
	}
	return d
}

// listAgents lists agents in the order of their first alert's arrival, or of its time. All filters take
// several values, cut at commas.
func (s *Sim) listAgents(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	s.mu.RLock()
	defer s.mu.RUnlock()
	asks := func(name, v string) bool {
		asked := words(q.Get(name))
		return asked == nil || slices.Contains(asked, v)
	}
	found := []*agent{}
	for _, a := range s.alerts.agents.order {
		t := s.alerts.threats.byID[q.Get("threat_id")]
		if asks("hostname", a.says("hostname")) && asks("ostype", a.says("ostype")) && asks("ipaddress", a.says("ipaddress")) &&
			asks("status", "online") && (q.Get("threat_id") == "" || t != nil && t.agents[a.id]) {
			found = append(found, a)
		}
	}
	if field, down := strings.CutPrefix(q.Get("ordering"), "-"); field == "firstseen" {
		slices.SortStableFunc(found, func(a, b *agent) int { return a.first.Compare(b.first) })
		if down {
			slices.Reverse(found)
		}
	}
	w, views := q.window(k), []any{}
	for _, a := range rowsOf(w, found) {
		views = append(views, slim(a.view(), words(q.Get("fields"))))
	}
	return ok(k.envelope(r, w, len(found), views))
}

func (s *Sim) oneAgent(r *http.Request, _ *user) *answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.alerts.agents.byID[r.PathValue("id")]; a != nil {
		return ok(a.view())
	}
	return notFound
}
