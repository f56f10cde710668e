package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sections are the top-level keys that are read.
var sections = append([]string{"opencti", "connector", "harfanglab", "sync"}, successors...)

// file reads a config.yml into values by path. The scalars are kept as written: what yes, 010 or
// 2026-01-31 means is for each setting to say.
type file struct {
	name     string
	known    map[string]*setting // by every path
	groups   map[string]bool     // paths above settings
	values   map[string]given
	problems []error
	warnings []string
}

func newFile(name string) *file {
	f := &file{name: name, known: map[string]*setting{}, groups: map[string]bool{}, values: map[string]given{}}
	for i := range settings {
		for _, path := range settings[i].names() {
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
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return
	} else if err != nil {
		f.broken(err)
		return
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		f.problem("", "", "holds more than one document", "keep one")
		return
	}
	if len(doc.Content) == 1 {
		f.mapping("", doc.Content[0])
	}
}

// broken notes a syntax error. What the parser says of anchors repeats a part of the value, which may be
// a password that begins with * or &.
func (f *file) broken(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	remedy := ""
	if strings.Contains(message, "anchor") || strings.Contains(message, "alias") {
		message, remedy = "an alias or an anchor in it is not valid", "put quotes around values that begin with * or &"
	}
	f.problem("", "", "is no valid YAML: "+message, remedy)
}

func (f *file) problem(path, where, message, remedy string) {
	if where == "" {
		where = f.name
	}
	f.problems = append(f.problems, &Problem{Setting: path, Origin: where, Message: message, Remedy: remedy})
}

func (f *file) where(n *yaml.Node) string { return fmt.Sprintf("%s line %d", f.name, n.Line) }

// mapping reads the keys under a path.
func (f *file) mapping(path string, n *yaml.Node) {
	n = resolve(n)
	if n == nil || absent(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.problem(path, f.where(n), "holds a single value where settings belong", "write the settings below it, each on its own line, indented")
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
			f.unknown(path, child, p.key)
		}
	}
}

// unknown is an error among our own settings, and a warning elsewhere unless an old connector or
// OpenCTI's connector library had the key.
func (f *file) unknown(path, child string, key *yaml.Node) {
	remedy := ""
	if near := f.nearest(child); near != "" {
		remedy = "did you mean " + near + "?"
	}
	if path == "sync" || strings.HasPrefix(path, "sync.") {
		f.problem(child, f.where(key), "is no setting", remedy)
		return
	}
	if inherited[env(child)] {
		return
	}
	w := fmt.Sprintf("%s (%s) is no setting and is not read", child, f.where(key))
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
	for i := range settings {
		paths = append(paths, settings[i].path)
	}
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
		f.problem(path, f.where(key), "is an alias of itself", "write the value")
		return
	}
	g := given{name: path, origin: f.where(key) + ": " + path}
	switch n.Kind {
	case yaml.ScalarNode:
		if absent(n) {
			return
		}
		g.text = n.Value
	case yaml.SequenceNode:
		g.list = true
		if f.known[path].kind.nested {
			g.node, g.file = n, f.name
			if len(n.Content) == 0 {
				return
			}
			break
		}
		for _, item := range n.Content {
			if item = resolve(item); item == nil || item.Kind != yaml.ScalarNode {
				f.problem(path, f.where(key), "holds something else than single values in its list", "write one value an entry")
				return
			}
			if !absent(item) {
				g.items = append(g.items, item.Value)
			}
		}
	default:
		f.problem(path, f.where(key), "holds settings where a single value belongs", "write one value, or a list where one is asked for")
		return
	}
	f.values[path] = g
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
func (f *file) pairs(path string, n *yaml.Node, depth int) []pair {
	var own, merged []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		if key == nil || key.Kind != yaml.ScalarNode {
			f.problem(path, f.where(n.Content[i]), "has a key that is no word", "")
			continue
		}
		if key.ShortTag() == "!!merge" {
			if depth < 4 {
				merged = append(merged, f.merge(path, resolve(value), depth)...)
			}
			continue
		}
		if seen[key.Value] {
			f.problem(strings.TrimPrefix(path+"."+key.Value, "."), f.where(key), "stands twice", "keep one")
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

func (f *file) merge(path string, n *yaml.Node, depth int) []pair {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.MappingNode {
		return f.pairs(path, n, depth+1)
	}
	var all []pair
	for _, m := range n.Content {
		if m = resolve(m); m != nil && m.Kind == yaml.MappingNode {
			all = append(all, f.pairs(path, m, depth+1)...)
		}
	}
	return all
}
