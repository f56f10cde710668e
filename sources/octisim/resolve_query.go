package octisim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

func contains(have, asked string) bool { return strings.Contains(have, asked) }

// cutHashes reads the algorithm of a path such as hashes.SHA-256.
func cutHashes(path string) (string, bool) { return strings.CutPrefix(path, "hashes.") }

var queryFields = map[string]resolver{
	"about": func(c *call) (any, error) { return c.sim.versionText, nil },
	"me":    func(c *call) (any, error) { return account{c.user}, nil },
	"indicator": func(c *call) (any, error) {
		i, _ := c.see(c.args["id"].(string)).(*indicator)
		return orNil(i), nil
	},
	"indicators": func(c *call) (any, error) {
		return answer(page(c.request, listing[*indicator]{
			field: "indicators", args: c.args, rows: c.sim.indicators, columns: indicatorColumns,
			orders: map[string]string{"creator": "creator_id", "_score": ""},
			search: func(i *indicator) []string { return []string{i.name, i.description, i.pattern} },
		}))
	},
	"stixCyberObservable": func(c *call) (any, error) {
		o, _ := c.see(c.args["id"].(string)).(*observable)
		return orNil(o), nil
	},
	"stixCyberObservables":         observables,
	"stixCoreRelationships":        relations(false),
	"stixSightingRelationships":    relations(true),
	"incident":                     one("Incident"),
	"incidents":                    entities("Incident"),
	"caseIncident":                 one("Case-Incident"),
	"caseIncidents":                entities("Case-Incident"),
	"note":                         one("Note"),
	"notes":                        entities("Note"),
	"attackPatterns":               entities("Attack-Pattern"),
	"organizations":                organizations,
	"stixObjectOrStixRelationship": func(c *call) (any, error) { return c.see(c.args["id"].(string)), nil },
	"markingDefinitions": func(c *call) (any, error) {
		l := listing[*marking]{
			field: "markingDefinitions", args: c.args, rows: c.sim.markings, columns: markingColumns, orders: map[string]string{"_score": ""},
			search: func(m *marking) []string { return []string{m.definition} },
		}
		if allowed := c.allowed(); allowed != nil {
			l.extra = func(m *marking) bool { return allowed[m] }
		}
		return answer(page(c.request, l))
	},
	"streamCollection":  streamCollection,
	"streamCollections": streamCollections,
	"redisStreamInfo":   func(c *call) (any, error) { return &c.sim.log, nil },
	"connector": func(c *call) (any, error) {
		return orNil(c.sim.connectors[c.args["id"].(string)]), nil
	},
	"connectors": func(c *call) (any, error) { return listOf[*connector](c.sim.connectorList()), nil },
	"work":       func(c *call) (any, error) { return orNil(c.sim.work(c.args["id"].(string))), nil },
	"works":      works,
	"isWorkAlive": func(c *call) (any, error) {
		return c.sim.work(c.args["id"].(string)) != nil, nil
	},
}

// orNil keeps a nil pointer from becoming a value.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

func answer(c *connection, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

func observables(c *call) (any, error) {
	l := listing[*observable]{
		field: "stixCyberObservables", args: c.args, rows: c.sim.observables, columns: observableColumns,
		orders: map[string]string{"creator": "creator_id", "_score": "", "observable_value": "value"},
		search: func(o *observable) []string {
			all := []string{o.value, o.name}
			for _, h := range o.hashes {
				all = append(all, h.Hash)
			}
			return all
		},
	}
	if types := textArgs(c, "types"); len(types) > 0 {
		l.told = strings.Join(types, " ")
		l.extra = func(o *observable) bool { return isA(o.entity, types) }
	}
	return answer(page(c.request, l))
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

// related turns the arguments of stixCoreRelationships, or of stixSightingRelationships, into
// conditions. Ends are named by internal
// id; those of fromId are looked up, since clients ask for the relations of a page of indicators.
func related(c *call, l *listing[*relation], sightings bool) {
	parts := []predicate[*relation]{func(r *relation) bool { return r.sighting() == sightings }}
	given := func(name string, pass func(r *relation, values []string) bool) {
		values := textArgs(c, name)
		if len(values) == 0 {
			return
		}
		l.told += name + "=" + strings.Join(values, " ") + ";"
		parts = append(parts, func(r *relation) bool { return pass(r, values) })
	}
	given("relationship_type", func(r *relation, types []string) bool { return isA(r.entity, types) })
	given("fromTypes", func(r *relation, types []string) bool { return isA(c.sim.typeOfID(r.from), types) })
	given("toTypes", func(r *relation, types []string) bool { return isA(c.sim.typeOfID(r.to), types) })
	given("elementWithTargetTypes", func(r *relation, types []string) bool {
		return isA(c.sim.typeOfID(r.from), types) || isA(c.sim.typeOfID(r.to), types)
	})
	ends := func(name string, of ...map[string][]*relation) {
		values := textArgs(c, name)
		if len(values) == 0 {
			return
		}
		rows := []*relation{}
		slices.Sort(values)
		for _, id := range slices.Compact(values) {
			for _, m := range of {
				rows = append(rows, m[id]...)
			}
		}
		if l.only == nil {
			l.only = rows
			return
		}
		known := map[*relation]bool{}
		for _, r := range rows {
			known[r] = true
		}
		l.only = slices.DeleteFunc(l.only, func(r *relation) bool { return !known[r] })
	}
	ends("fromId", c.sim.from)
	ends("toId", c.sim.to)
	ends("fromOrToId", c.sim.from, c.sim.to)
	for arg, name := range map[string]string{
		"startTime": "start_time", "stopTime": "stop_time", "firstSeen": "first_seen", "lastSeen": "last_seen",
	} {
		if at, ok := c.args[arg+"Start"].(moment); ok {
			l.told += arg + ">" + at.String() + ";"
			parts = append(parts, func(r *relation) bool { return r.told().date(name) > at })
		}
		if at, ok := c.args[arg+"Stop"].(moment); ok {
			l.told += arg + "<" + at.String() + ";"
			parts = append(parts, func(r *relation) bool { d := r.told().date(name); return d != never && d < at })
		}
	}
	if levels := list(c.args["confidences"]); len(levels) > 0 {
		l.told += fmt.Sprint("confidences", levels, ";")
		parts = append(parts, func(r *relation) bool { return slices.Contains(levels, any(r.level())) })
	}
	l.extra = join(parts, true)
}

// account shows a user to itself.
type account struct{ *User }

func (account) typename() string { return "MeUser" }

func (a account) core() *base {
	return &base{id: a.ID, standard: standardID("user", contributing{"user_email": a.Email}), entity: "User"}
}

type capability struct{ base }

func (capability) typename() string { return "Capability" }
func (c capability) core() *base    { return &c.base }

var capabilityFields = map[string]resolver{"name": on(func(c capability) any { return c.id })}

var meFields = map[string]resolver{
	"user_email": on(func(a account) any { return a.Email }),
	"name":       on(func(a account) any { return a.Name }),
	"capabilities": on(func(a account) any {
		l := listOf[capability]{}
		for _, name := range a.Capabilities {
			l = append(l, capability{base{id: name, standard: standardID("capability", contributing{"name": name}), entity: "Capability"}})
		}
		return l
	}),
	"effective_confidence_level": on(func(a account) any { return orNil(a.MaxConfidence) }),
	"allowed_marking": with(func(c *call, a account) any {
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
	}),
}
