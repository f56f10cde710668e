package opencti

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Error is a request that did not succeed, by HTTP status or by extensions.code (contract opencti-api
// 1.4).
type Error struct {
	Op        string // operation
	Status    int    // 0 when there was no answer
	Code      string // extensions.code; "" when there is none
	Message   string // one line, bounded
	After     time.Duration
	Transport bool // no answer
	Permanent bool // no answer, and none will come by trying again
	Shape     bool // 200 with something that is not a GraphQL answer
	Redirect  bool
	Err       error
}

// read takes code and message of the first error that has a code.
func (e *Error) read(raw []json.RawMessage) {
	for _, r := range raw {
		var one struct {
			Message    string `json:"message"`
			Name       string `json:"name"`
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		}
		if json.Unmarshal(r, &one) != nil {
			continue
		}
		code := one.Extensions.Code
		if code == "" {
			code = upperSnake(one.Name)
		}
		if e.Message == "" || e.Code == "" && code != "" {
			e.Code, e.Message = code, oneLine(one.Message)
		}
	}
	if e.Message == "" {
		e.Message = "errors without a message"
	}
}

// upperSnake turns the CamelCase names of 5.x before 5.12.10 into today's codes.
func upperSnake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 && !strings.Contains(name, "_") {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// Error names side, request and remedy.
func (e *Error) Error() string {
	where := "OpenCTI: " + e.Op
	switch {
	case e.Transport:
		return fmt.Sprintf("%s: %s; check opencti.url, the network and ssl_verify or ca_bundle", where, e.Message)
	case e.Redirect:
		return fmt.Sprintf("%s: %d %s; set opencti.url to the final address", where, e.Status, e.Message)
	case e.Auth():
		return fmt.Sprintf("%s: %s: %s; check the token, and that its account is active", where, e.Code, e.Message)
	case e.Code == "FORBIDDEN_ACCESS":
		return fmt.Sprintf("%s: %s: %s; give the account the right it lacks", where, e.Code, e.Message)
	case e.Code == "GRAPHQL_VALIDATION_FAILED" || e.Code == "GRAPHQL_PARSE_FAILED" || e.Code == "BAD_USER_INPUT":
		return fmt.Sprintf("%s: %s: %s; this version of OpenCTI does not take the request", where, e.Code, e.Message)
	case e.Status == http.StatusTooManyRequests:
		return fmt.Sprintf("%s: 429 %s; lower sync.parallelism or set sync.rate_limit", where, e.Message)
	case e.Shape:
		return fmt.Sprintf("%s: 200 with %s; check opencti.url and what is in front of it", where, e.Message)
	case e.Code != "":
		return fmt.Sprintf("%s: %s: %s", where, e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %d %s; the platform failed, try again later", where, e.Status, e.Message)
}

// Unwrap is the transport's error.
func (e *Error) Unwrap() error { return e.Err }

// Auth says that the account was refused.
func (e *Error) Auth() bool {
	return e.Status == http.StatusUnauthorized || slices.Contains([]string{"AUTH_REQUIRED", "AUTH_FAILURE", "OTP_REQUIRED", "OTP_REQUIRED_ACTIVATION",
		"PASSWORD_CHANGE_REQUIRED", "LTS_REQUIRED_ACTIVATION", "ACCESS_REQUIRED", "IP_FORBIDDEN"}, e.Code)
}

// Temporary says that the same request may succeed later.
func (e *Error) Temporary() bool {
	switch e.Code {
	case "LOCK_ERROR", "DRAFT_LOCKED", "DATABASE_ERROR", "FILESYSTEM_ERROR", "COMPLEX_SEARCH_ERROR", "CONFIGURATION_ERROR", "UNKNOWN_ERROR", "INTERNAL_SERVER_ERROR":
		return true
	case "":
		return (e.Transport || e.Shape) && !e.Permanent || e.Status == http.StatusTooManyRequests || e.Status >= 500
	}
	return false
}

// RightError says that the account lacks a capability (contract opencti-api 1.3).
type RightError struct{ Capability, For string }

func (e *RightError) Error() string {
	return fmt.Sprintf("OpenCTI: the account lacks the capability %s%s; give its role that right, or use the built-in role Connector", e.Capability, e.For)
}

// VersionError says that the platform is older than what is supported.
type VersionError struct{ Version Version }

func (e *VersionError) Error() string {
	return fmt.Sprintf("OpenCTI %s is not supported: 5.12.24 or later is needed; update the platform", e.Version)
}

// IncompleteError says that a read could not be proven to be whole (gate G1).
type IncompleteError struct{ What, Why string }

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("OpenCTI: %s were not read completely: %s", e.What, e.Why)
}

// Errors that callers branch on.
var (
	ErrUnknownStream    = errors.New("OpenCTI knows no stream with this id")
	ErrUnknownConnector = errors.New("OpenCTI knows no connector with this id")
)

// permanent says whether a request without an answer will not get one by trying again.
func permanent(err error) bool {
	if p, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err); ok && p.Permanent() {
		return true
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted
}

// trim drops the URL that net/http puts in front.
func trim(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func oneLine(s string) string {
	const most = 400
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
