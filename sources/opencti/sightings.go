package opencti

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// relationPage is how many relations one request asks for.
const relationPage = 500

// relations lists those whose end is one of some ids.
func (c *Client) relations(op, document, what, end string, ids any) listing {
	return listing{
		request: request{op: op, document: document, variables: map[string]any{end: ids}, right: "KNOWLEDGE"},
		what:    what, first: min(c.pageSize, relationPage),
	}
}

type wireSighting struct {
	ID         string    `json:"id"`
	StandardID string    `json:"standard_id"`
	StixIDs    []*string `json:"x_opencti_stix_ids"`
	FromID     string    `json:"fromId"`
	ToID       string    `json:"toId"`
	ToType     string    `json:"toType"`
	Count      *int      `json:"attribute_count"`
	First      moment    `json:"first_seen"`
	Last       moment    `json:"last_seen"`
	Negative   *bool     `json:"x_opencti_negative"`
	To         *struct {
		ID         string    `json:"id"`
		StandardID string    `json:"standard_id"`
		StixIDs    []*string `json:"x_opencti_stix_ids"`
	} `json:"to"`
	wireWhose
}

// Sightings reads the sightings of indicators, named by their internal ids, on systems: those that come of
// alerts, and those of other sources. All come, or an error does. They are asked for together; a platform
// that refuses the filter for that, ignores it, or finds nothing where there is something, is asked for one
// indicator after the other.
func (c *Client) Sightings(ctx context.Context, indicators []string) (all []pull.Sighted, err error) {
	for batch := range slices.Chunk(indicators, lookupBatch) {
		some, known, err := c.sightingsTogether(ctx, batch)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		for _, id := range batch {
			if known {
				break
			}
			some, err := c.sightings(ctx, c.relations("Sightings", "sightings", "sightings of an indicator", "fromId", id), []string{id})
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// sightingsTogether reads the sightings of several indicators; known says whether it can.
func (c *Client) sightingsTogether(ctx context.Context, ids []string) (all []pull.Sighted, known bool, err error) {
	if len(ids) < 2 || c.apart.Load() {
		return nil, false, nil
	}
	all, err = c.sightings(ctx, c.relations("SightingsOf", "sightings_of", "sightings of indicators", "filters", Group(Eq("fromId", ids...))), ids)
	if e, failed := errors.AsType[*Error](err); failed && !e.Verdict() && !e.Shape {
		return nil, false, err
	}
	if err == nil && len(all) == 0 {
		var one []pull.Sighted
		if one, err = c.sightings(ctx, c.relations("Sightings", "sightings", "sightings of an indicator", "fromId", ids[0]), ids[:1]); len(one) > 0 {
			c.apart.Store(true)
			return nil, false, nil
		}
		return nil, true, err
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, err
		}
		c.apart.Store(true)
	}
	return all, err == nil, nil
}

func (c *Client) sightings(ctx context.Context, l listing, ids []string) (all []pull.Sighted, err error) {
	err = list(ctx, c, l, func(w *wireSighting) (string, error) {
		if !slices.Contains(ids, w.FromID) {
			return "", notFrom("sighting", w.ID, w.FromID)
		}
		if w.ToID == "" || w.Count == nil || w.Negative == nil {
			return "", fmt.Errorf("sighting %s without an end, a count or a word whether it is negative", oneLine(w.ID))
		}
		if w.ToType == "System" {
			all = append(all, w.sighting())
		}
		return w.ID, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (w *wireSighting) sighting() pull.Sighted {
	s := pull.Sighted{
		IDs: idsOf(w.ID, w.StandardID, w.StixIDs), Indicator: w.FromID, Endpoint: []string{w.ToID},
		Count: *w.Count, First: w.First.Time, Last: w.Last.Time, Negative: *w.Negative, Whose: w.whose(),
	}
	if w.To != nil {
		s.Endpoint = idsOf(w.ToID, w.To.ID, append([]*string{&w.To.StandardID}, w.To.StixIDs...))
	}
	return s
}

func notFrom(what, id, from string) error {
	return fmt.Errorf("%s %s of %s, which was not asked for", what, oneLine(id), oneLine(from))
}

type wireIndicates struct {
	ID       string      `json:"id"`
	FromID   string      `json:"fromId"`
	FromType string      `json:"fromType"`
	ToID     string      `json:"toId"`
	ToType   string      `json:"toType"`
	Type     string      `json:"relationship_type"`
	To       *wireStored `json:"to"`
}

// IncidentsOf reads the incidents that an indicator, named by its internal id, indicates, each once. Of
// one that the account may not see only the internal id comes. All come, or an error does.
func (c *Client) IncidentsOf(ctx context.Context, indicator string) (all []pull.Stored, err error) {
	l := c.relations("Indicates", "indicates", "incidents that an indicator indicates", "fromId", []string{indicator})
	var have remote.IDs
	err = list(ctx, c, l, func(w *wireIndicates) (string, error) {
		if w.FromID != indicator {
			return "", notFrom("relationship", w.ID, w.FromID)
		}
		if w.ToID == "" {
			return "", fmt.Errorf("relationship %s without an end", oneLine(w.ID))
		}
		if w.ToType != "Incident" || w.Type != "indicates" || !have.Add(w.ToID) {
			return w.ID, nil
		}
		o := pull.Stored{IDs: []string{w.ToID}}
		if w.To != nil && w.To.ID != "" {
			o = w.To.object()
		}
		all = append(all, o)
		return w.ID, nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// IndicatorsOf reads which indicators indicate each of some incidents, all by internal ids, at most 200
// incidents at a time. All come, or an error does.
func (c *Client) IndicatorsOf(ctx context.Context, incidents []string) (map[string][]string, error) {
	return c.indicatorsBy(ctx, "indicates", "indicators of incidents", incidents)
}

// indicatorsBy reads which indicators have a relation to each of some objects.
func (c *Client) indicatorsBy(ctx context.Context, relation, what string, targets []string) (map[string][]string, error) {
	of := map[string][]string{}
	for batch := range slices.Chunk(targets, lookupBatch) {
		l := c.relations("IndicatedBy", "indicated_by", what, "toId", batch)
		l.variables["relation"] = []string{relation}
		err := list(ctx, c, l, func(w *wireIndicates) (string, error) {
			if !slices.Contains(batch, w.ToID) {
				return "", notFrom("relationship", w.ID, w.ToID)
			}
			if w.FromID == "" {
				return "", fmt.Errorf("relationship %s without an end", oneLine(w.ID))
			}
			if w.FromType == "Indicator" && w.Type == relation && !slices.Contains(of[w.ToID], w.FromID) {
				of[w.ToID] = append(of[w.ToID], w.FromID)
			}
			return w.ID, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return of, nil
}
