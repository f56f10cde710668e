package hlsim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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

// EnableSource switches a list on or off. It is false when there is no such list.
func (s *Sim) EnableSource(kind, id string, on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.of(kind).source(id)
	if src != nil {
		src.Enabled = on
	}
	return src != nil
}

// Rules are all rules of a kind, sorted by type, value, name and id.
func (s *Sim) Rules(kind string) []Rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := []Rule{}
	for _, r := range s.of(kind).byID {
		out = append(out, r.rule())
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
	r := &row{id: in.ID, src: src, state: stateDisabled, created: now, moved: now - early, by: analyst}
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
	next.moved, next.by = s.now(), analyst
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
				r.hlStatus, r.moved = "stable", now
				n++
			}
		}
		c.version++
	}
	return n
}
