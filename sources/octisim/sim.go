// Package octisim is an OpenCTI platform in one process, for tests, demonstrations and benchmarks: a
// real HTTP server with state that answers GraphQL and serves the live stream as the platform does, the
// unkind parts included (contract opencti-api 14). It shares no code with the client, so that the two
// cannot share a misreading of the API.
package octisim

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// Options shape a simulated platform. The zero value serves version DefaultVersion to nobody: give a
// Token or Users.
type Options struct {
	StreamPeriods

	Token    string // of an account with the role Connector, every marking and maximum confidence 100
	Users    []User // further accounts
	Version  string // DefaultVersion when empty
	BasePath string // where the platform lives, such as /opencti; the root when empty
	PageCap  int    // largest page; 5000 when 0
	MaxBody  int64  // largest request body in bytes; 50 MB when 0
	KeepLog  int    // most stream events kept; 2,000,000 when 0

	Latency     time.Duration    // of every request
	ImportDelay time.Duration    // from the push of a bundle to its import; 0 imports before the push is answered
	Now         func() time.Time // time.Now when nil
}

// DefaultVersion is the platform that is simulated when nothing else is asked for.
const DefaultVersion = "6.9.22"

// Knobs are the ways in which listings and imports go wrong without an error. Pages are counted for
// each GraphQL field, from 1 at a request without a cursor. Numbers of pushes count down to 0 as pushes
// come; a negative one stands for every push.
type Knobs struct {
	StreamKnobs

	PageCap     int      `json:"page_cap"`     // larger pages are cut without a word
	CountOff    int      `json:"count_off"`    // added to every globalCount
	RepeatPage  int      `json:"repeat_page"`  // this page of a listing, from 1, holds the page before once more
	SkipPage    int      `json:"skip_page"`    // this page of a listing, from 1, leaves out the rows that belong on it
	DriftField  string   `json:"drift_field"`  // the listing that RepeatPage and SkipPage hit; indicators when empty
	DriftOnce   bool     `json:"drift_once"`   // they happen once, then heal
	HideMarking []string `json:"hide_marking"` // definitions that no user may see, whatever the account says
	IDsFilter   string   `json:"ids_filter"`   // what the filter key ids does: "" works, "ignored" passes everything, "empty" nothing

	IgnoreFilters bool `json:"ignore_filters"` // listings let everything through but for the ids asked for

	Unresolvable []string `json:"unresolvable"` // internal ids of indicators and observables of which an answer can have the ids, and nothing that names them

	ImportDelay time.Duration `json:"import_delay"` // of bundles pushed from now on
	FailImport  string        `json:"fail_import"`  // regular expression on an object's JSON as pushed: refused, with an error on the work
	StripRefs   string        `json:"strip_refs"`   // regular expression on an object's JSON as pushed: it loses its author and its markings, without a word
	Exclude     []string      `json:"exclude"`      // values on the platform's exclusion lists
	DropBundles int           `json:"drop_bundles"` // so many pushes are accepted, and neither imported nor counted
	DropWorks   int           `json:"drop_works"`   // so many pushes lose their work, and so are not imported either
	StuckWorks  int           `json:"stuck_works"`  // so many pushes are imported, but the last report never comes
	ImportTwice int           `json:"import_twice"` // so many pushes are delivered twice

	BrokerDelay   time.Duration `json:"broker_delay"`    // of what the message broker takes part in: registering a connector, pushing
	NewQueueDelay time.Duration `json:"new_queue_delay"` // from a connector's first registration until its bundles are looked at
	StateDelay    time.Duration `json:"state_delay"`     // up to so long, at random, a question about a connector's state travels, and its answer
	LockPings     int           `json:"lock_pings"`      // so many pings find the connector locked
	OverrunPages  int           `json:"overrun_pages"`   // so many lists of an indicator's observables overrun the search engine
	Measured      bool          `json:"measured"`        // lists of indicators and of relations take as long as a real platform's
	DownStatus    int           `json:"down_status"`     // what a proxy answers while the platform is down; 0 cuts connections

	// BeforePage is called before each request that asks for a page, with the GraphQL field and the
	// number of the page in its listing. It may change the data.
	BeforePage func(field string, page int) `json:"-"`
}

// Sim is the platform. All methods may be called at any time, also while it serves.
type Sim struct {
	HTTP *simhttp.Handler // latency, faults and the log of requests

	mux     *http.ServeMux
	clock   func() time.Time
	maxBody int64
	base    string

	mu sync.Mutex // guards all below
	*store
	log          eventLog
	live         streaming
	users        []*User
	streams      map[string]*Stream
	connectors   map[string]*connector
	works        []*work
	workIDs      map[string]*work
	lastWork     moment      // in the id of the last one
	queue        []*delivery // by the time of import
	refusing     *regexp.Regexp
	stripping    *regexp.Regexp
	version      version
	versionText  string
	schema       *ast.Schema
	documents    map[string]*document
	knobs        Knobs
	pages        map[string]int // by field: the page that was last asked for
	counts       map[string]int
	counted      int // the edition that counts are of
	orders       map[string]sortedRows
	relationKeys columns[*relation]
	realTime     bool // nobody but the system moves the clock
}

// New makes a platform without knowledge but for the TLP markings.
func New(o Options) *Sim {
	s := &Sim{
		clock: o.Now, maxBody: o.MaxBody, base: o.BasePath, store: newStore(),
		streams: map[string]*Stream{}, connectors: map[string]*connector{},
		workIDs: map[string]*work{}, pages: map[string]int{}, counts: map[string]int{}, orders: map[string]sortedRows{},
	}
	s.relationKeys = maps.Clone(relationColumns)
	maps.Copy(s.relationKeys, s.endTypes())
	if s.clock == nil {
		s.clock, s.realTime = time.Now, true
	}
	if s.maxBody == 0 {
		s.maxBody = 50 << 20
	}
	s.knobs.PageCap, s.knobs.ImportDelay = cmp.Or(o.PageCap, 5000), o.ImportDelay
	s.log = eventLog{start: position{ms: momentOf(s.now())}, size: cmp.Or(o.KeepLog, 2_000_000)}
	s.live, s.knobs.StreamPeriods = newStreaming(), o.StreamPeriods
	for _, t := range tlp {
		s.marking(Marking{Definition: t.definition})
	}
	if o.Token != "" {
		s.PutUser(User{Name: "Connector", Token: o.Token, Capabilities: ConnectorRole(), MaxConfidence: new(100)})
	}
	for _, u := range o.Users {
		s.PutUser(u)
	}
	s.SetVersion(cmp.Or(o.Version, DefaultVersion))
	s.mux = s.routes()
	s.HTTP = simhttp.Wrap(s.mux)
	s.HTTP.SetLatency(o.Latency)
	return s
}

// ServeHTTP serves the platform at its base path, and its controls under /_sim/.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.HTTP.ServeHTTP(w, r) }

// SetVersion makes the platform another version, as an upgrade does: objects and their ids stay.
func (s *Sim) SetVersion(text string) {
	v := parseVersion(text)
	schema := loadSchema(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.versionText, s.schema = v, text, schema
	s.documents = map[string]*document{}
}

// SetKnobs changes the knobs in a function that gets the present ones. FailImport and StripRefs must compile.
func (s *Sim) SetKnobs(change func(*Knobs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.knobs)
	s.refusing, s.stripping = expression(s.knobs.FailImport), expression(s.knobs.StripRefs)
	clear(s.pages)
	clear(s.counts) // what users may see
	s.log.ring()    // streams wait by other times
}

// expression is a regular one, nil for none.
func expression(text string) *regexp.Regexp {
	if text == "" {
		return nil
	}
	return regexp.MustCompile(text)
}

// PutUser adds an account, or replaces the one with the same token.
func (s *Sim) PutUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.users, func(have *User) bool { return have.Token == u.Token })
	if u.ID == "" && i >= 0 {
		u.ID = s.users[i].ID
	}
	if u.ID == "" {
		u.ID = s.newID()
	}
	u.Name = cmp.Or(u.Name, "User")
	u.Email = cmp.Or(u.Email, u.ID+"@opencti.example")
	clear(s.counts) // what the user may see
	if i >= 0 {
		s.users[i] = &u
		return
	}
	s.users = append(s.users, &u)
}

// allowed are the markings that a user may see; nil is all of them.
func (s *Sim) allowed(u *User) map[*marking]bool {
	if u == nil || u.Markings == nil && len(s.knobs.HideMarking) == 0 {
		return nil
	}
	may := map[*marking]bool{}
	for _, m := range s.markings.byStandard.list() {
		may[m] = u.Markings == nil
	}
	for _, d := range u.Markings {
		may[s.marking(Marking{Definition: d})] = true
	}
	for _, d := range s.knobs.HideMarking {
		may[s.marking(Marking{Definition: d})] = false
	}
	maps.DeleteFunc(may, func(_ *marking, yes bool) bool { return !yes })
	return may
}

// turn counts the pages of a listing, and says whether this one drifts: repeat, skip or nothing.
func (s *Sim) turn(field, after string) string {
	s.pages[field]++
	if after == "" {
		s.pages[field] = 1
	}
	k := &s.knobs
	if field != cmp.Or(k.DriftField, "indicators") {
		return ""
	}
	var drift string
	switch s.pages[field] {
	case k.RepeatPage:
		drift = "repeat"
		if k.DriftOnce {
			k.RepeatPage = 0
		}
	case k.SkipPage:
		drift = "skip"
		if k.DriftOnce {
			k.SkipPage = 0
		}
	}
	return drift
}

// labelIDs are the internal ids of the label with a text.
func (s *Sim) labelIDs(text string) []string {
	var out []string
	for _, l := range s.labels {
		if keyword(l.Value) == fold(text) {
			out = append(out, l.id)
		}
	}
	return out
}
