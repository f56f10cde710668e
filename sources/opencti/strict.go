package opencti

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"harfangsync/reconcile/remote"
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
		if data, ok := healthy(body); ok {
			failure = remote.Decode(data, r.Context().Value(intoKey{}))
		} else {
			failure = s.judge(resp, body)
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
// errors but an empty list.
func healthy(body []byte) (data []byte, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return nil, false
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, false
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		switch {
		case key == "data":
			end := dec.InputOffset()
			data = body[end-int64(len(value)) : end]
		case key == "errors" && value.Kind() != 'n':
			var list []jsontext.Value
			if remote.Decode(value, &list) != nil || len(list) > 0 {
				return nil, false
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	_, err := dec.ReadToken()
	return data, err == io.EOF && len(data) > 0 && data[0] == '{'
}
