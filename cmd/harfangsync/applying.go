package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/help"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// applying are the flags of every command that applies a plan.
type applying struct {
	shaping
	autoApprove bool
	report      string
	backup      string
	json        bool
	digest      string
	full        bool          // nothing is folded
	pulls       bool          // alerts are imported afterwards, whatever became of the plan
	tail        time.Duration // the stream is followed afterwards
	every       string        // between runs, or fromSetting; "" is one run
	last        *planfile.Report
}

func (a *applying) flags() []cli.Flag {
	return append(a.shaping.flags(),
		&cli.StringFlag{Name: "report", Usage: "write what became of every change to `FILE`", Destination: &a.report},
		&cli.StringFlag{Name: "backup", Usage: "write rows to `DIR` before they change; restore DIR puts them back", Destination: &a.backup},
		&cli.BoolFlag{Name: "json", Usage: "print JSON lines only", Destination: &a.json})
}

// canTell says before the work begins that what is to be written beside it could not be.
func (a *applying) canTell() error {
	return cmp.Or(canWrite("--report", a.report), canMake("--backup", a.backup))
}

// planNow makes a plan of what both sides hold now.
func planNow(ctx context.Context, t *target) (*run.Planned, error) {
	var asOf time.Time
	if t.asOf != nil {
		asOf = *t.asOf
	}
	planned, err := t.job.Plan(ctx, asOf)
	if other := t.job.Policy.Own.TakeOver; err == nil && other != "" && planned.Complete && planned.Plan.Taken == 0 {
		return nil, exit.Usagef("--take-over: no rule in the lists carries the marker of another instance %s; look for foreign_owner in a plan without it", other)
	}
	if err == nil && planned.Complete {
		t.warnVain(planned.Plan, &t.job.Overrides)
	}
	return planned, err
}

// warnVain names the values that were accepted for nothing, each with those that wait and are spelled most like it.
func (t *target) warnVain(plan *reconcile.Plan, over *reconcile.Overrides) {
	vain, held := plan.Vain(over)
	const most = 3
	for _, typed := range vain {
		w := "--accept-impact " + typed + ": gate G15 holds no such value"
		near := help.Near(typed, held, most)
		if len(near) == 0 {
			near = held[:min(most, len(held))]
		}
		if len(near) > 0 {
			w += "; it holds " + strings.Join(near, ", ")
		}
		t.job.Log.Warn(w)
	}
}

// withPlan reaches both sides, makes a plan in the way of the command, prints it, asks where it should, and applies
// it. Nothing keeps others away while a person thinks: the lock is then taken once the answer is there.
func (p *program) withPlan(ctx context.Context, a *applying, plan func(context.Context, *target) (*run.Planned, error)) error {
	if err := a.canTell(); err != nil {
		return err
	}
	ask := !a.autoApprove
	writes := !ask || terminal(p.stdin)
	a.asks = ask
	return p.on(ctx, &a.shaping, !writes, func(ctx context.Context, t *target) error {
		err := p.reconcile(ctx, a, t, plan, ask, writes)
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
	if planned.Plan.Stopped() {
		items := slices.Repeat([]run.Item{{Outcome: run.NotAttempted, Error: "a gate refused the plan"}}, doc.Changes.Len())
		return a.finish(planfile.NewReport(doc, exit.Refused, items), false, nil)
	}
	if ask && planned.Plan.Changes.Len() > 0 {
		if !writes {
			return exit.Usagef("not a terminal: nothing was applied; pass --auto-approve, or save the plan with plan --out and apply the file")
		}
		if yes, err := p.confirm(ctx, "Apply this plan? Only 'yes' is taken for an answer: "); err != nil || !yes {
			return cmp.Or(err, exit.Usagef("not approved: nothing was applied"))
		}
	}
	if !ask || !writes {
		return p.carryOut(ctx, a, t, planned, doc, false)
	}
	return p.locked(ctx, t, func(ctx context.Context, t *target) error {
		err := t.fits(doc, a, true) // the answer may have taken its time, like a saved plan
		if err = cmp.Or(err, t.within(doc)); err != nil {
			return err
		}
		return p.carryOut(ctx, a, t, planned, doc, true)
	})
}

// carryOut applies a plan and reports.
func (p *program) carryOut(ctx context.Context, a *applying, t *target, planned *run.Planned, doc *planfile.Document, recheck bool) error {
	if a.json {
		n := doc.Changes.Len()
		if err := render.Events(p.stdout, render.Event{Type: "apply_start", Changes: &n}); err != nil {
			return err
		}
	}
	if a.backup != "" && planned.Plan.Changes.Len() > 0 {
		if err := t.job.Backup(planned.Plan, a.backup, t.cfg.HarfangLab.URL); err != nil {
			return fmt.Errorf("backup, nothing was applied: %w", err)
		}
	}
	p.reporter.begins()
	done, err := t.job.Apply(ctx, planned, recheck)
	if err != nil {
		return err
	}
	stillOff(doc, planned)
	r, err := a.tell(p, doc, done)
	if planned.Plan.Refused() {
		r.ExitCode = exit.Graver(r.ExitCode, exit.Refused)
	}
	return a.finish(r, done.Wrote, err)
}

// stillOff forgets of a saved plan that a list was switched off which is on by now.
func stillOff(doc *planfile.Document, planned *run.Planned) {
	for i := range doc.Target.Lists {
		l := &doc.Target.Lists[i]
		if now := planned.Lists[l.Kind]; now != nil && now.Enabled != nil && *now.Enabled {
			l.SwitchedOff = false
		}
	}
}

// tell prints what went wrong and the closing line, and gives the report of it.
func (a *applying) tell(p *program, doc *planfile.Document, done *run.Report) (*planfile.Report, error) {
	p.reporter.applied(done)
	a.failures(p, done)
	for _, problem := range done.Problems {
		p.say(slog.LevelError, render.Escape(problem))
	}
	if waits := render.Waits(doc); waits != "" {
		did := "nothing else was to be done"
		if n := len(done.Items); n > 0 {
			did = fmt.Sprintf("%d of %s done", done.Count(run.Applied, ""), reconcile.Count(n, "change"))
		}
		p.say(slog.LevelError, did+"; held: "+waits)
	}
	code := p.code(done.Err())
	if off := render.OffLine(doc); off != "" && code == exit.OK {
		p.say(slog.LevelError, off+" Enable them in the console")
		code = exit.Partly
	}
	r := planfile.NewReport(doc, code, done.Items)
	switch {
	case a.json:
		return r, render.ReportEvents(p.stdout, r, closingLine(doc, done))
	case len(done.Items) == 0:
		return r, nil // the plan has said that there is nothing to do
	}
	_, err := fmt.Fprintln(p.stdout, closingLine(doc, done))
	return r, err
}

// closingLine is the stable last line of an apply. Where nothing was to be done it is the plan's, of which a
// gate may hold all.
func closingLine(doc *planfile.Document, r *run.Report) string {
	if len(r.Items) == 0 {
		return render.LastLine(doc)
	}
	waiting := r.Count(run.NotAttempted, "")
	return render.ApplyLine(func(a reconcile.Action) int { return r.Count(run.Applied, a) }, len(r.Items)-r.Count(run.Applied, "")-waiting, waiting)
}

func (a *applying) showPlan(p *program, doc *planfile.Document) error {
	if a.json {
		return render.PlanEvents(p.stdout, doc)
	}
	o := p.look(p.stdout)
	o.Brief = a.unattended(p)
	o.Full = a.full || !doc.Applyable && !o.Brief
	return render.Text(p.stdout, doc, o)
}

// unattended says whether a job prints for a log that nobody reads as it grows.
func (a *applying) unattended(p *program) bool { return a.pulls && !a.full && !terminal(p.stdout) }

// told is how many lines of one sort a log gets.
const told = 25

// failures prints what was not done.
func (a *applying) failures(p *program, done *run.Report) {
	failed, waiting := 0, 0
	for i := range done.Items {
		it := &done.Items[i]
		switch {
		case it.Outcome == run.Applied && it.Error == "":
			continue
		case it.Outcome == run.NotAttempted:
			waiting++
			if waiting > 1 && !a.json {
				continue // the count below says how many
			}
		default:
			failed++
			if failed > told && a.unattended(p) {
				continue
			}
		}
		ch, err := done.Changes.Read(i)
		action, kind, label := done.Changes.Action(i), done.Changes.Kind(i), ch.Label()
		if err != nil {
			label = fmt.Sprintf("%s rule %d of the plan", kind, i+1)
		}
		p.say(slog.LevelError, render.Escape(fmt.Sprintf("%s %s: %s: %s", action, label, strings.ReplaceAll(string(it.Outcome), "_", " "), it.Error)),
			"action", action, "kind", kind, "rule", label, "result", it.Outcome, "error", it.Error)
	}
	if failed > told && a.unattended(p) {
		p.say(slog.LevelError, fmt.Sprintf("and %d more; --report FILE holds all of them", failed-told))
	}
	if waiting > 0 {
		p.say(slog.LevelError, reconcile.Count(waiting, "change")+reconcile.Plural(waiting, " was", " were")+" not attempted; run again", "not_attempted", waiting)
	}
}

// finish writes the report and ends with its code, whatever of it could not be told.
func (a *applying) finish(r *planfile.Report, wrote bool, untold error) error {
	a.last = r
	return untoldEnd(r.ExitCode, wrote, errors.Join(untold, store(a.report, r)))
}

// confirm asks a question on the terminal, about what was printed.
func (p *program) confirm(ctx context.Context, question string) (bool, error) {
	if err := p.stdout.lost(); err != nil {
		return false, err
	}
	if p.records == nil {
		fmt.Fprint(p.stderr, question) // the answer stands in the same line
	} else {
		p.say(slog.LevelInfo, question)
	}
	answer := make(chan string, 1)
	go func() {
		defer crash.Exit()
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
