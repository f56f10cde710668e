package octisim

import (
	"strings"
	"unicode/utf8"
)

// takeEntity imports an incident, a case, a note or an attack pattern.
func (im *importer) takeEntity(k *domainKind, o *object) *failure {
	in, markings, fail := im.readFacts(o, k.attributes)
	if fail != nil {
		return fail
	}
	if k.entity == "Attack-Pattern" && in.text("x_mitre_id") == "" {
		for _, r := range in.references {
			if strings.HasPrefix(r.Source, "mitre-") && r.ExternalID != "" {
				in.props["x_mitre_id"] = r.ExternalID
				break
			}
		}
	}
	if fail := im.mandatory(k.entity, in); fail != nil {
		return fail
	}
	created := o.date("created")
	if created == never {
		created = im.at // so the id is another one each time
	}
	standard := entityID(im.version, k.entity, created, in)
	old, there, fail := known[*entity](im, o, standard)
	switch {
	case fail != nil:
		return fail
	case !there:
		im.complete(k.entity, in)
		insert(im.store, im.entities[k.entity], &entity{im.create(o, k.entity, standard, markings), in})
		return nil
	}
	next, changed := old.merge(in, in.confidence >= old.confidence)
	standard, fail = im.rename(&old.base, entityID(im.version, k.entity, old.created(), old.facts), entityID(im.version, k.entity, old.created(), next))
	if fail != nil {
		return fail
	}
	if b, moved := im.update(&old.base, o, standard, markings); changed || moved {
		exchange(im.store, im.entities[k.entity], old, &entity{b, next})
	}
	return nil
}

// mandatory says what an object lacks that the platform insists on.
func (im *importer) mandatory(kind string, in *facts) *failure {
	name, least := "name", 2
	switch {
	case kind == "Note" && len(in.objects) == 0:
		return functional("A note needs object_refs")
	case kind == "Note":
		name = "content"
		if n, ok := in.props["likelihood"].(int); ok && n > 100 {
			return functional("likelihood must be between 0 and 100")
		}
	case kind == "Attack-Pattern":
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
			in.author = im.identity(&Identity{EntityType: "Individual", Name: im.by.Name}).id
		}
	}
}

// takeIdentity imports an identity. A missing or unknown class is that of an organization.
func (im *importer) takeIdentity(o *object) *failure {
	in, markings, fail := im.readFacts(o, identityAttributes)
	if fail != nil {
		return fail
	}
	name := o.text("name")
	if trim(name) == "" {
		return functional("name must not be empty")
	}
	class := strings.ToLower(trim(o.text("identity_class")))
	kind := map[string]string{"individual": "Individual", "system": "System", "class": "Sector", "securityplatform": "SecurityPlatform"}[class]
	if kind == "" || kind == "SecurityPlatform" && !im.version.atLeast("6.7.0") {
		kind, class = "Organization", "organization"
	}
	if o.fail != nil {
		return o.fail
	}
	standard := identityID(class, name)
	old, there, fail := known[*identity](im, o, standard)
	switch {
	case fail != nil:
		return fail
	case !there:
		insert(im.store, im.identities, &identity{im.create(o, kind, standard, markings), name, class, in})
		return nil
	}
	strong := in.confidence >= old.told().confidence
	next, changed := old.told().merge(in, strong)
	if !strong || name == "" {
		name = old.name
	}
	standard, fail = im.rename(&old.base, identityID(old.class, old.name), identityID(old.class, name))
	if fail != nil {
		return fail
	}
	if b, moved := im.update(&old.base, o, standard, markings); changed || moved || name != old.name {
		exchange(im.store, im.identities, old, &identity{b, name, old.class, next})
	}
	return nil
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
		if !im.by.can([]string{"SETTINGS_SETMARKINGS"}) && !im.defined(in) {
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
