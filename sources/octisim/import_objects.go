package octisim

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// takeEntity imports an incident, a case, a note, an attack pattern or an identity.
func (im *importer) takeEntity(k kind, o *object, in *facts, markings []*marking) *failure {
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

// takeObservable imports an observable. It is also found by the ids of all of its hashes, though only
// the first makes its own.
func (im *importer) takeObservable(k kind, o *object, in *facts, markings []*marking) *failure {
	in.confidence = -1 // observables have none
	want := im.readObservable(k, o)
	want.Props = in.props
	switch {
	case o.fail != nil:
		return o.fail
	case !wellFormed(&want):
		return functional("Observable is not correctly formatted (INCORRECT_OBSERVABLE_FORMAT)")
	case im.excluded(want.Value) || slices.ContainsFunc(want.Hashes, func(h Hash) bool { return im.excluded(h.Hash) }):
		return errExcluded
	}
	ids := []string{observableID(im.version, &want)}
	for _, h := range want.Hashes {
		ids = append(ids, observableID(im.version, &Observable{EntityType: k.entity, Hashes: Hashes{h}}))
	}
	old, there, fail := known[*observable](im, o, ids...)
	switch {
	case fail != nil:
		return fail
	case there:
		return im.mergeObservable(old, o, want, in, markings)
	}
	insert(im.store, im.observables, &observable{
		base: im.create(o, k.entity, ids[0], markings, in), value: want.Value, name: want.Name, hashes: want.Hashes, score: optional(want.Score),
	})
	return nil
}

// mergeObservable gives the observable as it is held after the import. Confidence plays no part.
func (im *importer) mergeObservable(old *observable, o *object, want Observable, in *facts, markings []*marking) *failure {
	next := *old
	var changed bool
	next.base, changed = im.update(&old.base, o, in, markings, true)
	if want.Name != "" && want.Name != old.name {
		next.name, changed = want.Name, true
	}
	if want.Score != nil && int32(*want.Score) != old.score {
		next.score, changed = int32(*want.Score), true
	}
	next.hashes = slices.Clone(old.hashes)
	for _, h := range want.Hashes {
		switch i := slices.IndexFunc(next.hashes, func(x Hash) bool { return strings.EqualFold(x.Algorithm, h.Algorithm) }); {
		case i < 0:
			next.hashes, changed = append(next.hashes, h), true
		case next.hashes[i].Hash != h.Hash:
			next.hashes[i], changed = h, true
		}
	}
	before, after := old.public(), next.public()
	renamed, fail := im.rename(&next.base, o, observableID(im.version, &before), observableID(im.version, &after))
	if fail == nil && (changed || renamed) {
		exchange(im.store, im.observables, old, &next)
	}
	return fail
}

// readObservable reads what makes an observable what it is, as the platform stores it.
func (im *importer) readObservable(k kind, o *object) Observable {
	want := Observable{EntityType: k.entity}
	switch k.entity {
	case "StixFile":
		want.Name = o.text("name")
	case "Autonomous-System":
		if n, ok := o.number("number"); ok {
			want.Value = strconv.Itoa(n)
		}
	case "Windows-Registry-Key":
		want.Value = o.text("key")
	case "Domain-Name", "Email-Addr":
		want.Value = strings.ToLower(trim(o.text("value")))
	default:
		want.Value = o.text(k.value)
	}
	if k.entity == "StixFile" || k.entity == "Artifact" {
		all, ok := o.member("hashes").(map[string]any)
		if !ok && o.member("hashes") != nil {
			o.wrong("hashes", "object")
		}
		for _, alg := range sortedKeys(all) {
			if h, ok := all[alg].(string); ok && h != "" {
				want.Hashes = append(want.Hashes, Hash{strings.ToUpper(alg), h})
			}
		}
	}
	if n, ok := o.number("x_opencti_score"); ok {
		want.Score = new(min(n, 100))
	}
	return want
}

var errExcluded = functional("Indicator of type stix is contained in exclusion list (INDICATOR_PATTERN_EXCLUDED)")

// excluded tells whether the platform's exclusion lists hold a value.
func (s *Sim) excluded(value string) bool {
	return slices.ContainsFunc(s.knobs.Exclude, func(v string) bool { return fold(v) == fold(value) })
}

// takeIndicator imports an indicator (contract opencti-api 11.3).
func (im *importer) takeIndicator(k kind, o *object, in *facts, markings []*marking) *failure {
	pattern, form := in.text("pattern"), in.text("pattern_type")
	if fail := im.checkPattern(form, pattern); fail != nil {
		return fail
	}
	if im.unreadable() {
		return internal("Unexpected end of JSON input")
	}
	if form == "stix" {
		pattern = normalisePattern(im.version, pattern)
	}
	standard := indicatorID(im.version, pattern)
	old, there, fail := known[*indicator](im, o, standard)
	if fail != nil {
		return fail
	}
	next := indicator{pattern: pattern, patternType: form, score: -1, validFrom: never, validUntil: never}
	strong := true
	if there {
		next = *old
		strong = in.confidence >= old.told().confidence
	}
	if strong {
		next.pattern = pattern
		im.overwrite(&next, in, there)
	}
	next.platforms = grow(next.platforms, in.texts("x_mitre_platforms"), new(bool))
	for name := range in.props {
		if !slices.Contains([]string{"pattern_version", "indicator_types", "decay_base_score"}, name) {
			delete(in.props, name) // the others stand in the indicator itself
		}
	}
	switch {
	case next.mainType != "" && next.mainType != "Unknown" && observableKind(next.mainType).entity != next.mainType:
		return functional("Observable type %s is not supported", next.mainType)
	case next.validUntil != never && next.validFrom != never && next.validUntil <= next.validFrom:
		return functional("You cant create an indicator with valid_until less than valid_from")
	}
	if there {
		fail = im.editIndicator(old, next, o, in, markings, strong)
	} else {
		next.base = im.create(o, k.entity, standard, markings, in)
		im.newIndicator(&next)
	}
	if create, _ := o.flag("x_opencti_create_observables"); fail == nil && create {
		im.observe(standard)
	}
	return fail
}

func (im *importer) checkPattern(kind, pattern string) *failure {
	switch {
	case trim(pattern) == "" || kind == "":
		return functional("pattern and pattern_type are mandatory")
	case !knownPatternType(im.version, kind):
		return functional("Unknown pattern type %s", kind)
	case !goodPattern(kind, pattern):
		return functional("Indicator of type %s is not correctly formatted (INCORRECT_INDICATOR_FORMAT)", kind)
	}
	if kind == "stix" && slices.ContainsFunc(equalities(pattern), func(t test) bool { return im.excluded(t.value) }) {
		return errExcluded
	}
	return nil
}

// overwrite sets what a single value is given for.
func (im *importer) overwrite(next *indicator, in *facts, there bool) {
	for name, to := range map[string]*string{
		"name": &next.name, "description": &next.description, "x_opencti_main_observable_type": &next.mainType,
	} {
		*to = cmp.Or(in.text(name), *to)
	}
	if next.mainType == "File" {
		next.mainType = "StixFile"
	}
	for name, to := range map[string]*moment{"valid_from": &next.validFrom, "valid_until": &next.validUntil} {
		if m := in.date(name); m != never {
			*to = m
		}
	}
	if b, ok := in.props["x_opencti_detection"].(bool); ok {
		next.detection = flag(b)
	}
	im.score(next, in, there)
	if revoked, ok := in.props["revoked"].(bool); ok && there { // a new one's is worked out
		next.revoked = revoked
	}
}

// score sets the score. The one that decay started from does not undo decay; taking a revocation back
// without one goes back to it, or to 50.
func (im *importer) score(next *indicator, in *facts, there bool) {
	n, ok := in.props["x_opencti_score"].(int)
	n = min(n, 100)
	back := there && next.revoked && in.props["revoked"] == false
	base, decays := next.told().props["decay_base_score"].(int)
	delete(in.props, "decay_base_score")
	switch {
	case ok && there && !back && decays && n == base && next.creator() == im.by.ID:
		return
	case ok:
	case !there:
		n = 50
	case back && decays:
		next.score = int32(base)
		return
	case back:
		next.score = 50
		return
	default:
		return
	}
	next.score, in.props["decay_base_score"] = int32(n), n
}

// decayed is how long an indicator that an import makes is valid: its end is worked out on creation,
// whatever the source said.
const decayed = 365

func (im *importer) newIndicator(i *indicator) {
	i.name = cmp.Or(i.name, i.pattern)
	i.mainType = cmp.Or(i.mainType, mainType(i.patternType, i.pattern))
	if i.validFrom == never {
		i.validFrom = i.created()
	}
	i.validUntil = momentOf(i.validFrom.time().AddDate(0, 0, decayed))
	i.revoked = i.validUntil <= im.at
	im.replace(nil, i, true)
}

func (im *importer) editIndicator(old *indicator, next indicator, o *object, in *facts, markings []*marking, strong bool) *failure {
	b, changed := im.update(&old.base, o, in, markings, strong)
	renamed, fail := im.rename(&b, o, indicatorID(im.version, old.pattern), indicatorID(im.version, next.pattern))
	if fail != nil {
		return fail
	}
	if changed || renamed || !reflect.DeepEqual(*old, next) {
		next.base = b
		if next.validUntil != old.validUntil && next.validUntil != never && next.validUntil <= im.at {
			next.revoked, next.detection, next.score = true, 0, revokeScore
		}
		im.replace(old, &next, true)
	}
	return nil
}

// observe makes the observables of a pattern, and bases the indicator on them.
func (im *importer) observe(standard string) {
	i, ok := im.items[standard].(*indicator)
	if !ok || i.patternType != "stix" {
		return
	}
	for _, t := range equalities(i.pattern) {
		k, _ := kindOfSTIX(t.object)
		o := Observable{EntityType: k.entity, Score: pointer(i.score)}
		alg, hashed := cutHashes(t.path)
		switch {
		case k.value == "":
			continue
		case hashed && t.value != "":
			o.Hashes = Hashes{{strings.ToUpper(alg), t.value}}
		case k.entity == "StixFile" && t.path == "name":
			o.Name = t.value
		case t.path == k.value:
			o.Value = t.value
		default:
			continue
		}
		if wellFormed(&o) {
			im.attach(i.id, o)
		}
	}
}
