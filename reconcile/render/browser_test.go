//go:build browser

package render_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// browser starts a Chromium without a window for one test. It finds chromium and google-chrome.
func browser(t *testing.T) context.Context {
	t.Helper()
	// Root cannot have Chromium's sandbox, nor can most containers; the pages are our own.
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.WindowSize(1360, 950))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium (on Debian: apt-get install chromium): %v", err)
	}
	return ctx
}

// tab is a page that is open. When its test ends it must have asked for nothing, opened no dialog, broken
// no policy and thrown no exception.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string

	mu     sync.Mutex
	wrongs []string
}

// tabOf opens a tab for a page that is written to a file, as people open it.
func tabOf(t *testing.T, ctx context.Context, d *planfile.Document) *tab {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.html")
	if err := os.WriteFile(path, htmlOf(t, d, render.Options{}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(ctx)
	tb := &tab{t: t, ctx: ctx, url: "file://" + path}
	wrong := func(format string, args ...any) {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.wrongs = append(tb.wrongs, fmt.Sprintf(format, args...))
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if e.Request.URL != tb.url {
				wrong("the page asked for %s", e.Request.URL)
			}
		case *network.EventWebSocketCreated:
			wrong("the page opened a socket to %s", e.URL)
		case *page.EventJavascriptDialogOpening:
			wrong("the page opened a dialog: %s", e.Message)
		case *page.EventFrameAttached:
			wrong("the page opened a frame")
		case *runtime.EventExceptionThrown:
			wrong("the page's script failed: %+v", e.ExceptionDetails)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				wrong("the browser complains: %s", e.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tb.mu.Lock()
		for _, w := range tb.wrongs {
			t.Error(w)
		}
		tb.mu.Unlock()
		cancel()
	})
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	tb.do(chromedp.Navigate(tb.url))
	return tb
}

func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb.ctx, steps...); err != nil {
		tb.t.Fatal(err)
	}
}

const (
	enter  = "\r"
	escape = "\u001b"
)

// press presses keys, one after the other. The browser makes the letter of a key itself, unless the page
// keeps the key.
func (tb *tab) press(keys string) {
	tb.t.Helper()
	for _, r := range keys {
		down := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: string(r), Text: string(r)}
		switch string(r) {
		case enter:
			down.Key, down.Code, down.WindowsVirtualKeyCode = "Enter", "Enter", 13
		case escape:
			down.Key, down.Code, down.WindowsVirtualKeyCode, down.Text = "Escape", "Escape", 27, ""
		}
		up := down
		up.Type, up.Text = input.DispatchKeyEventTypeKeyUp, ""
		for _, p := range []input.DispatchKeyEventParams{down, up} {
			if _, err := chromedp.Call(tb.ctx, input.DispatchKeyEvent, p); err != nil {
				tb.t.Fatal(err)
			}
		}
	}
}

// eval asks the page.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	v, err := chromedp.Run(tb.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// media sets what the page believes of its reader and its medium.
func (tb *tab) media(medium string, features map[string]string) {
	tb.t.Helper()
	p := emulation.SetEmulatedMediaParams{Media: medium}
	for name, value := range features {
		p.Features = append(p.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	if _, err := chromedp.Call(tb.ctx, emulation.SetEmulatedMedia, p); err != nil {
		tb.t.Fatal(err)
	}
}

// painted waits until what was asked for is on the screen.
const painted = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// keep stores what a test saw in the directory that BROWSER_ARTIFACTS names.
func (tb *tab) keep(name string, b []byte) {
	tb.t.Helper()
	dir := os.Getenv("BROWSER_ARTIFACTS")
	if dir == "" {
		dir = tb.t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
		tb.t.Fatal(err)
	}
}

// shot is what the screen shows.
func (tb *tab) shot(name string) image.Image {
	tb.t.Helper()
	eval[bool](tb, painted)
	b, err := chromedp.Run(tb.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		tb.t.Fatal(err)
	}
	tb.keep(name, b)
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		tb.t.Fatal(err)
	}
	return img
}

// allRemovals is mixed with nothing but removals.
func allRemovals(n int) *planfile.Document {
	d := mixed(n)
	for i := range d.Changes.Len() {
		c := d.Changes.At(i)
		c.Action, c.Reason, c.Before, c.After = reconcile.Delete, reconcile.IndicatorGone, &reconcile.Body{Enabled: true}, nil
	}
	return d
}

func TestBrowserOpensLargePlansInTwoSeconds(t *testing.T) {
	ctx := browser(t)
	for _, tt := range []struct {
		name string
		plan *planfile.Document
	}{{"5,000 changes", mixed(5000)}, {"10,000 changes", mixed(10_000)}, {"10,000 removals", allRemovals(10_000)}} {
		t.Run(tt.name, func(t *testing.T) {
			tb := tabOf(t, ctx, tt.plan)
			best := time.Hour // of three: the machine may be busy
			for range 3 {
				start := time.Now()
				tb.do(chromedp.Navigate(tb.url))
				if !eval[bool](tb, painted+`.then(() => document.querySelector("#removals .row").checkVisibility() && !document.getElementById("tools").hidden)`) {
					t.Fatal("nothing to see")
				}
				best = min(best, time.Since(start))
			}
			t.Logf("open in %v", best.Round(time.Millisecond))
			if best > 2*time.Second {
				t.Errorf("it takes %v to open", best)
			}
			start := time.Now()
			tb.press("/")
			tb.press("host-00042")
			if got := eval[string](tb, painted+`.then(() => document.getElementById("status").textContent)`); !strings.HasPrefix(got, "1 of ") {
				t.Errorf("a search finds %q", got)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("ten letters of a search take %v", took)
			}
		})
	}
}

// TestBrowserReachesEveryRemovalByKeys presses one key for the list of all removals, each with its reason
// before the reader, and one more for each removal.
func TestBrowserReachesEveryRemovalByKeys(t *testing.T) {
	d := mixed(5000)
	tb := tabOf(t, browser(t), d)
	tb.press("/")
	tb.press("nothing is like this") // whatever was looked for before
	tb.press(escape + escape)
	tb.press("/")
	tb.press("host-00001" + enter)
	tb.press("r")
	rows := eval[[]string](tb, `Array.from(document.querySelectorAll(".row")).filter(r => r.checkVisibility() && r.getBoundingClientRect().height > 20).map(r => r.innerText)`)
	var removals []*reconcile.Change
	for i := range d.Changes.Len() {
		if d.Changes.At(i).Action.Removal() {
			removals = append(removals, d.Changes.At(i))
		}
	}
	if len(rows) != len(removals) || len(rows) < 1600 {
		t.Fatalf("%d rows are shown for %d removals", len(rows), len(removals))
	}
	says := func(row string, c *reconcile.Change) {
		t.Helper()
		for _, want := range []string{string(c.Action), c.Value, string(c.Reason), c.Owners[0].Name} {
			if !strings.Contains(row, want) {
				t.Fatalf("%s: the row %q does not say %q", c.Label(), row, want)
			}
		}
	}
	for i, c := range removals {
		says(rows[i], c)
	}
	const focused = `(() => { const r = document.activeElement, b = r.getBoundingClientRect(); return r.classList.contains("row") && b.top >= 0 && b.bottom <= innerHeight ? r.innerText : "out of sight: " + r.innerText })()`
	for i, c := range removals {
		row := eval[string](tb, focused)
		if strings.HasPrefix(row, "out of sight") {
			t.Fatalf("removal %d has the focus and is %s", i, row)
		}
		says(row, c)
		tb.press("r")
	}
	tb.press("5")
	says(eval[string](tb, focused), removals[len(removals)/2])
	tb.press(enter)
	if got := eval[string](tb, `document.activeElement.querySelector(".panel").innerText`); !strings.Contains(got, string(removals[len(removals)/2].Reason)+" — ") {
		t.Errorf("opened it says %q", got)
	}
}

func TestBrowserSearchesAndFilters(t *testing.T) {
	d := mixed(5000)
	zebra := d.Changes.At(4321)
	zebra.Owners[0].Name = "Zebra campaign"
	d.Changes.Set(4321, zebra)
	d.Held = plantest.Held(reconcile.Held{Kind: reconcile.Sigma, Name: "a held rule", Reason: reconcile.Pinned, Detail: "disabled in the console"})
	d.Skipped = plantest.Skipped(reconcile.Skip{Indicator: "0f0f0f0f-0000-4000-8000-000000000000", Reason: reconcile.PatternAnd, Detail: "a AND b"})
	tb := tabOf(t, browser(t), d)
	shown := func() []string {
		return eval[[]string](tb, `lists.filter(l => !l.section.hidden).flatMap(l => l.shown.map(label))`)
	}
	for _, tt := range []struct{ name, query, want string }{
		{"a value", "host-04999.example", "host-04999.example"},
		{"a defanged value", "host-04998[.]example", "host-04998.example"},
		{"an owner's name, in any case", "ZEBRA camp", "host-04321.example"},
		{"an owner's internal id", d.Changes.At(1234).Owners[0].ID, "host-01234.example"},
		{"an owner's standard id", "indicator--2222", "host-02222.example"},
		{"a row's id", "row-777", "host-00777.example"},
		{"a held rule", "held rule", "a held rule"},
		{"a skipped indicator", "0f0f0f0f", "0f0f0f0f-0000-4000-8000-000000000000"},
		{"why it is skipped", "a and b", "0f0f0f0f-0000-4000-8000-000000000000"},
		{"nothing", "no such thing", ""},
	} {
		tb.press("a")
		tb.press("/")
		tb.press(tt.query)
		if got := strings.Join(shown(), " "); got != tt.want {
			t.Errorf("%s: %q shows %.80q", tt.name, tt.query, got)
		}
		if got := eval[bool](tb, `document.getElementById("nothing").checkVisibility()`); got != (tt.want == "") {
			t.Errorf("%s: it says that nothing matches: %v", tt.name, got)
		}
		tb.press(escape + escape)
	}
	filter := func(name, value string) {
		eval[bool](tb, fmt.Sprintf(`(() => { const s = document.getElementById(%q); s.value = %q; s.dispatchEvent(new Event("change")); return s.value === %[2]q })()`, name, value))
	}
	by := d.Summary.ByAction
	for _, tt := range []struct {
		name    string
		filters map[string]string
		want    int
	}{
		{"updates", map[string]string{"action": "update"}, by["update"]},
		{"all removals", map[string]string{"action": "removals"}, by["delete"] + by["disable"]},
		{"deletes for one reason", map[string]string{"action": "delete", "reason": "revoked"}, (by["delete"] + 1) / 3},
		{"held rules of a kind", map[string]string{"kind": "sigma"}, 1},
		{"a type", map[string]string{"type": "domain_name"}, 5000},
		{"what cannot be", map[string]string{"type": "domain_name", "kind": "sigma"}, 0},
		{"skipped", map[string]string{"action": "skipped"}, 1},
	} {
		tb.press("a")
		for name, value := range tt.filters {
			filter(name, value)
		}
		if got := len(shown()); got != tt.want {
			t.Errorf("%s: %d rows, want %d", tt.name, got, tt.want)
		}
	}
	tb.press(escape)
	if got := len(shown()); got != 5002 {
		t.Errorf("%d rows when everything is shown", got)
	}
}

func TestBrowserKeysMoveThroughLists(t *testing.T) {
	d := mixed(1200)
	tb := tabOf(t, browser(t), d)
	at := func() string {
		return eval[string](tb, `document.activeElement.querySelector?.(".value")?.textContent ?? ""`)
	}
	for _, tt := range []struct{ keys, want string }{
		{"j", "host-00000.example"},
		{"jj", "host-00002.example"},
		{"k", "host-00001.example"},
		{"n", "host-00400.example"},  // the list after the removals
		{"k", "host-00399.example"},  // over the end of a list
		{"jn", "host-00600.example"}, // updates
		{"5", "host-00700.example"},  // their middle, which was not laid out before
		{"p", "host-00600.example"},
		{"p", "host-00400.example"},
		{"9", "host-00580.example"},
		{"nnnn", "host-01000.example"}, // creates; there is no list after them
		{"0", "host-01000.example"},
		{"a/host-00877" + enter, "host-00877.example"},
	} {
		tb.press(tt.keys)
		if got := at(); got != tt.want {
			t.Errorf("after %q the focus is on %q, want %q", tt.keys, got, tt.want)
		}
	}
	if got := eval[string](tb, `getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth`); got != "solid2px" {
		t.Errorf("the focus looks like %q", got)
	}
	open := `document.activeElement.querySelector(".open").getAttribute("aria-expanded")`
	tb.press(enter)
	if got := eval[string](tb, open); got != "true" {
		t.Errorf("Enter leaves the row %q", got)
	}
	tb.press(enter)
	if got := eval[string](tb, open); got != "false" {
		t.Errorf("Enter once more leaves the row %q", got)
	}
	tb.press("?")
	if !eval[bool](tb, `document.getElementById("help").open`) {
		t.Error("? shows no help")
	}
	tb.press(escape)
	if eval[bool](tb, `document.getElementById("help").open`) {
		t.Error("Esc leaves the help open")
	}
	eval[bool](tb, `document.getElementById("keys-on").click() ?? true`)
	before := at()
	tb.press("jr")
	if got := at(); got != before {
		t.Errorf("keys that are switched off move to %q", got)
	}
	eval[bool](tb, `document.getElementById("keys-on").click() ?? true`)
}

func TestBrowserShowsDiffsSideBySide(t *testing.T) {
	tb := tabOf(t, browser(t), cases(t)["changes"])
	tb.press("/")
	tb.press("name of sig" + enter + enter)
	got := eval[[][]string](tb, `Array.from(document.querySelectorAll(".panel .diff tbody tr")).map(r => Array.from(r.cells).map(c => c.textContent))`)
	want := [][]string{{"@@ -1,7 +1,9 @@"}, {"1", "detection:", "1", "detection:"}, {"4−", "        CommandLine|contains: -enc", "4+", "        CommandLine|contains:"}, {"", "", "5+", "            - '-enc '"}}
	for _, w := range want {
		found := false
		for _, g := range got {
			found = found || fmt.Sprint(g) == fmt.Sprint(w)
		}
		if !found {
			t.Errorf("no row %q in %q", w, got)
		}
	}
	tb.press("a/c2.example" + enter + enter)
	fields := eval[string](tb, `document.querySelector(".row.opened .fields").innerText`)
	if !regexp.MustCompile(`description\s+about c2\s+about c2, seen again`).MatchString(fields) {
		t.Errorf("fields: %q", fields)
	}
}

func TestBrowserRunsNothingHostile(t *testing.T) {
	long := strings.Repeat("A", 30_000)
	for name, s := range map[string]string{
		"scripts":   `</script><script>pwned=1</script><img src=http://127.0.0.1:9/x onerror=pwned=1><svg onload=pwned=1><iframe srcdoc="<script>top.pwned=1</script>"><style>@import 'http://127.0.0.1:9/y'</style>`,
		"breakouts": "\"'><a href=javascript:pwned=1>x</a><!--<script>--><template></template>{{.Script}}${pwned=1}`\\u003cscript\\u003e\u2028pwned=1//",
		"hidden":    "a\u202eb\u2066c\u2069\x00\x1b[2J\x07\xed\xa0\x80\xff\u200b\ufeff\u2028",
		"long":      long,
	} {
		t.Run(name, func(t *testing.T) {
			d := hostileDocument(s, s)
			d.Source.URL = "javascript:pwned=1//" + s
			tb := tabOf(t, browser(t), d)
			if wide := eval[string](tb, `document.documentElement.scrollWidth > innerWidth ? Array.from(document.querySelectorAll("*")).filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.tagName + "." + e.className).join(" ") : ""`); wide != "" {
				t.Errorf("wider than the window: %s", wide)
			}
			n := eval[int](tb, `(() => {
				for (const list of lists) { for (let n = 0; n < list.shown.length; n++) toggle(list.rowAt(n)); }
				document.querySelectorAll(".offer").forEach(b => b.click());
				return document.querySelectorAll(".panel").length;
			})()`)
			if want := d.Changes.Len() + d.Held.Len() + d.Skipped.Len(); n != want {
				t.Errorf("%d rows are open, want %d", n, want)
			}
			tb.press("/")
			tb.press("pwned" + enter + "jk" + escape + escape)
			eval[bool](tb, painted)
			if got := eval[string](tb, `String(window.pwned) + document.querySelectorAll("script").length + document.querySelectorAll("img, iframe, object, embed, link, base, video, [onclick], [onload], [onerror], [style*=url], a[href^='javascript' i]").length`); got != "undefined20" {
				t.Errorf("what came from outside took effect: %s", got)
			}
			body := eval[string](tb, `document.body.innerText`)
			if m := badInText.FindString(strings.ReplaceAll(body, "\t", "")); m != "" {
				t.Errorf("%q is shown as it is", m)
			}
			if name == "hidden" {
				for _, want := range []string{`a\u{202e}b\u{2066}c\u{2069}\u{0}\u{1b}[2J\u{7}\xed\xa0\x80\xff\u{200b}\u{feff}\u{2028}`} {
					if !strings.Contains(body, want) {
						t.Errorf("%s is not shown", want)
					}
				}
			}
			if name == "long" && !strings.Contains(body, long) {
				t.Error("a long value cannot be seen whole")
			}
			if wide := eval[bool](tb, `document.documentElement.scrollWidth > innerWidth`); wide {
				t.Error("the page is wider than the window")
			}
		})
	}
}
