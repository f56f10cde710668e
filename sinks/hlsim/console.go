package hlsim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Sources are the lists of a kind in the order of their making.
func (s *Sim) Sources(kind string) []Source {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Source
	if c := s.kinds[kind]; c != nil {
		for _, src := range c.sources {
			one := src.Source
			one.Rules = src.rows.n
			out = append(out, one)
		}
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

// Rules are all rules of a kind, sorted by type, value, name and id.
func (s *Sim) Rules(kind string) []Rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.kinds[kind]
	if c == nil {
		return nil
	}
	out := make([]Rule, 0, len(c.byID))
	for _, r := range c.byID {
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
	c := s.kinds[kind]
	if c == nil || c.byID[id] == nil {
		return Rule{}, false
	}
	return c.byID[id].rule(), true
}

// Count is the number of rules of a kind.
func (s *Sim) Count(kind string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.kinds[kind]; c != nil {
		return len(c.byID)
	}
	return 0
}

// errTaken says that something unique exists already.
var errTaken = errors.New("already exists")

// Add makes a rule as another user does in the console, without the checks of the API. The id is ""
// when there is no such list or an equal rule exists.
func (s *Sim) Add(kind string, r Rule) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kinds[kind]
	if c == nil {
		return ""
	}
	made, err := s.add(c, r, s.now(), !s.knobs.Load().KeepContent)
	if err != nil {
		return ""
	}
	return made.id
}

// early is by how much last_update comes before creation_date in a new rule (contract harfanglab-api
// 4.2), in microseconds.
const early = 3

// add makes a row; anew says whether Sigma contents are written in the manager's own way.
func (s *Sim) add(c *collection, in Rule, now int64, anew bool) (*row, error) {
	src := c.source(in.SourceID)
	if src == nil {
		return nil, fmt.Errorf("no list %q of kind %s", in.SourceID, c.kind)
	}
	r := &row{id: in.ID, src: src, state: disabled, created: now, moved: now - early, by: analyst, null: nullName | nullDescription | nullComment}
	describe(c.kind, &in, anew)
	r.take(c.kind, in, Rule{})
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

// describe fills what a rule says of itself in its content, where it is not given. Broken contents are
// held too; the console is not what this package is to be true to.
func describe(kind string, in *Rule, anew bool) {
	if kind == IOC || !anew && (in.RuleID != "" && in.RuleName != "" || in.RuleNames != nil) {
		return
	}
	f, err := factsOf(kind, in.Content)
	if err != nil {
		return
	}
	in.RuleID, in.RuleName = cmp.Or(in.RuleID, f.id), cmp.Or(in.RuleName, f.title)
	in.RuleLevel = cmp.Or(in.RuleLevel, f.level)
	if in.RuleNames == nil {
		in.RuleNames = f.names
	}
	if in.Tags == nil {
		in.Tags = f.techniques
	}
	if in.Errors == nil {
		in.Errors = f.errors
	}
	if in.Warnings == nil {
		in.Warnings = f.warnings
	}
	if anew {
		in.Content = f.text
	}
}

// Load adds many rules to one list at once. Contents are held as they are given. After an error some
// of the rules may be there.
func (s *Sim) Load(kind, sourceID string, rules []Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kinds[kind]
	if c == nil {
		return fmt.Errorf("no kind %q of rules: want ioc, sigma or yara", kind)
	}
	if len(c.byID) == 0 {
		c.byID = make(map[string]*row, len(rules))
		if kind == IOC {
			c.byKey = make(map[key]*row, len(rules))
		}
	}
	for i := range rules {
		in := rules[i]
		in.SourceID = sourceID
		if _, err := s.add(c, in, s.now(), false); err != nil {
			return fmt.Errorf("rule %d (%s %s%s): %w", i+1, in.Type, in.Value, in.Name, err)
		}
	}
	return nil
}

// Edit changes a rule as another user does in the console, without the checks of the API, and moves
// its last_update. It is false when there is no such rule or list, or an equal rule exists. change must
// not call the Sim.
func (s *Sim) Edit(kind, id string, change func(*Rule)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kinds[kind]
	if c == nil {
		return false
	}
	old := c.byID[id]
	if old == nil {
		return false
	}
	before := old.rule()
	in := old.rule()
	change(&in)
	next := *old
	if in.SourceID != before.SourceID {
		if next.src = c.source(in.SourceID); next.src == nil {
			return false
		}
	}
	if in.Content != before.Content {
		redescribe(c.kind, &in, &before, !s.knobs.Load().KeepContent)
	}
	next.take(c.kind, in, before)
	next.moved, next.by = s.now(), analyst
	if c.twin(&next) != nil {
		return false
	}
	c.replace(old, &next, s.knobs.Load().MoveOnWrite)
	return true
}

// redescribe lets what follows from the content follow the new one, where the edit did not say more.
func redescribe(kind string, in, before *Rule, anew bool) {
	unsay := func(now *string, was string) {
		if *now == was {
			*now = ""
		}
	}
	unsayAll := func(now *[]string, was []string) {
		if slices.Equal(*now, was) {
			*now = nil
		}
	}
	unsay(&in.RuleID, before.RuleID)
	unsay(&in.RuleName, before.RuleName)
	unsay(&in.RuleLevel, before.RuleLevel)
	unsayAll(&in.RuleNames, before.RuleNames)
	unsayAll(&in.Tags, before.Tags)
	unsayAll(&in.Errors, before.Errors)
	unsayAll(&in.Warnings, before.Warnings)
	describe(kind, in, anew)
	in.RuleID = cmp.Or(in.RuleID, before.RuleID)
}

// Delete removes a rule as another user does in the console.
func (s *Sim) Delete(kind, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.kinds[kind]
	if c == nil || c.byID[id] == nil {
		return false
	}
	c.remove(c.byID[id])
	return true
}

// Promote is the manager's own step out of testing: every rule with that maturity becomes stable, and
// its last_update moves. It returns their number.
func (s *Sim) Promote() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, k := range kinds {
		for _, r := range s.kinds[k].byID {
			if r.hlStatus == "testing" {
				r.hlStatus, r.moved = "stable", now
				n++
			}
		}
		s.kinds[k].version++
	}
	return n
}
