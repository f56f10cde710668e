// Package stixtest holds bundles to STIX 2.1 and to what OpenCTI makes of it, for tests. It shares nothing
// with the package that makes them.
//
// It knows the types of object that this program sends and nothing else, so another type is a problem. Of
// each it knows the properties of the standard and of the platform (contract opencti-api 9 to 11), which are
// required, and what each may hold; a property that it does not know is a problem, custom or not.
//
// It is stricter than the standard where the platform is: times have three digits of a second, custom
// properties stand at the top, nothing is null or empty, relationships have no external references and no
// dates. It is laxer in one thing: identities and attack patterns may go without created and modified, as
// the platform allows. It does not check that ids are the right ones, that markings exist, that URLs are
// well formed beyond having no control characters, nor anything about open vocabularies that the platform
// does not close.
package stixtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gowebpki/jcs"
)

// object is one object as read; numbers are json.Number.
type object map[string]any

func (o object) text(name string) string { s, _ := o[name].(string); return s }

// Check finds everything that is wrong with a bundle, or nil. Outside says which objects the platform has
// besides: those that the bundle may refer to without holding them; nil means none.
func Check(bundle string, outside func(id string) bool) error {
	c := &checker{inside: map[string]object{}, outside: outside}
	c.bundle(bundle)
	return errors.Join(c.problems...)
}

type checker struct {
	inside   map[string]object
	outside  func(id string) bool
	at       string // what is being checked
	problems []error
}

func (c *checker) say(format string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(c.at+": "+format, args...))
}

func (c *checker) bundle(text string) {
	c.at = "bundle"
	if _, err := jcs.Transform([]byte(text)); err != nil { // finds repeated members and broken UTF-8, which encoding/json lets pass
		c.say("%v", err)
		return
	}
	var b map[string]any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		c.say("%v", err)
		return
	}
	if names := slices.Sorted(maps.Keys(b)); !slices.Equal(names, []string{"id", "objects", "type"}) {
		c.say("has the members %v", names)
	}
	if b["type"] != "bundle" {
		c.say("type is %v", b["type"])
	}
	if id, _ := b["id"].(string); !bundleID.MatchString(id) {
		c.say("id %q is not that of a bundle", id)
	}
	list, _ := b["objects"].([]any)
	if len(list) == 0 {
		c.say("no objects")
	}
	var objects []object
	for i, v := range list {
		o, ok := v.(map[string]any)
		if !ok {
			c.say("member %d is no object", i)
			continue
		}
		id := object(o).text("id")
		if c.inside[id] != nil {
			c.say("%s is there twice", id)
		}
		c.inside[id] = o
		objects = append(objects, o)
	}
	for _, o := range objects {
		c.object(o)
	}
}

var (
	bundleID = regexp.MustCompile(`^bundle--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	anyID    = regexp.MustCompile(`^([a-z][a-z0-9]*(?:-[a-z0-9]+)*)--[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
)

func (c *checker) object(o object) {
	c.at = o.text("id")
	typ := o.text("type")
	props, known := types[typ]
	if !known {
		c.say("unknown type %q", typ)
		return
	}
	if m := anyID.FindStringSubmatch(c.at); m == nil || m[1] != typ {
		c.say("id is not that of a %s", typ)
	}
	if o["spec_version"] != "2.1" {
		c.say("spec_version is %v", o["spec_version"])
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if name == "type" || name == "id" || name == "spec_version" {
			continue
		}
		p, known := props[name]
		if !known {
			c.say("unknown property %s", name)
			continue
		}
		if hollow(o[name]) {
			c.say("%s is null or empty, or holds what is", name)
			continue
		}
		if problem := p.check(o[name]); problem != "" {
			c.say("%s %s", name, problem)
		}
		for _, id := range p.refsIn(o[name]) {
			c.reference(name, id, p.refs)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if _, has := o[name]; props[name].required && !has {
			c.say("%s is missing", name)
		}
	}
	c.whole(o)
}

// hollow says whether a value, or one inside it, is null, blank or without members.
func hollow(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0 || slices.ContainsFunc(v, hollow)
	case map[string]any:
		return len(v) == 0 || slices.ContainsFunc(slices.Collect(maps.Values(v)), hollow)
	}
	return false
}

func (c *checker) reference(name, id string, allowed []string) {
	m := anyID.FindStringSubmatch(id)
	switch {
	case m == nil:
		c.say("%s holds %q, which is no id", name, id)
	case id == c.at:
		c.say("%s refers to the object itself", name)
	case len(allowed) > 0 && !slices.Contains(allowed, m[1]):
		c.say("%s refers to a %s", name, m[1])
	case m[1] == "marking-definition": // checked against the platform's, which are always there
		if !slices.Contains(tlp, id) {
			c.say("%s holds %s, which is no TLP marking of the platform", name, id)
		}
	case c.inside[id] == nil && (c.outside == nil || !c.outside(id)):
		c.say("%s refers to %s, which is neither in the bundle nor known", name, id)
	}
}

// whole checks what takes more than one property.
func (c *checker) whole(o object) {
	order := func(first, last string) {
		if a, b := o.text(first), o.text(last); a != "" && b != "" && a > b { // one form, so text order is time order
			c.say("%s is after %s", first, last)
		}
	}
	order("created", "modified")
	order("first_seen", "last_seen")
	if some := oneOf[o.text("type")]; len(some) > 0 && !slices.ContainsFunc(some, func(name string) bool { return o[name] != nil }) {
		c.say("none of %s", strings.Join(some, ", "))
	}
	switch o.text("type") {
	case "relationship":
		c.relationship(o)
	case "sighting":
		for _, id := range list(o["where_sighted_refs"]) {
			if class := c.inside[id].text("identity_class"); c.inside[id] != nil && class != "system" && class != "organization" {
				c.say("seen in an identity of class %q", class)
			}
		}
		if n := len(list(o["where_sighted_refs"])); n != 1 {
			c.say("where_sighted_refs has %d entries, and the platform makes a sighting of each", n)
		}
	}
}

func (c *checker) relationship(o object) {
	kind, from, to := o.text("relationship_type"), typeOf(o.text("source_ref")), typeOf(o.text("target_ref"))
	if o.text("source_ref") == o.text("target_ref") {
		c.say("relates an object to itself")
	}
	if kind == "related-to" {
		return
	}
	for _, a := range allowed {
		if a.kind == kind && a.from == from && slices.Contains(a.to, to) {
			return
		}
	}
	c.say("the platform has no %s from %s to %s", kind, from, to)
}

func typeOf(id string) string {
	typ, _, _ := strings.Cut(id, "--")
	return typ
}

// list is a list of texts, or nil.
func list(v any) []string {
	items, _ := v.([]any)
	var out []string
	for _, i := range items {
		s, _ := i.(string)
		out = append(out, s)
	}
	return out
}
