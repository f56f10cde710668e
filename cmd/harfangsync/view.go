package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
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

// views are the forms of a plan, by their names.
var views = map[string]func(io.Writer, *planfile.Document, render.Options) error{
	"text": render.Text, "markdown": render.Markdown, "html": render.HTML,
	"json": func(w io.Writer, d *planfile.Document, _ render.Options) error { return render.JSON(w, d) },
}

func (v *viewing) check() error {
	if views[v.format] == nil {
		return exit.Usagef("--format %q: want text, json, markdown or html", v.format)
	}
	return nil
}

// show prints a plan.
func (v *viewing) show(p *program, w io.Writer, d *planfile.Document) error {
	o := p.look(w)
	o.Full, o.SummaryOnly = v.full, v.summary
	return views[v.format](w, d, o)
}
