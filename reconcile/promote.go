package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Promote says which rules of ours leave testing for stable: those that stood unchanged in force for so long, with so
// many alerts at least and no more of them triaged as false positives. The zero value is none.
type Promote struct {
	After                       time.Duration
	MinAlerts, MaxFalsePositive int
}

// Trial is a rule of ours that we made in testing, and that stands there as it is wanted.
type Trial struct {
	Label  string    // names it for people
	Change *Change   // to stable; nil while it is too young
	RuleID string    // of a Sigma rule, in its YAML
	Since  time.Time // when it was changed last, if only its owners; zero is unknown
	// What was counted since then: alerts that may be of it, and those of them that are false positives.
	Alerts, FalsePositives int
}

// Promotion is what becomes of the rules in testing.
type Promotion struct {
	Promoted int       `json:"promoted"`
	Waiting  []Waiting `json:"waiting"` // what they wait for, the most frequent first
}

// Waiting are rules in testing that miss the same.
type Waiting struct {
	For   string   `json:"for"`
	Rules int      `json:"rules"`
	Some  []string `json:"some"` // of them by type and value or name, and what they have
}

// PromoteSent stands for a text in the memory of refusals when the server refused a promotion.
const PromoteSent = "promote"

// mostWaiting is how many rules are named that miss the same.
const mostWaiting = 20

// trial notes a row that is as it is wanted, if it is one that may be promoted. A rule that somebody else put into
// testing stays there.
func (c *computation) trial(e *entry, group []want) {
	if c.p.Promote.After == 0 || !e.enabled || e.maturity != maturityCode("testing") || !e.testing {
		return
	}
	row := c.rows.read(e.at)
	ch := Change{Kind: row.Kind, List: c.p.List, Action: Update, Reason: Promoted, ID: row.ID, Key: e.key, Sent: PromoteSent}
	ch.nameFrom(&row, c.rows.canon)
	t := &Trial{Label: ch.Label(), RuleID: row.RuleID}
	for _, text := range []string{row.Created, row.Updated} {
		at, err := time.Parse(time.RFC3339Nano, strings.Replace(text, " ", "T", 1))
		if err != nil {
			t.Since = time.Time{}
			break
		}
		if at.After(t.Since) {
			t.Since = at
		}
	}
	c.plan.Trials = append(c.plan.Trials, t)
	if !t.old(c.p.Promote.After, c.m.Now) {
		return
	}
	win, _ := winner(e, group)
	before, after := bodyOf(&row), bodyOf(&row)
	after.HLStatus = "stable"
	ch.Before, ch.After, ch.Fields, ch.Owners = before, after, differing(row.Kind, before, after), c.owners(group, win)
	t.Change = &ch
}

// Due are the trials that have stood long enough, and since when the oldest has.
func (p *Plan) Due(after time.Duration, now time.Time) (due []*Trial, since time.Time) {
	for _, t := range p.Trials {
		if t.old(after, now) {
			due = append(due, t)
			if since.IsZero() || t.Since.Before(since) {
				since = t.Since
			}
		}
	}
	return due, since
}

func (t *Trial) old(after time.Duration, now time.Time) bool {
	return !t.Since.IsZero() && now.Sub(t.Since) >= after
}

// Promote plans the promotions, given what was counted of the trials that are due; unread says why that is not known,
// "" when it is.
func (p *Plan) Promote(pol Policy, m Memory, unread string) {
	if pol.Promote.After == 0 {
		return
	}
	c := computation{p: pol, m: m, plan: p}
	p.Promotion = &Promotion{Waiting: []Waiting{}}
	by := map[string][]string{}
	for _, t := range p.Trials {
		missing, has := t.missing(pol.Promote, m.Now, unread)
		if missing != "" {
			by[missing] = append(by[missing], t.Label+has)
			continue
		}
		t.Change.Notes = []string{fmt.Sprintf("unchanged in testing since %s: %d alerts, %d false positives", t.Since.UTC().Format(time.DateOnly), t.Alerts, t.FalsePositives)}
		p.Unchanged-- // add counts it again where it holds it
		if c.add(t.Change) {
			p.Promotion.Promoted++
		}
	}
	for missing, rules := range by {
		slices.Sort(rules)
		p.Promotion.Waiting = append(p.Promotion.Waiting, Waiting{missing, len(rules), rules[:min(len(rules), mostWaiting)]})
	}
	slices.SortFunc(p.Promotion.Waiting, func(a, b Waiting) int { return cmp.Or(b.Rules-a.Rules, cmp.Compare(a.For, b.For)) })
	p.sortAll()
}

// missing is what keeps a rule in testing, and what of it there is.
func (t *Trial) missing(p Promote, now time.Time, unread string) (missing, has string) {
	switch {
	case t.Since.IsZero():
		return "the manager does not say how old they are", ""
	case !t.old(p.After, now):
		return "unchanged for " + hours(p.After), ": since " + t.Since.UTC().Format(time.DateOnly)
	case unread != "":
		return unread, ""
	case t.FalsePositives > p.MaxFalsePositive:
		return fmt.Sprintf("at most %d false positives", p.MaxFalsePositive), fmt.Sprintf(": %d of %d alerts", t.FalsePositives, t.Alerts)
	case t.Alerts < p.MinAlerts:
		return fmt.Sprintf("at least %d alerts", p.MinAlerts), fmt.Sprintf(": %d", t.Alerts)
	}
	return "", ""
}
