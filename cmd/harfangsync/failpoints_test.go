//go:build harfangsync_failpoints

package main

import (
	"testing"

	"harfangsync/reconcile/failpoint"
)

// The tests notice when a safety rule is missing: with any one of them switched off, some lie gets
// through.
func TestEveryFailpointIsMissed(t *testing.T) {
	ref := newReference(t)
	for _, rule := range []string{failpoint.G1, failpoint.G3, failpoint.G4, failpoint.Row} {
		t.Run(rule, func(t *testing.T) {
			t.Setenv("HARFANGSYNC_FAILPOINT", rule)
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
func TestEveryFailpointIsMissedInATail(t *testing.T) {
	tpl := newTailTemplate(t)
	for _, rule := range []string{failpoint.G1, failpoint.G3, failpoint.G4, failpoint.Row} {
		t.Run(rule, func(t *testing.T) {
			t.Setenv("HARFANGSYNC_FAILPOINT", rule)
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
