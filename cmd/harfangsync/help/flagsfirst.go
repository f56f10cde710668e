package help

import (
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
	out := args[:1:1]
	rest := args[1:]
	flags, commands := app.Flags, app.Commands
	var moved []string
	for {
		valued := valuedFlags(flags)
		var words []string
		i := 0
		for ; i < len(rest); i++ {
			a := rest[i]
			if a == "--" {
				break
			}
			if !strings.HasPrefix(a, "-") || a == "-" {
				if len(commands) > 0 {
					break // the name of a command: what follows is that command's
				}
				words = append(words, a)
				continue
			}
			moved = append(moved, a)
			name, _, whole := strings.Cut(strings.TrimLeft(a, "-"), "=")
			if !whole && valued[name] && i+1 < len(rest) {
				i++
				moved = append(moved, rest[i])
			}
		}
		next := commandNamed(commands, rest[i:])
		if next == nil {
			return append(append(append(out, moved...), words...), rest[i:]...)
		}
		out = append(out, rest[i])
		rest, flags, commands = rest[i+1:], next.Flags, next.Subcommands
	}
}

func commandNamed(commands []*cli.Command, rest []string) *cli.Command {
	if len(rest) == 0 {
		return nil
	}
	for _, c := range commands {
		if c.HasName(rest[0]) {
			return c
		}
	}
	return nil
}

// valuedFlags are the names of the flags that take a value.
func valuedFlags(flags []cli.Flag) map[string]bool {
	names := map[string]bool{}
	for _, f := range flags {
		takes := true
		switch f := f.(type) {
		case *cli.BoolFlag:
			takes = false
		case *cli.GenericFlag:
			b, ok := f.Value.(interface{ IsBoolFlag() bool })
			takes = !ok || !b.IsBoolFlag()
		}
		for _, n := range f.Names() {
			names[n] = takes
		}
	}
	return names
}
