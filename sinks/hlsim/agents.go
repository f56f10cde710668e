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
	policy      int    // among policies
	external    string // address; "" when none is known
	offline     bool
	told        document // shared by the rows of telemetry
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
	if a := d.agent; a != nil {
		a.seen(e.at)
		a.shown, a.told = d.shown, nil
		if !absent(e.groups) {
			a.groups = e.groups
		}
	}
}

// of is the endpoint of a sighting.
func (l *agents) of(x *alertBuilder) *agent {
	if a := l.byID[x.agentID()]; a != nil {
		return a
	}
	raw, _ := encode(x.agent()) // texts
	return l.read(raw).agent
}

// document is what is said of the agent in a row of telemetry.
func (a *agent) document() document {
	if a.told == nil {
		a.told = document{}
		for name, raw := range a.shown {
			a.told[name] = orNull(text(raw))
		}
	}
	return a.told
}

// seen notes a moment at which the agent was there.
func (a *agent) seen(at time.Time) {
	if a.first.IsZero() || at.Before(a.first) {
		a.first = at
	}
	if at.After(a.last) {
		a.last = at
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

func (a *agent) status() string {
	if a.offline {
		return "offline"
	}
	return "online"
}

// view is the agent in an answer, with the whole of its policy (contract harfanglab-telemetry 8).
func (a *agent) view() document {
	d := document{
		"id": a.id, "status": a.status(), "firstseen": seconds(a.first), "lastseen": seconds(a.last), "isolation_state": false,
		"policy": policies[a.policy], "groups": []any{}, "effective_ioc_revision": 1, "external_ipaddress": orNull(a.external),
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
			asks("status", a.status()) && (q.Get("threat_id") == "" || t != nil && t.agents[a.id]) {
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

// policies are what agents run: one sends everything, one says of the DNS only what an alert is about,
// one is of 2022 (contract harfanglab-telemetry 5).
var policies = []document{
	policy("Default", "live"),
	policy("Servers", "on_alert"),
	{"id": sameAs("policy Old"), "name": "Old", "ioc_mode": 1, "telemetry_process": true, "telemetry_network": true, "telemetry_dns_resolution": true},
}

func policy(name, dns string) document {
	d := document{"id": sameAs("policy " + name), "name": name, "ioc_mode": 1, "sigma_mode": 1, "yara_mode": 1, "ioc_ruleset": nil, "ioc_scan_written_executable": false, "ioc_scan_libraries": false}
	for kind, state := range map[string]string{
		"process": "live", "network": "live", "driverload": "live", "dns_resolution": dns, "file_download": "live",
		"file": "on_alert", "library_load": "on_alert", "url_request": "on_alert", "registry": "on_alert",
	} {
		d["telemetry_"+kind+"_state"], d["telemetry_"+kind+"_limit"], d["telemetry_"+kind+"_limit_value"] = state, false, 1000
	}
	return d
}

func (s *Sim) listPolicies(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	w, views := q.window(k), []any{}
	for _, p := range rowsOf(w, policies) {
		views = append(views, slim(p, words(q.Get("fields"))))
	}
	return ok(k.envelope(r, w, len(policies), views))
}
