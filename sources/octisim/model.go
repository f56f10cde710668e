package octisim

import (
	"encoding/json"
	"time"
)

// Indicator is one indicator as GraphQL shows it, and as a line of JSON names it. A zero time and a
// nil pointer are null on the platform.
type Indicator struct {
	ID             string   `json:"id,omitempty"`          // internal id; made when empty
	StandardID     string   `json:"standard_id,omitempty"` // computed from the pattern when empty
	StixIDs        []string `json:"x_opencti_stix_ids,omitempty"`
	Name           string   `json:"name"` // the pattern when empty
	Description    string   `json:"description,omitempty"`
	Pattern        string   `json:"pattern"`
	PatternType    string   `json:"pattern_type"` // stix when empty
	PatternVersion string   `json:"pattern_version,omitempty"`
	IndicatorTypes []string `json:"indicator_types,omitempty"`
	MainType       string   `json:"x_opencti_main_observable_type,omitempty"` // from the pattern when empty
	Revoked        bool     `json:"revoked"`
	Detection      *bool    `json:"x_opencti_detection"`
	Score          *int     `json:"x_opencti_score"`
	Confidence     *int     `json:"confidence"`
	Platforms      []string `json:"x_mitre_platforms,omitempty"`

	ValidFrom  time.Time `json:"valid_from,omitzero"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	Created    time.Time `json:"created,omitzero"`    // CreatedAt when zero
	Modified   time.Time `json:"modified,omitzero"`   // UpdatedAt when zero
	CreatedAt  time.Time `json:"created_at,omitzero"` // platform time; now when zero
	UpdatedAt  time.Time `json:"updated_at,omitzero"` // platform time; CreatedAt when zero

	CreatorID string `json:"creator_id,omitempty"`       // the user who imported it; the platform itself when empty
	DecayBase *int   `json:"decay_base_score,omitempty"` // the score that decay started from

	CreatedBy   *Identity     `json:"createdBy,omitempty"`
	Labels      []Label       `json:"objectLabel,omitempty"`
	Markings    []Marking     `json:"objectMarking,omitempty"`
	Phases      []KillChain   `json:"killChainPhases,omitempty"`
	References  []ExternalRef `json:"externalReferences,omitempty"`
	Observables []Observable  `json:"observables,omitempty"` // based-on targets; nil leaves those there are
}

// Observable is one observable, as GraphQL shows it.
type Observable struct {
	ID         string         `json:"id,omitempty"`
	StandardID string         `json:"standard_id,omitempty"`
	EntityType string         `json:"entity_type"` // StixFile, Domain-Name, IPv4-Addr, ...
	Value      string         `json:"value,omitempty"`
	Name       string         `json:"name,omitempty"` // of a file
	Hashes     Hashes         `json:"hashes,omitempty"`
	Score      *int           `json:"x_opencti_score,omitempty"`
	Markings   []Marking      `json:"objectMarking,omitempty"`
	Props      map[string]any `json:"props,omitempty"` // further fields by their GraphQL name
}

// Hash is one hash of a file under the platform's spelling of its algorithm: MD5, SHA-1, SHA-256.
type Hash struct {
	Algorithm string `json:"algorithm"`
	Hash      string `json:"hash"`
}

// Hashes are those of one file.
type Hashes []Hash

// Label is a label by its text.
type Label struct {
	Value string `json:"value"`
}

// Marking is a marking by its definition, such as TLP:AMBER; the type defaults to what stands before
// the colon. A marking may also be named by one of its ids alone.
type Marking struct {
	ID         string `json:"id,omitempty"`
	StandardID string `json:"standard_id,omitempty"`
	Type       string `json:"definition_type,omitempty"`
	Definition string `json:"definition,omitempty"`
}

// Identity is an author. EntityType defaults to Organization.
type Identity struct {
	ID         string `json:"id,omitempty"`
	StandardID string `json:"standard_id,omitempty"`
	EntityType string `json:"entity_type,omitempty"`
	Name       string `json:"name"`
}

// KillChain is one phase of a kill chain.
type KillChain struct {
	Chain string `json:"kill_chain_name"`
	Phase string `json:"phase_name"`
}

// ExternalRef is one external reference.
type ExternalRef struct {
	Source      string `json:"source_name"`
	ExternalID  string `json:"external_id,omitempty"`
	URL         string `json:"url,omitempty"`
	Description string `json:"description,omitempty"`
}

// Stream is a stored stream collection. Filters is any text, also null, empty, broken or in the
// format before 5.12.
type Stream struct {
	ID            string  `json:"id"`
	Name          string  `json:"name"`
	Description   string  `json:"description,omitempty"`
	Filters       *string `json:"filters"`
	OriginFilters *string `json:"origin_filters"`
	Live          bool    `json:"stream_live"` // false is a stopped stream
	Public        bool    `json:"stream_public"`

	Members []string `json:"members,omitempty"` // ids of the users who may follow it; empty is all with the capability
}

// User is an account behind a bearer token.
type User struct {
	ID            string    `json:"id,omitempty"`
	Name          string    `json:"name,omitempty"`
	Email         string    `json:"user_email,omitempty"`
	Token         string    `json:"token"`
	Capabilities  []string  `json:"capabilities"`
	Markings      []string  `json:"markings"`         // definitions the user may see; nil is all
	MaxConfidence *int      `json:"max_confidence"`   // nil is none: every write would fail
	Expires       time.Time `json:"expires,omitzero"` // of the token; counts since 7.260224.0
	OTPPending    bool      `json:"otp_pending"`      // a one-time password is due: no live stream
}

// ConnectorRole lists the capabilities of the built-in role Connector.
func ConnectorRole() []string {
	return []string{
		"APIACCESS_USETOKEN", "KNOWLEDGE", "KNOWLEDGE_KNUPDATE", "KNOWLEDGE_KNUPDATE_KNDELETE", "CONNECTORAPI",
		"MODULES_MODMANAGE", "TAXIIAPI_SETCOLLECTIONS", "SETTINGS_SETLABELS", "SETTINGS_SETVOCABULARIES", "SETTINGS_SETMARKINGS",
	}
}

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

// Ends are those of a relation or a sighting.
type Ends struct {
	FromID string `json:"fromId"` // internal ids
	ToID   string `json:"toId"`
	From   string `json:"from"` // standard ids
	To     string `json:"to"`
}

// Relation is a relation between two objects, imported or a based-on of Attach.
type Relation struct {
	Object // its entity type is the kind of relation
	Ends
	Start     time.Time `json:"start_time,omitzero"`
	Stop      time.Time `json:"stop_time,omitzero"`
	Revoked   bool      `json:"revoked,omitempty"`
	Described string    `json:"description,omitempty"`
}

// Sighting says how often From was seen in To.
type Sighting struct {
	Object
	Ends
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
	count := func(stix string) int { return s.entities[stix].live }
	return Held{
		Indicators: s.indicators.live, Incidents: count("incident"), Cases: count("case-incident"), Notes: count("note"),
		AttackPatterns: count("attack-pattern"), Identities: count("identity"), Observables: s.observables.live,
		Relations: s.relations.live, Sightings: s.sightings.live, Works: len(s.workList()), Queued: len(s.queue),
	}
}

// Incidents is every incident, oldest first.
func (s *Sim) Incidents() []Incident { return shown(s, s.entities["incident"], shownAs[Incident]) }

// Cases is every case, oldest first.
func (s *Sim) Cases() []Case { return shown(s, s.entities["case-incident"], shownAs[Case]) }

// Notes is every note, oldest first.
func (s *Sim) Notes() []Note { return shown(s, s.entities["note"], shownAs[Note]) }

// AttackPatterns is every technique, oldest first.
func (s *Sim) AttackPatterns() []AttackPattern {
	return shown(s, s.entities["attack-pattern"], shownAs[AttackPattern])
}

// Identities is every identity, oldest first.
func (s *Sim) Identities() []Identity {
	return shown(s, s.entities["identity"], func(_ *Sim, v item) Identity { return v.(*entity).identity() })
}

// Observables is every observable, oldest first.
func (s *Sim) Observables() []Observable {
	return shown(s, s.observables, func(_ *Sim, v item) Observable { return v.(*observable).public() })
}

// Relations is every relation but sightings, oldest first.
func (s *Sim) Relations() []Relation { return shown(s, s.relations, shownAs[Relation]) }

// Sightings is every sighting, oldest first.
func (s *Sim) Sightings() []Sighting { return shown(s, s.sightings, shownAs[Sighting]) }

// shown makes the public form of every live row, in order of creation.
func shown[T item, V any](s *Sim, t *table[T], public func(*Sim, item) V) []V {
	s.lock()
	defer s.mu.Unlock()
	out := make([]V, 0, t.live)
	for _, v := range t.byCreation.list() {
		if !v.core().dead {
			out = append(out, public(s, v))
		}
	}
	return out
}

// shownAs gives an object in a form whose members are named as JSON names them.
func shownAs[V any](s *Sim, v item) (out V) {
	b, f := v.core(), v.core().told()
	all := map[string]any{
		"id": b.id, "standard_id": b.standard, "x_opencti_stix_ids": b.stixIDs(), "entity_type": b.entity, "created": b.created(),
		"modified": b.modified(), "created_at": b.createdAt, "updated_at": b.updatedAt, "creator_id": b.creator(), "objects": s.named(f.objects...),
		"confidence": f.confidence,
	}
	if author := s.named(f.author); len(author) > 0 {
		all["createdBy"] = author[0]
	}
	var markings, labels []string
	var references []ExternalRef
	for _, m := range b.markings {
		markings = append(markings, m.definition)
	}
	for _, l := range f.labels {
		labels = append(labels, l.Value)
	}
	for _, r := range f.references {
		references = append(references, r.ExternalRef)
	}
	all["objectMarking"], all["objectLabel"], all["externalReferences"] = markings, labels, references
	if r, ok := v.(*relation); ok {
		ends := s.standards(r)
		all["fromId"], all["toId"], all["from"], all["to"] = r.from, r.to, ends[0], ends[1]
	}
	for name, v := range f.props {
		if at, ok := v.(moment); !ok || !at.unknown() {
			all[name] = v
		}
	}
	text, err := json.Marshal(all)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err) // texts, numbers and times only
	}
	return out
}

// named are the standard ids of objects, but for those that are gone.
func (s *Sim) named(internal ...string) []string {
	out := make([]string, 0, len(internal))
	for _, id := range internal {
		if v := s.items[id]; v != nil {
			out = append(out, v.core().standard)
		}
	}
	return out
}
