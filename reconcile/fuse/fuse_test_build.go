//go:build harfangsync_fuses

// Package fuse lets a build for tests switch single safety rules off. This is that build.
package fuse

import "os"

// The rules that a test can switch off.
const (
	G1  = "G1"
	G3  = "G3"
	G4  = "G4"
	Row = "row"
)

// Blown says whether the environment switches a rule off.
func Blown(rule string) bool { return os.Getenv("HARFANGSYNC_FUSE") == rule }
