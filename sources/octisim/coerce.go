package octisim

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

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
