package impact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// place is where a value can be seen.
type place struct {
	Stream
	Field
}

// result is what becomes known of a change's value.
type result struct {
	at      int // of the change
	of      reconcile.Value
	value   string  // as it is asked for
	places  []place // at most two
	answers [2]answer
	why     string // there is nothing to ask
	host    bool   // what is asked for is the host of a URL
	own     string // host name of the endpoint whose address it is, "" for none
}

// question is a value at one of its places.
type question struct {
	r  *result
	at int
}

func (q question) answer() *answer { return &q.r.answers[q.at] }

// answer is what telemetry tells of a value at one place.
type answer struct {
	done   bool
	status reconcile.ImpactStatus
	why    string
	tally
}

// tally counts rows.
type tally struct {
	events    int
	agents    map[string]sight
	last      time.Time
	order     []string // of agents, as they came
	signer    string
	strangers int // rows of other values
}

// sight is when an endpoint last saw a value.
type sight struct {
	host string
	at   time.Time
}

// unanswered is the answer where a request failed.
func unanswered(err error) answer {
	if reconcile.FaultOf(err).Missing {
		return answer{done: true, status: reconcile.ImpactUnsupported, why: "this manager does not have it: " + words(err)}
	}
	return answer{done: true, status: reconcile.ImpactUnknown, why: words(err)}
}

// result says where the value of a change can be seen (contract harfanglab-telemetry 5).
func (a *asking) result(at int, ch *reconcile.Change) *result {
	r := &result{at: at, of: reconcile.Value{Type: ch.Type, Value: ch.Value}, value: ch.Value}
	typ := ch.Type
	if typ == "url" {
		r.host = true
		r.value, typ = a.o.Host(ch.Value), "domain_name"
		if _, err := netip.ParseAddr(r.value); err == nil {
			typ = "ip_dst"
		}
	}
	switch typ {
	case "hash":
		r.value = strings.ToLower(ch.Value)
		field := map[int]Field{32: MD5, 40: SHA1, 64: SHA256}[len(r.value)]
		r.places = []place{{Processes, field}, {Drivers, field}}
		if field == All {
			r.why, r.places = "telemetry has no hashes of this length", nil
		}
	case "ip_dst":
		r.places = []place{{Network, Target}}
	case "ip_src":
		r.places = []place{{Network, Source}}
	case "ip_both":
		r.places = []place{{Network, Target}, {Network, Source}}
	case "domain_name":
		r.places = []place{{Resolutions, Name}}
	case "filename":
		r.places = []place{{Processes, Name}, {Drivers, Name}}
	case "filepath":
		r.places = []place{{Processes, Path}, {Drivers, Path}}
	default:
		r.why = "telemetry cannot be asked for a value of this type"
	}
	if strings.HasPrefix(typ, "ip_") {
		r.own = a.fleet.owner(r.value)
		if strings.Contains(r.value, "/") {
			r.why, r.places = "telemetry cannot be asked for a network", nil
		}
	}
	switch {
	case r.value == "":
		r.why, r.places = "it names no host", nil
	case strings.Contains(r.value, ","):
		r.why, r.places = "telemetry cannot be asked for a value with a comma", nil
	}
	return r
}

// matches says whether a row has a value: filters are not strict.
func (p place) matches(r *Row, value string) bool {
	have := r.Values[p.Field]
	switch {
	case p.Field == Source || p.Field == Target:
		x, err := netip.ParseAddr(have)
		y, err2 := netip.ParseAddr(value)
		return errors.Join(err, err2) == nil && x.Unmap() == y.Unmap()
	case p.Stream == Resolutions:
		have = strings.TrimSuffix(have, ".")
	}
	return strings.EqualFold(have, value)
}

// add counts the rows that have a value, and gives how many endpoints are new.
func (t *tally) add(p place, value string, rows []Row) (fresh int) {
	for i := range rows {
		r := &rows[i]
		if !p.matches(r, value) {
			t.strangers++
			continue
		}
		t.events++
		t.signer = cmp.Or(t.signer, r.Signer)
		if r.At.After(t.last) {
			t.last = r.At
		}
		if t.agents == nil {
			t.agents = map[string]sight{}
		}
		before, seen := t.agents[r.Agent]
		if !seen {
			fresh++
			t.order = append(t.order, r.Agent)
		}
		if !seen || r.At.After(before.at) {
			t.agents[r.Agent] = sight{r.Host, r.At}
		}
	}
	return fresh
}

func (t *tally) exactly() answer {
	return answer{done: true, status: reconcile.ImpactExact, tally: *t}
}

func (t *tally) atLeast(why string) answer {
	return answer{done: true, status: reconcile.ImpactAtLeast, why: why, tally: *t}
}

const (
	pageRows  = 100
	longPage  = 1000
	longPages = 10
	window    = 10_000 // rows that an index counts, and shows
	fewShown  = 50     // endpoints that are counted, however few are too many
	mostAsked = 8      // requests for one value that leave out who was found
)

// whole says that a page shows every row that there is. One that is full to the last row may be the index's end.
func (p *Page) whole() bool { return !p.More && p.Count <= len(p.Rows) && len(p.Rows) < pageRows }

// alone asks about one value at a place until all its endpoints are known, or enough of them. An error other than of
// the telemetry ends the asking; what is known by then stands.
func (a *asking) alone(ctx context.Context, p place, q question) error {
	ask := Query{Stream: p.Stream, Field: p.Field, Values: []string{q.r.value}, Since: a.since, Limit: pageRows}
	page, err := a.rows(ctx, ask)
	if errors.Is(err, errOver) || ctx.Err() != nil {
		return err
	}
	if err != nil {
		*q.answer() = unanswered(err)
		return nil
	}
	c := counting{asking: a, p: p, ask: ask, first: page}
	c.t.add(p, q.r.value, page.Rows)
	err = c.on(ctx)
	*q.answer() = c.answer(err)
	if errors.Is(err, errOver) || ctx.Err() != nil {
		return err
	}
	return nil
}

// counting is the search for all endpoints that saw one value.
type counting struct {
	*asking
	p     place
	ask   Query
	first Page
	t     tally
	all   bool   // every endpoint is known
	short string // why not
}

// on asks further after the first page. An error says that an answer did not come.
func (c *counting) on(ctx context.Context) error {
	if c.first.whole() {
		c.all = true
		return nil
	}
	if c.controls.Streams[c.p.Stream].Negation && len(c.t.agents) > 0 {
		done, err := c.without(ctx)
		if done || err != nil {
			return err
		}
	}
	if len(c.t.agents) > c.enough() {
		c.short = "more were not counted"
		return nil
	}
	return c.pages(ctx)
}

// enough is the number of endpoints beyond which it makes no difference how many more there are.
func (c *counting) enough() int { return max(fewShown, c.fleet.limit(c.o.Limit)) }

// without asks for rows of endpoints that are not known yet. done says that nothing is left to ask.
func (c *counting) without(ctx context.Context) (done bool, err error) {
	const mostIDs = 150 // in one address
	for n := 0; n < mostAsked && len(c.t.agents) <= min(c.enough(), mostIDs); n++ {
		next := c.ask
		next.Except = c.t.order
		page, err := c.rows(ctx, next)
		switch {
		case reconcile.FaultOf(err).Verdict:
			return false, nil
		case err != nil:
			return false, err
		}
		if slices.ContainsFunc(page.Rows, func(r Row) bool { _, known := c.t.agents[r.Agent]; return known }) {
			return false, nil
		}
		fresh := c.t.add(c.p, c.ask.Values[0], page.Rows)
		switch {
		case page.whole():
			c.all = true
			return true, nil
		case fresh == 0: // only rows of others
			return false, nil
		}
	}
	return false, nil
}

// pages reads all rows, as far as the index shows them.
func (c *counting) pages(ctx context.Context) error {
	t := tally{}
	next, got := c.ask, 0
	next.Limit = longPage
	for range longPages {
		next.Offset = got
		page, err := c.rows(ctx, next)
		if err != nil {
			c.keep(&t)
			c.short = "the manager shows no more rows"
			if reconcile.FaultOf(err).Verdict {
				return nil
			}
			return err
		}
		t.add(c.p, c.ask.Values[0], page.Rows)
		got += len(page.Rows)
		if len(page.Rows) == 0 || !page.More && got >= page.Count || len(t.agents) > c.enough() {
			c.keep(&t)
			c.all = got >= max(page.Count, c.first.Count) && got < window && !page.More
			c.short = "the manager does not show all rows that it counts"
			if len(t.agents) > c.enough() {
				c.short = "more were not counted"
			}
			return nil
		}
	}
	c.keep(&t)
	c.short = "there are more rows than the manager shows"
	return nil
}

// keep takes over what a second count knows beside the first.
func (c *counting) keep(t *tally) {
	for _, id := range t.order {
		s := t.agents[id]
		before, seen := c.t.agents[id]
		if c.t.agents == nil {
			c.t.agents = map[string]sight{}
		}
		if !seen {
			c.t.order = append(c.t.order, id)
		}
		if !seen || s.at.After(before.at) {
			c.t.agents[id] = s
		}
	}
	c.t.events, c.t.strangers = max(c.t.events, t.events), max(c.t.strangers, t.strangers)
	if t.last.After(c.t.last) {
		c.t.last = t.last
	}
}

// answer is what was found, as far as err let it come.
func (c *counting) answer(err error) answer {
	switch {
	case errors.Is(err, errOver):
		c.short = c.over
	case err != nil:
		c.short = words(err)
	}
	rows := len(c.first.Rows)
	if c.first.Count > rows && c.t.strangers == 0 { // of rows of other values nobody knows how many are among them
		c.t.events = max(c.t.events, c.first.Count)
	}
	out := c.t.exactly()
	switch {
	case !c.all && len(c.t.agents) == 0:
		out.status, out.why = reconcile.ImpactUnknown, c.short
	case !c.all:
		out = c.t.atLeast(c.short)
	case c.first.Count >= window:
		out = c.t.atLeast(fmt.Sprintf("%d events or more", c.first.Count))
	case c.t.strangers > 0 && !c.first.whole():
		out = c.t.atLeast("not all events were counted")
	}
	if !c.first.whole() && rows > 1 && c.first.Rows[0].At.Before(c.first.Rows[rows-1].At) {
		out.why = join(out.why, "last seen then or later")
	}
	return out
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}

// fewNamed is how many endpoints are named.
const fewNamed = 5

// finish sets the impact of a change.
func (a *asking) finish(r *result) {
	out := &reconcile.Impact{Status: reconcile.ImpactExact, Why: r.why, Own: r.own != ""}
	agents, last := r.seen()
	whys, silent := []string{}, []reconcile.ImpactStatus{}
	for i := range r.places {
		w := &r.answers[i]
		out.Events += w.events
		why := join(w.why, a.lacks(r.places[i]))
		if w.signer != "" {
			whys = append(whys, "signed by "+w.signer)
		}
		switch {
		case !w.done:
			silent, why = append(silent, reconcile.ImpactNotAsked), a.over
		case w.status != reconcile.ImpactExact && w.status != reconcile.ImpactAtLeast:
			silent = append(silent, w.status)
			why = w.why
		case w.status == reconcile.ImpactAtLeast || a.lacks(r.places[i]) != "":
			out.Status = reconcile.ImpactAtLeast
		}
		if why != "" && !slices.Contains(whys, why) {
			whys = append(whys, why)
		}
	}
	out.Endpoints = len(agents)
	out.Status = overall(out.Status, silent, len(r.places))
	if out.Why = join(append([]string{r.why}, whys...)...); r.host && len(agents) > 0 {
		out.Status, out.Why = reconcile.ImpactUnknown, join("that is its host: telemetry does not tell URLs", out.Why)
	}
	if !last.IsZero() {
		last = last.UTC().Truncate(time.Second)
		out.LastSeen = &last
	}
	whose := "an endpoint"
	if a.o.Names {
		whose, out.Names = r.own, namesOf(agents)
	}
	if out.Own {
		out.Why = join(map[bool]string{false: "it is the address of ", true: "it holds the address of "}[strings.Contains(r.value, "/")]+whose, out.Why)
	}
	if len(silent) == 0 && len(a.known) < mostKnown {
		a.known[r.of] = told{a.now, *out}
	}
	a.tell(r.at, out)
}

// overall is the status of a number from so many places, of which some are silent.
func overall(told reconcile.ImpactStatus, silent []reconcile.ImpactStatus, places int) reconcile.ImpactStatus {
	switch {
	case places == 0:
		return reconcile.ImpactUnknown
	case len(silent) == places:
		return slices.MinFunc(silent, func(x, y reconcile.ImpactStatus) int { return cmp.Compare(weight(x), weight(y)) })
	case len(silent) > 0: // what one place does not tell may be more than the other does
		return reconcile.ImpactAtLeast
	}
	return told
}

// seen are the endpoints that saw a value in any place, each with its last sight, and the last sight of all.
func (r *result) seen() (agents map[string]sight, last time.Time) {
	agents = map[string]sight{}
	for i := range r.places {
		w := &r.answers[i]
		for id, s := range w.agents {
			if before, seen := agents[id]; !seen || s.at.After(before.at) {
				agents[id] = s
			}
		}
		if w.last.After(last) {
			last = w.last
		}
	}
	return agents, last
}

// weight orders what keeps a number from being known: what may become known another time comes first.
func weight(s reconcile.ImpactStatus) int {
	return slices.Index([]reconcile.ImpactStatus{reconcile.ImpactNotAsked, reconcile.ImpactUnknown, reconcile.ImpactUnsupported}, s)
}

// namesOf are the host names of some endpoints, the last to see a value first.
func namesOf(agents map[string]sight) (names []string) {
	all := make([]sight, 0, len(agents))
	for _, s := range agents {
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y sight) int { return cmp.Or(y.at.Compare(x.at), cmp.Compare(x.host, y.host)) })
	for _, s := range all {
		if len(names) < fewNamed && s.host != "" && !slices.Contains(names, s.host) {
			names = append(names, s.host)
		}
	}
	return names
}
