package octisim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// ownObservables are the kinds that STIX does not know: they carry everything at top level.
var ownObservables = []string{"Hostname", "Text", "User-Agent"}

func (s *Sim) stixObservable(v *observable) jsonObject {
	k := typeOf(v.entity)
	b := v.core()
	o := make(jsonObject, 0, 12)
	o.set("id", b.standard)
	o.set("spec_version", "2.1")
	o.set("type", k.stix)
	o.set("object_marking_refs", standards(b.markings))
	value := any(v.value)
	field := k.value
	switch v.entity {
	case "StixFile":
		value = v.name
	case "Windows-Registry-Key":
		field = "key"
	case "Autonomous-System":
		value = rawJSON("")
		if n, err := strconv.Atoi(strings.TrimPrefix(v.value, "AS")); err == nil {
			value = n
		}
	}
	o.set(field, value)
	o.set("hashes", stixHashes(v.hashes))
	for _, name := range sortedKeys(v.props) {
		if _, have := o.get(name); have {
			continue
		}
		if text, err := json.Marshal(v.props[name]); err == nil && v.props[name] != nil {
			o.set(name, rawJSON(text))
		}
	}
	sco := jsonObject{{"extension_type", "property-extension"}}
	if slices.Contains(ownObservables, v.entity) {
		sco = jsonObject{{"extension_type", "new-sco"}}
		o.set("score", optionalInt(v.score))
	} else {
		sco.set("score", optionalInt(v.score))
	}
	o.set("extensions", jsonObject{{extOCTI, octi(v, "property-extension")}, {extSCO, sco}})
	return o
}

// sightingEntity is the entity type of relations that say where something was seen.
const sightingEntity = "stix-sighting-relationship"

// stixRelation shows a relation with what its ends are called. Ends that are gone are left out.
func (s *Sim) stixRelation(r *relation) jsonObject {
	if r.entity == sightingEntity {
		return s.stixSighting(r)
	}
	o := stixHead(r, "relationship")
	o.set("revoked", false)
	o.set("confidence", 100)
	o.set("object_marking_refs", standards(r.markings))
	o.set("relationship_type", r.entity)
	ext := octi(r, "property-extension")
	ends := []struct {
		name string
		id   string
	}{{"source", r.from}, {"target", r.to}}
	for _, end := range ends {
		v := s.items[end.id]
		if v == nil {
			continue
		}
		o.set(end.name+"_ref", v.core().standard)
		ext.set(end.name+"_value", s.display(v))
		ext.set(end.name+"_ref", v.core().id)
		ext.set(end.name+"_type", v.core().entity)
		ext.set(end.name+"_ref_object_marking_refs", ids(v.core().markings))
	}
	o.set("extensions", jsonObject{{extOCTI, ext}})
	return o
}

// sighted is a sighting that knows how often and when.
type sighted interface {
	sighted() (count int, first, last moment, negative bool)
}

// stixSighting shows the sighting of the relation's source in its target.
func (s *Sim) stixSighting(r *relation) jsonObject {
	o := stixHead(r, "sighting")
	o.set("revoked", false)
	o.set("confidence", 100)
	o.set("object_marking_refs", standards(r.markings))
	ext := octi(r, "property-extension")
	if v, ok := any(r).(sighted); ok {
		count, first, last, negative := v.sighted()
		o.set("count", count)
		o.set("first_seen", first)
		o.set("last_seen", last)
		ext.set("negative", negative)
	}
	if of := s.items[r.from]; of != nil {
		o.set("sighting_of_ref", of.core().standard)
		ext.set("sighting_of_value", s.display(of))
		ext.set("sighting_of_ref", of.core().id)
		ext.set("sighting_of_type", of.core().entity)
		ext.set("sighting_of_ref_object_marking_refs", ids(of.core().markings))
	}
	if in := s.items[r.to]; in != nil {
		o.set("where_sighted_refs", []string{in.core().standard})
		ext.set("where_sighted_values", []string{s.display(in)})
		ext.set("where_sighted_refs", []string{in.core().id})
		ext.set("where_sighted_types", []string{in.core().entity})
		ext.set("where_sighted_refs_object_marking_refs", ids(in.core().markings))
	}
	o.set("extensions", jsonObject{{extOCTI, ext}})
	return o
}

// display is what the platform calls an object.
func (s *Sim) display(v item) string {
	return nameOf(&call{request: &request{sim: s, version: s.version}}, v)
}
