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
	own                  *own // nil for most
	dead                 bool // replaced or deleted; still in some order
}

// own is what a source gave an object of its own: further STIX ids, and STIX times that differ from
// the platform's.
type own struct {
	stixIDs           []string
	created, modified moment
}

func (b *base) core() *base { return b }

func (b *base) stixIDs() []string {
	if b.own == nil {
		return nil
	}
	return b.own.stixIDs
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
	score, confidence                                 int32 // -1 is null
	detection                                         int8  // -1 is null
	revoked                                           bool
	platforms                                         []string
	labels                                            []*label
	more                                              *more // nil for most
}

// more is what few indicators carry.
type more struct {
	patternVersion string
	types          []string
	author         *identity
	phases         []*phase
	references     []*reference
}

func (*indicator) typename() string { return "Indicator" }

var nothingMore = &more{}

func (i *indicator) rare() *more {
	if i.more == nil {
		return nothingMore
	}
	return i.more
}

type observable struct {
	base
	value, name string
	hashes      []Hash
	score       int32 // -1 is null
	props       map[string]any
}

func (o *observable) typename() string { return typeOf(o.entity).graphql }

// shown is what the platform displays for the observable.
func (o *observable) shown(v version) string {
	if _, hash := firstHash(v, o.hashes); hash != "" {
		return hash
	}
	if o.entity == "StixFile" {
		return o.name
	}
	return o.value
}

// relation joins two objects, named by internal id because an edit replaces the object.
type relation struct {
	base     // its entity type is the kind of relation, such as based-on
	from, to string
}

func (*relation) typename() string { return "StixCoreRelationship" }

type marking struct {
	base
	kind, definition string
	order            int
}

func (*marking) typename() string { return "MarkingDefinition" }

type label struct {
	base
	value string
}

func (*label) typename() string { return "Label" }

type identity struct {
	base
	name, class string
}

func (i *identity) typename() string { return i.entity }

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
