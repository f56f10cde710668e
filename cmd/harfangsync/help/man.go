package help

import (
	"fmt"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// Man is the manual page, in the form that man reads.
func Man(app *cli.App) []byte {
	var b strings.Builder
	about, _, _ := strings.Cut(app.Description, "\n\n")
	fmt.Fprintf(&b, "# harfangsync 1\n\n# NAME\n\nharfangsync - %s\n\n# SYNOPSIS\n\n**harfangsync** *command* [*flags*] [*arguments*]\n\n# DESCRIPTION\n\n%s\n\n# COMMANDS\n", app.Usage, about)
	for _, c := range app.Commands {
		manCommand(&b, c, c.Name)
	}
	b.WriteString("\n# FLAGS OF EVERY COMMAND\n\n")
	manFlags(&b, app.Flags)
	b.WriteString("\n# SETTINGS\n\nEvery setting may stand in the settings file, in the environment, and, unless it is a secret, as a flag of the commands that it matters to. " +
		"**harfangsync config print** shows each in effect with its origin, **config schema** describes the file. A secret may also come from a file that *NAME*_FILE names.\n" +
		"\n# FILES\n\n**config.yml** in the current directory, if **--config** and HARFANGSYNC_CONFIG name none.\n\n# EXIT CODES\n\n")
	for _, row := range exit.Table {
		fmt.Fprintf(&b, "%s\n: %s\n\n", row.Codes, row.Meaning)
	}
	return md2man.Render([]byte(b.String()))
}

func manCommand(b *strings.Builder, c *cli.Command, name string) {
	for _, sub := range c.Subcommands {
		manCommand(b, sub, name+" "+sub.Name)
	}
	t := Texts[name]
	if t == nil || c.Hidden {
		return
	}
	fmt.Fprintf(b, "\n### %s %s\n\n%s. %s\n\n```\n%s\n```\n\n", name, c.ArgsUsage, strings.ToUpper(c.Usage[:1])+c.Usage[1:], t.About, strings.Join(t.Examples, "\n"))
	manFlags(b, c.Flags)
}

// manFlags lists flags but those of settings, and those of every command where they are not all.
func manFlags(b *strings.Builder, flags []cli.Flag) {
	all := len(flags) > 0 && flagGroups[flags[0].Names()[0]] == "global"
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		category := ""
		if c, ok := f.(cli.CategorizableFlag); ok {
			category = c.GetCategory()
		}
		if !ok || category == "settings" || category == "global" && !all {
			continue
		}
		name := "**--" + f.Names()[0] + "**"
		if d.TakesValue() {
			name += " *VALUE*"
		}
		fmt.Fprintf(b, "%s\n: %s\n\n", name, strings.ReplaceAll(d.GetUsage(), "`", ""))
	}
}
