package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile/planfile"
)

func (p *program) runCommand() *cli.Command {
	a := applying{shaping: shaping{command: "run"}}
	return &cli.Command{
		Name:  "run",
		Usage: "the job: plan, gates, apply, then pull; never asks",
		Flags: append(append(a.flags(),
			&cli.DurationFlag{Name: "tail", Usage: "afterwards follow OpenCTI's live stream for `DURATION`", Destination: &a.tail}, fromFlag(&a.shaping)), p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if a.from != "" && a.tail > 0 {
				return exit.Usagef("--tail follows OpenCTI's stream, and --from reads a file in its place")
			}
			a.autoApprove, a.pulls = true, true
			return p.withPlan(c.Context, &a, planNow)
		},
	}
}

// planEnded says that a plan came to an end of its own: applied, refused by a gate, or in part.
func planEnded(err error) bool {
	o, ok := errors.AsType[*exit.Status](err)
	return ok && o.Code != exit.Side && o.Code < exit.Signal
}

// pullToo imports alerts after a plan, and ends with the graver of both codes.
func (a *applying) pullToo(ctx context.Context, p *program, t *target, before error) error {
	if !p.mayPull(t) {
		return before
	}
	done, err := p.pull(ctx, t, &importing{json: a.json})
	code := p.pullCode(done, err)
	err = p.pullEnd(done, err)
	if a.report != "" && a.last != nil && done != nil {
		a.last.Pull = pullReport(done, code)
		a.last.ExitCode = exit.Graver(a.last.ExitCode, code)
		if err := planfile.Write(a.report, a.last); err != nil {
			return err
		}
	}
	if before != nil && exit.Graver(exit.Code(before, 0), code) != code {
		p.complain(err)
		return before
	}
	return cmp.Or(err, before)
}
