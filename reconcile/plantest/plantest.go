// Package plantest makes and compares what plans list, for tests.
package plantest

import (
	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Compare lets cmp see what plans list.
var Compare = cmp.Options{
	cmp.Transformer("changes", func(c reconcile.Changes) (all []*reconcile.Change) {
		for _, ch := range c.All() {
			all = append(all, ch)
		}
		return all
	}),
	cmp.Transformer("held", func(h reconcile.AllHeld) (all []*reconcile.Held) {
		for _, one := range h.All() {
			all = append(all, one)
		}
		return all
	}),
	cmp.Transformer("skipped", func(s reconcile.AllSkipped) (all []*reconcile.Skip) {
		for _, one := range s.All() {
			all = append(all, one)
		}
		return all
	}),
}

// Skipped holds some skips, in their order.
func Skipped(some ...reconcile.Skip) (s reconcile.AllSkipped) {
	for i := range some {
		s.Add(&some[i])
	}
	return s
}

// Changes holds some changes, in their order.
func Changes(some ...reconcile.Change) (c reconcile.Changes) {
	for i := range some {
		c.Add(&some[i])
	}
	return c
}

// Held holds what is left alone, in its order.
func Held(some ...reconcile.Held) (h reconcile.AllHeld) {
	for i := range some {
		h.Add(&some[i])
	}
	return h
}
