// Package help is what a person at the command line is told: the help of each command by Teach and All, what completes
// a line by Complete, and what was probably meant by Listing and OnUsageError. FlagsFirst lets flags stand
// anywhere.
package help

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// Text is the help of a command.
type Text struct {
	About    string
	Examples []string // command lines; a comment that begins with "exit N" names a code that is not 0
	Codes    []int    // beside 0 and 1
}

// A screen has this many rows and columns. What --help says fits it; --help-all says all.
const (
	Rows    = 24
	Columns = 80
)

// Teach lets every command show its help, and puts its flags into their groups.
func Teach(app *cli.App) {
	for _, c := range app.Commands {
		teachCommand(c, c.Name)
	}
	for _, f := range app.Flags {
		group(f)
	}
	app.Description = "Start with demo, which needs nothing. Then set the addresses and tokens of both platforms (config validate says what is " +
		"missing), let doctor try them, and read a plan: it writes nothing."
	app.CustomAppHelpTemplate = literal(overview(app))
}

func teachCommand(c *cli.Command, name string) {
	for _, sub := range c.Subcommands {
		teachCommand(sub, name+" "+sub.Name)
	}
	for _, f := range c.Flags {
		group(f)
	}
	if Texts[name] != nil {
		c.CustomHelpTemplate = literal(short(c, name))
	}
}

// literal is a template that says a text as it is.
func literal(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }

// Plain makes a flag of what people ask for first: help COMMAND and --version.
func Plain(args []string) []string {
	switch {
	case len(args) < 2:
	case args[1] == "help":
		return slices.Concat(args[:1], args[2:], []string{"--help"})
	case args[1] == "--version":
		return slices.Concat(args[:1], []string{"version"}, args[2:])
	}
	return args
}

// page is a help that is being written.
type page struct{ strings.Builder }

// line writes a line, which goes on below itself where it is longer than the screen is wide.
func (p *page) line(text string, indent int) {
	p.WriteString(strings.TrimRight(render.Wrap(text, Columns, indent), " ") + "\n")
}

// overview is what the program says of itself.
func overview(app *cli.App) string {
	var p page
	p.line("harfangsync: "+app.Usage, 4)
	p.line("", 0)
	var others []string
	for _, c := range app.Commands {
		switch {
		case c.Hidden:
			continue
		case c.Name == "completion" || c.Name == "version":
			others = append(others, c.Name)
			continue
		}
		p.line(fmt.Sprintf("  %-10s%s", c.Name, brief(c.Usage, 12)), 12)
	}
	p.line("", 0)
	p.line("Also: "+strings.Join(others, ", ")+", help COMMAND. --help-all has flags and exit codes.", 4)
	return p.String()
}

// brief is the first part of a text that would take more than one line.
func brief(text string, indent int) string {
	if first, _, more := strings.Cut(text, "; "); more && indent+len(text) > Columns {
		return first
	}
	return text
}

// short is the help of a command on one screen: what it is for, what it does if there is room, examples, and the flags
// that it has alone.
func short(c *cli.Command, name string) string {
	if text := shortOf(c, name, true); strings.Count(text, "\n") <= Rows {
		return text
	}
	return shortOf(c, name, false)
}

func shortOf(c *cli.Command, name string, about bool) string {
	var p page
	p.head(c, name)
	if about {
		p.about(name)
	}
	for _, e := range Texts[name].Examples {
		command, comment, commented := strings.Cut(e, "  # ")
		if whole := "  " + command + "  # " + comment; commented && len(whole) <= Columns {
			command += "  # " + comment
		}
		p.line("  "+command, 6)
	}
	p.flags(c.Flags, "", "", brief)
	p.line("", 0)
	p.line("harfangsync "+name+" --help-all has all flags, and the exit codes.", 4)
	return p.String()
}

// All is the whole help of a command, by its full name; of the program, c being nil.
func All(app *cli.App, c *cli.Command, name string) string {
	var p page
	whole := func(text string, _ int) string { return text }
	if c == nil {
		p.WriteString(overview(app))
		p.line("", 0)
		p.line(app.Description, 0)
		p.flags(app.Flags, "global", titles["global"], whole)
		p.line("", 0)
		p.codes(exit.Table[0].Meaning)
		return p.String()
	}
	t := Texts[name]
	p.head(c, name)
	p.about(name)
	for _, e := range t.Examples {
		p.line("  "+e, 6)
	}
	p.flags(c.Flags, "", "Flags:", whole)
	for _, g := range []string{"gates", "settings", "global"} {
		p.flags(c.Flags, g, titles[g], whole)
	}
	done := "done"
	if slices.Contains(t.Codes, exit.Refused) { // it makes a plan
		done = exit.Table[0].Meaning
	}
	p.line("", 0)
	p.codes(done, append([]int{exit.OK, exit.Unexpected}, t.Codes...)...)
	return p.String()
}

// codes writes the exit codes that a command has, or all; done is what OK means.
func (p *page) codes(done string, codes ...int) {
	p.line("Exit codes:", 0)
	for i, row := range exit.Table {
		if i == 0 {
			row.Meaning = done
		}
		if len(codes) == 0 || slices.Contains(codes, row.First) {
			p.line(fmt.Sprintf("  %-8s  %s", row.Codes, row.Meaning), 12)
		}
	}
}

// titles stand above the groups of flags.
var titles = map[string]string{"gates": "Flags that answer a gate:", "settings": "Settings, for this once:", "global": "Flags of every command:"}

// head is the line that says what a command is for.
func (p *page) head(c *cli.Command, name string) {
	p.line(strings.TrimSpace("harfangsync "+name+" "+c.ArgsUsage)+": "+c.Usage, 4)
	p.line("", 0)
}

// about is what a command does.
func (p *page) about(name string) {
	p.line(strings.ReplaceAll(Texts[name].About, "\n", " "), 0)
	p.line("", 0)
}

// flags writes the flags of a group, "" being those that a command has alone, below a title; nothing where there is none.
func (p *page) flags(flags []cli.Flag, group, title string, text func(string, int) string) {
	var names, usages []string
	width := 0
	for _, f := range flags {
		g, _ := f.(cli.CategorizableFlag)
		d, _ := f.(cli.DocGenerationFlag)
		if g == nil || d == nil || g.GetCategory() != group {
			continue
		}
		before, placeholder, after := backquoted(d.GetUsage())
		name := "  --" + f.Names()[0]
		if d.TakesValue() {
			name += " " + cmp.Or(placeholder, "VALUE")
		}
		usage := before + placeholder + after
		if v := d.GetDefaultText(); group == "" && !slices.Contains([]string{"", "false", "0", "0s"}, v) {
			if strings.HasSuffix(v, "h0m0s") {
				v = strings.TrimSuffix(v, "0m0s")
			}
			usage += " (default " + strings.Trim(v, `"`) + ")"
		}
		names, usages = append(names, name), append(usages, usage)
		width = max(width, min(len(name)+2, 28))
	}
	if len(names) == 0 {
		return
	}
	p.line("", 0)
	if title != "" {
		p.line(title, 0)
	}
	for i, name := range names {
		p.line(fmt.Sprintf("%-*s  %s", width-2, name, text(usages[i], width)), width)
	}
}

// backquoted takes a usage apart around the word that stands for the flag's value.
func backquoted(usage string) (before, word, after string) {
	before, rest, quoted := strings.Cut(usage, "`")
	if !quoted {
		return usage, "", ""
	}
	word, after, _ = strings.Cut(rest, "`")
	return before, word, after
}

// The groups of flags stand in the order of their names, a command's own flags first.
var flagGroups = map[string]string{
	"allow-empty": "gates", "accept-shrink": "gates", "accept-removals": "gates", "accept-additions": "gates", "accept-changes": "gates", "accept-impact": "gates", "accept-markings": "gates", "take-over": "gates",
	"config": "global", "log-level": "global", "log-format": "global", "quiet": "global", "no-color": "global", "help": "global", "help-all": "global",
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
