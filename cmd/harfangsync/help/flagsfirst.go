package help

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// FlagsFirst moves the flags of a command line behind the name of its command and in front of its
// arguments. urfave/cli stops reading flags at the first argument, so apply plan.json --report r.json
// would lose its report; and a flag in front of the command, as in --config c.yml plan, is set back to
// its default when the command's own flags are read. What follows -- stays as it is.
func FlagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 {
		return args
	}
	before, flags, commands := args[:1:1], app.Flags, app.Commands // before are the names of commands
	var moved, words []string
	for i := 1; i < len(args); i++ {
		a := args[i]
		if name, isFlag := flagName(a); isFlag {
			moved = append(moved, a)
			if takesValue(flags, name) && i+1 < len(args) {
				i++
				moved = append(moved, args[i])
			}
			continue
		}
		next := commandNamed(commands, a)
		switch {
		case a == "--", next == nil && len(commands) > 0:
			return slices.Concat(before, moved, words, args[i:])
		case next == nil:
			words = append(words, a)
		default:
			before, flags, commands = append(before, a), next.Flags, next.Subcommands
		}
	}
	return slices.Concat(before, moved, words)
}

// Given is the value that a command line gives a flag, "" for none; the last one counts.
func Given(args []string, flag string) (value string) {
	for i, a := range args {
		name, isFlag := flagName(a)
		switch {
		case a == "--":
			return value
		case isFlag && name == flag && i+1 < len(args):
			value = args[i+1]
		case isFlag && name == flag+"=":
			_, value, _ = strings.Cut(a, "=")
		}
	}
	return value
}

// flagName is the name of the flag that a word is. A value in the same word is no part of it, but = stays.
func flagName(word string) (name string, isFlag bool) {
	if !strings.HasPrefix(word, "-") || word == "-" || word == "--" {
		return "", false
	}
	name, _, whole := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if whole {
		name += "="
	}
	return name, true
}

func commandNamed(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// takesValue says whether a flag takes a value from the word behind it.
func takesValue(flags []cli.Flag, name string) bool {
	for _, f := range flags {
		if !slices.Contains(f.Names(), name) {
			continue
		}
		switch f := f.(type) {
		case *cli.BoolFlag:
			return false
		case *cli.GenericFlag:
			b, ok := f.Value.(interface{ IsBoolFlag() bool })
			return !ok || !b.IsBoolFlag()
		}
		return true
	}
	return false
}
