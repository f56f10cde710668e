package help

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// What a mistake in the command line is answered with: one line that says what to write instead.

// Listing is what a command does that only has others: it shows them, or says which one was meant. parent is empty, or
// its name.
func Listing(parent string, commands []*cli.Command, show func(*cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.NArg() > 0 {
			return unknownCommand(c.Args().First(), parent, commands)
		}
		return show(c)
	}
}

func unknownCommand(word, parent string, commands []*cli.Command) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	full := strings.TrimPrefix(parent+" ", " ")
	if near := nearest(word, names); near != "" {
		return exit.Usagef("unknown command %q; did you mean %s%s?", full+word, full, near)
	}
	return exit.Usagef("unknown command %q; harfangsync %s--help lists them", full+word, full)
}

// OnUsageError answers flags that are unknown, lack their value, or have one that is none.
func OnUsageError(c *cli.Context, err error, _ bool) error {
	const undefined = "flag provided but not defined: -"
	word, ok := strings.CutPrefix(err.Error(), undefined)
	if !ok {
		return exit.Usagef("%v; see --help", err)
	}
	word = strings.TrimPrefix(word, "-")
	flags := c.App.Flags
	if c.Command != nil && len(c.Command.Flags) > 0 {
		flags = c.Command.Flags
	}
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	if near := nearest(word, names); near != "" {
		return exit.Usagef("unknown flag --%s; did you mean --%s?", word, near)
	}
	return exit.Usagef("unknown flag --%s; --help lists them", word)
}

// nearest is the one of some words that another was probably meant to be, or "".
func nearest(word string, words []string) string {
	return strings.Join(Near(word, words, 1), "")
}

// Near are those of some words that another was probably meant to be, the nearest first, and no more than most.
func Near(word string, words []string, most int) []string {
	limit := min(len(word)/3+1, 4)
	at := make([][]string, limit+1) // by distance
	for _, w := range words {
		if diff := len(w) - len(word); diff > limit || -diff > limit {
			continue
		}
		if d := levenshtein.ComputeDistance(word, w); d <= limit && d < len(w) && len(at[d]) < most && !slices.Contains(at[d], w) {
			at[d] = append(at[d], w)
		}
	}
	near := slices.Concat(at...)
	return near[:min(most, len(near))]
}
