package pull

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// pair is an indicator on an endpoint: what one sighting is about.
type pair struct{ indicator, endpoint string } // internal id, standard id

// sighting is what a pair's sighting is to say.
type sighting struct {
	pair
	ref         string // the indicator's standard id
	id          string
	count       int // all in all
	increment   int // what to send while the platform adds counts up; the same as count otherwise
	first, last time.Time
	negative    bool
	alerts      []string // ids of some that are new in it
}

// object is the sighting as it is sent. Once a sighting's range is as wide as it is to be, the platform
// replaces the count (contract opencti-api 9).
func (s *sighting) object(im Importer, count int) alert.Object {
	return im.Sighting(alert.Sighting{
		ID: s.id, Indicator: s.ref, Endpoint: s.endpoint, First: s.first, Last: s.last, Count: count, Negative: s.negative, Created: s.first, Alerts: s.alerts,
	})
}

func (s *sighting) total() state.Total {
	return state.Total{Indicator: s.indicator, Endpoint: s.endpoint, Count: s.count, Negative: s.negative}
}

// storedSightings are sightings as OpenCTI has them, by each id of their endpoint and each of their own.
type storedSightings map[pair]*Sighted

// of is the sighting of a pair; ref is the indicator's standard id. Where the account may not see the
// endpoint, the platform tells only its internal id: the sighting is known by the id that it was pushed
// with.
func (m storedSightings) of(im Importer, at pair, ref string) *Sighted {
	if have := m[at]; have != nil {
		return have
	}
	return m[pair{at.indicator, im.SightingID(ref, at.endpoint)}]
}

// stored are the sightings of some indicators as OpenCTI has them.
func (p *pull) stored(ctx context.Context, indicators []string) (storedSightings, error) {
	m := storedSightings{}
	ids := distinct(indicators)
	if len(ids) == 0 {
		return m, nil
	}
	found, err := p.Knowledge.Sightings(ctx, ids)
	for i := range found {
		for _, e := range slices.Concat(found[i].Endpoint, found[i].IDs) {
			at := pair{found[i].Indicator, e}
			// Of several between the same ends the widest is the one that grows.
			if old := m[at]; old == nil || found[i].Count > old.Count {
				m[at] = &found[i]
			}
		}
	}
	return m, err
}

// each does something for the numbers up to n, p.Parallel at once.
func (p *pull) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(p.Parallel, 1))
	for i := range n {
		g.Go(func() error {
			defer crash.Exit()
			return do(ctx, i)
		})
	}
	return g.Wait()
}

// group is some alerts by what their sightings are about, with what is stored of these.
type group struct {
	pairs   []pair // in the order of the alerts
	entries map[pair][]*entry
	refs    map[string]string // standard ids of the indicators, by internal id
	have    storedSightings
}

func (g *group) stored(im Importer, at pair) *Sighted { return g.have.of(im, at, g.refs[at.indicator]) }

// group sorts alerts by the pairs whose sightings they change.
func (p *pull) group(ctx context.Context, entries []*entry) (*group, error) {
	g := &group{entries: map[pair][]*entry{}, refs: map[string]string{}}
	var indicators []string
	for _, e := range entries {
		if e.endpoint == "" {
			continue
		}
		for _, o := range e.owners {
			at := pair{o.internal, e.endpoint}
			if g.entries[at] == nil {
				g.pairs = append(g.pairs, at)
			}
			g.entries[at] = append(g.entries[at], e)
			indicators = append(indicators, o.internal)
			g.refs[o.internal] = o.standard
		}
	}
	p.indicated = map[string][]Stored{}
	var err error
	g.have, err = p.stored(ctx, indicators)
	return g, err
}

// sightings are those that some new alerts ask for: what is stored and the alerts' own share.
func (p *pull) sightings(ctx context.Context, entries []*entry) ([]*sighting, error) {
	g, err := p.group(ctx, entries)
	if err != nil {
		return nil, err
	}
	out := make([]*sighting, 0, len(g.pairs))
	for _, at := range g.pairs {
		s, err := p.sighting(ctx, at, g.refs[at.indicator], g.entries[at], g.stored(p.Importer, at))
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *pull) sighting(ctx context.Context, at pair, ref string, news []*entry, have *Sighted) (*sighting, error) {
	s := &sighting{pair: at, ref: ref, id: p.Importer.SightingID(ref, at.endpoint), negative: allNegative(news), count: len(news)}
	s.first, s.last = spanOf(news)
	for _, e := range news[:min(len(news), mostLinks)] {
		s.alerts = append(s.alerts, e.a.ID)
	}
	again := slices.ContainsFunc(news, func(e *entry) bool { return e.again })
	if have != nil {
		s.id = sightingID(have, s.id)
		s.negative = s.negative && have.Negative
		s.count += have.Count
	}
	if again || have == nil && s.negative {
		// Some of these alerts may be counted already, or the sighting of others was lost: the incidents that
		// are there tell.
		others, err := p.others(ctx, at, news)
		if err != nil {
			return nil, err
		}
		s.count = len(others) + len(news)
		s.negative = allNegative(news) && !slices.Contains(others, false)
	}
	s.increment = s.count
	if have == nil {
		return s, nil
	}
	s.count = max(s.count, have.Count)
	wider := have.First.IsZero() || s.first.Before(have.First) || s.last.After(have.Last)
	if !have.First.IsZero() && have.First.Before(s.first) {
		s.first = have.First
	}
	if have.Last.After(s.last) {
		s.last = have.Last
	}
	s.increment = s.count
	if wider && !again { // the platform adds up
		s.increment = len(news)
	}
	return s, nil
}

// spanOf is from the first to the last moment at which something was seen.
func spanOf(entries []*entry) (first, last time.Time) {
	for _, e := range entries {
		seen := seenAt(&e.a)
		if first.IsZero() || seen.Before(first) {
			first = seen
		}
		if seen.After(last) {
			last = seen
		}
	}
	return first, last
}

func allNegative(entries []*entry) bool {
	return !slices.ContainsFunc(entries, func(e *entry) bool { return !e.a.Status.Negative() })
}

// others are the further incidents of a pair that OpenCTI has, each with whether it was taken for a
// mistake.
func (p *pull) others(ctx context.Context, at pair, but []*entry) (negative []bool, err error) {
	found, known := p.indicated[at.indicator]
	if !known {
		if found, err = p.Knowledge.IncidentsOf(ctx, at.indicator); err != nil {
			return nil, err
		}
		p.indicated[at.indicator] = found
	}
	for i := range found {
		facts, ours := p.Importer.Read(found[i].Description)
		if !ours || facts.Endpoint != at.endpoint {
			continue
		}
		if !slices.ContainsFunc(but, func(e *entry) bool { return slices.Contains(found[i].IDs, e.incident) }) {
			negative = append(negative, facts.Status.Negative())
		}
	}
	return negative, nil
}

// sightingID is one under which the platform knows a sighting: ours if it has it.
func sightingID(have *Sighted, ours string) string {
	if slices.Contains(have.IDs, ours) {
		return ours
	}
	for _, id := range have.IDs {
		if strings.HasPrefix(id, "sighting--") {
			return id
		}
	}
	return ours
}
