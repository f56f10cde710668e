package octisim

// systemUser is who the platform says made everything here.
const systemUser = "6a4b11e1-90ca-4e42-ba42-db7bc7f7d505"

type creator struct{ id, name, entity string }

func (creator) typename() string { return "Creator" }

var creatorFields = map[string]resolver{
	"id":             on(func(c creator) any { return c.id }),
	"name":           on(func(c creator) any { return c.name }),
	"entity_type":    on(func(c creator) any { return c.entity }),
	"representative": on(func(c creator) any { return representative(c.name) }),
}

type representative string

var representativeFields = map[string]resolver{"main": on(func(r representative) any { return string(r) })}

var hashFields = map[string]resolver{
	"algorithm": on(func(h Hash) any { return h.Algorithm }),
	"hash":      on(func(h Hash) any { return h.Hash }),
}

// named are the objects that are shown by a name of their own.
func nameOf(c *call, v item) string {
	switch v := v.(type) {
	case *indicator:
		return v.name
	case *observable:
		return v.shown(c.version)
	case *marking:
		return v.definition
	case *label:
		return v.value
	case *identity:
		return v.name
	case *phase:
		return "[" + v.Chain + "] " + v.Phase
	case *reference:
		return v.Source
	case *entity:
		return v.shown()
	case *relation:
		return c.name(v.from) + " ➡️ " + c.name(v.to)
	case *connector:
		return v.name
	case account:
		return v.Name
	case capability:
		return v.id
	}
	return v.core().entity
}

// name is the name of an object the user may see.
func (c *call) name(id string) string {
	if v, ok := c.see(id).(item); ok {
		return nameOf(c, v)
	}
	return "Restricted"
}

// see is the object with one of its ids, or nil when the user may not see it.
func (c *call) see(id string) any {
	v := c.sim.items[id]
	if v == nil || !v.core().visible(c.allowed()) {
		return nil
	}
	return v
}

// objectFields are common to all objects.
var objectFields = map[string]resolver{
	"id":                    on(func(v item) any { return v.core().id }),
	"standard_id":           on(func(v item) any { return v.core().standard }),
	"entity_type":           on(func(v item) any { return v.core().entity }),
	"parent_types":          on(func(v item) any { return parentsOf(v.core().entity) }),
	"representative":        with(func(c *call, v item) any { return representative(nameOf(c, v)) }),
	"x_opencti_stix_ids":    on(func(v item) any { return listOf[string](v.core().stixIDs()) }),
	"is_inferred":           constant(false),
	"spec_version":          constant("2.1"),
	"created_at":            on(func(v item) any { return v.core().createdAt }),
	"updated_at":            on(func(v item) any { return v.core().updatedAt }),
	"refreshed_at":          with(refreshed),
	"x_opencti_modified_at": on(func(v item) any { return v.core().updatedAt }),
	"created":               on(func(v item) any { return v.core().created() }),
	"modified":              on(func(v item) any { return v.core().modified() }),
	"creators":              with(func(c *call, v item) any { return listOf[creator]{c.sim.creator(v.core().creator())} }),
	"objectMarking":         on(func(v item) any { return listOf[*marking](v.core().markings) }),
	"objectOrganization":    constant(listOf[any]{}),
	"createdBy":             with(func(c *call, v item) any { return c.author(factsOf(v).author) }),
	"objectLabel":           on(func(v item) any { return listOf[*label](factsOf(v).labels) }),
	"externalReferences":    with(func(c *call, v item) any { return unpaged(c, factsOf(v).references) }),
	"killChainPhases":       on(func(v item) any { return listOf[*phase](factsOf(v).phases) }),
	"confidence":            on(func(v item) any { return optionalInt(factsOf(v).confidence) }),
	"revoked":               on(func(v item) any { return factsOf(v).props["revoked"] == true }),
	"lang":                  constant("en"),
	"workflowEnabled":       constant(false),
}

// creator is the user with an id, or the platform itself.
func (s *Sim) creator(id string) creator {
	for _, u := range s.users {
		if u.ID == id {
			return creator{u.ID, u.Name, "User"}
		}
	}
	return creator{systemUser, "SYSTEM", "User"}
}

// author is the identity with an internal id as it is now; nil when there is none, or none that the
// user may see.
func (c *call) author(id string) any {
	if a, ok := c.see(id).(*identity); ok {
		return a
	}
	return nil
}

// refreshed is when the object or a relation of it changed.
func refreshed(c *call, v item) any {
	at := v.core().updatedAt
	for _, rs := range [][]*relation{c.sim.from[v.core().id], c.sim.to[v.core().id]} {
		for _, r := range rs {
			at = max(at, r.createdAt)
		}
	}
	return at
}

var indicatorFields = map[string]resolver{
	"revoked":                        on(func(i *indicator) any { return i.revoked }),
	"confidence":                     on(func(i *indicator) any { return optionalInt(i.confidence) }),
	"pattern_type":                   on(func(i *indicator) any { return text(i.patternType) }),
	"pattern_version":                on(func(i *indicator) any { return text(i.rare().patternVersion) }),
	"pattern":                        on(func(i *indicator) any { return text(i.pattern) }),
	"name":                           on(func(i *indicator) any { return i.name }),
	"description":                    on(func(i *indicator) any { return text(i.description) }),
	"indicator_types":                on(func(i *indicator) any { return texts(i.rare().types) }),
	"valid_from":                     on(func(i *indicator) any { return i.validFrom }),
	"valid_until":                    on(func(i *indicator) any { return i.validUntil }),
	"x_opencti_score":                on(func(i *indicator) any { return optionalInt(i.score) }),
	"x_opencti_main_observable_type": on(func(i *indicator) any { return text(i.mainType) }),
	"x_mitre_platforms":              on(func(i *indicator) any { return texts(i.platforms) }),
	"objectLabel":                    on(func(i *indicator) any { return listOf[*label](i.labels) }),
	"killChainPhases":                on(func(i *indicator) any { return listOf[*phase](i.rare().phases) }),
	"externalReferences":             with(func(c *call, i *indicator) any { return unpaged(c, i.rare().references) }),
	"decay_base_score":               on(func(i *indicator) any { return optionalInt(i.rare().base) }),
	"x_opencti_observable_values":    on(observableValues),
	"observables":                    with(attached),
	"x_opencti_detection": on(func(i *indicator) any {
		if i.detection < 0 {
			return nil
		}
		return i.detection == 1
	}),
	"createdBy": with(func(c *call, i *indicator) any {
		if a := i.rare().author; a != nil {
			return c.author(a.id)
		}
		return nil
	}),
}

func attached(c *call, i *indicator) any {
	var nodes []*observable
	for _, r := range c.sim.from[i.id] {
		if o, ok := c.see(r.to).(*observable); ok && r.entity == basedOn {
			nodes = append(nodes, o)
		}
	}
	return unpaged(c, nodes)
}

// shownValue is one entry of x_opencti_observable_values.
type shownValue struct {
	entity, value string
	hashes        []Hash
}

// observableValues is what the platform parses of a pattern: one entry a value, and one a hash.
func observableValues(i *indicator) any {
	out := listOf[shownValue]{}
	if i.patternType != "stix" {
		return out
	}
	for _, t := range equalities(i.pattern) {
		entity := entityOf(t.object)
		if entity == "" {
			continue
		}
		if alg, ok := cutHashes(t.path); ok {
			out = append(out, shownValue{entity: entity, hashes: []Hash{{alg, t.value}}})
		} else if t.path == typeOf(entity).value {
			out = append(out, shownValue{entity: entity, value: t.value})
		}
	}
	return out
}

var observableValueFields = map[string]resolver{
	"type":  on(func(v shownValue) any { return v.entity }),
	"value": on(func(v shownValue) any { return text(v.value) }),
	"hashes": on(func(v shownValue) any {
		if v.hashes == nil {
			return nil
		}
		return listOf[Hash](v.hashes)
	}),
}

var observableFields = map[string]resolver{
	"x_opencti_score":       on(func(o *observable) any { return optionalInt(o.score) }),
	"x_opencti_description": on(func(o *observable) any { return leaf(o.told().props["x_opencti_description"]) }),
	"observable_value":      with(func(c *call, o *observable) any { return o.shown(c.version) }),
	"indicators": with(func(c *call, o *observable) any {
		var nodes []*indicator
		for _, r := range c.sim.to[o.id] {
			if i, ok := c.see(r.from).(*indicator); ok && r.entity == basedOn {
				nodes = append(nodes, i)
			}
		}
		return unpaged(c, nodes)
	}),
}

var hashedFields = map[string]resolver{
	"hashes": on(func(o *observable) any {
		if len(o.hashes) == 0 {
			return nil
		}
		return listOf[Hash](o.hashes)
	}),
}

var fileFields = map[string]resolver{"name": on(func(o *observable) any { return text(o.name) })}

var relationFields = map[string]resolver{
	"from":               with(func(c *call, r *relation) any { return c.see(r.from) }),
	"to":                 with(func(c *call, r *relation) any { return c.see(r.to) }),
	"fromRole":           on(func(r *relation) any { return r.entity + "_from" }),
	"toRole":             on(func(r *relation) any { return r.entity + "_to" }),
	"fromId":             on(func(r *relation) any { return r.from }),
	"fromType":           with(func(c *call, r *relation) any { return c.sim.typeOfID(r.from) }),
	"toId":               on(func(r *relation) any { return r.to }),
	"toType":             with(func(c *call, r *relation) any { return c.sim.typeOfID(r.to) }),
	"relationship_type":  on(func(r *relation) any { return r.entity }),
	"confidence":         on(func(r *relation) any { return r.level() }),
	"attribute_count":    on(func(r *relation) any { return r.count() }),
	"x_opencti_negative": on(func(r *relation) any { return r.told().props["x_opencti_negative"] == true }),
}

var markingFields = map[string]resolver{
	"definition_type": on(func(m *marking) any { return m.kind }),
	"definition":      on(func(m *marking) any { return m.definition }),
	"x_opencti_order": on(func(m *marking) any { return m.order }),
	"x_opencti_color": constant("#2e7d32"),
}

var labelFields = map[string]resolver{
	"value": on(func(l *label) any { return l.value }),
	"color": constant("#546e7a"),
}

var identityFields = map[string]resolver{
	"name":           on(func(i *identity) any { return i.name }),
	"identity_class": on(func(i *identity) any { return i.class }),
}

var phaseFields = map[string]resolver{
	"kill_chain_name": on(func(p *phase) any { return p.Chain }),
	"phase_name":      on(func(p *phase) any { return p.Phase }),
	"x_opencti_order": constant(0),
}

var referenceFields = map[string]resolver{
	"source_name": on(func(r *reference) any { return r.Source }),
	"description": on(func(r *reference) any { return text(r.Description) }),
	"url":         on(func(r *reference) any { return text(r.URL) }),
	"external_id": on(func(r *reference) any { return text(r.ExternalID) }),
}
