package sigma

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/yamltext"
)

// processFields are what public rules call the process that caused an event.
var processFields = map[string]string{
	"Image": "ProcessImage", "CommandLine": "ProcessCommandLine", "CurrentDirectory": "ProcessCurrentDirectory", "User": "ProcessUser",
	"IntegrityLevel": "ProcessIntegrityLevel", "ParentImage": "ProcessParentImage", "ParentCommandLine": "ProcessParentCommandLine",
	"GrandParentImage": "ProcessGrandparentImage",
}

// field is the name that agents have for a field.
func (t *translator) field(name string) (string, bool) {
	if to, ok := t.public.Fields[name]; ok {
		return to, true
	}
	if t.channel != "" || t.category == "eventlog" {
		if name == "Provider_Name" {
			return "Provider", true
		}
		return name, !slices.Contains(t.table.Refused, name)
	}
	if t.table.field(t.product, t.category, name) {
		return name, true
	}
	to, ok := processFields[name]
	return to, ok && t.public.Process && t.table.field(t.product, t.category, to)
}

// selection is a selection in agents' terms; ok is false where it cannot be said.
func (t *translator) selection(n *yaml.Node) (now *yaml.Node, ok bool) {
	switch n.Kind {
	case yaml.MappingNode:
		maps, ok := t.mapping(n)
		if !ok || len(maps) == 1 && maps[0] == n {
			return n, ok
		}
		if len(maps) == 1 {
			return maps[0], true
		}
		return yamltext.List(maps...), true
	case yaml.SequenceNode:
		return t.alternatives(n)
	}
	t.miss("words without a field")
	return n, false
}

// alternatives are the mappings of a list, of which one has to hold.
func (t *translator) alternatives(n *yaml.Node) (*yaml.Node, bool) {
	var kept []*yaml.Node
	lost := false
	for _, c := range n.Content {
		if c.Kind != yaml.MappingNode {
			t.miss("words without a field")
			lost = true
			continue
		}
		maps, ok := t.mapping(c)
		lost = lost || !ok
		if ok {
			kept = append(kept, maps...)
		}
	}
	if len(kept) == 0 || lost && !t.droppable {
		return n, false
	}
	n.Content = kept
	return n, true
}

func (t *translator) miss(what string) { t.missed.add(what) }

// mapping is a mapping in agents' terms: itself, or the several that one of them has to hold of.
func (t *translator) mapping(n *yaml.Node) ([]*yaml.Node, bool) {
	good := true
	hashes := -1
	names := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, modifiers, _ := strings.Cut(key.Value, "|")
		if name == "Hashes" && t.public.Hashes != nil && hashes < 0 {
			hashes = i
			continue
		}
		now, ok := t.field(name)
		if name == "" {
			name, ok = "words without a field", false
		}
		if !ok {
			t.miss(name)
			good = false
			continue
		}
		if now != name {
			t.rename(key, name, now)
		}
		if slices.Contains(strings.Split(modifiers, "|"), "fieldref") {
			good = t.references(n.Content[i+1]) && good
		}
		if names[key.Value] {
			t.miss(key.Value + " twice in one selection")
			good = false
		}
		names[key.Value] = true
	}
	if !good || hashes < 0 {
		return []*yaml.Node{n}, good
	}
	return t.hashes(n, hashes)
}

func (t *translator) rename(key *yaml.Node, was, now string) {
	key.Value = now + strings.TrimPrefix(key.Value, was)
	t.change("field " + was + " is " + now)
}

func (t *translator) change(what string) { t.changes.add(what) }

// references translates the fields that values name.
func (t *translator) references(value *yaml.Node) bool {
	good := true
	for _, v := range values(value) {
		now, ok := t.field(v.Value)
		if !ok {
			t.miss(v.Value)
			good = false
		} else if now != v.Value {
			t.rename(v, v.Value, now)
		}
	}
	return good
}
