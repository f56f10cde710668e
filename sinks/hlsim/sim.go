// Package hlsim is a HarfangLab manager in one process, for tests, demos and measurements. It rejects
// what the real manager rejects and is as unkind as contract harfanglab-api 12 says; what is not known
// for sure has a knob.
package hlsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"harfangsync/sources/simhttp"
)

// Options say who may come in.
type Options struct {
	Token           string // default "token"
	ReadOnlyToken   string // answers 403 to writes
	Login, Password string // basic auth, if set
	Version         string // default "24.12.11"
	Latency         time.Duration
	Now             func() time.Time
	Knobs           Knobs
}

// Knobs are the behaviours that are not known for sure, or that only some managers have. The zero
// value is what contract harfanglab-api 12 names as the default.
type Knobs struct {
	NoRedirect        bool `json:"no_redirect"`         // paths without slash answer directly
	AbsoluteNext      bool `json:"absolute_next"`       // next is a whole URL
	PageDefault       int  `json:"page_default"`        // rows without limit; 0 is 100
	PageMax           int  `json:"page_max"`            // greatest limit; 0 is 10,000
	IgnoreExact       bool `json:"ignore_exact"`        // *__exact and type are unknown parameters
	OldGeneration     bool `json:"old_generation"`      // no global_state, name, effective level, confidence
	AnyDateForm       bool `json:"any_date_form"`       // last_update filters take T...Z too
	Sigma200          bool `json:"sigma_200"`           // Sigma and YARA creations answer 200
	SigmaBareObject   bool `json:"sigma_bare_object"`   // and a bare object
	SigmaEmptyStatus  bool `json:"sigma_empty_status"`  // {"status": []}, nothing created
	SigmaNoStatus     bool `json:"sigma_no_status"`     // an entry without a status member, nothing created
	DuplicateAsEntry  bool `json:"duplicate_as_entry"`  // duplicate Sigma id as a status entry
	OwnSigmaIDs       bool `json:"own_sigma_ids"`       // path id differs from rule_id
	TestingAsStable   bool `json:"testing_as_stable"`   // testing is stored as stable on creation
	SourceIDMissing   bool `json:"source_id_missing"`   // rows do not name their source
	TrimTexts         bool `json:"trim_texts"`          // descriptions, comments and contents lose outer blanks
	CutDescription    int  `json:"cut_description"`     // characters kept; 0 keeps all
	CutComment        int  `json:"cut_comment"`         // characters kept; 0 keeps all
	RefuseComment     int  `json:"refuse_comment"`      // 400 on comment over so many characters
	RefuseDescription int  `json:"refuse_description"`  // 400 on description over so many characters
	EmptyAsNull       bool `json:"empty_as_null"`       // "" comes back as null
	FoldDescription   bool `json:"fold_description"`    // lower case
	FoldValue         bool `json:"fold_value"`          // lower case
	UpperValue        bool `json:"upper_value"`         // upper case
	CRLF              bool `json:"crlf"`                // YARA contents come back with CRLF
	WrongCount        int  `json:"wrong_count"`         // added to every count
	DropRow           bool `json:"drop_row"`            // the last row of each page is missing
	RepeatRow         bool `json:"repeat_row"`          // the first row of the next page is the last of this one
	RefuseDisableText bool `json:"refuse_disable_text"` // a PATCH that disables may not change texts
}

// Source is a rule container, a list in the console.
type Source struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Enabled     bool   `json:"enabled"`
}

// Rule is one rule as its store holds it. Members of other kinds are empty.
type Rule struct {
	ID          string   `json:"id"`
	SourceID    string   `json:"source_id"`
	Type        string   `json:"type"`
	Value       string   `json:"value"`
	Description string   `json:"description"`
	Comment     string   `json:"comment"`
	Name        string   `json:"name"`
	RuleID      string   `json:"rule_id"`
	RuleName    string   `json:"rule_name"`
	Content     string   `json:"content"`
	RuleNames   []string `json:"rule_names"`
	Techniques  []string `json:"rule_technique_tags"`
	References  []string `json:"references"`
	Enabled     bool     `json:"enabled"`
	HLStatus    string   `json:"hl_status"`
	GlobalState string   `json:"global_state"`
	Block       bool     `json:"block_on_agent"`
	Quarantine  bool     `json:"quarantine_on_agent"`
	Level       string   `json:"rule_level_override"`
	Confidence  string   `json:"rule_confidence_override"`
	Errors      string   `json:"errors"`
	Linked      bool     `json:"linked"` // a correlation uses it: it cannot be deleted

	Created, Updated time.Time `json:"-"`
	Modifier         string    `json:"-"`
}

// Kinds are the names of the three collections.
var Kinds = []string{"ioc", "sigma", "yara"}

// Sim is the manager. It is safe for concurrent use.
type Sim struct {
	// HTTP is the handler with latency, faults and the log of requests; Sim serves through it.
	HTTP *simhttp.Handler

	mu      sync.Mutex
	o       Options
	knobs   Knobs
	sources map[string][]*Source
	stores  map[string]*store
	clock   time.Time // the last time given out, so that times never repeat
}

// New makes an empty manager.
func New(o Options) *Sim {
	if o.Token == "" {
		o.Token = "token"
	}
	if o.Version == "" {
		o.Version = "24.12.11"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sim{o: o, knobs: o.Knobs, sources: map[string][]*Source{}, stores: map[string]*store{}}
	for _, k := range Kinds {
		s.stores[k] = newStore()
	}
	s.HTTP = simhttp.Wrap(http.HandlerFunc(s.route))
	s.HTTP.SetLatency(o.Latency)
	return s
}

// ServeHTTP serves the API under /api/ and the controls under /_sim/.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.HTTP.ServeHTTP(w, r) }

// SetKnobs changes behaviour from the next request on.
func (s *Sim) SetKnobs(change func(*Knobs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.knobs)
}

// now is the time, strictly later than what was given out before.
func (s *Sim) now() time.Time {
	t := s.o.Now().UTC().Truncate(time.Microsecond)
	if !t.After(s.clock) {
		t = s.clock.Add(time.Microsecond)
	}
	s.clock = t
	return t
}

// AddSource makes a list of a kind, or finds the one with this name, and returns its id.
func (s *Sim) AddSource(kind, name string) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stores[kind] == nil {
		return "", fmt.Errorf("kind %q: want ioc, sigma or yara", kind)
	}
	for _, src := range s.sources[kind] {
		if src.Name == name {
			return src.ID, nil
		}
	}
	src := &Source{ID: uuid.NewString(), Name: name, Enabled: true}
	s.sources[kind] = append(s.sources[kind], src)
	return src.ID, nil
}

// Sources lists the lists of a kind.
func (s *Sim) Sources(kind string) []Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Source
	for _, src := range s.sources[kind] {
		out = append(out, *src)
	}
	return out
}

// Rules copies the rules of a kind, oldest first.
func (s *Sim) Rules(kind string) []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Rule
	for _, r := range s.stores[kind].all() {
		out = append(out, *r)
	}
	return out
}

// Add makes a rule as somebody in the console would, and returns its id, "" if its identity is taken.
func (s *Sim) Add(kind string, r Rule) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(kind, r)
}

func (s *Sim) add(kind string, r Rule) string {
	if r.ID == "" {
		r.ID = uuid.NewString()
	}
	if kind == "sigma" {
		if p, err := parseSigma(r.Content); err == nil {
			r.RuleID, r.RuleName = orWord(p.id, r.ID), p.title
		}
	}
	if kind == "yara" {
		r.RuleNames, _ = checkYARA(r.Content)
	}
	if r.HLStatus == "" {
		r.HLStatus = "stable"
	}
	if !s.stores[kind].free(kind, &r) {
		return ""
	}
	r.Updated = s.now()
	r.Created = s.now()
	r.Modifier = orWord(r.Modifier, "analyst")
	r.couple()
	s.stores[kind].insert(kind, &r)
	return r.ID
}

// Load adds many rules to a list. Rules whose identity is taken are an error.
func (s *Sim) Load(kind, source string, rules []Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rules {
		rules[i].SourceID = source
		if s.add(kind, rules[i]) == "" {
			return fmt.Errorf("%s rule %d (%s %s): its identity is taken", kind, i+1, rules[i].Value, rules[i].Name)
		}
	}
	return nil
}

// Edit changes a rule as somebody in the console would. It says whether the rule is there.
func (s *Sim) Edit(kind, id string, change func(*Rule)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stores[kind]
	r := st.byID[id]
	if r == nil {
		return false
	}
	st.unindex(kind, r)
	before := r.Enabled
	change(r)
	if r.Enabled != before {
		r.GlobalState = ""
	}
	r.couple()
	r.Updated, r.Modifier = s.now(), "analyst"
	st.index(kind, r)
	return true
}

// Delete removes a rule as somebody in the console would. It says whether the rule was there.
func (s *Sim) Delete(kind, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stores[kind].remove(kind, id)
}

// Promote ends the testing of every rule, as the manager does by itself after some days.
func (s *Sim) Promote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range Kinds {
		for _, r := range s.stores[k].all() {
			if r.HLStatus == "testing" {
				r.HLStatus = "stable"
			}
		}
	}
}

// couple derives global_state and the flags from each other (contract harfanglab-api 4.5). A state
// that is set wins.
func (r *Rule) couple() {
	switch r.GlobalState {
	case "":
		r.GlobalState = "alert"
		switch {
		case !r.Enabled:
			r.GlobalState = "disabled"
		case r.Quarantine:
			r.GlobalState = "quarantine"
		case r.Block:
			r.GlobalState = "block"
		}
	case "backend_alert":
		r.GlobalState = "alert"
	}
	r.Enabled = r.GlobalState != "disabled"
	r.Block = r.GlobalState == "block" || r.GlobalState == "quarantine"
	r.Quarantine = r.GlobalState == "quarantine"
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// store holds the rules of one kind with the indexes that keep a million of them quick.
type store struct {
	byID   map[string]*Rule
	bySrc  map[string]*column
	order  column            // of all lists
	values map[string]string // identity of an IOC to its id
	sigmas map[string]string // Sigma id to path id
}

// column is an ordered list whose removed entries are swept when it is read.
type column struct {
	rules []*Rule
	dirty bool
}

func newStore() *store {
	return &store{byID: map[string]*Rule{}, bySrc: map[string]*column{}, values: map[string]string{}, sigmas: map[string]string{}}
}

func (st *store) sweep(c *column) []*Rule {
	if c == nil {
		return nil
	}
	if c.dirty {
		c.rules = slices.DeleteFunc(c.rules, func(r *Rule) bool { return st.byID[r.ID] != r })
		c.dirty = false
	}
	return c.rules
}

func (st *store) all() []*Rule { return st.sweep(&st.order) }

func (st *store) of(source string) []*Rule { return st.sweep(st.bySrc[source]) }

func identity(r *Rule) string { return r.SourceID + "\x00" + r.Type + "\x00" + r.Value }

// free says whether a rule's identity is not taken by another.
func (st *store) free(kind string, r *Rule) bool {
	switch kind {
	case "ioc":
		id, taken := st.values[identity(r)]
		return !taken || id == r.ID
	case "sigma":
		id, taken := st.sigmas[strings.ToLower(r.RuleID)]
		return !taken || id == r.ID
	}
	return true
}

func (st *store) insert(kind string, r *Rule) {
	st.byID[r.ID] = r
	c := st.bySrc[r.SourceID]
	if c == nil {
		c = &column{}
		st.bySrc[r.SourceID] = c
	}
	c.rules = append(c.rules, r)
	st.order.rules = append(st.order.rules, r)
	st.index(kind, r)
}

func (st *store) index(kind string, r *Rule) {
	switch kind {
	case "ioc":
		st.values[identity(r)] = r.ID
	case "sigma":
		st.sigmas[strings.ToLower(r.RuleID)] = r.ID
	}
}

func (st *store) unindex(kind string, r *Rule) {
	switch kind {
	case "ioc":
		delete(st.values, identity(r))
	case "sigma":
		delete(st.sigmas, strings.ToLower(r.RuleID))
	}
}

func (st *store) remove(kind, id string) bool {
	r := st.byID[id]
	if r == nil {
		return false
	}
	st.unindex(kind, r)
	delete(st.byID, id)
	st.bySrc[r.SourceID].dirty, st.order.dirty = true, true
	return true
}
