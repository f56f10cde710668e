// Package help is what a person at the command line is told: the help of each command by Teach, what completes
// a line by Complete, and what was probably meant by Listing and OnUsageError. FlagsFirst lets flags stand
// anywhere.
package help

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
)

// Text is the help of a command.
type Text struct {
	About    string
	Examples []string // command lines; a comment that begins with "exit N" names a code that is not 0
	Codes    []int    // beside 0 and 1
}

// Teach gives every command its description, and its flags their groups.
func Teach(app *cli.App) {
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
	if t, ok := Texts[name]; ok {
		c.Description = t.text()
	}
}

func (t *Text) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nExamples:\n", t.About)
	width := 0
	for _, e := range t.Examples {
		if command, _, commented := strings.Cut(e, "  # "); commented {
			width = max(width, len(command))
		}
	}
	for _, e := range t.Examples {
		command, comment, commented := strings.Cut(e, "  # ")
		if commented {
			command = fmt.Sprintf("%-*s  # %s", width, command, comment)
		}
		fmt.Fprintf(&b, "  %s\n", command)
	}
	done := "done"
	if slices.Contains(t.Codes, exit.Refused) { // it makes a plan
		done = exit.Table[0].Meaning
	}
	b.WriteString("\n" + exit.Text(done, append([]int{exit.OK, exit.Unexpected}, t.Codes...)...))
	return b.String()
}

// The groups of flags stand in the order of their names, a command's own flags first.
var flagGroups = map[string]string{
	"allow-empty": "gates", "accept-shrink": "gates", "accept-removals": "gates", "accept-additions": "gates", "accept-changes": "gates", "accept-impact": "gates", "take-over": "gates",
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
	case *cli.GenericFlag:
		f.Category = g
	case *cli.StringFlag:
		f.Category = g
	}
}
