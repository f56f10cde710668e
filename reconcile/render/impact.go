package render

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/planfile"
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
		words = "not known how many endpoints saw it; " + im.Why + ": " + seenBy(d, im) + span
		return words + lastSeen(d, im)
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
	words := "on " + grouped(im.Endpoints)
	if im.Status == reconcile.ImpactAtLeast {
		words = "on at least " + grouped(im.Endpoints)
	}
	if d.Impact != nil && d.Impact.Endpoints > 0 {
		return words + " of " + grouped(d.Impact.Endpoints) + " endpoints"
	}
	return words + plural(im.Endpoints, " endpoint")
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

func days(n int) string { return fmt.Sprintf("%d %s", n, plural(n, "day")) }

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

// grouped is a number with a comma between its thousands.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
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
	for i := range d.Changes {
		add(&d.Changes[i])
	}
	for i := range d.Held {
		add(d.Held[i].Change)
	}
	own := func(c *reconcile.Change) int { return map[bool]int{true: 1}[c.Impact.Own] }
	slices.SortStableFunc(changes, func(a, b *reconcile.Change) int {
		return cmp.Or(own(b)-own(a), b.Impact.Endpoints-a.Impact.Endpoints, b.Impact.Events-a.Impact.Events, cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value))
	})
	return changes, by
}

// impact prints which values endpoints see, the most felt first, and of how many it is not known.
func (p *printer) impact() {
	e := p.d.Impact
	if e == nil || e.Asked+e.NotAsked == 0 {
		return
	}
	changes, by := felt(p.d)
	p.line("%s", impactSummary(e, changes, by))
	most := foldOver
	if p.o.SummaryOnly {
		most = fewNamed
	}
	if !p.o.SummaryOnly && (p.o.Full || len(p.d.Changes)+len(p.d.Held) <= foldOver) {
		changes = nil // they are listed above
	}
	for i, c := range changes {
		if i == most {
			p.line("  ... and %d more that endpoints saw (--full lists them)", len(changes)-most)
			break
		}
		p.line("  %s: %s", Escape(cutLong(c.Label())), Escape(impactWords(p.d, c.Impact)))
	}
	for _, note := range e.Notes {
		p.line("  ? %s", Escape(note))
	}
}

// impactSummary is the estimate in one line.
func impactSummary(e *reconcile.Estimate, changes []*reconcile.Change, by map[reconcile.ImpactStatus]int) string {
	seen := 0
	for _, c := range changes {
		seen += min(c.Impact.Endpoints, 1)
	}
	parts := []string{fmt.Sprintf("endpoints saw %s of %s values in %s", grouped(seen), grouped(e.Asked+e.NotAsked), days(e.Days))}
	for _, s := range []struct {
		status reconcile.ImpactStatus
		words  string
	}{
		{reconcile.ImpactAtLeast, "known at least in part"}, {reconcile.ImpactUnknown, "not known"}, {reconcile.ImpactUnsupported, "cannot be asked"}, {reconcile.ImpactNotAsked, "not asked"},
	} {
		if n := by[s.status]; n > 0 {
			parts = append(parts, grouped(n)+" "+s.words)
		}
	}
	return "Impact: " + strings.Join(parts, ", ") + fmt.Sprintf(" (%d %s)", e.Requests, plural(e.Requests, "request"))
}
