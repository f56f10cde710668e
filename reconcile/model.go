// Package reconcile decides what must change so that the HarfangLab lists equal the wanted
// indicator set of OpenCTI. It is pure: it knows neither adapters nor net/http, reads no clock and
// writes nothing. Everything that acts lives in reconcile/run.
package reconcile

import "time"

// Indicator is one OpenCTI indicator as a source hands it over. Times are UTC; a zero time and a
// nil pointer stand for null on the platform.
type Indicator struct {
	ID          string // internal id: identity, because the standard id changes with the pattern
	StandardID  string
	Name        string
	Description string
	Pattern     string
	PatternType string // stix, sigma, yara; anything else is never wanted
	Revoked     bool
	Detection   *bool
	Score       *int
	ValidFrom   time.Time
	ValidUntil  time.Time
	CreatedAt   time.Time // platform time, never changes
	UpdatedAt   time.Time // platform time, moves on every change
	Platforms   []string
	Labels      []string // label texts
	Markings    []Marking
	Observables []Observable // based-on targets
}

// Marking is one marking definition of an indicator, such as {"TLP", "TLP:AMBER"}.
type Marking struct{ Type, Definition string }

// Observable is one observable that an indicator is based on.
type Observable struct {
	Type   string // OpenCTI entity type: StixFile, Domain-Name, IPv4-Addr, ...
	ID     string
	Name   string            // file name of a StixFile
	Value  string            // value of a value-type observable (observable_value)
	Hashes map[string]string // algorithm as the platform spells it, to hash
}

// Row is one rule as HarfangLab holds it. Absent text is "", which compares equal to null.
type Row struct {
	Kind        Kind
	ID          string // opaque; the one from a list answer, for item paths
	Created     string // creation_date as answered; orders duplicates, never compared otherwise
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
