package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile/planfile"
	"harfangsync/reconcile/render"
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
