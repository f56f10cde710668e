package hlsim

import (
	"encoding/json"
	"slices"
)

// AlertCount is the number of alerts that are held, whether the index shows them or not.
func (s *Sim) AlertCount() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.events.byID)
}

// Alerts are all documents that are held, the oldest alert_time first. They must not be written to.
func (s *Sim) Alerts() []json.RawMessage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]json.RawMessage, 0, len(s.events.byTime))
	for _, e := range s.events.byTime {
		out = append(out, e.raw)
	}
	return out
}

// Alert is the document of one alert, which must not be written to.
func (s *Sim) Alert(id string) (json.RawMessage, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.events.byID[id]; e != nil {
		return e.raw, true
	}
	return nil, false
}

// Triage changes the status of an alert as an analyst does in the console, to any word. It is false
// when there is no such alert.
func (s *Sim) Triage(id, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.events.byID[id]
	if e != nil {
		s.events.triage(e, status, s.options.Now(), analyst)
	}
	return e != nil
}

// PatchAlert replaces members of an alert's document. A status without a last_update is a Triage. It is
// false when there is no such alert; the id stays.
func (s *Sim) PatchAlert(id string, change map[string]json.RawMessage) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.events.byID[id]
	if e == nil {
		return false, nil
	}
	return true, s.events.change(e, func(all map[string]json.RawMessage) {
		status, triaged := change["status"]
		if _, told := change["last_update"]; triaged && !told {
			triage(all, text(status), s.options.Now(), analyst)
		}
		for name, v := range change {
			all[name] = v
		}
	})
}

// Threats are all of them in the order of their making, with their comments and the ids of their
// alerts. None hides its top lists here.
func (s *Sim) Threats() []Threat {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Threat{}
	for _, t := range s.events.threats.order {
		out = append(out, *t.whole())
	}
	return out
}

// Threat is one of Threats.
func (s *Sim) Threat(id string) (Threat, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.events.threats.byID[id]; t != nil {
		return *t.whole(), true
	}
	return Threat{}, false
}

// whole is a threat as the controls show it.
func (t *threat) whole() *Threat {
	v := (&Knobs{AlertKnobs: AlertKnobs{EmptyTops: -1}}).viewThreat(t)
	v.Comments = slices.Clone(t.comments)
	for _, e := range t.alerts {
		v.Alerts = append(v.Alerts, e.id)
	}
	return v
}

// TriageThreat changes the status of a threat as an analyst does in the console, to any word, and with
// cascade that of its alerts. It is false when there is no such threat.
func (s *Sim) TriageThreat(id, status string, cascade bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.events.threats.byID[id]
	if t != nil {
		s.events.triageThreat(t, status, cascade, s.options.Now(), analyst)
	}
	return t != nil
}

// WriteNote puts a note on a threat, or replaces the one that is there. It is false when there is no
// such threat.
func (s *Sim) WriteNote(id, title, content string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.events.threats.byID[id]
	if t != nil {
		t.write(said{given: true, text: title}, said{given: true, text: content}, s.options.Now())
	}
	return t != nil
}

// DropThreat takes a threat away while its alerts still name it. It is false when there is no such
// threat.
func (s *Sim) DropThreat(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events.threats.drop(id)
}
