package hlsim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// endpoints is where the agents are (contract harfanglab-api 6).
const endpoints = "/api/data/endpoint/Agent/"

// agent is an endpoint, as the alerts of it tell: the latest to arrive wins.
type agent struct {
	id          string
	shown       map[string]json.RawMessage // what alerts say of it
	groups      json.RawMessage
	first, last time.Time
}

// agents are all endpoints that an alert named.
type agents struct {
	byID  map[string]*agent
	order []*agent                // of their first alert's arrival
	said  map[string]*description // of the many alerts of one endpoint most say the same
}

// description is what alerts say of an endpoint, read.
type description struct {
	agent *agent // nil when it has no id
	host  string
	shown map[string]json.RawMessage
}

// note tells an alert its agent, and the agent of the alert. What the alert says of it holds from now
// on if it is news.
func (l *agents) note(e *event, h *head, news bool) {
	d := l.said[string(h.Agent)]
	if d == nil {
		d = l.read(h.Agent)
	}
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
	if news {
		a.shown = d.shown
	}
	if news && !absent(h.Groups) {
		a.groups = h.Groups
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
	l.said[string(raw)] = d
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

// serveAgents serves the list of agents, or one of them.
func (s *Sim) serveAgents(id string) handler {
	return verbs{"GET": func(r *http.Request, _ *user) *answer {
		k := s.knobs.Load()
		q := k.query(r)
		w := q.window(k)
		s.mu.RLock()
		defer s.mu.RUnlock()
		if id != "" {
			if a := s.events.agents.byID[id]; a != nil {
				return &answer{status: http.StatusOK, body: a.view()}
			}
			return notFound
		}
		found := s.events.findAgents(q)
		from := min(w.offset, len(found))
		views := []any{}
		for _, a := range found[from:min(from+w.limit, len(found))] {
			views = append(views, slim(a.view(), words(q.Get("fields"))))
		}
		return k.enclose(r, w, len(found), views)
	}}.serve
}

// findAgents are the agents that the parameters ask for, in the order of their first alert's arrival,
// or of its time. All filters take several values, cut at commas.
func (s *events) findAgents(q query) []*agent {
	var found []*agent
	for _, a := range s.agents.order {
		if wants(q, "hostname", a.says("hostname")) && wants(q, "ostype", a.says("ostype")) && wants(q, "ipaddress", a.says("ipaddress")) &&
			wants(q, "status", "online") && s.threats.hit(q.Get("threat_id"), a) {
			found = append(found, a)
		}
	}
	if field, down := strings.CutPrefix(q.Get("ordering"), "-"); field == "firstseen" {
		slices.SortStableFunc(found, func(a, b *agent) int {
			if down {
				a, b = b, a
			}
			return a.first.Compare(b.first)
		})
	}
	return found
}

// wants says whether a parameter, if it is there, asks for a value.
func wants(q query, name, v string) bool {
	asked := words(q.Get(name))
	return asked == nil || slices.Contains(asked, v)
}
