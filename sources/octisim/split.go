package octisim

import (
	"encoding/json"
	"slices"
	"strings"
)

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
