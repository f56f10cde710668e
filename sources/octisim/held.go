package octisim

import (
	"slices"
	"time"
)

// Object is what all imported objects that a Sim shows have. Other objects are named by standard id,
// lists are in the order in which they grew, and a date that is not known is zero.
type Object struct {
	ID         string        `json:"id"` // internal id
	StandardID string        `json:"standard_id"`
	StixIDs    []string      `json:"x_opencti_stix_ids,omitempty"`
	EntityType string        `json:"entity_type"`
	Created    time.Time     `json:"created"`    // STIX times
	Modified   time.Time     `json:"modified"`   //
	CreatedAt  time.Time     `json:"created_at"` // platform times
	UpdatedAt  time.Time     `json:"updated_at"` //
	CreatorID  string        `json:"creator_id"` // the user who imported it
	CreatedBy  string        `json:"createdBy,omitempty"`
	Confidence *int          `json:"confidence"`
	Markings   []string      `json:"objectMarking,omitempty"` // definitions
	Labels     []string      `json:"objectLabel,omitempty"`
	References []ExternalRef `json:"externalReferences,omitempty"`
}

// Incident is an incident that was imported.
type Incident struct {
	Object
	Name         string    `json:"name"`
	Description  string    `json:"description,omitempty"`
	IncidentType string    `json:"incident_type,omitempty"`
	Severity     string    `json:"severity,omitempty"`
	Source       string    `json:"source,omitempty"`
	Objective    string    `json:"objective,omitempty"`
	Aliases      []string  `json:"aliases,omitempty"`
	FirstSeen    time.Time `json:"first_seen,omitzero"`
	LastSeen     time.Time `json:"last_seen,omitzero"`
}

// Case is a case of the kind case-incident that was imported.
type Case struct {
	Object
	Name          string   `json:"name"`
	Description   string   `json:"description,omitempty"`
	Content       string   `json:"content,omitempty"`
	Severity      string   `json:"severity,omitempty"`
	Priority      string   `json:"priority,omitempty"`
	ResponseTypes []string `json:"response_types,omitempty"`
	Objects       []string `json:"objects,omitempty"`
}

// Note is a note that was imported.
type Note struct {
	Object
	Abstract   string   `json:"attribute_abstract,omitempty"`
	Content    string   `json:"content"`
	Authors    []string `json:"authors,omitempty"`
	Types      []string `json:"note_types,omitempty"`
	Likelihood *int     `json:"likelihood,omitempty"`
	Objects    []string `json:"objects"`
}

// AttackPattern is a technique that was imported.
type AttackPattern struct {
	Object
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	MitreID     string   `json:"x_mitre_id,omitempty"`
	Aliases     []string `json:"aliases,omitempty"`
}

// Relation is a relation between two objects, imported or a based-on of Attach.
type Relation struct {
	Object              // its entity type is the kind of relation
	FromID    string    `json:"fromId"` // internal ids of the ends
	ToID      string    `json:"toId"`
	From      string    `json:"from"` // standard ids of the ends
	To        string    `json:"to"`
	Start     time.Time `json:"start_time,omitzero"`
	Stop      time.Time `json:"stop_time,omitzero"`
	Revoked   bool      `json:"revoked,omitempty"`
	Described string    `json:"description,omitempty"`
}

// Sighting says how often From was seen in To.
type Sighting struct {
	Object
	FromID    string    `json:"fromId"` // internal ids of the ends
	ToID      string    `json:"toId"`
	From      string    `json:"from"` // standard ids of the ends
	To        string    `json:"to"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	Count     int       `json:"attribute_count"`
	Negative  bool      `json:"x_opencti_negative"`
}

// Held counts what the platform holds, and the bundles that wait for their import.
type Held struct {
	Indicators     int `json:"indicators"`
	Incidents      int `json:"incidents"`
	Cases          int `json:"cases"`
	Notes          int `json:"notes"`
	AttackPatterns int `json:"attack_patterns"`
	Identities     int `json:"identities"`
	Observables    int `json:"observables"`
	Relations      int `json:"relations"`
	Sightings      int `json:"sightings"`
	Works          int `json:"works"`
	Queued         int `json:"queued"`
}

// Held counts what there is, in no time.
func (s *Sim) Held() Held {
	s.lock()
	defer s.mu.Unlock()
	return Held{
		Indicators: s.indicators.live, Incidents: s.entities["Incident"].live, Cases: s.entities["Case-Incident"].live,
		Notes: s.entities["Note"].live, AttackPatterns: s.entities["Attack-Pattern"].live, Identities: s.identities.live,
		Observables: s.observables.live, Relations: s.relations.live, Sightings: s.sightings.live,
		Works: len(s.workList()), Queued: len(s.queue),
	}
}

// Incidents is every incident, oldest first.
func (s *Sim) Incidents() []Incident {
	return shownEntities(s, "Incident", func(e *entity) Incident {
		return Incident{
			Object: s.object(e), Name: e.text("name"), Description: e.text("description"), IncidentType: e.text("incident_type"),
			Severity: e.text("severity"), Source: e.text("source"), Objective: e.text("objective"), Aliases: e.texts("aliases"),
			FirstSeen: e.known("first_seen"), LastSeen: e.known("last_seen"),
		}
	})
}

// Cases is every case, oldest first.
func (s *Sim) Cases() []Case {
	return shownEntities(s, "Case-Incident", func(e *entity) Case {
		return Case{
			Object: s.object(e), Name: e.text("name"), Description: e.text("description"), Content: e.text("content"),
			Severity: e.text("severity"), Priority: e.text("priority"), ResponseTypes: e.texts("response_types"), Objects: s.named(e.objects),
		}
	})
}

// Notes is every note, oldest first.
func (s *Sim) Notes() []Note {
	return shownEntities(s, "Note", func(e *entity) Note {
		n := Note{
			Object: s.object(e), Abstract: e.text("attribute_abstract"), Content: e.text("content"), Authors: e.texts("authors"),
			Types: e.texts("note_types"), Objects: s.named(e.objects),
		}
		if l, ok := e.props["likelihood"].(int); ok {
			n.Likelihood = &l
		}
		return n
	})
}

// AttackPatterns is every technique, oldest first.
func (s *Sim) AttackPatterns() []AttackPattern {
	return shownEntities(s, "Attack-Pattern", func(e *entity) AttackPattern {
		return AttackPattern{
			Object: s.object(e), Name: e.text("name"), Description: e.text("description"), MitreID: e.text("x_mitre_id"), Aliases: e.texts("aliases"),
		}
	})
}

// Identities is every identity, oldest first.
func (s *Sim) Identities() []Identity {
	return shown(s, s.identities, func(i *identity) Identity { return Identity{i.id, i.standard, i.entity, i.name} })
}

// Observables is every observable, oldest first.
func (s *Sim) Observables() []Observable { return shown(s, s.observables, (*observable).public) }

// Relations is every relation but sightings, oldest first.
func (s *Sim) Relations() []Relation {
	return shown(s, s.relations, func(r *relation) Relation {
		ends := s.standards(r)
		return Relation{
			Object: s.object(r), FromID: r.from, ToID: r.to, From: ends[0], To: ends[1], Start: r.told().known("start_time"),
			Stop: r.told().known("stop_time"), Revoked: r.told().props["revoked"] == true, Described: r.told().text("description"),
		}
	})
}

// Sightings is every sighting, oldest first.
func (s *Sim) Sightings() []Sighting {
	return shown(s, s.sightings, func(r *relation) Sighting {
		ends := s.standards(r)
		return Sighting{
			Object: s.object(r), FromID: r.from, ToID: r.to, From: ends[0], To: ends[1], FirstSeen: r.told().known("first_seen"),
			LastSeen: r.told().known("last_seen"), Count: r.count(), Negative: r.told().props["x_opencti_negative"] == true,
		}
	})
}

func shownEntities[V any](s *Sim, kind string, public func(*entity) V) []V {
	return shown(s, s.entities[kind], public)
}

// shown makes the public form of every live row, in order of creation.
func shown[T item, V any](s *Sim, t *table[T], public func(T) V) []V {
	s.lock()
	defer s.mu.Unlock()
	out := make([]V, 0, t.live)
	for _, v := range t.byCreation.list() {
		if !v.core().dead {
			out = append(out, public(v))
		}
	}
	return out
}

func (s *Sim) object(v item) Object {
	b, f := v.core(), factsOf(v)
	out := Object{
		ID: b.id, StandardID: b.standard, StixIDs: slices.Clone(b.stixIDs()), EntityType: b.entity, Created: b.created().time(),
		Modified: b.modified().time(), CreatedAt: b.createdAt.time(), UpdatedAt: b.updatedAt.time(), CreatorID: b.creator(),
		Confidence: pointer(f.confidence),
	}
	if a := s.items[f.author]; a != nil {
		out.CreatedBy = a.core().standard
	}
	for _, m := range b.markings {
		out.Markings = append(out.Markings, m.definition)
	}
	for _, l := range f.labels {
		out.Labels = append(out.Labels, l.value)
	}
	for _, r := range f.references {
		out.References = append(out.References, r.ExternalRef)
	}
	return out
}

// named are the standard ids of objects, but for those that are gone.
func (s *Sim) named(internal []string) []string {
	out := make([]string, 0, len(internal))
	for _, id := range internal {
		if v := s.items[id]; v != nil {
			out = append(out, v.core().standard)
		}
	}
	return out
}

func (f *facts) texts(name string) []string {
	l, _ := f.props[name].([]string)
	return slices.Clone(l)
}

// known is a date, or zero for one that means "not known".
func (f *facts) known(name string) time.Time {
	if m := f.date(name); !m.unknown() {
		return m.time()
	}
	return time.Time{}
}
