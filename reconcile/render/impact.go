package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// impactWords says how many endpoints saw a value, and what that number is worth.
func impactWords(d *planfile.Document, im *reconcile.Impact) string {
	span := ""
	if d.Impact != nil {
		span = " in " + days(d.Impact.Days)
	}
	words := ""
	switch {
	case im.Status == reconcile.ImpactNotAsked:
		words = "not known how many endpoints saw it: not asked"
	case im.Status == reconcile.ImpactUnknown && im.Endpoints > 0:
		words = "not known how many endpoints saw it; what is known: " + seenBy(d, im) + span + lastSeen(d, im)
	case im.Status == reconcile.ImpactUnknown, im.Status == reconcile.ImpactUnsupported:
		words = "not known how many endpoints saw it"
	case im.Endpoints == 0 && im.Status == reconcile.ImpactExact:
		words = "seen by no endpoint" + span
	case im.Endpoints == 0:
		words = "seen by no endpoint" + span + ", as far as that is known"
	default:
		words = "seen " + seenBy(d, im) + span + lastSeen(d, im)
	}
	if im.Why != "" {
		words += " (" + im.Why + ")"
	}
	return words
}

// seenBy is the number of endpoints.
func seenBy(d *planfile.Document, im *reconcile.Impact) string {
	words := "on " + thousands(im.Endpoints)
	if im.Status == reconcile.ImpactAtLeast {
		words = "on at least " + thousands(im.Endpoints)
	}
	if d.Impact != nil && d.Impact.Endpoints > 0 {
		return words + " of " + thousands(d.Impact.Endpoints) + " endpoints"
	}
	return words + reconcile.Plural(im.Endpoints, " endpoint", " endpoints")
}

// lastSeen says when endpoints last saw a value, and names some of them.
func lastSeen(d *planfile.Document, im *reconcile.Impact) string {
	words := ""
	if im.LastSeen != nil {
		words = ", last " + ago(d.Timestamp.Sub(*im.LastSeen))
	}
	if len(im.Names) > 0 {
		words += ": " + strings.Join(im.Names, ", ")
		if len(im.Names) < im.Endpoints {
			words += ", ..."
		}
	}
	return words
}

func days(n int) string { return reconcile.Count(n, "day") }

// ago is a time that has passed, in its largest unit.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// felt are the changes of a plan, held ones too, whose values endpoints saw or are the addresses of, the most felt
// first; by is how many impacts have each status.
func felt(d *planfile.Document) (changes []*reconcile.Change, by map[reconcile.ImpactStatus]int) {
	by = map[reconcile.ImpactStatus]int{}
	add := func(c *reconcile.Change) {
		if c == nil || c.Impact == nil {
			return
		}
		by[c.Impact.Status]++
		if c.Impact.Endpoints > 0 || c.Impact.Own {
			changes = append(changes, c)
		}
	}
	if d.Impact == nil {
		return nil, by
	}
	for _, c := range d.Changes.All() {
		add(c)
	}
	for _, h := range d.Held.All() {
		add(h.Change)
	}
	slices.SortStableFunc(changes, func(a, b *reconcile.Change) int { return weightOf(a).compare(weightOf(b)) })
	return changes, by
}

// weight is how much a change is felt.
type weight struct{ own, endpoints, events int }

func weightOf(c *reconcile.Change) weight {
	if c.Impact == nil {
		return weight{}
	}
	return weight{map[bool]int{true: 1}[c.Impact.Own], c.Impact.Endpoints, c.Impact.Events}
}

// compare puts first what more endpoints feel, and before it what is an endpoint's address.
func (w weight) compare(o weight) int {
	return cmp.Or(o.own-w.own, o.endpoints-w.endpoints, o.events-w.events)
}

// impactLines are the estimate of a plan: a summary, "" where there is none; the values that endpoints see, the most
// felt first and not more than most; and what no number covers.
func impactLines(d *planfile.Document, most int) (summary string, seen, notes []string) {
	e := d.Impact
	if e == nil {
		return "", nil, nil
	}
	changes, by := felt(d)
	if len(by) == 0 {
		return "", nil, nil
	}
	for i, c := range changes {
		if i == most {
			seen = append(seen, fmt.Sprintf("and %s more that endpoints saw", thousands(len(changes)-most)))
			break
		}
		seen = append(seen, cutLong(c.Label())+": "+impactWords(d, c.Impact))
	}
	return impactSummary(e, changes, by), seen, e.Notes
}

// impact prints the estimate. Values that are listed above are not named again.
func (p *printer) impact() {
	most := foldOver
	if p.o.SummaryOnly {
		most = fewNamed
	}
	summary, seen, notes := impactLines(p.d, most)
	if summary == "" {
		return
	}
	p.line("%s", summary)
	if !p.o.SummaryOnly && (p.o.Full || p.d.Changes.Len()+p.d.Held.Len() <= foldOver) {
		seen = nil
	}
	for _, text := range seen {
		p.line("  %s", Escape(text))
	}
	for _, note := range notes {
		p.line("  ? %s", Escape(note))
	}
}

// impactNote is the impact of a change in few words, "" where it was not asked for.
func impactNote(im *reconcile.Impact) string {
	switch {
	case im == nil:
		return ""
	case im.Own:
		return "an address of ours"
	case im.Status == reconcile.ImpactNotAsked, im.Status == reconcile.ImpactUnknown, im.Status == reconcile.ImpactUnsupported:
		return "endpoints: not known"
	case im.Status == reconcile.ImpactAtLeast && im.Endpoints == 0:
		return "endpoints: none known"
	case im.Status == reconcile.ImpactAtLeast:
		return "endpoints: at least " + thousands(im.Endpoints)
	}
	return "endpoints: " + thousands(im.Endpoints)
}

// impactSummary is the estimate in one line.
func impactSummary(e *reconcile.Estimate, changes []*reconcile.Change, by map[reconcile.ImpactStatus]int) string {
	seen, all := 0, 0
	for _, c := range changes {
		seen += min(c.Impact.Endpoints, 1)
	}
	for _, n := range by {
		all += n
	}
	parts := []string{fmt.Sprintf("endpoints saw %s of %s values in %s", thousands(seen), thousands(all), days(e.Days))}
	for _, s := range []struct {
		status reconcile.ImpactStatus
		words  string
	}{
		{reconcile.ImpactAtLeast, "known in part"}, {reconcile.ImpactUnknown, "not known"}, {reconcile.ImpactUnsupported, "cannot be asked"}, {reconcile.ImpactNotAsked, "not asked"},
	} {
		if n := by[s.status]; n > 0 {
			parts = append(parts, thousands(n)+" "+s.words)
		}
	}
	return "Impact: " + strings.Join(parts, ", ") + fmt.Sprintf(" (%d %s)", e.Requests, reconcile.Plural(e.Requests, "request", "requests"))
}
