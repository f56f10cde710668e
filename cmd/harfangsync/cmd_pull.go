package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/stix"
)

// pullFrom is the first OpenCTI that takes bundles over GraphQL (contract opencti-api 8).
const pullFrom = "6.2.6"

// importing are the flags of pull.
type importing struct {
	since       string
	dryRun      bool
	retryFailed bool
	report      string
	json        bool
	idly        bool // says nothing where nothing was to be done
}

func (p *program) pullCommand() *cli.Command {
	var im importing
	s := shaping{command: "pull", importsOnly: true, needs: []config.Need{config.NeedImports}}
	return &cli.Command{
		Name:  "pull",
		Usage: "import new and changed alerts and threats into OpenCTI",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "read alerts from `TIME` on, whatever was read before", Destination: &im.since},
			&cli.BoolFlag{Name: "dry-run", Usage: "show what would be imported; writes nothing", Destination: &im.dryRun},
			&cli.BoolFlag{Name: "retry-failed", Usage: "try alerts again that were given up", Destination: &im.retryFailed},
			&cli.StringFlag{Name: "report", Usage: "write what became of every alert to `FILE`", Destination: &im.report},
			&cli.BoolFlag{Name: "json", Usage: "print JSON lines only: what became of every alert, and the bundles of a dry run before", Destination: &im.json},
		}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if err := canWrite("--report", im.report); err != nil {
				return err
			}
			return p.on(c.Context, &s, im.dryRun, func(ctx context.Context, t *target) error { return p.pullAlone(ctx, t, &im) })
		},
	}
}

// pullAlone is the command: it imports and reports.
func (p *program) pullAlone(ctx context.Context, t *target, im *importing) error {
	done, err := p.pull(ctx, t, im)
	if done == nil {
		return err
	}
	code := p.pullCode(done, err)
	if untold := store(im.report, pullReport(done, code)); untold != nil {
		return p.graver(untoldEnd(code, done.Wrote, untold), p.pullEnd(done, err))
	}
	return p.pullEnd(done, err)
}

// pull imports what is new, and says so.
func (p *program) pull(ctx context.Context, t *target, im *importing) (*pull.Report, error) {
	return p.pulling(ctx, t, im)()()
}

// pulling prepares an import of what is new. What it returns imports, which may go on beside other things, and returns
// what says so.
func (p *program) pulling(ctx context.Context, t *target, im *importing) func() func() (*pull.Report, error) {
	r, unable := t.puller(p, im)
	return func() func() (*pull.Report, error) {
		began, done, err := time.Now(), (*pull.Report)(nil), unable
		if unable == nil {
			done, err = r.Pull(ctx)
		}
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) && !errors.Is(err, cause) { // such as a lock that is lost
			err = fmt.Errorf("%w: %w", cause, err)
		}
		took := time.Since(began)
		return func() (*pull.Report, error) {
			if unable != nil {
				return nil, err
			}
			p.reporter.pulled(done, took)
			return done, cmp.Or(im.tell(p, done, p.pullCode(done, err)), err)
		}
	}
}

// puller prepares an import.
func (t *target) puller(p *program, im *importing) (*pull.Puller, error) {
	if !t.ident.Version.AtLeast(pullFrom) {
		return nil, &opencti.VersionError{Version: t.ident.Version, Least: pullFrom, For: "for pull"}
	}
	hl := &t.cfg.HarfangLab
	for _, right := range []string{"CONNECTORAPI", "MODULES", "KNOWLEDGE_KNUPDATE"} {
		if !im.dryRun && !t.ident.Can(right) {
			return nil, &opencti.RightError{Capability: right, For: ", needed to import alerts"}
		}
	}
	marking := t.ident.Marking(hl.Marking)
	if marking == "" {
		return nil, exit.Usagef("harfanglab.default_markings: the account in OpenCTI may not see %s, so it could not tell what it has imported; allow the marking for its group, or choose another", hl.Marking)
	}
	doc := t.job.Keeper.Document()
	start := hl.ImportStart.Time(t.started)
	rolling := hl.ImportStart.At.IsZero()
	if doc.RecoverUntil.After(start) {
		start = doc.RecoverUntil
	}
	importer, err := stix.New(stix.Options{Author: t.cfg.Connector.Name, Marking: hl.Marking, MarkingID: marking, Score: hl.Score, Console: hl.URL})
	if err != nil {
		return nil, exit.Usagef("%v", err)
	}
	r := &pull.Puller{
		Alerts:    t.hl,
		Knowledge: t.connector(im.dryRun),
		Importer:  importer,
		Own:       t.job.Policy.Own, Canon: canonical, List: hl.ListName,
		Statuses: hl.StatusFilter, Start: start, Rolling: rolling, Threats: hl.ImportThreats, Marking: marking, Highest: t.ident.Confidence(), Again: im.retryFailed,
		Parallel: t.cfg.Sync.Parallelism, Patience: p.patience, Keeper: t.job.Keeper, Log: p.log,
	}
	if !slices.Contains(hl.AlertTypes, "all") {
		r.Types = hl.AlertTypes
	}
	if im.since != "" {
		at, err := config.ParseTime(im.since, t.started)
		if err != nil {
			return nil, exit.Usagef("--since: %v", err)
		}
		r.Since = at
		if at.Before(start) {
			r.Start = at
		}
	}
	if im.dryRun {
		r.Show = func(bundle string) error {
			if !im.json {
				return nil
			}
			_, err := fmt.Fprintln(p.stdout, bundle)
			return err
		}
	}
	return r, nil
}

// tell prints what became of the alerts.
func (im *importing) tell(p *program, r *pull.Report, code int) error {
	for i := range r.Items {
		switch it := &r.Items[i]; {
		case it.Error != "":
			p.say(slog.LevelError, render.Escape(itemLine(it)+": "+it.Error), "kind", it.Kind, "id", it.ID, "result", it.Result, "error", it.Error)
		case im.dryRun && !im.json:
			if _, err := fmt.Fprintln(p.stdout, render.Escape(previewLine(it))); err != nil {
				return err
			}
		}
	}
	for _, problem := range r.Problems {
		p.say(slog.LevelError, render.Escape(problem))
	}
	line := pullLine(r, im.dryRun)
	switch {
	case im.json:
		return render.PullEvents(p.stdout, pullReport(r, code), im.dryRun, line)
	case im.idly && len(r.Items) == 0:
		return nil
	}
	_, err := fmt.Fprintln(p.stdout, line)
	return err
}

// itemLine is what became of one alert or threat.
func itemLine(it *pull.Item) string {
	name := ""
	if it.Name != "" {
		name = " (" + it.Name + ")"
	}
	return fmt.Sprintf("%s %s%s: %s", it.Kind, it.ID, name, it.Result)
}

// previewLine is what would be made of one alert or threat.
func previewLine(it *pull.Item) string {
	symbol := "+ "
	if it.Result == pull.Updated {
		symbol = "~ "
	}
	line := symbol + itemLine(it)
	for _, id := range it.Indicators {
		line += "; sighting of " + id
	}
	if it.Object != "" {
		line += "; " + it.Object
	}
	return line
}

// pullLine is the stable last line of a pull.
func pullLine(r *pull.Report, dry bool) string {
	word := "Pull complete"
	if dry {
		word = "Pull would give"
	}
	s := r.Summary()
	line := fmt.Sprintf("%s: %s imported, %d updated, %s imported, %d updated, %s; %d unchanged, %d failed, %d given up",
		word, reconcile.Count(s.Imported, "alert"), s.Updated, reconcile.Count(s.ThreatsImported, "threat"), s.ThreatsUpdated, reconcile.Count(s.Sightings, "sighting"), s.Unchanged, s.Failed, s.GivenUp)
	if s.Pending > 0 {
		line += fmt.Sprintf(", %d pending", s.Pending)
	}
	if s.NotAttempted > 0 {
		line += fmt.Sprintf(", %d not attempted", s.NotAttempted)
	}
	return line + "."
}

// pullCode is the exit code of a pull.
func (p *program) pullCode(r *pull.Report, err error) int {
	code := p.code(err)
	wrote, pending, side := r != nil && r.Wrote, errors.Is(err, pull.ErrPending), exit.SideFailed(err)
	switch {
	case code > exit.Signal:
		return code
	case err == nil && !r.Clean(), wrote && (pending || side), pending && !side:
		return exit.Partly
	}
	return code
}

// pullEnd is what a pull ends with, which has the pull's code.
func (p *program) pullEnd(r *pull.Report, err error) error {
	switch code := p.pullCode(r, err); {
	case err == nil:
		return exit.With(code)
	case code != p.code(err):
		return &exit.Status{Code: code, Err: err}
	}
	return err
}

// mayPull says whether a run or a tail imports alerts, and if not, why.
func (p *program) mayPull(t *target) bool {
	switch {
	case !t.cfg.HarfangLab.ImportEvents:
		p.log.Info("alerts are not imported: harfanglab.import_security_events_as_incidents is off")
	case t.away != nil:
		p.log.Warn("alerts are not imported: OpenCTI is not asked")
	case !t.ident.Version.AtLeast(pullFrom):
		p.log.Warn("alerts are not imported: this OpenCTI takes no bundles", "version", t.ident.Version.String(), "needs", pullFrom)
	default:
		return true
	}
	return false
}

// pullReport is the stored form of what a pull did.
func pullReport(r *pull.Report, code int) *planfile.PullReport {
	return &planfile.PullReport{
		FormatVersion: planfile.FormatVersion, ExitCode: code, Cursor: r.Cursor, Items: append([]pull.Item{}, r.Items...),
		Summary:  r.Summary(),
		Problems: append([]string{}, r.Problems...),
	}
}
