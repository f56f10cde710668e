package octisim

import "slices"

// connector is a registered connector. Unlike the objects of the store it changes in place.
type connector struct {
	base
	Name    string         `json:"name"`
	Kind    string         `json:"connector_type"`
	Scope   listOf[string] `json:"connector_scope"`
	Auto    bool           `json:"auto"`
	Context bool           `json:"only_contextual"`
	State   *string        `json:"connector_state"`
	Reset   bool           `json:"connector_state_reset"` // by an administrator, and no ping has seen it yet
	StateAt moment         `json:"connector_state_timestamp"`
	User    string         `json:"connector_user_id"`
	Info    map[string]any `json:"connector_info"`
}

func (*connector) typename() string { return "Connector" }

// Connector is the state text that the platform keeps for a connector: empty when there is none.
func (s *Sim) Connector(id string) (state string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if !ok || c.State == nil {
		return "", ok
	}
	return *c.State, true
}

// SetConnector stores a state text for a registered connector, as another client of the same
// connector would. It is false for an unknown id.
func (s *Sim) SetConnector(id, state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if ok {
		c.State = &state
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
		c.State, c.Reset, c.StateAt = new(""), true, momentOf(s.now())
		s.queue = slices.DeleteFunc(s.queue, func(d *delivery) bool { return d.connector == id })
	}
	return ok
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
		con = &connector{StateAt: never, base: base{
			id: id, standard: standardID("connector", contributing{"internal_id": id}), entity: "Connector", createdAt: now,
		}}
		c.sim.connectors[id] = con
	}
	con.Name, con.Kind, con.User, con.updatedAt = name, in["type"].(string), c.user.ID, now
	con.Scope, _ = textList(in["scope"])
	con.Auto, _ = in["auto"].(bool)
	con.Context, _ = in["only_contextual"].(bool)
	return con, nil
}

func ping(c *call) (any, error) {
	con := c.sim.connectors[c.args["id"].(string)]
	if con == nil {
		return nil, functional("No connector found with the specified ID")
	}
	now := momentOf(c.sim.now())
	con.updatedAt = now
	if info, ok := c.args["connectorInfo"].(map[string]any); ok {
		con.Info = info
	}
	if con.Reset {
		con.Reset, con.State = false, new("") // what was sent is dropped
		return con, nil
	}
	con.State, con.StateAt = nil, now
	if state, ok := c.args["state"].(string); ok {
		con.State = &state
	}
	return con, nil
}

// over tells whether a work finished more than a week ago.
func (s *Sim) over(w *work) bool {
	return w.Completed != never && w.Completed < momentOf(s.now().AddDate(0, 0, -7))
}
