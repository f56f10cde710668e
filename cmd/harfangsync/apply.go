package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile"
	"harfangsync/reconcile/planfile"
	"harfangsync/reconcile/render"
	"harfangsync/reconcile/run"
)

// applying are the flags of every command that applies a plan.
type applying struct {
	shaping
	autoApprove bool
	report      string
	backup      string
	json        bool
	digest      string
	pulls       bool          // alerts are imported afterwards, whatever became of the plan
	tail        time.Duration // the stream is followed afterwards
	last        *planfile.Report
}

func (a *applying) flags() []cli.Flag {
	return append(a.shaping.flags(),
		&cli.StringFlag{Name: "report", Usage: "write what became of every change to `FILE`", Destination: &a.report},
		&cli.StringFlag{Name: "backup", Usage: "write rows to `DIR` before they change; restore DIR puts them back", Destination: &a.backup},
		&cli.BoolFlag{Name: "json", Usage: "print JSON lines only", Destination: &a.json})
}

func (p *program) applyCommand() *cli.Command {
	var a applying
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
				return p.reported(c.Context, "apply", func() error { return p.applyFile(c.Context, &a, c.Args().First()) })
			}
			if a.digest != "" {
				return exit.Usagef("--expect-digest goes with a plan file")
			}
			return p.reported(c.Context, "apply", func() error { return p.planAndApply(c.Context, &a) })
		},
	}
}

func (p *program) runCommand() *cli.Command {
	var a applying
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
			return p.reported(c.Context, "run", func() error { return p.planAndApply(c.Context, &a) })
		},
	}
}

// planAndApply makes a plan, prints it, asks where it should, and applies it.
func (p *program) planAndApply(ctx context.Context, a *applying) error {
	return p.withPlan(ctx, a, func(ctx context.Context, t *target) (*run.Planned, error) { return t.job.Plan(ctx, time.Time{}) })
}

// withPlan reaches both sides, takes the lock, makes a plan in the way of the command, prints it, asks
// where it should, and applies it.
func (p *program) withPlan(ctx context.Context, a *applying, plan func(context.Context, *target) (*run.Planned, error)) error {
	if err := canWrite("--report", a.report); err != nil {
		return err
	}
	ask := !a.autoApprove
	writes := !ask || terminal(p.stdin)
	return p.on(ctx, &a.shaping, !writes, func(ctx context.Context, t *target) error {
		ctx, release, err := p.locked(ctx, t, writes)
		if err != nil {
			return err
		}
		defer release()
		err = p.reconcile(ctx, a, t, plan, ask, writes)
		if !a.pulls || err != nil && !planEnded(err) {
			return err
		}
		err = a.pullToo(ctx, p, t, err)
		if a.tail <= 0 || ctx.Err() != nil {
			return err
		}
		return p.tailToo(ctx, t, a.tail, a.json, err)
	})
}

// reconcile makes a plan, prints it, asks where it should, and applies it.
func (p *program) reconcile(ctx context.Context, a *applying, t *target, plan func(context.Context, *target) (*run.Planned, error), ask, writes bool) error {
	planned, err := plan(ctx, t)
	t.read()
	if err != nil {
		return err
	}
	doc := t.document(planned)
	p.reporter.plans(planned, doc)
	if err := a.showPlan(p, doc); err != nil {
		return err
	}
	if planned.Plan.Refused() {
		r := planfile.NewReport(doc, exit.Refused)
		for i := range doc.Changes {
			r.Add(&doc.Changes[i], string(run.NotAttempted), "a gate refused the plan")
		}
		return a.finish(p, r, nil)
	}
	if ask && len(planned.Plan.Changes) > 0 {
		if !writes {
			return exit.Usagef("not a terminal: nothing was applied; pass --auto-approve, or save the plan with plan --out and apply the file")
		}
		if yes, err := p.confirm(ctx, "Apply this plan? Only 'yes' is taken for an answer: "); err != nil || !yes {
			return firstError(err, exit.Usagef("not approved: nothing was applied"))
		}
	}
	return p.carryOut(ctx, a, t, planned, doc, ask)
}

// applyFile applies a saved plan without asking: it applies what was approved.
func (p *program) applyFile(ctx context.Context, a *applying, path string) error {
	if err := canWrite("--report", a.report); err != nil {
		return err
	}
	doc, err := readPlan(path)
	if err != nil {
		return err
	}
	if a.only != "" || a.takeOver != "" {
		return exit.Usagef("--only and --take-over shape a plan; a saved one is applied as it was approved")
	}
	if a.from != "" {
		return exit.Usagef("--from is for making a plan; a saved one knows its snapshot")
	}
	a.saved = doc
	a.check = func(t *target) error { return t.accept(doc, a) }
	return p.on(ctx, &a.shaping, false, func(ctx context.Context, t *target) error {
		ctx, release, err := p.locked(ctx, t, true)
		if err != nil {
			return err
		}
		defer release()
		planned := t.restore(doc)
		p.reporter.plans(planned, doc)
		if a.json || len(doc.Changes) == 0 {
			if err := a.showPlan(p, doc); err != nil {
				return err
			}
		}
		return p.carryOut(ctx, a, t, planned, doc, true)
	})
}

// accept says whether a document is whole, recent, meant for this target, and let through by every gate
// or by the flags given now (gate G6).
func (t *target) accept(doc *planfile.Document, a *applying) error {
	source := t.cfg.OpenCTI.URL
	if source == "" && doc.Source.Snapshot != nil {
		source = doc.Source.URL // settings that name no OpenCTI take a snapshot of any
	}
	err := doc.Check(planfile.Expect{
		SourceURL: source, TargetURL: t.cfg.HarfangLab.URL, ListName: t.cfg.HarfangLab.ListName,
		SettingsDigest: t.settings, Now: t.started, MaxAge: t.cfg.Sync.Limits.PlanAge, Digest: a.digest,
		Overrides: reconcile.Overrides{AllowEmpty: a.allowEmpty, AcceptShrink: a.acceptShrink, AcceptRemovals: a.acceptRemovals},
	})
	if err != nil {
		return err
	}
	for i := range doc.Gates {
		if g := &doc.Gates[i]; !g.OK {
			g.OK, g.Message = true, "accepted by "+g.Override+": "+g.Message
		}
	}
	return nil
}

// restore is the plan of an accepted document.
func (t *target) restore(doc *planfile.Document) *run.Planned {
	planned := &run.Planned{
		Plan: &reconcile.Plan{Changes: doc.Changes, Held: doc.Held, Skipped: doc.Skipped, Gates: doc.Gates, Unchanged: doc.Summary.ByAction["unchanged"],
			Indicators: doc.Source.Count, WantedDigest: doc.Source.Digest, Sources: doc.Source.Selected.Counts()},
		Filter: doc.Source.FilterDigest,
		Lists:  map[reconcile.Kind]*reconcile.List{}, Complete: doc.Complete, Started: doc.Timestamp, Saved: true,
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

// locked takes the lock for a command that writes. The context ends when the lock is lost.
func (p *program) locked(ctx context.Context, t *target, writes bool) (context.Context, func(), error) {
	if !writes {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	release, err := t.lock(ctx, p, func(err error) {
		p.log.Error("stopping: "+err.Error(), "remedy", "run again")
		cancel(err)
	})
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	return ctx, func() { release(); cancel(nil) }, nil
}

// carryOut applies a plan and reports.
func (p *program) carryOut(ctx context.Context, a *applying, t *target, planned *run.Planned, doc *planfile.Document, recheck bool) error {
	if a.json {
		n := len(doc.Changes)
		if err := render.Events(p.stdout, render.Event{Type: "apply_start", Changes: &n}); err != nil {
			return err
		}
	}
	if a.backup != "" && len(planned.Plan.Changes) > 0 {
		if err := t.job.BackupOf(planned.Plan, t.cfg.HarfangLab.URL).Write(a.backup); err != nil {
			return fmt.Errorf("backup, nothing was applied: %w", err)
		}
	}
	p.reporter.begins()
	done, err := t.job.Apply(ctx, planned, recheck)
	if err != nil {
		return err
	}
	p.reporter.applied(done)
	code := p.applyCode(done)
	r := reportOf(doc, done, code)
	if err := a.tell(p, done); err != nil {
		return err
	}
	return a.finish(p, r, done)
}

// reportOf is the stored form of what became of a plan.
func reportOf(doc *planfile.Document, done *run.Report, code int) *planfile.Report {
	r := planfile.NewReport(doc, code)
	for i := range done.Items {
		it := &done.Items[i]
		r.Add(it.Change, string(it.Outcome), it.Error)
	}
	return r
}

// applyCode is the exit code of an apply that ran.
func (p *program) applyCode(r *run.Report) int {
	sig := int(p.signalled.Load())
	switch {
	case r.Clean():
		return exit.OK
	case r.Stopped == run.ErrInterrupted && sig != 0:
		return exit.Signal + sig
	case r.Unreachable != nil, r.Stopped == run.ErrDeadline && r.Count(run.Applied, "") == 0:
		return exit.Side
	}
	return exit.Partly
}

// tell prints what went wrong and the closing line.
func (a *applying) tell(p *program, r *run.Report) error {
	for i := range r.Items {
		it := &r.Items[i]
		if it.Outcome == run.Applied && it.Error == "" {
			continue
		}
		line := fmt.Sprintf("%s %s: %s: %s", it.Change.Action, it.Change.Label(), it.Outcome, it.Error)
		if it.Outcome == run.NotAttempted && i > 0 && r.Items[i-1].Outcome == run.NotAttempted && !a.json {
			continue // the count below says how many
		}
		fmt.Fprintln(p.stderr, render.Escape(line))
	}
	if n := r.Count(run.NotAttempted, ""); n > 0 {
		fmt.Fprintf(p.stderr, "%d changes were not attempted; run again\n", n)
	}
	for _, problem := range r.Problems {
		fmt.Fprintln(p.stderr, render.Escape(problem))
	}
	if a.json || len(r.Items) == 0 {
		return nil // the plan has said that there is nothing to do
	}
	_, err := fmt.Fprintln(p.stdout, closingLine(r))
	return err
}

// closingLine is the stable last line of an apply.
func closingLine(r *run.Report) string {
	if len(r.Items) == 0 {
		return render.NoChanges
	}
	return render.ApplyLine(counts(r))
}

func counts(r *run.Report) render.Counts {
	return render.Counts{
		Added: r.Count(run.Applied, reconcile.Create), Changed: r.Count(run.Applied, reconcile.Update), Enabled: r.Count(run.Applied, reconcile.Enable),
		Disabled: r.Count(run.Applied, reconcile.Disable), Deleted: r.Count(run.Applied, reconcile.Delete), Adopted: r.Count(run.Applied, reconcile.Adopt),
		Failed: len(r.Items) - r.Count(run.Applied, ""),
	}
}

func (a *applying) showPlan(p *program, doc *planfile.Document) error {
	if a.json {
		return render.PlanEvents(p.stdout, doc)
	}
	return render.Text(p.stdout, doc, render.Options{Color: p.color(p.stdout), Full: !doc.Applyable})
}

// finish writes the report and ends with its code.
func (a *applying) finish(p *program, r *planfile.Report, done *run.Report) error {
	if a.json && done != nil {
		if err := render.ReportEvents(p.stdout, r, closingLine(done)); err != nil {
			return err
		}
	}
	a.last = r
	if a.report != "" {
		if err := planfile.WriteReport(a.report, r); err != nil {
			return err
		}
	}
	return exit.With(r.ExitCode)
}

// planEnded says that a plan came to an end of its own: applied, refused by a gate, or in part.
func planEnded(err error) bool {
	o, ok := errors.AsType[*exit.Status](err)
	return ok && o.Code != exit.Side && o.Code < exit.Signal
}

// pullToo imports alerts after a plan, and ends with the graver of both codes.
func (a *applying) pullToo(ctx context.Context, p *program, t *target, before error) error {
	done, err := p.pullAfter(ctx, t, &importing{json: a.json})
	if done == nil && err == nil {
		return before
	}
	code := p.pullCode(done, err)
	err = p.pullEnd(done, err)
	if a.report != "" && a.last != nil && done != nil {
		a.last.Pull = pullReport(done, code)
		a.last.ExitCode = exit.Graver(a.last.ExitCode, code)
		if err := planfile.WriteReport(a.report, a.last); err != nil {
			return err
		}
	}
	if before != nil && exit.Graver(exit.Code(before, 0), code) != code {
		p.complain(err)
		return before
	}
	return firstError(err, before)
}

// confirm asks a question on the terminal.
func (p *program) confirm(ctx context.Context, question string) (bool, error) {
	fmt.Fprint(p.stderr, question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(p.stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		return strings.TrimSpace(line) == "yes", nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
