package config

import (
	"fmt"
	"strings"
)

// Reference is the table of all settings in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("| setting | environment | flag | default | values | meaning |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, s := range settingsOf(new(Config)) {
		variable, flag, def := "`"+env(s.path)+"`", "", "-"
		if s.file {
			variable += ", `" + env(s.path) + "_FILE`"
		}
		if name := s.flagName(); name != "" && !s.secret {
			flag = "`--" + name + "`"
		}
		if s.def != "" {
			def = "`" + s.def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.path, variable, flag, def, s.form, s.about)
	}
	return b.String()
}

// Aliases is the table of the other names of settings in Markdown: those that the successor connectors
// had and that are not the same word in another section.
func Aliases() string {
	var b strings.Builder
	b.WriteString("| other name | environment | setting |\n| --- | --- | --- |\n")
	for _, s := range settingsOf(new(Config)) {
		for _, path := range s.former {
			fmt.Fprintf(&b, "| `%s` | `%s` | `%s` |\n", path, env(path), s.path)
		}
	}
	return b.String()
}
