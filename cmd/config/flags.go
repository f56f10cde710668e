package config

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Flag is a command-line flag that stands for a setting.
type Flag struct {
	Name    string // without dashes
	Setting string // the key in Sources.Flags
	Usage   string
	Bool    bool     // may stand alone, for true
	Values  []string // the words that may be given, for completion; nil if any text may
}

// Flags are all flags that stand for settings, in the order of the settings. No secret has one. They are
// made once, for every command, and are not to be changed.
var Flags = sync.OnceValue(func() []Flag {
	var flags []Flag
	for _, s := range settingsOf(new(Config)) {
		if s.flagName() == "" || s.secret {
			continue
		}
		usage := lowerFirst(strings.TrimSuffix(s.about, "."))
		if s.form != "" {
			usage += ": " + strings.ReplaceAll(s.form, "`", "")
		}
		if s.def != "" {
			usage += fmt.Sprintf(" (default %s)", s.def)
		}
		flags = append(flags, Flag{Name: s.flagName(), Setting: s.path, Usage: strings.ReplaceAll(usage, "`", ""), Bool: s.isBool, Values: s.choices()})
	}
	return flags
})

var inCode = regexp.MustCompile("`([^`]+)`")

// choices are the words of a kind's form. A place for text in one, as in file:PATH, is left out.
func (k *kind) choices() []string {
	var out []string
	for _, m := range inCode.FindAllStringSubmatch(k.form, -1) {
		out = append(out, strings.TrimSuffix(m[1], "PATH"))
	}
	if k.isBool && out == nil {
		return []string{"true", "false"}
	}
	return out
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
