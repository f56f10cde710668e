package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

func (p *program) runCommand() *cli.Command {
	a := applying{shaping: shaping{command: "run"}}
	return &cli.Command{
		Name:  "run",
		Usage: "the job: plan, gates, apply, then pull; never asks",
		Flags: append(append(a.flags(),
			&cli.GenericFlag{Name: "tail", Usage: "afterwards follow OpenCTI's live stream for `DURATION`", Value: (*config.Duration)(&a.tail)},
			&cli.StringFlag{Name: "every", Usage: "run again and again, a run each `DURATION`, until interrupted; \"setting\" takes that of sync.run_every", Destination: &a.every},
			fromFlag(&a.shaping),
			&cli.BoolFlag{Name: "full", Usage: "list everything, also where no terminal shows it", Destination: &a.full}), p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if a.from != "" && a.tail > 0 {
				return exit.Usagef("--tail follows OpenCTI's stream, and --from reads a file in its place")
			}
			a.autoApprove, a.pulls = true, true
			if a.every != "" {
				return p.runEvery(c.Context, &a)
			}
			return p.withPlan(c.Context, &a, planNow)
		},
	}
}

// fromSetting is what --every says where sync.run_every has the word.
const fromSetting = "setting"

// runEvery runs again and again, one run at a time, each with the settings of its moment, until ctx ends or the
// settings are wrong (3). Whatever else a run ends with is told, and the next one comes at its time; the time of a
// run that takes longer has passed, so that the next follows at once.
func (p *program) runEvery(ctx context.Context, a *applying) error {
	switch {
	case a.tail > 0:
		return exit.Usagef("--every runs again and again, and --tail follows the stream after one run: name one of them; tail makes full runs by itself")
	case a.backup != "":
		return exit.Usagef("--backup writes one run's rows to its directory, and --every runs many times")
	case a.every != fromSetting:
		p.flags["sync.run_every"] = a.every
	}
	a.repeats = true
	a.check = func(t *target) error {
		if t.cfg.Sync.RunEvery == 0 {
			return exit.Usagef("--every: sync.run_every says none; give a duration, such as 15m")
		}
		return nil
	}
	for {
		began := time.Now()
		err := p.withPlan(ctx, a, planNow)
		code := p.code(err)
		switch {
		case code == exit.Usage:
			return err
		case ctx.Err() != nil:
			return cmp.Or(err, run.ErrInterrupted)
		}
		p.complain(err)
		p.reporter.complete(a.command, code, began)
		p.reporter.ends = false                                // and has been told
		if doc := p.reporter.doc; doc != nil && doc.Complete { // overrides count for one plan
			a.accepted, a.takeOver = reconcile.Overrides{}, ""
		}
		next := began.Add(p.reporter.cfg.Sync.RunEvery)
		p.log.Info("the run has ended", "code", code, "next", next.UTC().Format(time.RFC3339))
		if remote.Sleep(ctx, time.Until(next)) != nil {
			return run.ErrInterrupted
		}
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
	if a.last != nil && done != nil {
		a.last.Pull = pullReport(done, code)
		a.last.ExitCode = exit.Graver(a.last.ExitCode, code)
		if untold := store(a.report, a.last); untold != nil {
			err = p.graver(untoldEnd(code, done.Wrote, untold), err)
		}
	}
	return p.graver(err, before)
}
