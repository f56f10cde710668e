package pull

import (
	"context"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/alert"
)

// AlertQuery says which alerts to read. Members at zero ask for nothing; together they ask for what
// fulfils all of them. No query asks for a maturity: detections of rules in testing are alerts too.
type AlertQuery struct {
	From, To     time.Time // creation on the manager, both included; the start of From's second to the end of To's
	ChangedSince time.Time // the second of the last change, included; alerts that never changed have none
	Statuses     []string  // any of them
	Types        []string  // any of them
	Threat       string    // id of the threat they belong to
}

// ThreatQuery says which threats to read, as AlertQuery does.
type ThreatQuery struct {
	CreatedSince time.Time // its second included
	ChangedSince time.Time // the second of the last change, included
	Statuses     []string  // any of them
}

// Alerts is HarfangLab as a pull needs it. Rows that cannot be read are visited as such and fail
// nothing else.
type Alerts interface {
	Alerts(ctx context.Context, q AlertQuery, visit func([]alert.Alert, []alert.Bad) error) error
	Alert(ctx context.Context, id string) (*alert.Alert, error) // nil when it is gone
	Threats(ctx context.Context, q ThreatQuery, visit func([]alert.Threat, []alert.Bad) error) error
	Note(ctx context.Context, threat string) (*alert.Note, error) // nil when there is none
	FindList(ctx context.Context, k reconcile.Kind, name string) (*reconcile.List, error)
	Lookup(ctx context.Context, k reconcile.Kind, list string, q reconcile.Query) ([]reconcile.Located, error)
	Rule(ctx context.Context, k reconcile.Kind, id string) (*reconcile.Located, error) // nil when there is none
	YARAByRule(ctx context.Context, list, rule string) ([]reconcile.Located, error)
}

// Knowledge is OpenCTI as a pull needs it. Ids are of any kind; what is absent or not visible is not
// among the answers.
type Knowledge interface {
	Indicators(ctx context.Context, ids []string) ([]reconcile.Found, error)
	Incidents(ctx context.Context, ids []string) ([]Stored, error)
	Cases(ctx context.Context, ids []string) ([]Stored, error)
	Notes(ctx context.Context, ids []string) ([]Stored, error)
	Techniques(ctx context.Context, ids []string) ([]Stored, error)
	// Sightings are those of one indicator, on whatever endpoint.
	Sightings(ctx context.Context, indicator string) ([]Sighted, error)
	// IncidentsOf are those that an indicator indicates.
	IncidentsOf(ctx context.Context, indicator string) ([]Stored, error)
	// IndicatorsOf are those that indicate each of some incidents, by internal ids.
	IndicatorsOf(ctx context.Context, incidents []string) (map[string][]string, error)

	// Push hands a bundle over for import. work is "" for a platform that ties bundles to none. An error
	// for which Fault.Unsure holds leaves open whether the bundle was taken.
	AddWork(ctx context.Context, name string) (work string, err error)
	Push(ctx context.Context, bundle, work string) error
	Work(ctx context.Context, id string) (*Work, error) // nil when it was deleted
	CloseWork(ctx context.Context, id, message string) error
}

// Stored is an object of OpenCTI: its ids of every kind, the internal one first, and its texts.
type Stored struct {
	IDs         []string
	Name        string
	Description string // of a note: its content
}

// Sighted is a stored sighting of an indicator on an endpoint, both named by all their ids, the internal
// one first. It may have another standard id than the one that was pushed, since the platform's depends on
// the dates. Of an endpoint that the account may not see only the internal id is known. Dates that mean
// "unknown" are zero.
type Sighted struct {
	IDs, Endpoint []string
	Count         int
	First, Last   time.Time
	Negative      bool
}

// Work is how far an import is.
type Work struct {
	Complete  bool // every object that was counted has been imported or refused
	Expected  int  // 0 also while nobody has counted yet
	Processed int
	Errors    []WorkError // at most 100 of them
}

// WorkError is one object that was not imported. Both texts are the platform's own and may be long and of
// several lines; Source is usually the object.
type WorkError struct{ Message, Source string }

// Importer writes STIX. Ids are deterministic: the same alert gives the same objects.
type Importer interface {
	Author() alert.Object
	IncidentID(a *alert.Alert) string
	EndpointID(a *alert.Alert) string // "" for an alert without an endpoint
	SightingID(indicator, endpoint string) string
	TechniqueIDs(a *alert.Alert) []string
	// Alert gives the incident first, then all that belongs to it, for indicators by standard id. known
	// tells which techniques the platform has; nil is all of them.
	Alert(a *alert.Alert, indicators []string, known func(id string) bool) ([]alert.Object, error)
	Sighting(s alert.Sighting) alert.Object
	CaseID(t *alert.Threat) string
	// Threat gives the case first, then what belongs to it.
	Threat(t *alert.Threat, refs []string) ([]alert.Object, error)
	Bundle(objects []alert.Object) (string, error)
	// Read gives back what the description of an incident says in its fixed lines.
	Read(description string) (facts alert.Facts, ours bool)
	Fired(a *alert.Alert) []alert.Hint
}
