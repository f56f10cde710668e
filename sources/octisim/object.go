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
		o.fail = &failure{"VALIDATION_ERROR", "Member " + name + " is no " + want, "BUSINESS", 400}
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

// texts gives each text once.
func (o *object) texts(name string) []string {
	v := o.member(name)
	if v == nil {
		return nil
	}
	many, ok := v.([]any)
	if !ok {
		o.wrong(name, "list of texts")
		return nil
	}
	out := make([]string, 0, len(many))
	seen := make(map[string]bool, len(many))
	for _, e := range many {
		s, ok := e.(string)
		if !ok {
			o.wrong(name, "list of texts")
			return nil
		}
		if s != "" && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return slices.Clip(out)
}

// entries are the objects of a list.
func (o *object) entries(name string) []map[string]any {
	v := o.member(name)
	if v == nil {
		return nil
	}
	many, ok := v.([]any)
	if !ok {
		o.wrong(name, "list")
		return nil
	}
	var out []map[string]any
	for _, e := range many {
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
