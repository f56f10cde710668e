package octisim

import "slices"

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
		return &failure{"BAD_USER_INPUT", "StixId cannot represent value " + o.id, "", 0}
	}
	if inferred, _ := o.flag("is_inferred"); inferred {
		return nil
	}
	if op := o.text("opencti_operation"); op != "" {
		return im.command(o, op)
	}
	if !im.by.can([]string{"KNOWLEDGE_KNUPDATE"}) {
		return errForbidden
	}
	if im.by.MaxConfidence == nil {
		return functional("User has no effective max confidence level and cannot create or update this element")
	}
	stix := mainID(o.stix)
	for _, k := range domainKinds {
		if k.stix == stix {
			return im.takeEntity(k, o)
		}
	}
	switch stix {
	case "identity":
		return im.takeIdentity(o)
	case "indicator":
		return im.takeIndicator(o)
	case "relationship":
		return im.takeRelationship(o)
	case "sighting":
		return im.takeSighting(o)
	case "marking-definition":
		return im.takeMarking(o)
	}
	if entity := entityOf(stix); entity != "" {
		return im.takeObservable(typeOf(entity), o)
	}
	return unsupported("Objects of type %s are not simulated", o.stix)
}

// command does what an object with a member opencti_operation asks for instead of being knowledge.
func (im *importer) command(o *object, op string) *failure {
	v := im.see(o.id)
	switch {
	case op != "delete" && op != "delete_force":
		return unsupported("Operation %s is not simulated", op)
	case !im.by.can([]string{"KNOWLEDGE_KNUPDATE_KNDELETE"}):
		return errForbidden
	case v == nil:
		return &failure{"ALREADY_DELETED_ERROR", "Already deleted element " + o.id, "BUSINESS", 404}
	case isA(v.core().entity, []string{"Stix-Meta-Object"}):
		return unsupported("Operation %s on a %s is not simulated", op, v.core().entity)
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
func (im *importer) create(o *object, entity, standard string, markings []*marking) base {
	b := base{
		id: im.newID(), standard: standard, entity: entity, createdAt: im.at, updatedAt: im.at, markings: markings,
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

// update makes the base that takes the place of was, and tells whether it says anything new: a
// marking, a further id, another standard id.
func (im *importer) update(was *base, o *object, standard string, markings []*marking) (now base, changed bool) {
	now = *was
	now.markings = grow(was.markings, markings, &changed)
	further := im.further(was, o, standard)
	if standard != was.standard || len(further) != len(was.stixIDs()) {
		changed = true
	}
	now.standard, now.updatedAt = standard, im.after(was.updatedAt)
	now.own = &own{further, was.created(), now.updatedAt, was.creator()}
	return now, changed
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
		if other == nil || was != nil && other.core() == was {
			out = append(out, id)
		}
	}
	return out
}

// rename gives the standard id that an object has after a change: the one it had, unless what it is
// computed over changed. It fails when another object has the new one.
func (im *importer) rename(was *base, before, after string) (string, *failure) {
	if before == after || after == was.standard {
		return was.standard, nil
	}
	if other := im.items[after]; other != nil && other.core() != was {
		return "", functional("This update will produce a duplicate")
	}
	return after, nil
}
