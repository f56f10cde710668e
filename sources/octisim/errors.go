package octisim

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// failure is a GraphQL error with the code that clients go by (contract opencti-api 1.4).
type failure struct {
	code    string
	message string
	genre   string // TECHNICAL or BUSINESS; empty for errors that are not the platform's own
	status  int    // what extensions.data calls http_status; the answer itself is 200
}

func (f *failure) Error() string { return f.message }

func unsupported(format string, a ...any) *failure {
	return &failure{"UNSUPPORTED_ERROR", fmt.Sprintf(format, a...), "TECHNICAL", 500}
}

func functional(format string, a ...any) *failure {
	return &failure{"FUNCTIONAL_ERROR", fmt.Sprintf(format, a...), "BUSINESS", 400}
}

func searchFailure(format string, a ...any) *failure {
	return &failure{"DATABASE_ERROR", fmt.Sprintf(format, a...), "TECHNICAL", 500}
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
	errLogin     = &failure{"AUTH_REQUIRED", "You must be logged in to do this.", "TECHNICAL", 401}
	errBundle    = &failure{"UNSUPPORTED_ERROR", "Invalid bundle", "TECHNICAL", 500}
	errDeadWork  = &failure{"WORK_NOT_ALIVE", "Work is not alive", "TECHNICAL", 500}
	errForbidden = &failure{"FORBIDDEN_ACCESS", "You are not allowed to do this.", "TECHNICAL", 403}
)

// problem is one entry of errors, as the platform writes it.
type problem struct {
	Message    string              `json:"message"`
	Locations  []gqlerror.Location `json:"locations,omitempty"`
	Path       []any               `json:"path,omitempty"` // string or int
	Extensions struct {
		Code string         `json:"code"`
		Data map[string]any `json:"data,omitempty"`
	} `json:"extensions"`
	Name string `json:"name"` // the code once more
}

func (f *failure) problem() problem {
	p := problem{Message: f.message, Name: f.code}
	p.Extensions.Code = f.code
	if f.genre != "" {
		p.Extensions.Data = map[string]any{"http_status": f.status, "genre": f.genre}
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
