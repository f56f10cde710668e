package octisim

import "strings"

// The extensions that carry what STIX has no member for (contract opencti-api 5.8).
const (
	extOCTI  = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
	extSCO   = "extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82"
	extMITRE = "extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b"
)

// stix is the STIX 2.1 form in which the stream shows an object. It wants Sim.mu, since a relation
// shows what it joins.
func (s *Sim) stix(v item) jsonObject {
	switch v := v.(type) {
	case *indicator:
		return stixIndicator(v)
	case *observable:
		return s.stixObservable(v)
	case *relation:
		return s.stixRelation(v)
	case *identity:
		return s.stixIdentity(v)
	case *marking:
		return stixMarking(v)
	case *entity:
		return s.stixEntity(v)
	}
	o := stixHead(v, "x-opencti-"+strings.ToLower(v.core().entity)) // nothing refers to others but by chance
	o.set("name", s.display(v))
	o.set("extensions", jsonObject{{extOCTI, octi(v, "new-sdo")}})
	return o
}

// stixHead begins an object with what all have.
func stixHead(v item, stixType string) jsonObject {
	b := v.core()
	o := make(jsonObject, 0, 24)
	o.set("id", b.standard)
	o.set("spec_version", "2.1")
	o.set("type", stixType)
	o.set("created", b.created())
	o.set("modified", b.modified())
	return o
}

// octi begins the platform's own extension of an object.
func octi(v item, kind string) jsonObject {
	b := v.core()
	o := make(jsonObject, 0, 16)
	o.set("extension_type", kind)
	o.set("id", b.id)
	o.set("type", b.entity)
	o.set("created_at", b.createdAt)
	o.set("updated_at", b.updatedAt)
	o.set("stix_ids", b.stixIDs())
	o.set("is_inferred", false)
	o.set("creator_ids", []string{b.creator()})
	return o
}

func standards[T item](vs []T) []string {
	var out []string
	for _, v := range vs {
		out = append(out, v.core().standard)
	}
	return out
}

func stixIndicator(i *indicator) jsonObject {
	rare := i.rare()
	o := stixHead(i, "indicator")
	o.set("revoked", i.revoked)
	o.set("confidence", optionalInt(i.confidence))
	o.set("lang", "en")
	var labels []string
	for _, l := range i.labels {
		labels = append(labels, l.value)
	}
	o.set("labels", labels)
	o.set("object_marking_refs", standards(i.markings))
	if rare.author != nil {
		o.set("created_by_ref", rare.author.standard)
	}
	o.set("external_references", stixReferences(rare.references))
	o.set("name", i.name)
	o.set("description", i.description)
	o.set("indicator_types", rare.types)
	o.set("pattern", i.pattern)
	o.set("pattern_type", i.patternType)
	o.set("pattern_version", rare.patternVersion)
	o.set("valid_from", i.validFrom)
	until := i.validUntil
	if until != never && until == i.validFrom {
		until += 1000 // STIX wants the end after the start; GraphQL shows it as stored
	}
	o.set("valid_until", until)
	var phases []jsonObject
	for _, p := range rare.phases {
		phases = append(phases, jsonObject{{"kill_chain_name", p.Chain}, {"phase_name", p.Phase}})
	}
	o.set("kill_chain_phases", phases)

	ext := octi(i, "property-extension")
	ext.set("labels_ids", ids(i.labels))
	if a := rare.author; a != nil {
		ext.set("created_by_ref_id", a.id)
		ext.set("created_by_ref_type", a.entity)
	}
	if i.detection >= 0 {
		ext.set("detection", i.detection == 1)
	}
	ext.set("score", optionalInt(i.score))
	ext.set("main_observable_type", i.mainType)
	var values []jsonObject
	shown, _ := observableValues(i).(listOf[shownValue])
	for _, v := range shown {
		values = append(values, stixShown(v))
	}
	ext.set("observable_values", values)
	extensions := jsonObject{{extOCTI, ext}}
	if len(i.platforms) > 0 {
		extensions.set(extMITRE, jsonObject{{"extension_type", "property-extension"}, {"platforms", i.platforms}})
	}
	o.set("extensions", extensions)
	return o
}

func stixShown(v shownValue) jsonObject {
	o := jsonObject{{"type", v.entity}}
	o.set("value", v.value)
	o.set("hashes", stixHashes(v.hashes))
	return o
}

func stixHashes(hs []Hash) jsonObject {
	var o jsonObject
	for _, h := range hs {
		o.set(h.Algorithm, h.Hash)
	}
	return o
}

func stixReferences(rs []*reference) []jsonObject {
	var out []jsonObject
	for _, r := range rs {
		var o jsonObject
		o.set("source_name", r.Source)
		o.set("description", r.Description)
		o.set("url", r.URL)
		o.set("external_id", r.ExternalID)
		out = append(out, o)
	}
	return out
}

func stixMarking(m *marking) jsonObject {
	o := stixHead(m, "marking-definition")
	o.set("name", m.definition)
	o.set("definition_type", m.kind)
	o.set("definition", jsonObject{{m.kind, m.definition}})
	o.set("extensions", jsonObject{{extOCTI, octi(m, "property-extension")}})
	return o
}
