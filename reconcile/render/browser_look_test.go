//go:build browser

package render_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// brightness is the mean brightness of an image, 0 to 255.
func brightness(img image.Image) float64 {
	sum, n := 0.0, 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 3 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 3 {
			sum += float64(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y)
			n++
		}
	}
	return sum / float64(n)
}

// contrast lists the texts of a page that stand out too little from what is behind them: less than 4.5 to
// 1, or 3 to 1 where they are large (WCAG 2.2, 1.4.3).
const contrast = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
	const rgb = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
	const light = (c) => { const [r, g, b] = Array.from(c).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
	const bad = new Set();
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walk.nextNode()) {
		const e = walk.currentNode.parentElement;
		if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest(".unseen, .skip, option, script, thead")) continue;
		const s = getComputedStyle(e), a = light(rgb(s.color)), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < (parseFloat(s.fontSize) >= 24 ? 3 : 4.5)) bad.add(e.className + " " + e.parentElement.className + ": " + walk.currentNode.data.trim().slice(0, 30) + " " + ratio.toFixed(2));
	}
	return Array.from(bad);
})()`

func TestBrowserPageIsLightAndDarkAndLegible(t *testing.T) {
	ctx := browser(t)
	for name, d := range map[string]*planfile.Document{"changes": cases(t)["changes"], "refused": cases(t)["refused"], "first-load": cases(t)["first-load"], "1000": mixed(1000)} {
		t.Run(name, func(t *testing.T) {
			tb := tabOf(t, ctx, d)
			shots := map[string]float64{}
			for _, scheme := range []string{"light", "dark"} {
				tb.media("", map[string]string{"prefers-color-scheme": scheme})
				shots[scheme] = brightness(tb.shot(name + "-" + scheme + ".png"))
			}
			if shots["light"] < 180 || shots["dark"] > 80 {
				t.Errorf("brightness %v", shots)
			}
			if name == "1000" {
				tb.press("r")
				tb.shot(name + "-removals-dark.png")
			} else {
				eval[bool](tb, `(() => { for (const list of lists) for (let n = 0; n < Math.min(6, list.shown.length); n++) toggle(list.rowAt(n)); return true })()`)
			}
			for _, scheme := range []string{"light", "dark"} {
				tb.media("", map[string]string{"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
				for _, bad := range eval[[]string](tb, contrast) {
					t.Errorf("%s: hard to read: %s", scheme, bad)
				}
				if name == "1000" {
					continue
				}
				b, err := chromedp.Run(tb.ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(err)
				}
				tb.keep(name+"-open-"+scheme+".png", b)
			}
			if got := eval[string](tb, `Array.from(document.querySelectorAll("*"), e => getComputedStyle(e).transitionDuration).filter(d => d !== "0s").join()`); got != "" {
				t.Errorf("with reduced motion something moves: %s", got)
			}
			// The button's choice is stronger than the system's.
			tb.media("", map[string]string{"prefers-color-scheme": "light"})
			eval[bool](tb, `document.getElementById("theme").click() ?? true`)
			if got := brightness(tb.shot(name + "-chosen.png")); got > 80 {
				t.Errorf("the button gives a page of brightness %v", got)
			}
			eval[bool](tb, `(document.getElementById("theme").click(), document.getElementById("theme").click(), true)`)
		})
	}
}

// A list of a million rules is no reason to break a number.
func TestBrowserTilesHoldAMillion(t *testing.T) {
	d := mixed(60)
	d.Summary.ByAction["unchanged"], d.Summary.ByAction["create"], d.Summary.ByAction["skipped"] = 1234567, 123456, 123456
	tb := tabOf(t, browser(t), d)
	for _, width := range []int64{390, 920, 1280} {
		if _, err := chromedp.Run(tb.ctx, chromedp.EmulateViewport(width, 900)); err != nil {
			t.Fatal(err)
		}
		tb.shot(fmt.Sprintf("million-%d.png", width))
		broken := eval[[]string](tb, `Array.from(document.querySelectorAll(".tile")).filter(e => { const n = e.querySelector(".number"); return n.getBoundingClientRect().height > 1.5 * parseFloat(getComputedStyle(n).fontSize) || e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth; }).map(e => e.textContent)`)
		if len(broken) > 0 {
			t.Errorf("at %d pixels these tiles do not hold their number: %q", width, broken)
		}
	}
}

// What is skipped is for the screen, and on paper if asked.
func TestBrowserPrintsSkipsIfAsked(t *testing.T) {
	d := mixed(6)
	for i := range 9 {
		d.Skipped.Add(&reconcile.Skip{Indicator: fmt.Sprint("i", i), Name: fmt.Sprint("Skipped ", i), Reason: reconcile.PatternAnd, Detail: "an AND"})
	}
	tb := tabOf(t, browser(t), d)
	printed := func() string {
		tb.media("print", nil)
		return eval[string](tb, `[document.querySelectorAll("#skipped .row").values().filter(r => r.checkVisibility()).toArray().length, document.querySelector(".on-paper").checkVisibility()].join()`)
	}
	if got := printed(); got != "0,true" {
		t.Errorf("skipped rows and the line for them on paper: %s", got)
	}
	tb.media("", nil)
	if got := eval[string](tb, `(document.getElementById("print-skipped").click(), document.querySelector("#skipped .row .what").textContent)`); !strings.Contains(got, "Skipped 0") {
		t.Errorf("a skip is shown as %q", got)
	}
	if got := printed(); got != "9,false" {
		t.Errorf("asked for: %s", got)
	}
}

func TestBrowserPrintsEveryRemoval(t *testing.T) {
	d := mixed(1200)
	tb := tabOf(t, browser(t), d)
	tb.press("/")
	tb.press("host-01000" + enter) // a filter takes no removal off the paper
	tb.media("print", nil)
	if n := eval[int](tb, `Array.from(document.querySelectorAll("#removals .row")).filter(r => r.checkVisibility() && r.getBoundingClientRect().height > 5).length`); n != 400 {
		t.Errorf("%d of 400 removals would be printed", n)
	}
	if n := eval[int](tb, `document.querySelectorAll("#tools, .open, #help").values().filter(e => e.checkVisibility()).toArray().length`); n != 0 {
		t.Errorf("%d controls would be printed", n)
	}
	tb.media("", nil)
	tb.press("a")
	pdf, err := chromedp.Run(tb.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPrintBackground()))
	if err != nil {
		t.Fatal(err)
	}
	tb.keep("plan.pdf", pdf)
	pages := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf, -1))
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || pages < 12 {
		t.Errorf("%d pages of PDF for 1,200 changes", pages)
	}
}

func TestBrowserWithoutScriptsShowsWhatMatters(t *testing.T) {
	d := cases(t)["refused"]
	tb := tabOf(t, browser(t), d)
	if _, err := chromedp.Call(tb.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	tb.do(chromedp.Navigate(tb.url))
	text, err := chromedp.Run(tb.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Refused by 1 gate", "--accept-removals 20", "host-20.campaign.example", "host-39.campaign.example", "indicator_gone", "Gates, summary and every removal are shown"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if strings.Contains(text, "All actions") {
		t.Error("controls that do nothing are shown")
	}
	b, err := chromedp.Run(tb.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	tb.keep("without-scripts.png", b)
}

func TestBrowserSpeaksToAssistiveTechnology(t *testing.T) {
	tb := tabOf(t, browser(t), cases(t)["changes"])
	tree, err := chromedp.Call(tb.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored || n.Role == nil {
			continue
		}
		role := strings.Trim(string(n.Role.Value), `"`)
		roles[role]++
		named := n.Name != nil && strings.Trim(string(n.Name.Value), `" `) != ""
		switch role {
		case "button", "link", "combobox", "searchbox", "region", "navigation", "list", "checkbox", "dialog":
			if !named && !(role == "list" && n.ChildIDs == nil) {
				t.Errorf("a %s has no name", role)
			}
		}
	}
	for role, least := range map[string]int{"banner": 1, "main": 1, "contentinfo": 1, "navigation": 1, "search": 1, "heading": 5, "list": 4, "listitem": 7, "button": 7, "searchbox": 1, "combobox": 4, "status": 1} {
		if roles[role] < least {
			t.Errorf("%d %s, want %d at least; all: %v", roles[role], role, least, roles)
		}
	}
}
