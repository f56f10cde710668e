package octisim

import (
	"strconv"
	"strings"
)

// The extensions that carry what STIX has no member for (contract opencti-api 5.8).
const (
	extOCTI  = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
	extSCO   = "extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"
	extMITRE = "extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"
)

// stix is the STIX 2.1 form in which the stream shows an object. It wants Sim.mu, since a relation
// shows what it joins.
func (s *Sim) stix(v item) jsonObject {
	b, f := v.core(), v.core().told()
	k := kindOf(b.entity)
	o := jsonObject{"id": b.standard, "spec_version": "2.1", "type": k.stix}
	own := jsonObject{
		"extension_type": "property-extension", "id": b.id, "type": b.entity, "created_at": b.createdAt, "updated_at": b.updatedAt,
		"is_inferred": false, "creator_ids": []string{b.creator()},
	}
	mitre, sco := jsonObject{}, jsonObject{}
	about, prefixed := o, own // where what is told of it stands, and attributes with the platform's prefix
	switch {
	case k.value != "" && declaresItself(k):
		prefixed = o
	case k.value != "":
		about, prefixed = sco, sco
	default:
		o["created"], o["modified"] = b.created(), b.modified()
		about.set("confidence", optionalInt(f.confidence))
		if k.stix != "marking-definition" {
			o["revoked"], o["lang"] = false, "en"
		}
	}
	own.set("stix_ids", b.stixIDs())
	own.set("labels_ids", ids(f.labels))
	var labels, inside []string
	for _, l := range f.labels {
		labels = append(labels, l.Value)
	}
	about.set("labels", labels)
	if a := s.items[f.author]; a != nil {
		about["created_by_ref"] = a.core().standard
		own["created_by_ref_id"], own["created_by_ref_type"] = a.core().id, a.core().entity
	}
	about.set("external_references", stixReferences(f.references))
	inside = s.named(f.objects...)
	o.set("object_refs", inside)
	o.set("object_marking_refs", standards(b.markings))
	for _, a := range attributes[k.graphql] {
		if bare, ok := strings.CutPrefix(a.name, "x_mitre_"); ok {
			mitre.set(bare, f.props[a.name])
		} else if bare, ok := strings.CutPrefix(a.name, "x_opencti_"); ok {
			prefixed.set(bare, f.props[a.name])
		} else if a.name != "decay_base_score" {
			o.set(a.member, f.props[a.name])
		}
	}
	switch v := v.(type) {
	case *indicator:
		stixIndicator(v, o, own, mitre)
	case *observable:
		stixObservable(v, k, o, about)
	case *relation:
		s.stixEnds(v, o, own)
	case *marking:
		o["name"], o["definition_type"], own["order"], own["color"] = v.definition, v.kind, v.order, markingColor
	}
	o["extensions"] = extensionsOf(k, own, mitre, sco)
	return o
}

// declaresItself tells whether STIX does not know a kind of observable, which carries everything at
// top level then.
func declaresItself(k kind) bool {
	return k.entity == "Hostname" || k.entity == "Text" || k.entity == "User-Agent"
}

func extensionsOf(k kind, own, mitre, sco jsonObject) jsonObject {
	all := jsonObject{extOCTI: own}
	switch k.entity {
	case "Case-Incident":
		own["extension_type"] = "new-sdo"
	case basedOn:
		if own["type"] == basedOn {
			own["extension_type"] = "new-sro"
		}
	}
	if len(mitre) > 0 || k.entity == "Indicator" {
		mitre["extension_type"] = "property-extension"
		all[extMITRE] = mitre
	}
	if k.value != "" {
		sco["extension_type"] = "property-extension"
		if declaresItself(k) {
			sco["extension_type"] = "new-sco"
		}
		all[extSCO] = sco
	}
	return all
}

func standards[T item](vs []T) []string {
	var out []string
	for _, v := range vs {
		out = append(out, v.core().standard)
	}
	return out
}

func stixIndicator(i *indicator, o, own, mitre jsonObject) {
	o["revoked"], o["name"], o["pattern"], o["pattern_type"] = i.revoked, i.name, i.pattern, i.patternType
	o.set("description", i.description)
	o.set("valid_from", i.validFrom)
	until := i.validUntil
	if until != never && until == i.validFrom {
		until += 1000 // STIX wants the end after the start; GraphQL shows it as stored
	}
	o.set("valid_until", until)
	var phases, values []jsonObject
	for _, p := range i.told().phases {
		phases = append(phases, jsonObject{"kill_chain_name": p.Chain, "phase_name": p.Phase})
	}
	o.set("kill_chain_phases", phases)
	if i.detection >= 0 {
		own["detection"] = i.detection == 1
	}
	own.set("score", optionalInt(i.score))
	own.set("main_observable_type", i.mainType)
	shown, _ := observableValues(i).(listOf[shownValue])
	for _, v := range shown {
		one := jsonObject{"type": v.Entity}
		one.set("value", v.Value)
		one.set("hashes", stixHashes(v.Hashes))
		values = append(values, one)
	}
	own.set("observable_values", values)
	mitre.set("platforms", i.platforms)
}

func stixHashes(hs []Hash) jsonObject {
	o := jsonObject{}
	for _, h := range hs {
		o[h.Algorithm] = h.Hash
	}
	return o
}

func stixReferences(rs []*reference) []jsonObject {
	var out []jsonObject
	for _, r := range rs {
		o := jsonObject{}
		o.set("source_name", r.Source)
		o.set("description", r.Description)
		o.set("url", r.URL)
		o.set("external_id", r.ExternalID)
		out = append(out, o)
	}
	return out
}

func stixObservable(v *observable, k kind, o, about jsonObject) {
	switch v.entity {
	case "StixFile":
		o.set("name", v.name)
	case "Windows-Registry-Key":
		o.set("key", v.value)
	case "Autonomous-System":
		if n, err := strconv.Atoi(strings.TrimPrefix(v.value, "AS")); err == nil {
			o["number"] = n
		}
	default:
		o.set(k.value, v.value)
	}
	o.set("hashes", stixHashes(v.hashes))
	about.set("score", optionalInt(v.score))
}

// stixEnds shows what a relation or a sighting joins, and what that is called. Ends that are gone are
// left out.
func (s *Sim) stixEnds(r *relation, o, own jsonObject) {
	ends := []struct {
		name, ref, id, many string
	}{{"source", "source_ref", r.from, ""}, {"target", "target_ref", r.to, ""}}
	if r.sighting() {
		ends[0].name, ends[0].ref = "sighting_of", "sighting_of_ref"
		ends[1].name, ends[1].ref, ends[1].many = "where_sighted", "where_sighted_refs", "s"
		own["negative"] = r.told().props["x_opencti_negative"] == true
	} else {
		o["relationship_type"] = r.entity
	}
	for _, end := range ends {
		v := s.items[end.id]
		if v == nil {
			continue
		}
		set := func(o jsonObject, name, value string) {
			o[name] = value
			if end.many != "" {
				o[name] = []string{value}
			}
		}
		set(o, end.ref, v.core().standard)
		set(own, end.name+"_value"+end.many, s.display(v))
		set(own, end.name+"_ref"+end.many, v.core().id)
		set(own, end.name+"_type"+end.many, v.core().entity)
		own.set(end.ref+"_object_marking_refs", ids(v.core().markings))
	}
}

// display is what the platform calls an object.
func (s *Sim) display(v item) string {
	switch v := v.(type) {
	case *indicator:
		return v.name
	case *observable:
		return v.shown(s.version)
	case *entity:
		return v.shown()
	case *marking:
		return v.definition
	}
	return v.core().entity
}
