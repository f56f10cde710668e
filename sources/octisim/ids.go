package octisim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// idSpace is the namespace of deterministic ids (contract opencti-api 10.1).
var idSpace = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")

// contributing holds the properties an id is computed over: texts, lists of texts, whole numbers, and
// objects of these.
type contributing map[string]any

// standardID is TYPE--UUIDv5 over the canonical JSON of what contributes.
func standardID(stixType string, c contributing) string {
	return stixType + "--" + uuid.NewSHA1(idSpace, canonical(c)).String()
}

// canonical writes RFC 8785 JSON. Names are ASCII here, so byte order is the order asked for.
func canonical(c contributing) []byte { return []byte(goEscapes.Replace(string(jsonText(c)))) }

// indicatorID is the standard id of an indicator, from its stored pattern.
func indicatorID(v version, pattern string) string {
	return standardID("indicator", contributing{"pattern": v.clean(pattern)})
}

func labelID(value string) string {
	return standardID("label", contributing{"value": strings.ToLower(trim(value))})
}

func identityID(class, name string) string {
	return standardID("identity", contributing{"identity_class": strings.ToLower(trim(class)), "name": strings.ToLower(trim(name))})
}

func basedOnID(from, to string) string {
	return standardID("relationship", contributing{"relationship_type": "based-on", "source_ref": from, "target_ref": to})
}

// tlp are the markings with fixed ids, in their order (contract opencti-api 10.6).
var tlp = []struct{ definition, id string }{
	{"TLP:CLEAR", "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"},
	{"TLP:GREEN", "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"},
	{"TLP:AMBER", "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"},
	{"TLP:AMBER+STRICT", "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37"},
	{"TLP:RED", "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"},
}

func markingID(kind, definition string) string {
	for _, m := range tlp {
		if m.definition == definition {
			return m.id
		}
	}
	return standardID("marking-definition", contributing{"definition_type": strings.ToUpper(kind), "definition": strings.ToUpper(definition)})
}

// hashOrder says which hash of a file makes its id and its display value: the first one present.
func hashOrder(v version) []string {
	order := []string{"MD5", "SHA-1", "SHA-256", "SHA-512", "SHA3-256", "SHA3-512", "SSDEEP", "SDHASH", "LZJD"}
	if v.atLeast("7.260803.0") {
		order = slices.Insert(order, 8, "TLSH")
	}
	return order
}

// clean is trim since 7.260416.0; earlier platforms trimmed only names.
func (v version) clean(s string) string {
	if v.atLeast("7.260416.0") {
		return trim(s)
	}
	return s
}

// observableID is the standard id of an observable (contract opencti-api 10.2).
func observableID(v version, o *Observable) string {
	clean := v.clean
	k := observableKind(o.EntityType)
	c := contributing{}
	switch o.EntityType {
	case "StixFile", "Artifact":
		alg, hash := firstHash(v, o.Hashes)
		switch {
		case hash != "":
			c["hashes"] = contributing{alg: clean(hash)}
		case o.EntityType == "StixFile":
			c["name"] = clean(o.Name)
		default:
			c["url"] = clean(o.Value)
		}
	case "Domain-Name", "Email-Addr":
		c["value"] = strings.ToLower(clean(o.Value))
	case "Autonomous-System":
		c["number"], _ = strconv.Atoi(strings.TrimPrefix(o.Value, "AS"))
	case "Process":
		c["command_line"] = clean(o.Value)
		if pid, ok := asFloat(o.Props["pid"]); ok {
			c["pid"] = int(pid)
		}
	case "User-Account", "Software":
		for _, name := range []string{"account_type", "user_id", "account_login", "name", "cpe", "swid", "vendor", "version"} {
			if s, ok := o.Props[name].(string); ok && s != "" {
				c[name] = clean(s)
			}
		}
		if s := clean(o.Value); s != "" {
			c[k.value] = s
		}
		if s, ok := c["name"].(string); ok && v.atLeast("7.260422.0") {
			c["name"] = strings.ToLower(s)
		}
	default:
		c[k.value] = clean(o.Value)
	}
	return standardID(k.stix, c)
}

func firstHash(v version, hs []Hash) (algorithm, hash string) {
	for _, alg := range hashOrder(v) {
		for _, h := range hs {
			if strings.EqualFold(h.Algorithm, alg) && h.Hash != "" {
				return alg, h.Hash
			}
		}
	}
	return "", ""
}

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
