package octisim

import "slices"

var domainAttributes = func() [][]attribute {
	var all [][]attribute
	for _, name := range sortedKeys(domainKinds) {
		all = append(all, domainKinds[name].attributes)
	}
	return all
}()

var entityColumns = allColumns(attributeColumns[*entity](domainAttributes...))

var identityColumns = allColumns(columns[*identity]{
	"name":           {text: func(i *identity) string { return i.name }},
	"identity_class": {text: func(i *identity) string { return i.class }},
}, attributeColumns[*identity](identityAttributes))

// one makes the resolver of the query for one object of a domain kind, by any of its ids.
func one(kind string) resolver {
	return func(c *call) (any, error) {
		id, _ := c.args["id"].(string)
		if e, ok := c.see(id).(*entity); ok && e.entity == kind {
			return e, nil
		}
		return nil, nil
	}
}

// entities makes the resolver of the query for pages of a domain kind.
func entities(kind string) resolver {
	field := map[string]string{"Incident": "incidents", "Case-Incident": "caseIncidents", "Note": "notes", "Attack-Pattern": "attackPatterns"}[kind]
	return func(c *call) (any, error) {
		return answer(page(c.request, listing[*entity]{
			field: field, args: c.args, rows: c.sim.entities[kind], columns: entityColumns,
			orders: map[string]string{"creator": "creator_id", "_score": ""},
			extra:  func(e *entity) bool { return e.entity == kind }, // a look-up by id finds others too
			search: func(e *entity) []string { return []string{e.shown(), e.text("description"), e.text("content")} },
		}))
	}
}

func organizations(c *call) (any, error) {
	return answer(page(c.request, listing[*identity]{
		field: "organizations", args: c.args, rows: c.sim.identities, columns: identityColumns,
		orders: map[string]string{"_score": ""},
		extra:  func(i *identity) bool { return i.entity == "Organization" },
		search: func(i *identity) []string { return []string{i.name, i.told().text("description")} },
	}))
}

// relations makes the resolver of the query for pages of relations, or of sightings.
func relations(sightings bool) resolver {
	return func(c *call) (any, error) {
		l := listing[*relation]{
			field: "stixCoreRelationships", args: c.args, rows: c.sim.relations, columns: c.sim.relationKeys,
			orders: map[string]string{"creator": "creator_id", "_score": ""},
			search: func(r *relation) []string { return []string{r.entity, r.told().text("description")} },
		}
		if sightings {
			l.field, l.rows = "stixSightingRelationships", c.sim.sightings
		}
		related(c, &l, sightings)
		return answer(page(c.request, l))
	}
}

// itemColumns are the keys for what containers hold, which is of any kind.
var itemColumns = allColumns[item]()

var containerFields = map[string]resolver{
	"objects": func(c *call) (any, error) {
		l := listing[item]{
			field: "objects", args: c.args, columns: itemColumns, only: []item{},
			orders: map[string]string{"creator": "creator_id", "_score": "", "relationship_type": "entity_type"},
			search: func(v item) []string { return []string{nameOf(c, v)} },
		}
		types := textArgs(c, "types")
		for _, id := range factsOf(c.source).objects {
			if v := c.sim.items[id]; v != nil && (len(types) == 0 || isA(v.core().entity, types)) {
				l.only = append(l.only, v)
			}
		}
		if c.args["all"] != true {
			return answer(page(c.request, l))
		}
		whole := &connection{cursor: sorting[item]{}.cursor} // of any size, whatever the other arguments say
		slices.SortFunc(l.only, sorting[item]{}.compare)
		for _, v := range l.only {
			if v.core().visible(c.allowed()) {
				whole.nodes = append(whole.nodes, v)
			}
		}
		whole.total = len(whole.nodes)
		return whole, nil
	},
}
