package octisim

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// object is one object of a bundle. Its readers take a member at top level, else where an OpenCTI or
// MITRE extension has it; null and empty members are not there. The first member of a wrong form is
// kept as the object's failure.
type object struct {
	raw        json.RawMessage // as it was sent
	members    map[string]any
	extensions []map[string]any
	id, stix   string
	fail       *failure
}

// extensions that an import reads (contract opencti-api 5.8): of all objects, of observables, MITRE's.
var readExtensions = []string{
	"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba",
	"extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82",
	"extension-definition--322b8f77-262a-4cb8-a915-1e441e00329b",
}

func parseObject(raw json.RawMessage) *object {
	o := &object{raw: raw}
	if err := decode(raw, &o.members); err != nil || o.members == nil {
		o.fail = unsupported("Object of a bundle is no object")
		return o
	}
	all, _ := o.members["extensions"].(map[string]any)
	for _, name := range readExtensions {
		if e, ok := all[name].(map[string]any); ok {
			o.extensions = append(o.extensions, e)
		}
	}
	o.id, o.stix = o.text("id"), o.text("type")
	return o
}

// mainID is the prefix of the ids of a STIX type.
func mainID(stix string) string { return strings.TrimPrefix(stix, "x-opencti-") }

// validID tells whether id is one of the object's type. The platform checks type and UUID.
func (o *object) validID(id string) bool {
	prefix, rest, ok := strings.Cut(id, "--")
	return ok && mainID(prefix) == mainID(o.stix) && len(rest) == 36 && uuid.Validate(rest) == nil
}

// lasting tells whether the platform keeps an id that a client made: not one of version 1.
func lasting(id string) bool {
	_, rest, _ := strings.Cut(id, "--")
	u, err := uuid.Parse(rest)
	return err == nil && u.Version() != 1
}

// member is nil for what is not there.
func (o *object) member(name string) any {
	v, ok := o.members[name]
	if !ok {
		bare := strings.TrimPrefix(strings.TrimPrefix(name, "x_opencti_"), "x_mitre_")
		for _, e := range o.extensions {
			if v, ok = e[bare]; ok {
				break
			}
		}
	}
	return v
}

func (o *object) wrong(name, want string) {
	if o.fail == nil {
		o.fail = &failure{"VALIDATION_ERROR", "Member " + name + " is no " + want, "BUSINESS", 400, nil}
	}
}

func (o *object) text(name string) string {
	switch v := o.member(name).(type) {
	case nil:
	case string:
		return v
	default:
		o.wrong(name, "text")
	}
	return ""
}

// list is empty for what is not there, and for what is no list.
func (o *object) list(name, want string) []any {
	v := o.member(name)
	l, ok := v.([]any)
	if v != nil && !ok {
		o.wrong(name, want)
	}
	return l
}

// texts gives each text once.
func (o *object) texts(name string) []string {
	const want = "list of texts"
	var out []string
	for _, e := range o.list(name, want) {
		s, ok := e.(string)
		if !ok {
			o.wrong(name, want)
			return nil
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return slices.Clip(unique(out))
}

// entries are the objects of a list.
func (o *object) entries(name string) []map[string]any {
	var out []map[string]any
	for _, e := range o.list(name, "list") {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		} else {
			o.wrong(name, "list of objects")
		}
	}
	return out
}

// date is never when there is none.
func (o *object) date(name string) moment {
	s := o.text(name)
	if s == "" {
		return never
	}
	m, err := parseMoment(s)
	if err != nil {
		o.wrong(name, "time with a zone")
		return never
	}
	return m
}

func (o *object) number(name string) (int, bool) {
	v := o.member(name)
	if v == nil {
		return 0, false
	}
	f, ok := asFloat(v)
	if !ok || f != math.Trunc(f) || f < 0 || f > math.MaxUint32 {
		o.wrong(name, "whole number")
		return 0, false
	}
	return int(f), true
}

func (o *object) flag(name string) (value, there bool) {
	v := o.member(name)
	if v == nil {
		return false, false
	}
	b, ok := v.(bool)
	if !ok {
		o.wrong(name, "boolean")
	}
	return b, ok
}

// split makes the objects of a bundle ready for import, each after those it refers to (contract
// opencti-api 8.1). Of objects with one id the first stays; references to oneself go; a relationship
// or sighting without an end is left out, and counted by nobody.
func split(raw []json.RawMessage) []*object {
	var all []*object
	known := map[string]*object{}
	for _, r := range raw {
		o := parseObject(r)
		if o.id != "" && known[o.id] != nil {
			continue
		}
		o.forgetItself()
		if !o.complete() && o.fail == nil {
			continue
		}
		if o.id != "" {
			known[o.id] = o
		}
		all = append(all, o)
	}
	depths := map[*object]int{}
	var depth func(o *object) int
	depth = func(o *object) int {
		if d, ok := depths[o]; ok {
			return d
		}
		depths[o] = 0 // of one that refers back here
		d := 1
		for _, id := range o.refers() {
			if to := known[id]; to != nil {
				d = max(d, depth(to)+1)
			}
		}
		depths[o] = d
		return d
	}
	slices.SortStableFunc(all, func(a, b *object) int { return depth(a) - depth(b) })
	return all
}

// complete tells whether an object that joins two others names both.
func (o *object) complete() bool {
	switch o.stix {
	case "relationship":
		return o.text("source_ref") != "" && o.text("target_ref") != ""
	case "sighting":
		from, to := o.seen()
		return from != "" && len(to) > 0
	}
	return true
}

// seen are the ends of a sighting: what was sighted, and where.
func (o *object) seen() (of string, where []string) {
	of, where = o.text("x_opencti_sighting_of_ref"), o.texts("x_opencti_where_sighted_refs")
	if of == "" {
		of = o.text("sighting_of_ref")
	}
	if len(where) == 0 {
		where = o.texts("where_sighted_refs")
	}
	return of, where
}

// forgetItself drops references of an object to itself.
func (o *object) forgetItself() {
	for name, v := range o.members {
		switch v := v.(type) {
		case string:
			if strings.HasSuffix(name, "_ref") && v == o.id {
				delete(o.members, name)
			}
		case []any:
			if strings.HasSuffix(name, "_refs") {
				o.members[name] = slices.DeleteFunc(v, func(e any) bool { return e == any(o.id) })
			}
		}
	}
}

// refers are the ids that an object names, in its members and its extensions.
func (o *object) refers() []string {
	var ids []string
	for _, m := range append([]map[string]any{o.members}, o.extensions...) {
		for name, v := range m {
			switch v := v.(type) {
			case string:
				if strings.HasSuffix(name, "_ref") {
					ids = append(ids, v)
				}
			case []any:
				if strings.HasSuffix(name, "_refs") {
					for _, e := range v {
						if s, ok := e.(string); ok {
							ids = append(ids, s)
						}
					}
				}
			}
		}
	}
	slices.Sort(ids) // what refers back to itself is cut at the same place every time
	return ids
}
