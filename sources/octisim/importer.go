package octisim

import (
	"cmp"
	"slices"
	"strings"
)

// importer brings objects into the platform for one user at one moment, as the worker and the
// platform's writes do (contract opencti-api 9).
type importer struct {
	*Sim
	by  *User
	may map[*marking]bool // markings that the user may see; nil is all
	at  moment
}

func (s *Sim) importer(by *User) *importer {
	return &importer{Sim: s, by: by, may: s.allowed(by), at: momentOf(s.now())}
}

// take imports one object. Members that are not known are ignored without notice.
func (im *importer) take(o *object) *failure {
	switch {
	case o.fail != nil:
		return o.fail
	case im.refuses(o):
		return functional("Import refused")
	case !o.validID(o.id):
		return &failure{"BAD_USER_INPUT", "StixId cannot represent value " + o.id, "", 0, nil}
	}
	if inferred, _ := o.flag("is_inferred"); inferred {
		return nil
	}
	if op := o.text("opencti_operation"); op != "" {
		return im.command(o, op)
	}
	if !im.by.can("KNOWLEDGE_KNUPDATE") {
		return errForbidden
	}
	if im.by.MaxConfidence == nil {
		return functional("User has no effective max confidence level and cannot create or update this element")
	}
	k, ok := kindOfSTIX(o.stix)
	switch {
	case !ok || k.entity == "Label" || k.entity == "Kill-Chain-Phase" || k.entity == "External-Reference":
		return unsupported("Objects of type %s are not simulated", o.stix)
	case k.entity == "Marking-Definition":
		return im.takeMarking(o)
	}
	in, markings := im.readFacts(o, k)
	switch {
	case o.fail != nil:
		return o.fail
	case k.value != "":
		return im.takeObservable(k, o, in, markings)
	case k.entity == "Indicator":
		return im.takeIndicator(k, o, in, markings)
	case k.entity == sightingType:
		return im.takeSighting(o, in, markings)
	case k.entity == basedOn:
		return im.takeRelationship(o, in, markings)
	default:
		return im.takeEntity(k, o, in, markings)
	}
}

// command does what an object with a member opencti_operation asks for instead of being knowledge.
func (im *importer) command(o *object, op string) *failure {
	v := im.see(o.id)
	switch {
	case op != "delete" && op != "delete_force":
		return unsupported("Operation %s is not simulated", op)
	case !im.by.can("KNOWLEDGE_KNUPDATE_KNDELETE"):
		return errForbidden
	case v == nil:
		return &failure{"ALREADY_DELETED_ERROR", "Already deleted element " + o.id, "BUSINESS", 404, nil}
	}
	im.erase(v)
	return nil
}

// see is the object with one of its ids; nil when the user may not see it.
func (im *importer) see(id string) item {
	if v := im.items[id]; v != nil && v.core().visible(im.may) {
		if m, ok := v.(*marking); ok && im.may != nil && !im.may[m] {
			return nil
		}
		return v
	}
	return nil
}

// confidence is the object's, 100 when it has none, and at most the user's.
func (im *importer) confidence(o *object) int32 {
	n, ok := o.number("confidence")
	if !ok {
		n = 100
	}
	return int32(min(n, 100, *im.by.MaxConfidence))
}

// known gives the held object that an object of a bundle is: the first that one of its ids names, the
// standard ids first. It fails when the user may not see it.
func known[T item](im *importer, o *object, standard ...string) (T, bool, *failure) {
	for _, id := range append(append(standard, o.id), o.texts("x_opencti_stix_ids")...) {
		v, ok := im.items[id].(T)
		switch {
		case !ok || !o.validID(id): // nor one of another type
		case !v.core().visible(im.may):
			return v, false, unsupported("Restricted entity already exists")
		default:
			return v, true, nil
		}
	}
	var none T
	return none, false, nil
}

// create makes the base of a new object.
func (im *importer) create(o *object, entity, standard string, markings []*marking, in *facts) base {
	b := base{
		id: im.newID(), standard: standard, entity: entity, createdAt: im.at, updatedAt: im.at, markings: markings, facts: in,
		own: &own{created: o.date("created"), modified: o.date("modified"), creator: im.by.ID},
	}
	if b.own.created == never {
		b.own.created = im.at
	}
	if b.own.modified == never {
		b.own.modified = im.at
	}
	b.own.stixIDs = im.further(nil, o, standard)
	return b
}

// update makes the base that takes the place of was, and tells whether it says anything new: a fact, a
// marking, a further id.
func (im *importer) update(was *base, o *object, in *facts, markings []*marking, strong bool) (now base, changed bool) {
	now = *was
	now.facts, changed = was.told().merge(in, strong)
	now.markings = grow(was.markings, markings, &changed)
	now.updatedAt = im.after(was.updatedAt)
	now.own = &own{im.further(was, o, was.standard), was.created(), now.updatedAt, was.creator()}
	return now, changed || len(now.own.stixIDs) != len(was.stixIDs())
}

// further are the STIX ids beside the standard one: those there were, and those the object brings, but
// for ids of version 1 and ids of other objects.
func (im *importer) further(was *base, o *object, standard string) []string {
	var out []string
	if was != nil {
		out = slices.DeleteFunc(slices.Clone(was.stixIDs()), func(id string) bool { return id == standard })
	}
	for _, id := range append([]string{o.id}, o.texts("x_opencti_stix_ids")...) {
		other := im.items[id]
		if id == standard || slices.Contains(out, id) || !o.validID(id) || !lasting(id) {
			continue
		}
		if other == nil || was != nil && other.core().id == was.id {
			out = append(out, id)
		}
	}
	return out
}

// rename gives the base that update made another standard id if what that is computed over changed. It
// fails when another object has the new one.
func (im *importer) rename(b *base, o *object, before, after string) (changed bool, fail *failure) {
	if before == after || after == b.standard {
		return false, nil
	}
	if other := im.items[after]; other != nil && other.core().id != b.id {
		return false, functional("This update will produce a duplicate")
	}
	b.standard = after
	b.own.stixIDs = im.further(b, o, after)
	return true, nil
}

// readFacts reads what objects of all kinds may have, and the attributes of its own. A reference that
// leads to nothing that the user sees is dropped without a word.
func (im *importer) readFacts(o *object, k kind) (*facts, []*marking) {
	f := &facts{confidence: im.confidence(o), labels: im.readLabels(o), references: im.readReferences(o), phases: im.readPhases(o)}
	var markings []*marking
	strips := im.stripping != nil && im.stripping.Match(o.raw)
	if a := im.see(cmp.Or(o.text("created_by_ref"), o.text("x_opencti_created_by_ref"))); a != nil && isA(a.core().entity, "Identity") && !strips {
		f.author = a.core().id
	}
	for _, id := range o.texts("object_marking_refs") {
		if m, ok := im.see(id).(*marking); ok && !strips {
			markings = append(markings, m)
		}
	}
	for _, id := range o.texts("object_refs") {
		if v := im.see(id); v != nil {
			f.objects = append(f.objects, v.core().id)
		}
	}
	f.props = im.readAttributes(o, k)
	o.date("created")
	o.date("modified")
	f.objects = unique(f.objects)
	return f, unique(markings)
}

// absent is the error on an end of a relationship or a sighting that is not there.
func absent(id string) *failure {
	return &failure{"MISSING_REFERENCE_ERROR", "Element(s) not found: " + id, "BUSINESS", 404, nil}
}

// unique gives each entry once: two ids may name one object.
func unique[T comparable](all []T) []T {
	seen := make(map[T]bool, len(all))
	return slices.DeleteFunc(all, func(v T) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

// readAttributes reads the attributes of a kind, but for the value of an observable. Values of a
// vocabulary that it does not hold are added by a user who may, and else left out.
func (im *importer) readAttributes(o *object, k kind) map[string]any {
	props := map[string]any{}
	for _, a := range attributes[k.graphql] {
		if a.name == k.value {
			continue
		}
		switch a.typ {
		case ofText:
			if s := o.text(a.member); s != "" && im.word(a.vocabulary, s) {
				props[a.name] = s
			}
		case ofTexts:
			l := slices.DeleteFunc(o.texts(a.member), func(s string) bool { return !im.word(a.vocabulary, s) })
			if len(l) > 0 {
				props[a.name] = l
			}
		case ofDate:
			if m := o.date(a.member); m != never {
				props[a.name] = m
			}
		case ofNumber:
			if n, ok := o.number(a.member); ok {
				props[a.name] = n
			}
		case ofFlag:
			if b, ok := o.flag(a.member); ok {
				props[a.name] = b
			}
		}
	}
	return props
}

// word tells whether a vocabulary holds a value, which it may come to do.
func (im *importer) word(vocabulary, value string) bool {
	if im.words[vocabulary] == nil || im.words[vocabulary][value] {
		return true
	}
	if !im.by.can("SETTINGS_SETVOCABULARIES") {
		return false
	}
	im.words[vocabulary][value] = true
	return true
}

// readLabels gives the object's, in any case. Unknown ones are made by a user who may, and else left out.
func (im *importer) readLabels(o *object) []*label {
	texts := o.texts("labels")
	if len(texts) == 0 {
		texts = o.texts("x_opencti_labels")
	}
	var in []Label
	for _, t := range texts {
		if text := trim(t); text != "" && (im.labels[strings.ToLower(text)] != nil || im.by.can("SETTINGS_SETLABELS")) {
			in = append(in, Label{text})
		}
	}
	return unique(slices.Clone(im.labelsOf(in))) // equal sets share one list
}

// readReferences gives the object's external references; those without a URL, or a source and an id, are
// skipped.
func (im *importer) readReferences(o *object) []*reference {
	var out []*reference
	for _, m := range o.entries("external_references") {
		part := func(name string) string { s, _ := m[name].(string); return s }
		in := ExternalRef{part("source_name"), part("external_id"), part("url"), part("description")}
		if in.URL == "" && (in.Source == "" || in.ExternalID == "") {
			continue
		}
		if have, ok := im.items[referenceID(in)].(*reference); ok {
			out = append(out, have)
		} else {
			out = append(out, im.reference(in))
		}
	}
	return unique(out)
}

func (im *importer) readPhases(o *object) []*phase {
	var out []*phase
	for _, m := range o.entries("kill_chain_phases") {
		chain, _ := m["kill_chain_name"].(string)
		name, _ := m["phase_name"].(string)
		if chain != "" && name != "" {
			out = append(out, im.phase(KillChain{chain, name}))
		}
	}
	return unique(out)
}

// Import brings the objects of a bundle in at once, with every right and no work, as other users of
// the platform did before. It gives what went wrong with single objects, and an error for a text that
// is no bundle.
func (s *Sim) Import(bundle []byte) ([]WorkError, error) {
	objects, err := bundled(bundle)
	if err != nil {
		return nil, err
	}
	s.lock()
	defer s.mu.Unlock()
	im := s.importer(&User{ID: systemUser, Name: "SYSTEM", Capabilities: []string{"BYPASS"}, MaxConfidence: new(100)})
	im.may = nil
	var wrong []WorkError
	for _, o := range split(objects) {
		if fail := im.take(o); fail != nil {
			wrong = append(wrong, WorkError{fail.code + ": " + fail.message, string(o.raw)})
		}
	}
	return wrong, nil
}
