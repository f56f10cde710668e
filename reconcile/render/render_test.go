package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

func text(t testing.TB, d *planfile.Document, o render.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := render.Text(&b, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestTheLastLineIsStable(t *testing.T) {
	all := reconcile.Plan{Unchanged: 48112, Skipped: plantest.Skipped(make([]reconcile.Skip, 37)...)}
	for a, times := range map[reconcile.Action]int{reconcile.Create: 120, reconcile.Update: 14, reconcile.Disable: 3, reconcile.Delete: 2} {
		for range times {
			all.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Action: a, After: &reconcile.Body{}, Before: &reconcile.Body{}})
		}
	}
	refused := reconcile.Plan{Gates: []reconcile.Gate{{ID: "G2", Message: "no"}}}
	for _, tt := range []struct {
		plan     *reconcile.Plan
		complete bool
		want     string
	}{
		{&all, true, "Plan: 120 to add, 14 to change, 0 to enable, 3 to disable, 2 to delete, 0 to adopt; 48112 unchanged, 37 skipped."},
		{&reconcile.Plan{Unchanged: 5, Skipped: plantest.Skipped(make([]reconcile.Skip, 2)...)}, true, "No changes. HarfangLab matches OpenCTI."},
		{&reconcile.Plan{}, false, "Plan: 0 to add, 0 to change, 0 to enable, 0 to disable, 0 to delete, 0 to adopt; 0 unchanged, 0 skipped."},
		{&refused, true, "Plan: 0 to add, 0 to change, 0 to enable, 0 to disable, 0 to delete, 0 to adopt; 0 unchanged, 0 skipped."},
	} {
		d := planfile.New(tt.plan, planfile.Document{Complete: tt.complete})
		for _, o := range []render.Options{{}, {Full: true}, {SummaryOnly: true}, {Color: true}} {
			if got := lastLine(text(t, d, o)); got != tt.want {
				t.Errorf("%+v: %q, want %q", o, got, tt.want)
			}
		}
		var b bytes.Buffer
		if err := render.Markdown(&b, d, render.Options{}); err != nil || lastLine(b.String()) != tt.want {
			t.Errorf("markdown: %v, %q, want %q", err, lastLine(b.String()), tt.want)
		}
	}
	applied := func(a reconcile.Action) int {
		return map[reconcile.Action]int{reconcile.Create: 120, reconcile.Update: 14, reconcile.Disable: 3, reconcile.Delete: 2}[a]
	}
	for want, got := range map[string]string{
		"Apply complete: 120 added, 14 changed, 0 enabled, 3 disabled, 2 deleted, 0 adopted; 0 failed.":                   render.ApplyLine(applied, 0, 0),
		"Apply complete: 120 added, 14 changed, 0 enabled, 3 disabled, 2 deleted, 0 adopted; 1 failed, 40 not attempted.": render.ApplyLine(applied, 1, 40),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRemovalsAreNeverFoldedAndCreatesAre(t *testing.T) {
	p := reconcile.Plan{}
	for i := range 100 {
		p.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Type: "hash", Value: fmt.Sprint("gone", i), Action: reconcile.Delete, Reason: reconcile.IndicatorGone, Before: &reconcile.Body{}})
		p.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Type: "hash", Value: fmt.Sprint("new", i), Action: reconcile.Create, Reason: reconcile.NewIndicator, After: &reconcile.Body{}})
	}
	d := planfile.New(&p, planfile.Document{Complete: true})
	got := text(t, d, render.Options{})
	if n := strings.Count(got, "hash gone"); n != 100 || strings.Contains(got, "hash new") || !strings.Contains(got, "+ 100 × ioc hash  [new_indicator]") {
		t.Errorf("%d removals in\n%s", n, got)
	}
	if got := text(t, d, render.Options{Full: true}); strings.Count(got, "hash new") != 100 {
		t.Errorf("--full folds:\n%s", got)
	}
}

var genHostile = rapid.OneOf(rapid.String(), rapid.StringMatching("[|`<>@#*_~:/.\\\\\x00-\x1f\u202e\u2066\\[\\]!-]{0,400}"), rapid.Just("\xff\xfe"), rapid.Just("http://a.b.example/@x #1 GH-1"), rapid.Just(strings.Repeat("\U000E0001", 300)))

func genDocument(t *rapid.T) *planfile.Document {
	p := reconcile.Plan{}
	word := func(l string) string { return genHostile.Draw(t, l) }
	proto := reconcile.Change{Kind: reconcile.IOC, Type: word("type"), Value: word("value"), Reason: reconcile.Reason(word("reason")), Fields: []string{"description", "comment"}}
	proto.Owners = []reconcile.Owner{{ID: word("owner"), Name: word("owner name")}}
	s := word("text")
	body := &reconcile.Body{Description: &s, Comment: &s}
	for i := range rapid.SampledFrom([]int{0, 1, 2, 6, 6, 30, 120}).Draw(t, "changes") {
		c := proto
		c.Action = reconcile.Actions[i%len(reconcile.Actions)]
		c.Before, c.After = body, &reconcile.Body{Description: &proto.Value, Comment: &proto.Value}
		p.Changes.Add(&c)
	}
	for range rapid.SampledFrom([]int{0, 1, 1, 30}).Draw(t, "gates") {
		p.Gates = append(p.Gates, reconcile.Gate{ID: word("gate"), Name: word("gate name"), Message: word("message"), Override: word("override")})
	}
	p.Held = plantest.Held(reconcile.Held{Kind: reconcile.YARA, Name: word("held"), Reason: reconcile.Reason(word("held reason")), Detail: word("detail")})
	p.Skipped = plantest.Skipped(reconcile.Skip{Indicator: word("skipped"), Reason: reconcile.Reason(word("skip reason")), Detail: word("skip detail")})
	return planfile.New(&p, planfile.Document{Complete: true, Target: planfile.Target{Lists: []planfile.List{{Kind: reconcile.IOC, Name: word("list")}}}})
}

var badInText = regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}\x{e0000}-\x{e007f}]`)

// TestHostileValues holds what comes from outside to one line.
func TestHostileValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDocument(t)
		var b bytes.Buffer
		if err := render.Text(&b, d, render.Options{Full: true}); err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(b.Bytes()) || badInText.Match(b.Bytes()) {
			t.Fatalf("text %q", badInText.Find(b.Bytes()))
		}
	})
}

func TestDefang(t *testing.T) {
	for in, want := range map[string]string{
		"c2.example":             "c2[.]example",
		"https://h.example/a.b":  "hxxps://h[.]example/a[.]b",
		"HTTP://h":               "hxxp://h",
		"x ftp://a, fTps://b, y": "x fxp://a, fxps://b, y",
		"nothing":                "nothing",
	} {
		if got := render.Defang(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestADiffOfLongTexts(t *testing.T) {
	const many = 1_200_000 // more than can be told apart as runes
	numbered := func(sign string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s%d\n", sign, i)
		}
		return b.String()
	}
	if got := render.Diff(numbered("a", many), numbered("b", many)); len(got) != 1+2*many || got[0] != fmt.Sprintf("@@ -1,%d +1,%d @@", many, many) {
		t.Errorf("%d lines of other texts, %q", len(got), got[:1])
	}
	long, more := numbered("a", 20_000), numbered("b", 20_000)
	want := []string{"@@ -19998,7 +19998,8 @@", " a19997", " a19998", " a19999", "-x", "+y", "+z", " b0", " b1"}
	if d := cmp.Diff(want, render.Diff(long+"x\n"+more, long+"y\nz\n"+more)[:9]); d != "" {
		t.Errorf("one line of a long text (-want +got):\n%s", d)
	}
}

func TestDiff(t *testing.T) {
	lines := func(from, to int, other map[int]string) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			if s, ok := other[i]; ok {
				b.WriteString(s)
				continue
			}
			fmt.Fprintf(&b, "line %d\n", i)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name, from, to string
		want           []string
	}{
		{"equal", "a\n", "a\n", nil},
		{"from nothing", "", "a\nb\n", []string{"@@ -1,0 +1,2 @@", "+a", "+b"}},
		{"only line ends", "a\r\nb\r\n", "a\nb", nil},
		{"in the middle", lines(1, 9, nil), lines(1, 9, map[int]string{5: "five\n"}), []string{"@@ -2,7 +2,7 @@", " line 2", " line 3", " line 4", "-line 5", "+five", " line 6", " line 7", " line 8"}},
		{"two apart", lines(1, 20, nil), lines(1, 20, map[int]string{2: "two\n", 18: ""}), []string{"@@ -1,5 +1,5 @@", " line 1", "-line 2", "+two", " line 3", " line 4", " line 5", "@@ -15,6 +15,5 @@", " line 15", " line 16", " line 17", "-line 18", " line 19", " line 20"}},
	} {
		if d := cmp.Diff(tt.want, render.Diff(tt.from, tt.to)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", " x", "+y", "-z"}), 0, 30)
		from, to := gen.Draw(t, "from"), gen.Draw(t, "to")
		var olds, news []string
		for _, l := range render.Diff(strings.Join(from, "\n"), strings.Join(to, "\n")) {
			switch l[0] {
			case '-':
				olds = append(olds, l[1:])
			case '+':
				news = append(news, l[1:])
			}
		}
		for _, l := range olds {
			if !strings.Contains(strings.Join(from, "\n")+"\n", l+"\n") {
				t.Fatalf("%q was never there", l)
			}
		}
		for _, l := range news {
			if !strings.Contains(strings.Join(to, "\n")+"\n", l+"\n") {
				t.Fatalf("%q never comes", l)
			}
		}
	})
}

func TestEventsAreOneObjectALine(t *testing.T) {
	var b bytes.Buffer
	d := cases2(t)
	if err := render.PlanEvents(&b, d); err != nil {
		t.Fatal(err)
	}
	d.Changes.Add(d.Changes.At(0))
	r := planfile.NewReport(d, 5, []run.Item{{Outcome: run.Applied}, {Outcome: run.Failed, Error: "no\nnew line"}})
	if err := render.ReportEvents(&b, r, "done"); err != nil {
		t.Fatal(err)
	}
	var types []string
	for line := range strings.Lines(b.String()) {
		var e render.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		types = append(types, e.Type)
	}
	want := []string{"planned_change", "diagnostic", "change_summary", "apply_complete", "apply_errored", "change_summary"}
	if d := cmp.Diff(want, types); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

func cases2(t *testing.T) *planfile.Document {
	t.Helper()
	s := "x"
	return planfile.New(&reconcile.Plan{Changes: plantest.Changes(reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: "u", Action: reconcile.Create, After: &reconcile.Body{Description: &s, Comment: &s}}),
		Gates: []reconcile.Gate{{ID: "G2", Message: "no"}, {ID: "G1", OK: true}}}, planfile.Document{Complete: true})
}

func BenchmarkText(b *testing.B) {
	p := reconcile.Plan{}
	s, z := `{"indicator_id":"a","owners_count":1}`, `{"indicator_id":"b","owners_count":2}`
	for i := range 10_000 {
		p.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: fmt.Sprintf("h%d.example", i), Action: reconcile.Actions[i%6], Reason: "x",
			Before: &reconcile.Body{Comment: &s, Description: &s}, After: &reconcile.Body{Comment: &z, Description: &z}, Fields: []string{"comment", "description"}})
	}
	d := planfile.New(&p, planfile.Document{Complete: true})
	b.ReportAllocs()
	for b.Loop() {
		if err := render.Text(&bytes.Buffer{}, d, render.Options{Full: true}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(p.Changes.Len())*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}
