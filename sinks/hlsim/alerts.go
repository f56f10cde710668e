package hlsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

// alertIndex is what alerts can be asked for, beside any path of names with dots.
var alertIndex = index[*alert]{
	main: "alert_time",
	columns: map[string]column[*alert]{
		"id":                 {text: func(e *alert) string { return e.id }},
		"alert_unique_id":    {text: func(e *alert) string { return e.uniqueID }},
		"alert_type":         {text: func(e *alert) string { return e.typ }},
		"status":             {text: func(e *alert) string { return e.status }},
		"level":              {text: func(e *alert) string { return e.level }},
		"maturity":           {text: func(e *alert) string { return e.maturity }},
		"threat_key":         {text: func(e *alert) string { return e.threatKey }},
		"rule_id":            {text: func(e *alert) string { return e.ruleID }},
		"rule_name":          {text: func(e *alert) string { return e.ruleName }},
		"agent.hostname":     {text: func(e *alert) string { return e.host }},
		"alert_time":         {moment: func(e *alert) time.Time { return e.at }},
		"last_update":        {moment: func(e *alert) time.Time { return e.moved }},
		"@event_create_date": {moment: func(e *alert) time.Time { return moment(objectOf(e.raw)["@event_create_date"]) }},
	},
	path: func(name string) column[*alert] {
		return column[*alert]{has: func(e *alert, match func(string) bool) bool { return dig(e.raw, name, match) }}
	},
}

func (s *Sim) listAlerts(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	if k.LimitRequired && q.Get("limit") == "" {
		return refused("limit", "This field is required.")
	}
	w := q.window(k)
	want, bad := alertIndex.parse(k, q)
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
	found := s.alerts.search(k, want, q.Encode(), s.options.Now())
	return paged(k, r, w, found, func(e *alert) any { return k.viewAlert(e, want.fields) })
}

// viewAlert is an alert in a list.
func (k *Knobs) viewAlert(e *alert, fields []string) any {
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

func (s *Sim) alertDetails(r *http.Request, _ *user) *answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.alerts.seen(s.knobs.Load(), r.PathValue("id"), s.options.Now())
	if e == nil {
		return notFound
	}
	return ok(map[string]any{"alert": e.raw})
}

// triages are the statuses that a request may set (contract harfanglab-api 7.2, 8.1).
var triages = []string{"new", "investigating", "false_positive", "closed"}

// tagAlerts changes the status of alerts. Ids of no alert are left out of the count.
func (s *Sim) tagAlerts(r *http.Request, by *user) *answer {
	b := readBody(r)
	ids, status := b.ids("ids"), b.choice("new_status", triages, false)
	b.require("new_status")
	if bad := b.bad(); bad != nil {
		return bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, now, n := s.knobs.Load(), s.options.Now(), 0
	for _, id := range ids {
		if e := s.alerts.seen(k, id, now); e != nil {
			s.alerts.triage(e, status.text, now, by)
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
