package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"harfangsync/reconcile"
)

// mapping is a list of entries, in config.yml or in a file of its own that a text names. A text that begins with
// a bracket is the list itself.
func mapping(at func(*Config) *Sync) kind {
	k := kind{
		nested: true,
		set: func(c *Config, g given) error {
			s := at(c)
			switch {
			case g.node != nil:
				r := mapReader{file: g.file}
				r.list(g.node)
				s.Mapping = r.mapping
				return errors.Join(r.faults...)
			case g.list:
				return bad("holds single values where entries belong", "write entries such as - {match: {min_score: 80}, level: high}, or the name of a file with them")
			case strings.HasPrefix(g.text, "["):
				r := mapReader{file: g.origin}
				r.text([]byte(g.text))
				s.Mapping = r.mapping
				return errors.Join(r.faults...)
			}
			s.MappingFile = g.text
			return nil
		},
		value: func(c *Config) any {
			s := at(c)
			if s.MappingFile != "" {
				return s.MappingFile
			}
			if len(s.Mapping) == 0 {
				return ""
			}
			return viewOf(s.Mapping)
		},
	}
	return k.described("file, or list of entries (below)", mappingSchema())
}

// mostEntries bounds what is looked through for every value of every indicator.
const mostEntries = 1000

// mapReader reads entries and gathers all that is wrong with them.
type mapReader struct {
	file    string // for people: where the entries stand
	mapping reconcile.Mapping
	entry   int // that is being read, from 1
	faults  []error
}

func (r *mapReader) bad(n *yaml.Node, message, remedy string) {
	if r.entry > 0 {
		message = fmt.Sprintf("entry %d: %s", r.entry, message)
	}
	where := r.file
	if n != nil {
		where = fmt.Sprintf("%s line %d", r.file, n.Line)
	}
	r.faults = append(r.faults, &fault{message: message, remedy: remedy, where: where, hide: true})
}

// text reads a whole YAML text.
func (r *mapReader) text(content []byte) {
	dec := yaml.NewDecoder(bytes.NewReader(content))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.bad(nil, "holds no entry", "write entries, or remove the setting")
		return
	case err != nil:
		r.bad(nil, "is no valid YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), "")
		return
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		r.bad(nil, "holds more than one document", "keep one")
		return
	}
	r.list(doc.Content[0])
}

func (r *mapReader) list(n *yaml.Node) {
	n = resolve(n)
	if n == nil || n.Kind != yaml.SequenceNode {
		r.bad(n, "is no list of entries", "begin each entry with a dash")
		return
	}
	switch {
	case len(n.Content) == 0:
		r.bad(n, "holds no entry", "write entries, or remove the setting")
	case len(n.Content) > mostEntries:
		r.bad(n, fmt.Sprintf("holds %d entries, of which at most %d are read for every value", len(n.Content), mostEntries), "match labels with lists, or ranges of scores")
		return
	}
	all := 0 // the entry that leaves nothing to those behind it
	for i, item := range n.Content {
		before := len(r.faults)
		r.entry = i + 1
		e := r.read(item)
		if all > 0 {
			r.bad(item, fmt.Sprintf("is never reached, because entry %d matches everything", all), "move that one to the end")
		} else if e.MinScore == nil && e.MaxScore == nil && len(e.Kinds)+len(e.Types)+len(e.Labels) == 0 {
			all = i + 1
		}
		if all == i+1 && e.Mapped == (reconcile.Mapped{}) && len(r.faults) == before {
			r.bad(item, "matches everything and asks for nothing", "remove it: that is so without an entry")
		}
		r.mapping = append(r.mapping, e)
	}
	r.entry = 0
}

// read reads one entry.
func (r *mapReader) read(n *yaml.Node) (e reconcile.MapEntry) {
	r.keys(n, "of an entry", map[string]func(*yaml.Node){
		"name":         func(v *yaml.Node) { e.Name = r.scalar(v) },
		"match":        func(v *yaml.Node) { r.match(v, &e) },
		"level":        func(v *yaml.Node) { e.Level = r.word(v, reconcile.Levels) },
		"confidence":   func(v *yaml.Node) { e.Confidence = r.word(v, reconcile.Confidences) },
		"global_state": func(v *yaml.Node) { e.State = r.word(v, reconcile.States) },
		"maturity":     func(v *yaml.Node) { e.Maturity = r.word(v, reconcile.Maturities) },
	})
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

func (r *mapReader) match(n *yaml.Node, e *reconcile.MapEntry) {
	r.keys(n, "of match", map[string]func(*yaml.Node){
		"min_score": func(v *yaml.Node) { e.MinScore = r.score(v) },
		"max_score": func(v *yaml.Node) { e.MaxScore = r.score(v) },
		"kind": func(v *yaml.Node) {
			for _, w := range r.words(v, mapKinds) {
				e.Kinds = append(e.Kinds, map[string]reconcile.Kind{"ioc": reconcile.IOC, "stix": reconcile.IOC, "sigma": reconcile.Sigma, "yara": reconcile.YARA}[w])
			}
			slices.Sort(e.Kinds)
			e.Kinds = slices.Compact(e.Kinds)
		},
		"type": func(v *yaml.Node) { e.Types = r.words(v, mapTypes) },
		"label": func(v *yaml.Node) {
			for _, l := range r.values(v) {
				e.Labels = append(e.Labels, strings.ToLower(l.Value))
			}
			slices.Sort(e.Labels)
			e.Labels = slices.Compact(e.Labels)
		},
	})
}

var (
	mapKinds = []string{"ioc", "sigma", "yara", "stix"} // stix is the pattern type of what become IOC rules
	mapTypes = []string{"hash", "filename", "filepath", "ip_src", "ip_dst", "ip_both", "domain_name", "url"}
)

// keys gives the values of a YAML mapping to those that know them.
func (r *mapReader) keys(n *yaml.Node, of string, known map[string]func(*yaml.Node)) {
	at := n
	if n = resolve(n); n == nil || n.Kind != yaml.MappingNode {
		if n != nil {
			at = n
		}
		r.bad(at, "is not made of keys "+of, "write keys and values, as in level: high")
		return
	}
	f := file{name: r.file}
	pairs := f.pairs("sync.mapping", n, 0)
	r.faults = append(r.faults, f.problems...)
	for _, p := range pairs {
		read := known[p.key.Value]
		if read == nil {
			remedy := ""
			if near := meant(p.key.Value, slices.Sorted(maps.Keys(known))); near != "" {
				remedy = "did you mean " + near + "?"
			} else if slices.Contains([]string{"min_score", "max_score", "kind", "type", "label"}, p.key.Value) {
				remedy = "put it under match"
			}
			r.bad(p.key, fmt.Sprintf("%q is no key %s", p.key.Value, of), remedy)
			continue
		}
		if v := resolve(p.value); v == nil {
			r.bad(p.key, fmt.Sprintf("%q is an alias of itself", p.key.Value), "write the value")
		} else if !absent(v) {
			read(v)
		}
	}
}

// meant is the word of which another one is a slip, "" for none.
func meant(word string, words []string) string { return closest(word, words, min(3, (len(word)+1)/2)) }

// scalar is a single value, "" and a fault when it is something else.
func (r *mapReader) scalar(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		r.bad(n, "holds a list or keys where a single value belongs", "write one value")
		return ""
	}
	if hidden(n.Value) {
		r.bad(n, "has characters that do not print", "write it anew")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

// values are the entries of a list, or of a text cut at commas.
func (r *mapReader) values(n *yaml.Node) []*yaml.Node {
	items, cut := []*yaml.Node{n}, n.Kind != yaml.SequenceNode
	if !cut {
		items = n.Content
	}
	var out []*yaml.Node
	for _, item := range items {
		v := resolve(item)
		if v == nil || absent(v) {
			continue
		}
		parts := []string{r.scalar(v)}
		if cut {
			parts = strings.Split(parts[0], ",")
		}
		for _, p := range parts {
			if p = strings.TrimSpace(p); p != "" {
				out = append(out, &yaml.Node{Kind: yaml.ScalarNode, Value: p, Line: v.Line})
			}
		}
	}
	return out
}

// word is one of several words, in any case.
func (r *mapReader) word(n *yaml.Node, words []string) string {
	value := r.scalar(n)
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, value) })
	switch {
	case i >= 0:
		return words[i]
	case value != "":
		remedy := "choose " + oneOf(words)
		if near := meant(value, words); near != "" {
			remedy = "did you mean " + near + "?"
		}
		r.bad(n, fmt.Sprintf("%q is none of its values", value), remedy)
	}
	return ""
}

func (r *mapReader) words(n *yaml.Node, words []string) []string {
	var out []string
	for _, v := range r.values(n) {
		if w := r.word(v, words); w != "" && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return slices.Index(words, a) - slices.Index(words, b) })
	return out
}

func (r *mapReader) score(n *yaml.Node) *int {
	v := r.scalar(n)
	i, err := strconv.Atoi(v)
	if err != nil || i < 0 || i > 100 {
		r.bad(n, fmt.Sprintf("%q is no whole number from 0 to 100", v), "")
		return nil
	}
	return &i
}
