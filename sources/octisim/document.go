package octisim

import (
	"errors"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// document is a parsed and valid GraphQL document. It is kept for the next request with the same
// text, as clients send the same few documents over and over.
type document struct {
	query *ast.QueryDocument
	roots map[*ast.OperationDefinition]*selection
	size  int // of the last answer
}

// selection is what one place of a document asks for: sets that are merged, since two fields with
// one name at one place are one field.
type selection struct {
	sets   []ast.SelectionSet
	fields map[string][]*field // by concrete type, once worked out
}

// field is one field of an answer.
type field struct {
	key     []byte // as JSON, with colon
	alias   string
	node    *ast.Field
	def     *ast.FieldDefinition
	parent  string
	leaf    bool // its named type is a scalar or an enum
	need    *need
	resolve resolver
	sub     *selection
}

// parseDocument parses, validates and counts aliases, for a platform of version v. Introspection is
// refused where the platform refuses it, and otherwise valid but without answers; conditional fields
// are not simulated.
func parseDocument(schema *ast.Schema, v version, text string) (*document, []problem) {
	if strings.Contains(text, "__schema") && v.atLeast("6.1.0") {
		closed := failure{"FORBIDDEN_ACCESS", "GraphQL introspection not authorized!", "TECHNICAL", 403}
		if v.atLeast("7") {
			closed = failure{"RESOURCE_NOT_FOUND", "GraphQL introspection not authorized!", "TECHNICAL", 404}
		}
		return nil, []problem{closed.problem()}
	}
	query, err := parser.ParseQuery(&ast.Source{Input: text})
	if e, ok := errors.AsType[*gqlerror.Error](err); ok {
		return nil, problems("GRAPHQL_PARSE_FAILED", gqlerror.List{{Message: "Syntax Error: " + e.Message, Locations: e.Locations}})
	}
	if list := validator.ValidateWithRules(schema, query, nil); len(list) > 0 {
		return nil, problems("GRAPHQL_VALIDATION_FAILED", list)
	}
	if strings.Contains(text, "@skip") || strings.Contains(text, "@include") {
		return nil, []problem{invalid("@skip and @include are not simulated").problem()}
	}
	d := &document{query: query, roots: map[*ast.OperationDefinition]*selection{}}
	for _, op := range query.Operations {
		if f := tooMany(v, op); f != nil {
			return nil, []problem{f.problem()}
		}
		d.roots[op] = newSelection(op.SelectionSet)
	}
	return d, nil
}

func problems(code string, list gqlerror.List) []problem {
	var out []problem
	for _, e := range list {
		p := (&failure{code: code, message: e.Message}).problem()
		p.Locations = e.Locations
		out = append(out, p)
	}
	return out
}

// tooMany applies the limit of 6.1.0 on how often one root field is asked for in a document.
func tooMany(v version, op *ast.OperationDefinition) *failure {
	root, most := "Query", 2
	if op.Operation == ast.Mutation {
		root, most = "Mutation", 1
	}
	calls := map[string]int{}
	for _, f := range fieldsIn(op.SelectionSet) {
		if calls[f.Name]++; calls[f.Name] > most && f.Name != "__typename" && v.atLeast("6.1.0") {
			return invalid("Allowed number of calls for %s->%s has been exceeded (max: %d)", root, f.Name, most)
		}
	}
	return nil
}

// fieldsIn are the fields of a set and of the fragments in it.
func fieldsIn(set ast.SelectionSet) []*ast.Field {
	var out []*ast.Field
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			out = append(out, s)
		case *ast.InlineFragment:
			out = append(out, fieldsIn(s.SelectionSet)...)
		case *ast.FragmentSpread:
			out = append(out, fieldsIn(s.Definition.SelectionSet)...)
		}
	}
	return out
}

// operation picks the operation to run; name may be empty when there is one.
func (d *document) operation(name string) (*ast.OperationDefinition, *failure) {
	if name == "" && len(d.query.Operations) == 1 {
		return d.query.Operations[0], nil
	}
	if name == "" {
		return nil, &failure{code: "BAD_REQUEST", message: "Must provide operation name if query contains multiple operations."}
	}
	if op := d.query.Operations.ForName(name); op != nil {
		return op, nil
	}
	return nil, &failure{code: "BAD_REQUEST", message: `Unknown operation named "` + name + `".`}
}

func newSelection(sets ...ast.SelectionSet) *selection {
	return &selection{sets: sets, fields: map[string][]*field{}}
}

// of gives the fields that the selection asks of one concrete type, in order of first appearance.
func (s *selection) of(x *execution, typ string) []*field {
	if fs, ok := s.fields[typ]; ok {
		return fs
	}
	def := x.schema.Types[typ]
	var fs []*field
	var collect func(ast.SelectionSet)
	collect = func(set ast.SelectionSet) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				i := slices.IndexFunc(fs, func(f *field) bool { return f.alias == sel.Alias })
				if i < 0 {
					fs = append(fs, x.field(def, sel))
				} else {
					fs[i].sub.sets = append(fs[i].sub.sets, sel.SelectionSet)
				}
			case *ast.InlineFragment:
				if x.applies(sel.TypeCondition, def) {
					collect(sel.SelectionSet)
				}
			case *ast.FragmentSpread:
				if x.applies(sel.Definition.TypeCondition, def) {
					collect(sel.Definition.SelectionSet)
				}
			}
		}
	}
	for _, set := range s.sets {
		collect(set)
	}
	s.fields[typ] = fs
	return fs
}

func (x *execution) field(def *ast.Definition, sel *ast.Field) *field {
	f := &field{
		key: append(appendJSON(nil, sel.Alias), ':'), alias: sel.Alias, node: sel, parent: def.Name, sub: newSelection(sel.SelectionSet),
	}
	if sel.Name == "__typename" {
		return f
	}
	f.def = def.Fields.ForName(sel.Name)
	if f.def == nil {
		f.def = sel.Definition // __type, which only introspection knows
	}
	f.leaf = x.schema.Types[f.def.Type.Name()].IsLeafType()
	f.need = needOf(x.version, f.def)
	f.resolve = resolverOf(def, sel.Name)
	return f
}

// applies tells whether a fragment on a type or abstract type covers def.
func (x *execution) applies(condition string, def *ast.Definition) bool {
	if condition == "" || condition == def.Name {
		return true
	}
	on := x.schema.Types[condition]
	return on != nil && on.IsAbstractType() && slices.Contains(x.schema.GetPossibleTypes(on), def)
}
