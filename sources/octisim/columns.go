package octisim

import (
	"maps"
	"strings"
)

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
	switch a.form {
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
	report_types information_types takedown_types representative connectedToId lang published
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
