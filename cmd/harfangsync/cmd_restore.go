package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

func (p *program) restoreCommand() *cli.Command {
	a := applying{shaping: shaping{command: "restore"}}
	var exact bool
	return &cli.Command{
		Name:      "restore",
		Usage:     "bring the lists back to what a dump or a backup holds, plan first",
		ArgsUsage: "DIR",
		Flags: append(append(a.flags(),
			&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask", Destination: &a.autoApprove},
			&cli.BoolFlag{Name: "exact", Usage: "also remove our rules that the dump lacks; only for a dump of whole lists", Destination: &exact}),
			p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return exit.Usagef("restore needs the directory that dump or --backup wrote")
			}
			if len(a.accepted.AcceptMarkings) > 0 {
				return exit.Usagef("--accept-markings: a restore asks the dump, not OpenCTI, and nothing is held for a lost marking")
			}
			d, err := run.ReadDump(c.Args().First())
			if err != nil {
				return err
			}
			if exact && d.Scope != run.ScopeList {
				return exit.Usagef("--exact needs a dump of whole lists; this is a backup of single rows")
			}
			return p.withPlan(c.Context, &a, func(ctx context.Context, t *target) (*run.Planned, error) {
				if d.Target != t.cfg.HarfangLab.URL || d.List != t.cfg.HarfangLab.ListName {
					return nil, planfile.Foreign("the dump", d.Target+" "+d.List, t.cfg.HarfangLab.URL+" "+t.cfg.HarfangLab.ListName)
				}
				planned, err := t.job.PlanRestore(ctx, d, exact)
				return planned, exit.Unproven(err)
			})
		},
	}
}
