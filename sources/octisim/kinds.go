package octisim

import (
	"slices"
	"strings"
)

// kindOf says how one entity type is called in GraphQL and STIX, and which field holds its value
// (contract opencti-api 2.4).
type kindOf struct{ entity, graphql, stix, value string }

var observableKinds = []kindOf{
	{"StixFile", "StixFile", "file", "name"},
	{"Artifact", "Artifact", "artifact", "url"},
	{"Domain-Name", "DomainName", "domain-name", "value"},
	{"IPv4-Addr", "IPv4Addr", "ipv4-addr", "value"},
	{"IPv6-Addr", "IPv6Addr", "ipv6-addr", "value"},
	{"Url", "Url", "url", "value"},
	{"Hostname", "Hostname", "hostname", "value"},
	{"Email-Addr", "EmailAddr", "email-addr", "value"},
	{"Mac-Addr", "MacAddr", "mac-addr", "value"},
	{"Text", "Text", "text", "value"},
	{"User-Agent", "UserAgent", "user-agent", "value"},
	{"Mutex", "Mutex", "mutex", "name"},
	{"Directory", "Directory", "directory", "path"},
	{"Process", "Process", "process", "command_line"},
	{"User-Account", "UserAccount", "user-account", "account_login"},
	{"Windows-Registry-Key", "WindowsRegistryKey", "windows-registry-key", "attribute_key"},
	{"Autonomous-System", "AutonomousSystem", "autonomous-system", "number"},
	{"Software", "Software", "software", "name"},
}

// typeOf is the kind of an observable's entity type; an unknown one is taken for Text.
func typeOf(entity string) kindOf {
	for _, k := range observableKinds {
		if k.entity == entity || k.graphql == entity {
			return k
		}
	}
	return typeOf("Text")
}

// entityOf is the entity type of a STIX object type, empty for one that is not simulated.
func entityOf(stix string) string {
	for _, k := range observableKinds {
		if k.stix == stix {
			return k.entity
		}
	}
	if stix == "x-opencti-hostname" {
		return "Hostname"
	}
	return ""
}

// parentsOf are the types above an entity type, as parent_types and entity_type filters see them.
func parentsOf(entity string) []string {
	switch entity {
	case "Indicator", "Incident", "Attack-Pattern":
		return []string{"Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Domain-Object"}
	case "Note":
		return []string{"Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Domain-Object", "Container"}
	case "Case-Incident":
		return []string{"Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Domain-Object", "Container", "Case"}
	case "Organization", "Individual", "System", "Sector", "SecurityPlatform":
		return []string{"Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Domain-Object", "Identity"}
	case "Marking-Definition", "Label", "Kill-Chain-Phase", "External-Reference":
		return []string{"Basic-Object", "Stix-Object", "Stix-Meta-Object"}
	case sightingType:
		return []string{"basic-relationship", "stix-relationship"}
	case "Connector", "User", "Capability":
		return []string{"Basic-Object", "Internal-Object"}
	case "StixFile", "Artifact":
		return []string{"Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Cyber-Observable", "Hashed-Observable"}
	default:
		if allowedEnds[entity] != nil {
			return []string{"basic-relationship", "stix-relationship", "stix-core-relationship"}
		}
		return []string{"Basic-Object", "Stix-Object", "Stix-Core-Object", "Stix-Cyber-Observable"}
	}
}

// allowedEnds says for each kind of relation which type may come from which types; other kinds and
// other ends are refused (contract opencti-api 9). Ends named Stix-Core-Object are any object.
var allowedEnds = map[string]map[string][]string{
	basedOn:         {"Indicator": {"Stix-Cyber-Observable"}},
	"indicates":     {"Indicator": {"Incident", "Attack-Pattern"}},
	"uses":          {"Incident": {"Attack-Pattern"}},
	"targets":       {"Incident": {"System", "Organization", "Individual", "Sector"}},
	"derived-from":  {"Indicator": {"Indicator"}},
	"belongs-to":    {"System": {"Organization"}},
	"related-to":    {"Stix-Core-Object": {"Stix-Core-Object"}},
	"revoked-by":    {"Stix-Core-Object": {"Stix-Core-Object"}},
	"attributed-to": {}, // ends of types that are not simulated
	"compromises":   {},
}

// mayJoin tells whether a relation of the kind may lead from one entity type to the other.
func mayJoin(kind, from, to string) bool {
	for above, below := range allowedEnds[kind] {
		if isA(from, []string{above}) && isA(to, below) {
			return true
		}
	}
	return false
}

// isA tells whether entity is one of the types, or below one of them.
func isA(entity string, types []string) bool {
	if slices.Contains(types, entity) {
		return true
	}
	for _, p := range parentsOf(entity) {
		if slices.Contains(types, p) {
			return true
		}
	}
	return false
}

// systemUser is who the platform says made what nobody else did.
const systemUser = "6a4b11e1-90ca-4e42-ba42-db7bc7f7d505"

// cutHashes reads the algorithm of a path such as hashes.SHA-256.
func cutHashes(path string) (string, bool) { return strings.CutPrefix(path, "hashes.") }
