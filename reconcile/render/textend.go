package render

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// counts is the plan in a few lines: by action and kind where the changes themselves do not fit a
// screen, and the removals by reason.
func (p *printer) counts() {
	if p.d.Changes.Len() == 0 {
		return
	}
	if !p.o.SummaryOnly {
		p.line("")
	}
	if p.o.SummaryOnly || p.d.Changes.Len() > foldOver {
		n := headCounts(steps(p.d))
		p.line("  %-7s%8s%8s%8s", "", reconcile.IOC, reconcile.Sigma, reconcile.YARA)
		for _, a := range reconcile.Actions {
			ioc, sigma, yara := n[head{a, reconcile.IOC}], n[head{a, reconcile.Sigma}], n[head{a, reconcile.YARA}]
			if ioc+sigma+yara > 0 {
				p.line("  %-7s%8d%8d%8d", a, ioc, sigma, yara)
			}
		}
	}
	removals, byReason := 0, map[string]int{}
	for i := range p.d.Changes.Len() {
		if p.d.Changes.Action(i).Removal() {
			removals++
			byReason[string(p.d.Changes.Reason(i))]++
		}
	}
	p.byReason(reconcile.Plural(removals, "removal", "removals"), removals, byReason)
}

// mostFirst are counted words, the most frequent first.
func mostFirst[W ~string](n map[W]int) []W {
	return slices.SortedFunc(maps.Keys(n), func(a, b W) int { return cmp.Or(n[b]-n[a], cmp.Compare(a, b)) })
}

// byReason prints a number and what it is made of, the most first.
func (p *printer) byReason(what string, n int, by map[string]int) {
	if n == 0 {
		return
	}
	reasons := mostFirst(by)
	for i, r := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", by[r], Escape(r))
	}
	p.line("%d %s: %s", n, what, strings.Join(reasons, ", "))
}

// told are the reasons that a log names each time: a person has to look, or the next run tells otherwise.
var told = []reconcile.Reason{reconcile.Refused, reconcile.Ambiguous, reconcile.ChangedMeanwhile}

// aside counts what is left alone, by reason, and names the first few.
func (p *printer) aside() {
	brief := p.o.Brief && !p.o.Full
	held := p.tally()
	for i := range p.d.Held.Len() {
		why := p.d.Held.Reason(i)
		if held.add(why, why != reconcile.GateHeld && (!brief || slices.Contains(told, why))) { // those of gates are listed above
			h := p.d.Held.At(i)
			text := h.Label()
			if h.Detail != "" {
				text += ": " + h.Detail
			}
			held.name(why, text)
		}
	}
	held.print("held")
	skipped := p.tally()
	for i := range p.d.Skipped.Len() {
		if why := p.d.Skipped.Reason(i); skipped.add(why, !brief) {
			skipped.name(why, skipText(p.d.Skipped.At(i)))
		}
	}
	skipped.print("skipped")
	n, last := 0, ""
	for i := range p.d.Skipped.Len() {
		if !p.d.Skipped.Compilable(i) {
			continue
		}
		if id := p.d.Skipped.At(i).Indicator; id != last { // those of one indicator stand together
			n, last = n+1, id
		}
	}
	if n > 0 {
		p.line("%d skipped %s in testing: set sync.behaviour to sigma", n, reconcile.Plural(n, "indicator could be a Sigma rule", "indicators could be Sigma rules"))
	}
}

// unblocked names every value that a person took out of force: nobody is to forget one.
func (p *printer) unblocked() {
	if n := len(p.d.Unblocked); n > 0 {
		p.line("%d %s unblocked by a person (harfangsync block VALUE ends it):", n, reconcile.Plural(n, "value", "values"))
	}
	for i := range p.d.Unblocked {
		p.line("  %s", Escape(unblockWords(&p.d.Unblocked[i])))
	}
}

// unblockWords are one line for a person.
func unblockWords(u *reconcile.Unblock) string {
	short := *u
	short.Value, short.Reason = cutLong(u.Value), cutLong(u.Reason)
	return short.Words()
}

// skipText is what could not become a rule: its indicator by name, the id where there is none.
func skipText(s *reconcile.Skip) string {
	if s.Name != "" {
		return `"` + cutRunes(s.Name, longValue/2) + `": ` + s.Detail
	}
	return s.Indicator + ": " + s.Detail
}

// reasonTally counts by reason, and names some of each.
type reasonTally struct {
	*printer
	n     int
	by    map[string]int
	names map[string][]string // the first few, or all of them where nothing is folded
}

func (p *printer) tally() *reasonTally {
	return &reasonTally{printer: p, by: map[string]int{}, names: map[string][]string{}}
}

// add counts one, and says whether it is to be named, as those of its reason are or are not.
func (t *reasonTally) add(why reconcile.Reason, named bool) bool {
	t.n++
	t.by[string(why)]++
	return named && !t.o.SummaryOnly && (t.o.Full || len(t.names[string(why)]) < fewNamed)
}

func (t *reasonTally) name(why reconcile.Reason, text string) {
	t.names[string(why)] = append(t.names[string(why)], text)
}

func (t *reasonTally) print(what string) {
	t.byReason(what, t.n, t.by)
	for _, r := range slices.Sorted(maps.Keys(t.names)) {
		for _, text := range t.names[r] {
			t.line("  ? %s: %s", Escape(r), Escape(cutLong(text)))
		}
		if left := t.by[r] - len(t.names[r]); left > 0 {
			t.line("  ? %s: and %d more (--full lists them)", Escape(r), left)
		}
	}
}

// refusals prints every gate that stands against the plan. Its message has the numbers, and the flag where there is one.
func (p *printer) refusals() {
	for _, g := range Refused(p.d) {
		p.line("Refused by gate %s (%s): %s", Escape(g.ID), Escape(guarded(&g)), Escape(g.Message))
	}
	switch refused := Refused(p.d); {
	case len(refused) == 0:
	case slices.ContainsFunc(refused, func(g reconcile.Gate) bool { return g.Override == "" }):
		p.line("Nothing is written, and no flag lets it pass.")
	case stopped(p.d):
		p.line("Nothing is written.")
	default:
		p.line("What the gates are about waits; the rest goes on (sync.on_refusal).")
	}
}

// nothing says that there is nothing to do.
func nothing(b *planfile.Backup) string {
	switch {
	case b == nil:
		return NoChanges
	case b.Since == 0:
		return "No changes. HarfangLab matches the backup."
	case b.Since == 1:
		return "No changes. HarfangLab matches the backup; 1 rule made since stays: --exact removes it."
	}
	return fmt.Sprintf("No changes. HarfangLab matches the backup; %d rules made since stay: --exact removes them.", b.Since)
}

// OffLine says which lists are switched off, so that their rules detect nothing; "" where none is.
func OffLine(d *planfile.Document) string {
	off := d.SwitchedOff()
	if len(off) == 0 {
		return ""
	}
	names := make([]string, len(off))
	for i, k := range off {
		names[i] = k.String()
	}
	lists, are, their := "list", "is", "its"
	if len(off) > 1 {
		lists, are, their = "lists", "are", "their"
	}
	return fmt.Sprintf("the %s %s %s switched off in HarfangLab: %s rules detect nothing.", strings.Join(names, ", "), lists, are, their)
}

// Waits says in one line what gates hold of a plan and what lets it pass; "" when they hold nothing.
func Waits(d *planfile.Document) string {
	n, flags := map[string]int{}, []string{}
	for i := range d.Held.Len() {
		n[d.Held.Gate(i)]++
	}
	var parts []string
	for _, g := range Refused(d) {
		if !g.Hold {
			continue
		}
		if n[g.Name] > 0 { // else another gate holds them
			parts = append(parts, fmt.Sprintf("%d for gate %s (%s)", n[g.Name], g.ID, guarded(&g)))
		}
		if !slices.Contains(flags, g.Override) {
			flags = append(flags, g.Override)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return Escape(strings.Join(parts, ", ") + "; if that is right: " + strings.Join(flags, " "))
}
