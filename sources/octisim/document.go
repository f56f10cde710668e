package octisim

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
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
		closed := failure{"FORBIDDEN_ACCESS", "GraphQL introspection not authorized!", "", 403, nil}
		if v.atLeast("7") {
			closed = failure{"RESOURCE_NOT_FOUND", "GraphQL introspection not authorized!", "", 404, nil}
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

// args are the coerced arguments of a field: int, float64, string, bool, moment, []any,
// map[string]any; an argument that was left out, or is null, is not there.
type args map[string]any

// coerceVariables brings what a client sent to the types its document declares. Unlike some servers
// the platform's is strict: a text is no Int and a number is no String.
func coerceVariables(schema *ast.Schema, op *ast.OperationDefinition, sent map[string]any) (map[string]any, *failure) {
	out := map[string]any{}
	for _, d := range op.VariableDefinitions {
		v, given := sent[d.Variable]
		if !given && d.DefaultValue != nil {
			v, _ = d.DefaultValue.Value(nil)
			given = true
		}
		switch {
		case !given && d.Type.NonNull:
			return nil, badInput(`Variable "$%s" of required type "%s" was not provided.`, d.Variable, d.Type)
		case !given:
			continue
		case v == nil && d.Type.NonNull:
			return nil, badInput(`Variable "$%s" of non-null type "%s" must not be null.`, d.Variable, d.Type)
		}
		c, f := coerce(schema, d.Type, v, d.Variable)
		if f != nil {
			text, _ := json.Marshal(v)
			return nil, badInput(`Variable "$%s" got invalid value %s; %s`, d.Variable, text, f.message)
		}
		out[d.Variable] = c
	}
	return out, nil
}

// arguments gives the coerced arguments of a field.
func arguments(schema *ast.Schema, def *ast.FieldDefinition, given map[string]any) (args, error) {
	out := args{}
	for _, d := range def.Arguments {
		if given[d.Name] == nil { // a document that wants one is not valid
			continue
		}
		c, f := coerce(schema, d.Type, given[d.Name], d.Name)
		if f != nil {
			return nil, invalid("%s", f.message)
		}
		out[d.Name] = c
	}
	return out, nil
}

// coerce brings one input value to type t; at names it in errors.
func coerce(schema *ast.Schema, t *ast.Type, v any, at string) (any, *failure) {
	if v == nil {
		if t.NonNull {
			return nil, badInput("Expected non-nullable type %q not to be null at %q.", t, at)
		}
		return nil, nil
	}
	if t.Elem != nil {
		many, ok := v.([]any)
		if !ok {
			many = []any{v} // a single value stands for a list of one
		}
		out := make([]any, len(many))
		for i, e := range many {
			var f *failure
			if out[i], f = coerce(schema, t.Elem, e, at+"["+strconv.Itoa(i)+"]"); f != nil {
				return nil, f
			}
		}
		return out, nil
	}
	switch def := schema.Types[t.NamedType]; def.Kind {
	case ast.InputObject:
		return coerceObject(schema, def, v, at)
	case ast.Enum:
		if s, ok := v.(string); ok && def.EnumValues.ForName(s) != nil {
			return s, nil
		}
		return nil, badInput("Value %v does not exist in %q enum at %q.", v, def.Name, at)
	default:
		scalar := scalars[def.Name]
		if scalar == nil {
			scalar = scalars["String"] // ids
		}
		if c, ok := scalar(v); ok {
			return c, nil
		}
		return nil, badInput("%s cannot represent value %v at %q.", def.Name, v, at)
	}
}

func coerceObject(schema *ast.Schema, def *ast.Definition, v any, at string) (any, *failure) {
	in, ok := v.(map[string]any)
	if !ok {
		return nil, badInput("Expected type %q to be an object at %q.", def.Name, at)
	}
	for _, name := range sortedKeys(in) {
		if def.Fields.ForName(name) == nil {
			return nil, badInput("Field %q is not defined by type %q at %q.", name, def.Name, at)
		}
	}
	out := map[string]any{}
	for _, d := range def.Fields {
		c, f := coerce(schema, d.Type, in[d.Name], at+"."+d.Name)
		if f != nil {
			return nil, f
		}
		if _, given := in[d.Name]; given {
			out[d.Name] = c
		}
	}
	return out, nil
}

var scalars = map[string]func(any) (any, bool){
	"Any":     func(v any) (any, bool) { return v, true },
	"Boolean": func(v any) (any, bool) { b, ok := v.(bool); return b, ok },
	"String":  func(v any) (any, bool) { s, ok := v.(string); return s, ok },
	"Float":   func(v any) (any, bool) { f, ok := asFloat(v); return f, ok },
	"Int": func(v any) (any, bool) {
		f, ok := asFloat(v)
		return int(f), ok && f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32
	},
	"ID": func(v any) (any, bool) {
		s, ok := asText(v)
		_, flag := v.(bool)
		return s, ok && !flag
	},
	"DateTime": func(v any) (any, bool) {
		s, ok := v.(string)
		m, err := parseMoment(s)
		if at, coerced := v.(moment); coerced {
			return at, true
		}
		return m, ok && err == nil
	},
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case int64:
		return float64(v), true
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
