package octisim

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// args are the coerced arguments of a field: int, float64, string, bool, moment, []any,
// map[string]any; an argument that was left out is not there.
type args map[string]any

// mismatch is an error in GraphQL's words, which are whole sentences.
func mismatch(format string, a ...any) error { return badInput(format, a...) }

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
		c, err := coerce(schema, d.Type, v, d.Variable)
		if err != nil {
			text, _ := json.Marshal(v)
			return nil, badInput(`Variable "$%s" got invalid value %s; %s`, d.Variable, text, err)
		}
		out[d.Variable] = c
	}
	return out, nil
}

// coerce brings one input value to type t; at names it in errors.
func coerce(schema *ast.Schema, t *ast.Type, v any, at string) (any, error) {
	if v == nil {
		if t.NonNull {
			return nil, mismatch("Expected non-nullable type %q not to be null at %q.", t, at)
		}
		return nil, nil
	}
	if t.Elem != nil {
		many, ok := v.([]any)
		if !ok {
			one, err := coerce(schema, t.Elem, v, at) // a single value stands for a list of one
			return []any{one}, err
		}
		out := make([]any, len(many))
		for i, e := range many {
			var err error
			if out[i], err = coerce(schema, t.Elem, e, at+"["+strconv.Itoa(i)+"]"); err != nil {
				return nil, err
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
		return nil, mismatch("Value %v does not exist in %q enum at %q.", v, def.Name, at)
	default:
		return coerceScalar(def.Name, v, at)
	}
}

func coerceObject(schema *ast.Schema, def *ast.Definition, v any, at string) (any, error) {
	in, ok := v.(map[string]any)
	if !ok {
		return nil, mismatch("Expected type %q to be an object at %q.", def.Name, at)
	}
	for _, name := range sortedKeys(in) {
		if def.Fields.ForName(name) == nil {
			return nil, mismatch("Field %q is not defined by type %q at %q.", name, def.Name, at)
		}
	}
	out := map[string]any{}
	for _, f := range def.Fields {
		e, given := in[f.Name]
		if !given {
			if f.Type.NonNull {
				return nil, mismatch("Field %q of required type %q was not provided at %q.", f.Name, f.Type, at)
			}
			continue
		}
		c, err := coerce(schema, f.Type, e, at+"."+f.Name)
		if err != nil {
			return nil, err
		}
		out[f.Name] = c
	}
	return out, nil
}

func coerceScalar(name string, v any, at string) (any, error) {
	bad := mismatch("%s cannot represent value %v at %q.", name, v, at)
	switch name {
	case "Int":
		f, ok := asFloat(v)
		if !ok || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
			return nil, bad
		}
		return int(f), nil
	case "Float":
		if f, ok := asFloat(v); ok {
			return f, nil
		}
		return nil, bad
	case "Boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, bad
	case "ID":
		switch v := v.(type) {
		case string:
			return v, nil
		case json.Number:
			return v.String(), nil
		case int64:
			return strconv.FormatInt(v, 10), nil
		}
		return nil, bad
	case "DateTime":
		if m, ok := v.(moment); ok {
			return m, nil
		}
		s, ok := v.(string)
		if !ok {
			return nil, bad
		}
		m, err := parseMoment(s)
		if err != nil {
			return nil, bad
		}
		return m, nil
	case "Any":
		return v, nil
	default: // String and the id scalars
		if s, ok := v.(string); ok {
			return s, nil
		}
		return nil, bad
	}
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

// arguments gives the coerced arguments of a field.
func arguments(schema *ast.Schema, def *ast.FieldDefinition, given ast.ArgumentList, vars map[string]any) (args, *failure) {
	if len(def.Arguments) == 0 {
		return nil, nil
	}
	out := args{}
	for _, d := range def.Arguments {
		a := given.ForName(d.Name)
		if a != nil && a.Value.Kind == ast.Variable {
			if _, sent := vars[a.Value.Raw]; !sent {
				a = nil // a variable nobody gave is an argument nobody gave
			}
		}
		var v any
		switch {
		case a != nil:
			v, _ = a.Value.Value(vars)
		case d.DefaultValue != nil:
			v, _ = d.DefaultValue.Value(nil)
		case d.Type.NonNull:
			return nil, invalid("Argument %q of required type %q was not provided.", d.Name, d.Type)
		default:
			continue
		}
		c, err := coerce(schema, d.Type, v, d.Name)
		if err != nil {
			return nil, invalid("%v", err)
		}
		if c != nil {
			out[d.Name] = c
		}
	}
	return out, nil
}
