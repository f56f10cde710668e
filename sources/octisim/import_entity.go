package octisim

import (
	"strings"
	"unicode/utf8"
)

// takeEntity imports an incident, a case, a note, an attack pattern or an identity.
func (im *importer) takeEntity(k kind, o *object) *failure {
	in, markings, fail := im.readFacts(o, k)
	if fail != nil {
		return fail
	}
	switch k.stix {
	case "identity":
		k = im.identityKind(in)
	case "attack-pattern":
		for _, r := range in.references {
			if in.text("x_mitre_id") == "" && strings.HasPrefix(r.Source, "mitre-") && r.ExternalID != "" {
				in.props["x_mitre_id"] = r.ExternalID
			}
		}
	}
	if fail := im.mandatory(k, in); fail != nil {
		return fail
	}
	created := o.date("created")
	if created == never {
		created = im.at // so the id is another one each time
	}
	id := func(f *facts) string { return entityID(im.version, k.entity, created, f) }
	old, there, fail := known[*entity](im, o, id(in))
	if fail != nil {
		return fail
	}
	rows := im.entityTable(k.entity)
	if !there {
		im.complete(k.entity, in)
		insert(im.store, rows, &entity{im.create(o, k.entity, id(in), markings, in)})
		return nil
	}
	created = old.created()
	delete(in.props, "identity_class") // it stays
	b, changed := im.update(&old.base, o, in, markings, in.confidence >= old.told().confidence)
	renamed, fail := im.rename(&b, o, id(old.told()), id(b.facts))
	if fail == nil && (changed || renamed) {
		exchange(im.store, rows, old, &entity{b})
	}
	return fail
}

// identityKind is the kind of an identity by its class. A missing or unknown one is an organization's.
func (im *importer) identityKind(in *facts) kind {
	class := strings.ToLower(trim(in.text("identity_class")))
	entity := map[string]string{"individual": "Individual", "system": "System", "class": "Sector", "securityplatform": "SecurityPlatform"}[class]
	if entity == "" || entity == "SecurityPlatform" && !im.version.atLeast("6.7.0") {
		entity, class = "Organization", "organization"
	}
	in.props["identity_class"] = class
	return kindOf(entity)
}

// mandatory says what an object lacks that the platform insists on.
func (im *importer) mandatory(k kind, in *facts) *failure {
	name, least := "name", 2
	switch {
	case k.entity == "Note" && len(in.objects) == 0:
		return functional("A note needs object_refs")
	case k.entity == "Note":
		name = "content"
		if n, ok := in.props["likelihood"].(int); ok && n > 100 {
			return functional("likelihood must be between 0 and 100")
		}
	case k.stix == "attack-pattern" || k.stix == "identity":
		least = 1
	}
	if utf8.RuneCountInString(trim(in.text(name))) < least {
		return functional("%s must be at least %d characters in length", name, least)
	}
	return nil
}

// The platform's dates for "not known": the start of 1970, and the year 5138.
const (
	fromStart = moment(0)
	untilEnd  = moment(100_000_000_000_000)
)

// complete gives a new object what it gets without being told.
func (im *importer) complete(kind string, in *facts) {
	switch kind {
	case "Incident":
		for name, unknown := range map[string]moment{"first_seen": fromStart, "last_seen": untilEnd} {
			if in.date(name) == never {
				in.props[name] = unknown
			}
		}
	case "Case-Incident":
		if in.author == "" {
			in.author = im.identity(&Identity{EntityType: "Individual", Name: im.by.Name})
		}
	}
}

// takeMarking imports a marking, known by its definition. Another id, such as that of TLP 2.0's own
// objects, leads to it from then on. Markings change in place, because everything refers to them.
func (im *importer) takeMarking(o *object) *failure {
	in := Marking{Type: o.text("definition_type"), Definition: o.text("x_opencti_definition")}
	if in.Definition == "" {
		in.Definition = o.text("name")
	}
	if def, ok := o.member("definition").(map[string]any); ok && in.Definition == "" {
		in.Definition, _ = def[in.Type].(string)
		if strings.EqualFold(in.Type, "tlp") {
			in.Definition = "TLP:" + in.Definition
		}
	}
	if o.fail != nil {
		return o.fail
	}
	if trim(in.Definition) == "" {
		return functional("definition must not be empty")
	}
	have, ok := im.see(o.id).(*marking)
	if !ok {
		if !im.by.can("SETTINGS_SETMARKINGS") && !im.defined(in) {
			return errForbidden
		}
		have = im.marking(in)
	}
	if o.id != have.standard && im.items[o.id] == nil && lasting(o.id) {
		have.own = &own{append(have.stixIDs(), o.id), have.created(), have.modified(), have.creator()}
		im.enter(have)
	}
	return nil
}

// defined tells whether the platform has a marking already.
func (s *store) defined(in Marking) bool {
	def := strings.ToUpper(trim(in.Definition))
	for _, m := range s.markings.byStandard.list() {
		if m.definition == def || m.definition == "TLP:CLEAR" && def == "TLP:WHITE" {
			return true
		}
	}
	return false
}
