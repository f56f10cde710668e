package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Flag is a command-line flag that stands for a setting.
type Flag struct {
	Name    string // without dashes
	Setting string // the key in Sources.Flags
	Usage   string
	Bool    bool // may stand alone, for true
}

// Flags are all flags that stand for settings, in the order of the settings. No secret has one.
func Flags() []Flag {
	var flags []Flag
	for i := range settings {
		s := &settings[i]
		if s.flagName() == "" || s.secret {
			continue
		}
		usage := lowerFirst(strings.TrimSuffix(s.about, "."))
		if s.kind.form != "" {
			usage += ": " + strings.ReplaceAll(s.kind.form, "`", "")
		}
		if s.def != "" {
			usage += fmt.Sprintf(" (default %s)", s.def)
		}
		flags = append(flags, Flag{Name: s.flagName(), Setting: s.path, Usage: strings.ReplaceAll(usage, "`", ""), Bool: s.kind.isBool})
	}
	return flags
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
