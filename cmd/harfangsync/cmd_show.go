package main

import (
	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

func (p *program) showCommand() *cli.Command {
	var v viewing
	var schema bool
	return &cli.Command{
		Name:      "show",
		Usage:     "print a saved plan",
		ArgsUsage: "PLANFILE",
		Flags:     append(v.flags(), &cli.BoolFlag{Name: "schema", Usage: "print the JSON Schema of plans instead", Destination: &schema}),
		Action: func(c *cli.Context) error {
			if err := v.check(); err != nil {
				return err
			}
			if schema {
				_, err := p.stdout.Write(planfile.Schema())
				return err
			}
			if c.NArg() != 1 {
				return exit.Usagef("show needs the plan file, as plan --out writes it")
			}
			d, err := readPlan(c.Args().First())
			if err != nil {
				return err
			}
			return v.show(p, p.stdout, d)
		},
	}
}

// readPlan reads a saved plan. A file that cannot be opened is a mistake in the command line.
func readPlan(path string) (*planfile.Document, error) {
	d, err := planfile.Read(path)
	return d, asUsage("plan file", err)
}
