package octisim

import (
	"slices"
	"strconv"
	"strings"
)

// takeObservable imports an observable. It is also found by the ids of all of its hashes, though only
// the first makes its own.
func (im *importer) takeObservable(k kind, o *object) *failure {
	in, markings, fail := im.readFacts(o, k)
	if fail != nil {
		return fail
	}
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
