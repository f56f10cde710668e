package hlsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// security is the prefix of alerts and threats (contract harfanglab-api 2).
const security = "/api/data/alert/alert/"

// alertTable is what alerts can be asked for, beside any path of names with dots.
var alertTable = table[*event]{
	main: "alert_time",
	columns: map[string]column[*event]{
		"id":                 {text: func(e *event) string { return e.id }},
		"alert_unique_id":    {text: func(e *event) string { return e.uniqueID }},
		"alert_type":         {text: func(e *event) string { return e.typ }},
		"status":             {text: func(e *event) string { return e.status }},
		"level":              {text: func(e *event) string { return e.level }},
		"maturity":           {text: func(e *event) string { return e.maturity }},
		"threat_key":         {text: func(e *event) string { return e.threatKey }},
		"rule_id":            {text: func(e *event) string { return e.ruleID }},
		"rule_name":          {text: func(e *event) string { return e.ruleName }},
		"agent.hostname":     {text: func(e *event) string { return e.host }},
		"alert_time":         {moment: func(e *event) time.Time { return e.at }},
		"last_update":        {moment: func(e *event) time.Time { return e.moved }},
		"@event_create_date": {moment: func(e *event) time.Time { return moment(objectOf(e.raw)["@event_create_date"]) }},
	},
	path: func(name string) column[*event] {
		return column[*event]{has: func(e *event, match func(string) bool) bool { return dig(e.raw, name, match) }}
	},
}

// findSecurity is the handler of a path below alerts, threats and agents, nil when there is none.
func (s *Sim) findSecurity(path string) handler {
	if id, ok := strings.CutPrefix(path, endpoints); ok {
		if id = strings.TrimSuffix(id, "/"); !strings.Contains(id, "/") {
			return s.serveAgents(id)
		}
		return nil
	}
	below, ok := strings.CutPrefix(path, security)
	if !ok {
		return nil
	}
	if rest, ok := strings.CutPrefix(below, "Threat/"); ok {
		return s.serveThreats(rest)
	}
	id, what, _ := strings.Cut(strings.TrimPrefix(below, "Alert/"), "/")
	switch {
	case below == "Alert/":
		return verbs{"GET": s.listAlerts}.serve
	case below == "Alert/tag/":
		return verbs{"POST": s.tagAlerts}.serve
	case strings.HasPrefix(below, "Alert/") && id != "" && what == "details/":
		return verbs{"GET": s.alertDetails(id)}.serve
	}
	return nil
}

// verbs are the handlers of one path. HEAD is served as GET.
type verbs map[string]handler

func (v verbs) serve(r *http.Request, by *user) *answer {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if serve := v[method]; serve != nil {
		return serve(r, by)
	}
	return notAllowed(r, strings.Join(append(slices.Sorted(maps.Keys(v)), "OPTIONS"), ", "))
}

func (s *Sim) listAlerts(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	if k.LimitRequired && q.Get("limit") == "" {
		return &answer{status: http.StatusBadRequest, body: map[string][]string{"limit": {"This field is required."}}}
	}
	w := q.window(k)
	a, bad := alertTable.ask(k, q)
	if bad != nil {
		return bad
	}
	for _, name := range []string{"limit", "offset", "fields"} {
		q.Del(name)
	}
	if k.BeforePage != nil {
		k.BeforePage("alert", w.page())
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.events.search(k, a, q.Encode(), s.options.Now())
	return paged(k, r, w, found, func(e *event) any { return k.viewAlert(e, a.fields) })
}

// viewAlert is an alert in a list.
func (k *Knobs) viewAlert(e *event, fields []string) any {
	if !k.ShortAlerts {
		return slim(e.raw, fields)
	}
	all := objectOf(e.raw)
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return name == "rule_content" || strings.HasPrefix(name, "details_")
	})
	return slim(all, fields)
}

// slim keeps of a view the fields that are named, all when none are.
func slim(view any, fields []string) any {
	if fields == nil {
		return view
	}
	raw, err := encode(view)
	if err != nil {
		return view
	}
	return project(raw, fields)
}

func (s *Sim) alertDetails(id string) handler {
	return func(*http.Request, *user) *answer {
		s.mu.RLock()
		defer s.mu.RUnlock()
		e := s.events.seen(s.knobs.Load(), id, s.options.Now())
		if e == nil {
			return notFound
		}
		return &answer{status: http.StatusOK, body: map[string]any{"alert": e.raw}}
	}
}

// tagAlerts changes the status of alerts. Ids of no alert are left out of the count.
func (s *Sim) tagAlerts(r *http.Request, by *user) *answer {
	f, bad := readForm(r)
	if bad != nil {
		return bad
	}
	ids, status := f.ids("ids"), f.choice("new_status", triages, false)
	f.require("new_status")
	if bad := f.bad(); bad != nil {
		return bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, now, n := s.knobs.Load(), s.options.Now(), 0
	for _, id := range ids {
		if e := s.events.seen(k, id, now); e != nil {
			s.events.triage(e, status.text, now, by)
			n++
		}
	}
	return k.tagged(n, "alerts")
}

// tagged is the answer to a change of status; contract harfanglab-api 8.2 shows it for threats.
func (k *Knobs) tagged(n int, what string) *answer {
	a := &answer{status: k.tagStatus()}
	if a.status != http.StatusNoContent {
		a.body = map[string]string{"status": fmt.Sprintf("%d %s updated", n, what)}
	}
	return a
}
