package opencti

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// mostRefusal bounds what is read of an answer that is not 200: only its beginning is shown.
const mostRefusal = 1 << 20

// strict lets only a whole answer through: status 200, a JSON object, no errors, data present and not
// null. The GraphQL library ignores the status, keeps only the first error without its code, takes
// {"message": "boom"} for an empty result and panics on a body of null; and an empty result here would
// read as "delete it all".
type strict struct {
	next    http.RoundTripper
	limit   int64
	secrets remote.Secrets // hidden in a refusal that echoes them
}

// intoKey is the key of what the answer's data is decoded to, a pointer, in the context of a request.
type intoKey struct{}

// sizeKey is the key of what the lengths of answers are added to, a *int64, in the context of a request.
type sizeKey struct{}

// RoundTrip decodes the data itself, in one pass, and gives the library an empty answer.
func (s *strict) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, mostRefusal)) // a refusal that broke off is one all the same
		return nil, s.judge(resp, body)
	}
	var failure error
	err = remote.Read(resp.Body, s.limit, func(body []byte) {
		if size, asked := r.Context().Value(sizeKey{}).(*int64); asked {
			*size += int64(len(body))
		}
		switch data, errs, ok := healthy(body); {
		case ok:
			failure = remote.Decode(data, r.Context().Value(intoKey{}))
		case len(errs) > 0:
			failure = s.judge(resp, slices.Concat([]byte(`{"errors":`), firstOf(errs), []byte("}")))
		default:
			failure = s.judge(resp, body[:min(len(body), mostRefusal)])
		}
	})
	if tooLarge, ok := errors.AsType[*remote.TooLargeError](err); ok {
		return nil, &Error{Status: resp.StatusCode, Shape: true, Permanent: true, Message: err.Error(), Err: tooLarge}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case failure != nil:
		return nil, failure
	}
	resp.Body = io.NopCloser(strings.NewReader("{}"))
	return resp, nil
}

// judge says what is wrong with an answer that is not healthy.
func (s *strict) judge(resp *http.Response, body []byte) *Error {
	body = []byte(s.secrets.Hide(string(body)))
	status := resp.StatusCode
	trimmed := bytes.TrimSpace(body)
	if status >= 300 && status < 400 {
		return &Error{Status: status, Redirect: true, Message: remote.Redirect(resp.Request.URL, resp.Header.Get("Location"))}
	}
	var envelope struct {
		Data    json.RawMessage   `json:"data"`
		Errors  []json.RawMessage `json:"errors"`
		Message *string           `json:"message"`
	}
	decoded := len(trimmed) > 0 && trimmed[0] == '{' && json.Unmarshal(trimmed, &envelope) == nil
	e := &Error{Status: status, After: remote.After(resp.Header.Get("Retry-After"), time.Now())}
	if decoded && len(envelope.Errors) > 0 {
		e.read(envelope.Errors)
		return e
	}
	e.Shape = status == http.StatusOK
	switch {
	case decoded && envelope.Message != nil:
		e.Message = oneLine(*envelope.Message)
	case len(trimmed) == 0:
		e.Message = "an empty body where JSON is due"
	case trimmed[0] == '<':
		e.Message = "HTML where JSON is due; a proxy or a login page may be in front"
	case decoded && status == http.StatusOK:
		e.Message = "an answer without data"
	case status == http.StatusOK:
		e.Message = "a body that is not a GraphQL answer, or is cut"
	default:
		e.Message = oneLine(string(trimmed[:min(len(trimmed), 300)]))
	}
	return e
}

// healthy is the common case, told without decoding: valid JSON, data that is an object, and no member
// errors but an empty list. errs is that member where it is a list with something in it, whatever the data are.
func healthy(body []byte) (data, errs []byte, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, nil, false
	}
	odd := false // errors is no list
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, nil, false
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, nil, false
		}
		end := dec.InputOffset()
		switch value = body[end-int64(len(value)) : end]; {
		case key == "data":
			data = value
		case key == "errors" && value.Kind() == '[':
			if inner := bytes.TrimSpace(value[1 : len(value)-1]); len(inner) > 0 {
				errs = value
			}
		case key == "errors" && value.Kind() != 'n':
			odd = true
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, nil, false
	}
	_, err := dec.ReadToken()
	whole := err == io.EOF
	if !whole {
		errs = nil
	}
	return data, errs, whole && !odd && errs == nil && len(data) > 0 && data[0] == '{'
}

// firstOf is a list with its first elements alone, as far as they are short.
func firstOf(list []byte) []byte {
	const most = 100
	dec := jsontext.NewDecoder(bytes.NewBuffer(list), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	_, _ = dec.ReadToken()
	out := []byte("[")
	for range most {
		if dec.PeekKind() == ']' || len(out) > mostRefusal {
			break
		}
		value, err := dec.ReadValue()
		if err != nil {
			break
		}
		if len(value) > mostRefusal {
			value = jsontext.Value(`{"message":"an error of more than a million characters"}`)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, value...)
	}
	return append(out, ']')
}
