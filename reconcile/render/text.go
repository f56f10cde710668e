package render

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// NoChanges is the last line of a plan and of an apply with nothing to do, a stable interface.
const NoChanges = "No changes. HarfangLab matches OpenCTI."

// Options say how a plan is shown. The zero value folds, and uses no colour.
type Options struct {
	Color       bool
	Full        bool // nothing is folded
	Brief       bool // for a log: what is not done is counted, and so is what is left alone
	SummaryOnly bool // counts, refused gates and the last line
	Width       int  // columns of the screen; 0 is as many as it takes
}

const (
	foldOver  = 25 // creates of one kind, type and reason that are still listed
	fewNamed  = 5  // held and skipped items named per reason
	longValue = 160
)

// Text writes a plan for a person. Its last line is a stable interface.
func Text(w io.Writer, d *planfile.Document, o Options) error {
	p := &printer{w: bufio.NewWriter(w), o: o, d: d}
	p.lists()
	if !o.SummaryOnly {
		p.changes()
	}
	p.counts()
	p.impact()
	p.promotion()
	p.aside()
	p.unblocked()
	p.refusals()
	if off := OffLine(d); off != "" && d.Changes.Len() > 0 {
		p.line("%s", strings.ToUpper(off[:1])+off[1:])
	}
	if p.err = cmp.Or(p.err, d.Err()); p.err != nil { // what was printed of it may be blank
		return p.err
	}
	p.line("%s", LastLine(d))
	return cmp.Or(p.err, p.w.Flush())
}

// LastLine is the stable last line of a plan. A plan that a gate refuses says nothing about whether
// the two sides match.
func LastLine(d *planfile.Document) string {
	if d.Changes.Len() == 0 && d.Complete && len(Refused(d)) == 0 {
		if off := OffLine(d); off != "" {
			return "No changes, but " + off
		}
		return nothing(d.Backup)
	}
	n := d.Summary.ByAction
	return fmt.Sprintf("Plan: %d to add, %d to change, %d to enable, %d to disable, %d to delete, %d to adopt; %d unchanged, %d skipped.",
		n["create"], n["update"], n["enable"], n["disable"], n["delete"], n["adopt"], n["unchanged"], n["skipped"])
}

// ApplyLine is the stable last line of an apply. applied is how many changes of a kind were applied; those that were not
// attempted are named where there are any.
func ApplyLine(applied func(reconcile.Action) int, failed, notAttempted int) string {
	line := fmt.Sprintf("Apply complete: %d added, %d changed, %d enabled, %d disabled, %d deleted, %d adopted; %d failed",
		applied(reconcile.Create), applied(reconcile.Update), applied(reconcile.Enable), applied(reconcile.Disable), applied(reconcile.Delete), applied(reconcile.Adopt), failed)
	if notAttempted > 0 {
		line += fmt.Sprintf(", %d not attempted", notAttempted)
	}
	return line + "."
}

type printer struct {
	w   *bufio.Writer
	o   Options
	d   *planfile.Document
	err error
}

// line prints a line, which on a narrow screen goes on below, between two words.
func (p *printer) line(format string, args ...any) {
	p.verbatim(Fit(fmt.Sprintf(format, args...), p.o.Width))
}

func (p *printer) verbatim(line string) {
	if p.err == nil {
		_, p.err = p.w.WriteString(line + "\n")
	}
}

func (p *printer) lists() {
	for _, l := range newLists(p.d) {
		p.line("The %s list %s does not exist yet and will be created with its first rule.", l.Kind, quote(l.Name))
	}
}

func quote(s string) string { return `"` + Escape(s) + `"` }

// colours underline what the symbols already say.
var colours = map[reconcile.Action]string{
	reconcile.Create: "32", reconcile.Update: "33", reconcile.Enable: "36", reconcile.Disable: "31", reconcile.Delete: "31", reconcile.Adopt: "35",
}

func (p *printer) symbol(a reconcile.Action) string {
	if !p.o.Color {
		return a.Symbol()
	}
	return "\x1b[" + colours[a] + "m" + a.Symbol() + "\x1b[0m"
}

// group is changes that fold together.
type group struct {
	action reconcile.Action
	kind   reconcile.Kind
	typ    string
	reason reconcile.Reason
}

// most is how many changes of a group are listed at most before they fold. Removals that are done never do.
func (p *printer) most(a reconcile.Action, undone bool) int {
	switch {
	case p.o.Full:
		return math.MaxInt
	case p.o.Brief && undone:
		return fewNamed
	case a == reconcile.Create, p.o.Brief && !a.Removal():
		return foldOver
	}
	return math.MaxInt
}

func (p *printer) changes() {
	p.list(steps(p.d), stopped(p.d))
	if waits := waiting(p.d); waits.n > 0 {
		if p.d.Changes.Len() > 0 {
			p.line("")
		}
		p.line("Held by a gate, and not done:")
		p.list(waits, true)
		if p.d.Changes.Len() == 0 {
			p.line("")
		}
	}
	if p.o.Full && p.d.Summary.ByAction["unchanged"] > 0 {
		p.line("= %s unchanged", reconcile.Count(p.d.Summary.ByAction["unchanged"], "rule"))
	}
}

// list prints changes that stand in printed order.
func (p *printer) list(of listing, undone bool) {
	size, noted, heads := map[group]int{}, map[group]int{}, headCounts(of)
	groups, at := []group{}, map[group]int{}
	in := make([]int32, of.n) // which of the groups
	for i := range of.n {
		c := of.read(i)
		g := group{c.Action, c.Kind, c.Type, c.Reason}
		if size[g] == 0 {
			at[g], groups = len(groups), append(groups, g)
		}
		in[i] = int32(at[g])
		size[g]++
		if len(c.Notes) > 0 {
			noted[g]++
		}
	}
	folded := map[group]bool{}
	var under head
	for i := range of.n {
		g := groups[in[i]]
		if h := of.head(i); h != under {
			p.head(h, heads[h], i > 0)
			under = h
		}
		if size[g] <= p.most(g.action, undone) {
			p.change(of.read(i))
			continue
		}
		if !folded[g] {
			folded[g] = true
			p.line("%s %d × %s  [%s] (--full lists them)", p.symbol(g.action), size[g], Escape(strings.TrimSpace(g.kind.String()+" "+g.typ)), Escape(string(g.reason)))
			if n := noted[g]; n > 0 {
				p.line("    %d of them %s a note (--full shows it)", n, reconcile.Plural(n, "has", "have"))
			}
		}
	}
}

// head is what the changes of one part of a plan have in common.
type head struct {
	action reconcile.Action
	kind   reconcile.Kind
}

func headCounts(of listing) map[head]int {
	n := map[head]int{}
	for i := range of.n {
		n[of.head(i)]++
	}
	return n
}

// head prints the line above n changes.
func (p *printer) head(h head, n int, below bool) {
	if below {
		p.line("")
	}
	text := fmt.Sprintf("%s %d %s %s:", title(string(h.action)), n, h.kind, reconcile.Plural(n, "rule", "rules"))
	if p.o.Color {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	p.line("%s", text)
}

func (p *printer) change(c *reconcile.Change) {
	p.line("%s %s  [%s]%s", p.symbol(c.Action), Escape(cutLong(c.Label())), Escape(whyOf(c)), owners(c))
	for _, note := range c.Notes {
		p.line("    %s", Escape(note))
	}
	if c.Impact != nil {
		p.line("    %s", Escape(impactWords(p.d, c.Impact)))
	}
	if text := fieldOf(c.After, "content"); p.o.Full && c.Action == reconcile.Create && c.Kind == reconcile.Sigma && text != nil {
		for line := range strings.Lines(*text) { // as it is deployed, which may be otherwise than it is written
			p.verbatim("      | " + Escape(strings.TrimRight(line, "\r\n")))
		}
	}
	if c.Action != reconcile.Create && c.Action != reconcile.Delete {
		p.fields(c)
	}
}

// whyOf is the reason of a change, and its cause where that is another word.
func whyOf(c *reconcile.Change) string {
	if c.Cause != "" && string(c.Cause) != string(c.Reason) {
		return string(c.Reason) + ", " + string(c.Cause)
	}
	return string(c.Reason)
}
