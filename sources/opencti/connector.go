package opencti

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Connector is ours on a platform: it keeps the state, and pushes what a pull imports. It is a state.Store
// and a pull.Knowledge.
type Connector struct {
	*Client
	Registration
	ReadOnly bool         // registers nothing and saves nothing
	MayWrite func() error // is asked before anything is pushed; its error is what becomes of it. May be nil

	registered bool
}

// Registration is what the platform shows of a connector.
type Registration struct {
	ID, Name string
	Type     string // EXTERNAL_IMPORT unless it says otherwise
	Scope    []string
	Auto     bool
}

// Load reads the stored text. It registers nothing, since that needs the platform's message broker, unless
// the account may register and not read.
func (c *Connector) Load(ctx context.Context) (string, error) {
	text, _, err := c.ConnectorState(ctx, c.ID)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "FORBIDDEN_ACCESS" && !c.ReadOnly {
		return c.Register(ctx, c.Registration)
	}
	return text, err
}

// Save stores the text. When the platform answers another state than was sent, an administrator reset it
// (contract opencti-api 6.2).
func (c *Connector) Save(ctx context.Context, text string) error {
	if c.ReadOnly {
		return nil
	}
	stored, err := c.Ping(ctx, c.ID, text)
	if errors.Is(err, ErrUnknownConnector) {
		if _, err = c.Register(ctx, c.Registration); err == nil {
			stored, err = c.Ping(ctx, c.ID, text)
		}
	}
	if err != nil {
		return err
	}
	if stored != text {
		return state.ErrReset
	}
	return nil
}

// AddWork opens a work, for the platforms that tie bundles to works. Only a registered connector can
// push, and with a state kept elsewhere it is not registered yet.
func (c *Connector) AddWork(ctx context.Context, name string) (string, error) {
	if !c.registered {
		if _, err := c.Register(ctx, c.Registration); err != nil {
			return "", err
		}
		c.registered = true
	}
	if !c.tiesWorks() {
		return "", nil
	}
	return c.Client.AddWork(ctx, c.ID, name)
}

// Tell leaves a work that says what a run did, or why it did not. The connector is registered if it is not
// there.
func (c *Connector) Tell(ctx context.Context, name, message string, failed bool) error {
	_, found, err := c.ConnectorState(ctx, c.ID)
	if err == nil && !found {
		_, err = c.Register(ctx, c.Registration)
	}
	if err != nil {
		return err
	}
	work, err := c.Client.AddWork(ctx, c.ID, name)
	if err != nil {
		return err
	}
	return c.endWork(ctx, work, message, failed)
}

// Push hands over a bundle.
func (c *Connector) Push(ctx context.Context, bundle, work string) error {
	if c.MayWrite != nil {
		if err := c.MayWrite(); err != nil {
			return err
		}
	}
	return c.Client.Push(ctx, c.ID, bundle, work)
}

type wireConnector struct {
	State *string `json:"connector_state"`
}

// ConnectorState reads the state that a connector left, without registering anything. found is false
// for an unknown connector.
func (c *Client) ConnectorState(ctx context.Context, id string) (state string, found bool, err error) {
	var w struct{ Connector *wireConnector }
	err = c.query(ctx, request{op: "ConnectorState", document: "state", variables: map[string]any{"id": id}, right: "MODULES"}, &w)
	if e, ok := errors.AsType[*Error](err); ok && e.Absent() {
		return "", false, nil
	}
	if err != nil || w.Connector == nil {
		return "", false, err
	}
	return value(w.Connector.State), true, nil
}

// Register makes or updates our connector and returns the stored state (contract opencti-api 6.1).
func (c *Client) Register(ctx context.Context, r Registration) (state string, err error) {
	const shortest = 2
	name := strings.TrimSpace(r.Name)
	for len([]rune(name)) < shortest {
		name += "_"
	}
	input := map[string]any{"id": r.ID, "name": name, "type": cmp.Or(r.Type, "EXTERNAL_IMPORT"), "scope": append([]string{}, r.Scope...), "auto": r.Auto, "only_contextual": false}
	var w struct{ RegisterConnector *wireConnector }
	// It inserts or updates by id and leaves the state alone, so twice is once: sent like a query.
	if err := c.query(ctx, request{op: "Register", document: "register", variables: map[string]any{"input": input}, right: "CONNECTORAPI", broker: true}, &w); err != nil {
		return "", err
	}
	if w.RegisterConnector == nil {
		return "", misshapen("Register", "no connector")
	}
	return value(w.RegisterConnector.State), nil
}

// Ping stores a state and returns what the platform holds then: another text means that an
// administrator reset it (contract opencti-api 6.2). An unknown connector is ErrUnknownConnector.
//
// The first ping after a reset is dropped and takes the flag with it, so a second one would bury the
// reset. Therefore a ping whose answer was lost is repeated only if the platform still holds an earlier
// state, which no reset leaves behind.
func (c *Client) Ping(ctx context.Context, id, state string) (stored string, err error) {
	for attempt := 1; ; attempt++ {
		stored, err = c.ping(ctx, id, state)
		e, failed := errors.AsType[*Error](err)
		if !failed || !e.Temporary() || e.TurnedAway() || attempt >= c.o.Retry.Attempts {
			return stored, err
		}
		have, found, readErr := c.ConnectorState(ctx, id)
		switch {
		case readErr != nil || !found:
			return "", err
		case have == state || have == "":
			return have, nil
		}
		if err := c.o.Retry.Sleep(ctx, c.o.Retry.Backoff(attempt-1)); err != nil {
			return "", err
		}
	}
}

func (c *Client) ping(ctx context.Context, id, state string) (stored string, err error) {
	var w struct{ PingConnector *wireConnector }
	r := request{op: "Ping", document: "ping", variables: map[string]any{"id": id, "state": state}, right: "CONNECTORAPI"}
	if len(c.known().parts) > 0 && c.since(pingWithInfo) {
		r.document = "ping_info"
		last := c.o.Began
		if c.o.Endless || last.IsZero() {
			last = time.Now()
		}
		info := map[string]any{"run_and_terminate": !c.o.Endless, "buffering": false, "queue_threshold": 500, "queue_messages_size": 0,
			"last_run_datetime": dateTime(last)}
		if c.o.Every > 0 && !c.o.Endless {
			info["next_run_datetime"] = dateTime(last.Add(c.o.Every))
		}
		r.variables["info"] = info
	}
	err = c.mutate(ctx, r, &w)
	if e, failed := errors.AsType[*Error](err); failed && (e.Code == "FUNCTIONAL_ERROR" || e.Absent()) {
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

func dateTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
