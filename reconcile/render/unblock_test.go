package render_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// Whoever reads a plan, in whatever form and however short, sees what is out of force by a person's word.
func TestEveryFormNamesWhatIsUnblocked(t *testing.T) {
	plan := &reconcile.Plan{Unblocked: []reconcile.Unblock{{Value: "c2.evil.example", Reason: "ours, ticket <b>7</b>\x1b[31m", By: "anna@soc", At: noon, Until: noon.Add(time.Hour)}}}
	d := document(plan)
	for name, form := range map[string]struct {
		write func(io.Writer, *planfile.Document, render.Options) error
		want  string
	}{
		"text":     {render.Text, "1 value unblocked by a person (harfangsync block VALUE ends it):\n  c2.evil.example, until 2026-03-01T13:00:00Z, by anna@soc: ours, ticket <b>7</b>\\u{1b}[31m\n"},
		"markdown": {render.Markdown, "**1 value unblocked by a person:**\n\n- c2\\[.\\]evil\\[.\\]example, until 2026\\-03\\-01T13&#58;00&#58;00Z, by anna"},
		"html":     {render.HTML, "<li>c2.evil.example, until 2026-03-01T13:00:00Z, by anna@soc: ours, ticket &lt;b&gt;7&lt;/b&gt;\\u{1b}[31m</li>"},
	} {
		for _, short := range []bool{false, true} {
			var b bytes.Buffer
			if err := form.write(&b, d, render.Options{SummaryOnly: short}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(b.String(), form.want) {
				t.Errorf("%s, short %v: want %q among\n%s", name, short, form.want, unblockedLines(b.String()))
			}
		}
	}
	var events bytes.Buffer
	if err := render.PlanEvents(&events, d); err != nil {
		t.Fatal(err)
	}
	if want := `{"type":"diagnostic","level":"warning","message":"unblocked: c2.evil.example, until 2026-03-01T13:00:00Z, by anna@soc: ours`; !strings.Contains(events.String(), want) {
		t.Errorf("events: want %s in\n%s", want, events.String())
	}
	var b bytes.Buffer
	if err := planfile.Encode(&b, d); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `"until": "2026-03-01T13:00:00Z"`) {
		t.Errorf("JSON does not name it:\n%s", b.String())
	}
}

func unblockedLines(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if strings.Contains(line, "evil") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
