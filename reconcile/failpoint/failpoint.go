//go:build !harfangsync_failpoints

// Package failpoint lets a build for tests switch single safety rules off, so that it can be proven that the
// tests notice. Only a build with the tag harfangsync_failpoints has failpoints at all; in any other nothing
// can be switched off.
package failpoint

// The rules that a test can switch off.
const (
	G1  = "G1"  // a read that is not proven complete is refused
	G3  = "G3"  // owners of rows to be removed are asked for by id
	G4  = "G4"  // removals have limits
	Row = "row" // a saved plan changes a row only if it is still what the plan saw
)

// Active says whether a rule is switched off: never.
func Active(string) bool { return false }
