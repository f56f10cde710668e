package opencti

import (
	"context"
	"errors"
	"fmt"
)

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
