package opencti

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"harfangsync/reconcile/remote"
)

// mostRefusal bounds what is read of an answer that is not 200: only its beginning is shown.
const mostRefusal = 1 << 20

// strict lets only a whole answer through: status 200, a JSON object, no errors, data present and not
// null. The GraphQL library ignores the status, keeps only the first error without its code, takes
// {"message": "boom"} for an empty result and panics on a body of null; and an empty result here would
// read as "delete it all".
type strict struct {
	next  http.RoundTripper
	limit int64
	token string // hidden where a refusal echoes it
}

func (s *strict) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	good := resp.StatusCode == http.StatusOK
	limit := s.limit
	if !good {
		limit = min(limit, mostRefusal)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil && good:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case int64(len(body)) > limit && good:
		return nil, &Error{Status: resp.StatusCode, Shape: true, Permanent: true, Message: fmt.Sprintf("an answer of more than %d bytes", limit), Err: errTooLarge}
	}
	if healthy(resp.StatusCode, body) {
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp, nil
	}
	if s.token != "" {
		body = bytes.ReplaceAll(body, []byte(s.token), []byte("***"))
	}
	return nil, judge(resp, body)
}

// judge says what is wrong with an answer that is not healthy.
func judge(resp *http.Response, body []byte) *Error {
	status := resp.StatusCode
	trimmed := bytes.TrimSpace(body)
	if status >= 300 && status < 400 {
		return &Error{Status: status, Redirect: true, Message: "redirect to " + redirectTarget(resp)}
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

// healthy is the common case, told without decoding: status 200, valid JSON, data that is an object,
// and no member errors but an empty list.
func healthy(status int, body []byte) bool {
	if status != http.StatusOK {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	hasData := false
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false
		}
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			return false
		}
		switch key {
		case "data":
			hasData = len(raw) > 0 && raw[0] == '{'
		case "errors":
			var list []json.RawMessage
			if json.Unmarshal(raw, &list) != nil || len(list) > 0 {
				return false
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return false
	}
	_, err := dec.Token()
	return hasData && err == io.EOF
}

func redirectTarget(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return "an unnamed address"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return oneLine(u.String())
}
