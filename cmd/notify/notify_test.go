package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
	"github.com/harfangsync/harfangsync/cmd/notify"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/secret"
)

func sample() *notify.Notice {
	n := notify.New("run", "https://opencti.example/base", "https://edr.example:8443", "Apply complete: 1 added.")
	n.Event, n.ExitCode, n.Applied = "apply", 0, 1
	return n
}

func TestANoticeIsOneObject(t *testing.T) {
	n := sample()
	n.Refuse([]reconcile.Gate{
		{ID: "G1", Name: "complete", OK: true, Message: "read to the end"},
		{ID: "G4", Name: "removals_ioc_absence", Message: "7 <of> 9 go; see https://evil.example/@x", Override: "--accept-removals 7"},
	})
	b, err := json.MarshalIndent(n, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
 "text": "harfangsync run, opencti.example to edr.example:8443: Apply complete: 1 added.",
 "event": "apply", "exit_code": 0, "applied": 1, "failed": 0,
 "summary": {"by_action": {}, "by_kind": {}, "by_reason": {}},
 "gates": [{"id": "G4", "name": "removals_ioc_absence", "message": "7 &lt;of&gt; 9 go; see (address)", "override": "--accept-removals 7"}],
 "source": "opencti.example", "target": "edr.example:8443"}`), &want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("notice (-want +got):\n%s", d)
	}
}

func TestWhatComesFromOutsideIsShownAsItIs(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"a mention", "hello <!channel> and @here", "hello &lt;!channel&gt; and (at)here"},
		{"an address", "go to HTTPS://evil.example/a?b=c#d, now", "go to (address) now"},
		{"one with a password", "to http://u:p@h/x", "to (address)"},
		{"a link of a chat's own", "<https://evil.example|click>", "&lt;(address)&gt;"},
		{"a link in Markdown", "[click](mailto:x)", "[click] (mailto:x)"},
		{"several lines", "a\n b\r\n\tc", "a b c"},
		{"colours of a terminal", "\x1b[31mred", `\u{1b}[31mred`},
		{"text turned around", "a\u202eb", `a\u{202e}b`},
		{"bytes that are no text", "a\xffb", `a\xffb`},
		{"a long one", strings.Repeat("x", 3000), strings.Repeat("x", 1999) + "…"},
	} {
		if got := notify.Safe(tt.in); got != tt.want {
			t.Errorf("%s: %.200q, want %.200q", tt.name, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.StringOfN(rapid.OneOf(rapid.SampledFrom([]rune("<>&@://.[]()htps \n\u202e")), rapid.Rune()), 0, 80, -1).Draw(t, "text")
		got := notify.Safe(in)
		if strings.ContainsAny(got, "<>@") || strings.Contains(got, "](") || strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Fatalf("%q gives %q", in, got)
		}
		if regexp.MustCompile(`(?i)\bhttps?://`).MatchString(got) {
			t.Fatalf("%q leaves an address: %q", in, got)
		}
	})
}

// hook is a webhook that answers with one status after the other, the last one for ever; 0 is no answer.
type hook struct {
	*httptest.Server
	statuses []int

	mu     sync.Mutex
	bodies []string
	kind   string
}

// got is every body that came, and the content type of the last.
func (h *hook) got() (bodies []string, kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bodies, h.kind
}

func newHook(t *testing.T, statuses ...int) *hook {
	t.Helper()
	h := &hook{statuses: statuses}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.bodies, h.kind = append(h.bodies, string(b)), r.Header.Get("Content-Type")
		status := h.statuses[min(len(h.bodies), len(h.statuses))-1]
		h.mu.Unlock()
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, r.RequestURI)
	}))
	t.Cleanup(h.Close)
	return h
}

func TestSend(t *testing.T) {
	for _, tt := range []struct {
		name     string
		statuses []int
		sent     int
		fails    string // "" is success
	}{
		{"a notice is sent once", []int{200}, 1, ""},
		{"any success will do", []int{204}, 1, ""},
		{"after a failure of the hook it is sent once more", []int{500, 200}, 2, ""},
		{"after no answer it is sent once more", []int{0, 200}, 2, ""},
		{"after too many it is sent once more", []int{429, 200}, 2, ""},
		{"a second failure is one", []int{503, 502, 200}, 2, "notice: the webhook answers 502 Bad Gateway"},
		{"no answer at all is one", []int{0}, 2, "notice: "},
		{"a refusal is final", []int{404}, 1, "notice: the webhook answers 404 Not Found"},
		{"a redirect is not followed", []int{302}, 1, "notice: the webhook answers 302 Found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHook(t, tt.statuses...)
			client := httpclient.Plain(notify.Timeout, "test", false)
			defer client.CloseIdleConnections()
			s := notify.Hook{URL: secret.Text(h.URL + "/services/T0/s3cret?key=k3y"), HTTP: client, Pause: time.Nanosecond}
			err := s.Send(t.Context(), sample())
			bodies, kind := h.got()
			if len(bodies) != tt.sent || kind != "application/json" {
				t.Errorf("%d notices of type %q, want %d", len(bodies), kind, tt.sent)
			}
			for _, body := range bodies {
				var n notify.Notice
				if err := json.Unmarshal([]byte(body), &n); err != nil || cmp.Diff(sample(), &n) != "" {
					t.Errorf("sent %s, %v", body, err)
				}
			}
			if (err != nil) != (tt.fails != "") || err != nil && !strings.HasPrefix(err.Error(), tt.fails) {
				t.Errorf("error %v, want %q", err, tt.fails)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "k3y")) {
				t.Errorf("the address is in %q", err)
			}
		})
	}
}

func TestFailuresDoNotShowTheAddress(t *testing.T) {
	h := newHook(t, 200)
	gone := h.URL
	h.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer slow.Close()
	for name, address := range map[string]string{
		"nobody listens":           strings.Replace(gone, "http://", "http://user:s3cret@", 1) + "/s3cret",
		"an address that is none":  "http://[s3cret/s3cret",
		"no answer within timeout": slow.URL + "/s3cret",
		"another protocol's":       "gopher://h/s3cret",
	} {
		client := httpclient.Plain(30*time.Millisecond, "test", false)
		s := notify.Hook{URL: secret.Text(address), HTTP: client, Pause: time.Nanosecond}
		err := s.Send(t.Context(), sample())
		client.CloseIdleConnections()
		if err == nil || !strings.HasPrefix(err.Error(), "notice: ") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Gate G12: a command that only reads cannot send a notice, whoever asks it to.
func TestACommandThatOnlyReadsSendsNothing(t *testing.T) {
	h := newHook(t, 200)
	s := notify.Hook{URL: secret.Text(h.URL), HTTP: httpclient.Plain(notify.Timeout, "test", true), Pause: time.Nanosecond}
	err := s.Send(t.Context(), sample())
	if bodies, _ := h.got(); err == nil || !strings.Contains(err.Error(), "only reads") || len(bodies) != 0 {
		t.Errorf("%d notices, error %v", len(bodies), err)
	}
}

func TestAnEndedContextWaitsForNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var sent atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sent.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer s.Close()
	h := notify.Hook{URL: secret.Text(s.URL), HTTP: &http.Client{Transport: after{s.Client().Transport, cancel}}, Pause: time.Hour}
	if err := h.Send(ctx, sample()); err == nil || errors.Is(err, context.Canceled) || sent.Load() != 1 {
		t.Errorf("%d notices, error %v, want the failure of the first", sent.Load(), err)
	}
}

// after does something once an answer has come.
type after struct {
	http.RoundTripper
	do func()
}

func (a after) RoundTrip(r *http.Request) (*http.Response, error) {
	defer a.do()
	return a.RoundTripper.RoundTrip(r)
}
