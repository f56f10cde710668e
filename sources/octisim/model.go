package octisim

import (
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
