package opencti

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"harfangsync/reconcile"
)

// Found is an indicator with the id under which it was asked for.
type Found struct {
	Asked string
	reconcile.Indicator
}

// lookupBatch is how many ids one request asks for.
const lookupBatch = 200

// ByIDs asks for indicators by internal, standard or further STIX id, all that f lets through, or all
// that are visible when f is nil. An id that is not among the answers is absent or not visible.
func (c *Client) ByIDs(ctx context.Context, ids []string, f *FilterGroup, observables bool) ([]Found, error) {
	var found []Found
	for batch := range slices.Chunk(ids, lookupBatch) {
		some, err := c.lookup(ctx, batch, And(f, Group(Eq("ids", batch...))), observables)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

func (c *Client) lookup(ctx context.Context, ids []string, f *FilterGroup, observables bool) ([]Found, error) {
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	var page []reconcile.Indicator
	var names [][]string // of each indicator, under which it may have been asked for
	seen := make(idSet)
	after, total := "", 0
	for {
		vars := map[string]any{"first": c.pageSize, "filters": f}
		if after != "" {
			vars["after"] = after
		}
		var w wirePage
		if err := c.query(ctx, request{op: "Find", document: findDoc, variables: vars}, &w); err != nil {
			return nil, err
		}
		p, err := w.decode("Find")
		if err != nil {
			return nil, err
		}
		at := 0
		for _, e := range w.Indicators.Edges {
			if e == nil || e.Node == nil {
				continue
			}
			ind := p.indicators[at]
			at++
			if !seen.add(ind.ID) {
				return nil, &IncompleteError{What: "indicators asked for by id", Why: "indicator " + oneLine(ind.ID) + " came twice"}
			}
			page = append(page, ind)
			names = append(names, e.Node.ids())
		}
		total = p.info.GlobalCount
		if !p.info.HasNextPage {
			break
		}
		if after = p.info.EndCursor; after == "" || p.rows == 0 {
			return nil, &IncompleteError{What: "indicators asked for by id", Why: "a page promises another one and names no cursor"}
		}
	}
	if len(page) < total {
		return nil, &IncompleteError{What: "indicators asked for by id", Why: fmt.Sprintf("%d came and the platform counts %d", len(page), total)}
	}
	if observables && len(page) > 0 {
		if err := c.attach(ctx, page); err != nil {
			return nil, err
		}
	}
	var found []Found
	for i := range page {
		hit := false
		for _, id := range names[i] {
			if asked[id] {
				found = append(found, Found{id, page[i]})
				hit = true
			}
		}
		if !hit {
			return nil, &Error{Op: "Find", Status: 200, Shape: true, Message: "an indicator that was not asked for: the filter by id is ignored"}
		}
	}
	return found, nil
}

func (w *wireIndicator) ids() []string {
	ids := []string{w.ID, w.StandardID}
	for _, s := range w.StixIDs {
		if s != nil {
			ids = append(ids, *s)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// ConnectorState reads the state that a connector left, without registering anything. found is false
// for an unknown connector.
func (c *Client) ConnectorState(ctx context.Context, id string) (state string, found bool, err error) {
	var w struct {
		Connector *struct {
			State *string `json:"connector_state"`
		}
	}
	err = c.query(ctx, request{op: "ConnectorState", document: stateDoc, variables: map[string]any{"id": id}}, &w)
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == "RESOURCE_NOT_FOUND" || e.Code == "ALREADY_DELETED_ERROR") {
		return "", false, nil
	}
	if err != nil || w.Connector == nil {
		return "", false, err
	}
	return value(w.Connector.State), true, nil
}

// Register makes or updates our connector and returns the stored state (contract opencti-api 6.1).
func (c *Client) Register(ctx context.Context, id, name string, scope []string) (state string, err error) {
	const shortest = 2
	for len([]rune(name)) < shortest {
		name += "_"
	}
	input := map[string]any{"id": id, "name": name, "type": "EXTERNAL_IMPORT", "scope": scope, "auto": false, "only_contextual": false}
	var w struct {
		RegisterConnector *struct {
			State *string `json:"connector_state"`
		}
	}
	if err := c.mutate(ctx, request{op: "Register", document: registerDoc, variables: map[string]any{"input": input}}, &w); err != nil {
		return "", err
	}
	if w.RegisterConnector == nil {
		return "", &Error{Op: "Register", Status: 200, Shape: true, Message: "no connector in the answer"}
	}
	return value(w.RegisterConnector.State), nil
}

// Ping stores a state and returns what the platform holds then: another text means that an
// administrator reset it (contract opencti-api 6.2). An unknown connector is ErrUnknownConnector.
func (c *Client) Ping(ctx context.Context, id, state string) (stored string, err error) {
	var w struct {
		PingConnector *struct {
			State *string `json:"connector_state"`
		}
	}
	err = c.mutate(ctx, request{op: "Ping", document: pingDoc, variables: map[string]any{"id": id, "state": state}}, &w)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "FUNCTIONAL_ERROR" {
		return "", fmt.Errorf("%w: %w", ErrUnknownConnector, err)
	}
	if err != nil {
		return "", err
	}
	if w.PingConnector == nil {
		return "", ErrUnknownConnector
	}
	return value(w.PingConnector.State), nil
}
