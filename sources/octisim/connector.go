package octisim

import (
	"strings"
	"time"
)

// connector is a registered connector. Unlike the objects of the store it changes in place.
type connector struct {
	base
	name, kind    string
	scope         []string
	auto, context bool
	playbook      bool
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

func (s *Sim) connectorList() []*connector {
	var all []*connector
	for _, id := range sortedKeys(s.connectors) {
		all = append(all, s.connectors[id])
	}
	return all
}

var mutationFields = map[string]resolver{
	"registerConnector":   register,
	"pingConnector":       ping,
	"resetStateConnector": resetStateConnector,
	"deleteConnector":     deleteConnector,
	"workAdd":             workAdd,
	"workEdit":            workEdit,
	"workDelete":          workDelete,
	"stixBundlePush":      push,
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
	con.playbook, _ = in["playbook_compatible"].(bool)
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

func resetStateConnector(c *call) (any, error) {
	con, err := c.connector()
	if err != nil {
		return nil, err
	}
	c.sim.resetState(con)
	return con, nil
}

func deleteConnector(c *call) (any, error) {
	con, err := c.connector()
	if err != nil {
		return nil, err
	}
	delete(c.sim.connectors, con.id)
	c.sim.unqueue(con.id)
	return con.id, nil
}

var connectorFields = map[string]resolver{
	"name":  on(func(c *connector) any { return c.name }),
	"title": on(func(c *connector) any { return c.name }),
	"active": with(func(x *call, c *connector) any {
		return x.sim.now().Sub(c.updatedAt.time()) < 5*time.Minute
	}),
	"auto":                      on(func(c *connector) any { return c.auto }),
	"auto_update":               constant(false),
	"only_contextual":           on(func(c *connector) any { return c.context }),
	"playbook_compatible":       on(func(c *connector) any { return c.playbook }),
	"connector_type":            on(func(c *connector) any { return c.kind }),
	"connector_scope":           on(func(c *connector) any { return listOf[string](c.scope) }),
	"connector_state":           on(func(c *connector) any { return optionalText(c.state) }),
	"connector_state_reset":     on(func(c *connector) any { return c.reset }),
	"connector_state_timestamp": on(func(c *connector) any { return orNever(c.stateAt) }),
	"connector_user_id":         on(func(c *connector) any { return text(c.user) }),
	"connector_queue_details":   on(func(c *connector) any { return c }),
	"connector_info": on(func(c *connector) any {
		if c.info == nil {
			return nil
		}
		return c.info
	}),
	"config":     on(func(c *connector) any { return c }),
	"is_managed": constant(false),
	"built_in":   constant(false),
	"works": with(func(x *call, c *connector) any {
		status, _ := x.args["status"].(string)
		l := listOf[*work]{}
		for _, w := range x.sim.workList() {
			if w.connector == c.id && (status == "" || status == w.status()) {
				l = append(l, w)
			}
		}
		return l
	}),
}

// orNever makes the zero of a moment that was never set null.
func orNever(m moment) any {
	if m == 0 {
		return nil
	}
	return m
}

func configField(prefix string) resolver {
	return on(func(c *connector) any {
		if strings.HasSuffix(prefix, "_") {
			return prefix + c.id
		}
		return prefix
	})
}

var configFields = map[string]resolver{
	"push":            configField("push_"),
	"push_routing":    configField("push_routing_"),
	"push_exchange":   configField("amqp.worker.exchange"),
	"listen":          configField("listen_"),
	"listen_routing":  configField("listen_routing_"),
	"listen_exchange": configField("amqp.connector.exchange"),
}

var infoFields = func() map[string]resolver {
	fields := map[string]resolver{}
	for _, name := range []string{
		"run_and_terminate", "buffering", "queue_threshold", "queue_messages_size", "next_run_datetime", "last_run_datetime",
	} {
		fields[name] = on(func(m map[string]any) any { return m[name] })
	}
	return fields
}()

// purge drops works of a connector, or the finished ones that are older than a week when id is empty.
func (s *Sim) purge(id string) {
	s.forget(func(w *work) bool { return id != "" && w.connector == id || id == "" && s.over(w) })
}

// over tells whether a work finished more than a week ago.
func (s *Sim) over(w *work) bool {
	return w.completed != 0 && w.completed < momentOf(s.now().AddDate(0, 0, -7))
}
