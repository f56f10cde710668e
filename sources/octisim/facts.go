package octisim

import (
	"maps"
	"slices"
)

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
	known := func(v T) bool { return slices.Contains(have, v) }
	if len(have)*len(more) > 1<<12 { // a container of thousands
		set := make(map[T]bool, len(have))
		for _, v := range have {
			set[v] = true
		}
		known = func(v T) bool { return set[v] }
	}
	now := slices.Clip(have)
	for _, v := range more {
		if !known(v) {
			now = append(now, v)
			*changed = true
		}
	}
	return now
}
