package octisim

import (
	"maps"
	"slices"
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
	if len(ms) == 0 {
		return nil
	}
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = m.core().id
	}
	return out
}

// allColumns are the keys that every kind has, and more, of which the first lists win.
func allColumns[T item](more ...columns[T]) columns[T] {
	all := columns[T]{
		"ids": {id: true, texts: func(v T) []string {
			b := v.core()
			return append([]string{b.id, b.standard}, b.stixIDs()...)
		}},
		"internal_id":        {id: true, text: func(v T) string { return v.core().id }},
		"standard_id":        {id: true, text: func(v T) string { return v.core().standard }},
		"x_opencti_stix_ids": {id: true, texts: func(v T) []string { return v.core().stixIDs() }},
		"entity_type": {texts: func(v T) []string {
			e := v.core().entity
			return append([]string{e}, parentsOf(e)...)
		}},
		"created_at":    {date: func(v T) moment { return v.core().createdAt }},
		"updated_at":    {date: func(v T) moment { return v.core().updatedAt }},
		"created":       {date: func(v T) moment { return v.core().created() }},
		"modified":      {date: func(v T) moment { return v.core().modified() }},
		"objectMarking": {id: true, texts: func(v T) []string { return ids(v.core().markings) }},
	}
	for _, list := range slices.Backward(more) {
		maps.Copy(all, list)
	}
	return all
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
	"pattern_version":                {text: func(i *indicator) string { return i.rare().patternVersion }},
	"indicator_types":                {texts: func(i *indicator) []string { return i.rare().types }},
	"x_opencti_main_observable_type": {text: func(i *indicator) string { return i.mainType }},
	"x_mitre_platforms":              {texts: func(i *indicator) []string { return i.platforms }},
	"revoked":                        {flag: func(i *indicator) int8 { return flag(i.revoked) }},
	"x_opencti_detection":            {flag: func(i *indicator) int8 { return i.detection }},
	"x_opencti_score":                {num: func(i *indicator) (float64, bool) { return number(i.score) }},
	"confidence":                     {num: func(i *indicator) (float64, bool) { return number(i.confidence) }},
	"valid_from":                     {date: func(i *indicator) moment { return i.validFrom }},
	"valid_until":                    {date: func(i *indicator) moment { return i.validUntil }},
	"objectLabel":                    {id: true, texts: func(i *indicator) []string { return ids(i.labels) }},
	"killChainPhases":                {id: true, texts: func(i *indicator) []string { return ids(i.rare().phases) }},
	"externalReferences":             {id: true, texts: func(i *indicator) []string { return ids(i.rare().references) }},
	"createdBy": {id: true, text: func(i *indicator) string {
		if a := i.rare().author; a != nil {
			return a.id
		}
		return ""
	}},
	"creator_id": {id: true, text: func(i *indicator) string { return i.creator() }},
})

func hashColumn(algorithm string) column[*observable] {
	return column[*observable]{text: func(o *observable) string {
		for _, h := range o.hashes {
			if strings.EqualFold(h.Algorithm, algorithm) {
				return h.Hash
			}
		}
		return ""
	}}
}

var observableColumns = allColumns(columns[*observable]{
	"value":           {text: func(o *observable) string { return o.value }},
	"name":            {text: func(o *observable) string { return o.name }},
	"x_opencti_score": {num: func(o *observable) (float64, bool) { return number(o.score) }},
	"hashes.MD5":      hashColumn("MD5"),
	"hashes.SHA-1":    hashColumn("SHA-1"),
	"hashes.SHA-256":  hashColumn("SHA-256"),
	"hashes.SHA-512":  hashColumn("SHA-512"),
}, attributeColumns[*observable]())

// endTypes are the keys on the types of a relation's ends, which the ends themselves know.
func (s *store) endTypes() columns[*relation] {
	of := func(id string) []string {
		e := s.typeOfID(id)
		return append([]string{e}, parentsOf(e)...)
	}
	return columns[*relation]{
		"fromTypes": {texts: func(r *relation) []string { return of(r.from) }},
		"toTypes":   {texts: func(r *relation) []string { return of(r.to) }},
	}
}

var relationColumns = allColumns(columns[*relation]{
	"relationship_type": {text: func(r *relation) string { return r.entity }},
	"fromId":            {id: true, text: func(r *relation) string { return r.from }},
	"toId":              {id: true, text: func(r *relation) string { return r.to }},
	"fromOrToId":        {id: true, texts: func(r *relation) []string { return []string{r.from, r.to} }},
	"confidence":        {num: func(r *relation) (float64, bool) { return float64(r.level()), true }},
}, attributeColumns[*relation](relationshipAttributes, sightingAttributes))

var markingColumns = allColumns(columns[*marking]{
	"definition":      {text: func(m *marking) string { return m.definition }},
	"definition_type": {text: func(m *marking) string { return m.kind }},
	"x_opencti_order": {num: func(m *marking) (float64, bool) { return float64(m.order), true }},
})

// otherKeys exist in the platform's schema, on objects of other kinds or without a value here. A
// filter may name them; they are missing on what it is asked about.
var otherKeys = strings.Fields(`
	objectAssignee objectParticipant objectAuthorized objectOrganization objects workflow_id x_opencti_workflow_id
	severity priority incident_type report_types note_types response_types information_types takedown_types
	representative connectedToId aliases lang x_opencti_reliability decay_base_score start_time stop_time
	first_seen last_seen published content attribute_abstract likelihood x_mitre_id path command_line
	account_login user_id account_type display_name url hashes.SHA3-256 hashes.SHA3-512 hashes.SSDEEP
	observable_value size mime_type x_opencti_aliases identity_class x_opencti_organization_type
	attribute_count fromTypes toTypes x_opencti_negative refreshed_at x_opencti_modified_at is_inferred spec_version
	x_opencti_cisa_kev pir_score number vendor version cpe attribute_key`)

var schemaKeys = func() map[string]bool {
	keys := map[string]bool{}
	for _, names := range [][]string{
		otherKeys, sortedKeys(indicatorColumns), sortedKeys(observableColumns), sortedKeys(relationColumns), sortedKeys(markingColumns),
		sortedKeys(entityColumns), sortedKeys(identityColumns),
	} {
		for _, k := range names {
			keys[k] = true
		}
	}
	return keys
}()

// The keys of kinds that are made of attributes alone.
var entityColumns = allColumns(attributeColumns[*entity](domainAttributes()...))

var identityColumns = allColumns(columns[*identity]{
	"name":           {text: func(i *identity) string { return i.name }},
	"identity_class": {text: func(i *identity) string { return i.class }},
}, attributeColumns[*identity](identityAttributes))

func domainAttributes() [][]attribute {
	var all [][]attribute
	for _, name := range sortedKeys(domainKinds) {
		all = append(all, domainKinds[name].attributes)
	}
	return all
}
