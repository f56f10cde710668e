package octisim

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// takeIndicator imports an indicator (contract opencti-api 11.3).
func (im *importer) takeIndicator(k kind, o *object) *failure {
	in, markings, fail := im.readFacts(o, k)
	if fail != nil {
		return fail
	}
	pattern, form := in.text("pattern"), in.text("pattern_type")
	if fail := im.checkPattern(form, pattern); fail != nil {
		return fail
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
