package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

func (p *program) applyCommand() *cli.Command {
	a := applying{shaping: shaping{command: "apply"}}
	return &cli.Command{
		Name:      "apply",
		Usage:     "apply a saved plan, or plan and apply",
		ArgsUsage: "[PLANFILE]",
		Flags: append(append(a.flags(),
			&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask", Destination: &a.autoApprove},
			fromFlag(&a.shaping),
			&cli.StringFlag{Name: "expect-digest", Usage: "apply PLANFILE only if its digest is `D`", Destination: &a.digest}),
			p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() == 1 {
				return p.applyFile(c.Context, &a, c.Args().First())
			}
			if a.digest != "" {
				return exit.Usagef("--expect-digest goes with a plan file")
			}
			return p.withPlan(c.Context, &a, planNow)
		},
	}
}

// applyFile applies a saved plan without asking: it applies what was approved.
func (p *program) applyFile(ctx context.Context, a *applying, path string) error {
	if err := a.canTell(); err != nil {
		return err
	}
	doc, err := readPlan(path)
	if err != nil {
		return err
	}
	if a.only != "" || a.takeOver != "" {
		return exit.Usagef("--only and --take-over shape a plan; a saved one is applied as it was approved")
	}
	if len(a.accepted.AcceptMarkings) > 0 {
		return exit.Usagef("--accept-markings shapes a plan, and a saved one holds what it held; plan again with it")
	}
	if a.from != "" {
		return exit.Usagef("--from is for making a plan; a saved one knows its snapshot")
	}
	a.saved = doc
	a.check = func(t *target) error {
		if err := t.fits(doc, a, false); err != nil {
			return err
		}
		return doc.Accept()
	}
	return p.on(ctx, &a.shaping, false, func(ctx context.Context, t *target) error {
		if err := t.within(doc); err != nil {
			return err
		}
		planned := t.restore(doc)
		t.warnVain(planned.Plan, &a.accepted)
		p.reporter.plans(planned, doc)
		if a.json || doc.Changes.Len() == 0 {
			if err := a.showPlan(p, doc); err != nil {
				return err
			}
		}
		return p.carryOut(ctx, a, t, planned, doc, true)
	})
}

// within says whether the limits of the window, as it is now, let a document pass.
func (t *target) within(doc *planfile.Document) error {
	return doc.Within(t.job.Keeper.Document().Window.Counted(t.job.Now(), t.job.Limits.Window))
}

// fits says whether a document is whole, recent, meant for this target, and let through by every gate
// or by the flags given now (gate G6). What gates hold may stay held.
func (t *target) fits(doc *planfile.Document, a *applying, held bool) error {
	source := t.cfg.OpenCTI.URL
	if source == "" && doc.Source.Snapshot != nil {
		source = doc.Source.URL // settings that name no OpenCTI take a snapshot of any
	}
	return doc.Check(planfile.Expect{
		SourceURL: source, TargetURL: t.cfg.HarfangLab.URL, ListName: t.cfg.HarfangLab.ListName,
		SettingsDigest: t.settings, Now: time.Now().UTC(), MaxAge: t.cfg.Sync.Limits.PlanAge, Digest: a.digest,
		Overrides: a.accepted, Held: held,
	})
}

// restore is the plan of an accepted document.
func (t *target) restore(doc *planfile.Document) *run.Planned {
	planned := &run.Planned{
		Plan: &reconcile.Plan{Changes: doc.Changes, Held: doc.Held, Skipped: doc.Skipped, Gates: doc.Gates, Unchanged: doc.Summary.ByAction["unchanged"],
			Indicators: doc.Source.Count, WantedDigest: doc.Source.Digest, Sources: doc.Source.Selected.Counts(), Enabled: doc.Enabled()},
		Filter: doc.Source.FilterDigest,
		Lists:  map[reconcile.Kind]*reconcile.List{}, Complete: doc.Complete, Started: doc.Timestamp, Saved: true, Another: doc.ToolVersion != version(),
	}
	if s := doc.Source.Snapshot; s != nil {
		planned.ReadAt = s.Time
	}
	for _, l := range doc.Target.Lists {
		if l.ID != nil {
			planned.Lists[l.Kind] = &reconcile.List{ID: *l.ID, Name: l.Name}
		}
	}
	t.job.Policy.Kinds = nil
	for _, l := range doc.Target.Lists {
		t.job.Policy.Kinds = append(t.job.Policy.Kinds, l.Kind)
	}
	return planned
}
