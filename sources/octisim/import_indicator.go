package octisim

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// takeIndicator imports an indicator (contract opencti-api 11.3).
func (im *importer) takeIndicator(o *object) *failure {
	in, markings, fail := im.readFacts(o, nil)
	if fail != nil {
		return fail
	}
	pattern, kind := o.text("pattern"), o.text("pattern_type")
	if o.fail == nil {
		if fail := im.checkPattern(kind, pattern); fail != nil {
			return fail
		}
	}
	if kind == "stix" {
		pattern = normalisePattern(im.version, pattern)
	}
	standard := indicatorID(im.version, pattern)
	old, there, fail := known[*indicator](im, o, standard)
	if fail != nil {
		return fail
	}
	now := Indicator{Pattern: pattern, PatternType: kind, CreatorID: im.by.ID, Detection: new(false)}
	if there {
		now = im.public(old)
	}
	was := now
	strong := !there || int32(*cmp.Or(now.Confidence, new(-1))) <= in.confidence
	im.grow(&now, o, in, markings)
	if strong {
		im.overwrite(&now, o, in, there)
	}
	now.Pattern = pattern
	if there && !strong {
		now.Pattern = was.Pattern
	}
	if main := now.MainType; main != "" && main != "Unknown" && (!isA(main, []string{"Stix-Cyber-Observable"}) || typeOf(main).entity != main) {
		return functional("Observable type %s is not supported", main)
	}
	switch {
	case o.fail != nil:
		return o.fail
	case !now.ValidUntil.IsZero() && !now.ValidUntil.After(now.ValidFrom):
		return functional("You cant create an indicator with valid_until less than valid_from")
	}
	if there {
		fail = im.editIndicator(old, was, now, o)
	} else {
		fail = im.newIndicator(&now, o, standard)
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

// grow adds what only adds to lists.
func (im *importer) grow(now *Indicator, o *object, in *facts, markings []*marking) {
	var grew bool
	for _, l := range in.labels {
		now.Labels = grow(now.Labels, List[Label]{{l.value}}, &grew)
	}
	for _, m := range markings {
		now.Markings = grow(now.Markings, List[Marking]{{m.id, m.standard, m.kind, m.definition}}, &grew)
	}
	for _, p := range in.phases {
		now.Phases = grow(now.Phases, List[KillChain]{p.KillChain}, &grew)
	}
	for _, r := range in.references {
		now.References = grow(now.References, List[ExternalRef]{r.ExternalRef}, &grew)
	}
	now.IndicatorTypes = grow(now.IndicatorTypes, o.texts("indicator_types"), &grew)
	now.Platforms = grow(now.Platforms, o.texts("x_mitre_platforms"), &grew)
}

// overwrite sets what a single value is given for.
func (im *importer) overwrite(now *Indicator, o *object, in *facts, there bool) {
	set := func(to *string, name string) { *to = cmp.Or(o.text(name), *to) }
	set(&now.Name, "name")
	set(&now.Description, "description")
	set(&now.PatternVersion, "pattern_version")
	if set(&now.MainType, "x_opencti_main_observable_type"); now.MainType == "File" {
		now.MainType = "StixFile"
	}
	for name, to := range map[string]*time.Time{"valid_from": &now.ValidFrom, "valid_until": &now.ValidUntil} {
		if m := o.date(name); m != never {
			*to = m.time()
		}
	}
	if b, ok := o.flag("x_opencti_detection"); ok {
		now.Detection = &b
	}
	if a, ok := im.items[in.author].(*identity); ok {
		now.CreatedBy = &Identity{a.id, a.standard, a.entity, a.name}
	}
	now.Confidence = new(int(in.confidence))
	im.score(now, o, there)
	if revoked, ok := o.flag("revoked"); ok && there { // a new one's is worked out
		now.Revoked = revoked
	}
}

// score sets the score. The one that decay started from does not undo decay; taking a revocation back
// without one goes back to it, or to 50.
func (im *importer) score(now *Indicator, o *object, there bool) {
	n, ok := o.number("x_opencti_score")
	revoked, told := o.flag("revoked")
	back := there && now.Revoked && told && !revoked
	switch {
	case ok && there && !back && now.DecayBase != nil && n == *now.DecayBase && now.CreatorID == im.by.ID:
	case ok:
		now.Score = new(min(n, 100))
		now.DecayBase = now.Score
	case !there:
		now.Score = new(50)
		now.DecayBase = now.Score
	case back:
		now.Score = new(*cmp.Or(now.DecayBase, new(50)))
	}
}

// decayed is how long an indicator that an import makes is valid: its end is worked out on creation,
// whatever the source said, unless decay is switched off.
const decayed = 365

func (im *importer) newIndicator(now *Indicator, o *object, standard string) *failure {
	b := im.create(o, "Indicator", standard, nil)
	now.StixIDs, now.Created, now.Modified = b.stixIDs(), b.created().time(), b.modified().time()
	if now.ValidFrom.IsZero() {
		now.ValidFrom = now.Created
	}
	if !im.knobs.DecayOff || now.ValidUntil.IsZero() {
		now.ValidUntil = now.ValidFrom.AddDate(0, 0, decayed)
	}
	now.Revoked = !now.ValidUntil.After(im.at.time())
	now.CreatedAt = im.at.time()
	if _, err := im.put(*now, true); err != nil {
		return functional("%v", err)
	}
	return nil
}

func (im *importer) editIndicator(old *indicator, was, now Indicator, o *object) *failure {
	standard, fail := im.rename(&old.base, indicatorID(im.version, was.Pattern), indicatorID(im.version, now.Pattern))
	if fail != nil {
		return fail
	}
	b, _ := im.update(&old.base, o, standard, nil)
	now.StandardID, now.StixIDs = standard, b.stixIDs()
	if len(now.StixIDs) == 0 {
		now.StixIDs = was.StixIDs // nil or empty, which are the same
	}
	if reflect.DeepEqual(was, now) {
		return nil
	}
	now.UpdatedAt, now.Modified = b.updatedAt.time(), b.updatedAt.time()
	im.replace(old, im.build(now), true)
	return nil
}

// observe makes the observables of a pattern, and bases the indicator on them.
func (im *importer) observe(standard string) {
	i, ok := im.items[standard].(*indicator)
	if !ok || i.patternType != "stix" {
		return
	}
	for _, t := range equalities(i.pattern) {
		k := typeOf(entityOf(t.object))
		o := Observable{EntityType: k.entity, Score: pointer(i.score)}
		alg, hashed := cutHashes(t.path)
		switch {
		case entityOf(t.object) == "":
			continue
		case hashed:
			o.Hashes = Hashes{{strings.ToUpper(alg), t.value}}
		case k.entity == "StixFile" && t.path == "name":
			o.Name = t.value
		case t.path == k.value:
			o.Value = t.value
		default:
			continue
		}
		if wellFormed(&o) && !slices.ContainsFunc(o.Hashes, func(h Hash) bool { return h.Hash == "" }) {
			im.attach(i.id, o)
		}
	}
}
