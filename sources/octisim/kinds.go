package octisim

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// kind says how one entity type is called in GraphQL and STIX, and which field holds the value of an
// observable (contract opencti-api 2.4). What it has and what stands above it says the schema.
type kind struct{ entity, graphql, stix, value string }

var kinds = []kind{
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
	{"Indicator", "Indicator", "indicator", ""},
	{"Incident", "Incident", "incident", ""},
	{"Case-Incident", "CaseIncident", "case-incident", ""},
	{"Note", "Note", "note", ""},
	{"Attack-Pattern", "AttackPattern", "attack-pattern", ""},
	{"Organization", "Organization", "identity", ""}, // the first one is taken for an unknown class
	{"Individual", "Individual", "identity", ""},
	{"System", "System", "identity", ""},
	{"Sector", "Sector", "identity", ""},
	{"SecurityPlatform", "SecurityPlatform", "identity", ""},
	{"Marking-Definition", "MarkingDefinition", "marking-definition", ""},
	{"Label", "Label", "label", ""},
	{"Kill-Chain-Phase", "KillChainPhase", "kill-chain-phase", ""},
	{"External-Reference", "ExternalReference", "external-reference", ""},
	{sightingType, "StixSightingRelationship", "sighting", ""},
	{basedOn, "StixCoreRelationship", "relationship", ""},
}

// kindOf is the kind with an entity type; a relation's is that of all relations.
func kindOf(entity string) kind {
	for _, k := range kinds {
		if k.entity == entity {
			return k
		}
	}
	return kinds[len(kinds)-1]
}

// observableKind is the kind of an observable by its entity type, or its type in GraphQL; an unknown
// one is taken for Text.
func observableKind(name string) kind {
	for _, k := range kinds {
		if k.value != "" && (k.entity == name || k.graphql == name) {
			return k
		}
	}
	return kindOf("Text")
}

// kindOfSTIX is the kind of a STIX object type; false is one that is not simulated.
func kindOfSTIX(stix string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.stix == mainID(stix) })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// declared are the types of the schema without what they inherit.
var declared = schemaDocument().Definitions

// valueType is what an attribute of an object holds.
type valueType byte

const (
	ofText   valueType = iota // string
	ofTexts                   // []string
	ofDate                    // moment
	ofNumber                  // int
	ofFlag                    // bool
)

// attribute is a field of one type, not of all, that is a scalar or a list of texts. An import fills it
// from the member of its name, but for a few.
type attribute struct {
	name, member string
	typ          valueType
	vocabulary   string // that its values come from, if one
}

// attributes are those of each type in GraphQL.
var attributes = func() map[string][]attribute {
	types := map[string]valueType{"String": ofText, "[String]": ofTexts, "DateTime": ofDate, "Int": ofNumber, "Boolean": ofFlag}
	members := map[string]string{"attribute_abstract": "abstract", "attribute_count": "count", "attribute_key": "key"}
	all := map[string][]attribute{}
	for _, k := range kinds {
		add := func(fields ast.FieldList) {
			for _, f := range fields {
				typ, ok := types[strings.ReplaceAll(f.Type.String(), "!", "")]
				if member := members[f.Name]; ok && member != "" {
					all[k.graphql] = append(all[k.graphql], attribute{f.Name, member, typ, ""})
				} else if ok {
					all[k.graphql] = append(all[k.graphql], attribute{f.Name, f.Name, typ, k.graphql + "." + f.Name})
				}
			}
		}
		def := declared.ForName(k.graphql)
		add(def.Fields)
		for _, name := range def.Interfaces {
			for _, f := range declared.ForName(name).Fields {
				if name == "Identity" || f.Name == "revoked" || f.Name == "x_opencti_description" {
					add(ast.FieldList{f})
				}
			}
		}
	}
	return all
}()

// vocabularies are the built-in values of the vocabularies of attributes; others are made by users who
// may.
func vocabularies() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for name, values := range map[string]string{
		"Incident.incident_type":      "alert compromise cybercrime data-leak information-system-disruption phishing ransomware reputation-damage typosquatting",
		"Incident.severity":           "low medium high critical",
		"CaseIncident.severity":       "low medium high critical",
		"CaseIncident.priority":       "P1 P2 P3 P4",
		"CaseIncident.response_types": "ransomware data-leak",
		"Note.note_types":             "internal assessment analysis feedback external",
	} {
		all[name] = map[string]bool{}
		for v := range strings.FieldsSeq(values) {
			all[name][v] = true
		}
	}
	return all
}

// ancestry is every entity type with the types above it, as entity_type filters see them.
var ancestry = func() map[string][]string {
	words := regexp.MustCompile(`([a-z])([A-Z])`)
	all := map[string][]string{}
	for _, k := range kinds {
		all[k.entity] = []string{k.entity}
		for _, name := range declared.ForName(k.graphql).Interfaces {
			all[k.entity] = append(all[k.entity], words.ReplaceAllString(name, "$1-$2"))
		}
	}
	all[sightingType] = []string{sightingType, "basic-relationship", "stix-relationship"}
	for name := range allowedEnds {
		all[name] = []string{name, "basic-relationship", "stix-relationship", "stix-core-relationship"}
	}
	return all
}()

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
		if isA(from, above) && isA(to, below...) {
			return true
		}
	}
	return false
}

// isA tells whether entity is one of the types, or below one of them.
func isA(entity string, types ...string) bool {
	return slices.ContainsFunc(ancestry[entity], func(name string) bool { return slices.Contains(types, name) })
}

// systemUser is who the platform says made what nobody else did.
const systemUser = "6a4b11e1-90ca-4e42-ba42-db7bc7f7d505"

// cutHashes reads the algorithm of a path such as hashes.SHA-256.
func cutHashes(path string) (string, bool) { return strings.CutPrefix(path, "hashes.") }

// column is one filter key of one kind of object: how its value is read. Exactly one of the
// functions is set.
type column[T item] struct {
	id    bool // internal ids: compared whole, and the mode of a filter has no effect on them
	text  func(T) string
	texts func(T) []string
	num   func(T) (float64, bool)
	date  func(T) moment
	flag  func(T) int8 // -1 is null
}

type columns[T item] map[string]column[T]

func ids[M item](ms []M) []string {
	var out []string
	for _, m := range ms {
		out = append(out, m.core().id)
	}
	return out
}

// allColumns are the keys that every kind has, those of the attributes of types in GraphQL, and more,
// which win.
func allColumns[T item](more columns[T], types ...string) columns[T] {
	all := columns[T]{
		"ids": {id: true, texts: func(v T) []string {
			b := v.core()
			return append([]string{b.id, b.standard}, b.stixIDs()...)
		}},
		"internal_id":        {id: true, text: func(v T) string { return v.core().id }},
		"standard_id":        {id: true, text: func(v T) string { return v.core().standard }},
		"x_opencti_stix_ids": {id: true, texts: func(v T) []string { return v.core().stixIDs() }},
		"entity_type":        {texts: func(v T) []string { return ancestry[v.core().entity] }},
		"created_at":         {date: func(v T) moment { return v.core().createdAt }},
		"updated_at":         {date: func(v T) moment { return v.core().updatedAt }},
		"created":            {date: func(v T) moment { return v.core().created() }},
		"modified":           {date: func(v T) moment { return v.core().modified() }},
		"objectMarking":      {id: true, texts: func(v T) []string { return ids(v.core().markings) }},
		"creator_id":         {id: true, text: func(v T) string { return v.core().creator() }},
		"confidence":         {num: func(v T) (float64, bool) { return number(v.core().told().confidence) }},
		"createdBy":          {id: true, text: func(v T) string { return v.core().told().author }},
		"objectLabel":        {id: true, texts: func(v T) []string { return ids(v.core().told().labels) }},
		"externalReferences": {id: true, texts: func(v T) []string { return ids(v.core().told().references) }},
		"killChainPhases":    {id: true, texts: func(v T) []string { return ids(v.core().told().phases) }},
		"objects":            {id: true, texts: func(v T) []string { return v.core().told().objects }},
	}
	for _, name := range types {
		for _, a := range attributes[name] {
			all[a.name] = attributeColumn[T](a)
		}
	}
	maps.Copy(all, more)
	return all
}

func attributeColumn[T item](a attribute) column[T] {
	switch a.typ {
	case ofTexts:
		return column[T]{texts: func(v T) []string { return v.core().told().texts(a.name) }}
	case ofDate:
		return column[T]{date: func(v T) moment { return v.core().told().date(a.name) }}
	case ofNumber:
		return column[T]{num: func(v T) (float64, bool) { n, ok := v.core().told().props[a.name].(int); return float64(n), ok }}
	case ofFlag:
		return column[T]{flag: func(v T) int8 { return flag(v.core().told().props[a.name] == true) }}
	default:
		return column[T]{text: func(v T) string { return v.core().told().text(a.name) }}
	}
}

func number(n int32) (float64, bool) { return float64(n), n >= 0 }

func flag(b bool) int8 {
	if b {
		return 1
	}
	return 0
}

var indicatorColumns = allColumns(columns[*indicator]{
	"name":                           {text: func(i *indicator) string { return i.name }},
	"description":                    {text: func(i *indicator) string { return i.description }},
	"pattern":                        {text: func(i *indicator) string { return i.pattern }},
	"pattern_type":                   {text: func(i *indicator) string { return i.patternType }},
	"x_opencti_main_observable_type": {text: func(i *indicator) string { return i.mainType }},
	"x_mitre_platforms":              {texts: func(i *indicator) []string { return i.platforms }},
	"revoked":                        {flag: func(i *indicator) int8 { return flag(i.revoked) }},
	"x_opencti_detection":            {flag: func(i *indicator) int8 { return i.detection }},
	"x_opencti_score":                {num: func(i *indicator) (float64, bool) { return number(i.score) }},
	"valid_from":                     {date: func(i *indicator) moment { return i.validFrom }},
	"valid_until":                    {date: func(i *indicator) moment { return i.validUntil }},
}, "Indicator")

var observableColumns = allColumns(columns[*observable]{
	"observable_value": {text: func(o *observable) string { return o.value }},
	"x_opencti_score":  {num: func(o *observable) (float64, bool) { return number(o.score) }},
})

var entityColumns = allColumns(columns[*entity]{},
	"Incident", "CaseIncident", "Note", "AttackPattern", "Organization", "Individual", "System", "Sector", "SecurityPlatform")

// endTypes are the keys on the types of a relation's ends, which the ends themselves know.
func (s *store) endTypes() columns[*relation] {
	return columns[*relation]{
		"fromTypes": {texts: func(r *relation) []string { return ancestry[s.typeOfID(r.from)] }},
		"toTypes":   {texts: func(r *relation) []string { return ancestry[s.typeOfID(r.to)] }},
	}
}

var relationColumns = allColumns(columns[*relation]{
	"relationship_type": {text: func(r *relation) string { return r.entity }},
	"fromId":            {id: true, text: func(r *relation) string { return r.from }},
	"toId":              {id: true, text: func(r *relation) string { return r.to }},
	"fromOrToId":        {id: true, texts: func(r *relation) []string { return []string{r.from, r.to} }},
}, "StixCoreRelationship", "StixSightingRelationship")

// otherKeys exist in the platform's schema, on objects of other kinds or without a value here. A
// filter may name them; they are missing on what it is asked about.
var otherKeys = strings.Fields(`
	objectAssignee objectParticipant objectAuthorized objectOrganization objects workflow_id x_opencti_workflow_id
	report_types information_types takedown_types connectedToId lang published
	hashes.MD5 hashes.SHA-1 hashes.SHA-256 hashes.SHA-512 hashes.SHA3-256 hashes.SHA3-512 hashes.SSDEEP
	value observable_value x_opencti_organization_type fromTypes toTypes refreshed_at x_opencti_modified_at
	is_inferred spec_version definition definition_type x_opencti_order x_opencti_cisa_kev pir_score`)

var schemaKeys = func() map[string]bool {
	keys := map[string]bool{}
	for _, names := range [][]string{otherKeys, sortedKeys(indicatorColumns), sortedKeys(entityColumns), sortedKeys(relationColumns)} {
		for _, k := range names {
			keys[k] = true
		}
	}
	for _, list := range attributes {
		for _, a := range list {
			keys[a.name] = true
		}
	}
	return keys
}()
