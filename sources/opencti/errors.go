package opencti

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// Error is a request that did not succeed, by HTTP status or by extensions.code (contract opencti-api
// 1.4).
type Error struct {
	Op        string // operation
	Status    int    // 0 when there was no answer
	Code      string // extensions.code; "" when there is none
	Message   string // one line, bounded, without the token
	Right     string // the capability that the operation needs; "" is none in particular
	Version   string // of the platform; "" while unknown
	After     time.Duration
	Transport bool // no answer
	Permanent bool // trying again gives the same
	Shape     bool // 200 with something that is not a GraphQL answer
	Redirect  bool
	Err       error

	again bool // it may be sent once more
	hung  bool // no answer came, and the message broker takes part in it
}

// What codes mean for a client (contract opencti-api 1.4).
var (
	authCodes    = []string{"AUTH_REQUIRED", "AUTH_FAILURE"}
	accountCodes = []string{"OTP_REQUIRED", "OTP_REQUIRED_ACTIVATION", "PASSWORD_CHANGE_REQUIRED", "LTS_REQUIRED_ACTIVATION", "ACCESS_REQUIRED"}
	lockCodes    = []string{"LOCK_ERROR", "DRAFT_LOCKED"}
	failureCodes = []string{"DATABASE_ERROR", "FILESYSTEM_ERROR", "COMPLEX_SEARCH_ERROR", "INTERNAL_SERVER_ERROR"}
	onceCodes    = []string{"CONFIGURATION_ERROR", "UNKNOWN_ERROR"} // tried once more, then believed
	misfitCodes  = []string{"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "BAD_USER_INPUT", "BAD_REQUEST"}
	verdictCodes = []string{"FUNCTIONAL_ERROR", "UNSUPPORTED_ERROR", "VALIDATION_ERROR"}
	absentCodes  = []string{"RESOURCE_NOT_FOUND", "ALREADY_DELETED_ERROR"}
)

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
		if old := upperSnake(one.Name); code == "" || code == "INTERNAL_SERVER_ERROR" && isCode(old) {
			code = old // of a platform before 5.12.10, whose library put its own code on everything
		}
		if e.Message == "" || e.Code == "" && code != "" {
			e.Code, e.Message = oneLine(code), oneLine(one.Message)
		}
	}
	if e.Message == "" {
		e.Message = "errors without a message"
	}
}

// isCode tells a code of the platform from other names.
func isCode(s string) bool {
	return s == "FORBIDDEN_ACCESS" || slices.ContainsFunc([][]string{authCodes, accountCodes, lockCodes, failureCodes, onceCodes, verdictCodes, absentCodes},
		func(codes []string) bool { return slices.Contains(codes, s) })
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

// Hung says that no answer came while the platform's message broker had to take part in it.
func (e *Error) Hung() bool { return e.hung }

// Error names side, request and remedy.
func (e *Error) Error() string {
	what := e.Message
	switch {
	case e.Transport:
	case e.Code != "":
		what = e.Code + ": " + e.Message
	case e.Shape:
		what = "200 with " + e.Message
	default:
		what = fmt.Sprintf("%d %s", e.Status, e.Message)
	}
	return "OpenCTI: " + e.Op + ": " + what + "; " + e.Remedy()
}

// Remedy is what to do about the failure.
func (e *Error) Remedy() string {
	_, tooLarge := errors.AsType[*remote.TooLargeError](e.Err)
	switch {
	case e.hung:
		return "check RabbitMQ, the message broker of OpenCTI; plan, apply and tail go on without it, and alerts stay in HarfangLab until a pull can hand them over"
	case e.Transport:
		return "check opencti.url, the network and ssl_verify or ca_bundle"
	case e.Redirect:
		return "set opencti.url to the final address"
	case e.Status == http.StatusRequestEntityTooLarge && e.Op == "Push":
		return "raise the largest request (app:max_payload_body_size) of the platform or of what is in front of it"
	case tooLarge, e.Status == http.StatusRequestEntityTooLarge:
		return "lower sync.page_size"
	case e.Code == "IP_FORBIDDEN":
		return "add the address of this host to the allow list of the platform"
	case slices.Contains(accountCodes, e.Code):
		return "use a service account that is active and needs no second factor and no new password"
	case e.Auth():
		return "check the token, that it has not expired, and that its account is active (in 7.x it also needs the capability APIACCESS_USETOKEN)"
	case e.Code == "FORBIDDEN_ACCESS" && e.Right != "":
		return "give the role of the account the capability " + e.Right
	case e.Code == "FORBIDDEN_ACCESS":
		return "give the account the right it lacks"
	case e.Status == http.StatusTooManyRequests:
		return "lower sync.parallelism or set sync.rate_limit"
	}
	return e.remedyOfCode()
}

func (e *Error) remedyOfCode() string {
	is := func(codes []string) bool { return slices.Contains(codes, e.Code) }
	switch {
	case is(misfitCodes) && e.Version != "":
		return "OpenCTI " + e.Version + " does not take the request"
	case is(misfitCodes):
		return "this version of OpenCTI does not take the request"
	case e.Code == codeWorkGone:
		return "the next run opens another work"
	case is(verdictCodes) && e.Op == "Push":
		return "the platform refuses the bundle for good, or does not know the connector"
	case is(verdictCodes):
		return "the platform refuses the request for good; if a stream is configured, check its filters"
	case is(lockCodes):
		return "something else writes to the same object, try again later"
	case e.Code == "" && (e.Shape || e.Status < http.StatusInternalServerError):
		return "check opencti.url and what is in front of it"
	}
	return "the platform failed, try again later"
}

// Unwrap is the transport's error.
func (e *Error) Unwrap() error { return e.Err }

// Auth says that the account was refused.
func (e *Error) Auth() bool {
	return e.Status == http.StatusUnauthorized || e.Code == "IP_FORBIDDEN" || slices.Contains(authCodes, e.Code) || slices.Contains(accountCodes, e.Code)
}

// Absent says that what was asked for is not there.
func (e *Error) Absent() bool { return slices.Contains(absentCodes, e.Code) }

// Verdict says that the platform refuses what was sent to it for good.
func (e *Error) Verdict() bool {
	return slices.Contains(verdictCodes, e.Code) || e.Status == http.StatusRequestEntityTooLarge
}

// Temporary says that the same request may succeed later.
func (e *Error) Temporary() bool {
	switch {
	case e.Permanent || e.Auth() || e.Code == "FORBIDDEN_ACCESS":
		return false
	case e.Transport || e.Shape:
		return true
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= http.StatusInternalServerError:
		return true
	}
	return slices.Contains(lockCodes, e.Code) || slices.Contains(failureCodes, e.Code) || slices.Contains(onceCodes, e.Code)
}

// spoiled says that the platform took the request and could not give all of the answer, so that one of the objects that were
// asked for may be to blame.
func (e *Error) spoiled() bool {
	if _, misfit := errors.AsType[remote.MisfitError](e.Err); misfit {
		return true
	}
	return e.Status == http.StatusOK && !e.Shape && !e.Auth() && e.Code != "FORBIDDEN_ACCESS" && !slices.Contains(misfitCodes, e.Code) && !slices.Contains(lockCodes, e.Code)
}

// Fault is what the failure means to a run. A deleted work takes its bundle with it, for good.
func (e *Error) Fault() reconcile.Fault {
	verdict := e.Verdict() || e.Code == codeWorkGone
	return reconcile.Fault{Verdict: verdict, Side: !verdict, Account: e.Auth() || e.Code == "FORBIDDEN_ACCESS", Unsure: e.unsure()}
}

// unsure says of the failure of a change that it may have been carried out all the same: its answer was
// lost or cut, or came from something in between.
func (e *Error) unsure() bool {
	switch {
	case e.TurnedAway():
		return false
	case e.Transport:
		return !e.Permanent // those were never sent
	}
	return e.Shape || e.Status == http.StatusRequestTimeout || e.Status >= http.StatusInternalServerError ||
		slices.Contains(failureCodes, e.Code) || slices.Contains(onceCodes, e.Code)
}

// TurnedAway says that the request was not carried out, and that a later one may be.
func (e *Error) TurnedAway() bool {
	switch {
	case !e.Temporary():
		return false
	case e.Transport:
		op, ok := errors.AsType[*net.OpError](e.Err)
		return ok && op.Op == "dial" // nothing was sent
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable:
		return true
	}
	return slices.Contains(lockCodes, e.Code)
}

// Again says whether the request is made again (remote.Failure).
func (e *Error) Again(most int) (attempts int, wait time.Duration) {
	switch {
	case !e.again:
		return 1, 0
	case slices.Contains(onceCodes, e.Code):
		return min(most, 2), e.After
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable:
		return most * remote.Patience, e.After
	}
	return most, e.After
}

// RightError says that the account lacks a capability (contract opencti-api 1.3).
type RightError struct{ Capability, For string }

// Fault says that no item is to blame.
func (e *RightError) Fault() reconcile.Fault { return reconcile.Fault{Side: true, Account: true} }

func (e *RightError) Error() string {
	return fmt.Sprintf("OpenCTI: the account lacks the capability %s%s; give its role that right, or use the built-in role Connector", e.Capability, e.For)
}

// VersionError says that the platform is older than what is supported.
type VersionError struct {
	Version Version
	Least   string // what is needed; "" is the oldest version that is supported at all
	For     string // what it is needed for, such as "for pushing bundles"; "" is anything
}

func (e *VersionError) Error() string {
	least := cmp.Or(e.Least, oldest)
	if e.For != "" {
		return fmt.Sprintf("OpenCTI %s is too old %s: %s or later is needed; update the platform", e.Version, e.For, least)
	}
	return fmt.Sprintf("OpenCTI %s is not supported: %s or later is needed; update the platform", e.Version, least)
}

// IncompleteError says that a read could not be proven to be whole (gate G1).
type IncompleteError struct{ What, Why string }

// Fault says that the read may be whole at another time.
func (e *IncompleteError) Fault() reconcile.Fault {
	return reconcile.Fault{Incomplete: true, Side: true}
}

func (e *IncompleteError) Error() string {
	return fmt.Sprintf("OpenCTI: %s were not read completely: %s", e.What, e.Why)
}

// Errors that callers branch on.
var (
	ErrUnknownStream    = errors.New("OpenCTI knows no stream with this id")
	ErrUnknownConnector = errors.New("OpenCTI knows no connector with this id")
)

func oneLine(s string) string { return remote.OneLine(s, 400) }
