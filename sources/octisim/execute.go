package octisim

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// request is one GraphQL request on its way; resolvers run under Sim.mu.
type request struct {
	sim     *Sim
	user    *User // nil is anonymous
	version version
	may     *map[*marking]bool // what allowed found, once it was asked
}

// allowed are the markings the user may see; nil is all of them.
func (r *request) allowed() map[*marking]bool {
	if r.may == nil {
		r.may = new(r.sim.allowed(r.user))
	}
	return *r.may
}

// call is what a resolver gets.
type call struct {
	*request
	source any
	args   args
	field  string
}

// resolver gives the value of a field: nil, a text, bool, number, moment, []string, many, or the
// source of the fields below.
type resolver func(*call) (any, error)

// many is a list of sources.
type many interface {
	len() int
	at(i int) any
}

type listOf[T any] []T

func (l listOf[T]) len() int     { return len(l) }
func (l listOf[T]) at(i int) any { return l[i] }

// execution writes the answer to one operation.
type execution struct {
	*request
	schema   *ast.Schema
	doc      *document
	vars     map[string]any
	path     []any
	problems []problem
}

// run gives the whole answer.
func (x *execution) run(op *ast.OperationDefinition) []byte {
	root := "Query"
	if op.Operation == ast.Mutation {
		root = "Mutation"
	}
	const head = `{"data":`
	b := append(make([]byte, 0, x.doc.size+x.doc.size/8+512), head...)
	b, ok := x.object(b, root, nil, x.doc.roots[op])
	if !ok {
		b = append(b[:len(head)], "null"...)
	}
	x.doc.size = len(b)
	if len(x.problems) > 0 {
		data := b[1:]
		b = append(append(appendProblems([]byte("{"), x.problems), ','), data...)
	}
	return append(b, '}')
}

// object writes one object. It is false when a field that cannot be null was: then the object itself
// is null, and nothing of it is left in b.
func (x *execution) object(b []byte, typ string, source any, sel *selection) ([]byte, bool) {
	start := len(b)
	b = append(b, '{')
	for i, f := range sel.of(x, typ) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, f.key...)
		if f.def == nil {
			b = appendJSON(b, typ)
			continue
		}
		x.path = append(x.path, f.alias)
		var ok bool
		b, ok = x.fieldValue(b, f, source)
		x.path = x.path[:len(x.path)-1]
		if !ok {
			return b[:start], false
		}
	}
	return append(b, '}'), true
}

func (x *execution) fieldValue(b []byte, f *field, source any) ([]byte, bool) {
	v, err := x.resolve(f, source)
	if err != nil {
		x.report(f, err)
		return x.null(b, f.def.Type)
	}
	return x.value(b, f, f.def.Type, v)
}

func (x *execution) resolve(f *field, source any) (any, error) {
	if f.need != nil {
		if x.user == nil {
			return nil, errLogin
		}
		if !x.user.can(f.need.any...) {
			return nil, errForbidden
		}
	}
	c := call{request: x.request, source: source, field: f.node.Name}
	if len(f.def.Arguments) > 0 {
		var err error
		if c.args, err = arguments(x.schema, f.def, f.node.ArgumentMap(x.vars)); err != nil {
			return nil, err
		}
	}
	if f.resolve == nil {
		return nil, nil
	}
	return f.resolve(&c)
}

// null writes null where the type allows it; an error was reported already.
func (x *execution) null(b []byte, t *ast.Type) ([]byte, bool) {
	if t.NonNull {
		return b, false
	}
	return append(b, "null"...), true
}

func (x *execution) value(b []byte, f *field, t *ast.Type, v any) ([]byte, bool) {
	if v == nil || v == any(never) {
		if t.NonNull {
			x.report(f, internal("Cannot return null for non-nullable field %s.%s.", f.parent, f.node.Name))
			return b, false
		}
		return append(b, "null"...), true
	}
	if t.Elem != nil {
		return x.list(b, f, t, v)
	}
	if f.leaf {
		return appendLeaf(b, v)
	}
	typ := t.NamedType
	if x.schema.Types[typ].IsAbstractType() {
		typ = v.(interface{ typename() string }).typename()
	}
	b, ok := x.object(b, typ, v, f.sub)
	if !ok {
		return x.null(b, t)
	}
	return b, true
}

func (x *execution) list(b []byte, f *field, t *ast.Type, v any) ([]byte, bool) {
	var l many
	switch v := v.(type) {
	case many:
		l = v
	case []string:
		l = listOf[string](v)
	}
	start := len(b)
	b = append(b, '[')
	for i := range l.len() {
		if i > 0 {
			b = append(b, ',')
		}
		x.path = append(x.path, i)
		var ok bool
		b, ok = x.value(b, f, t.Elem, l.at(i))
		x.path = x.path[:len(x.path)-1]
		if !ok {
			return x.null(b[:start], t)
		}
	}
	return append(b, ']'), true
}

func appendLeaf(b []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case string:
		return appendJSON(b, v), true
	case bool:
		return strconv.AppendBool(b, v), true
	case int:
		return strconv.AppendInt(b, int64(v), 10), true
	case int32:
		return strconv.AppendInt(b, int64(v), 10), true
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return append(b, "null"...), true
		}
		return strconv.AppendFloat(b, v, 'f', -1, 64), true
	case moment:
		b = append(b, '"')
		return append(v.append(b), '"'), true
	}
	return b, false
}

// report notes an error at the present path.
func (x *execution) report(f *field, err error) {
	var fail *failure
	if !errors.As(err, &fail) {
		fail = internal("%v", err)
	}
	p := fail.problem()
	p.Path = slices.Clone(x.path)
	p.Locations = []gqlerror.Location{{Line: f.node.Position.Line, Column: f.node.Position.Column}}
	x.problems = append(x.problems, p)
}

// can tells whether the user has one of the capabilities. A capability meets another whose name it
// contains (contract opencti-api 1.3); none asked for is met by any login.
func (u *User) can(any ...string) bool {
	if len(any) == 0 {
		return true
	}
	return slices.ContainsFunc(u.Capabilities, func(have string) bool {
		return have == "BYPASS" || slices.ContainsFunc(any, func(asked string) bool { return strings.Contains(have, asked) })
	})
}

// valid tells whether the token counts at the time: since 7.260224.0 it may have expired, and needs
// a capability of its own.
func (u *User) valid(v version, now time.Time) bool {
	if !v.atLeast("7.260224.0") {
		return true
	}
	return (u.Expires.IsZero() || now.Before(u.Expires)) && u.can("APIACCESS_USETOKEN")
}

// failure is a GraphQL error with the code that clients go by (contract opencti-api 1.4).
type failure struct {
	code    string
	message string
	genre   string     // TECHNICAL or BUSINESS; empty for errors that are not the platform's own
	status  int        // what extensions.data calls http_status; the answer itself is 200; 0 is no data at all
	more    jsonObject // further members of extensions.data
}

func (f *failure) Error() string { return f.message }

func unsupported(format string, a ...any) *failure {
	return &failure{"UNSUPPORTED_ERROR", fmt.Sprintf(format, a...), "TECHNICAL", 500, nil}
}

func functional(format string, a ...any) *failure {
	return &failure{"FUNCTIONAL_ERROR", fmt.Sprintf(format, a...), "BUSINESS", 400, nil}
}

// searchFailure is what the search engine makes of a query, with the engine's words and the whole
// query in its data.
func searchFailure(format string, a ...any) *failure {
	reason := fmt.Sprintf(format, a...)
	cause := jsonObject{"name": "ResponseError", "meta": jsonObject{"body": jsonObject{"error": jsonObject{"type": "parse_exception", "reason": reason}}}}
	return &failure{"DATABASE_ERROR", "Fail to execute engine pagination", "TECHNICAL", 500, jsonObject{
		"cause": cause, "root_cause": reason, "query": jsonObject{}, "queryArguments": jsonObject{},
	}}
}

func internal(format string, a ...any) *failure {
	return &failure{code: "INTERNAL_SERVER_ERROR", message: fmt.Sprintf(format, a...)}
}

func badInput(format string, a ...any) *failure {
	return &failure{code: "BAD_USER_INPUT", message: fmt.Sprintf(format, a...)}
}

func invalid(format string, a ...any) *failure {
	return &failure{code: "GRAPHQL_VALIDATION_FAILED", message: fmt.Sprintf(format, a...)}
}

var (
	errLogin     = &failure{"AUTH_REQUIRED", "You must be logged in to do this.", "TECHNICAL", 401, nil}
	errDeadWork  = &failure{"WORK_NOT_ALIVE", "Work is not alive", "TECHNICAL", 500, nil}
	errForbidden = &failure{"FORBIDDEN_ACCESS", "You are not allowed to do this.", "TECHNICAL", 403, nil}
)

// problem is one entry of errors, as the platform writes it.
type problem struct {
	Message    string              `json:"message"`
	Locations  []gqlerror.Location `json:"locations,omitempty"`
	Path       []any               `json:"path,omitempty"` // string or int
	Extensions struct {
		Code string     `json:"code"`
		Data jsonObject `json:"data,omitempty"`
	} `json:"extensions"`
	Name string `json:"name"` // the code once more
}

func (f *failure) problem() problem {
	p := problem{Message: f.message, Name: f.code}
	p.Extensions.Code = f.code
	if f.status != 0 {
		p.Extensions.Data = jsonObject{"http_status": f.status}
		p.Extensions.Data.set("genre", f.genre)
		maps.Copy(p.Extensions.Data, f.more)
	}
	return p
}

// refused is an answer that has errors and no data.
func refused(ps ...problem) []byte {
	return append(appendProblems([]byte("{"), ps), '}')
}

func appendProblems(b []byte, ps []problem) []byte {
	return append(append(b, `"errors":`...), jsonText(ps)...)
}
