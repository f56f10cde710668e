package render_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	renderer "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

func markdownOf(t interface{ Fatalf(string, ...any) }, d *planfile.Document, o render.Options) string {
	var b bytes.Buffer
	if err := render.Markdown(&b, d, o); err != nil {
		t.Fatalf("%v", err)
	}
	return b.String()
}

var (
	github          = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(renderer.WithUnsafe()))
	commentElements = strings.Fields("html head body h3 h4 p strong sub table thead tbody tr th td code blockquote details summary pre ul li em")
	ownCode         = regexp.MustCompile("^([-+~*!<]|harfangsync show( --full)?)$")
	lookedFor       = regexp.MustCompile(`(?i)(^|[^0-9a-z])(@[0-9a-z]|#[0-9]|gh-[0-9])|https?://|ftp://|www\\.`)
	rowSource       = regexp.MustCompile("(?m)^\\| `[-+~*!<]` \\| .*$")
	unescaped       = regexp.MustCompile("(^|[^\\\\])[`<>*_\\[\\]~!]|@|://")
)

// seenComment is what the readers of a pull request see of a comment.
type seenComment struct {
	text  string
	rows  map[string]int // listed, by title
	folds int

	title   string // of the list that is being read
	columns int
}

// take checks an element and counts what it is.
func (seen *seenComment) take(t interface{ Fatalf(string, ...any) }, n *html.Node) {
	if !slices.Contains(commentElements, n.Data) {
		t.Fatalf("an element %s in %q", n.Data, textOf(n.Parent))
	}
	for _, a := range n.Attr {
		if !(a.Key == "lang" && a.Val == "diff" || a.Key == "id" || a.Key == "style" && strings.HasPrefix(a.Val, "text-align:") || a.Key == "align") {
			t.Fatalf("an attribute %s=%q of %s", a.Key, a.Val, n.Data)
		}
	}
	switch n.Data {
	case "code":
		if !ownCode.MatchString(textOf(n)) {
			t.Fatalf("code %q", textOf(n))
		}
	case "h3", "h4":
		seen.title = textOf(n)
	case "details":
		seen.folds++
	case "tr":
		cells := 0
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode {
				cells++
			}
		}
		if n.Parent.Data == "thead" {
			seen.columns = cells
		} else if seen.rows[seen.title]++; cells != seen.columns {
			t.Fatalf("%d cells of %d in %q", cells, seen.columns, textOf(n))
		}
	}
}

// checkMarkdown renders a comment as GitHub does and fails on whatever did not come from the program.
func checkMarkdown(t interface{ Fatalf(string, ...any) }, d *planfile.Document, md string) seenComment {
	if n := len(utf16.Encode([]rune(md))); n > render.MostMarkdown {
		t.Fatalf("%d characters", n)
	}
	if !strings.HasPrefix(md, "<!-- harfangsync plan -->\n") || lastLine(md) != render.LastLine(d) {
		t.Fatalf("it begins %.60q and ends %q", md, lastLine(md))
	}
	if m := badInText.FindString(md); m != "" {
		t.Fatalf("%q stands there as it is", m)
	}
	for _, row := range rowSource.FindAllString(md, -1) {
		cells := strings.TrimSuffix(row[len("| `+`"):], "|")
		if m := unescaped.FindString(cells); m != "" {
			t.Fatalf("%q in row %q", m, row)
		}
	}
	var out bytes.Buffer
	if err := github.Convert([]byte(md), &out); err != nil {
		t.Fatalf("%v", err)
	}
	doc, err := html.Parse(&out)
	if err != nil {
		t.Fatalf("%v", err)
	}
	seen := seenComment{rows: map[string]int{}}
	var text strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.CommentNode && n.Data != " harfangsync plan ":
			t.Fatalf("a comment %q", n.Data)
		case n.Type == html.TextNode:
			if m := lookedFor.FindString(n.Data); m != "" && n.Parent.Data != "pre" {
				t.Fatalf("%q in %q is looked for", m, n.Data)
			}
			text.WriteString(n.Data)
		case n.Type == html.ElementNode:
			seen.take(t, n)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	seen.text = text.String()
	return seen
}

func TestMarkdownOfHostileValuesSaysOnlyWhatItMeans(t *testing.T) {
	for name, d := range cases(t) {
		t.Run(name, func(t *testing.T) { checkMarkdown(t, d, markdownOf(t, d, render.Options{})) })
	}
	rapid.Check(t, func(t *rapid.T) {
		d := genDocument(t)
		checkMarkdown(t, d, markdownOf(t, d, render.Options{}))
	})
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"| `x` |\n\n# h", "@admin #1 GH-1 gh-22", "</pre></details><script>", "<!-- harfangsync plan -->", "![x](http://h.example/p.png)", "www.a.example a@b.example", "$x$ ~~x~~ **x** _x_", "\\|\\`\\", "- [ ] x\n1. y", "```\nx\n```", "\U0001F600\u202e\x00\xff", "&lt;&#64;admin", "    code", "|", "\\"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, value, name string) {
		d := hostileDocument(value, name)
		checkMarkdown(t, d, markdownOf(t, d, render.Options{}))
	})
}

func TestMarkdownReadsWellAtFiveAndAtFiveThousand(t *testing.T) {
	for _, tt := range []struct {
		n, removals, changes, additions, folds int // listed, and lists that are folded
	}{
		{6, 2, 3, 1, 0},
		{120, 40, 60, 20, 1},
		{5000, -1, 0, 0, 0},
	} {
		d := mixed(tt.n)
		seen := checkMarkdown(t, d, markdownOf(t, d, render.Options{}))
		by := d.Summary.ByAction
		titles := []string{fmt.Sprintf("Removals (%d)", by["delete"]+by["disable"]), fmt.Sprintf("Changes (%d)", by["adopt"]+by["update"]+by["enable"]), fmt.Sprintf("Additions (%d)", by["create"])}
		want := []int{tt.removals, tt.changes, tt.additions}
		for i, title := range titles {
			got := seen.rows[title]
			if want[i] >= 0 && got != want[i] || want[i] < 0 && (got < 200 || got > 1600) {
				t.Errorf("%d changes: %d rows under %s, want %d", tt.n, got, title, want[i])
			}
			if !strings.Contains(seen.text, title) {
				t.Errorf("%d changes: no %s", tt.n, title)
			}
		}
		if seen.folds != tt.folds {
			t.Errorf("%d changes: %d lists are folded, want %d", tt.n, seen.folds, tt.folds)
		}
	}
}

func TestMarkdownShowsRuleTexts(t *testing.T) {
	d := cases(t)["changes"]
	md := markdownOf(t, d, render.Options{})
	seen := checkMarkdown(t, d, md)
	for _, want := range []string{"\n-        CommandLine|contains: -enc\n+        CommandLine|contains:\n", "text: 1 line out, 3 in", "description: “about c2” → “about c2, seen again”"} {
		if !strings.Contains(seen.text, want) {
			t.Errorf("no %q in\n%s", want, seen.text)
		}
	}
	if strings.Contains(seen.text, "harfangsync=") {
		t.Errorf("the diff shows our marker:\n%s", seen.text)
	}
	big := strings.Repeat("condition: selection and another one\n", 3000)
	p := reconcile.Plan{}
	for _, c := range d.Changes.All() {
		if c.Kind == reconcile.Sigma {
			c.After = &reconcile.Body{Name: c.After.Name, Content: &big}
		}
		p.Changes.Add(c)
	}
	d = planfile.New(&p, planfile.Document{Complete: true})
	if got := checkMarkdown(t, d, markdownOf(t, d, render.Options{})).text; !strings.Contains(got, "1 diff of rules' texts left out here") || !strings.Contains(got, "text: 12 lines out") && !strings.Contains(got, "lines out, 3000 in") {
		t.Errorf("a text that is too long: %s", got)
	}
}

func TestMarkdownCutsCreatesFirstAndRemovalsLast(t *testing.T) {
	p := reconcile.Plan{}
	for i := range 3000 {
		a := []reconcile.Action{reconcile.Create, reconcile.Update, reconcile.Delete}[i%3]
		p.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Type: "hash", Value: fmt.Sprintf("%064x", i), Action: a, Reason: "x", Before: &reconcile.Body{}, After: &reconcile.Body{}})
	}
	for _, tt := range []struct {
		keep func(i int) bool
		want []string // what must be said
	}{
		{func(int) bool { return true }, []string{"of 1000 are left out"}},
		{func(i int) bool { return i%3 != 2 || i < 300 }, []string{"#### Removals (100)", "#### Changes (1000)", "1000 of 1000 are left out"}},
	} {
		q := reconcile.Plan{}
		for i := range p.Changes.Len() {
			if tt.keep(i) {
				q.Changes.Add(p.Changes.At(i))
			}
		}
		var b bytes.Buffer
		if err := render.Markdown(&b, planfile.New(&q, planfile.Document{Complete: true}), render.Options{}); err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %q", want)
			}
		}
		if n := utf8.RuneCount(b.Bytes()); n > render.MostMarkdown || n < render.MostMarkdown*9/10 {
			t.Errorf("%d characters", n)
		}
	}
}

// A list is made with its first rule, so one without any is not announced.
func TestOnlyListsWithARuleToComeAreAnnounced(t *testing.T) {
	d := mixed(10)
	d.Target.Lists = []planfile.List{{Kind: reconcile.IOC, Name: "from_OpenCTI"}, {Kind: reconcile.YARA, Name: "from_OpenCTI"}}
	var text bytes.Buffer
	if err := render.Text(&text, d, render.Options{}); err != nil {
		t.Fatal(err)
	}
	for form, shown := range map[string]string{"text": text.String(), "Markdown": markdownOf(t, d, render.Options{}), "HTML": string(htmlOf(t, d, render.Options{}))} {
		if !strings.Contains(shown, "ioc list") || strings.Contains(shown, "yara list") {
			t.Errorf("%s: %.600s", form, shown)
		}
	}
}
