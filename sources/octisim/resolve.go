package octisim

import (
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// on makes a resolver of a function of the source.
func on[T any](get func(T) any) resolver {
	return func(c *call) (any, error) { return get(c.source.(T)), nil }
}

// with makes a resolver of a function that also wants the call.
func with[T any](get func(*call, T) any) resolver {
	return func(c *call) (any, error) { return get(c, c.source.(T)), nil }
}

func constant(v any) resolver { return func(*call) (any, error) { return v, nil } }

// text is null when empty: the platform stores no empty texts.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func optionalInt(n int32) any {
	if n < 0 {
		return nil
	}
	return n
}

func texts(l []string) any {
	if len(l) == 0 {
		return nil
	}
	return l
}

// resolvers by type or interface, then field. A field that stands nowhere is null.
var resolvers = map[string]map[string]resolver{
	"Query":                queryFields,
	"Mutation":             mutationFields,
	"PageInfo":             pageInfoFields,
	"BasicObject":          objectFields,
	"InternalObject":       objectFields,
	"StixObject":           objectFields,
	"StixMetaObject":       objectFields,
	"StixDomainObject":     objectFields,
	"BasicRelationship":    objectFields,
	"StixRelationship":     objectFields,
	"StixCoreObject":       objectFields,
	"Creator":              creatorFields,
	"Representative":       representativeFields,
	"Hash":                 hashFields,
	"Indicator":            indicatorFields,
	"ObservablesValues":    observableValueFields,
	"StixCyberObservable":  observableFields,
	"HashedObservable":     hashedFields,
	"StixFile":             fileFields,
	"StixCoreRelationship": relationFields,
	"Container":            containerFields,
	"MarkingDefinition":    markingFields,
	"Label":                labelFields,
	"Identity":             identityFields,
	"KillChainPhase":       phaseFields,
	"ExternalReference":    referenceFields,
	"AppInfo":              {"version": on(func(v string) any { return v })},
	"MeUser":               meFields,
	"Capability":           capabilityFields,
	"StreamCollection":     streamFields,
	"RedisStreamInfo":      streamInfoFields,
	"Connector":            connectorFields,
	"ConnectorConfig":      configFields,
	"ConnectorInfo":        infoFields,
	"Work":                 workFields,
	"WorkMessage":          workMessageFields,
	"WorkTracking":         trackingFields,
	"WorkEditMutations":    workEditFields,
	"ConnectorQueueDetails": {
		"messages_number": with(func(c *call, con *connector) any { n, _ := c.sim.queued(con.id); return float64(n) }),
		"messages_size":   with(func(c *call, con *connector) any { _, n := c.sim.queued(con.id); return float64(n) }),
	},
	"StixSightingRelationship": relationFields,
	"EffectiveConfidenceLevel": {"max_confidence": on(func(n *int) any { return *n })},
}

// resolverOf looks at the type, then at its interfaces, then at what all connections share.
func resolverOf(def *ast.Definition, field string) resolver {
	if r := resolvers[def.Name][field]; r != nil {
		return r
	}
	for _, name := range def.Interfaces {
		if r := resolvers[name][field]; r != nil {
			return r
		}
	}
	switch {
	case strings.HasSuffix(def.Name, "Connection"):
		return connectionFields[field]
	case strings.HasSuffix(def.Name, "Edge"):
		return edgeFields[field]
	}
	for _, name := range def.Interfaces {
		if name == "StixCyberObservable" {
			return property
		}
	}
	return stored
}

var connectionFields = map[string]resolver{
	"pageInfo": on(func(c *connection) any { return c }),
	"edges": on(func(c *connection) any {
		edges := make(listOf[*edge], len(c.nodes))
		all := make([]edge, len(c.nodes))
		for i, n := range c.nodes {
			all[i] = edge{c, n}
			edges[i] = &all[i]
		}
		return edges
	}),
}

var edgeFields = map[string]resolver{
	"types":  constant([]string{"manual"}),
	"cursor": on(func(e *edge) any { return e.of.cursor(e.node) }),
	"node":   on(func(e *edge) any { return e.node }),
}

var pageInfoFields = map[string]resolver{
	"hasNextPage":     on(func(c *connection) any { return c.hasNext }),
	"hasPreviousPage": on(func(c *connection) any { return c.hasPrior }),
	"globalCount":     on(func(c *connection) any { return c.total }),
	"startCursor": on(func(c *connection) any {
		if len(c.nodes) == 0 {
			return ""
		}
		return c.cursor(c.nodes[0])
	}),
	"endCursor": on(func(c *connection) any {
		if len(c.nodes) == 0 {
			return ""
		}
		return c.cursor(c.nodes[len(c.nodes)-1])
	}),
}

// property reads a field that only some observables have.
func property(c *call) (any, error) {
	o := c.source.(*observable)
	if n, ok := whole(o.props[c.field]); ok {
		return n, nil
	}
	switch {
	case c.field != typeOf(o.entity).value:
	case c.field == "number":
		n, err := strconv.Atoi(strings.TrimPrefix(o.value, "AS"))
		if err != nil {
			return nil, nil
		}
		return n, nil
	default:
		return text(o.value), nil
	}
	switch v := o.props[c.field].(type) {
	case string, bool, moment:
		return v, nil
	case []string:
		return texts(v), nil
	case []any:
		var l []string
		for _, e := range v {
			if s, ok := e.(string); ok {
				l = append(l, s)
			}
		}
		return texts(l), nil
	}
	return nil, nil
}

// unpaged is a connection that comes whole, at most first of it.
func unpaged[T item](c *call, nodes []T) any {
	first := defaultPage
	if n, ok := c.args["first"].(int); ok {
		first = n
	}
	out := &connection{cursor: func(v item) string { return v.core().id }, total: len(nodes)}
	for _, n := range nodes[:min(len(nodes), max(first, 0), c.cap())] {
		out.nodes = append(out.nodes, n)
	}
	out.hasNext = len(out.nodes) == first && first > 0
	return out
}
