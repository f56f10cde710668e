package octisim

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// table is all objects of one kind, in the two orders that are asked for most.
type table[T item] struct {
	byStandard order[T]
	byCreation order[T] // then by standard id
	live       int
}

func newTable[T item]() *table[T] {
	return &table[T]{
		byStandard: order[T]{compare: func(a, b T) int { return cmp.Compare(a.core().standard, b.core().standard) }},
		byCreation: order[T]{compare: func(a, b T) int {
			x, y := a.core(), b.core()
			return cmp.Or(cmp.Compare(x.createdAt, y.createdAt), cmp.Compare(x.standard, y.standard))
		}},
	}
}

func (t *table[T]) add(v T) {
	t.live++
	t.byStandard.add(v)
	t.byCreation.add(v)
}

func (t *table[T]) remove(v T) {
	t.live--
	v.core().dead = true
	t.byStandard.remove(v)
	t.byCreation.remove(v)
}

func (t *table[T]) swap(old, now T) {
	t.byStandard.swap(old, now)
	t.byCreation.swap(old, now)
	old.core().dead = true
}

// store holds the platform's knowledge. It is guarded by Sim.mu.
type store struct {
	items       map[string]item // by internal, standard and further STIX id
	indicators  *table[*indicator]
	observables *table[*observable]
	relations   *table[*relation]
	sightings   *table[*relation]
	entities    map[string]*table[*entity] // by STIX type
	markings    *table[*marking]
	from, to    map[string][]*relation // by the internal id of an end
	labels      map[string]*label      // by lower-case text
	phases      map[KillChain]*phase
	references  map[ExternalRef]*reference
	commonFacts map[string]*facts          // those that many objects share
	words       map[string]map[string]bool // vocabularies
	texts       map[string]string          // one copy of texts that many objects share
	edition     int                        // moves on every change
	ids         uint64                     // internal ids given out
}

func newStore() *store {
	s := &store{
		items:       map[string]item{},
		indicators:  newTable[*indicator](),
		observables: newTable[*observable](),
		relations:   newTable[*relation](),
		sightings:   newTable[*relation](),
		entities:    map[string]*table[*entity]{},
		markings:    newTable[*marking](),
		from:        map[string][]*relation{},
		to:          map[string][]*relation{},
		labels:      map[string]*label{},
		phases:      map[KillChain]*phase{},
		references:  map[ExternalRef]*reference{},
		commonFacts: map[string]*facts{},
		words:       vocabularies(),
		texts:       map[string]string{},
	}
	for _, name := range []string{"incident", "case-incident", "note", "attack-pattern", "identity"} {
		s.entities[name] = newTable[*entity]()
	}
	return s
}

// newID is the next internal id. It looks random and is the same in every run, so that tests can
// name what they see.
func (s *store) newID() string {
	for {
		s.ids++
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], s.ids)
		u := uuid.NewSHA1(idSpace, n[:])
		u[6] = u[6]&0x0f | 0x40 // a version 4 UUID, as the platform's internal ids are
		if id := u.String(); s.items[id] == nil {
			return id
		}
	}
}

// enter makes v known by all of its ids.
func (s *store) enter(v item) {
	b := v.core()
	s.items[b.id] = v
	if b.standard != "" {
		s.items[b.standard] = v
	}
	for _, id := range b.stixIDs() {
		s.items[id] = v
	}
	s.edition++
}

// leave forgets the ids of v.
func (s *store) leave(v item) {
	b := v.core()
	for _, id := range append([]string{b.id, b.standard}, b.stixIDs()...) {
		if s.items[id] == v {
			delete(s.items, id)
		}
	}
	s.edition++
}

// typeOfID is the entity type of the object with an id.
func (s *store) typeOfID(id string) string {
	if v := s.items[id]; v != nil {
		return v.core().entity
	}
	return ""
}

func (s *store) shared(t string) string {
	if have, ok := s.texts[t]; ok {
		return have
	}
	s.texts[t] = t
	return t
}

// meta gives the base of a meta object that was there before everything else.
func (s *store) meta(entity, standard string) base {
	return base{id: s.newID(), standard: standard, entity: entity, createdAt: epoch, updatedAt: epoch}
}

// epoch is when the platform's own objects were made: 2024-01-01.
const epoch = moment(1704067200000)

// marking finds a marking by id or definition, or makes it.
func (s *store) marking(in Marking) *marking {
	for _, id := range []string{in.ID, in.StandardID} {
		if m, ok := s.items[id].(*marking); ok {
			return m
		}
	}
	def := strings.ToUpper(trim(in.Definition))
	if def == "TLP:WHITE" {
		def = "TLP:CLEAR"
	}
	kind := in.Type
	if kind == "" {
		kind, _, _ = strings.Cut(def, ":")
	}
	standard := markingID(kind, def)
	if m, ok := s.items[standard].(*marking); ok {
		return m
	}
	m := &marking{base: s.meta("Marking-Definition", standard), kind: kind, definition: def, order: 1}
	for i, t := range tlp {
		if t.definition == def {
			m.order = i + 1
		}
	}
	if in.ID != "" && s.items[in.ID] == nil {
		m.id = in.ID
	}
	s.enter(m)
	s.markings.add(m)
	return m
}

func (s *store) markingsOf(in []Marking) []*marking {
	var ms []*marking
	for _, m := range in {
		ms = append(ms, s.marking(m))
	}
	return ms
}

func (s *store) labelsOf(in []Label) []*label {
	var set []*label
	for _, l := range in {
		text := trim(l.Value)
		have := s.labels[strings.ToLower(text)]
		if have == nil {
			have = &label{s.meta("Label", labelID(text)), Label{text}}
			s.labels[strings.ToLower(text)] = have
			s.enter(have)
		}
		set = append(set, have)
	}
	return set
}

// entityTable holds the objects of an entity type: one for all identities.
func (s *store) entityTable(entity string) *table[*entity] { return s.entities[kindOf(entity).stix] }

// identity finds an identity by id or by class and name, or makes it, and gives its internal id.
func (s *store) identity(in *Identity) string {
	if in == nil {
		return ""
	}
	kind := kindOf(cmp.Or(in.EntityType, "Organization"))
	class := cmp.Or(map[string]string{"Sector": "class"}[kind.entity], strings.ToLower(kind.entity))
	standard := cmp.Or(in.StandardID, identityID(class, in.Name))
	for _, id := range []string{in.ID, standard} {
		if have, ok := s.items[id].(*entity); ok {
			return have.id
		}
	}
	made := &entity{s.meta(kind.entity, standard)}
	made.id = cmp.Or(in.ID, made.id)
	made.facts = &facts{confidence: -1, props: map[string]any{"name": in.Name, "identity_class": class}}
	insert(s, s.entities["identity"], made)
	return made.id
}

func (s *store) phase(in KillChain) *phase {
	if s.phases[in] == nil {
		standard := standardID("kill-chain-phase", contributing{"kill_chain_name": trim(in.Chain), "phase_name": trim(in.Phase)})
		s.phases[in] = &phase{s.meta("Kill-Chain-Phase", standard), in}
		s.enter(s.phases[in])
	}
	return s.phases[in]
}

func (s *store) reference(in ExternalRef) *reference {
	if s.references[in] == nil {
		s.references[in] = &reference{s.meta("External-Reference", referenceID(in)), in}
		s.enter(s.references[in])
	}
	return s.references[in]
}

// order keeps items sorted. Additions are gathered and sorted in when somebody reads; removals only
// mark the item dead and are swept out when there are many. So a bulk load is one sort, and an edit
// between two pages is cheap at a million rows.
type order[T item] struct {
	compare func(a, b T) int
	sorted  []T
	fresh   []T
	dead    int // dead items in sorted
}

func (o *order[T]) add(t T) { o.fresh = append(o.fresh, t) }

// remove must be told of every item that dies.
func (o *order[T]) remove(T) { o.dead++ }

// swap puts a new state in the place of an old one, which the caller marks dead.
func (o *order[T]) swap(old, now T) {
	if o.compare(old, now) == 0 {
		if i := o.find(old); i >= 0 {
			o.sorted[i] = now
			return
		}
	}
	o.remove(old)
	o.add(now)
}

// find gives the index of an item; -1 is not here.
func (o *order[T]) find(t T) int {
	o.settle()
	i, _ := slices.BinarySearchFunc(o.sorted, t, o.compare)
	for ; i < len(o.sorted) && o.compare(o.sorted[i], t) == 0; i++ {
		if o.sorted[i].core() == t.core() {
			return i
		}
	}
	return -1
}

// list is every item in order, dead ones among them; it holds until the next change.
func (o *order[T]) list() []T {
	o.settle()
	if o.dead > 64+len(o.sorted)/16 {
		o.sorted = slices.DeleteFunc(o.sorted, func(t T) bool { return t.core().dead })
		o.dead = 0
	}
	return o.sorted
}

// few is how many additions are put in one by one, rather than by a sort of everything.
const few = 32

func (o *order[T]) settle() {
	if len(o.fresh) == 0 {
		return
	}
	fresh := o.fresh
	o.fresh = nil
	slices.SortStableFunc(fresh, o.compare)
	if n := len(o.sorted); n == 0 || o.compare(o.sorted[n-1], fresh[0]) <= 0 {
		o.sorted = append(o.sorted, fresh...)
		return
	}
	if len(fresh) <= few {
		for _, t := range fresh {
			i, _ := slices.BinarySearchFunc(o.sorted, t, o.compare)
			o.sorted = slices.Insert(o.sorted, i, t)
		}
		return
	}
	o.sorted = append(o.sorted, fresh...)
	slices.SortFunc(o.sorted, o.compare)
}

// entity is an object that is its facts: an incident, a case, a note, an attack pattern, an identity.
type entity struct{ base }

func (e *entity) typename() string { return kindOf(e.entity).graphql }

// shown is the name that the platform displays; of a note it is the abstract, or the content.
func (e *entity) shown() string {
	for _, name := range []string{"name", "attribute_abstract", "content"} {
		if s := e.told().text(name); s != "" {
			return s
		}
	}
	return e.entity
}

// insert stores a new object.
func insert[T item](s *store, t *table[T], v T) {
	t.add(v)
	s.enter(v)
}

// exchange stores now in the place of old.
func exchange[T item](s *store, t *table[T], old, now T) {
	s.leave(old)
	t.swap(old, now)
	s.enter(now)
}

// exchangeRelation does so for a relation, which its ends know too.
func (s *store) exchangeRelation(old, now *relation) {
	exchange(s, s.tableOf(old), old, now)
	for _, rows := range [][]*relation{s.from[old.from], s.to[old.to]} {
		for i, r := range rows {
			if r == old {
				rows[i] = now
				break
			}
		}
	}
}

// erase removes any object, with its relations and sightings. What holds it or names it as author
// does so no longer.
func (s *Sim) erase(v item) {
	b := v.core()
	if r, ok := v.(*relation); ok {
		s.isolate(b.id)
		s.unrelate(r)
		return
	}
	s.isolate(b.id)
	s.leave(v)
	switch v := v.(type) {
	case *indicator:
		s.indicators.remove(v)
		s.log.add(momentOf(s.now()), v, nil)
	case *observable:
		s.observables.remove(v)
	case *entity:
		s.entityTable(v.entity).remove(v)
	}
}
