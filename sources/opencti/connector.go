package opencti

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
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
	stored     string // as it was read or stored last, which is what the next text is made from
	looked     time.Time
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
	text, err := c.read(ctx, c.query)
	if err == nil {
		c.stored = text
	}
	return text, err
}

// Looked is when what is stored was read last, or a little before.
func (c *Connector) Looked() time.Time { return c.looked }

func (c *Connector) read(ctx context.Context, send func(context.Context, request, any) error) (string, error) {
	c.looked = time.Now()
	text, _, err := connectorState(ctx, c.ID, send)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "FORBIDDEN_ACCESS" && !c.ReadOnly {
		return c.Register(ctx, c.Registration)
	}
	return text, err
}

// Save replaces what was read or stored last by a text. Where something else is seen there, it is state.ErrChanged. When
// the platform answers another state than was sent, an administrator reset it (contract opencti-api 6.2).
func (c *Connector) Save(ctx context.Context, text string) error {
	if c.ReadOnly {
		return nil
	}
	stored, err := c.replace(ctx, text)
	if errors.Is(err, ErrUnknownConnector) {
		had := c.stored
		if _, err = c.Register(ctx, c.Registration); err != nil {
			return err
		}
		if _, err = c.Load(ctx); err != nil { // registering takes seconds
			return err
		}
		if c.stored != "" && c.stored != had { // another process registered it
			return state.ErrChanged
		}
		stored, err = c.replace(ctx, text)
	}
	if err != nil {
		return err
	}
	if c.stored = stored; stored != text {
		return state.ErrReset
	}
	return nil
}

// replace pings, and returns what the platform holds then. The platform keeps the last text that it was sent, whatever
// that replaces. So a ping that was turned away or whose answer was lost is sent again only after a look that finds what
// it is to replace.
//
// The first ping after a reset is dropped and takes the flag with it, so a second one would bury the reset. Therefore
// no state is a reset where there was one, and after a ping that may have arrived.
func (c *Connector) replace(ctx context.Context, text string) (stored string, err error) {
	var failed *Error // the ping before
	err = c.o.Retry.Do(ctx, c.o.Log, func() error {
		if failed != nil {
			have, err := c.read(ctx, c.queryOnce)
			switch {
			case err != nil:
				return err
			case have == text, have == "" && (c.stored != "" || !failed.TurnedAway()):
				stored = have
				return nil
			case have != c.stored:
				return state.ErrChanged
			}
		}
		var err error
		stored, err = c.Ping(ctx, c.ID, text)
		failed, _ = errors.AsType[*Error](err)
		return err
	})
	return stored, err
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
	return connectorState(ctx, id, c.query)
}

func connectorState(ctx context.Context, id string, send func(context.Context, request, any) error) (state string, found bool, err error) {
	var w struct{ Connector *wireConnector }
	err = send(ctx, request{op: "ConnectorState", document: "state", variables: map[string]any{"id": id}, right: "MODULES"}, &w)
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

// Ping stores a state, whatever is there, and returns what the platform holds then: another text means that an
// administrator reset it (contract opencti-api 6.2). It is sent once. An unknown connector is ErrUnknownConnector.
func (c *Client) Ping(ctx context.Context, id, state string) (stored string, err error) {
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
	err = remote.Cut(ctx, "OpenCTI: "+r.op, c.once(ctx, r, &w, (*Error).Temporary))
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
