package httpclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// ErrReadOnly is what every *ReadOnlyError is.
var ErrReadOnly = errors.New("this command only reads")

// ReadOnlyError is a request that was not sent, because it would write or cannot be told from one that
// does, and the command only reads (gate G12).
type ReadOnlyError struct {
	Method, Path string
	Why          string
}

// Error names the request and why it counts as a write.
func (e *ReadOnlyError) Error() string {
	return fmt.Sprintf("%s %s was not sent: %s, and %v", e.Method, e.Path, e.Why, ErrReadOnly)
}

// Permanent says that sending the request again would be refused again.
func (e *ReadOnlyError) Permanent() bool { return true }

// Is says that e is ErrReadOnly.
func (e *ReadOnlyError) Is(target error) bool { return target == ErrReadOnly }

// guard refuses writes before anything is sent.
type guard struct {
	next     http.RoundTripper
	platform Platform
}

// allowed lets a write of a REST platform through only while it may be made.
type allowed struct {
	next http.RoundTripper
	may  func() error
}

func (a *allowed) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := a.may(); err != nil {
			return nil, refuse(r, err)
		}
	}
	return a.next.RoundTrip(r)
}

func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, why := r, ""
	switch {
	case g.platform == GraphQL && r.Method == http.MethodPost:
		var body []byte
		if body, why = readAll(r); why == "" {
			why = writes(body)
		}
		// The body was consumed; an equal one goes on in its place.
		c := *r
		c.Body = io.NopCloser(bytes.NewReader(body))
		sent = &c
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		why = r.Method + " writes"
	case g.platform == GraphQL && r.URL.RawQuery != "":
		why = writesInQuery(r.URL.RawQuery)
	}
	if why != "" {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, &ReadOnlyError{Method: r.Method, Path: r.URL.Path, Why: why}
	}
	return g.next.RoundTrip(sent)
}

// mostBody bounds what is read to look for a write; our queries with 500 ids are a hundredth of it.
const mostBody = 64 << 20

func readAll(r *http.Request) (body []byte, why string) {
	if r.Header.Get("Content-Encoding") != "" {
		return nil, "its body is encoded and cannot be read"
	}
	if r.Body == nil {
		return nil, "it has no document"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, mostBody+1))
	_ = r.Body.Close()
	if err != nil {
		return nil, "its body cannot be read"
	}
	if len(body) > mostBody {
		return nil, "its body is too long to be read"
	}
	return body, ""
}

// writes says why a GraphQL body counts as a write; "" is a body that holds queries alone.
func writes(body []byte) string {
	// A map, because a struct would take "Query" for "query".
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return "its body is no JSON object"
	}
	var document string
	if err := json.Unmarshal(fields["query"], &document); err != nil {
		return "its body has no document"
	}
	return writesDocument(document)
}

func writesDocument(document string) string {
	doc, err := parser.ParseQuery(&ast.Source{Input: document})
	if err != nil {
		return "its document cannot be parsed"
	}
	if len(doc.Operations) == 0 {
		return "its document has no operation"
	}
	for _, op := range doc.Operations {
		if op.Operation != ast.Query {
			return "its document has a " + string(op.Operation)
		}
	}
	return ""
}

// writesInQuery judges documents in the address, which some servers accept.
func writesInQuery(raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "its query cannot be read"
	}
	for _, document := range values["query"] {
		if why := writesDocument(document); why != "" {
			return why
		}
	}
	return ""
}
