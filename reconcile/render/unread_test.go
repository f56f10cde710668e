package render_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/spool/spooltest"
)

// large are n creates whose texts wait on the disk.
func large(n int) (changes []*reconcile.Change) {
	text := strings.Repeat("x", 4000)
	for i := range n {
		changes = append(changes, &reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: fmt.Sprintf("n%d.example", i), Action: reconcile.Create, Reason: reconcile.ValueAdded,
			Fields: []string{}, After: &reconcile.Body{Enabled: true, Description: &text}})
	}
	return changes
}

// A plan that cannot be read again is an error in every format, and no plan with blanks in it.
func TestAPlanThatCannotBeReadIsAnErrorInEveryFormat(t *testing.T) {
	for name, fill := range map[string]func(*reconcile.Plan, *reconcile.Change){
		"changes": func(p *reconcile.Plan, ch *reconcile.Change) { p.Changes.Add(ch) },
		"what waits": func(p *reconcile.Plan, ch *reconcile.Change) {
			p.Held.Add(&reconcile.Held{Kind: ch.Kind, Type: ch.Type, Value: ch.Value, Action: ch.Action, Reason: reconcile.GateHeld, Gate: "impact", Change: ch})
		},
		"what is held": func(p *reconcile.Plan, ch *reconcile.Change) {
			p.Held.Add(&reconcile.Held{Kind: ch.Kind, Value: ch.Value, Reason: reconcile.Ambiguous, Detail: *ch.After.Description})
		},
		"skipped": func(p *reconcile.Plan, ch *reconcile.Change) {
			p.Skipped.Add(&reconcile.Skip{Indicator: ch.Value, Reason: reconcile.PatternSkipped, Detail: *ch.After.Description})
		},
	} {
		for format, write := range map[string]func(io.Writer, *planfile.Document) error{
			"text":     func(w io.Writer, d *planfile.Document) error { return render.Text(w, d, render.Options{Full: true}) },
			"markdown": func(w io.Writer, d *planfile.Document) error { return render.Markdown(w, d, render.Options{}) },
			"html":     func(w io.Writer, d *planfile.Document) error { return render.HTML(w, d, render.Options{}) },
			"json":     render.JSON,
		} {
			if format == "markdown" && (name == "skipped" || name == "what is held") {
				continue // these are counted alone
			}
			var plan reconcile.Plan
			for _, ch := range large(5000) {
				fill(&plan, ch)
			}
			d := planfile.New(&plan, planfile.Document{Complete: true})
			spooltest.Spoil(t)
			var b bytes.Buffer
			if err := write(&b, d); err == nil || strings.HasSuffix(b.String(), render.LastLine(d)+"\n") {
				t.Errorf("%s as %s: %v, %d bytes", name, format, err, b.Len())
			}
		}
	}
}

// A comment shows few of many changes, and keeps the texts of none of the others.
func TestMarkdownKeepsNoTexts(t *testing.T) {
	var plan reconcile.Plan
	for _, ch := range large(5000) {
		ch.Value += strings.Repeat(".example", 500)
		plan.Changes.Add(ch)
	}
	d := planfile.New(&plan, planfile.Document{Complete: true})
	if n := spooltest.Live(func() { _ = render.Markdown(io.Discard, d, render.Options{}) }); n > 10<<20 || d.Err() != nil {
		t.Errorf("%d KiB more are in use, and all texts are 40 MB; %v", n>>10, d.Err())
	}
}
