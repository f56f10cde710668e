package octisim

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

//go:embed schema.graphql
var schemaText string

// loadSchema gives the schema that a platform of version v answers with. It panics when the
// embedded texts are broken, which a test of ours finds first.
func loadSchema(v version) *ast.Schema {
	doc := schemaDocument()
	inherit(doc)
	cutTo(v, doc)
	schema, err := validator.ValidateSchemaDocument(doc)
	if err != nil {
		panic(fmt.Sprintf("octisim: schema for %v: %v", v, err))
	}
	return schema
}

func schemaDocument() *ast.SchemaDocument {
	doc, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Name: "schema.graphql", Input: schemaText})
	if err != nil {
		panic(fmt.Sprintf("octisim: %v", err))
	}
	return doc
}

// inherit copies interface fields down, so that the text states each of them once.
func inherit(doc *ast.SchemaDocument) {
	done := map[string]bool{}
	var fill func(def *ast.Definition)
	fill = func(def *ast.Definition) {
		if def == nil || done[def.Name] {
			return
		}
		done[def.Name] = true
		parents := slices.Clone(def.Interfaces)
		if d := def.Directives.ForName("has"); d != nil {
			for _, c := range d.Arguments.ForName("all").Value.Children {
				parents = append(parents, c.Value.Raw)
			}
		}
		for _, name := range parents {
			parent := doc.Definitions.ForName(name)
			fill(parent)
			for _, f := range parent.Fields {
				if def.Fields.ForName(f.Name) == nil {
					copied := *f
					def.Fields = append(def.Fields, &copied)
				}
			}
		}
	}
	for _, def := range doc.Definitions {
		fill(def)
	}
}

// cutTo drops what version v does not know.
func cutTo(v version, doc *ast.SchemaDocument) {
	gone := map[string]bool{}
	doc.Definitions = slices.DeleteFunc(doc.Definitions, func(d *ast.Definition) bool {
		gone[d.Name] = hidden(v, d.Directives)
		return gone[d.Name]
	})
	for _, d := range doc.Definitions {
		d.Types = slices.DeleteFunc(d.Types, func(name string) bool { return gone[name] })
		d.EnumValues = slices.DeleteFunc(d.EnumValues, func(e *ast.EnumValueDefinition) bool { return hidden(v, e.Directives) })
		d.Fields = slices.DeleteFunc(d.Fields, func(f *ast.FieldDefinition) bool {
			return hidden(v, f.Directives) || gone[f.Type.Name()]
		})
		for _, f := range d.Fields {
			f.Arguments = slices.DeleteFunc(slices.Clone(f.Arguments), func(a *ast.ArgumentDefinition) bool { return hidden(v, a.Directives) })
		}
	}
}

func hidden(v version, ds ast.DirectiveList) bool {
	if d := ds.ForName("since"); d != nil && !v.atLeast(d.Arguments.ForName("v").Value.Raw) {
		return true
	}
	d := ds.ForName("gone")
	return d != nil && v.atLeast(d.Arguments.ForName("v").Value.Raw)
}

// need is the right that a field asks for: a login, and one of the capabilities if any are named.
type need struct{ any []string }

// needOf is nil for a field that answers anybody.
func needOf(v version, f *ast.FieldDefinition) *need {
	for _, d := range f.Directives {
		if d.Name != "needs" {
			continue
		}
		if a := d.Arguments.ForName("from"); a != nil && !v.atLeast(a.Value.Raw) {
			continue
		}
		if a := d.Arguments.ForName("before"); a != nil && v.atLeast(a.Value.Raw) {
			continue
		}
		n := &need{}
		if a := d.Arguments.ForName("any"); a != nil {
			for _, c := range a.Value.Children {
				n.any = append(n.any, c.Value.Raw)
			}
		}
		return n
	}
	return nil
}

// version is a platform version such as 6.9.22 or 7.260817.0, compared part by part as numbers.
type version [3]int

// parseVersion reads at most three numbers; what is no number counts as 0.
func parseVersion(s string) version {
	var v version
	for i, part := range strings.SplitN(s, ".", len(v)) {
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

// atLeast tells whether v is the named version or a later one.
func (v version) atLeast(s string) bool {
	w := parseVersion(s)
	for i := range v {
		if v[i] != w[i] {
			return v[i] > w[i]
		}
	}
	return true
}
