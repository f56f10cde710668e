package pull

import (
	"context"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
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

// Alerts is HarfangLab as a pull needs it. It only reads, is safe for concurrent use, and every call may be
// made twice. An adapter repeats what fails for a while; for an error that it returns Fault.Side holds if
// the platform failed, and not what was asked for.
type Alerts interface {
	// Alerts visits the alerts of a query once each, page by page and in no order, with the rows that
	// cannot be read, which fail nothing else. An error for which Fault.Incomplete or Fault.Saturated holds
	// comes after everything else was visited: rows may be missing, which another read may bring, or are
	// missing, which none will.
	Alerts(ctx context.Context, q AlertQuery, visit func([]alert.Alert, []alert.Bad) error) error
	// Alert reads one alert; nil is one that is gone.
	Alert(ctx context.Context, id string) (*alert.Alert, error)
	// Threats visits threats as Alerts does alerts.
	Threats(ctx context.Context, q ThreatQuery, visit func([]alert.Threat, []alert.Bad) error) error
	// Note reads the note of a threat; nil is none.
	Note(ctx context.Context, threat string) (*alert.Note, error)
	// FindList and Lookup are those of reconcile.Sink.
	FindList(ctx context.Context, k reconcile.Kind, name string) (*reconcile.List, error)
	Lookup(ctx context.Context, k reconcile.Kind, list string, q reconcile.Query) ([]reconcile.Located, error)
	// Values finds the rules of an IOC list that block one of some values, of whatever type and in whatever
	// case; an error is about all of them.
	Values(ctx context.Context, list string, values []reconcile.Value) ([]reconcile.Located, error)
	// Networks finds the rules of an IOC list that block addresses by network.
	Networks(ctx context.Context, list string) ([]reconcile.Located, error)
	// Rule reads one rule by its row's id or, of a Sigma rule, the id of its YAML; nil is none.
	Rule(ctx context.Context, k reconcile.Kind, id string) (*reconcile.Located, error)
	// YARAByRule finds the files that hold a rule, in one list or, with an empty list, in all.
	// Fault.FilterIgnored means that it cannot be told.
	YARAByRule(ctx context.Context, list, rule string) ([]reconcile.Located, error)
}

// Knowledge is OpenCTI as a pull needs it. Reading is safe for concurrent use and may be done twice; an
// answer is whole or an error. Ids are of any kind, any number and any order; what is absent or not visible
// is not among the answers, which is proven, since it counts as new. An adapter repeats what fails for a
// while, but a write only if the platform turned it away.
type Knowledge interface {
	// Indicators come with their ids alone, the standard one second: also those of which the platform can give no more.
	Indicators(ctx context.Context, ids []string) ([]Stored, error)
	Incidents(ctx context.Context, ids []string) ([]Stored, error)
	Cases(ctx context.Context, ids []string) ([]Stored, error)
	Notes(ctx context.Context, ids []string) ([]Stored, error)
	Techniques(ctx context.Context, ids []string) ([]Stored, error)
	Hostnames(ctx context.Context, ids []string) ([]Stored, error)
	// Relations come with what they tie together.
	Relations(ctx context.Context, ids []string) ([]Stored, error)
	// Files are those that a pushed file with one of the ids would be merged into.
	Files(ctx context.Context, ids []string) ([]Stored, error)
	// Sightings are those of some indicators, by their internal ids, on whatever endpoint.
	Sightings(ctx context.Context, indicators []string) ([]Sighted, error)
	// IncidentsOf are those that an indicator, by its internal id, indicates.
	IncidentsOf(ctx context.Context, indicator string) ([]Stored, error)
	// IndicatorsOf are those that indicate each of some incidents, all by internal ids.
	IndicatorsOf(ctx context.Context, incidents []string) (map[string][]string, error)

	// AddWork opens a work, under which one bundle can be followed; "" is of a platform that ties bundles to
	// none. One that gets no bundle is to be closed. One call at a time.
	AddWork(ctx context.Context, name string) (work string, err error)
	// Push queues a bundle, whole or not at all; what becomes of it its work tells. Fault.Verdict says that
	// it will never be taken, Fault.Unsure that it may have been, so that a second push may import it twice,
	// which the ids make harmless but for counts of sightings.
	Push(ctx context.Context, bundle, work string) error
	// Work says how far an import is; nil is a work that was deleted, with what still waited under it.
	Work(ctx context.Context, id string) (*Work, error)
	// Withdraw sees to it that a bundle which waits under a work is never imported; false is a platform, or an
	// account, that cannot.
	Withdraw(ctx context.Context, work string) (bool, error)
	// CloseWork ends a work with a last word. One whose bundle still waits must not be closed; one that is
	// gone is fine.
	CloseWork(ctx context.Context, id, message string) error
}

// Stored is an object of OpenCTI: its ids of every kind, the internal one first, and its texts.
type Stored struct {
	IDs         []string
	Name        string
	Description string // of a note: its content

	Hashes map[string]string // of a file, by algorithm
	Based  bool              // an indicator is based on it
	Seen   time.Time         // of an incident: when last; zero is unknown
	Author string            // of a host name: its author's standard id
	Ends   []Stored          // of a relationship: its author, and those of its ends that are observables or systems
	Whose
}

// Whose is whether an object has an author, and by standard id the markings that the account may see. The
// incidents of an indicator come without.
type Whose struct {
	Authored   bool
	Markings   []string
	Confidence int // of a relationship or a system; only an account of as much gives it an author
}

// Sighted is a stored sighting of an indicator on an endpoint, both named by all their ids, the internal
// one first. It may have another standard id than the one that was pushed, since the platform's depends on
// the dates. Of an endpoint that the account may not see only the internal id is known. Dates that mean
// "unknown" are zero.
type Sighted struct {
	Indicator     string // its internal id
	IDs, Endpoint []string
	Count         int
	First, Last   time.Time
	Negative      bool
	Whose
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

// Importer writes STIX. It keeps nothing, and the same input gives the same objects with the same ids, so
// that what is imported twice is one thing.
type Importer interface {
	// Author is the object that all others name as their author.
	Author() alert.Object
	IncidentID(a *alert.Alert) string // "" for an alert whose incident could not be found again
	EndpointID(a *alert.Alert) string // "" for an alert without an endpoint
	SightingID(indicator, endpoint string) string
	// TechniqueIDs are those under which the platform may hold the techniques of an alert.
	TechniqueIDs(a *alert.Alert) []string
	// HostnameIDs are those under which it may hold the host name: as the alert spells it, and in lower case.
	HostnameIDs(a *alert.Alert) []string
	// FileIDs are those under which the platform may hold the files of an alert: one for each hash.
	FileIDs(a *alert.Alert) []string
	// Alert gives the incident first, then all that belongs to it, for indicators by standard id.
	Alert(a *alert.Alert, indicators []string, known alert.Known) ([]alert.Object, error)
	Sighting(s alert.Sighting) alert.Object
	CaseID(t *alert.Threat) string // "" for a threat whose case could not be found again
	// Threat gives the case first, then what belongs to it. Beside refs, which are objects that the case
	// holds, all is made of the threat alone.
	Threat(t *alert.Threat, refs []string) ([]alert.Object, error)
	// Bundle is the text of a bundle, each object once; an error is of one that no platform takes.
	Bundle(objects []alert.Object) (string, error)
	// Read gives back what the description of an incident or a case says in its fixed lines; it is not ours
	// if it has none.
	Read(description string) (facts alert.Facts, ours bool)
	// Fired finds in an alert which rule fired, the most telling hint first.
	Fired(a *alert.Alert) []alert.Hint
}
