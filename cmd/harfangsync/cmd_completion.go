package main

import (
	"embed"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
)

//go:embed completion
var completionScripts embed.FS

var shells = []string{"bash", "zsh", "fish", "powershell"}

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that lets a shell complete commands, flags and values",
		ArgsUsage: strings.Join(shells, "|"),
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			if !slices.Contains(shells, shell) {
				return exit.Usagef("completion needs the name of a shell: %s", strings.Join(shells, ", "))
			}
			script, err := completionScripts.ReadFile("completion/" + shell)
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(script)
			return err
		},
	}
}
