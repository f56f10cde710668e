package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile"
	"harfangsync/reconcile/planfile"
	"harfangsync/reconcile/render"
	"harfangsync/reconcile/run"
)

// viewing are the flags of every command that prints a plan.
type viewing struct {
	format  string
	full    bool
	summary bool
}

func (v *viewing) flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "format", Value: "text", Usage: "text, json, markdown or html", Destination: &v.format},
		&cli.BoolFlag{Name: "full", Usage: "list everything: folded creates, held and skipped items", Destination: &v.full},
		&cli.BoolFlag{Name: "summary", Usage: "only counts, refused gates and the last line", Destination: &v.summary},
	}
}

func (v *viewing) check() error {
	switch v.format {
	case "text", "json", "markdown", "html":
		return nil
	}
	return exit.Usagef("--format %q: want text, json, markdown or html", v.format)
}

// show prints a plan.
func (v *viewing) show(p *program, w io.Writer, d *planfile.Document) error {
	o := render.Options{Full: v.full, SummaryOnly: v.summary, Color: p.color(w)}
	switch v.format {
	case "json":
		return render.JSON(w, d)
	case "markdown":
		return render.Markdown(w, d, o)
	case "html":
		return render.HTML(w, d, o)
	}
	return render.Text(w, d, o)
}

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
			if s.from != "" && s.asOf != "" {
				return exit.Usagef("--as-of needs OpenCTI: a snapshot holds what was valid when it was made")
			}
			return p.on(c.Context, &s, true, func(ctx context.Context, t *target) error {
				var asOf time.Time
				if t.asOf != nil {
					asOf = *t.asOf
				}
				planned, err := t.job.Plan(ctx, asOf)
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
				case detailed && len(planned.Plan.Changes) > 0:
					return exit.With(exit.Changes)
				}
				return nil
			})
		},
	}
}

// document is the stored form of a plan.
func (t *target) document(pl *run.Planned) *planfile.Document {
	source := planfile.Source{URL: t.cfg.OpenCTI.URL, FilterDigest: t.job.Filter, Count: pl.Plan.Indicators, Digest: pl.Plan.WantedDigest}
	if t.snap != nil {
		source.Snapshot = &planfile.Snapshot{Time: t.snap.Header.Time, Digest: t.snap.Digest}
	}
	h := planfile.Header{
		ToolVersion: version(), Timestamp: pl.Started, Complete: pl.Complete, AsOf: t.asOf,
		Applyable:      pl.Complete && t.asOf == nil && !pl.Plan.Refused(),
		Source:         source,
		Target:         planfile.Target{URL: t.cfg.HarfangLab.URL, Version: t.version},
		Policy:         string(t.job.Policy.Mode),
		SettingsDigest: t.settings,
	}
	for _, k := range t.kinds() {
		l := planfile.List{Kind: k, Name: t.cfg.HarfangLab.ListName}
		if found := pl.Lists[k]; found != nil {
			l.ID = &found.ID
		}
		h.Target.Lists = append(h.Target.Lists, l)
	}
	return planfile.New(pl.Plan, h)
}

func (t *target) kinds() []reconcile.Kind {
	if len(t.job.Policy.Kinds) > 0 {
		return t.job.Policy.Kinds
	}
	return reconcile.Kinds
}

func (p *program) showCommand() *cli.Command {
	var v viewing
	var schema bool
	return &cli.Command{
		Name:      "show",
		Usage:     "print a saved plan",
		ArgsUsage: "PLANFILE",
		Flags:     append(v.flags(), &cli.BoolFlag{Name: "schema", Usage: "print the JSON Schema of plans instead", Destination: &schema}),
		Action: func(c *cli.Context) error {
			if err := v.check(); err != nil {
				return err
			}
			if schema {
				_, err := p.stdout.Write(planfile.Schema())
				return err
			}
			if c.NArg() != 1 {
				return exit.Usagef("show needs the plan file, as plan --out writes it")
			}
			d, err := readPlan(c.Args().First())
			if err != nil {
				return err
			}
			return v.show(p, p.stdout, d)
		},
	}
}

// readPlan reads a saved plan. A file that cannot be opened is a slip of the command line.
func readPlan(path string) (*planfile.Document, error) {
	d, err := planfile.Read(path)
	return d, slip("plan file", err)
}

// slip is a file that cannot be opened as a mistake in the command line; other errors stay as they are.
func slip(what string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return exit.Usagef("%s: %v", what, err)
	}
	return err
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print version, commit, Go and plan format",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprint(p.stdout, versionText())
			return err
		},
	}
}
