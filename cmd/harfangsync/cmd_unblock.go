package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// unblocking are the flags of unblock and block.
type unblocking struct {
	shaping
	typed       string // the value, as a person types it
	reason, by  string
	span        time.Duration
	list, json  bool
	autoApprove bool
	acceptRules int
}

// longest is for how long a value may be unblocked. What is to stay out for good belongs into an exclusion file.
const longest = 366 * 24 * time.Hour

func (p *program) unblockCommand() *cli.Command {
	u := unblocking{shaping: shaping{command: "unblock", asks: true, beside: true}, span: 168 * time.Hour}
	return &cli.Command{
		Name:      "unblock",
		Usage:     "take one value out of force now, for a time, whoever wants it blocked",
		ArgsUsage: "[VALUE]",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "reason", Usage: "why, for everybody who reads a plan: `TEXT`; needed", Destination: &u.reason},
			&cli.GenericFlag{Name: "for", Usage: "it comes back after `DURATION`", Value: (*config.Duration)(&u.span)},
			&cli.StringFlag{Name: "by", Usage: "who decides, if not this user of this host: `NAME`", Destination: &u.by},
			&cli.BoolFlag{Name: "list", Usage: "list what is unblocked, and change nothing", Destination: &u.list},
			&cli.BoolFlag{Name: "json", Usage: "with --list: one JSON array", Destination: &u.json},
			&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask", Destination: &u.autoApprove},
			&cli.IntFlag{Name: "accept-rules", Usage: "accept that `N` rules go out of force, the number that the refusal names", Destination: &u.acceptRules},
		}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			u.typed = c.Args().First()
			switch {
			case u.list && u.typed != "":
				return exit.Usagef("unblock --list takes no value")
			case u.list:
				return p.listUnblocked(c.Context, &u)
			case u.json:
				return exit.Usagef("--json goes with --list")
			}
			if err := u.check(); err != nil {
				return err
			}
			return p.withState(c.Context, &u, p.unblock)
		},
	}
}

func (p *program) blockCommand() *cli.Command {
	u := unblocking{shaping: shaping{command: "block", asks: true, beside: true}}
	return &cli.Command{
		Name:      "block",
		Usage:     "end an unblock before its time; the next run judges the value like any other",
		ArgsUsage: "VALUE",
		Flags:     append([]cli.Flag{&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask", Destination: &u.autoApprove}}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if u.typed = c.Args().First(); u.typed == "" {
				return exit.Usagef("block needs a value; unblock --list names them")
			}
			return p.withState(c.Context, &u, p.block)
		},
	}
}

// check looks at what the command line says.
func (u *unblocking) check() error {
	const mostReason = 500
	switch {
	case u.typed == "":
		return exit.Usagef("unblock needs a value: a domain, address, URL, hash, file name or path, or the id of an indicator or a Sigma rule; --list lists what is unblocked")
	case u.reason == "":
		return exit.Usagef("unblock needs --reason TEXT: everybody who reads a plan until it is over sees it")
	case len([]rune(u.reason)) > mostReason:
		return exit.Usagef("--reason: at most %d characters", mostReason)
	case u.span <= 0 || u.span > longest:
		return exit.Usagef("--for %s: from now on and for at most %d days; an exclusion file keeps a value out for good", u.span, longest/(24*time.Hour))
	}
	return nil
}

// withState reaches both platforms for a command that changes the state beside whatever run is at work: it takes no lock,
// which a tail may hold for days. Where nobody can be asked and no flag answers, nothing is written.
func (p *program) withState(ctx context.Context, u *unblocking, work func(context.Context, *unblocking, *target) error) error {
	u.shaping.check = func(t *target) error {
		if t.cfg.Sync.State == config.Nowhere {
			return exit.Usagef("sync.state: none remembers nothing, so the next run would bring the value back; set it to opencti or file:PATH, list the value in sync.exclusions, or disable the rule in HarfangLab's console, which runs leave as it is")
		}
		t.optional = inFile(t.cfg.Sync.State)
		return nil
	}
	err := p.on(ctx, &u.shaping, !u.autoApprove && !terminal(p.stdin), func(ctx context.Context, t *target) error {
		t.job.Markings = nil // this command learns nothing about OpenCTI
		return work(ctx, u, t)
	})
	if exit.SideFailed(err) {
		p.log.Warn("until both platforms answer, a rule can be disabled in HarfangLab's console: runs leave that as it is")
	}
	return err
}

// approve asks, where that is to be done, and ends the command unless the answer is yes.
func (p *program) approve(ctx context.Context, u *unblocking, question string) error {
	if u.autoApprove {
		return nil
	}
	if !terminal(p.stdin) {
		return exit.Usagef("not a terminal: nothing was changed; pass --auto-approve")
	}
	yes, err := p.confirm(ctx, question+" Only 'yes' is taken for an answer: ")
	if err == nil && !yes {
		err = exit.Usagef("not approved: nothing was changed")
	}
	return err
}

// listUnblocked prints what is out of force.
func (p *program) listUnblocked(ctx context.Context, u *unblocking) error {
	u.shaping.check = func(t *target) error {
		t.optional, t.tellsState = inFile(t.cfg.Sync.State), true
		return nil
	}
	return p.on(ctx, &u.shaping, true, func(_ context.Context, t *target) error {
		all := reconcile.Unblocks{List: t.job.Keeper.Unblocked()}
		list := append([]reconcile.Unblock{}, all.At(t.job.Now())...)
		if u.json {
			return writeJSON(p.stdout, list)
		}
		if len(list) == 0 {
			fmt.Fprintln(p.stdout, "Nothing is unblocked.")
		}
		for i := range list {
			fmt.Fprintln(p.stdout, render.Escape(list[i].Words()))
		}
		return nil
	})
}
