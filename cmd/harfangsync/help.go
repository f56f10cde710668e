package main

import (
	"fmt"
	"harfangsync/cmd/harfangsync/exit"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// lesson is what the help of a command teaches.
type lesson struct {
	about    string
	examples []string // command lines; a comment that begins with "exit N" names a code that is not 0
	codes    []int    // beside 0 and 1
}

// teach gives every command its description, and its flags their groups.
func teach(app *cli.App) {
	app.Description = "Start with demo, which needs nothing. Then set the addresses and tokens of both platforms (config validate says what\n" +
		"is missing), let doctor try them, and read a plan: it writes nothing.\n\n" + exit.Text(exit.Table[0].Meaning)
	for _, c := range app.Commands {
		teachCommand(c, c.Name)
	}
}

func teachCommand(c *cli.Command, name string) {
	for _, sub := range c.Subcommands {
		teachCommand(sub, name+" "+sub.Name)
	}
	for _, f := range c.Flags {
		group(f)
	}
	if l, ok := lessons[name]; ok {
		c.Description = l.text()
	}
}

func (l *lesson) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nExamples:\n", l.about)
	width := 0
	for _, e := range l.examples {
		if command, _, commented := strings.Cut(e, "  # "); commented {
			width = max(width, len(command))
		}
	}
	for _, e := range l.examples {
		command, comment, commented := strings.Cut(e, "  # ")
		if commented {
			command = fmt.Sprintf("%-*s  # %s", width, command, comment)
		}
		fmt.Fprintf(&b, "  %s\n", command)
	}
	done := "done"
	if slices.Contains(l.codes, exit.Refused) { // it makes a plan
		done = exit.Table[0].Meaning
	}
	b.WriteString("\n" + exit.Text(done, append([]int{exit.OK, exit.Unexpected}, l.codes...)...))
	return b.String()
}

// The groups of flags stand in the order of their names, a command's own flags first.
var flagGroups = map[string]string{
	"allow-empty": "gates", "accept-shrink": "gates", "accept-removals": "gates", "take-over": "gates",
	"config": "global", "log-level": "global", "log-format": "global", "quiet": "global", "no-color": "global", "help": "global",
}

func group(f cli.Flag) {
	g := flagGroups[f.Names()[0]]
	if g == "" {
		return
	}
	switch f := f.(type) {
	case *cli.BoolFlag:
		f.Category = g
	case *cli.IntFlag:
		f.Category = g
	case *cli.StringFlag:
		f.Category = g
	}
}
