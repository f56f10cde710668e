package help

import (
	"embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
)

// Complete answers AskComplete, and gives the exit code.
func Complete(out io.Writer, app *cli.App, words []string) int {
	if len(words) == 0 {
		return exit.Usage
	}
	last := len(words) - 1
	words, cur, had := rejoin(words[:last], strings.TrimPrefix(words[last], "."))
	for _, c := range candidates(app, words, cur) {
		if rest, ok := strings.CutPrefix(c.word, cur); ok {
			fmt.Fprintf(out, "%s\t%s\n", (cur + rest)[len(had):], c.about)
		}
	}
	return exit.OK
}

// candidate is one way to go on.
type candidate struct{ word, about string }

// rejoin undoes what bash does to words with = and : in them, which it takes apart. had is the part of
// the last word that bash will leave alone.
func rejoin(split []string, cur string) (words []string, whole, had string) {
	all := append(slices.Clone(split), cur)
	for i, w := range all {
		breaks := w == "=" || w == ":"
		follows := i > 0 && (all[i-1] == "=" || all[i-1] == ":")
		if n := len(words) - 1; n >= 0 && (breaks || follows) {
			if i == len(all)-1 {
				had = words[n]
				if breaks {
					had += w
				}
			}
			words[n] += w
			continue
		}
		words = append(words, w)
	}
	last := len(words) - 1
	return words[:last], words[last], had
}

// candidates are the ways to go on after words; the last one, cur, has begun.
func candidates(app *cli.App, words []string, cur string) []candidate {
	flags, commands := app.Flags, app.Commands
	var pending string // the flag that waits for its value
	var command string
	for _, w := range words {
		name, isFlag := flagName(w)
		switch {
		case pending != "":
			pending = ""
		case isFlag && takesValue(flags, name):
			pending = name
		default:
			if next := commandNamed(commands, w); next != nil {
				flags, commands, command = next.Flags, next.Subcommands, next.Name
			}
		}
	}
	switch name, value, whole := strings.Cut(cur, "="); {
	case pending != "":
		return values(flags, pending, cur, "")
	case strings.HasPrefix(cur, "-") && whole:
		return values(flags, strings.TrimLeft(name, "-"), value, name+"=")
	case strings.HasPrefix(cur, "-"):
		return flagCandidates(flags)
	case command == "completion":
		return wordCandidates(Shells)
	}
	var out []candidate
	for _, c := range commands {
		if !c.Hidden {
			out = append(out, candidate{c.Name, c.Usage})
		}
	}
	return out
}

func flagCandidates(flags []cli.Flag) []candidate {
	var out []candidate
	for _, f := range flags {
		about := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			about = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		for _, n := range f.Names() {
			if len(n) > 1 {
				out = append(out, candidate{"--" + n, about})
			}
		}
	}
	slices.SortFunc(out, func(a, b candidate) int { return strings.Compare(a.word, b.word) })
	return out
}

func wordCandidates(words []string) []candidate {
	out := make([]candidate, len(words))
	for i, w := range words {
		out[i].word = w
	}
	return out
}

// listed is the help of a flag that says nothing but which words it takes.
var listed = regexp.MustCompile(`^[a-z]+(, [a-z]+)* or [a-z]+$`)

// values are what may stand behind a flag; head is what goes before the value in the same word.
func values(flags []cli.Flag, name, begun, head string) []candidate {
	var known []string
	for _, f := range config.Flags() {
		if f.Name == name {
			known = f.Values
		}
	}
	for _, f := range flags {
		if s, ok := f.(*cli.StringFlag); ok && slices.Contains(s.Names(), name) && listed.MatchString(s.Usage) {
			known = strings.Split(strings.Replace(s.Usage, " or ", ", ", 1), ", ")
		}
	}
	if name == "only" { // a list
		for _, k := range reconcile.Kinds {
			known = append(known, k.String())
		}
		if i := strings.LastIndex(begun, ","); i >= 0 {
			chosen := strings.Split(begun[:i], ",")
			known = slices.DeleteFunc(known, func(w string) bool { return slices.Contains(chosen, w) })
			head += begun[:i+1]
		}
	}
	out := wordCandidates(known)
	for i := range out {
		out[i].word = head + out[i].word
	}
	return out
}

//go:embed completion
var scripts embed.FS

// Script is what a shell reads to complete command lines of this program.
func Script(shell string) ([]byte, error) { return scripts.ReadFile("completion/" + shell) }

// Shells are those that have a script.
var Shells = []string{"bash", "zsh", "fish", "powershell"}

// AskComplete is what the scripts call: the words of a command line up to the cursor, the last one
// behind a dot, since PowerShell drops empty words. The answer has a candidate a line, a tab and what
// it is; none means that the shell may offer files. The library's own completion knows no values, and
// reads flags where this program does not.
const AskComplete = "__complete"
