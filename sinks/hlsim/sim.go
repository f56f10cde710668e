// Package hlsim is a HarfangLab manager in one process, for tests, demos and measurements. It refuses
// what the real manager refuses and is as unkind as contract harfanglab-api 12 says; what is not known
// for sure has a knob. It holds a million rules and a hundred thousand alerts, and shares no code with
// the client.
package hlsim

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// The kinds of rules. Each has collections, lists and identities of its own (contract harfanglab-api 3).
const (
	IOC   = "ioc"
	Sigma = "sigma"
	YARA  = "yara"
)

var kinds = []string{IOC, Sigma, YARA}

// DefaultVersion is what /api/version/ says when nothing else is asked for.
const DefaultVersion = "24.12.11"

// Options say who may come in and how the manager behaves. Only New reads them.
type Options struct {
	Token           string           // may do everything; "token" when empty
	ReadOnlyToken   string           // gets 403 for writes; nobody's when empty
	Login, Password string           // basic auth that may do everything; nobody's when Login is empty
	Version         string           // DefaultVersion when empty
	Latency         time.Duration    // least time a request takes
	Now             func() time.Time // time.Now when nil
	Knobs           Knobs
}

// Sim is a manager with its state. It is safe for concurrent use, and no lock is held while a request
// waits or an answer is written.
type Sim struct {
	// HTTP is what Sim serves through: latency, rate, faults and the log of requests.
	HTTP *simhttp.Handler

	options       Options
	api, controls http.Handler
	knobs         atomic.Pointer[Knobs] // what it points to never changes
	setting       sync.Mutex            // held by SetKnobs
	alertIDs      atomic.Int64          // ids given to alerts

	mu        sync.RWMutex // guards what follows
	kinds     map[string]*collection
	alerts    *alertStore
	telemetry map[string][]*telemetryRow // of each stream
	seenRows  uint64                     // how many sightings ever
	clock     int64                      // the last moment given out, in microseconds
}

// New makes an empty manager.
func New(o Options) *Sim {
	if o.Token == "" {
		o.Token = "token"
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sim{options: o, kinds: map[string]*collection{}, alerts: newAlertStore(), telemetry: map[string][]*telemetryRow{}}
	for _, k := range kinds {
		s.kinds[k] = newCollection(k)
	}
	s.knobs.Store(o.Knobs.clone())
	s.api, s.controls = s.apiRoutes(), s.controlRoutes()
	s.HTTP = simhttp.Wrap(http.HandlerFunc(s.route))
	s.HTTP.SetLatency(o.Latency)
	return s
}

// ServeHTTP serves the API under /api/, the controls under /_sim/ and a console's page elsewhere. TLS is
// the server's business.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.HTTP.ServeHTTP(w, r) }

// Knobs are those in force.
func (s *Sim) Knobs() Knobs { return *s.knobs.Load().clone() }

// SetKnobs changes behaviour from the next request on. change must not call SetKnobs.
func (s *Sim) SetKnobs(change func(*Knobs)) {
	s.setting.Lock()
	defer s.setting.Unlock()
	next := s.knobs.Load().clone()
	change(next)
	s.knobs.Store(next.clone())
}

func (k *Knobs) clone() *Knobs {
	c := *k
	c.IgnoreFilters, c.Linked, c.Orderings = slices.Clone(k.IgnoreFilters), slices.Clone(k.Linked), slices.Clone(k.Orderings)
	c.TelemetryQuiet = slices.Clone(k.TelemetryQuiet)
	return &c
}

// now is the time in microseconds, later than what was given out before. The caller holds the lock.
func (s *Sim) now() int64 {
	s.clock = max(s.options.Now().UnixMicro(), s.clock+1)
	return s.clock
}

func newID() string { return uuid.NewString() }

// user is whom last_modifier names.
type user struct {
	id       int
	username string
}

var (
	bridge  = &user{3, "opencti-bridge"} // the token's
	reader  = &user{4, "reader"}         // the read-only token's
	analyst = &user{7, "analyst"}        // whoever works in the console
)
