//go:build harfangsync_failpoints

// Package failpoint lets a build for tests switch single safety rules off. This is that build.
package failpoint

import "os"

// The rules that a test can switch off.
const (
	G1  = "G1"
	G3  = "G3"
	G4  = "G4"
	Row = "row"
)

// Active says whether the environment switches a rule off.
func Active(rule string) bool { return os.Getenv("HARFANGSYNC_FAILPOINT") == rule }
