package octisim

import (
	"time"
)

// connector is a registered connector. Unlike the objects of the store it changes in place.
type connector struct {
	base
	name, kind    string
	scope         []string
	auto, context bool
	state         *string
	reset         bool // an administrator's reset that no ping has seen yet
	stateAt       moment
	user          string
	info          map[string]any
}

func (*connector) typename() string { return "Connector" }

// Connector is the state text that the platform keeps for a connector: empty when there is none.
func (s *Sim) Connector(id string) (state string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if !ok || c.state == nil {
		return "", ok
	}
	return *c.state, true
}

// SetConnector stores a state text for a registered connector, as another client of the same
// connector would. It is false for an unknown id.
func (s *Sim) SetConnector(id, state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if ok {
		c.state = &state
	}
	return ok
}

// ResetConnector empties the state of a connector as an administrator does: the next ping stores
// nothing and learns of it, and bundles that wait for their import are lost (contract opencti-api
// 6.2). It is false for an unknown id.
func (s *Sim) ResetConnector(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if ok {
		s.resetState(c)
	}
	return ok
}

func (s *Sim) resetState(c *connector) {
	c.state, c.reset, c.stateAt = new(""), true, momentOf(s.now())
	s.unqueue(c.id)
}

var mutationFields = map[string]resolver{
	"registerConnector": register,
	"pingConnector":     ping,
	"workAdd":           workAdd,
	"workEdit":          workEdit,
	"stixBundlePush":    push,
}

func register(c *call) (any, error) {
	in, _ := c.args["input"].(map[string]any)
	if in == nil {
		return nil, internal("Cannot read properties of undefined (reading 'id')")
	}
	name, _ := in["name"].(string)
	if len([]rune(name)) < 2 || trim(name) == "" {
		return nil, badInput("Invalid value for name: must be at least 2 characters in length")
	}
	id := in["id"].(string)
	now := momentOf(c.sim.now())
	con := c.sim.connectors[id]
	if con == nil {
		con = &connector{base: base{
			id: id, standard: standardID("connector", contributing{"internal_id": id}), entity: "Connector", createdAt: now,
		}}
		c.sim.connectors[id] = con
	}
	con.name, con.kind, con.user, con.updatedAt = name, in["type"].(string), c.user.ID, now
	con.scope = nil
	for _, v := range list(in["scope"]) {
		con.scope = append(con.scope, v.(string))
	}
	con.auto, _ = in["auto"].(bool)
	con.context, _ = in["only_contextual"].(bool)
	return con, nil
}

func (c *call) connector() (*connector, error) {
	con := c.sim.connectors[c.args["id"].(string)]
	if con == nil {
		return nil, functional("No connector found with the specified ID")
	}
	return con, nil
}

func ping(c *call) (any, error) {
	con, err := c.connector()
	if err != nil {
		return nil, err
	}
	now := momentOf(c.sim.now())
	con.updatedAt = now
	if info, ok := c.args["connectorInfo"].(map[string]any); ok {
		con.info = info
	}
	if con.reset {
		con.reset, con.state = false, new("") // what was sent is dropped
		return con, nil
	}
	con.state, con.stateAt = nil, now
	if state, ok := c.args["state"].(string); ok {
		con.state = &state
	}
	return con, nil
}

var connectorFields = map[string]resolver{
	"name":                      on(func(c *connector) any { return c.name }),
	"active":                    with(func(x *call, c *connector) any { return x.sim.now().Sub(c.updatedAt.time()) < 5*time.Minute }),
	"auto":                      on(func(c *connector) any { return c.auto }),
	"only_contextual":           on(func(c *connector) any { return c.context }),
	"connector_type":            on(func(c *connector) any { return c.kind }),
	"connector_scope":           on(func(c *connector) any { return listOf[string](c.scope) }),
	"connector_state":           on(func(c *connector) any { return valueOf(c.state) }),
	"connector_state_reset":     on(func(c *connector) any { return c.reset }),
	"connector_state_timestamp": on(func(c *connector) any { return orNever(c.stateAt) }),
	"connector_user_id":         on(func(c *connector) any { return text(c.user) }),
	"connector_info": on(func(c *connector) any {
		if c.info == nil {
			return nil
		}
		return c.info
	}),
}

// over tells whether a work finished more than a week ago.
func (s *Sim) over(w *work) bool {
	return w.completed != 0 && w.completed < momentOf(s.now().AddDate(0, 0, -7))
}
