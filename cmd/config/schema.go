package config

import (
	"encoding/json"
	"strings"
)

type object = map[string]any

// Schema is the JSON Schema (2020-12) of config.yml, for editors. It knows the sections of the
// successor connectors, too, and refuses unknown keys under sync alone, as Load does.
func Schema() []byte {
	root := object{
		"$schema":    "https://json-schema.org/draft/2020-12/schema",
		"title":      "harfangsync config.yml",
		"type":       []string{"object", "null"},
		"properties": object{},
	}
	for _, s := range settingsOf(new(Config)) {
		for _, path := range s.paths() {
			at := root
			words := strings.Split(path, ".")
			for _, word := range words[:len(words)-1] {
				at = section(at, word, words[0] == "sync")
			}
			at["properties"].(object)[words[len(words)-1]] = s.describe(path)
		}
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // the table holds nothing that does not encode
	}
	return append(b, '\n')
}

// section is the schema of a mapping below another, which is made when it is not there.
func section(at object, name string, closed bool) object {
	properties := at["properties"].(object)
	if below, ok := properties[name].(object); ok {
		return below
	}
	below := object{"type": []string{"object", "null"}, "properties": object{}}
	if closed {
		below["additionalProperties"] = false
	}
	properties[name] = below
	return below
}

// describe is the schema of one value; nothing, or null, is unset.
func (s *setting) describe(path string) object {
	d := object{"description": strings.ReplaceAll(s.about, "`", ""), "anyOf": []any{s.schema, object{"type": "null"}}}
	if path != s.path {
		d["description"] = "Another name of " + s.path + ": " + lowerFirst(d["description"].(string))
	}
	if s.def != "" {
		if err := s.set(given{text: s.def}); err == nil {
			d["default"] = s.value()
		}
	}
	if s.secret {
		d["writeOnly"] = true
	}
	return d
}
