package opencti_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

const identAnswer = `{"data":{"about":{"version":"6.9.22"},"me":{"id":"u","name":"n","capabilities":[{"name":"KNOWLEDGE"}],"allowed_marking":[],"effective_confidence_level":{"max_confidence":80}}}}`

// coded is a GraphQL answer that fails with a code.
func coded(code string) string {
	return `{"errors":[{"message":"told so","extensions":{"code":"` + code + `"},"name":"` + code + `"}],"data":{"about":null,"me":null}}`
}

// ident asks for the identity of a server that answers what reply writes, again and again.
func ident(t testing.TB, reply http.HandlerFunc, o opencti.Options) (*probe, error) {
	t.Helper()
	p := connect(t, reply, o)
	_, err := p.Ident(context.Background())
	return p, err
}

// Only a whole GraphQL answer is one (contract opencti-api 1.4). Everything else would read as an
// empty platform.
func TestAnswersThatAreNone(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		header  string // "Name: value"
		body    string
		says    string
		repeats bool
	}{
		{"HTML with 200", 200, "", "<html><title>Sign in</title></html>", "200 with HTML where JSON is due", true},
		{"an empty body", 200, "", "", "200 with an empty body", true},
		{"null", 200, "", "null", "200 with a body that is not a GraphQL answer", true},
		{"an empty object", 200, "", "{}", "200 with an answer without data", true},
		{"data null", 200, "", `{"data":null}`, "200 with an answer without data", true},
		{"data null and no errors", 200, "", `{"errors":[],"data":null}`, "200 with an answer without data", true},
		{"data that is a list", 200, "", `{"data":[]}`, "200 with an answer without data", true},
		{"a list", 200, "", `[{"data":{}}]`, "200 with a body that is not a GraphQL answer", true},
		{"a message alone", 200, "", `{"message":"boom"}`, "200 with boom", true},
		{"a cut body", 200, "", identAnswer[:len(identAnswer)/2], "200 with a body that is not a GraphQL answer, or is cut", true},
		{"something after the answer", 200, "", identAnswer + "x", "200 with a body", true},
		{"errors with partial data", 200, "", strings.Replace(identAnswer, `{"data"`, `{"errors":[{"message":"half","extensions":{"code":"FUNCTIONAL_ERROR"}}],"data"`, 1), "FUNCTIONAL_ERROR: half; the platform refuses", false},
		{"errors without a code", 200, "", `{"errors":[{"message":"odd"}],"data":{}}`, "200 odd", false},
		{"errors that say nothing", 200, "", `{"errors":[null]}`, "errors without a message", false},
		{"errors that are no list", 200, "", `{"errors":{"message":"odd"},"data":{"about":{}}}`, "200 with a body", true},
		{"another shape", 200, "", `{"data":{"about":[1],"me":{}}}`, "200 with an answer of another shape", false},
		{"created", 201, "", identAnswer, "201 ", false},
		{"no content", 204, "", "", "204 an empty body", false},
		{"a redirect", 302, "Location: https://user:pass@sso.example/login?token=x#y", "", "302 redirect to https://sso.example/login; set opencti.url to the final address", false},
		{"a redirect to nowhere", 308, "", "", "308 redirect to an unnamed address", false},
		{"bad request in HTML", 400, "", "<pre>SyntaxError</pre>", "400 HTML where JSON is due", false},
		{"bad request with a code", 400, "", coded("BAD_REQUEST"), "BAD_REQUEST: told so; this version of OpenCTI does not take the request", false},
		{"unauthorized", 401, "", "denied", "401 denied; check the token", false},
		{"forbidden by a proxy", 403, "", "blocked", "403 blocked; check opencti.url and what is in front of it", false},
		{"not found", 404, "", "<html>", "404 HTML where JSON is due", false},
		{"GET only", 405, "", `{"name":"MethodNotAllowedError","message":"Method not allowed"}`, "405 Method not allowed; check opencti.url", false},
		{"too large", 413, "", "<html>", "lower sync.page_size", false},
		{"too many requests", 429, "", `{"message":"Too many requests, please try again later."}`, "429 Too many requests, please try again later.; lower sync.parallelism or set sync.rate_limit", true},
		{"too many requests with a code of its own", 429, "", coded("RATE_LIMITED"), "RATE_LIMITED", true},
		{"a server error with a code", 500, "", coded("INTERNAL_SERVER_ERROR"), "INTERNAL_SERVER_ERROR: told so; the platform failed, try again later", true},
		{"a server error with another code", 500, "", coded("SOMETHING_ELSE"), "SOMETHING_ELSE", true},
		{"a bad gateway", 502, "", "<html>", "502 HTML where JSON is due; a proxy or a login page may be in front; the platform failed", true},
		{"unavailable", 503, "", "", "503 an empty body", true},
		{"a gateway timeout", 504, "", "upstream\r\ntimed\x1b[31m out", "504 upstream timed [31m out", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ident(t, func(w http.ResponseWriter, _ *http.Request) {
				if name, v, ok := strings.Cut(tt.header, ": "); ok {
					w.Header().Set(name, v)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}, opencti.Options{Retry: remote.Retry{Attempts: 3}})
			says(t, err, "OpenCTI: Ident: ", tt.says)
			e, ok := errors.AsType[*opencti.Error](err)
			if !ok || e.Status != tt.status {
				t.Errorf("error %#v, want status %d", err, tt.status)
			}
			if refused := tt.status == 413 || strings.HasPrefix(tt.says, "FUNCTIONAL_ERROR"); reconcile.FaultOf(err).Verdict != refused {
				t.Errorf("verdict is %t, want %t: nothing else is the platform's word on one thing that was sent", !refused, refused)
			}
			waits := 0
			if tt.repeats {
				waits = 2
			}
			if tt.repeats && (tt.status == 429 || tt.status == 503) { // turned away: asked three times as long
				waits = 8
			}
			if n := len(p.slept()); n != waits {
				t.Errorf("waited %d times, want %d", n, waits)
			}
		})
	}
}

func TestGoodAnswersInOtherClothes(t *testing.T) {
	for name, body := range map[string]string{
		"blanks around":    "\n\t " + strings.Replace(identAnswer, `"data":`, "\n\"data\" :\n ", 1) + " \n",
		"no errors":        strings.Replace(identAnswer, `{"data"`, `{"errors":[ ],"extensions":{"x":1},"data"`, 1),
		"null errors":      strings.Replace(identAnswer, `{"data"`, `{"errors":null,"data"`, 1),
		"unknown members":  strings.Replace(identAnswer, `"id":"u"`, `"id":"u","api_token":null,"x":{"y":[1]}`, 1),
		"errors in a name": strings.Replace(identAnswer, `"name":"n"`, `"name":"{\"errors\":[]}"`, 1),
	} {
		if _, err := ident(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }, opencti.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswerOverTheLimit(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{MaxAnswer: 2000})
	fill(s, 20)
	if _, err := p.Ident(context.Background()); err != nil {
		t.Fatalf("a small answer: %v", err)
	}
	_, _, err := read(p, nil, false)
	says(t, err, "OpenCTI: Page: 200 with an answer of more than 2000 bytes; lower sync.page_size")
	if len(p.slept()) != 0 {
		t.Error("an answer that is too large was asked for again")
	}
	p, err = ident(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"about":`+strings.Repeat("[", 2<<20))
	}, opencti.Options{})
	says(t, err, "OpenCTI: Ident: 200 with an answer of more than 524288 elements; lower sync.page_size")
	if len(p.slept()) != 0 {
		t.Error("an answer of too many elements was asked for again")
	}
	// Of a refusal only the beginning is read.
	_, err = ident(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(502)
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<21))
	}, opencti.Options{Retry: remote.Retry{Attempts: 1}})
	says(t, err, "502 xxx")
	if len(err.Error()) > 600 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func TestConnectionsThatFail(t *testing.T) {
	for _, do := range []simhttp.Action{simhttp.Reset, simhttp.ResetAfter, simhttp.Cut, simhttp.Truncate} {
		t.Run(string(do), func(t *testing.T) {
			s, p := simulated(t, octisim.Options{}, opencti.Options{Retry: remote.Retry{Attempts: 4}})
			fill(s, 3)
			fail := simhttp.Fault{Body: "Page", Times: 2, Do: do}
			if err := s.HTTP.Fail(fail); err != nil {
				t.Fatal(err)
			}
			got, _, err := read(p, nil, false)
			if err != nil || got != names(0, 3) || len(p.slept()) != 2 {
				t.Errorf("read %q after %d waits, %v", got, len(p.slept()), err)
			}
			fail.Times = 0
			if err := s.HTTP.Fail(fail); err != nil {
				t.Fatal(err)
			}
			_, _, err = read(p, nil, false)
			says(t, err, "OpenCTI: Page: ")
			if n := len(p.slept()); n != 5 {
				t.Errorf("%d waits in all, want 2 and 3", n)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	p := &probe{Client: opencti.New(opencti.Options{URL: "http://127.0.0.1:1/", Token: token, Retry: remote.Retry{Attempts: 2, Backoff: func(int) time.Duration { return 0 }}})}
	_, err := p.Ident(context.Background())
	says(t, err, "OpenCTI: Ident: ", "refused", "check opencti.url")
	if strings.Contains(err.Error(), "Post ") {
		t.Errorf("error repeats the address: %v", err)
	}
}

// A proxy that echoes the request must not bring the token into a log.
func TestTheTokenIsNeverShown(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{
		"body": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(502)
			_, _ = io.WriteString(w, "cannot forward "+r.Header.Get("Authorization")+" and s3cret"+strings.Repeat(".", 250)+token)
		},
		"message": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"errors":[{"message":"bad `+r.Header.Get("Authorization")+`","extensions":{"code":"`+token+`"}}]}`)
		},
		"redirect": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://x.example/"+token)
			w.WriteHeader(302)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ident(t, reply, opencti.Options{Hidden: []string{"s3cret"}, Retry: remote.Retry{Attempts: 2}})
			says(t, err, "OpenCTI: Ident: ")
			if strings.Contains(p.log.String()+err.Error(), "s3cret") {
				t.Errorf("a value of a header is shown: %v, %s", err, p.log.String())
			}
			if strings.Contains(p.log.String(), token) {
				t.Errorf("the log shows the token: %s", p.log.String())
			}
		})
	}
}
