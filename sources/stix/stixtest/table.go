package stixtest

import (
	"maps"
	"regexp"
)

// tlp are the markings that every platform has (contract opencti-api 10.6).
var tlp = []string{
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
	"marking-definition--826578e1-40ad-459f-bc73-ede076f81f37",
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}

// allowed are the relationships that the platform takes between types of ours, besides related-to, which it
// takes between any (contract opencti-api 9).
var allowed = []struct {
	kind, from string
	to         []string
}{
	{"based-on", "indicator", []string{"file", "directory", "process", "user-account", "hostname", "domain-name", "ipv4-addr", "ipv6-addr", "url"}},
	{"indicates", "indicator", []string{"incident", "attack-pattern"}},
	{"uses", "incident", []string{"attack-pattern"}},
	{"targets", "incident", []string{"identity"}},
	{"derived-from", "indicator", []string{"indicator"}},
}

// oneOf are properties of which an object of a type has at least one.
var oneOf = map[string][]string{
	"file":         {"hashes", "name"},
	"user-account": {"user_id", "account_login", "display_name"},
}

var (
	severity    = is(isOneOf("low", "medium", "high", "critical"))
	text        = is(isText)
	name        = must(is(isName))
	hostForm    = regexp.MustCompile(`(?i)^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	domainForm  = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$`)
	mitreForm   = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	patternForm = regexp.MustCompile(`^\S(.*\S)?$`)
)

type table = map[string]property

// types are the properties of each type beside type, id and spec_version.
var types = map[string]table{
	"identity": domain(false, table{
		"name": name, "description": text, "identity_class": must(is(isOneOf("individual", "group", "system", "organization", "class", "unknown"))),
		"roles": is(isTexts), "sectors": is(isTexts), "contact_information": text,
	}),
	"attack-pattern": domain(false, table{"name": name, "description": text, "aliases": is(isTexts), "x_mitre_id": is(matches(mitreForm, "technique"))}),
	"incident": domain(true, table{
		"name": name, "description": text, "severity": severity, "source": text, "objective": text, "aliases": is(isTexts),
		"incident_type": is(isOneOf("alert", "compromise", "cybercrime", "data-leak", "information-system-disruption", "phishing", "ransomware", "reputation-damage", "typosquatting")),
		"first_seen":    is(isTime), "last_seen": is(isTime),
	}),
	"case-incident": domain(true, table{
		"name": name, "description": text, "content": text, "severity": severity, "priority": is(isOneOf("P1", "P2", "P3", "P4")),
		"response_types": is(isTexts), "object_refs": refs(),
	}),
	"note": domain(true, table{
		"abstract": text, "content": name, "authors": is(isTexts), "object_refs": must(refs()), "likelihood": is(isWhole(100)),
		"note_types": is(areOf("internal", "assessment", "analysis", "feedback", "external")),
	}),
	"indicator": domain(true, table{
		"name": is(isName), "description": text, "pattern": must(is(matches(patternForm, "pattern"))), "pattern_type": must(is(isOneOf("stix", "sigma", "yara"))),
		"valid_from": must(is(isTime)), "valid_until": is(isTime), "indicator_types": is(isTexts),
		"x_opencti_score": is(isWhole(100)), "x_opencti_detection": is(isBool), "x_opencti_main_observable_type": text,
	}),
	"relationship": without(domain(true, table{
		"relationship_type": must(text), "source_ref": must(ref()), "target_ref": must(ref()), "description": text,
	}), "external_references"),
	"sighting": domain(true, table{
		"sighting_of_ref": must(ref()), "where_sighted_refs": must(refs("identity", "location")), "description": text,
		"first_seen": is(isTime), "last_seen": is(isTime), "count": is(isWhole(999_999_999)), "x_opencti_negative": is(isBool),
	}),
	"file": observable(table{
		"hashes": is(areHashes), "name": text, "size": is(isWhole(1 << 62)), "mime_type": text,
		"x_opencti_additional_names": is(isTexts),
	}),
	"directory":    observable(table{"path": must(text)}),
	"process":      observable(table{"command_line": must(text), "pid": is(isWhole(1 << 32)), "cwd": text}),
	"user-account": observable(table{"user_id": text, "account_login": text, "display_name": text, "account_type": is(isOneOf("unix", "windows-local", "windows-domain"))}),
	"hostname":     observable(table{"value": must(is(matches(hostForm, "host name")))}),
	"domain-name":  observable(table{"value": must(is(matches(domainForm, "domain name")))}),
	"ipv4-addr":    observable(table{"value": must(is(isAddress(true)))}),
	"ipv6-addr":    observable(table{"value": must(is(isAddress(false)))}),
	"url":          observable(table{"value": must(is(isURL))}),
}

// domain adds what domain objects and relationships have in common. Dated objects have to say when they
// were created, because the platform makes a time up, and another id with it.
func domain(dated bool, t table) table {
	out := table{
		"created_by_ref": ref("identity"), "object_marking_refs": refs("marking-definition"), "created": is(isTime), "modified": is(isTime),
		"labels": is(isTexts), "external_references": is(areReferences), "revoked": is(isBool), "confidence": is(isWhole(100)),
	}
	if dated {
		out["created"], out["modified"] = must(out["created"]), must(out["modified"])
	}
	maps.Copy(out, t)
	return out
}

// observable adds what observables have in common. They have no dates and no author of the standard's.
func observable(t table) table {
	out := table{
		"object_marking_refs": refs("marking-definition"), "defanged": is(isBool),
		"x_opencti_score": is(isWhole(100)), "x_opencti_created_by_ref": ref("identity"), "x_opencti_description": text, "x_opencti_labels": is(isTexts),
	}
	maps.Copy(out, t)
	return out
}

func without(t table, names ...string) table {
	for _, n := range names {
		delete(t, n)
	}
	return t
}
