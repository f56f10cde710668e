package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
)

func (p *program) dumpCommand() *cli.Command {
	var s shaping
	return &cli.Command{
		Name:      "dump",
		Usage:     "write the lists to a directory",
		ArgsUsage: "DIR",
		Flags:     append([]cli.Flag{onlyFlag(&s)}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return exit.Usagef("dump needs the directory to write, as in harfangsync dump lists")
			}
			if err := canMake("dump", c.Args().First()); err != nil {
				return err
			}
			p.stdout.works()
			return p.on(c.Context, &s, true, func(ctx context.Context, t *target) error {
				d, err := t.job.Dump(ctx, c.Args().First(), t.cfg.HarfangLab.URL)
				if err != nil {
					return exit.Unproven(err)
				}
				_, err = fmt.Fprintf(p.stdout, "Dumped %s to %s.\n", reconcile.Count(d.Count, "rule"), c.Args().First())
				return err
			})
		},
	}
}
