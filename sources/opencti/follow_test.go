package opencti_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// feeds is a platform that gives one answer to each connection to its stream, and then stops it.
type feeds struct {
	answers []func(http.ResponseWriter, *http.Request)

	mu   sync.Mutex
	seen []*http.Request
}

func (f *feeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r)
	n := len(f.seen)
	f.mu.Unlock()
	if n > len(f.answers) {
		w.WriteHeader(http.StatusGone)
		return
	}
	f.answers[n-1](w, r)
}

func (f *feeds) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*http.Request(nil), f.seen...)
}

// streams answers with a whole stream.
func streams(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		_, _ = io.WriteString(w, text)
	}
}

// cut answers with a stream that breaks off, without the end that HTTP wants.
func cut(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		streams(text)(w, r)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// status answers without a body, with the reason in the status line.
func status(line string, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n\r\n", line, strings.Join(append(headers, "Connection: close"), "\r\n"))
	}
}

// event is a message of the stream as the platform sends it.
func event(id, name, data string) string {
	return "id: " + id + "\nevent: " + name + "\ndata: " + data + "\n\n"
}

func indicator(id string) string {
	return `{"version":"4","type":"update","data":{"type":"indicator","id":"indicator--x","extensions":{"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba":{"id":"` + id + `"}}}}`
}

const identity = `{"data":{"type":"identity","id":"identity--x"}}`

// follow tells all signals up to the end, one a line. Errors of lost connections are left out, but for
// those of another kind than the end of a body.
func follow(t testing.TB, p *probe, o opencti.FollowOptions) (out []string, end error) {
	t.Helper()
	if o.Stream == "" {
		o.Stream = "s1"
	}
	for s, err := range p.Follow(t.Context(), o) {
		if err != nil {
			if s != nil || end != nil {
				t.Errorf("%v beside signal %v and error %v", err, s, end)
			}
			end = err
			continue
		}
		if l, ok := s.(tail.Lost); ok && errors.Is(l.Err, opencti.ErrStreamEnded) {
			out = append(out, "ended")
			continue
		}
		out = append(out, opencti.Tell(s))
	}
	if shown := strings.Join(out, "\n") + p.log.String(); strings.Contains(shown, token) {
		t.Errorf("the token is shown: %q", shown)
	}
	return out, end
}

// position is a time of the log in minutes.
func position(minute int) state.Position { return state.Position{Ms: int64(minute) * 60_000} }

func at(minute int) string { return position(minute).String() }

func TestFollowSendsItsOptionsOnEveryConnection(t *testing.T) {
	f := &feeds{answers: []func(http.ResponseWriter, *http.Request){
		streams(event(at(20), "update", indicator("a")) + event(at(30), "heartbeat", "x") + event(at(40), "heartbeat", "x")), streams(""),
	}}
	p := connect(t, f, opencti.Options{})
	if _, err := follow(t, p, opencti.FollowOptions{Stream: "s 1/x?", From: new(position(10))}); !errors.Is(err, opencti.ErrStreamStopped) {
		t.Fatal(err)
	}
	starts := []string{at(9), at(29), at(29)}
	if n := len(f.requests()); n != len(starts) {
		t.Fatalf("%d connections, want %d", n, len(starts))
	}
	for i, r := range f.requests() {
		if r.Method != http.MethodGet || r.URL.EscapedPath() != "/stream/s%201%2Fx%3F" {
			t.Errorf("asked with %s %s", r.Method, r.URL.EscapedPath())
		}
		for name, want := range map[string]string{"listen-delete": "true", "no-dependencies": "true", "with-inferences": "false", "from": starts[i]} {
			if got := r.URL.Query().Get(name); got != want {
				t.Errorf("connection %d: %s=%q in the query, want %q", i, name, got, want)
			}
			if name == "from" {
				name = "Last-Event-ID"
			}
			if got := r.Header.Get(name); got != want {
				t.Errorf("connection %d: header %s: %q, want %q", i, name, got, want)
			}
		}
		for name, want := range map[string]string{"Authorization": "Bearer " + token, "Accept": "text/event-stream", "Accept-Encoding": "identity"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("connection %d: header %s: %q, want %q", i, name, got, want)
			}
		}
		if r.URL.Query().Has("recover") || strings.Contains(r.URL.String(), token) {
			t.Errorf("asked for %s", r.URL)
		}
	}
}

func TestFollowWithoutAStartAsksForNone(t *testing.T) {
	f := &feeds{answers: []func(http.ResponseWriter, *http.Request){streams("event: connected\ndata: {\"firstEventId\":\"1-0\",\"lastEventId\":\"" + at(10) + "\"}\n\n")}}
	p := connect(t, f, opencti.Options{})
	got, _ := follow(t, p, opencti.FollowOptions{})
	if diff := cmp.Diff([]string{"connected 1-0 to " + at(10), "ended"}, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
	r := f.requests()
	if r[0].URL.Query().Has("from") || r[0].Header.Get("Last-Event-ID") != "" || r[1].URL.Query().Get("from") != at(9) {
		t.Errorf("asked for %s, then %s", r[0].URL, r[1].URL)
	}
}

func TestFollowThroughUnkindStreams(t *testing.T) {
	large := strings.Replace(indicator("large"), `"version"`, `"context":{"patch":"`+strings.Repeat("y", 8<<20)+`"},"version"`, 1)
	tests := []struct {
		name    string
		answers []func(http.ResponseWriter, *http.Request)
		want    []string
	}{
		{"the end of the body is normal", []func(http.ResponseWriter, *http.Request){streams(event(at(20), "create", indicator("a"))), streams(event(at(20), "create", indicator("a")) + event(at(21), "heartbeat", "x"))},
			[]string{"dirty a", "ended", "dirty a", "safe " + at(20), "ended"}},
		{"an event that comes twice is told twice and harms nobody", []func(http.ResponseWriter, *http.Request){streams(strings.Repeat(event(at(20), "delete", indicator("a")), 2))},
			[]string{"dirty a", "dirty a", "ended"}},
		{"half a message at the end is not told", []func(http.ResponseWriter, *http.Request){streams(strings.TrimSuffix(event(at(20), "create", indicator("a")), "\n"))}, []string{"ended"}},
		{"nor is one without the last line feed", []func(http.ResponseWriter, *http.Request){streams(strings.TrimSuffix(event(at(20), "create", indicator("a")), "\n\n"))}, []string{"ended"}},
		{"a body that breaks off", []func(http.ResponseWriter, *http.Request){cut(event(at(20), "create", indicator("a")) + "id: " + at(21) + "\nevent: delete\nda")},
			[]string{"dirty a", `lost for 0s: OpenCTI: live stream "s1": the stream broke off: unexpected EOF; check opencti.url, the network and ssl_verify or ca_bundle`}},
		{"a line of eight megabytes", []func(http.ResponseWriter, *http.Request){streams(event(at(20), "update", large) + event(at(21), "update", indicator("b")))},
			[]string{"dirty large", "safe " + at(20), "dirty b", "ended"}},
		{"carriage returns, a byte order mark and comments", []func(http.ResponseWriter, *http.Request){
			streams("\xEF\xBB\xBF: hello\r\n\r\n" + strings.ReplaceAll(event(at(20), "create", indicator("a")), "\n", "\r\n") + ":\r\n"),
		}, []string{"dirty a", "ended"}},
		{"a message that cannot be read is a gap and no end", []func(http.ResponseWriter, *http.Request){streams(event(at(20), "create", `{"data":{"type":`) + event(at(21), "create", indicator("b")))},
			[]string{"gap: the create event at " + at(20) + " cannot be read: unexpected end of JSON input", "safe " + at(20), "dirty b", "ended"}},
		{"unknown events and no-recover are ignored", []func(http.ResponseWriter, *http.Request){
			streams(event(at(20), "no-recover", `{"resume_from":"now"}`) + event(at(20), "ne\x1bws "+token, "x") + event(at(20), "create", indicator("a"))),
		}, []string{"dirty a", "ended"}},
		{"an error event is a gap, and the connection is left", []func(http.ResponseWriter, *http.Request){
			streams("event: error\ndata: {\"message\":\"broken " + token + "\"}\n\n" + event(at(20), "create", indicator("a"))),
		}, []string{"gap: the platform reports an error in the stream: broken ***",
			`lost for 0s: OpenCTI: live stream "s1": the platform reports an error in the stream: broken ***; check opencti.url, the network and ssl_verify or ca_bundle`}},
		{"a trimmed stream is a gap", []func(http.ResponseWriter, *http.Request){streams("event: connected\ndata: {\"firstEventId\":\"" + at(11) + "\",\"lastEventId\":\"" + at(20) + "\"}\n\n")},
			[]string{"connected " + at(11) + " to " + at(20), "gap: the platform keeps no events before " + at(11) + " any more, and those up to " + at(10) + " were read", "ended"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := connect(t, &feeds{answers: tt.answers}, opencti.Options{Retry: remote.Retry{Backoff: func(int) time.Duration { return 0 }}})
			got, err := follow(t, p, opencti.FollowOptions{From: new(position(10))})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("signals (-want +got):\n%s", diff)
			}
			if !errors.Is(err, opencti.ErrStreamStopped) {
				t.Errorf("ended by %v", err)
			}
		})
	}
}

func TestFollowOverItsLimit(t *testing.T) {
	p := connect(t, &feeds{answers: []func(http.ResponseWriter, *http.Request){
		streams(event(at(20), "update", `{"data":"`+strings.Repeat("x", 200_000)+`"}`) + event(at(21), "create", indicator("b"))),
	}}, opencti.Options{})
	got, _ := follow(t, p, opencti.FollowOptions{From: new(position(10)), MaxMessage: 100_000})
	want := []string{"gap: the message at " + at(20) + " is too large to be read", "safe " + at(20), "dirty b", "ended"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("signals (-want +got):\n%s", diff)
	}
}

func TestFollowEndsWithItsContextOrItsCaller(t *testing.T) {
	gone := make(chan struct{})
	endless := func(w http.ResponseWriter, r *http.Request) {
		streams(event(at(20), "create", indicator("a")))(w, r)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(gone)
	}
	t.Run("the caller breaks", func(t *testing.T) {
		p := connect(t, &feeds{answers: []func(http.ResponseWriter, *http.Request){endless}}, opencti.Options{})
		for range p.Follow(t.Context(), opencti.FollowOptions{Stream: "s1"}) {
			break
		}
		<-gone // the connection is closed
	})
	gone = make(chan struct{})
	t.Run("the context is cancelled", func(t *testing.T) {
		p := connect(t, &feeds{answers: []func(http.ResponseWriter, *http.Request){endless}}, opencti.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var end error
		for _, err := range p.Follow(ctx, opencti.FollowOptions{Stream: "s1"}) {
			cancel()
			end = err
		}
		if !errors.Is(end, context.Canceled) {
			t.Errorf("ended by %v", end)
		}
		<-gone
	})
	t.Run("the caller breaks at a loss", func(t *testing.T) {
		f := &feeds{answers: []func(http.ResponseWriter, *http.Request){streams(""), streams("")}}
		for s := range connect(t, f, opencti.Options{}).Follow(t.Context(), opencti.FollowOptions{Stream: "s1"}) {
			if _, ok := s.(tail.Lost); ok {
				break
			}
		}
		if n := len(f.requests()); n != 1 {
			t.Errorf("%d connections, want one", n)
		}
	})
	t.Run("no stream is named", func(t *testing.T) {
		f := &feeds{}
		for s, err := range connect(t, f, opencti.Options{}).Follow(t.Context(), opencti.FollowOptions{}) {
			says(t, err, "connector.live_stream_id")
			if s != nil {
				t.Errorf("signal %v", s)
			}
		}
		if len(f.requests()) != 0 {
			t.Error("the raw stream was asked for")
		}
	})
}
