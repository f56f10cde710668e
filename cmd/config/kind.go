package config

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// given is one value as a source spelled it.
type given struct {
	name   string // the name it came under: HARFANGLAB_URL, harfanglab.url
	origin Origin
	text   string
	items  []given // of a YAML list
	list   bool
	node   *yaml.Node // of a nested kind: a YAML list that is not only of texts
	within Origin     // the text that node stands in
}

func (g given) shown() string {
	if !g.list {
		return g.text
	}
	var texts []string
	for _, item := range g.items {
		texts = append(texts, item.text)
	}
	return strings.Join(texts, ", ")
}

// entries are the values of a list, or of a text cut at commas: trimmed, without empty ones.
func (g given) entries() []given {
	all := g.items
	if !g.list {
		for text := range strings.SplitSeq(g.text, ",") {
			all = append(all, given{text: text})
		}
	}
	var out []given
	for _, e := range all {
		if e.text = strings.TrimSpace(e.text); e.text != "" {
			out = append(out, e)
		}
	}
	return out
}

// kind is how a text becomes a value of the field that it is bound to, and how that is spelled back.
type kind struct {
	form     string // for people: what may be written
	schema   object // for config.yml
	isBool   bool
	isList   bool
	verbatim bool // outer blanks belong to the value
	nested   bool // a YAML list of it may hold more than single values
	pairs    bool // it may be a YAML mapping, which is read as key=value, key=value
	set      func(given) error
	// value is the field in a form that JSON and YAML print, equal for two spellings of one value. It
	// shows secrets: who prints, masks.
	value func() any
}

// some is a value without what does not belong to it, or nothing when nothing is left.
func (k *kind) some(g given) []given {
	if k.verbatim {
		g.text = strings.TrimSuffix(strings.TrimSuffix(g.text, "\n"), "\r")
	} else {
		g.text = strings.TrimSpace(g.text)
	}
	if g.text == "" && len(g.items) == 0 && g.node == nil {
		return nil
	}
	return []given{g}
}

// read sets the field. What does not print would break the logs, plans and comments that show it, so it is
// refused in all but passwords.
func (k *kind) read(g given) error {
	parts := []given{g}
	if k.isList {
		parts = g.entries() // a list may be cut into lines
	}
	if !k.verbatim && slices.ContainsFunc(parts, hidden) {
		return bad("has characters that do not print", "write it anew")
	}
	return k.set(g)
}

func hidden(g given) bool {
	return !utf8.ValidString(g.text) || strings.ContainsFunc(g.text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func (k kind) described(form string, schema object) kind {
	k.form, k.schema = form, schema
	return k
}

// scalar makes the kind of a field that holds one value.
func scalar[T any](at *T, parse func(string) (T, error), value func(T) any) kind {
	return kind{
		set: func(g given) error {
			if g.list {
				return bad("is a list", "write one value")
			}
			v, err := parse(g.text)
			if err == nil {
				*at = v
			}
			return err
		},
		value: func() any { return value(*at) },
	}
}

func same[T any](v T) any { return v }

// list makes the kind of a field that holds several values, each but once. tidy brings them in order.
func list[T comparable](at *[]T, parse func(string) (T, error), tidy func([]T) []T) kind {
	return kind{
		isList: true,
		set: func(g given) error {
			var out []T
			for _, e := range g.entries() {
				v, err := parse(e.text)
				if err != nil {
					return problemOf(err, e.origin, e.text)
				}
				if !slices.Contains(out, v) {
					out = append(out, v)
				}
			}
			*at = tidy(out)
			return nil
		},
		value: func() any { return append([]T{}, *at...) },
	}
}

func sorted[T cmp.Ordered](all []T) []T {
	slices.Sort(all)
	return all
}

// choose is the one of several words that a text is, in any case.
func choose(words []string, text string) (string, error) {
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, text) })
	if i >= 0 {
		return words[i], nil
	}
	if near := meant(text, words); near != "" {
		return "", bad("is none of its values", "did you mean "+near+"?")
	}
	return "", bad("is none of its values", "choose "+oneOf(words))
}

// meant is the word of which another one is a slip, "" for none.
func meant(word string, words []string) string { return closest(word, words, min(3, (len(word)+1)/2)) }

func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// codes are words in the form that Markdown shows as code.
func codes(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "`" + w + "`"
	}
	return oneOf(quoted)
}
