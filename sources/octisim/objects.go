package octisim

import (
	"maps"
	"slices"
)

// item is any stored object. Stored objects never change: an edit puts a new one in the old one's
// place, so that whoever holds the old one still has the state before.
type item interface {
	core() *base
	typename() string
}

// base is what every stored object has. There may be millions: what few have is apart.
type base struct {
	id, standard, entity string
	createdAt, updatedAt moment
	markings             []*marking
	own                  *own   // nil for most
	facts                *facts // nil for most; told reads them
	dead                 bool   // replaced or deleted; still in some order
}

// own is what a source gave an object of its own: further STIX ids, and STIX times that differ from
// the platform's.
type own struct {
	stixIDs           []string
	created, modified moment
	creator           string // internal id of the user who imported it; empty is the platform itself
}

func (b *base) core() *base { return b }

func (b *base) told() *facts {
	if b.facts == nil {
		return noFacts
	}
	return b.facts
}

func (b *base) stixIDs() []string {
	if b.own == nil {
		return nil
	}
	return b.own.stixIDs
}

func (b *base) creator() string {
	if b.own == nil || b.own.creator == "" {
		return systemUser
	}
	return b.own.creator
}

func (b *base) created() moment {
	if b.own == nil {
		return b.createdAt
	}
	return b.own.created
}

func (b *base) modified() moment {
	if b.own == nil {
		return b.updatedAt
	}
	return b.own.modified
}

// visible tells whether a user who may see exactly the allowed markings sees the object; nil allows
// all of them.
func (b *base) visible(allowed map[*marking]bool) bool {
	if allowed == nil {
		return true
	}
	for _, m := range b.markings {
		if !allowed[m] {
			return false
		}
	}
	return true
}

type indicator struct {
	base
	name, description, pattern, patternType, mainType string
	validFrom, validUntil                             moment
	score                                             int32 // -1 is null
	detection                                         int8  // -1 is null
	revoked                                           bool
	platforms                                         []string
}

func (*indicator) typename() string { return "Indicator" }

type observable struct {
	base
	value, name string
	hashes      []Hash
	score       int32 // -1 is null
}

func (o *observable) typename() string { return observableKind(o.entity).graphql }

// shown is what the platform displays for the observable.
func (o *observable) shown(v version) string {
	if _, hash := firstHash(v, o.hashes); hash != "" {
		return hash
	}
	if o.entity == "StixFile" {
		return o.name
	}
	if o.value == "" { // an account without a login
		for _, name := range []string{"user_id", "display_name"} {
			if s := o.told().text(name); s != "" {
				return s
			}
		}
	}
	return o.value
}

// relation joins two objects, named by internal id because an edit replaces the object. A sighting is
// one too: of its from in its to.
type relation struct {
	base     // its entity type is the kind of relation, such as based-on
	from, to string
}

// sightingType is the entity type of sightings.
const sightingType = "stix-sighting-relationship"

func (r *relation) sighting() bool { return r.entity == sightingType }

func (r *relation) typename() string {
	if r.sighting() {
		return "StixSightingRelationship"
	}
	return "StixCoreRelationship"
}

type marking struct {
	base
	kind, definition string
	order            int
}

// markingColor is the same for all of them here.
const markingColor = "#2e7d32"

func (*marking) typename() string { return "MarkingDefinition" }

type label struct {
	base
	Label
}

func (*label) typename() string { return "Label" }

type phase struct {
	base
	KillChain
}

func (*phase) typename() string { return "KillChainPhase" }

type reference struct {
	base
	ExternalRef
}

func (*reference) typename() string { return "ExternalReference" }

func optional(p *int) int32 {
	if p == nil {
		return -1
	}
	return int32(*p)
}

func pointer(n int32) *int {
	if n < 0 {
		return nil
	}
	return new(int(n))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// facts are what few objects have beside their base, and all that an import brings. They never change:
// a later import makes others.
type facts struct {
	author     string // internal id of an identity; empty is none
	labels     []*label
	references []*reference
	phases     []*phase
	objects    []string       // internal ids of what a container holds, in the order they came
	confidence int32          // -1 is null
	props      map[string]any // attributes by GraphQL name: string, []string, moment, int or bool
}

var noFacts = &facts{confidence: -1}

func (f *facts) text(name string) string {
	s, _ := f.props[name].(string)
	return s
}

func (f *facts) texts(name string) []string {
	l, _ := f.props[name].([]string)
	return l
}

// date is never for an attribute that is not there.
func (f *facts) date(name string) moment {
	if m, ok := f.props[name].(moment); ok {
		return m
	}
	return never
}

// merge gives f with what came later (contract opencti-api 9): lists only grow, a single value is
// replaced when the newcomer is strong, and nothing is cleared. It tells whether anything changed.
func (f *facts) merge(in *facts, strong bool) (out *facts, changed bool) {
	now := *f
	now.labels = grow(f.labels, in.labels, &changed)
	now.references = grow(f.references, in.references, &changed)
	now.phases = grow(f.phases, in.phases, &changed)
	now.objects = grow(f.objects, in.objects, &changed)
	if strong && in.author != "" && in.author != f.author {
		now.author, changed = in.author, true
	}
	if strong && in.confidence >= 0 && in.confidence != f.confidence {
		now.confidence, changed = in.confidence, true
	}
	now.props = map[string]any{}
	maps.Copy(now.props, f.props)
	for name, v := range in.props {
		if words, ok := v.([]string); ok {
			old, _ := f.props[name].([]string)
			now.props[name] = grow(old, words, &changed)
		} else if strong && f.props[name] != v {
			now.props[name], changed = v, true
		}
	}
	return &now, changed
}

// grow gives have with what more adds to it, as another list when that is anything.
func grow[T comparable](have, more []T, changed *bool) []T {
	now := slices.Clip(have)
	for _, v := range more {
		if !slices.Contains(have, v) {
			now = append(now, v)
			*changed = true
		}
	}
	return now
}
