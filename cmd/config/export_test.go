package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Reference is the table of all settings in Markdown.
func Reference() string {
	var b strings.Builder
	b.WriteString("| setting | environment | flag | default | values | meaning |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, s := range settingsOf(new(Config)) {
		variable, flag, def := "`"+env(s.path)+"`", "", "-"
		if s.file {
			variable += ", `" + env(s.path) + "_FILE`"
		}
		if name := s.flagName(); name != "" && !s.secret {
			flag = "`--" + name + "`"
		}
		if s.def != "" {
			def = "`" + s.def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.path, variable, flag, def, s.form, s.about)
	}
	return b.String()
}

// Aliases is the table of the other names of settings in Markdown: those that the successor connectors
// had and that are not the same word in another section.
func Aliases() string {
	var b strings.Builder
	b.WriteString("| other name | environment | setting |\n| --- | --- | --- |\n")
	for _, s := range settingsOf(new(Config)) {
		for _, path := range s.former {
			fmt.Fprintf(&b, "| `%s` | `%s` | `%s` |\n", path, env(path), s.path)
		}
	}
	return b.String()
}

// CatalogueSchema is the JSON Schema of the variables that OpenCTI's catalogue offers when it deploys this program: flat,
// of single types, without what the platform sets itself (connector.id) and what is about a tail, which its image does not
// run. How often the image runs has a default there, since a scheduler does not start it.
func CatalogueSchema() []byte {
	properties, required := &ordered{}, []string{}
	for _, s := range settingsOf(new(Config)) {
		if s.path == "connector.id" || strings.HasPrefix(s.path, "sync.tail.") {
			continue
		}
		switch d := s.catalogued(); s.path {
		case "connector.type":
			properties.add(env(s.path), object{"type": "string", "const": "EXTERNAL_IMPORT", "default": "EXTERNAL_IMPORT", "description": d["description"]})
		case "sync.run_every":
			d["default"] = "15m"
			d["description"] = "How often the job runs."
			properties.add(env(s.path), d)
			required = append(required, env(s.path))
		default:
			properties.add(env(s.path), d)
			if s.must {
				required = append(required, env(s.path))
			}
		}
	}
	b, err := json.MarshalIndent(struct {
		Schema     string   `json:"$schema"`
		ID         string   `json:"$id"`
		Type       string   `json:"type"`
		Properties *ordered `json:"properties"`
		Required   []string `json:"required"`
		Additional bool     `json:"additionalProperties"`
	}{"https://json-schema.org/draft/2020-12/schema", "https://www.filigran.io/connectors/harfangsync_config.schema.json", "object", properties, required, true}, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

// catalogued is the schema of one variable: a form shows a field for it, and hands over one text.
func (s *setting) catalogued() object {
	d := object{"type": "string", "description": strings.ReplaceAll(s.about, "`", "")}
	if s.def != "" {
		if err := s.set(given{text: s.def}); err != nil {
			panic(err)
		}
		d["default"] = s.value()
	}
	form := first(s.schema)
	switch d["default"].(type) {
	case bool:
		d["type"] = "boolean"
	case int:
		d["type"], d["minimum"], d["maximum"] = "integer", form["minimum"], form["maximum"]
	case float64:
		d["type"], d["minimum"] = "number", form["minimum"]
	default:
		if words, ok := form["enum"]; ok {
			d["enum"] = words
		}
	}
	if s.isList {
		items := object{"type": "string"}
		if words, ok := first(form["items"].(object))["enum"]; ok {
			items["enum"] = words
		}
		d["type"], d["items"] = "array", items
	}
	if s.form == address(new(string)).form {
		d["format"] = "uri"
	}
	if s.secret {
		d["format"], d["writeOnly"] = "password", true
	}
	return d
}

// first is the plainest way in which a value may be written.
func first(schema object) object {
	if ways, ok := schema["anyOf"].([]any); ok {
		return first(ways[0].(object))
	}
	return schema
}

// ordered is a JSON object whose members stay in the order in which they were added.
type ordered struct {
	names  []string
	values []object
}

func (o *ordered) add(name string, v object) {
	o.names, o.values = append(o.names, name), append(o.values, v)
}

func (o *ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, name := range o.names {
		value, err := json.Marshal(o.values[i])
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, ",%q:%s", name, value)
	}
	return []byte("{" + strings.TrimPrefix(b.String(), ",") + "}"), nil
}
