package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sections are the top-level keys that are read.
var sections = append([]string{"opencti", "connector", "harfanglab", "sync"}, successors...)

// reader takes YAML apart. The scalars are kept as written: what yes, 010 or 2026-01-31 means is for each
// setting to say.
type reader struct {
	at       Origin // of the text as a whole
	problems []error
}

// file reads a config.yml into values by path.
type file struct {
	reader
	known    map[string]*setting // by every path
	groups   map[string]bool     // paths above settings
	values   map[string]given
	warnings []string
}

func newFile(name string) *file {
	f := &file{reader: reader{at: Origin{fromFile, name}}, known: map[string]*setting{}, groups: map[string]bool{}, values: map[string]given{}}
	settings := settingsOf(new(Config))
	for i := range settings {
		for _, path := range settings[i].paths() {
			f.known[path] = &settings[i]
			for above := parent(path); above != ""; above = parent(above) {
				f.groups[above] = true
			}
		}
	}
	return f
}

func parent(path string) string {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)]
}

func (f *file) read(content []byte) {
	if doc := f.document(content); doc != nil {
		f.mapping("", doc)
	}
}

// document is the content of a text with one document, nil for none.
func (r *reader) document(content []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		r.broken(err)
		return nil
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.problem("", nil, "holds more than one document", "keep one")
		return nil
	}
	return doc.Content[0]
}

// broken notes a syntax error. What the parser says of anchors repeats a part of the value, which may be
// a password that begins with * or &.
func (r *reader) broken(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	remedy := ""
	if strings.Contains(message, "anchor") || strings.Contains(message, "alias") {
		message, remedy = "an alias or an anchor in it is not valid", "put quotes around values that begin with * or &"
	}
	r.problem("", nil, "is no valid YAML: "+message, remedy)
}

// problem notes what is wrong at a node; nil is the text as a whole.
func (r *reader) problem(path string, n *yaml.Node, message, remedy string) {
	r.problems = append(r.problems, &Problem{Setting: path, Origin: r.where(n), Message: message, Remedy: remedy, hide: true})
}

func (r *reader) where(n *yaml.Node) Origin {
	if n == nil {
		return r.at
	}
	return Origin{r.at.source, fmt.Sprintf("%s line %d", r.at.at, n.Line)}
}

// mapping reads the keys under a path.
func (f *file) mapping(path string, n *yaml.Node) {
	n = resolve(n)
	if n == nil || absent(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.problem(path, n, "holds a single value where settings belong", "write the settings below it, each on its own line, indented")
		return
	}
	for _, p := range f.pairs(path, n, 0) {
		child := p.key.Value
		if path != "" {
			child = path + "." + child
		}
		switch {
		case f.known[child] != nil:
			f.value(child, p.key, p.value)
		case f.groups[child]:
			f.mapping(child, p.value)
		default:
			f.unknown(path, child, p)
		}
	}
}

// unknown is an error among our own settings, and a warning elsewhere unless an old connector or
// OpenCTI's connector library had the key.
func (f *file) unknown(path, child string, p pair) {
	remedy := ""
	if near := f.nearest(child); near != "" {
		remedy = "did you mean " + near + "?"
	}
	if path == "sync" || strings.HasPrefix(path, "sync.") {
		f.problem(child, p.key, "is no setting", remedy)
		return
	}
	if why := unheededBy(env(child), p.value.Value); why != "" {
		f.warnings = append(f.warnings, fmt.Sprintf("%s (%s) %s", child, f.where(p.key), why))
		return
	}
	if slices.Contains(inherited, env(child)) {
		return
	}
	w := fmt.Sprintf("%s (%s) is no setting and is not read", child, f.where(p.key))
	if remedy != "" {
		w += "; " + remedy
	}
	f.warnings = append(f.warnings, w)
}

// nearest is the path that was probably meant, or "": one with a slip, or one of the same section whose
// last words are right and which stands on another level.
func (f *file) nearest(path string) string {
	head, rest, nested := strings.Cut(path, ".")
	if !nested {
		return closest(path, sections, 3)
	}
	var paths []string
	for _, s := range f.known {
		paths = append(paths, s.path)
	}
	slices.Sort(paths)
	if near := closest(path, paths, 3); near != "" {
		return near
	}
	leaf := rest[strings.LastIndexByte(rest, '.')+1:]
	for _, p := range paths {
		section, below, _ := strings.Cut(p, ".")
		if section == head && (strings.HasSuffix(below, "."+leaf) || strings.ReplaceAll(below, ".", "_") == leaf) {
			return p
		}
	}
	return ""
}

func (f *file) value(path string, key, n *yaml.Node) {
	n = resolve(n)
	if n == nil {
		f.problem(path, key, "is an alias of itself", "write the value")
		return
	}
	at := f.where(key)
	at.at += ": " + path
	if n.Kind == yaml.SequenceNode && f.known[path].nested {
		if len(n.Content) > 0 {
			f.values[path] = given{name: path, origin: at, list: true, node: n, within: f.at}
		}
		return
	}
	if n.Kind == yaml.MappingNode && f.known[path].pairs {
		n = f.flat(path, n)
	}
	g, odd := f.given(n, at)
	switch {
	case odd == n:
		f.problem(path, key, "holds settings where a single value belongs", "write one value, or a list where one is asked for")
	case odd != nil:
		f.problem(path, key, "holds something else than single values in its list", "write one value an entry")
	case !absent(n):
		g.name = path
		f.values[path] = g
	}
}

// flat is a mapping of single values as one text: key=value, key=value. A key without a value is left out.
func (f *file) flat(path string, n *yaml.Node) *yaml.Node {
	var all []string
	for _, p := range f.pairs(path, n, 0) {
		switch v := resolve(p.value); {
		case v == nil || v.Kind != yaml.ScalarNode:
			return n
		case !absent(v) && v.Value != "":
			all = append(all, p.key.Value+"="+v.Value)
		}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Line: n.Line, Value: strings.Join(all, ", ")}
}

// given is a node as a value: its text, or the texts of its list. odd is a node that is neither.
func (r *reader) given(n *yaml.Node, at Origin) (g given, odd *yaml.Node) {
	g.origin = at
	switch n.Kind {
	case yaml.ScalarNode:
		g.text = n.Value
		return g, nil
	case yaml.SequenceNode:
		g.list = true
		for _, item := range n.Content {
			v := resolve(item)
			if v == nil || v.Kind != yaml.ScalarNode {
				return g, item
			}
			if !absent(v) {
				g.items = append(g.items, given{text: v.Value, origin: r.where(v)})
			}
		}
		return g, nil
	}
	return g, n
}

func absent(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// resolve follows aliases; nil is one that never ends.
func resolve(n *yaml.Node) *yaml.Node {
	for range 8 {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

type pair struct{ key, value *yaml.Node }

// pairs are the keys of a mapping with those it merges in (<<), which yield to its own. A key that
// stands twice is a problem: only one of the two would count.
func (r *reader) pairs(path string, n *yaml.Node, depth int) []pair {
	var own, merged []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key == nil || key.Kind != yaml.ScalarNode {
			r.problem(path, n.Content[i], "has a key that is no word", "")
			continue
		}
		if key.ShortTag() == "!!merge" {
			if depth < 4 {
				merged = append(merged, r.merge(path, resolve(value), depth)...)
			}
			continue
		}
		if seen[key.Value] {
			r.problem(strings.TrimPrefix(path+"."+key.Value, "."), key, "stands twice", "keep one")
			continue
		}
		seen[key.Value] = true
		own = append(own, pair{key, value})
	}
	for _, p := range merged {
		if !seen[p.key.Value] {
			seen[p.key.Value] = true
			own = append(own, p)
		}
	}
	return own
}

func (r *reader) merge(path string, n *yaml.Node, depth int) []pair {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		return r.pairs(path, n, depth+1)
	}
	var all []pair
	for _, m := range n.Content {
		if m = resolve(m); m != nil && m.Kind == yaml.MappingNode {
			all = append(all, r.pairs(path, m, depth+1)...)
		}
	}
	return all
}
