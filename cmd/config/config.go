// Package config turns command-line flags, the environment and a config.yml into one validated
// Config. What the settings are stands in one table; loading, printing, the JSON Schema, the
// reference text and the flags are all read from it. The names of the three connectors that this
// program replaces are accepted, so that their docker-compose.yml or config.yml works unchanged.
package config

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/secret"
	"github.com/harfangsync/harfangsync/sources/exclude"
)

// Config is every setting that is in effect. Load makes it; the part that a command needs is complete if
// Load was told that it does.
type Config struct {
	OpenCTI    OpenCTI
	Connector  Connector
	HarfangLab HarfangLab
	Sync       Sync
	// Warnings are things that were understood and are probably not what was meant: unknown keys,
	// names that nearly match one of ours. None shows a value.
	Warnings []string

	settings []setting // bound to the fields above
}

// OpenCTI is how the platform is reached. URL has no trailing slash.
type OpenCTI struct {
	URL   string
	Token secret.Text // without the word Bearer
	// CustomHeaders are Name: value pairs, cut at semicolons; every request has them.
	CustomHeaders secret.Text
	TLS
}

// TLS is how a side proves who it is, and how we do.
type TLS struct {
	SSLVerify   bool
	CABundle    string              // PEM file, or the PEM text itself; "" is none
	Authorities []*x509.Certificate // in it, trusted beside the system's
	ClientCert  string              // PEM file with the certificate that we show; "" is none
	ClientKey   string              // PEM file with its key

	ours *tls.Certificate // of these two
}

// Client is what a client does about it.
func (t *TLS) Client() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: !t.SSLVerify} // the user's own word
	if t.ours != nil {
		c.Certificates = []tls.Certificate{*t.ours}
	}
	if len(t.Authorities) == 0 {
		return c
	}
	var err error
	if c.RootCAs, err = x509.SystemCertPool(); err != nil {
		c.RootCAs = x509.NewCertPool() // a container without authorities of its own
	}
	for _, a := range t.Authorities {
		c.RootCAs.AddCert(a)
	}
	return c
}

// Connector is what the old connectors were told about themselves.
type Connector struct {
	ID           string // UUID in lower case: the instance in our markers
	Name         string // author of what is imported
	Scope        string // what OpenCTI shows of it, cut at commas
	Type         string // EXTERNAL_IMPORT or STREAM, for OpenCTI's list of connectors
	Auto         bool   // told to OpenCTI
	LiveStreamID string // UUID in lower case, or "" for the built-in filter
	// ListenDelete is always true and NoDependencies makes no difference; both are accepted because
	// the old connectors had them.
	ListenDelete, NoDependencies bool
	LogLevel                     string // debug, info, warn or error
}

// HarfangLab is how the manager is reached, what the rules in it look like, and which of its alerts
// are imported. URL has no trailing slash.
type HarfangLab struct {
	URL      string
	Token    secret.Text // without the word Token; wins over Login and Password
	Login    string
	Password secret.Text
	TLS
	ListName        string
	RemoveIndicator bool   // true deletes, false disables
	Maturity        string // stable or testing
	ImportEvents    bool
	ImportThreats   bool     // only with ImportEvents
	StatusFilter    []string // of new, investigating, probable_false_positive, false_positive, closed
	AlertTypes      []string // of ioc, sigma, yara, or all alone, which is every type
	ImportStart     Start
	Marking         string // TLP:CLEAR to TLP:RED
	Score           int    // 1 to 100
}

// Sync is this program's own settings.
type Sync struct {
	Parallelism    int           // requests in flight on each side
	RateLimit      float64       // requests a second on each side; 0 is no limit
	PageSize       int           // rows a page
	RequestTimeout time.Duration // one request with its whole answer
	Deadline       time.Duration // the whole command; 0 is none
	RunEvery       time.Duration // between runs, as whatever starts them does; 0 is unknown
	ValuesFrom     string        // FromBoth or FromPattern
	Hashes         string        // AllHashes or StrongestHash
	Sigma          string        // TranslateSigma or VerbatimSigma
	Behaviour      string        // NoBehaviour or SigmaBehaviour
	YARAModules    []string      // that the manager's engine knows
	Detection      string        // DetectionStream, DetectionRequired or DetectionAny
	Exclusions     []string      // files
	// Excluded are the values that are never deployed: those of the files, and the built-in ones with
	// BuiltinExclusions. ExclusionsDigest covers the bytes of the files that it was made of, because they
	// shape the plan like a setting.
	Excluded          *exclude.List
	ExclusionsDigest  string
	BuiltinExclusions bool
	Mapping           reconcile.Mapping
	MappingFile       string // that Mapping was read from; "" for one that stands in the settings
	AnalystDisable    string // Respect or Revert
	Unmanaged         reconcile.UnmanagedRows
	AdoptNames        bool
	Policy            reconcile.Mode
	Limits            Limits
	Impact            Impact
	Promote           reconcile.Promote
	OnRefusal         string // HoldRefused or StopRefused
	State             string // Nowhere, InOpenCTI, or InFile and a path
	Lock              string // like State, which it follows unless told otherwise
	LockTimeout       time.Duration
	Tail              Tail
	Listen            string // host:port that serves metrics and health; "" is none
	Metrics           Metrics
	Notify            Notify

	selection reconcile.Selection // without what a run adds
}

// Observables says whether the observables attached to an indicator count.
func (s *Sync) Observables() bool { return s.ValuesFrom != FromPattern }

// UsesLabels says whether the labels of an indicator decide anything.
func (s *Sync) UsesLabels() bool {
	return len(s.selection.Labels)+len(s.selection.ExcludeLabels) > 0 || slices.ContainsFunc(s.Mapping, func(e reconcile.MapEntry) bool { return len(e.Labels) > 0 })
}

// Selection is our own word on which indicators are wanted, of some kinds or of all. ownFilter says that
// no stream's filters are adopted beside it.
func (s *Sync) Selection(ownFilter bool, kinds ...reconcile.Kind) reconcile.Selection {
	wanted := s.selection
	wanted.Kinds = kinds
	if s.Behaviour == SigmaBehaviour && slices.Contains(kinds, reconcile.Sigma) && !slices.Contains(kinds, reconcile.IOC) {
		wanted.Kinds = append(slices.Clone(kinds), reconcile.IOC) // STIX patterns give Sigma rules
	}
	wanted.NeedDetection = s.Detection == DetectionRequired || ownFilter && s.Detection != DetectionAny
	return wanted
}

// Limits are the limits of the safety gates.
type Limits struct {
	reconcile.Limits
	Values  int           // rules of one indicator
	PlanAge time.Duration // of a saved plan
}

// GateLimits are the limits as gates take them.
func (s *Sync) GateLimits() reconcile.Limits {
	l := s.Limits.Limits
	l.Hold = s.OnRefusal == HoldRefused
	return l
}

// Impact is what is asked of HarfangLab's telemetry.
type Impact struct {
	Report bool // how many endpoints saw what begins to detect
	Days   int  // to look back
	Budget int  // requests of a plan
	Names  bool // host names may be told
}

// Tail is the timing of the live mode.
type Tail struct {
	Quiet     time.Duration // a pause of the stream: what follows it is read at once, and what follows sooner later
	FullEvery time.Duration // between full runs
	PullEvery time.Duration // between imports of alerts
	Patience  time.Duration // with an OpenCTI that is away
}

// The values of the settings that choose between words. Unmanaged and Policy have types of their own.
const (
	FromBoth    = "pattern+observables"
	FromPattern = "pattern"

	HoldRefused = "hold"
	StopRefused = "stop"

	AllHashes     = "all"
	StrongestHash = "strongest"

	TranslateSigma = "translate"
	VerbatimSigma  = "verbatim"

	YARAModules = "console, dotnet, elf, hash, macho, math, pe, string, time" // of an engine as it is usually built

	NoBehaviour    = "off"
	SigmaBehaviour = "sigma"

	DetectionStream   = "stream"
	DetectionRequired = "required"
	DetectionAny      = "any"

	Respect = "respect"
	Revert  = "revert"

	Nowhere   = "none"
	InOpenCTI = "opencti"
	InFile    = "file:" // and a path
)

// Metrics is where the numbers of a run go. Every member may be empty.
type Metrics struct {
	TextFile    string // for the textfile collector of a node exporter
	PushGateway string // URL without trailing slash
	Login       string // of the gateway
	Password    secret.Text
}

// Notify is who is told of what a run did.
type Notify struct {
	Webhook secret.Text // URL; "" is nobody. It holds a key in its path or its query, as a rule
	On      []string    // of OnApply, OnRefusal and OnFailure
}

// The events of Notify.On.
const (
	OnApply   = "apply"   // something was written
	OnRefusal = "refusal" // a gate refused the plan
	OnFailure = "failure" // the run failed, or did not do everything
)
