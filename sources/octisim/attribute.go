package octisim

// form is what an attribute of an object holds.
type form byte

const (
	ofText   form = iota // string
	ofTexts              // []string
	ofDate               // moment
	ofNumber             // int
	ofFlag               // bool
)

// attribute is one attribute that an import fills: its GraphQL name, the member of a bundle's object
// when that is called otherwise, and the vocabulary its values come from, if one.
type attribute struct {
	name       string
	form       form
	member     string
	vocabulary string
}

func (a attribute) in() string {
	if a.member != "" {
		return a.member
	}
	return a.name
}

// domainKind is one entity type that only imports make (contract opencti-api 11).
type domainKind struct {
	entity, graphql, stix string
	attributes            []attribute
}

var domainKinds = map[string]*domainKind{
	"Incident": {"Incident", "Incident", "incident", []attribute{
		{name: "name"}, {name: "description"}, {name: "source"}, {name: "objective"}, {name: "aliases", form: ofTexts},
		{name: "first_seen", form: ofDate}, {name: "last_seen", form: ofDate}, {name: "revoked", form: ofFlag},
		{name: "incident_type", vocabulary: "incident_type"}, {name: "severity", vocabulary: "incident_severity"},
	}},
	"Case-Incident": {"Case-Incident", "CaseIncident", "case-incident", []attribute{
		{name: "name"}, {name: "description"}, {name: "content"}, {name: "revoked", form: ofFlag},
		{name: "severity", vocabulary: "case_severity"}, {name: "priority", vocabulary: "case_priority"},
		{name: "response_types", form: ofTexts, vocabulary: "incident_response_types"},
	}},
	"Note": {"Note", "Note", "note", []attribute{
		{name: "attribute_abstract", member: "abstract"}, {name: "content"}, {name: "authors", form: ofTexts}, {name: "revoked", form: ofFlag},
		{name: "note_types", form: ofTexts, vocabulary: "note_types"}, {name: "likelihood", form: ofNumber},
	}},
	"Attack-Pattern": {"Attack-Pattern", "AttackPattern", "attack-pattern", []attribute{
		{name: "name"}, {name: "description"}, {name: "aliases", form: ofTexts}, {name: "x_mitre_id"}, {name: "x_mitre_detection"},
		{name: "x_mitre_platforms", form: ofTexts}, {name: "x_mitre_permissions_required", form: ofTexts}, {name: "revoked", form: ofFlag},
	}},
}

var identityAttributes = []attribute{
	{name: "description"}, {name: "contact_information"}, {name: "roles", form: ofTexts}, {name: "x_opencti_aliases", form: ofTexts},
	{name: "x_opencti_organization_type"}, {name: "x_opencti_reliability"}, {name: "x_opencti_firstname"}, {name: "x_opencti_lastname"},
	{name: "x_opencti_score", form: ofNumber}, {name: "security_platform_type"}, {name: "revoked", form: ofFlag},
}

var relationshipAttributes = []attribute{
	{name: "description"}, {name: "start_time", form: ofDate}, {name: "stop_time", form: ofDate}, {name: "revoked", form: ofFlag},
}

var sightingAttributes = []attribute{
	{name: "description"}, {name: "first_seen", form: ofDate}, {name: "last_seen", form: ofDate},
	{name: "attribute_count", form: ofNumber, member: "count"}, {name: "x_opencti_negative", form: ofFlag},
}

// observableAttributes are those of observables beside value, name and hashes.
var observableAttributes = map[string][]attribute{
	"StixFile": {
		{name: "size", form: ofNumber}, {name: "mime_type"}, {name: "magic_number_hex"}, {name: "name_enc"},
		{name: "ctime", form: ofDate}, {name: "mtime", form: ofDate}, {name: "atime", form: ofDate}, {name: "x_opencti_additional_names", form: ofTexts},
	},
	"Artifact": {
		{name: "mime_type"}, {name: "payload_bin"}, {name: "encryption_algorithm"}, {name: "decryption_key"},
		{name: "x_opencti_additional_names", form: ofTexts},
	},
	"Email-Addr":        {{name: "display_name"}},
	"Directory":         {{name: "path_enc"}},
	"Process":           {{name: "pid", form: ofNumber}, {name: "cwd"}, {name: "created_time", form: ofDate}},
	"User-Account":      {{name: "user_id"}, {name: "account_type"}, {name: "display_name"}},
	"Autonomous-System": {{name: "name"}, {name: "rir"}},
	"Software":          {{name: "cpe"}, {name: "swid"}, {name: "vendor"}, {name: "version"}},
}

// vocabularies are the built-in values of the vocabularies that attributes name; others are made by
// users who may.
func vocabularies() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for name, values := range map[string][]string{
		"incident_type": {
			"alert", "compromise", "cybercrime", "data-leak", "information-system-disruption", "phishing", "ransomware",
			"reputation-damage", "typosquatting",
		},
		"incident_severity":       {"low", "medium", "high", "critical"},
		"case_severity":           {"low", "medium", "high", "critical"},
		"case_priority":           {"P1", "P2", "P3", "P4"},
		"incident_response_types": {"ransomware", "data-leak"},
		"note_types":              {"internal", "assessment", "analysis", "feedback", "external"},
	} {
		all[name] = map[string]bool{}
		for _, v := range values {
			all[name][v] = true
		}
	}
	return all
}

// attributeColumns are the filter keys of attributes.
func attributeColumns[T interface {
	item
	told() *facts
}](lists ...[]attribute) columns[T] {
	keys := columns[T]{
		"confidence":         {num: func(v T) (float64, bool) { return number(v.told().confidence) }},
		"creator_id":         {id: true, text: func(v T) string { return v.core().creator() }},
		"createdBy":          {id: true, text: func(v T) string { return v.told().author }},
		"objectLabel":        {id: true, texts: func(v T) []string { return ids(v.told().labels) }},
		"externalReferences": {id: true, texts: func(v T) []string { return ids(v.told().references) }},
		"killChainPhases":    {id: true, texts: func(v T) []string { return ids(v.told().phases) }},
		"objects":            {id: true, texts: func(v T) []string { return v.told().objects }},
	}
	for _, attributes := range lists {
		for _, a := range attributes {
			keys[a.name] = attributeColumn[T](a)
		}
	}
	return keys
}

func attributeColumn[T interface {
	item
	told() *facts
}](a attribute) column[T] {
	switch a.form {
	case ofTexts:
		return column[T]{texts: func(v T) []string { l, _ := v.told().props[a.name].([]string); return l }}
	case ofDate:
		return column[T]{date: func(v T) moment { return v.told().date(a.name) }}
	case ofNumber:
		return column[T]{num: func(v T) (float64, bool) { n, ok := v.told().props[a.name].(int); return float64(n), ok }}
	case ofFlag:
		return column[T]{flag: func(v T) int8 { b, _ := v.told().props[a.name].(bool); return flag(b) }}
	default:
		return column[T]{text: func(v T) string { return v.told().text(a.name) }}
	}
}
