package render_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

func htmlOf(t testing.TB, d *planfile.Document, o render.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := render.HTML(&b, d, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// seenPage is what a browser without scripts makes of a page.
type seenPage struct {
	text     string            // of the body, without scripts and templates
	removals []string          // texts of the rows in the list of removals
	links    []string          // addresses that leave the page
	data     map[string][]any  // of the JSON
	base     string            // likewise
	policy   string            // Content-Security-Policy
	blocks   map[string]string // texts of style, script and data
}

var allowedElements = strings.Fields(`html head meta title style body nav a header div p b h1 h2 h3 span code dl dt dd time main section article
	svg rect ul li details summary table caption thead tbody tr th td noscript label input select option button kbd footer dialog form template script`)

var allowedAttributes = strings.Fields(`lang charset http-equiv content name class id href aria-label aria-hidden aria-labelledby aria-expanded aria-keyshortcuts
	datetime tabindex role hidden type placeholder autocomplete spellcheck value target rel scope method checked autofocus title
	viewbox viewBox preserveAspectRatio preserveaspectratio x y width height`)

// readPage parses a page as a browser does, and fails on whatever could run, load or send.
func readPage(t interface{ Fatalf(string, ...any) }, page []byte) seenPage {
	doc, err := html.ParseWithOptions(bytes.NewReader(page), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	seen := seenPage{blocks: map[string]string{}}
	var text strings.Builder
	var walk func(n *html.Node, hidden bool)
	walk = func(n *html.Node, hidden bool) {
		if n.Type == html.CommentNode {
			t.Fatalf("a comment: %q", n.Data)
		}
		if n.Type == html.TextNode && !hidden {
			text.WriteString(n.Data)
		}
		if n.Type == html.ElementNode {
			attr := seen.take(t, n)
			hidden = hidden || n.Data == "script" || n.Data == "style" || n.Data == "template" || n.Data == "dialog" || n.Data == "title"
			if strings.Contains(" "+attr["class"]+" ", " row ") && !hidden {
				seen.removals = append(seen.removals, textOf(n))
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, hidden)
		}
	}
	walk(doc, false)
	seen.text = text.String()
	var data struct {
		Base                           string
		Owners, Changes, Held, Skipped []any
		Meanings, Causes               map[string]string
	}
	dec := json.NewDecoder(strings.NewReader(seen.blocks["scriptapplication/json"]))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&data); err != nil {
		t.Fatalf("data: %v", err)
	}
	seen.base, seen.data = data.Base, map[string][]any{"owners": data.Owners, "changes": data.Changes, "held": data.Held, "skipped": data.Skipped}
	return seen
}

// take checks an element, keeps what its attributes say of the page, and gives them.
func (seen *seenPage) take(t interface{ Fatalf(string, ...any) }, n *html.Node) map[string]string {
	if !slices.Contains(allowedElements, n.Data) {
		t.Fatalf("an element %q", n.Data)
	}
	attr := map[string]string{}
	for _, a := range n.Attr {
		if !slices.Contains(allowedAttributes, a.Key) {
			t.Fatalf("an attribute %s=%q of %s", a.Key, a.Val, n.Data)
		}
		attr[a.Key] = a.Val
	}
	if href, ok := attr["href"]; ok && !strings.HasPrefix(href, "#") {
		if n.Data != "a" || attr["rel"] != "noopener noreferrer" {
			t.Fatalf("%s leads to %q", n.Data, href)
		}
		seen.links = append(seen.links, href)
	}
	switch n.Data {
	case "meta":
		if attr["http-equiv"] != "" {
			seen.policy += attr["content"]
		}
	case "style", "script":
		name := n.Data + attr["type"]
		if _, twice := seen.blocks[name]; twice || n.FirstChild == nil || n.FirstChild.NextSibling != nil {
			t.Fatalf("two blocks of %s", name)
		}
		seen.blocks[name] = n.FirstChild.Data
	case "form":
		if attr["method"] != "dialog" {
			t.Fatalf("a form that sends")
		}
	}
	return attr
}

func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(textOf(c))
	}
	return b.String()
}

// checkPage holds a page to what must be so of every plan.
func checkPage(t interface{ Fatalf(string, ...any) }, d *planfile.Document, page []byte) seenPage {
	seen := readPage(t, page)
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	want := "default-src 'none'; script-src " + hash(seen.blocks["script"]) + "; style-src " + hash(seen.blocks["style"]) + "; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	if seen.policy != want {
		t.Fatalf("policy %q, want %q", seen.policy, want)
	}
	if m := badInText.Find(page); m != nil {
		t.Fatalf("%q stands in the page as it is", m)
	}
	for _, part := range seen.data {
		checkTexts(t, part)
	}
	if n := [3]int{len(seen.data["changes"]), len(seen.data["held"]), len(seen.data["skipped"])}; n != [3]int{d.Changes.Len(), d.Held.Len(), d.Skipped.Len()} {
		t.Fatalf("the data has %v changes, held items and skips", n)
	}
	checkRemovals(t, d, seen.removals)
	for _, link := range seen.links {
		if seen.base == "" || !strings.HasPrefix(link, seen.base) || !(strings.HasPrefix(link, "https://") || strings.HasPrefix(link, "http://")) {
			t.Fatalf("a link to %q", link)
		}
	}
	for i := range d.Gates {
		if g := &d.Gates[i]; !g.OK && !(strings.Contains(seen.text, render.Escape(g.Message)) && strings.Contains(seen.text, render.Escape(g.Override)) && strings.Contains(seen.text, strconv.Itoa(g.Limit))) {
			t.Fatalf("gate %q is not shown", g.ID)
		}
	}
	if !strings.Contains(seen.text, render.LastLine(d)) {
		t.Fatalf("the last line is missing")
	}
	return seen
}

// checkTexts looks at every text in the data.
func checkTexts(t interface{ Fatalf(string, ...any) }, v any) {
	switch v := v.(type) {
	case string:
		if m := badInText.FindString(strings.ReplaceAll(v, "\t", "")); m != "" {
			t.Fatalf("%q is in the data as it is", m)
		}
	case []any:
		for _, e := range v {
			checkTexts(t, e)
		}
	case map[string]any:
		for _, e := range v {
			checkTexts(t, e)
		}
	}
}

// checkRemovals wants every removal in a row, in their order.
func checkRemovals(t interface{ Fatalf(string, ...any) }, d *planfile.Document, rows []string) {
	at := 0
	for i := range d.Changes.Len() {
		c := d.Changes.At(i)
		if !c.Action.Removal() {
			continue
		}
		if at == len(rows) {
			t.Fatalf("%d removals are listed, and not %s", at, c.Label())
		}
		row := rows[at]
		for _, want := range []string{c.Action.Symbol() + " " + string(c.Action), render.Escape(string(c.Reason))} {
			if !strings.Contains(row, want) {
				t.Fatalf("removal %d says %q, without %q", at, row, want)
			}
		}
		if v := render.Escape(c.Value); len([]rune(v)) <= 160 && !strings.Contains(row, v) {
			t.Fatalf("removal %d says %q, without %q", at, row, v)
		}
		at++
	}
	if at != len(rows) {
		t.Fatalf("%d removals are listed, of %d", len(rows), at)
	}
}

func TestHTMLIsClosedAndShowsRemovalsWithoutAScript(t *testing.T) {
	for name, d := range cases(t) {
		t.Run(name, func(t *testing.T) { checkPage(t, d, htmlOf(t, d, render.Options{})) })
	}
	d := mixed(1000)
	seen := checkPage(t, d, htmlOf(t, d, render.Options{}))
	if n := len(seen.links); n != len(seen.removals) || n < 300 {
		t.Errorf("%d links for %d removals", n, len(seen.removals))
	}
	if want := "https://cti.example/dashboard/observations/indicators/" + d.Changes.At(7).Owners[0].ID; seen.links[7] != want {
		t.Errorf("link %q, want %q", seen.links[7], want)
	}
}

func TestHTMLOfHostileValuesIsInert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := genDocument(t)
		d.Source.URL, d.Target.URL = genHostile.Draw(t, "source"), genHostile.Draw(t, "target")
		var b bytes.Buffer
		if err := render.HTML(&b, d, render.Options{}); err != nil {
			t.Fatal(err)
		}
		checkPage(t, d, b.Bytes())
	})
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{"</script><script>alert(1)</script>", "<!--<script>", "\u2028\u202e\x00", "\xed\xa0\x80", `" onload="x`, "javascript:alert(1)", "{{.Script}}", "https://u:p@h/%2e%2e?q#f", "]]>", "\\u003c"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, value, name, source string) {
		d := hostileDocument(value, name)
		d.Source.URL = source
		checkPage(t, d, htmlOf(t, d, render.Options{}))
	})
}

// hostileDocument has a value and a name wherever a plan has texts.
func hostileDocument(value, name string) *planfile.Document {
	body := func(s string) *reconcile.Body {
		return &reconcile.Body{Name: &s, HLStatus: s, Description: &s, Comment: &s, Content: &s}
	}
	owner := []reconcile.Owner{{ID: name, StandardID: value, Name: name}, {Name: value}}
	p := reconcile.Plan{}
	for _, a := range reconcile.Actions {
		for _, k := range reconcile.Kinds {
			p.Changes.Add(&reconcile.Change{Kind: k, List: name, Type: value, Value: value, Name: value, Action: a, Reason: reconcile.Reason(name), Cause: reconcile.Cause(value), ID: name,
				Before: body(value), After: body(name), Fields: []string{"name", "description", "comment", "content", value}, Owners: owner})
		}
	}
	p.Gates = []reconcile.Gate{{ID: name, Name: value, Message: value, Override: name}, {ID: "G1", OK: true, Message: value}}
	p.Held = plantest.Held(reconcile.Held{Kind: reconcile.Sigma, Name: value, Reason: reconcile.Reason(value), Detail: name, Owners: owner})
	p.Skipped = plantest.Skipped(reconcile.Skip{Indicator: name, Reason: reconcile.Reason(name), Detail: value})
	return planfile.New(&p, planfile.Document{ToolVersion: value, Complete: true, Policy: name, Source: planfile.Source{URL: value}, Target: planfile.Target{URL: name, Version: value, Lists: []planfile.List{{Kind: reconcile.IOC, Name: value}}}})
}

func TestOnlyWebAddressesBecomeLinks(t *testing.T) {
	const id = "11111111-1111-4111-8111-111111111111"
	path := "/dashboard/observations/indicators/"
	for _, tt := range []struct{ name, source, id, want string }{
		{"https", "https://cti.example", id, "https://cti.example" + path + id},
		{"a port and a path, with a slash too many", "http://cti.example:8080/octi/", id, "http://cti.example:8080/octi" + path + id},
		{"name, password, question and fragment stay out", "https://u:p@cti.example/?q=1#f", id, "https://cti.example" + path + id},
		{"a script", "javascript:alert(1)//", id, ""},
		{"data", "data:text/html,x", id, ""},
		{"a file", "file:///etc/passwd", id, ""},
		{"no scheme", "//cti.example", id, ""},
		{"no host", "https:///x", id, ""},
		{"no URL", "https://cti.example\n", id, ""},
		{"nothing", "", id, ""},
		{"an id that climbs", "https://cti.example", "../../admin", ""},
		{"an id of dots", "https://cti.example", "..", ""},
		{"an id with a question", "https://cti.example", id + "?x", ""},
		{"no id", "https://cti.example", "", ""},
	} {
		p := reconcile.Plan{Changes: plantest.Changes(reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: "u", Action: reconcile.Delete, Reason: reconcile.Revoked, Before: &reconcile.Body{}, Owners: []reconcile.Owner{{ID: tt.id, Name: "n"}}})}
		d := planfile.New(&p, planfile.Document{Complete: true, Source: planfile.Source{URL: tt.source}})
		if got := strings.Join(readPage(t, htmlOf(t, d, render.Options{})).links, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestThePageSaysWhatThePlanComesTo(t *testing.T) {
	change := []reconcile.Change{{Kind: reconcile.IOC, Type: "url", Value: "u", Action: reconcile.Delete, Before: &reconcile.Body{}}}
	g := func(ok bool) []reconcile.Gate {
		return []reconcile.Gate{{ID: "G4", Name: "removals", OK: ok, Value: 20, Base: 40, Limit: 12, Message: "20 of 40", Override: "--accept-removals 20"}}
	}
	for _, tt := range []struct {
		name string
		plan reconcile.Plan
		head planfile.Document
		want []string
	}{
		{"ready", reconcile.Plan{Changes: plantest.Changes(change...), Gates: g(true)}, planfile.Document{Complete: true, Applyable: true}, []string{"Ready for review", "1 gate passed"}},
		{"nothing to do", reconcile.Plan{}, planfile.Document{Complete: true, Applyable: true}, []string{"Nothing to do", render.NoChanges}},
		{"refused", reconcile.Plan{Changes: plantest.Changes(change...), Gates: g(false)}, planfile.Document{Complete: true}, []string{"Refused by 1 gate", "20 of 40", "Value20", "Base40", "Limit12", "--accept-removals 20"}},
		{"another day", reconcile.Plan{Changes: plantest.Changes(change...)}, planfile.Document{Complete: true, AsOf: &noon}, []string{"as of 2026-03-01T12:00:00Z; such a plan cannot be applied"}},
		{"not complete", reconcile.Plan{Changes: plantest.Changes(change...)}, planfile.Document{}, []string{"Not proven complete"}},
		{"much is new", reconcile.Plan{Changes: plantest.Changes(append(slices.Clone(change), manyNew(300)...)...), Gates: []reconcile.Gate{{ID: "G13", OK: true, Planned: 300, Base: 2000}},
			Origins: &reconcile.Origins{Authors: []reconcile.Counted{{Word: "Feed <x>", Count: 290}, {Count: 10}}, Labels: []reconcile.Counted{{Word: "apt", Count: 7}}}},
			planfile.Document{Complete: true, Applyable: true}, []string{"Review what begins to detect", "300 rules begin to detect (300 ioc domain_name); by author: 290 Feed <x>, 10 none; by label: 7 apt."}},
		{"not so much", reconcile.Plan{Changes: plantest.Changes(append(slices.Clone(change), manyNew(100)...)...), Gates: []reconcile.Gate{{ID: "G13", OK: true, Planned: 100}}},
			planfile.Document{Complete: true, Applyable: true}, []string{"Ready for review"}},
		{"a part is held", heldBy(reconcile.Delete), planfile.Document{Complete: true}, []string{"Refused by 1 gate", "the rest may go on. Held: 20 for gate G4 (removals of ioc rules, by absence); if that is right: --accept-removals 20."}},
		{"not applyable", reconcile.Plan{Changes: plantest.Changes(change...)}, planfile.Document{Complete: true}, []string{"Cannot be applied"}},
	} {
		d := planfile.New(&tt.plan, tt.head)
		for _, o := range []render.Options{{}, {SummaryOnly: true}} {
			seen := readPage(t, htmlOf(t, d, o))
			for _, want := range append(tt.want, render.LastLine(d)) {
				if !strings.Contains(seen.text, want) {
					t.Errorf("%s: %q is missing", tt.name, want)
				}
			}
			if o.SummaryOnly != (len(seen.removals) == 0) && d.Changes.Len() > 0 {
				t.Errorf("%s: %d removals with %+v", tt.name, len(seen.removals), o)
			}
		}
	}
}

// manyNew are rules that begin to detect.
func manyNew(n int) []reconcile.Change {
	text := ""
	var out []reconcile.Change
	for i := range n {
		out = append(out, reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: fmt.Sprintf("h%d.example", i), Action: reconcile.Create, After: &reconcile.Body{Enabled: true, Description: &text, Comment: &text}})
	}
	return out
}

// heldBy is a plan with one removal, and 20 changes that a gate holds.
func heldBy(a reconcile.Action) reconcile.Plan {
	text := ""
	p := reconcile.Plan{Changes: plantest.Changes(reconcile.Change{Kind: reconcile.IOC, Type: "url", Value: "u", Action: reconcile.Delete, Before: &reconcile.Body{}}),
		Gates: []reconcile.Gate{{ID: "G4", Name: "removals_ioc_absence", Kind: reconcile.IOC, Hold: true, Value: 20, Planned: 20, Base: 40, Limit: 12, Message: "20 of 40", Override: "--accept-removals 20"}}}
	for i := range 20 {
		ch := reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: fmt.Sprintf("held%02d.example", i), Action: a, Reason: reconcile.IndicatorGone, Before: &reconcile.Body{Enabled: true, Description: &text, Comment: &text}}
		p.Held.Add(&reconcile.Held{Kind: ch.Kind, Type: ch.Type, Value: ch.Value, Action: a, Reason: reconcile.GateHeld, Gate: "removals_ioc_absence", Change: &ch})
	}
	return p
}

// What a gate holds is listed like what is done: a removal that waits is not to be missed either.
func TestRemovalsThatWaitAreListed(t *testing.T) {
	p := heldBy(reconcile.Delete)
	d := planfile.New(&p, planfile.Document{Complete: true})
	for name, show := range map[string]func(io.Writer, *planfile.Document, render.Options) error{"text": render.Text, "markdown": render.Markdown} {
		var b strings.Builder
		if err := show(&b, d, render.Options{}); err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(`\[.\]`, ".").Replace(b.String())
		for i := range 20 {
			if !strings.Contains(text, fmt.Sprintf("held%02d.example", i)) {
				t.Fatalf("%s does not list removal %d:\n%s", name, i, text)
			}
		}
	}
}

func TestThePageCarriesWhatARowOpensTo(t *testing.T) {
	d := cases(t)["changes"]
	page := string(htmlOf(t, d, render.Options{}))
	data := readPage(t, []byte(page)).blocks["scriptapplication/json"]
	for _, want := range []string{
		`["description","about c2","about c2, seen again"]`,
		`["comment.owners_count","1","2"]`,
		`["enabled","true","false"]`,
		`"d":["@@ -1,7 +1,9 @@"`,
		`-        CommandLine|contains: -enc`,
		`{"i":"c2","s":"indicator--c2","n":"name of c2","p":70,"l":true}`,
		`"a":"held","k":"ioc","t":"domain_name","v":"pinned.example"`,
	} {
		if !strings.Contains(data, want) {
			t.Errorf("no %s in\n%s", want, data)
		}
	}
	if n := strings.Count(data, `"n":"name of c2"`); n != 1 {
		t.Errorf("an owner of one rule stands in the page %d times", n)
	}
	created := readPage(t, htmlOf(t, cases(t)["first-load"], render.Options{})).blocks["scriptapplication/json"]
	for _, want := range []string{`applied=1:99b026bc7bbd9578-stable\nrule r { condition: true }"`, `["description",null,"about i00"]`} {
		if !strings.Contains(created, want) {
			t.Errorf("no %s in\n%s", want, created)
		}
	}
}

// TestEveryReasonIsExplained keeps the words that a plan uses, the page and the README together.
func TestEveryReasonIsExplained(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for _, v := range spec.Values {
			reason, err := strconv.Unquote(v.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if !bytes.Contains(readme, []byte("`"+reason+"`")) {
				t.Errorf("README.md does not explain %s", reason)
			}
			p := reconcile.Plan{Held: plantest.Held(reconcile.Held{Kind: reconcile.IOC, Reason: reconcile.Reason(reason)})}
			seen := readPage(t, htmlOf(t, planfile.New(&p, planfile.Document{Complete: true}), render.Options{}))
			if !strings.Contains(seen.text, "1 "+reason) {
				t.Errorf("the page does not count %s", reason)
			}
			if !strings.Contains(seen.blocks["scriptapplication/json"], fmt.Sprintf(`%q:`, reason)) {
				t.Errorf("the page does not explain %s", reason)
			}
		}
		return true
	})
	if n < 30 {
		t.Errorf("%d reasons; the test looks at too little", n)
	}
}

func BenchmarkHTML(b *testing.B) {
	d := mixed(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := render.HTML(&bytes.Buffer{}, d, render.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(d.Changes.Len())*float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}

// Whoever reads on a phone sees what stands against a plan before where it came from.
func TestGatesComeBeforeWhatIsKnownOfThePlan(t *testing.T) {
	text := string(htmlOf(t, cases(t)["refused"], render.Options{}))
	gates, tiles, facts := strings.Index(text, `id="gates"`), strings.Index(text, `class="tiles"`), strings.Index(text, `class="facts"`)
	if gates < 0 || gates > tiles || tiles > facts {
		t.Errorf("gates at %d, numbers at %d, facts at %d", gates, tiles, facts)
	}
	if !strings.Contains(text, "Removals of ioc rules, by absence <span class=\"gate-name\">gate G4</span>") {
		t.Error("the gate does not say what it is about")
	}
}
