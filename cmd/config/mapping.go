package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile"
)

// mapping is a list of entries, in config.yml or in a file of its own that a text names. A text that begins with
// a bracket is the list itself.
func mapping(s *Sync) kind {
	k := kind{
		nested: true,
		set: func(g given) (err error) {
			switch {
			case g.node != nil:
				s.Mapping, err = mappingOf(g.node, g.within)
			case strings.HasPrefix(g.text, "["):
				s.Mapping, err = readMapping([]byte(g.text), g.origin)
			default:
				s.MappingFile = g.text
			}
			return err
		},
		value: func() any {
			switch {
			case s.MappingFile != "":
				return s.MappingFile
			case len(s.Mapping) == 0:
				return ""
			}
			return viewOf(s.Mapping)
		},
	}
	return k.described("file, or list of entries (below)", mappingSchema())
}

// mostEntries bounds what is looked through for every value of every indicator.
const mostEntries = 1000

// key is a key of an entry, bound to its field, or one with further keys below it.
type key struct {
	name string
	kind
	below []key
}

func entryKeys(e *reconcile.MapEntry) []key {
	return []key{
		{name: "name", kind: text(&e.Name)},
		{name: "match", below: []key{
			{name: "min_score", kind: score(&e.MinScore)},
			{name: "max_score", kind: score(&e.MaxScore)},
			{name: "kind", kind: kinds(&e.Kinds)},
			{name: "type", kind: words(&e.Types, "", "hash", "filename", "filepath", "ip_src", "ip_dst", "ip_both", "domain_name", "url")},
			{name: "label", kind: labels(&e.Labels)},
		}},
		{name: "level", kind: word(&e.Level, reconcile.Levels...)},
		{name: "confidence", kind: word(&e.Confidence, reconcile.Confidences...)},
		{name: "global_state", kind: word(&e.State, reconcile.States...)},
		{name: "maturity", kind: word(&e.Maturity, reconcile.Maturities...)},
	}
}

// kinds are kinds of rules. stix is the pattern type of what become IOC rules.
func kinds(at *[]reconcile.Kind) kind {
	names := []string{"ioc", "sigma", "yara", "stix"}
	parse := func(s string) (reconcile.Kind, error) {
		w, err := choose(names, s)
		k, _ := reconcile.ParseKind(strings.Replace(w, "stix", "ioc", 1))
		return k, err
	}
	return list(at, parse, sorted).described("list of "+codes(names), listSchema(wordSchema(names)))
}

func names(keys []key) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.name)
	}
	return all
}

// schemaOf is the schema of a mapping with these keys and no others.
func schemaOf(keys []key) object {
	properties := object{}
	for _, k := range keys {
		properties[k.name] = k.schema
		if k.below != nil {
			properties[k.name] = schemaOf(k.below)
		}
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

func mappingSchema() object {
	entries := object{"type": "array", "items": schemaOf(entryKeys(new(reconcile.MapEntry)))}
	return object{"anyOf": []any{object{"type": "string"}, entries}}
}

// mapReader reads entries and gathers all that is wrong with them.
type mapReader struct {
	reader
	entry int // that is being read, from 1
}

// readMapping reads a whole YAML text.
func readMapping(content []byte, at Origin) (reconcile.Mapping, error) {
	r := reader{at: at}
	if doc := r.document(content); doc != nil {
		return mappingOf(doc, at)
	}
	if len(r.problems) == 0 {
		r.problem("", nil, "holds no entry", "write entries, or remove the setting")
	}
	return nil, errors.Join(r.problems...)
}

// mappingOf reads a list of entries.
func mappingOf(n *yaml.Node, at Origin) (reconcile.Mapping, error) {
	r := mapReader{reader: reader{at: at}}
	m := r.list(resolve(n))
	return m, errors.Join(r.problems...)
}

func (r *mapReader) bad(n *yaml.Node, message, remedy string) {
	if r.entry > 0 {
		message = fmt.Sprintf("entry %d: %s", r.entry, message)
	}
	r.problem("", n, message, remedy)
}

func (r *mapReader) list(n *yaml.Node) (m reconcile.Mapping) {
	switch {
	case n == nil || n.Kind != yaml.SequenceNode:
		r.bad(n, "is no list of entries", "begin each entry with a dash")
		return nil
	case len(n.Content) == 0:
		r.bad(n, "holds no entry", "write entries, or remove the setting")
	case len(n.Content) > mostEntries:
		r.bad(n, fmt.Sprintf("holds %d entries, of which at most %d are read for every value", len(n.Content), mostEntries), "match labels with lists, or ranges of scores")
		return nil
	}
	all := 0 // the entry that leaves nothing to those behind it
	for i, item := range n.Content {
		before := len(r.problems)
		r.entry = i + 1
		e := r.read(item)
		if all > 0 {
			r.bad(item, fmt.Sprintf("is never reached, because entry %d matches everything", all), "move that one to the end")
		} else if e.MinScore == nil && e.MaxScore == nil && len(e.Kinds)+len(e.Types)+len(e.Labels) == 0 {
			all = i + 1
		}
		if all == i+1 && e.Mapped == (reconcile.Mapped{}) && len(r.problems) == before {
			r.bad(item, "matches everything and asks for nothing", "remove it: that is so without an entry")
		}
		m = append(m, e)
	}
	return m
}

// read reads one entry.
func (r *mapReader) read(n *yaml.Node) (e reconcile.MapEntry) {
	r.keys(n, "of an entry", entryKeys(&e))
	iocOnly := slices.Equal(e.Kinds, []reconcile.Kind{reconcile.IOC}) || len(e.Types) > 0
	switch {
	case e.MinScore != nil && e.MaxScore != nil && *e.MinScore > *e.MaxScore:
		r.bad(n, fmt.Sprintf("matches no score: min_score %d is above max_score %d", *e.MinScore, *e.MaxScore), "")
	case len(e.Types) > 0 && len(e.Kinds) > 0 && !slices.Contains(e.Kinds, reconcile.IOC):
		r.bad(n, "matches no rule: only IOC rules have a type", "leave out the type, or write kind: ioc")
	case e.State == "backend_alert" && !iocOnly:
		r.bad(n, "backend_alert is a state of IOC rules alone", "add kind: ioc to its match")
	}
	return e
}

// keys gives the values of a YAML mapping to the fields that its keys are bound to.
func (r *mapReader) keys(n *yaml.Node, of string, known []key) {
	if m := resolve(n); m != nil {
		n = m
	}
	if n.Kind != yaml.MappingNode {
		r.bad(n, "is not made of keys "+of, "write keys and values, as in level: high")
		return
	}
	for _, p := range r.pairs("sync.mapping", n, 0) {
		i := slices.IndexFunc(known, func(k key) bool { return k.name == p.key.Value })
		switch v := resolve(p.value); {
		case i < 0:
			r.unknown(p.key, of, known)
		case v == nil:
			r.bad(p.key, fmt.Sprintf("%q is an alias of itself", p.key.Value), "write the value")
		case absent(v):
		case known[i].below != nil:
			r.keys(v, "of "+known[i].name, known[i].below)
		default:
			r.value(v, &known[i].kind)
		}
	}
}

func (r *mapReader) unknown(n *yaml.Node, of string, known []key) {
	remedy := ""
	if near := meant(n.Value, names(known)); near != "" {
		remedy = "did you mean " + near + "?"
	}
	for _, k := range known {
		if remedy == "" && slices.Contains(names(k.below), n.Value) {
			remedy = "put it under " + k.name
		}
	}
	r.bad(n, fmt.Sprintf("%q is no key %s", n.Value, of), remedy)
}

func (r *mapReader) value(n *yaml.Node, k *kind) {
	g, odd := r.given(n, r.where(n))
	if odd == nil && g.list && !k.isList {
		odd = n
	}
	if odd != nil {
		r.bad(odd, "holds a list or keys where a single value belongs", "write one value")
		return
	}
	for _, g := range k.some(g) {
		if err := k.read(g); err != nil {
			p := problemOf(err, g.origin, g.shown())
			p.Message = fmt.Sprintf("entry %d: %q %s", r.entry, p.Value, p.Message)
			p.Value, p.hide = "", true
			r.problems = append(r.problems, p)
		}
	}
}
