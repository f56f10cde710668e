package octisim

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

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

// fields are the resolvers of a type: of every filter key that is no list of ids, and of others. As a
// filter key an entity type is a list, of those above it too.
func fields[T item](keys columns[T], others map[string]resolver) map[string]resolver {
	for name, key := range keys {
		if !key.id && name != "entity_type" && others[name] == nil {
			others[name] = on(func(v T) any { return key.value(v) })
		}
	}
	return others
}

// members are the resolvers of a type that is a struct: of what JSON names, and of others. An empty text
// is null.
func members[T any](others map[string]resolver) map[string]resolver {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || others[name] != nil {
			continue
		}
		others[name] = func(c *call) (any, error) {
			v := reflect.Indirect(reflect.ValueOf(c.source)).FieldByIndex(f.Index)
			switch k := v.Kind(); {
			case (k == reflect.Pointer || k == reflect.Map) && v.IsNil(), k == reflect.String && v.Len() == 0:
				return nil, nil
			case k == reflect.Pointer:
				v = v.Elem()
			}
			return v.Interface(), nil
		}
	}
	return others
}

// value is the column's value as GraphQL shows it; nothing empty is stored.
func (c column[T]) value(v T) any {
	switch {
	case c.text != nil:
		return orNull(c.text(v))
	case c.texts != nil:
		return orNull(c.texts(v))
	case c.date != nil:
		return c.date(v)
	case c.num != nil:
		if n, ok := c.num(v); ok {
			return n
		}
	case c.flag != nil:
		if f := c.flag(v); f >= 0 {
			return f == 1
		}
	}
	return nil
}

// orNull is null for an empty text or list.
func orNull[V string | []string](v V) any {
	if len(v) == 0 {
		return nil
	}
	return v
}

func optionalInt(n int32) any {
	if n < 0 {
		return nil
	}
	return n
}

// orNil keeps a nil pointer from becoming a value.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

// resolvers by type or interface, then field. A field that stands nowhere is null.
var resolvers = map[string]map[string]resolver{
	"Query":                    queryFields,
	"Mutation":                 mutationFields,
	"PageInfo":                 pageInfoFields,
	"Indicator":                indicatorFields,
	"StixCyberObservable":      observableFields,
	"Identity":                 entityFields,
	"Incident":                 entityFields,
	"CaseIncident":             entityFields,
	"Note":                     entityFields,
	"AttackPattern":            entityFields,
	"StixCoreRelationship":     relationFields,
	"StixSightingRelationship": relationFields,
	"StreamCollection": members[Stream](map[string]resolver{
		"stream_public": on(func(s *Stream) any {
			if !s.Public { // nobody ever set it
				return nil
			}
			return true
		}),
	}),
	"RedisStreamInfo": streamInfoFields,
	"Connector": members[connector](map[string]resolver{
		"active": with(func(x *call, c *connector) any { return x.sim.now().Sub(c.updatedAt.time()) < 5*time.Minute }),
	}),
	"Work":              workFields,
	"WorkMessage":       members[workMessage](map[string]resolver{}),
	"WorkTracking":      members[tracking](map[string]resolver{}),
	"WorkEditMutations": workEditFields,

	"StreamCollectionEditMutations": streamEditFields,
	"Hash":                          members[Hash](map[string]resolver{}),
	"Label":                         members[label](map[string]resolver{"color": constant("#546e7a")}),
	"KillChainPhase":                members[phase](map[string]resolver{"x_opencti_order": constant(0)}),
	"ExternalReference":             members[reference](map[string]resolver{"source_name": on(func(r *reference) any { return r.Source })}),
	"AppInfo":                       {"version": on(func(v string) any { return v })},
	"Capability":                    {"name": on(func(v string) any { return v })},
	"EffectiveConfidenceLevel":      {"max_confidence": on(func(n *int) any { return *n })},
	"ObservablesValues": members[shownValue](map[string]resolver{
		"hashes": on(func(v shownValue) any { return hashList(v.Hashes) }),
	}),
	"MarkingDefinition": {
		"definition_type": on(func(m *marking) any { return m.kind }),
		"definition":      on(func(m *marking) any { return m.definition }),
		"x_opencti_order": on(func(m *marking) any { return m.order }),
		"x_opencti_color": constant(markingColor),
	},
	"MeUser": members[User](map[string]resolver{
		"capabilities":               on(func(u *User) any { return listOf[string](u.Capabilities) }),
		"effective_confidence_level": on(func(u *User) any { return orNil(u.MaxConfidence) }),
		"allowed_marking":            with(func(c *call, _ *User) any { return c.allowedMarkings() }),
	}),
}

// resolverOf looks at the type, then at its interfaces, then at what all objects, connections or
// members of an input have.
func resolverOf(def *ast.Definition, field string) resolver {
	if strings.HasSuffix(def.Name, "Edge") {
		return edgeFields[field]
	}
	for _, name := range append([]string{def.Name}, def.Interfaces...) {
		if r := resolvers[name][field]; r != nil {
			return r
		}
	}
	switch {
	case objectFields[field] != nil:
		return objectFields[field]
	case slices.Contains(def.Interfaces, "StixCyberObservable"):
		return property
	case strings.HasSuffix(def.Name, "Connection"):
		return connectionFields[field]
	case strings.HasSuffix(def.Name, "Info"):
		return on(func(m map[string]any) any { return m[field] })
	}
	return nil
}

// objectFields are common to all objects.
var objectFields = fields(allColumns(columns[item]{}), map[string]resolver{
	"id":                 on(func(v item) any { return v.core().id }),
	"standard_id":        on(func(v item) any { return v.core().standard }),
	"entity_type":        on(func(v item) any { return v.core().entity }),
	"x_opencti_stix_ids": on(func(v item) any { return listOf[string](v.core().stixIDs()) }),
	"is_inferred":        constant(false),
	"spec_version":       constant("2.1"),
	"objectMarking":      on(func(v item) any { return listOf[*marking](v.core().markings) }),
	"createdBy":          with(func(c *call, v item) any { return c.author(v.core().told().author) }),
	"objectLabel":        on(func(v item) any { return listOf[*label](v.core().told().labels) }),
	"externalReferences": with(func(c *call, v item) any { return unpaged(c, v.core().told().references) }),
	"killChainPhases":    on(func(v item) any { return listOf[*phase](v.core().told().phases) }),
	"revoked":            on(func(v item) any { return v.core().told().props["revoked"] == true }),
})

// resolvable gives a field that cannot be null, of an object that the knobs do not break.
func resolvable[T item](get func(*call, T) any) resolver {
	return func(c *call) (any, error) {
		v := c.source.(T)
		if slices.Contains(c.sim.knobs.Unresolvable, v.core().id) {
			return nil, internal("Cannot return null for non-nullable field %s.%s.", v.core().entity, c.field)
		}
		return get(c, v), nil
	}
}

var indicatorFields = fields(indicatorColumns, map[string]resolver{
	"name":                        resolvable(func(_ *call, i *indicator) any { return orNull(i.name) }),
	"x_opencti_observable_values": on(observableValues),
	"observables": func(c *call) (any, error) {
		if happens(&c.sim.knobs.OverrunPages) {
			return nil, searchFailure("rejected execution of coordinating operation")
		}
		i := c.source.(*indicator)
		var nodes []*observable
		for _, r := range c.sim.from[i.id] {
			if o, ok := c.see(r.to).(*observable); ok && r.entity == basedOn {
				nodes = append(nodes, o)
			}
		}
		return unpaged(c, nodes), nil
	},
})

// shownValue is one entry of x_opencti_observable_values.
type shownValue struct {
	Entity string `json:"type"`
	Value  string `json:"value"`
	Hashes []Hash
}

// observableValues is what the platform parses of a pattern: one entry a value, and one a hash.
func observableValues(i *indicator) any {
	out := listOf[shownValue]{}
	if i.patternType != "stix" {
		return out
	}
	for _, t := range equalities(i.pattern) {
		k, _ := kindOfSTIX(t.object)
		if alg, ok := cutHashes(t.path); ok && k.value != "" {
			out = append(out, shownValue{Entity: k.entity, Hashes: []Hash{{alg, t.value}}})
		} else if t.path == k.value {
			out = append(out, shownValue{Entity: k.entity, Value: t.value})
		}
	}
	return out
}

var observableFields = map[string]resolver{
	"x_opencti_score":       on(func(o *observable) any { return optionalInt(o.score) }),
	"x_opencti_description": property,
	"observable_value":      resolvable(func(c *call, o *observable) any { return o.shown(c.version) }),
	"hashes":                on(func(o *observable) any { return hashList(o.hashes) }),
}

func hashList(hs []Hash) any {
	if len(hs) == 0 {
		return nil
	}
	return listOf[Hash](hs)
}

// property reads a field that only some observables have.
func property(c *call) (any, error) {
	o := c.source.(*observable)
	switch {
	case c.field == "name" && o.entity == "StixFile":
		return orNull(o.name), nil
	case c.field == "number":
		if n, err := strconv.Atoi(strings.TrimPrefix(o.value, "AS")); err == nil {
			return n, nil
		}
		return nil, nil
	case c.field == observableKind(o.entity).value:
		return orNull(o.value), nil
	}
	v := o.told().props[c.field]
	if n, ok := asFloat(v); ok { // as JSON has it
		return int(n), nil
	}
	if l, ok := v.([]string); ok {
		return orNull(l), nil
	}
	return v, nil
}

var entityFields = fields(entityColumns, map[string]resolver{})

var relationFields = fields(relationColumns, map[string]resolver{
	"from":     with(func(c *call, r *relation) any { return c.see(r.from) }),
	"to":       with(func(c *call, r *relation) any { return c.see(r.to) }),
	"fromRole": on(func(r *relation) any { return r.entity + "_from" }),
	"toRole":   on(func(r *relation) any { return r.entity + "_to" }),
	"fromId":   on(func(r *relation) any { return r.from }),
	"toId":     on(func(r *relation) any { return r.to }),
	"fromType": with(func(c *call, r *relation) any { return c.sim.typeOfID(r.from) }),
	"toType":   with(func(c *call, r *relation) any { return c.sim.typeOfID(r.to) }),
})

// see is the object with one of its ids, or nil when the user may not see it.
func (c *call) see(id string) any {
	v := c.sim.items[id]
	if v == nil || !v.core().visible(c.allowed()) {
		return nil
	}
	return v
}

// author is the identity with an internal id as it is now; nil when there is none, or none that the
// user may see.
func (c *call) author(id string) any {
	if a, ok := c.see(id).(*entity); ok {
		return a
	}
	return nil
}

func (c *call) allowedMarkings() any {
	allowed := c.allowed()
	l := listOf[*marking]{}
	for _, m := range c.sim.markings.byStandard.list() {
		if allowed == nil || allowed[m] {
			l = append(l, m)
		}
	}
	slices.SortStableFunc(l, func(a, b *marking) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.order, b.order))
	})
	return l
}

var queryFields = map[string]resolver{
	"about":                        func(c *call) (any, error) { return c.sim.versionText, nil },
	"me":                           func(c *call) (any, error) { return c.user, nil },
	"indicator":                    one("Indicator"),
	"incident":                     one("Incident"),
	"caseIncident":                 one("Case-Incident"),
	"note":                         one("Note"),
	"stixObjectOrStixRelationship": one(""),
	"indicators":                   pages("indicators", indicatorColumns, func(s *Sim) *table[*indicator] { return s.indicators }),
	"incidents":                    entities("incidents", "incident"),
	"caseIncidents":                entities("caseIncidents", "case-incident"),
	"notes":                        entities("notes", "note"),
	"attackPatterns":               entities("attackPatterns", "attack-pattern"),
	"stixCyberObservables":         observables,
	"stixCoreRelationships":        relations("stixCoreRelationships", func(s *Sim) *table[*relation] { return s.relations }),
	"stixSightingRelationships":    relations("stixSightingRelationships", func(s *Sim) *table[*relation] { return s.sightings }),
	"streamCollection":             func(c *call) (any, error) { return orNil(c.sim.streams[c.args["id"].(string)]), nil },
	"redisStreamInfo":              func(c *call) (any, error) { return &c.sim.log, nil },
	"connector":                    func(c *call) (any, error) { return orNil(c.sim.connectors[c.args["id"].(string)]), nil },
	"work":                         func(c *call) (any, error) { return orNil(c.sim.work(c.args["id"].(string))), nil },
}

// one makes the resolver of the query for one object of an entity type, or of any, by any of its ids.
func one(entity string) resolver {
	return func(c *call) (any, error) {
		id, _ := c.args["id"].(string)
		if v, ok := c.see(id).(item); ok && (entity == "" || v.core().entity == entity) {
			return v, nil
		}
		return nil, nil
	}
}

// pages makes the resolver of the query for pages of a table.
func pages[T item](field string, keys columns[T], rows func(*Sim) *table[T]) resolver {
	return func(c *call) (any, error) {
		return answer(page(c.request, listing[T]{field: field, args: c.args, rows: rows(c.sim), columns: keys}))
	}
}

func entities(field, stix string) resolver {
	return pages(field, entityColumns, func(s *Sim) *table[*entity] { return s.entities[stix] })
}

// observables gives pages of observables of some types, or of all.
func observables(c *call) (any, error) {
	l := listing[*observable]{field: "stixCyberObservables", args: c.args, rows: c.sim.observables, columns: observableColumns}
	if types := textArgs(c, "types"); len(types) > 0 {
		l.extra = func(o *observable) bool { return isA(o.entity, types...) }
	}
	return answer(page(c.request, l))
}

// relations makes the resolver of the query for pages of relations, or of sightings. Ends are named by
// internal id and looked up, since clients ask for the relations of a page of indicators.
func relations(field string, rows func(*Sim) *table[*relation]) resolver {
	return func(c *call) (any, error) {
		l := listing[*relation]{field: field, args: c.args, rows: rows(c.sim), columns: c.sim.relationKeys}
		var parts []predicate[*relation]
		given := func(name string, of func(*relation) string) {
			if types := textArgs(c, name); len(types) > 0 {
				parts = append(parts, func(r *relation) bool { return isA(of(r), types...) })
			}
		}
		given("relationship_type", func(r *relation) string { return r.entity })
		given("fromTypes", func(r *relation) string { return c.sim.typeOfID(r.from) })
		given("toTypes", func(r *relation) string { return c.sim.typeOfID(r.to) })
		for name, of := range map[string]map[string][]*relation{"fromId": c.sim.from, "toId": c.sim.to} {
			values := textArgs(c, name)
			if len(values) == 0 {
				continue
			}
			ends := []*relation{}
			slices.Sort(values)
			for _, id := range slices.Compact(values) {
				ends = append(ends, of[id]...)
			}
			if l.only != nil {
				ends = slices.DeleteFunc(ends, func(r *relation) bool { return !slices.Contains(l.only, r) })
			}
			l.only = ends
		}
		l.only = slices.DeleteFunc(l.only, func(r *relation) bool { return l.rows != c.sim.tableOf(r) })
		l.extra = join(parts, true)
		return answer(page(c.request, l))
	}
}

// textArgs gives the texts of an argument that is a list, or a single one.
func textArgs(c *call, name string) []string {
	var out []string
	if s, ok := c.args[name].(string); ok {
		return []string{s}
	}
	for _, v := range list(c.args[name]) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func answer(c *connection, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
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
	"cursor": on(func(e *edge) any { return e.of.cursor(e.node) }),
	"node":   on(func(e *edge) any { return e.node }),
}

var pageInfoFields = map[string]resolver{
	"hasNextPage":     on(func(c *connection) any { return c.hasNext }),
	"hasPreviousPage": on(func(c *connection) any { return c.hasPrior }),
	"globalCount":     on(func(c *connection) any { return c.total }),
	"startCursor":     on(func(c *connection) any { return c.end(0) }),
	"endCursor":       on(func(c *connection) any { return c.end(len(c.nodes) - 1) }),
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
