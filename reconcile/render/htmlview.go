package render

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// pageView is what the template shows. Its texts are escaped by Escape already, and by the template
// again.
type pageView struct {
	Policy    string
	Style     template.CSS
	Script    template.JS
	Data      *pageData
	Title     string
	Verdict   verdict
	LastLine  string
	Facts     []fact
	Tiles     []tile
	NewLists  []string
	Unblocked []string
	Impact    string   // the estimate in one line, "" for none
	Felt      []string // values that endpoints see, the most felt first, and what no number covers
	Promotion string   // what becomes of the rules in testing, "" for none
	Waiting   []string // what the others wait for
	Refused   []gateView
	Passed    []gateView
	Sections  []pageSection
	Summary   bool // nothing is listed
	Removals  int
	Blank     rowView // the row that the script copies
}

// verdict is what a plan comes to. Class is refused, idle, ready, wary or unfit.
type verdict struct{ Class, Symbol, Text, Detail string }

// fact is one thing that is known of a plan.
type fact struct {
	Name, Text string
	Time       string // for machines
	Code       bool
}

// tile is one number of the summary. ID is the section that lists it, empty if there is none.
type tile struct {
	Action, Symbol string
	Count          string
	ID             string
	Zero           bool
}

type gateView struct {
	reconcile.Gate
	Title   string // what it is about
	Numbers []fact
	Bar     bool // value and limit are parts of base
	Fill    int  // of 1000
	Tick    int  // likewise
}

func newPageView(d *planfile.Document, o Options) *pageView {
	if o.SummaryOnly {
		bare := *d
		bare.Changes, bare.Held, bare.Skipped = reconcile.Changes{}, reconcile.AllHeld{}, reconcile.AllSkipped{}
		v := pageOf(&bare, d)
		v.Summary = true
		return v
	}
	return pageOf(d, d)
}

// pageOf shows the changes of one document under the head of another.
func pageOf(d, whole *planfile.Document) *pageView {
	p := page()
	v := &pageView{Policy: p.policy, Style: p.style, Script: p.script, Data: dataOf(d), Verdict: verdictOf(whole), LastLine: LastLine(whole), Facts: factsOf(whole)}
	v.Title = fmt.Sprintf("%s: harfangsync plan for %s", v.Verdict.Text, Escape(whole.Target.URL))
	for _, g := range whole.Gates {
		view := viewOfGate(g)
		if g.OK {
			v.Passed = append(v.Passed, view)
		} else {
			v.Refused = append(v.Refused, view)
		}
	}
	for _, l := range newLists(whole) {
		v.NewLists = append(v.NewLists, fmt.Sprintf("the %s list “%s”", l.Kind, Escape(l.Name)))
	}
	summary, seen, notes := impactLines(whole, foldOver)
	v.Impact = Escape(summary)
	for _, text := range append(seen, notes...) {
		v.Felt = append(v.Felt, Escape(text))
	}
	promoted, waiting := promotionWords(whole)
	v.Promotion = Escape(promoted)
	for _, text := range waiting {
		v.Waiting = append(v.Waiting, Escape(text))
	}
	for i := range whole.Unblocked {
		v.Unblocked = append(v.Unblocked, Escape(unblockWords(&whole.Unblocked[i])))
	}
	v.sections(d)
	v.tiles(whole)
	return v
}

func verdictOf(d *planfile.Document) verdict {
	refused := len(Refused(d))
	switch {
	case refused > 0:
		return verdict{"refused", "✕", fmt.Sprintf("Refused by %s", reconcile.Count(refused, "gate")), refusedWords(d)}
	case d.AsOf != nil:
		return verdict{"unfit", "◷", "A look at another day", "Validity dates were judged as of " + d.AsOf.UTC().Format(time.RFC3339) + "; such a plan cannot be applied."}
	case !d.Complete:
		return verdict{"unfit", "?", "Not proven complete", "A side was not read to its end; such a plan cannot be applied."}
	case d.Changes.Len() == 0 && len(d.SwitchedOff()) > 0:
		return verdict{"unfit", "!", "A list is switched off", "Enable it in the console: until then its rules detect nothing."}
	case d.Changes.Len() == 0:
		return verdict{"idle", "=", "Nothing to do", ""}
	case !d.Applyable:
		return verdict{"unfit", "?", "Cannot be applied", "The plan is marked as not to be applied."}
	}
	if words := beginWords(d); words != "" {
		return verdict{"wary", "!", "Review what begins to detect", words}
	}
	return verdict{"ready", "✓", "Ready for review", "Every gate passes. Applying this plan makes exactly these changes."}
}

// refusedWords say what refused gates keep from being done.
func refusedWords(d *planfile.Document) string {
	if waits := Waits(d); waits != "" {
		return "What the gates below are about is held; the rest may go on. Held: " + waits + "."
	}
	return "Nothing is written until every gate below passes or is overridden."
}

// beginWords say how much begins to detect, of which types, and where it comes from, if that is much: over a
// hundred rules of a kind, and a tenth of those that there are.
func beginWords(d *planfile.Document) string {
	much := false
	for _, g := range d.Gates {
		much = much || g.ID == "G13" && g.Planned > 100 && g.Planned > g.Base/10
	}
	if !much {
		return ""
	}
	n, types := 0, map[string]int{}
	for i := range d.Changes.Len() {
		if a := d.Changes.Action(i); a == reconcile.Create || a == reconcile.Enable {
			n++
			types[strings.TrimSpace(d.Changes.Kind(i).String()+" "+d.Changes.Type(i))]++
		}
	}
	words := fmt.Sprintf("Every gate passes, and much is new: %s rules begin to detect (%s)", thousands(n), fewWords(types))
	if o := d.Origins; o != nil {
		for _, of := range []struct {
			what  string
			words []reconcile.Counted
		}{{"by author", o.Authors}, {"by label", o.Labels}} {
			named := map[string]int{}
			for _, c := range of.words {
				named[cmp.Or(c.Word, "none")] += c.Count
			}
			if len(named) > 0 {
				words += "; " + of.what + ": " + fewWords(named)
			}
		}
	}
	return words + "."
}

// fewWords are the most frequent words with their numbers.
func fewWords(n map[string]int) string {
	var out []string
	for i, w := range mostFirst(n) {
		if i == fewNamed {
			out = append(out, "...")
			break
		}
		out = append(out, thousands(n[w])+" "+Escape(cutRunes(w, 60)))
	}
	return strings.Join(out, ", ")
}

func factsOf(d *planfile.Document) []fact {
	to := Escape(d.Target.URL)
	if d.Target.Version != "" {
		to += " (" + Escape(d.Target.Version) + ")"
	}
	names := []string{}
	for _, l := range d.Target.Lists {
		if name := Escape(l.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	s := d.Source.Selected
	return []fact{
		{Name: "From", Text: Escape(d.Source.URL)},
		{Name: "To", Text: to},
		{Name: "Made", Text: d.Timestamp.UTC().Format("2 January 2006, 15:04 UTC"), Time: d.Timestamp.UTC().Format(time.RFC3339)},
		{Name: "Lists", Text: strings.Join(names, ", ")},
		{Name: "Read", Text: fmt.Sprintf("%s %s; wanted: %s ioc, %s sigma, %s yara", thousands(d.Source.Count), reconcile.Plural(d.Source.Count, "indicator", "indicators"), thousands(s.IOC), thousands(s.Sigma), thousands(s.YARA))},
		{Name: "Policy", Text: Escape(d.Policy)},
		{Name: "Digest", Text: Escape(d.Digest), Code: true},
		{Name: "Version", Text: Escape(d.ToolVersion)},
	}
}

// viewOfGate is a gate with a bar where its numbers allow one: those of G4 are all counts of rules.
func viewOfGate(g reconcile.Gate) gateView {
	v := gateView{Gate: g, Title: title(guarded(&g))}
	if g.Limit > 0 || g.Value > 0 { // a gate that limits something
		v.Numbers = []fact{{Name: "Value", Text: thousands(g.Value)}, {Name: "Base", Text: thousands(g.Base)}, {Name: "Limit", Text: thousands(g.Limit)}}
	}
	v.ID, v.Name, v.Message, v.Override = Escape(g.ID), Escape(g.Name), Escape(g.Message), Escape(g.Override)
	if g.ID == "G4" && g.Base > 0 && g.Value >= 0 && g.Value <= g.Base && g.Limit >= 0 && g.Limit <= g.Base {
		v.Bar, v.Fill, v.Tick = true, int(1000*float64(g.Value)/float64(g.Base)), int(1000*float64(g.Limit)/float64(g.Base))
	}
	return v
}
