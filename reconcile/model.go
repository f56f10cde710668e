package reconcile

import "time"

// Indicator is one OpenCTI indicator as a source hands it over. Times are UTC; a zero time and a
// nil pointer stand for null on the platform. Its JSON is a line of a snapshot.
type Indicator struct {
	ID          string       `json:"id"` // internal id: identity, because the standard id changes with the pattern
	StandardID  string       `json:"standard_id,omitempty"`
	Name        string       `json:"name,omitempty"`
	Description string       `json:"description,omitempty"`
	Pattern     string       `json:"pattern,omitempty"`
	PatternType string       `json:"pattern_type,omitempty"` // stix, sigma, yara; anything else is never wanted
	Revoked     bool         `json:"revoked,omitempty"`
	Detection   *bool        `json:"detection,omitempty"`
	Score       *int         `json:"score,omitempty"`
	ValidFrom   time.Time    `json:"valid_from,omitzero"`
	ValidUntil  time.Time    `json:"valid_until,omitzero"`
	CreatedAt   time.Time    `json:"created_at,omitzero"` // platform time, never changes
	UpdatedAt   time.Time    `json:"updated_at,omitzero"` // platform time, moves on every change
	Platforms   []string     `json:"platforms,omitempty"`
	Labels      []string     `json:"labels,omitempty"` // label texts
	Author      string       `json:"author,omitempty"` // name of who made it
	Phases      []string     `json:"phases,omitempty"` // of kill chains, such as mitre-attack:execution
	Markings    []Marking    `json:"markings,omitempty"`
	Observables []Observable `json:"observables,omitempty"` // based-on targets
	Outside     bool         `json:"outside,omitempty"`     // the platform gave it, and it does not pass the filter that it was asked for with
	Unread      string       `json:"unread,omitempty"`      // why the platform cannot give it, while it gives others: nothing but its ids is known
}

// Marking is one marking definition of an indicator, such as {"TLP", "TLP:AMBER"}.
type Marking struct {
	Type       string `json:"type,omitempty"`
	Definition string `json:"definition,omitempty"`
}

// Observable is one observable that an indicator is based on.
type Observable struct {
	Type   string            `json:"type,omitempty"` // OpenCTI entity type: StixFile, Domain-Name, IPv4-Addr, ...
	ID     string            `json:"id,omitempty"`
	Name   string            `json:"name,omitempty"`   // file name of a StixFile
	Value  string            `json:"value,omitempty"`  // value of a value-type observable (observable_value)
	Hashes map[string]string `json:"hashes,omitempty"` // algorithm as the platform spells it, to hash
}

// Row is one rule as HarfangLab holds it. Absent text is "", which compares equal to null.
type Row struct {
	Kind        Kind
	ID          string // opaque; the one from a list answer, for item paths
	Created     string // creation_date as answered; orders duplicates, never compared otherwise
	Updated     string `json:"-"` // last_update as answered, of a rule in testing
	Type, Value string // IOC
	Description string // IOC
	Comment     string // IOC
	Name        string // Sigma, YARA: display name
	RuleID      string // Sigma: the id inside the YAML, as the server reports it
	Content     string // Sigma, YARA
	Enabled     bool
	HLStatus    string // stable, testing, experimental or whatever the server says
	// The fields of Mapped, "" where there is no override, and on managers that do not know them.
	Level, Confidence, State string `json:",omitempty"`
}
