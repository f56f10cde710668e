package hlsim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// triages are the statuses that a request may set (contract harfanglab-api 7.2, 8.1).
var triages = []string{"new", "investigating", "false_positive", "closed"}

// threatTable is what threats can be asked for. id__gt fits numbers only.
var threatTable = table[*threat]{
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

// serveThreats serves what lies below Threat/ (contract harfanglab-api 8); nil for no path of it.
func (s *Sim) serveThreats(below string) handler {
	id, what, _ := strings.Cut(below, "/")
	switch {
	case below == "":
		return verbs{"GET": s.listThreats}.serve
	case below == "rules/":
		return verbs{"GET": s.threatRules}.serve
	case below == "status/":
		return verbs{"PATCH": s.threatStatus}.serve
	case what == "":
		return verbs{"GET": s.withThreat(id, s.oneThreat)}.serve
	case what == "note/":
		return verbs{"GET": s.withThreat(id, readNote), "POST": s.withThreat(id, s.makeNote), "PATCH": s.withThreat(id, s.changeNote)}.serve
	case what == "comment/":
		return verbs{"POST": s.withThreat(id, comment)}.serve
	}
	return nil
}

// withThreat serves with one threat, under the lock. The form of a GET is nil.
func (s *Sim) withThreat(id string, serve func(*http.Request, *threat, *form) *answer) handler {
	return func(r *http.Request, _ *user) *answer {
		var f *form
		if !reads(r) {
			var bad *answer
			if f, bad = readForm(r); bad != nil {
				return bad
			}
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		t := s.events.threats.byID[id]
		if t == nil {
			return notFound
		}
		return serve(r, t, f)
	}
}

func (s *Sim) listThreats(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	w := q.window(k)
	a, bad := threatTable.ask(k, q)
	if bad != nil {
		return bad
	}
	if k.BeforePage != nil {
		k.BeforePage("threat", w.page())
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := slices.SortedStableFunc(slices.Values(s.events.threats.order), func(a, b *threat) int { return a.created.Compare(b.created) })
	found := a.pick(all, func(t *threat) time.Time { return t.created })
	return paged(k, r, w, found, func(t *threat) any { return slim(k.viewThreat(t), a.fields) })
}

func (s *Sim) oneThreat(r *http.Request, t *threat, _ *form) *answer {
	k := s.knobs.Load()
	return &answer{status: http.StatusOK, body: slim(k.viewThreat(t), words(k.query(r).Get("fields")))}
}

// threatRules lists the rules of one threat; of a threat that is not there it lists none.
func (s *Sim) threatRules(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	id := q.Get("threat_id")
	if id == "" {
		return &answer{status: http.StatusBadRequest, body: map[string][]string{"threat_id": {"This field is required."}}}
	}
	w, fields := q.window(k), words(q.Get("fields"))
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []ThreatRule
	if t := s.events.threats.byID[id]; t != nil {
		found = t.rules()
	}
	return paged(k, r, w, found, func(one ThreatRule) any { return slim(one, fields) })
}

// threatStatus changes the status of threats, and of their alerts if it is told to (contract
// harfanglab-api 8.2). Ids of no threat are left out of the count.
func (s *Sim) threatStatus(r *http.Request, by *user) *answer {
	f, bad := readForm(r)
	if bad != nil {
		return bad
	}
	ids, status, cascade := f.ids("threat_ids"), f.choice("new_status", triages, false), f.flag("tag_security_events")
	f.flag("update_by_query")
	f.require("new_status")
	if bad := f.bad(); bad != nil {
		return bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, n := s.options.Now(), 0
	for _, id := range ids {
		t := s.events.threats.byID[id]
		if t == nil {
			continue
		}
		n++
		s.events.triageThreat(t, status.text, cascade != nil && *cascade, now, by)
	}
	return s.knobs.Load().tagged(n, "threats")
}

// triageThreat changes the status of a threat, and with cascade that of its alerts.
func (s *events) triageThreat(t *threat, status string, cascade bool, now time.Time, by *user) {
	t.status, t.touched = status, now
	if !cascade {
		return
	}
	for _, e := range slices.Clone(t.alerts) {
		s.triage(e, status, now, by)
	}
}

// comment takes a text on a threat (contract harfanglab-api 8.3).
func comment(_ *http.Request, t *threat, f *form) *answer {
	said := f.filled("comment", true)
	if bad := f.bad(); bad != nil {
		return bad
	}
	t.comments = append(t.comments, said.text)
	return &answer{status: http.StatusOK, body: map[string]string{"status": "comment added"}}
}

// readNote answers without a body when there is no note (contract harfanglab-api 8.4).
func readNote(_ *http.Request, t *threat, _ *form) *answer {
	if t.note == nil {
		return &answer{status: http.StatusOK}
	}
	return &answer{status: http.StatusOK, body: *t.note}
}

func (s *Sim) makeNote(_ *http.Request, t *threat, f *form) *answer {
	title, content := f.filled("title", true), f.filled("content", true)
	if t.note != nil {
		f.refuse("non_field_errors", "This threat has a note already.")
	}
	if bad := f.bad(); bad != nil {
		return bad
	}
	t.write(title, content, s.options.Now())
	return &answer{status: http.StatusCreated, body: *t.note}
}

func (s *Sim) changeNote(_ *http.Request, t *threat, f *form) *answer {
	if t.note == nil {
		return notFound
	}
	title, content := f.filled("title", false), f.filled("content", false)
	if bad := f.bad(); bad != nil {
		return bad
	}
	t.write(title, content, s.options.Now())
	return &answer{status: http.StatusOK, body: *t.note}
}
