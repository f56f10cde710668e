package render_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// mixed is a plan of n changes, a sixth of each action in printed order, with owners and fields.
func mixed(n int) *planfile.Document {
	p := reconcile.Plan{}
	before, after := "before", "after"
	for i := range n {
		a := reconcile.Actions[i*len(reconcile.Actions)/n]
		c := reconcile.Change{Kind: reconcile.IOC, List: "from_OpenCTI", Type: "domain_name", Value: fmt.Sprintf("host-%05d.example", i), Action: a, Reason: "fields_changed", ID: fmt.Sprint("row-", i),
			Before: &reconcile.Body{Enabled: true, Description: &before, Comment: &before}, After: &reconcile.Body{Description: &after, Comment: &after}, Fields: []string{"description"},
			Owners: []reconcile.Owner{{ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), StandardID: fmt.Sprintf("indicator--%d", i), Name: fmt.Sprint("Campaign ", i), Score: new(i % 101)}}}
		switch a {
		case reconcile.Delete:
			c.Reason, c.After, c.Fields = []reconcile.Reason{reconcile.IndicatorGone, reconcile.Revoked, reconcile.Expired}[i%3], nil, nil
		case reconcile.Disable:
			c.Reason, c.Fields = reconcile.OutOfFilter, []string{"enabled"}
		case reconcile.Create:
			c.Reason, c.Before, c.Fields, c.ID = reconcile.NewIndicator, nil, nil, ""
		}
		p.Changes.Add(&c)
	}
	return planfile.New(&p, planfile.Document{Complete: true, Applyable: true, Source: planfile.Source{URL: "https://cti.example"}, Target: planfile.Target{URL: "https://edr.example"}})
}

var ansi = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestTextReadsWellAtFiveAndAtFiveThousand(t *testing.T) {
	for _, n := range []int{6, 5000} {
		d := mixed(n)
		got := text(t, d, render.Options{})
		by := d.Summary.ByAction
		for _, want := range []string{
			fmt.Sprintf("Delete %d ioc rule", by["delete"]), fmt.Sprintf("Disable %d ioc rule", by["disable"]), fmt.Sprintf("Adopt %d ioc rule", by["adopt"]),
			fmt.Sprintf("Update %d ioc rule", by["update"]), fmt.Sprintf("Enable %d ioc rule", by["enable"]), fmt.Sprintf("Create %d ioc rule", by["create"]),
			fmt.Sprintf("%d removals: ", by["delete"]+by["disable"]), fmt.Sprintf("%d out_of_filter", by["disable"]),
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%d changes: no %q", n, want)
			}
		}
		removals := 0
		for i := range d.Changes.Len() {
			c := d.Changes.At(i)
			line := fmt.Sprintf("%s %s  [%s]  \"Campaign %d\" score %d\n", c.Action.Symbol(), c.Label(), c.Reason, i, *c.Owners[0].Score)
			if c.Action.Removal() {
				removals++
			}
			if listed := strings.Contains(got, line); !listed && (n == 6 || c.Action != reconcile.Create) {
				t.Fatalf("%d changes: no line %q", n, line)
			} else if listed && n > 6 && c.Action == reconcile.Create {
				t.Fatalf("%d changes: %q is not folded", n, line)
			}
		}
		if signs := len(regexp.MustCompile(`(?m)^[-!] `).FindAllString(got, -1)); signs != removals {
			t.Errorf("%d lines begin like a removal, of %d removals", signs, removals)
		}
		if counted := strings.Contains(got, fmt.Sprintf("\n  create %8d%8d%8d\n", by["create"], 0, 0)); counted != (n > 25) {
			t.Errorf("%d changes: a table of counts: %v", n, counted)
		}
		if plain := ansi.ReplaceAllString(text(t, d, render.Options{Color: true}), ""); plain != got {
			t.Errorf("%d changes: colour says something that the text does not", n)
		}
	}
}

func TestSummaryCountsByActionAndKind(t *testing.T) {
	got := text(t, mixed(12), render.Options{SummaryOnly: true})
	want := `              ioc   sigma    yara
  delete        2       0       0
  disable       2       0       0
  adopt         2       0       0
  update        2       0       0
  enable        2       0       0
  create        2       0       0
4 removals: 2 out_of_filter, 1 indicator_gone, 1 revoked
Plan: 2 to add, 2 to change, 2 to enable, 2 to disable, 2 to delete, 2 to adopt; 0 unchanged, 0 skipped.
`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestCommentsShowWhatIsForPeople(t *testing.T) {
	from := `{"applied":"1:aa","owners_count":1,"owners_digest":"x"}`
	to := `{"applied":"1:bb","owners_count":2,"owners_digest":"y","instance":"i","managed_by":"harfangsync"}`
	other := `{"instance":"another"}`
	two, three := `{"indicators":["id-a","id-b"],"owners_count":2,"indicator_score":40}`, `{"indicators":["id-a","id-c"],"owners_count":2,"indicator_score":70}`
	one := func(before, after string, o render.Options) string {
		p := reconcile.Plan{Changes: plantest.Changes(reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: "u", Action: reconcile.Update, Owners: []reconcile.Owner{{ID: "id-a", Name: "A"}, {ID: "id-c", Name: "C"}}, Before: &reconcile.Body{Comment: &before}, After: &reconcile.Body{Comment: &after}, Fields: []string{"comment"}})}
		return text(t, planfile.New(&p, planfile.Document{Complete: true}), o)
	}
	for _, tt := range []struct {
		name, got string
		want      []string
	}{
		{"the program's own members are nobody's business", one(from, to, render.Options{}), []string{"\n      only our marker changes\n"}},
		{"all of them with --full", one(from, to, render.Options{Full: true}), []string{`comment.applied: "1:aa" -> "1:bb"`, `comment.managed_by: (none) -> "harfangsync"`}},
		{"another instance's rule says whose it was", one(other, to, render.Options{}), []string{`comment.instance: "another" -> "i"`}},
		{"who joined and who left", one(two, three, render.Options{}), []string{"\n      score: 40 -> 70\n      joined by \"C\"\n      left by id-b\n"}},
		{"a comment that was no JSON", one("by hand", to, render.Options{}), []string{`comment.text: "by hand" -> (none)`}},
		{"a comment that will be no JSON", one(from, "by hand", render.Options{}), []string{`comment.text: "{"applied":"1:aa",`, `-> "by hand"`}},
	} {
		for _, want := range tt.want {
			if !strings.Contains(tt.got, want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, tt.got)
			}
		}
	}
}

func TestARuleThatIsOnlySpeltOtherwiseSaysSo(t *testing.T) {
	from, to := "rule r {\r\n condition: true }", "rule r {\n condition: true }\n"
	p := reconcile.Plan{Changes: plantest.Changes(reconcile.Change{Kind: reconcile.YARA, Name: "r", Action: reconcile.Update, Before: &reconcile.Body{Content: &from}, After: &reconcile.Body{Content: &to}, Fields: []string{"content"}})}
	if got := text(t, planfile.New(&p, planfile.Document{Complete: true}), render.Options{}); !strings.Contains(got, "      only its spelling or our marker changes\n") {
		t.Error(got)
	}
}

// Names are for people, ids for programs: each stands where it says something.
func TestOwnersAreNamedOnce(t *testing.T) {
	score := 70
	for want, c := range map[string]reconcile.Change{
		"+ url u  [new_indicator]  \"A\" score 70; score 70; \"B\"\n": {Value: "u", Owners: []reconcile.Owner{{ID: "1", Name: "A", Score: &score}, {ID: "2", Name: "A", Score: &score}, {ID: "3", Name: "B"}}},
		"+ url c2.example  [new_indicator]  score 70\n":               {Value: "c2.example", Owners: []reconcile.Owner{{ID: "1", Name: "C2.example", Score: &score}}},
		"+ url c2.example  [new_indicator]\n":                         {Value: "c2.example", Owners: []reconcile.Owner{{ID: "1", Name: "c2.example"}}},
		"+ url u  [new_indicator]  id-1 score 70\n":                   {Value: "u", Owners: []reconcile.Owner{{ID: "id-1", Score: &score}}},
		"+ sigma A long na~55e02ce4  [new_indicator]  score 70\n":     {Kind: reconcile.Sigma, Name: "A long na~55e02ce4", Owners: []reconcile.Owner{{ID: "1", Name: "A long name", Score: &score}}},
	} {
		c.Action, c.Reason, c.Type, c.After = reconcile.Create, reconcile.NewIndicator, "url", &reconcile.Body{}
		if c.Kind == 0 {
			c.Kind = reconcile.IOC
		}
		if got := text(t, planfile.New(&reconcile.Plan{Changes: plantest.Changes(c)}, planfile.Document{Complete: true}), render.Options{}); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestDiffsAreWithoutOurMarker(t *testing.T) {
	from := "// harfangsync indicator=1 instance=i applied=1:aa\nrule r {\n condition: false }\n"
	to := "// harfangsync indicator=1 instance=i applied=1:bb\nrule r {\n condition: filesize < 1 }\n"
	p := reconcile.Plan{Changes: plantest.Changes(reconcile.Change{Kind: reconcile.YARA, Name: "r", Action: reconcile.Update, Before: &reconcile.Body{Content: &from}, After: &reconcile.Body{Content: &to}, Fields: []string{"content"}})}
	if got := text(t, planfile.New(&p, planfile.Document{Complete: true}), render.Options{}); strings.Contains(got, "harfangsync ind") || !strings.Contains(got, "- condition: false }") {
		t.Error(got)
	}
}

// A screen of 80 columns breaks lines between words; a word that is wider stays whole.
func TestLinesFitTheScreen(t *testing.T) {
	d := mixed(24)
	named, long := d.Changes.At(0), d.Changes.At(1)
	named.Owners[0].Name, long.Value = strings.Repeat("Kampagne gegen Krankenhäuser ", 6), strings.Repeat("x", 100)
	d.Changes.Set(0, named)
	d.Changes.Set(1, long)
	plain := text(t, d, render.Options{})
	for _, o := range []render.Options{{Width: 80}, {Width: 80, Color: true}} {
		got := ansi.ReplaceAllString(text(t, d, o), "")
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 80 && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if words := strings.Fields(got); !slices.Equal(words, strings.Fields(plain)) {
			t.Errorf("other words than on a wide screen:\n%s", got)
		}
	}
}

// A job prints every quarter of an hour: what it did, and numbers of what it left.
func TestALogIsBrief(t *testing.T) {
	p := reconcile.Plan{Gates: []reconcile.Gate{{ID: "G4", Name: "removals_ioc_absence", Kind: reconcile.IOC, Message: "many go", Override: "--accept-removals 3000", Hold: true}}}
	change := func(a reconcile.Action, i int) *reconcile.Change {
		return &reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: fmt.Sprint(a, "-", i), Action: a, Reason: "why", Before: &reconcile.Body{}, After: &reconcile.Body{}}
	}
	for i := range 3000 {
		ch := change(reconcile.Delete, i)
		p.Held.Add(&reconcile.Held{Kind: reconcile.IOC, Reason: reconcile.GateHeld, Gate: "removals_ioc_absence", Change: ch})
		p.Skipped.Add(&reconcile.Skip{Indicator: fmt.Sprint("skipped-", i), Reason: reconcile.PatternAnd})
	}
	for i := range 50 {
		p.Changes.Add(change(reconcile.Disable, i))
	}
	for i := range 500 {
		p.Changes.Add(change(reconcile.Update, i))
	}
	d := planfile.New(&p, planfile.Document{Complete: true})
	got := text(t, d, render.Options{Brief: true})
	if n := strings.Count(got, "\n"); n > 80 {
		t.Errorf("%d lines", n)
	}
	for _, want := range []string{"! url disable-49", "~ 500 × ioc url", "- 3000 × ioc url", "3000 held: 3000 gate", "3000 skipped: 3000 pattern_and", "many go"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if full := text(t, d, render.Options{Brief: true, Full: true}); !strings.Contains(full, "- url delete-2999") || !strings.Contains(full, "skipped-2999") {
		t.Error("--full lists all")
	}
}

func TestEscapeShowsWhatAScreenHides(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"a\u202eb\u2066c\u200b":  `a\u{202e}b\u{2066}c\u{200b}`,
		"\x00\x1b[2J\x7f\u0085":  `\u{0}\u{1b}[2J\u{7f}\u{85}`,
		"\xed\xa0\x80x\xff":      `\xed\xa0\x80x\xff`, // a lone surrogate, and no UTF-8 at all
		"a\u2028b\u2029\r\n\t":   `a\u{2028}b\u{2029}\r\n\t`,
		"\u3164\ufe0f\u034f":     `\u{3164}\u{fe0f}\u{34f}`, // a filler, a variation, a joiner: all invisible
		"\ufffe\U000e0041\ue000": `\u{fffe}\u{e0041}\u{e000}`,
		"é ü 漢 😀 « »":            "é ü 漢 😀 « »",
	} {
		if got := render.Escape(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
