package render

import (
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// promotionWords say what becomes of the rules in testing, "" where none are promoted: in one line, and what the
// others wait for.
func promotionWords(d *planfile.Document) (summary string, waiting []string) {
	p := d.Promotion
	if p == nil || p.Promoted == 0 && len(p.Waiting) == 0 {
		return "", nil
	}
	n := 0
	for _, w := range p.Waiting {
		n += w.Rules
		waiting = append(waiting, fmt.Sprintf("%s of them: %s", thousands(w.Rules), w.For))
	}
	summary = fmt.Sprintf("Promotion: %s from testing to stable; %s %s in testing", thousands(p.Promoted), thousands(n), stay(n))
	if n > 0 {
		summary += " for want of what follows"
	}
	return summary, waiting
}

func stay(n int) string {
	if n == 1 {
		return "stays"
	}
	return "stay"
}

// promotion prints what becomes of the rules in testing, and in full which ones wait.
func (p *printer) promotion() {
	summary, waiting := promotionWords(p.d)
	if summary == "" {
		return
	}
	p.line("%s", summary)
	for i, text := range waiting {
		p.line("  ? %s", Escape(text))
		if p.o.Full {
			for _, rule := range p.d.Promotion.Waiting[i].Some {
				p.line("    %s", Escape(strings.TrimSpace(rule)))
			}
		}
	}
}
