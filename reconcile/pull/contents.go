package pull

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// contents are what a case holds: the objects that a threat's imported alerts made, what ties them together, the
// indicators and sightings that they are of, and techniques. OpenCTI tries a reference that leads nowhere again and
// again before it drops it, and shows no link between what a case holds unless the case holds the link too.
type contents struct {
	refs   []string
	has    map[string]bool
	pairs  []pair
	owners map[string]owner // by internal id
	alerts int
}

func (c *contents) add(id string) {
	if !c.has[id] {
		c.refs, c.has[id] = append(c.refs, id), true
	}
}

// contents reads what the case of a threat is to hold, and the number of its alerts that were imported.
func (p *pull) contents(ctx context.Context, t *alert.Threat) (refs []string, n int, err error) {
	const before = 24 * time.Hour // a threat is made of alerts that are there
	from := t.Created
	if !t.FirstSeen.IsZero() && t.FirstSeen.Before(from) {
		from = t.FirstSeen
	}
	c := &contents{has: map[string]bool{}, owners: map[string]owner{}}
	err = p.Alerts.Alerts(ctx, AlertQuery{Threat: t.ID, From: from.Add(-before), To: p.Clock().Add(24 * time.Hour)}, func(page []alert.Alert, _ []alert.Bad) error {
		return p.contain(ctx, c, page)
	})
	if err = p.incomplete(err); err != nil {
		return nil, 0, err
	}
	if err := p.sighted(ctx, c); err != nil {
		return nil, 0, err
	}
	refs, err = p.present(ctx, c.refs)
	return refs, c.alerts, err
}

// contain adds the alerts of a page that were imported.
func (p *pull) contain(ctx context.Context, c *contents, page []alert.Alert) error {
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = p.Importer.IncidentID(&page[i])
	}
	stored, err := there(ctx, p.Knowledge.Incidents, ids)
	if err != nil {
		return err
	}
	var entries []*entry
	var alerts []*alert.Alert
	for i := range page {
		if s := stored[ids[i]]; s != nil {
			e := &entry{a: page[i], incident: ids[i], stored: s, endpoint: p.Importer.EndpointID(&page[i])}
			entries, alerts = append(entries, e), append(alerts, &e.a)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	known, err := p.knows(ctx, alerts)
	if err != nil {
		return err
	}
	if err := p.ownedBy(ctx, entries); err != nil {
		return err
	}
	for _, e := range entries {
		c.alerts++
		objects, err := p.Importer.Alert(&e.a, e.item().Indicators, known)
		if err != nil {
			continue // it was imported by an earlier version
		}
		for _, o := range objects {
			c.add(o.ID)
		}
		for _, id := range p.Importer.TechniqueIDs(&e.a) {
			if p.known[id] {
				c.add(id)
			}
		}
		for _, o := range e.owners {
			c.add(o.standard)
			c.owners[o.internal] = o
			if e.endpoint != "" {
				c.pairs = append(c.pairs, pair{o.internal, e.endpoint})
			}
		}
	}
	return nil
}

// sighted adds the sightings of what fired.
func (p *pull) sighted(ctx context.Context, c *contents) error {
	var indicators []string
	for _, at := range c.pairs {
		indicators = append(indicators, at.indicator)
	}
	stored, err := p.stored(ctx, indicators)
	for _, at := range c.pairs {
		ref := c.owners[at.indicator].standard
		if have := stored.of(p.Importer, at, ref); have != nil {
			c.add(sightingID(have, p.Importer.SightingID(ref, at.endpoint)))
		}
	}
	return err
}

// present leaves out relationships and observables that an earlier version did not make. The rest was looked up, or
// comes with every incident.
func (p *pull) present(ctx context.Context, refs []string) (out []string, err error) {
	kept := map[string]bool{"incident": true, "identity": true, "attack-pattern": true, "indicator": true, "sighting": true}
	typeOf := func(id string) string { typ, _, _ := strings.Cut(id, "--"); return typ }
	relations := slices.DeleteFunc(slices.Clone(refs), func(id string) bool { return typeOf(id) != "relationship" })
	found, err := there(ctx, p.Knowledge.Relations, relations)
	shown := map[string]bool{}
	for _, r := range found {
		for _, end := range r.Ends {
			for _, id := range end.IDs {
				shown[id] = true
			}
		}
	}
	for _, id := range refs {
		if kept[typeOf(id)] || found[id] != nil || shown[id] {
			out = append(out, id)
		}
	}
	return out, err
}
