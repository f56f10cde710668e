// Package alert holds what HarfangLab saw, as its adapter reads it and as STIX objects are made of it.
// It only describes: it neither reads nor decides.
package alert

import (
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Alert is one security event (contract harfanglab-api 7.3). Text that is absent or null is "", a time
// that is absent or cannot be read is zero; times are UTC.
type Alert struct {
	ID       string // index document id: paths, links and identity
	UniqueID string // UUID, also in exports
	Type     string // sigma, yara, ioc, ... or a word that nobody knows
	Subtype  string
	Status   Status
	Level    string // informational, low, medium, high, critical, or anything
	Maturity string

	RuleID, RuleName string
	Message          string
	RuleContent      string // Sigma YAML, or for lists a line type,value,comment

	Tags       []string // such as attack.t1059.001
	MitreCells []string // such as persistence__t1547.001
	References []string

	Time       time.Time // alert_time: its creation on the manager, which never changes
	EventTime  time.Time // when it happened on the endpoint
	LastUpdate time.Time // zero until it is changed

	ThreatKey string // id of the threat, as text; "" for none

	Detected File     // the object that matched: from detection
	Process  *Process // nil when there is none
	Agent    Agent

	// What the event was about, which may or may not be what matched.
	Written  File              // the file that it wrote
	Files    []File            // further ones: a library, a driver, one that was opened
	Network  []reconcile.Value // the far side, as types of IOC rules: url, domain_name, ip_src, ip_dst
	Registry []string          // keys

	Matches    []Match     // ioc_matches, of whatever part
	YARA       []YARAMatch // matched_rules, likewise
	Correlated []Rule      // those of a correlation's events
}

// Status is where the triage of an alert or a threat stands; other words than these may come.
type Status string

// The known ones.
const (
	New                   Status = "new"
	Investigating         Status = "investigating"
	ProbableFalsePositive Status = "probable_false_positive"
	FalsePositive         Status = "false_positive"
	Closed                Status = "closed"
)

// Negative says that the triage took it for a mistake.
func (s Status) Negative() bool { return s == FalsePositive || s == ProbableFalsePositive }

// File is a file by path and hashes; either may be empty. Hashes are in lower case and of the right
// length, others are left out.
type File struct{ Path, MD5, SHA1, SHA256 string }

// Known says whether anything is known of it.
func (f File) Known() bool { return f != File{} }

// Hashed says whether a hash is known.
func (f File) Hashed() bool { return f.MD5+f.SHA1+f.SHA256 != "" }

// Process is the process of an alert. For file alerts it may be another program than the file that
// matched, such as the one that wrote it.
type Process struct {
	Name, Image      string // base name; whole path
	CommandLine      string
	WorkingDirectory string
	PID              int
	User, UserSID    string
	File             File // of the image
	ParentImage      string
	ParentCommand    string
}

// Agent is the endpoint.
type Agent struct {
	ID, Hostname, Domain, DNSDomain string
	Address                         string
	OS, OSProduct, OSVersion        string
	Version                         string
}

// Match is one entry of ioc_matches: a rule of the list SourceID.
type Match struct{ SourceID, Type, Value string }

// Rule is a rule as an alert names it.
type Rule struct{ ID, Name string }

// YARAMatch is one rule of a YARA file that matched, with the name of the list that holds the file.
type YARAMatch struct{ File, Rule, Source string }

// Threat is a group of alerts (contract harfanglab-api 8.1).
type Threat struct {
	ID     string // number or UUID, as text
	Slug   string // its name for people
	Status Status
	Level  string

	Created, FirstSeen, LastSeen, LastUpdate time.Time

	Count    int // of alerts
	Imported int // of them, those that OpenCTI has
	Agents   []Agent
	Users    []User
	Rules    []string // their names
	Note     *Note    // nil when there is none
	NoteTold bool     // the answer said which note there is, or that there is none
}

// User is a user whom a threat hit.
type User struct{ Name, SID string }

// Note is what an analyst wrote on a threat.
type Note struct {
	Title, Content string
	Created        time.Time
}

// Bad is one row that could not be read, with what names it.
type Bad struct {
	ID  string // "" when even that is unknown
	Err error
}
