package octisim

import (
	"maps"
	"math"
	"regexp"
)

// joining is a relationship or sighting on its way in.
type joining struct {
	kind        string // of relation
	from, to    item
	first, last string // attributes that hold its dates
	in          *facts
	markings    []*marking
}

// monthApart is how far dates of two relations may lie apart that are one.
const monthApart = moment(30 * 24 * 3600 * 1000)

func (im *importer) takeRelationship(o *object, in *facts, markings []*marking) *failure {
	kind := o.text("relationship_type")
	source, target := o.text("source_ref"), o.text("target_ref")
	from, to := im.see(source), im.see(target)
	switch {
	case from == nil:
		return absent(source)
	case to == nil:
		return absent(target)
	case from.core().id == to.core().id:
		return functional("You cannot create a relation with the same source and target")
	case !mayJoin(kind, from.core().entity, to.core().entity):
		return functional("The relationship type %s is not allowed between %s and %s", kind, from.core().entity, to.core().entity)
	}
	if in.date("start_time") == never {
		if at, ok := guessed(in.references); ok {
			in.props["start_time"] = at
		}
	}
	return im.join(joining{kind, from, to, "start_time", "stop_time", in, markings}, o)
}

var dateForm = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}\b`)

// guessed is the first date in the texts of external references. The importer takes it for the start
// of a relationship that has none, which gives the relationship another id.
func guessed(refs []*reference) (moment, bool) {
	for _, r := range refs {
		for _, text := range []string{r.Source, r.ExternalID, r.URL, r.Description} {
			if m, err := parseMoment(dateForm.FindString(text) + "T00:00:00Z"); err == nil {
				return m, true
			}
		}
	}
	return never, false
}

// takeSighting imports one sighting for each place where it was seen.
func (im *importer) takeSighting(o *object, in *facts, markings []*marking) *failure {
	of, where := o.seen()
	from := im.see(of)
	if from == nil {
		return absent(of)
	}
	if len(where) == 0 {
		return absent("where_sighted_refs")
	}
	if in.props["attribute_count"] == nil {
		in.props["attribute_count"] = 1
	}
	if first, last := in.date("first_seen"), in.date("last_seen"); first != never && last != never && first > last {
		return functional("You cannot create a sighting with last_seen less than first_seen")
	}
	for _, id := range where {
		to := im.see(id)
		if to == nil {
			return absent(id)
		}
		one := *in
		one.props = maps.Clone(in.props)
		if fail := im.join(joining{sightingType, from, to, "first_seen", "last_seen", &one, markings}, o); fail != nil {
			return fail
		}
	}
	return nil
}

// join stores a relation, or merges it into the one it is: one that an id of it names, or one of its
// kind between its ends whose dates are near (contract opencti-api 9).
func (im *importer) join(j joining, o *object) *failure {
	from, to := j.from.core(), j.to.core()
	start, stop := j.in.date(j.first), j.in.date(j.last)
	standard := relationID(im.version, j.kind, from.standard, to.standard, start, stop)
	old, there, fail := known[*relation](im, o, standard)
	if fail != nil {
		return fail
	}
	if !there {
		old = im.twin(j, start, stop)
	}
	if old == nil {
		return im.newRelation(j, o, standard)
	}
	if !old.visible(im.may) {
		return unsupported("Restricted entity already exists")
	}
	strong := j.in.confidence >= old.told().confidence
	extends := stretch(old.told(), j)
	if old.sighting() && extends {
		had, _ := old.told().props["attribute_count"].(int)
		came, _ := j.in.props["attribute_count"].(int)
		j.in.props["attribute_count"] = min(had+came, math.MaxInt32)
	}
	b, changed := im.update(&old.base, o, j.in, j.markings, strong)
	if ends := im.standards(old); im.version.atLeast("6.4.0") {
		id := func(f *facts) string {
			return relationID(im.version, old.entity, ends[0], ends[1], f.date(j.first), f.date(j.last))
		}
		renamed, _ := im.rename(&b, o, id(old.told()), id(b.facts)) // if another one has these dates both stay
		changed = changed || renamed
	}
	if changed {
		im.exchangeRelation(old, &relation{b, old.from, old.to})
	}
	return nil
}

func (im *importer) newRelation(j joining, o *object, standard string) *failure {
	if standard == "" || im.items[standard] != nil {
		standard = kindOf(j.kind).stix + "--" + im.newID()
	}
	if j.kind == sightingType {
		for name, unknown := range map[string]moment{j.first: fromStart, j.last: untilEnd} {
			if j.in.date(name) == never {
				j.in.props[name] = unknown
			}
		}
	}
	im.relate(&relation{im.create(o, j.kind, standard, j.markings, j.in), j.from.core().id, j.to.core().id})
	return nil
}

// standards are the standard ids of a relation's ends.
func (s *store) standards(r *relation) [2]string {
	var out [2]string
	for i, id := range []string{r.from, r.to} {
		if v := s.items[id]; v != nil {
			out[i] = v.core().standard
		}
	}
	return out
}

// twin is the held relation of the same kind between the same ends whose dates lie within 30 days of
// the given ones; nil when there is none.
func (im *importer) twin(j joining, start, stop moment) *relation {
	from, to := j.from.core().id, j.to.core().id
	rows := im.from[from]
	if other := im.to[to]; len(other) < len(rows) {
		rows = other // one of the ends may be in everything
	}
	for _, r := range rows {
		if r.entity == j.kind && r.from == from && r.to == to && near(start, r.told().date(j.first)) && near(stop, r.told().date(j.last)) {
			return r
		}
	}
	return nil
}

// near tells whether a date, if given, lies within 30 days of the held one.
func near(given, held moment) bool {
	return given.unknown() || !held.unknown() && max(given-held, held-given) <= monthApart
}

// stretch replaces the dates of what comes in by those of both together, and tells whether they reach
// further than the held ones.
func stretch(held *facts, j joining) bool {
	var extends bool
	side := func(name string, further func(given, had moment) bool) {
		given, had := j.in.date(name), held.date(name)
		switch {
		case given.unknown():
			delete(j.in.props, name)
		case had.unknown() || further(given, had):
			extends = true
		default:
			delete(j.in.props, name)
		}
	}
	side(j.first, func(given, had moment) bool { return given < had })
	side(j.last, func(given, had moment) bool { return given > had })
	return extends
}
