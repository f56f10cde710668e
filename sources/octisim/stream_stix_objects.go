package octisim

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// plainValue is a property as appendValue takes it, whatever it came as.
func plainValue(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int, moment, []string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return rawJSON(text)
}

// ownObservables are the kinds that STIX does not know: they carry everything at top level.
var ownObservables = []string{"Hostname", "Text", "User-Agent"}

func (s *Sim) stixObservable(v *observable) jsonObject {
	k := typeOf(v.entity)
	b := v.core()
	o := make(jsonObject, 0, 12)
	o.set("id", b.standard)
	o.set("spec_version", "2.1")
	o.set("type", k.stix)
	o.set("object_marking_refs", standards(b.markings))
	value := any(v.value)
	field := k.value
	switch v.entity {
	case "StixFile":
		value = v.name
	case "Windows-Registry-Key":
		field = "key"
	case "Autonomous-System":
		value = rawJSON("")
		if n, err := strconv.Atoi(strings.TrimPrefix(v.value, "AS")); err == nil {
			value = n
		}
	}
	o.set(field, value)
	o.set("hashes", stixHashes(v.hashes))
	var own jsonObject
	for _, name := range sortedKeys(v.props) {
		if bare, ok := strings.CutPrefix(name, "x_opencti_"); ok {
			own.set(bare, plainValue(v.props[name]))
		} else if _, have := o.get(name); !have {
			o.set(name, plainValue(v.props[name]))
		}
	}
	ext := octi(v, "property-extension")
	about := s.told(v, &ext)
	sco := jsonObject{{"extension_type", "property-extension"}}
	where := &sco
	if slices.Contains(ownObservables, v.entity) {
		sco, where = jsonObject{{"extension_type", "new-sco"}}, &o
	}
	for _, m := range append(own, about...) {
		if m.name != "confidence" { // observables have none
			where.set(m.name, m.value)
		}
	}
	where.set("description", v.told().text("x_opencti_description"))
	where.set("score", optionalInt(v.score))
	o.set("extensions", jsonObject{{extOCTI, ext}, {extSCO, sco}})
	return o
}
