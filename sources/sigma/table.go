package sigma

import (
	"bytes"
	_ "embed"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed table.yaml
var tableYAML []byte

// table is what agents know, and how public rules say the same: table.yaml explains the members.
type table struct {
	Version, Source string
	Products        map[string]product
	Agent           []string
	Services        map[string]string // channel by service
	Eventlogs       []eventlog
	Refused         []string
	Public          []public
	Never           map[string]map[string][]string // values by category and field
}

type product struct {
	Everywhere []struct{ Prefixes, Except, Names []string }
	Categories map[string][]string
}

type eventlog struct {
	Channel, Provider string
	IDs               []int
}

// public is a logsource of public rules.
type public struct {
	Product, Category, Service string
	To                         struct{ Category, Service string }
	Channel                    string // of a service that agents do not know by its name
	Process                    bool
	Fields, Hashes             map[string]string
	Add, Own                   map[string][]string
	Narrower, Wider            string
}

var known = sync.OnceValue(func() *table {
	t := new(table)
	dec := yaml.NewDecoder(bytes.NewReader(tableYAML))
	dec.KnownFields(true)
	if err := dec.Decode(t); err != nil {
		panic(err) // it is our own
	}
	return t
})

// Version names the table by which rules are translated.
func Version() string { return known().Version }

// field says whether the events of a category have a field.
func (t *table) field(prod, category, name string) bool {
	p := t.Products[prod]
	for _, e := range p.Everywhere {
		if slices.Contains(e.Except, category) {
			continue
		}
		for _, prefix := range e.Prefixes {
			if rest, ok := strings.CutPrefix(name, prefix); ok && slices.Contains(e.Names, rest) {
				return true
			}
		}
	}
	return slices.Contains(t.Agent, name) || slices.ContainsFunc(p.Categories[category], func(f string) bool {
		prefix, wild := strings.CutSuffix(f, "*")
		return name == f || wild && strings.HasPrefix(name, prefix)
	})
}

// find is the public logsource of a name. One that agents know by the same name says the same.
func (t *table) find(prod, category, service string) (public, bool) {
	for _, p := range t.Public {
		if p.Product == prod && p.Category == category && p.Service == service {
			return p, true
		}
	}
	p := public{Product: prod, Category: category, Service: service}
	if category != "" {
		_, ok := t.Products[prod].Categories[category]
		return p, ok && service == ""
	}
	return p, prod == "windows" && t.Services[service] != ""
}

// logs are what agents collect of a channel, of some providers; none named are any.
func (t *table) logs(channel string, providers []string) []eventlog {
	return slices.DeleteFunc(slices.Clone(t.Eventlogs), func(e eventlog) bool {
		return e.Channel != channel ||
			len(providers) > 0 && !slices.ContainsFunc(providers, func(p string) bool { return strings.EqualFold(p, e.Provider) })
	})
}

func (e eventlog) has(id int) bool { return len(e.IDs) == 0 || slices.Contains(e.IDs, id) }
