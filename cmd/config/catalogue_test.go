package config_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/harfangsync/harfangsync/cmd/config"
)

// The catalogue's schema is written from the table, so that it cannot go stale.
func TestTheCatalogueOffersOurSettings(t *testing.T) {
	const page = "../harfangsync/deploy/catalogue/connector_config_schema.json"
	want := config.CatalogueSchema()
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("the schema is stale, run go test ./cmd/config -update (-want +got):\n%s", d)
	}
}

// A form filled in with the defaults, as texts, gives the settings that the program has without it, but for the time
// between runs; and what the form says a field may hold, the program takes.
func TestWhatTheCatalogueHandsOverIsTaken(t *testing.T) {
	type property struct {
		Type, Format, Description string
		Default                   any
		Const                     any
		Enum                      []string
		Items                     struct{ Enum []string }
		WriteOnly                 bool
	}
	var schema struct {
		Properties map[string]property
		Required   []string
	}
	if err := json.Unmarshal(config.CatalogueSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	var text func(v any) string
	text = func(v any) string {
		list, ok := v.([]any)
		if !ok {
			b, _ := json.Marshal(v)
			return strings.Trim(string(b), `"`)
		}
		var parts []string
		for _, e := range list {
			parts = append(parts, text(e))
		}
		return strings.Join(parts, ",")
	}
	form := map[string]string{}
	for name, p := range schema.Properties {
		if p.Description == "" || strings.Contains(p.Description, "`") {
			t.Errorf("%s: description %q", name, p.Description)
		}
		if p.WriteOnly != (p.Format == "password") || strings.Contains(name, "TOKEN") && !p.WriteOnly {
			t.Errorf("%s may be shown: %+v", name, p)
		}
		if p.Default != nil {
			form[name] = text(p.Default)
		}
	}
	env := func(form map[string]string) string {
		var b strings.Builder
		for k, v := range form {
			b.WriteString(k + "=" + v + "\n")
		}
		return b.String()
	}
	c, err := load("", env(form))
	if err != nil {
		t.Fatal(err)
	}
	without, err := load("", "HARFANGSYNC_RUN_EVERY="+form["HARFANGSYNC_RUN_EVERY"])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(values(without), values(c)); d != "" {
		t.Errorf("the defaults of the form are others than the program's (-program +form):\n%s", d)
	}
	tried := 0
	for name, p := range schema.Properties {
		for _, word := range append(p.Enum, p.Items.Enum...) {
			if _, err := load("", name+"="+word); err != nil && !strings.Contains(err.Error(), "needs the import of alerts") {
				t.Errorf("%s=%s: %v", name, word, err)
			}
			tried++
		}
	}
	if tried < 40 {
		t.Errorf("only %d words were tried", tried)
	}
	for _, name := range schema.Required {
		if _, ok := schema.Properties[name]; !ok {
			t.Errorf("%s is required and not offered", name)
		}
	}
}

// The schema is one, and takes a filled form.
func TestTheCatalogueSchemaIsASchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.CatalogueSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("catalogue.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	form := map[string]any{
		"OPENCTI_URL": "https://opencti.example.org", "OPENCTI_TOKEN": "t", "HARFANGLAB_URL": "https://edr.example.org:8443", "HARFANGLAB_TOKEN": "t",
		"HARFANGSYNC_RUN_EVERY": "15m", "HARFANGLAB_REMOVE_INDICATOR": true, "HARFANGSYNC_LABELS": []any{"apt"}, "HARFANGLAB_DEFAULT_SCORE": 50.0,
	}
	for name, p := range doc.(map[string]any)["properties"].(map[string]any) {
		if v, ok := p.(map[string]any)["default"]; ok {
			form[name] = v
		}
	}
	if err := s.Validate(form); err != nil {
		t.Error(err)
	}
	for name, wrong := range map[string]any{"OPENCTI_URL": nil, "HARFANGLAB_REMOVE_INDICATOR": "yes", "HARFANGLAB_RULE_MATURITY": "mature", "HARFANGLAB_DEFAULT_SCORE": 500.0} {
		bad := map[string]any{}
		for k, v := range form {
			bad[k] = v
		}
		if bad[name] = wrong; wrong == nil {
			delete(bad, name)
		}
		if s.Validate(bad) == nil {
			t.Errorf("%s: %v is let through", name, wrong)
		}
	}
}
