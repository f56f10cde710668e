package opencti

import (
	"context"
	"fmt"
	"slices"

	"harfangsync/reconcile/pull"
	"harfangsync/reconcile/remote"
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

// Sightings reads the sightings of an indicator, named by its internal id, on systems: those that come
// of alerts, and those of other sources. All come, or an error does.
func (c *Client) Sightings(ctx context.Context, indicator string) (all []pull.Sighted, err error) {
	l := c.relations("Sightings", "sightings", "sightings of an indicator", "fromId", indicator)
	err = list(ctx, c, l, func(w *wireSighting) (string, error) {
		if w.FromID != indicator {
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
		IDs: idsOf(w.ID, w.StandardID, w.StixIDs), Endpoint: []string{w.ToID},
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
