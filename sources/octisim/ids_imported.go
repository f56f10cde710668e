package octisim

import "strings"

// entityID is the standard id of an object of a domain kind (contract opencti-api 10.2): from its
// attributes and its STIX creation time.
func entityID(v version, kind string, created moment, f *facts) string {
	name := strings.ToLower(trim(f.text("name")))
	switch kind {
	case "Note":
		c := contributing{"content": v.clean(f.text("content")), "created": created.String()}
		if abstract := trim(f.text("attribute_abstract")); abstract != "" && v.atLeast("7.260416.0") {
			c["attribute_abstract"] = abstract
		}
		return standardID("note", c)
	case "Attack-Pattern":
		technique := v.clean(f.text("x_mitre_id"))
		if v.atLeast("7.260529.0") {
			technique = strings.ToLower(technique)
		}
		if trim(technique) != "" {
			return standardID("attack-pattern", contributing{"x_mitre_id": technique})
		}
		return standardID("attack-pattern", contributing{"name": name})
	case "Incident", "Case-Incident":
		return standardID(kindOf(kind).stix, contributing{"name": name, "created": created.String()})
	default:
		return identityID(f.text("identity_class"), f.text("name"))
	}
}

// relationID is the standard id of a relation or a sighting between objects with the given standard
// ids, with the dates that are known. It is empty before 6.4.0, when such ids were random.
func relationID(v version, kind, from, to string, start, stop moment) string {
	if !v.atLeast("6.4.0") {
		return ""
	}
	c := contributing{"relationship_type": kind, "source_ref": from, "target_ref": to}
	first, last, stix := "start_time", "stop_time", "relationship"
	if kind == sightingType {
		c = contributing{"type": "sighting", "sighting_of_ref": from, "where_sighted_refs": []string{to}}
		first, last, stix = "first_seen", "last_seen", "sighting"
	}
	if !start.unknown() {
		c[first] = start.String()
	}
	if !stop.unknown() {
		c[last] = stop.String()
	}
	return standardID(stix, c)
}

func referenceID(r ExternalRef) string {
	if r.URL != "" {
		return standardID("external-reference", contributing{"url": trim(r.URL)})
	}
	return standardID("external-reference", contributing{"source_name": trim(r.Source), "external_id": trim(r.ExternalID)})
}
