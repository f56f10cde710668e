package octisim

import "strings"

// told is what an import told of an object beside its attributes, as members of its STIX form; ids of
// the same go into the platform's extension.
func (s *Sim) told(v item, ext *jsonObject) jsonObject {
	f := factsOf(v)
	var o jsonObject
	var labels []string
	for _, l := range f.labels {
		labels = append(labels, l.value)
	}
	if r, ok := v.(*relation); ok && r.facts == nil {
		o.set("confidence", 100) // the platform's own
	}
	o.set("confidence", optionalInt(f.confidence))
	o.set("labels", labels)
	ext.set("labels_ids", ids(f.labels))
	if a := s.items[f.author]; a != nil {
		o.set("created_by_ref", a.core().standard)
		ext.set("created_by_ref_id", a.core().id)
		ext.set("created_by_ref_type", a.core().entity)
	}
	o.set("external_references", stixReferences(f.references))
	var inside []string
	for _, id := range f.objects {
		if v := s.items[id]; v != nil {
			inside = append(inside, v.core().standard)
		}
	}
	o.set("object_refs", inside)
	return o
}

// attributes adds the attributes of a kind where the stream has them: those of MITRE in its extension,
// the platform's own in the platform's, and all others at top level.
func (o *jsonObject) attributes(f *facts, all []attribute, ext, mitre *jsonObject) {
	for _, a := range all {
		name, value := a.in(), f.props[a.name]
		if bare, ok := strings.CutPrefix(name, "x_mitre_"); ok {
			mitre.set(bare, value)
		} else if bare, ok := strings.CutPrefix(name, "x_opencti_"); ok {
			ext.set(bare, value)
		} else {
			o.set(name, value)
		}
	}
}

// finish adds what told gave, the markings and the extensions.
func (o *jsonObject) finish(v item, told, ext, mitre jsonObject) jsonObject {
	if _, ok := o.get("revoked"); !ok {
		o.set("revoked", false)
	}
	*o = append(*o, told...)
	o.set("object_marking_refs", standards(v.core().markings))
	extensions := jsonObject{{extOCTI, ext}}
	if len(mitre) > 0 {
		extensions.keep(extMITRE, append(jsonObject{{"extension_type", "property-extension"}}, mitre...))
	}
	o.keep("extensions", extensions)
	return *o
}

// stixEntity shows an incident, a case, a note or an attack pattern. Cases are objects that STIX does
// not know.
func (s *Sim) stixEntity(e *entity) jsonObject {
	kind := domainKinds[e.entity]
	extension := "property-extension"
	if e.entity == "Case-Incident" {
		extension = "new-sdo"
	}
	o, ext, mitre := stixHead(e, kind.stix), octi(e, extension), jsonObject(nil)
	told := s.told(e, &ext)
	o.attributes(e.facts, kind.attributes, &ext, &mitre)
	return o.finish(e, told, ext, mitre)
}

func (s *Sim) stixIdentity(i *identity) jsonObject {
	o, ext, mitre := stixHead(i, "identity"), octi(i, "property-extension"), jsonObject(nil)
	told := s.told(i, &ext)
	o.set("name", i.name)
	o.set("identity_class", i.class)
	o.attributes(i.told(), identityAttributes, &ext, &mitre)
	return o.finish(i, told, ext, mitre)
}

// stixRelation shows a relation or a sighting with what its ends are called. Ends that are gone are
// left out.
func (s *Sim) stixRelation(r *relation) jsonObject {
	if r.sighting() {
		return s.stixSighting(r)
	}
	o, ext := stixHead(r, "relationship"), octi(r, "property-extension")
	told := s.told(r, &ext)
	o.set("relationship_type", r.entity)
	o.attributes(r.told(), relationshipAttributes, &ext, nil)
	ends := []struct{ name, id string }{{"source", r.from}, {"target", r.to}}
	for _, end := range ends {
		if v := s.items[end.id]; v != nil {
			o.set(end.name+"_ref", v.core().standard)
			ext.set(end.name+"_value", s.display(v))
			ext.set(end.name+"_ref", v.core().id)
			ext.set(end.name+"_type", v.core().entity)
			ext.set(end.name+"_ref_object_marking_refs", ids(v.core().markings))
		}
	}
	return o.finish(r, told, ext, nil)
}

func (s *Sim) stixSighting(r *relation) jsonObject {
	o, ext := stixHead(r, "sighting"), octi(r, "property-extension")
	told := s.told(r, &ext)
	ext.set("negative", r.told().props["x_opencti_negative"] == true)
	for _, a := range sightingAttributes {
		if a.name != "x_opencti_negative" {
			o.set(a.in(), r.told().props[a.name])
		}
	}
	if of := s.items[r.from]; of != nil {
		o.set("sighting_of_ref", of.core().standard)
		ext.set("sighting_of_value", s.display(of))
		ext.set("sighting_of_ref", of.core().id)
		ext.set("sighting_of_type", of.core().entity)
		ext.set("sighting_of_ref_object_marking_refs", ids(of.core().markings))
	}
	if where := s.items[r.to]; where != nil {
		o.set("where_sighted_refs", []string{where.core().standard})
		ext.set("where_sighted_values", []string{s.display(where)})
		ext.set("where_sighted_refs", []string{where.core().id})
		ext.set("where_sighted_types", []string{where.core().entity})
		ext.set("where_sighted_refs_object_marking_refs", ids(where.core().markings))
	}
	return o.finish(r, told, ext, nil)
}

// display is what the platform calls an object.
func (s *Sim) display(v item) string {
	switch v := v.(type) {
	case *indicator:
		return v.name
	case *observable:
		return v.shown(s.version)
	case *identity:
		return v.name
	case *entity:
		return v.shown()
	}
	return v.core().entity
}
