//go:build harfangsync_failpoints

package main

import (
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/failpoint"
)

// The tests notice when a safety rule is missing: with any one of them switched off, some lie gets
// through.
func TestEveryFailpointIsMissed(t *testing.T) {
	ref := newReference(t)
	missed(t, func(t *testing.T, notice func(string, []string)) {
		for i := range lies {
			notice(lies[i].name, lies[i].told(t, ref))
		}
		notice("edited rows", edited(t, ref))
	})
}

// The same of a tail.
func TestEveryFailpointIsMissedInATail(t *testing.T) {
	tpl := newTailTemplate(t)
	missed(t, func(t *testing.T, notice func(string, []string)) {
		for i := range tailLies {
			notice(tailLies[i].name, tailLies[i].told(t, tpl))
		}
	})
}

// missed tells lies with each rule switched off, of which some have to be noticed.
func missed(t *testing.T, tell func(t *testing.T, notice func(lie string, bad []string))) {
	for _, rule := range []string{failpoint.G1, failpoint.G3, failpoint.G4, failpoint.Row} {
		t.Run(rule, func(t *testing.T) {
			t.Setenv("HARFANGSYNC_FAILPOINT", rule)
			red := 0
			tell(t, func(lie string, bad []string) {
				if len(bad) > 0 {
					red++
					t.Logf("%s: %v", lie, bad)
				}
			})
			if red == 0 {
				t.Errorf("nothing notices that %s is switched off", rule)
			}
		})
	}
}
