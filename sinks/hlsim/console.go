package hlsim

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What people do in the console, without the checks of the API. A kind that is none has no lists and no
// rules.

func (s *Sim) of(kind string) *collection {
	if c := s.kinds[kind]; c != nil {
		return c
	}
	return newCollection(kind)
}

// Sources are the lists of a kind in the order of their making.
func (s *Sim) Sources(kind string) []Source {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Source{}
	for _, src := range s.of(kind).sources {
		one := src.Source
		one.Rules = src.rows.n
		out = append(out, one)
	}
	return out
}

// AddSource makes an enabled list, or finds the one of that name, and returns its id. Names are unique
// within a kind.
func (s *Sim) AddSource(kind, name string) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kinds[kind]
	if c == nil {
		return "", fmt.Errorf("no kind %q of rules: want ioc, sigma or yara", kind)
	}
	if src := c.sourceNamed(name); src != nil {
		return src.ID, nil
	}
	return c.addSource(Source{Name: name, Enabled: true}).ID, nil
}

// DisableSource switches a list off. It is false when there is no such list.
func (s *Sim) DisableSource(kind, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.of(kind).source(id)
	if src != nil {
		src.Enabled = false
	}
	return src != nil
}

// Rules are all rules of a kind, sorted by type, value, name and id.
func (s *Sim) Rules(kind string) []Rule { return s.rulesSince(kind, 0) }

// rulesSince are those whose last_update is no earlier than a moment in microseconds.
func (s *Sim) rulesSince(kind string, since int64) []Rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Rule{}
	for _, r := range s.of(kind).byID {
		if r.updated >= since {
			out = append(out, r.rule())
		}
	}
	slices.SortFunc(out, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// Rule is one rule by its id.
func (s *Sim) Rule(kind, id string) (Rule, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.of(kind).byID[id]
	if r == nil {
		return Rule{}, false
	}
	return r.rule(), true
}

// Count is the number of rules of a kind.
func (s *Sim) Count(kind string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.of(kind).byID)
}

// errTaken says that something unique exists already.
var errTaken = errors.New("already exists")

// Add makes a rule as another user does. The id is "" when there is no such list or an equal rule exists.
func (s *Sim) Add(kind string, r Rule) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err := s.add(s.of(kind), r, !s.knobs.Load().KeepContent)
	if err != nil {
		return ""
	}
	return made.id
}

// early is by how much last_update comes before creation_date in a new rule (contract harfanglab-api
// 4.2), in microseconds.
const early = 3

// add makes a row; rewriteContent says whether Sigma contents are written in the manager's own way.
func (s *Sim) add(c *collection, in Rule, rewriteContent bool) (*row, error) {
	src, now := c.source(in.SourceID), s.now()
	if src == nil {
		return nil, fmt.Errorf("no list %q of kind %s", in.SourceID, c.kind)
	}
	r := &row{id: in.ID, src: src, state: stateDisabled, created: now, updated: now - early, by: analyst}
	r.take(c.kind, in, Rule{}, rewriteContent)
	if r.id == "" && !s.knobs.Load().OtherSigmaID {
		r.id = r.ruleID
	}
	if r.id == "" {
		r.id = newID()
	}
	if c.kind == Sigma && r.ruleID == "" {
		r.ruleID = r.id
	}
	if _, taken := c.byID[r.id]; taken || c.twin(r) != nil {
		return nil, errTaken
	}
	c.insert(r)
	return r, nil
}

// Load adds many rules to one list at once. Contents are held as they are given. After an error some
// of the rules may be there.
func (s *Sim) Load(kind, sourceID string, rules []Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(kind)
	if len(c.byID) == 0 {
		c.byID = make(map[string]*row, len(rules))
		if kind == IOC {
			c.byKey = make(map[key]*row, len(rules))
		}
	}
	for i, in := range rules {
		in.SourceID = sourceID
		if _, err := s.add(c, in, false); err != nil {
			return fmt.Errorf("rule %d (%s %s%s): %w", i+1, in.Type, in.Value, in.Name, err)
		}
	}
	return nil
}

// LoadJSONL reads rules, one JSON object a line: kind, list (from_OpenCTI when missing), and the rule's own members. It
// makes the lists, and gives the number of rules.
func (s *Sim) LoadJSONL(r io.Reader) (int, error) {
	n := 0
	byKind := map[string]map[string][]Rule{}
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 16<<20)
	for at := 1; scan.Scan(); at++ {
		if strings.TrimSpace(scan.Text()) == "" {
			continue
		}
		line := struct {
			Kind, List string
			Rule
		}{List: "from_OpenCTI"}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return 0, fmt.Errorf("line %d: %w", at, err)
		}
		if byKind[line.Kind] == nil {
			byKind[line.Kind] = map[string][]Rule{}
		}
		byKind[line.Kind][line.List] = append(byKind[line.Kind][line.List], line.Rule)
	}
	for kind, lists := range byKind {
		for list, rules := range lists {
			id, err := s.AddSource(kind, list)
			if err != nil {
				return 0, err
			}
			n += len(rules)
			if err := s.Load(kind, id, rules); err != nil {
				return 0, err
			}
		}
	}
	return n, scan.Err()
}

// Edit changes a rule as another user does and moves its last_update. It is false when there is no such
// rule or list, or an equal rule exists. change must not call the Sim.
func (s *Sim) Edit(kind, id string, change func(*Rule)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(kind)
	old := c.byID[id]
	if old == nil {
		return false
	}
	before, in, next := old.rule(), old.rule(), *old
	change(&in)
	if next.src = c.source(in.SourceID); next.src == nil {
		return false
	}
	next.take(c.kind, in, before, !s.knobs.Load().KeepContent)
	next.updated, next.by = s.now(), analyst
	if c.twin(&next) != nil {
		return false
	}
	c.replace(old, &next, s.knobs.Load().MoveOnWrite)
	return true
}

// Delete removes a rule as another user does.
func (s *Sim) Delete(kind, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.of(kind)
	r := c.byID[id]
	if r != nil {
		c.remove(r)
	}
	return r != nil
}

// Promote is the manager's own step out of testing: every rule with that maturity becomes stable, and
// its last_update moves. It returns their number.
func (s *Sim) Promote() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, c := range s.kinds {
		for _, r := range c.byID {
			if r.hlStatus == "testing" {
				r.hlStatus, r.updated = "stable", now
				n++
			}
		}
		c.version++
	}
	return n
}

// controlRoutes are what tests and people use in place of the console, beside what simhttp serves
// there:
//
//	GET, POST      /_sim/rules/{kind}        all, or those that changed since a moment; a Rule and the name of its "list", gives its id
//	PATCH, DELETE  /_sim/rules/{kind}/{id}   PATCH takes the members that change
//	GET            /_sim/sources/{kind}
//	GET, PATCH     /_sim/knobs               PATCH takes the members that change
//	POST           /_sim/saw                 a Sighting, gives the ids of its alerts
//	GET, POST      /_sim/alerts              all documents; {"documents": [...]} or {"generate": Spec}, gives their ids
//	GET            /_sim/threats
//	GET, POST      /_sim/telemetry           the Prevalence of a type and value, over days; what SeedTelemetry does
func (s *Sim) controlRoutes() http.Handler {
	mux := http.NewServeMux()
	for path, do := range map[string]control{
		"GET /_sim/rules/{kind}":         s.rulesByControl,
		"POST /_sim/rules/{kind}":        s.addByControl,
		"PATCH /_sim/rules/{kind}/{id}":  s.editByControl,
		"DELETE /_sim/rules/{kind}/{id}": s.deleteByControl,
		"GET /_sim/sources/{kind}":       func(r *http.Request, _ func(any) error) (any, error) { return s.Sources(r.PathValue("kind")), nil },
		"GET /_sim/knobs":                func(*http.Request, func(any) error) (any, error) { return s.Knobs(), nil },
		"PATCH /_sim/knobs":              s.setKnobsByControl,
		"POST /_sim/saw":                 s.sawByControl,
		"GET /_sim/alerts":               func(*http.Request, func(any) error) (any, error) { return s.Alerts(), nil },
		"POST /_sim/alerts":              s.alertsByControl,
		"GET /_sim/threats":              func(*http.Request, func(any) error) (any, error) { return s.Threats(), nil },
		"GET /_sim/telemetry":            s.prevalenceByControl,
		"POST /_sim/telemetry":           func(*http.Request, func(any) error) (any, error) { return s.SeedTelemetry(), nil },
	} {
		mux.Handle(path, do)
	}
	return mux
}

// control does one thing with a request whose body decode reads, and gives the answer's body.
type control func(r *http.Request, decode func(any) error) (any, error)

// errNot says that what a control names is not there, or what it makes is there already.
var errNot = errors.New("there is no such list or rule, or an equal one already exists")

func (do control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields() // so that a slip in a name is seen
	switch out, err := do(r, d.Decode); {
	case errors.Is(err, errNot):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		send(w, ok(out))
	}
}

func (s *Sim) rulesByControl(r *http.Request, _ func(any) error) (any, error) {
	kind, v := r.PathValue("kind"), r.FormValue("since")
	if v == "" {
		return s.Rules(kind), nil
	}
	since, err := time.Parse(time.RFC3339, v)
	return s.rulesSince(kind, since.UnixMicro()), err
}

// addByControl makes a rule, enabled unless it says otherwise, in a list that is made when missing.
func (s *Sim) addByControl(r *http.Request, decode func(any) error) (any, error) {
	in := struct {
		List string `json:"list"`
		Rule
	}{List: "from_OpenCTI", Rule: Rule{Enabled: true}}
	if err := decode(&in); err != nil {
		return nil, err
	}
	kind := r.PathValue("kind")
	if in.SourceID == "" {
		var err error
		if in.SourceID, err = s.AddSource(kind, in.List); err != nil {
			return nil, err
		}
	}
	id := s.Add(kind, in.Rule)
	if id == "" {
		return nil, errNot
	}
	return map[string]string{"id": id}, nil
}

func (s *Sim) editByControl(r *http.Request, decode func(any) error) (any, error) {
	kind, id := r.PathValue("kind"), r.PathValue("id")
	var err error
	done := s.Edit(kind, id, func(rule *Rule) {
		next := *rule
		if err = decode(&next); err == nil {
			*rule = next
		}
	})
	if err == nil && !done {
		err = errNot
	}
	rule, _ := s.Rule(kind, id)
	return rule, err
}

func (s *Sim) deleteByControl(r *http.Request, _ func(any) error) (any, error) {
	if !s.Delete(r.PathValue("kind"), r.PathValue("id")) {
		return nil, errNot
	}
	return struct{}{}, nil
}

func (s *Sim) setKnobsByControl(_ *http.Request, decode func(any) error) (_ any, err error) {
	s.SetKnobs(func(k *Knobs) {
		next := *k.clone()
		if err = decode(&next); err == nil {
			*k = next
		}
	})
	return s.Knobs(), err
}

func (s *Sim) sawByControl(_ *http.Request, decode func(any) error) (any, error) {
	var seen Sighting
	if err := decode(&seen); err != nil {
		return nil, err
	}
	ids, err := s.Saw(seen)
	return map[string][]string{"ids": ids}, err
}

func (s *Sim) alertsByControl(_ *http.Request, decode func(any) error) (any, error) {
	var in struct {
		Documents []json.RawMessage `json:"documents"`
		Generate  *Spec             `json:"generate"`
	}
	if err := decode(&in); err != nil {
		return nil, err
	}
	docs := in.Documents
	if in.Generate != nil {
		made, err := s.Documents(*in.Generate)
		if err != nil {
			return nil, err
		}
		docs = append(docs, made...)
	}
	ids, err := s.LoadAlerts(docs)
	return map[string][]string{"ids": ids}, err
}

func (s *Sim) prevalenceByControl(r *http.Request, _ func(any) error) (any, error) {
	days, err := strconv.Atoi(r.FormValue("days"))
	return s.Prevalence(r.FormValue("type"), r.FormValue("value"), s.options.Now().AddDate(0, 0, -days)), err
}
