package opencti_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// How often a query is made for each code (contract opencti-api 1.4), with five attempts allowed.
func TestRetriesByCode(t *testing.T) {
	const final, once, often = 1, 2, 5
	tests := map[string]int{
		"AUTH_REQUIRED": final, "AUTH_FAILURE": final, "FORBIDDEN_ACCESS": final, "OTP_REQUIRED": final, "OTP_REQUIRED_ACTIVATION": final,
		"PASSWORD_CHANGE_REQUIRED": final, "LTS_REQUIRED_ACTIVATION": final, "ACCESS_REQUIRED": final, "IP_FORBIDDEN": final,
		"FUNCTIONAL_ERROR": final, "UNSUPPORTED_ERROR": final, "VALIDATION_ERROR": final, "MISSING_REFERENCE_ERROR": final,
		"ALREADY_DELETED_ERROR": final, "RESOURCE_NOT_FOUND": final, "CLIENT_ABORT_ERROR": final, "WORK_NOT_ALIVE": final,
		"GRAPHQL_PARSE_FAILED": final, "BAD_USER_INPUT": final, "BAD_REQUEST": final, "A_CODE_OF_THE_FUTURE": final,
		"LOCK_ERROR": often, "DRAFT_LOCKED": often, "DATABASE_ERROR": often, "FILESYSTEM_ERROR": often, "COMPLEX_SEARCH_ERROR": often, "INTERNAL_SERVER_ERROR": often,
		"CONFIGURATION_ERROR": once, "UNKNOWN_ERROR": once,
	}
	for code, want := range tests {
		t.Run(code, func(t *testing.T) {
			c := &canned{answers: map[string]string{"": coded(code)}}
			p := connect(t, c, opencti.Options{})
			_, err := p.Stream(context.Background(), "s")
			if n := len(c.questions("Stream")); n != want {
				t.Errorf("asked %d times, want %d", n, want)
			}
			if code != "FORBIDDEN_ACCESS" && code != "ALREADY_DELETED_ERROR" && code != "RESOURCE_NOT_FOUND" {
				says(t, err, "OpenCTI: Stream: "+code+": told so; ")
			}
		})
	}
}

func TestRemedies(t *testing.T) {
	for code, want := range map[string]string{
		"AUTH_REQUIRED":             "check the token",
		"IP_FORBIDDEN":              "allow list",
		"OTP_REQUIRED":              "service account",
		"UNSUPPORTED_ERROR":         "check its filters",
		"LOCK_ERROR":                "try again later",
		"DATABASE_ERROR":            "the platform failed",
		"GRAPHQL_VALIDATION_FAILED": "OpenCTI 6.9.22 does not take the request",
	} {
		c := &canned{answers: map[string]string{"Ident": identAnswer, "": coded(code)}}
		p := connect(t, c, opencti.Options{Retry: remote.Retry{Attempts: 1}})
		if _, err := p.Ident(context.Background()); err != nil {
			t.Fatal(err)
		}
		_, err := p.Stream(context.Background(), "s")
		says(t, err, code, want)
	}
}

// Before 5.12.10 the code stood in the name, as CamelCase (contract opencti-api 1.4).
func TestOldNamesAreCodes(t *testing.T) {
	tests := []struct {
		name, failure, code string
		attempts            int
	}{
		{"a name alone", `{"message":"m","name":"AuthRequired"}`, "AUTH_REQUIRED", 1},
		{"a name beside the library's code", `{"message":"m","name":"ForbiddenAccess","extensions":{"code":"INTERNAL_SERVER_ERROR"}}`, "FORBIDDEN_ACCESS", 1},
		{"a name that may pass", `{"message":"m","name":"DatabaseError"}`, "DATABASE_ERROR", 3},
		{"today's code wins", `{"message":"m","name":"AuthRequired","extensions":{"code":"LOCK_ERROR"}}`, "LOCK_ERROR", 3},
		{"another name is no code", `{"message":"m","name":"GraphQLError","extensions":{"code":"INTERNAL_SERVER_ERROR"}}`, "INTERNAL_SERVER_ERROR", 3},
		{"the first with a code counts", `{"message":"vague"},{"message":"m","extensions":{"code":"AUTH_FAILURE"}}`, "AUTH_FAILURE", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &canned{answers: map[string]string{"": `{"errors":[` + tt.failure + `],"data":null}`}}
			p := connect(t, c, opencti.Options{Retry: remote.Retry{Attempts: 3}})
			_, err := p.Ident(context.Background())
			e, _ := errors.AsType[*opencti.Error](err)
			if e == nil || e.Code != tt.code || e.Message != "m" {
				t.Errorf("error %v, want code %s", err, tt.code)
			}
			if n := len(c.questions("Ident")); n != tt.attempts {
				t.Errorf("asked %d times, want %d", n, tt.attempts)
			}
		})
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	tests := []struct {
		name, header string
		least, most  time.Duration
	}{
		{"seconds", "7", 7 * time.Second, 7 * time.Second},
		{"a date", soon, 80 * time.Second, 90 * time.Second},
		{"a date that is past", "Mon, 02 Jan 2006 15:04:05 GMT", time.Millisecond, time.Millisecond},
		{"absent", "", time.Millisecond, time.Millisecond},
		{"zero", "0", time.Millisecond, time.Millisecond},
		{"nonsense", "soon", time.Millisecond, time.Millisecond},
		{"longer than we wait", "100000", 2 * time.Minute, 2 * time.Minute},
		{"longer than there are numbers", "9223372036854775807", 2 * time.Minute, 2 * time.Minute},
	}
	for _, tt := range tests {
		for _, status := range []int{429, 503} {
			var n atomic.Int32
			p, err := ident(t, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) == 1 {
					if tt.header != "" {
						w.Header().Set("Retry-After", tt.header)
					}
					w.WriteHeader(status)
					return
				}
				_, _ = io.WriteString(w, identAnswer)
			}, opencti.Options{Retry: remote.Retry{MaxWait: 2 * time.Minute, Backoff: func(int) time.Duration { return time.Millisecond }}})
			if err != nil {
				t.Errorf("%s, %d: %v", tt.name, status, err)
			}
			if w := p.slept(); len(w) != 1 || w[0] < tt.least || w[0] > tt.most {
				t.Errorf("%s, %d: waited %v, want %v to %v", tt.name, status, w, tt.least, tt.most)
			}
		}
	}
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	p, err := ident(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, opencti.Options{Retry: remote.Retry{Attempts: 14}})
	says(t, err, "500")
	waits := p.slept()
	if len(waits) != 13 {
		t.Fatalf("%d waits, want 13", len(waits))
	}
	for i, w := range waits {
		whole := min(250*time.Millisecond<<min(i, 10), 30*time.Second)
		if w < whole/2 || w > whole {
			t.Errorf("wait %d is %v, want between %v and %v", i, w, whole/2, whole)
		}
	}
}

func TestCancelEndsTheRetries(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(503)
	}), opencti.Options{})
	if _, err := p.Ident(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cancellation", err)
	}
}
