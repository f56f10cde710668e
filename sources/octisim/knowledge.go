package octisim

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// LoadJSONL reads one Indicator a line and gives their number. What is loaded was there all along:
// no stream event tells of it. Blank lines are passed over; the first bad line is an error.
func (s *Sim) LoadJSONL(r io.Reader) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := bufio.NewReaderSize(r, 1<<20)
	n := 0
	for at := 1; ; at++ {
		line, err := lines.ReadBytes('\n')
		if len(trim(string(line))) > 0 {
			var in Indicator
			if err := json.Unmarshal(line, &in); err != nil {
				return n, fmt.Errorf("line %d: %w", at, err)
			}
			if _, err := s.put(in, false); err != nil {
				return n, fmt.Errorf("line %d: %w", at, err)
			}
			n++
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// errTaken says that a pattern is that of another indicator: the platform knows a pattern once.
var errTaken = errors.New("another indicator has this pattern")

// Put creates an indicator, or replaces the one that has the same internal id or pattern, and gives
// its internal id. It is empty when the pattern belongs to another indicator than the named id's.
func (s *Sim) Put(in Indicator) (id string) {
	s.lock()
	defer s.mu.Unlock()
	id, _ = s.put(in, true)
	return id
}

func (s *Sim) put(in Indicator, event bool) (string, error) {
	in.PatternType = cmp.Or(in.PatternType, "stix")
	if in.PatternType == "stix" {
		in.Pattern = normalisePattern(s.version, in.Pattern)
	}
	in.StandardID = cmp.Or(in.StandardID, indicatorID(s.version, in.Pattern))
	old, _ := s.items[in.ID].(*indicator)
	same, _ := s.items[in.StandardID].(*indicator)
	switch {
	case old == nil:
		old = same
	case same != nil && same != old:
		return "", errTaken
	}
	if old != nil {
		in.ID = old.id
		if in.CreatedAt.IsZero() {
			in.CreatedAt = old.createdAt.time()
		}
		if in.UpdatedAt.IsZero() {
			in.UpdatedAt = s.after(old.updatedAt).time()
		}
	}
	if in.ID == "" {
		in.ID = s.newID()
	}
	if in.CreatedAt.IsZero() {
		in.CreatedAt = s.now()
	}
	if in.UpdatedAt.IsZero() {
		in.UpdatedAt = in.CreatedAt
	}
	if in.Created.IsZero() {
		in.Created = in.CreatedAt
	}
	if in.Modified.IsZero() {
		in.Modified = in.UpdatedAt
	}
	if in.ValidFrom.IsZero() {
		in.ValidFrom = in.Created
	}
	in.Name = cmp.Or(in.Name, in.Pattern)
	in.MainType = cmp.Or(in.MainType, mainType(in.PatternType, in.Pattern))
	now := s.build(in)
	s.replace(old, now, event)
	if in.Observables != nil {
		s.rebase(now.id, in.Observables)
	}
	return now.id, nil
}

// after is the time of a change: now, and later than what was.
func (s *Sim) after(was moment) moment {
	if t := momentOf(s.now()); t > was {
		return t
	}
	return was + 1
}

// build makes the stored form of in, as it stands.
func (s *Sim) build(in Indicator) *indicator {
	i := &indicator{
		base: base{
			id: in.ID, standard: in.StandardID, entity: "Indicator",
			createdAt: momentOf(in.CreatedAt), updatedAt: momentOf(in.UpdatedAt), markings: s.markingsOf(in.Markings),
		},
		name: in.Name, description: in.Description, pattern: in.Pattern,
		patternType: s.shared(in.PatternType), mainType: s.shared(in.MainType),
		validFrom: momentOf(in.ValidFrom), validUntil: momentOf(in.ValidUntil),
		score: optional(in.Score), detection: -1, revoked: in.Revoked,
	}
	if len(in.StixIDs) > 0 || !in.Created.Equal(in.CreatedAt) || !in.Modified.Equal(in.UpdatedAt) || in.CreatorID != "" {
		i.own = &own{in.StixIDs, momentOf(in.Created), momentOf(in.Modified), in.CreatorID}
	}
	if in.Name == in.Pattern {
		i.name = i.pattern
	}
	if in.Detection != nil {
		i.detection = flag(*in.Detection)
	}
	for _, p := range in.Platforms {
		i.platforms = append(i.platforms, s.shared(p))
	}
	i.facts = s.factsOf(in)
	return i
}

// factsOf gives the facts of an indicator; those that many may have are shared.
func (s *Sim) factsOf(in Indicator) *facts {
	f := &facts{author: s.identity(in.CreatedBy), labels: s.labelsOf(in.Labels), confidence: optional(in.Confidence)}
	for _, p := range in.Phases {
		f.phases = append(f.phases, s.phase(p))
	}
	for _, r := range in.References {
		f.references = append(f.references, s.reference(r))
	}
	if in.PatternVersion != "" || in.IndicatorTypes != nil || in.DecayBase != nil {
		f.props = map[string]any{"pattern_version": in.PatternVersion, "indicator_types": in.IndicatorTypes}
		if in.DecayBase != nil {
			f.props["decay_base_score"] = *in.DecayBase
		}
	}
	if f.phases != nil || f.references != nil || f.props != nil {
		return f
	}
	key := fmt.Sprint(f.author, f.confidence, in.Labels)
	if s.commonFacts[key] == nil {
		s.commonFacts[key] = f
	}
	return s.commonFacts[key]
}

// replace stores now in the place of old, which is nil for a new indicator.
func (s *Sim) replace(old, now *indicator, event bool) {
	if old == nil {
		s.indicators.add(now)
	} else {
		s.leave(old)
		s.indicators.swap(old, now)
	}
	s.enter(now)
	if event {
		s.log.add(momentOf(s.now()), old, now)
	}
}

// public gives the indicator as a caller sees it.
func (s *Sim) public(i *indicator) Indicator {
	f := i.told()
	out := Indicator{
		ID: i.id, StandardID: i.standard, StixIDs: slices.Clone(i.stixIDs()), Name: i.name, Description: i.description,
		Pattern: i.pattern, PatternType: i.patternType, PatternVersion: f.text("pattern_version"),
		IndicatorTypes: slices.Clone(f.texts("indicator_types")), MainType: i.mainType, Revoked: i.revoked,
		Score: pointer(i.score), Confidence: pointer(f.confidence), Platforms: slices.Clone(i.platforms),
		ValidFrom: i.validFrom.time(), ValidUntil: i.validUntil.time(), Created: i.created().time(), Modified: i.modified().time(),
		CreatedAt: i.createdAt.time(), UpdatedAt: i.updatedAt.time(), Markings: publicMarkings(i.markings),
	}
	if i.own != nil {
		out.CreatorID = i.own.creator
	}
	if n, ok := f.props["decay_base_score"].(int); ok {
		out.DecayBase = &n
	}
	if i.detection >= 0 {
		out.Detection = new(i.detection == 1)
	}
	for _, l := range f.labels {
		out.Labels = append(out.Labels, Label{l.Value})
	}
	if a, ok := s.items[f.author].(*entity); ok { // as it is now
		out.CreatedBy = new(a.identity())
	}
	for _, p := range f.phases {
		out.Phases = append(out.Phases, p.KillChain)
	}
	for _, r := range f.references {
		out.References = append(out.References, r.ExternalRef)
	}
	for _, r := range s.from[i.id] {
		if o, ok := s.items[r.to].(*observable); ok && r.entity == basedOn {
			out.Observables = append(out.Observables, o.public())
		}
	}
	return out
}

func (o *observable) public() Observable {
	return Observable{
		ID: o.id, StandardID: o.standard, EntityType: o.entity, Value: o.value, Name: o.name,
		Hashes: slices.Clone(o.hashes), Score: pointer(o.score), Props: o.told().props, Markings: publicMarkings(o.markings),
	}
}

func (e *entity) identity() Identity {
	return Identity{e.id, e.standard, e.entity, e.told().text("name")}
}

func publicMarkings(ms []*marking) (out []Marking) {
	for _, m := range ms {
		out = append(out, Marking{m.id, m.standard, m.kind, m.definition})
	}
	return out
}

// Indicators is every indicator, oldest first.
func (s *Sim) Indicators() []Indicator {
	s.lock()
	defer s.mu.Unlock()
	out := make([]Indicator, 0, s.indicators.live)
	for _, i := range s.indicators.byCreation.list() {
		if !i.dead {
			out = append(out, s.public(i))
		}
	}
	return out
}

// Indicator is the indicator with one of its ids.
func (s *Sim) Indicator(id string) (Indicator, bool) {
	s.lock()
	defer s.mu.Unlock()
	i, ok := s.items[id].(*indicator)
	if !ok {
		return Indicator{}, false
	}
	return s.public(i), true
}

// Edit changes the indicator with one of its ids, as a person does in the platform: updated_at moves
// unless the function moves it, and the standard id follows the pattern. It is false, and nothing
// changes, for an unknown id and for a pattern that another indicator has. The internal id and
// created_at stay.
func (s *Sim) Edit(id string, change func(*Indicator)) bool {
	s.lock()
	defer s.mu.Unlock()
	old, ok := s.items[id].(*indicator)
	if !ok {
		return false
	}
	in := s.public(old)
	was := in
	change(&in)
	in.ID, in.CreatedAt = was.ID, was.CreatedAt
	if in.PatternType == "stix" {
		in.Pattern = normalisePattern(s.version, in.Pattern)
	}
	if in.Pattern != was.Pattern {
		in.StandardID = indicatorID(s.version, in.Pattern)
		if other := s.items[in.StandardID]; other != nil && other != item(old) {
			return false
		}
		if in.MainType == was.MainType {
			in.MainType = mainType(in.PatternType, in.Pattern)
		}
	}
	if in.UpdatedAt.Equal(was.UpdatedAt) {
		in.UpdatedAt = s.after(old.updatedAt).time()
	}
	if in.Modified.Equal(was.Modified) {
		in.Modified = in.UpdatedAt
	}
	now := s.build(in)
	s.replace(old, now, true)
	s.rebase(now.id, in.Observables)
	return true
}

// Delete removes the indicator with one of its ids, and its relations and sightings, not what they
// lead to. It is false for an unknown id.
func (s *Sim) Delete(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	i, ok := s.items[id].(*indicator)
	if !ok {
		return false
	}
	s.isolate(i.id)
	s.leave(i)
	s.indicators.remove(i)
	s.log.add(momentOf(s.now()), i, nil)
	return true
}

// isolate removes every relation and sighting of the object with an internal id.
func (s *Sim) isolate(id string) {
	for _, r := range append(slices.Clone(s.from[id]), s.to[id]...) {
		if !r.dead { // one that joins the object to itself comes twice
			s.unrelate(r)
		}
	}
}

// now is the simulator's clock, cut to what the platform stores.
func (s *Sim) now() time.Time { return s.clock().UTC().Truncate(time.Millisecond) }

// Expire does what the platform's managers do with indicators whose time is over, whose ids are given,
// or with all whose valid_until has passed when none are: they become revoked and undetected, and
// their score falls to the one at which decay revokes. It gives the number that it changed.
func (s *Sim) Expire(ids ...string) int {
	if len(ids) == 0 {
		ids = s.expired()
	}
	n := 0
	for _, id := range ids {
		if s.Edit(id, func(i *Indicator) {
			fallen := 0
			if i.Score != nil && *i.Score > revokeScore {
				fallen = revokeScore
			}
			i.Revoked, i.Detection, i.Score = true, new(false), &fallen
		}) {
			n++
		}
	}
	return n
}

// revokeScore is where decay revokes an indicator; one that had no more ends at 0.
const revokeScore = 20

// expired are the internal ids of what is valid no longer and not revoked yet.
func (s *Sim) expired() []string {
	s.lock()
	defer s.mu.Unlock()
	var out []string
	now := momentOf(s.now())
	for _, i := range s.indicators.byCreation.list() {
		if !i.dead && !i.revoked && !i.validUntil.unknown() && i.validUntil <= now {
			out = append(out, i.id)
		}
	}
	return out
}
