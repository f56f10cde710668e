package opencti

import (
	"context"
	"fmt"
	"slices"
)

type wireIndicatedBy struct {
	ID       string `json:"id"`
	FromID   string `json:"fromId"`
	FromType string `json:"fromType"`
	ToID     string `json:"toId"`
	Type     string `json:"relationship_type"`
}

// IndicatorsOf reads which indicators indicate each of some incidents, all by internal ids, at most 200
// incidents at a time. All come, or an error does.
func (c *Client) IndicatorsOf(ctx context.Context, incidents []string) (map[string][]string, error) {
	of := map[string][]string{}
	for batch := range slices.Chunk(incidents, lookupBatch) {
		l := listing{
			request: request{op: "IndicatedBy", document: "indicated_by", variables: map[string]any{"toId": batch}, right: "KNOWLEDGE"},
			what:    "indicators of incidents", first: min(c.pageSize, relationPage),
		}
		err := list(ctx, c, l, func(w *wireIndicatedBy) (string, error) {
			if !slices.Contains(batch, w.ToID) {
				return "", notFrom("relationship", w.ID, w.ToID)
			}
			if w.FromID == "" {
				return "", fmt.Errorf("relationship %s without an end", oneLine(w.ID))
			}
			if w.FromType == "Indicator" && w.Type == "indicates" && !slices.Contains(of[w.ToID], w.FromID) {
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
