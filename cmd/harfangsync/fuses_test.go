//go:build harfangsync_fuses

package main

import (
	"testing"

	"harfangsync/reconcile/fuse"
)

// The tests notice when a safety rule is missing: with any one of them switched off, some lie gets
// through.
func TestEveryFuseIsMissed(t *testing.T) {
	ref := newReference(t)
	for _, rule := range []string{fuse.G1, fuse.G3, fuse.G4, fuse.Row} {
		t.Run(rule, func(t *testing.T) {
			t.Setenv("HARFANGSYNC_FUSE", rule)
			red := 0
			for i := range lies {
				if bad := lies[i].told(t, ref); len(bad) > 0 {
					red++
					t.Logf("%s: %v", lies[i].name, bad)
				}
			}
			if bad := edited(t, ref); len(bad) > 0 {
				red++
				t.Logf("edited rows: %v", bad)
			}
			if red == 0 {
				t.Errorf("nothing notices that %s is switched off", rule)
			}
		})
	}
}

// The same of a tail.
func TestEveryFuseIsMissedInATail(t *testing.T) {
	tpl := newTailTemplate(t)
	for _, rule := range []string{fuse.G1, fuse.G3, fuse.G4, fuse.Row} {
		t.Run(rule, func(t *testing.T) {
			t.Setenv("HARFANGSYNC_FUSE", rule)
			red := 0
			for i := range tailLies {
				if bad := tailLies[i].told(t, tpl); len(bad) > 0 {
					red++
					t.Logf("%s: %v", tailLies[i].name, bad)
				}
			}
			if red == 0 {
				t.Errorf("nothing notices that %s is switched off", rule)
			}
		})
	}
}
