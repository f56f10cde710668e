package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

func (p *program) planCommand() *cli.Command {
	var s shaping
	var v viewing
	var out string
	var detailed bool
	return &cli.Command{
		Name:  "plan",
		Usage: "read both sides and print what would change; writes nothing",
		Flags: append(append(append(s.flags(), v.flags()...),
			&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE`, for apply", Destination: &out},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "end with 2 when changes are pending", Destination: &detailed},
			&cli.StringFlag{Name: "as-of", Usage: "judge validity dates at `TIME`; such a plan cannot be applied", Destination: &s.asOf}, fromFlag(&s)),
			p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if err := v.check(); err != nil {
				return err
			}
			if err := canWrite("--out", out); err != nil {
				return err
			}
			s.origins = out != "" || v.format == "json" || v.format == "html"
			if s.from != "" && s.asOf != "" {
				return exit.Usagef("--as-of needs OpenCTI: a snapshot holds what was valid when it was made")
			}
			return p.on(c.Context, &s, true, func(ctx context.Context, t *target) error {
				planned, err := planNow(ctx, t)
				t.read()
				if err != nil {
					return err
				}
				doc := t.document(planned)
				if out != "" {
					if err := planfile.Write(out, doc); err != nil {
						return err
					}
				}
				if err := v.show(p, p.stdout, doc); err != nil {
					return err
				}
				switch {
				case s.asOf == "" && planned.Plan.Refused():
					return exit.With(exit.Refused)
				case detailed && planned.Plan.Changes.Len() > 0:
					return exit.With(exit.Changes)
				}
				return nil
			})
		},
	}
}
