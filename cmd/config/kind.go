package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// given is one value as a source spelled it.
type given struct {
	name   string // the name it came under: HARFANGLAB_URL, harfanglab.url
	origin string // for people: "environment HARFANGLAB_URL"
	text   string
	items  []string // of a YAML list
	list   bool
	node   *yaml.Node // of a nested kind: a YAML list that is not only of texts
	file   string     // that holds node
}

func (g given) shown() string {
	if g.list {
		return strings.Join(g.items, ", ")
	}
	return g.text
}

// kind is how a setting's text becomes a field of the Config, and how the field is spelled back.
type kind struct {
	form     string         // for people: what may be written
	schema   map[string]any // for config.yml
	isBool   bool
	isList   bool
	verbatim bool // outer blanks belong to the value
	nested   bool // a YAML list of it may hold more than single values
	set      func(*Config, given) error
	// value is the field in a form that JSON and YAML print, equal for two spellings of one value. It
	// shows secrets: who prints, masks.
	value func(*Config) any
}

// scalar makes the kind of a field that holds one value.
func scalar[T any](at func(*Config) *T, parse func(string) (T, error), value func(T) any) kind {
	return kind{
		set: func(c *Config, g given) error {
			if g.list {
				return bad("is a list", "write one value")
			}
			v, err := parse(g.text)
			if err == nil {
				*at(c) = v
			}
			return err
		},
		value: func(c *Config) any { return value(*at(c)) },
	}
}

func same[T any](v T) any { return v }

// list makes the kind of a field that holds several values: a YAML list, or text cut at commas.
// parse sees each entry, trimmed and not empty; tidy sees them all.
func list(at func(*Config) *[]string, parse func(string) (string, error), tidy func([]string) []string) kind {
	return kind{
		isList: true,
		set: func(c *Config, g given) error {
			var out []string
			for _, e := range entries(g) {
				v, err := parse(e)
				if err != nil {
					return err
				}
				if !slices.Contains(out, v) {
					out = append(out, v)
				}
			}
			*at(c) = tidy(out)
			return nil
		},
		value: func(c *Config) any { return append([]string{}, *at(c)...) },
	}
}

// entries are the values of a list, trimmed, without empty ones.
func entries(g given) []string {
	all := g.items
	if !g.list {
		all = strings.Split(g.text, ",")
	}
	var out []string
	for _, e := range all {
		if e = strings.TrimSpace(e); e != "" {
			out = append(out, e)
		}
	}
	return out
}

func (k kind) described(form string, schema map[string]any) kind {
	k.form, k.schema = form, schema
	return k
}

// anyCase is a regular expression for a word in any case, for JSON Schema, whose expressions know no
// flags.
func anyCase(words ...string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, r := range w {
			lower, upper := strings.ToLower(string(r)), strings.ToUpper(string(r))
			switch {
			case lower != upper:
				b.WriteString("[" + lower + upper + "]")
			case strings.ContainsRune(`.+*?()[]{}|^$\`, r):
				b.WriteString(`\` + lower)
			default:
				b.WriteString(lower)
			}
		}
	}
	return b.String()
}
