package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/help"
)

func (p *program) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a script that lets a shell complete commands, flags and values",
		ArgsUsage: strings.Join(help.Shells, "|"),
		Action: func(c *cli.Context) error {
			shell := c.Args().First()
			if !slices.Contains(help.Shells, shell) {
				return exit.Usagef("completion needs the name of a shell: %s", strings.Join(help.Shells, ", "))
			}
			text, err := help.Script(shell)
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(text)
			return err
		},
	}
}

// manCommand prints the manual page, for whoever makes a package.
func (p *program) manCommand() *cli.Command {
	return &cli.Command{
		Name:   "man",
		Usage:  "print the manual page",
		Hidden: true,
		Action: func(c *cli.Context) error {
			_, err := p.stdout.Write(help.Man(p.app()))
			return err
		},
	}
}
