package opencti_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

func TestRefusalsOfAStreamAreFinal(t *testing.T) {
	tests := []struct {
		line string
		why  error
		auth bool
		says []string
	}{
		{"401 You are not allowed " + token, opencti.ErrStreamRefused, true, []string{`live stream "s1"`, "401 You are not allowed ***", "TAXIIAPI", "connector.live_stream_id"}},
		{"401 ", opencti.ErrStreamRefused, true, []string{"401 Unauthorized"}},
		{"410 Live stream\x1b[31m is stopped", opencti.ErrStreamStopped, false, []string{`live stream "s1"`, "410 Live stream [31m is stopped", "start it in OpenCTI"}},
		{`500 "undefined" is not valid JSON`, opencti.ErrStreamBare, false, []string{"500", "no filters", "under Data sharing"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			f := &feeds{answers: []func(http.ResponseWriter, *http.Request){status(tt.line)}}
			p := connect(t, f, opencti.Options{})
			got, err := follow(t, p, opencti.FollowOptions{Unfiltered: tt.why == opencti.ErrStreamBare})
			says(t, err, tt.says...)
			e, ok := errors.AsType[*opencti.StreamError](err)
			if !ok || e.Stream != "s1" || !errors.Is(err, tt.why) {
				t.Errorf("error %#v, want a StreamError of s1 for %v", err, tt.why)
			}
			if answer, ok := errors.AsType[*opencti.Error](err); !ok || answer.Auth() != tt.auth || answer.Temporary() && tt.auth {
				t.Errorf("answer %#v", answer)
			} else {
				says(t, answer, "OpenCTI: live stream")
			}
			if len(got) != 0 || len(f.requests()) != 1 {
				t.Errorf("%d requests and %q after a refusal", len(f.requests()), got)
			}
		})
	}
}

func TestOtherFailuresOfAStreamAreTemporary(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<html>event: create\n\n")
	}
	kind := func(headers ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header()[headers[i]] = []string{headers[i+1]}
			}
			_, _ = io.WriteString(w, event(at(20), "create", indicator("a")))
		}
	}
	tests := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		wait   time.Duration
		says   []string
	}{
		{"500 with the reason in the status line", status("500 boom " + token), time.Second, []string{"500 boom ***", "the platform failed"}},
		{"500 of JSON, where the stream has filters", status(`500 "undefined" is not valid JSON`), time.Second, []string{"the platform failed"}},
		{"403", status("403 Forbidden"), time.Second, []string{"403 Forbidden", "opencti.url"}},
		{"404", status("404 Not Found"), time.Second, []string{"404 Not Found", "opencti.url"}},
		{"204", status("204 No Content"), time.Second, []string{"204 No Content"}},
		{"502", status("502 Bad Gateway"), time.Second, []string{"502 Bad Gateway"}},
		{"503 that names a time", status("503 Busy", "Retry-After: 17"), 17 * time.Second, []string{"503 Busy"}},
		{"429 that names a long time", status("429 Slow down", "Retry-After: 86400"), time.Minute, []string{"429 Slow down"}},
		{"a redirect, which is not followed", status("302 Found", "Location: /login?token="+token), time.Second, []string{"redirect to http://", "/login;", "final address"}},
		{"200 with HTML", html, time.Second, []string{"200 with HTML", "opencti.url"}},
		{"200 with JSON", kind("Content-Type", "application/json"), time.Second, []string{`200 with content of type "application/json"`}},
		{"200 with nothing said", kind("Content-Type", ""), time.Second, []string{`200 with content of type ""`}},
		{"200 in a coding", kind("Content-Type", "text/event-stream", "Content-Encoding", "gzip"), time.Second, []string{`200 with an event stream in the coding "gzip"`}},
		{"no answer at all", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, time.Second, []string{"EOF", "check opencti.url, the network"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &feeds{answers: []func(http.ResponseWriter, *http.Request){tt.answer, streams(event(at(20), "create", indicator("b")))}}
			p := connect(t, f, opencti.Options{Retry: remote.Retry{Backoff: func(int) time.Duration { return time.Second }, MaxWait: time.Minute}})
			var lost []tail.Lost
			dirty := 0
			for s, err := range p.Follow(t.Context(), opencti.FollowOptions{Stream: "s1"}) {
				if err != nil {
					if !errors.Is(err, opencti.ErrStreamStopped) {
						t.Errorf("ended by %v", err)
					}
					continue
				}
				switch s := s.(type) {
				case tail.Lost:
					lost = append(lost, s)
				case tail.Dirty:
					dirty++
				}
			}
			if len(lost) != 2 || dirty != 1 {
				t.Fatalf("%d losses and %d events, want two and one", len(lost), dirty)
			}
			says(t, lost[0].Err, append(tt.says, `OpenCTI: live stream "s1"`)...)
			if e, ok := errors.AsType[*opencti.Error](lost[0].Err); !ok || e.Auth() {
				t.Errorf("error %#v", lost[0].Err)
			}
			if w := p.slept(); lost[0].Wait != tt.wait || len(w) != 2 || w[0] != tt.wait {
				t.Errorf("told to wait %v, waited %v, want %v", lost[0].Wait, w, tt.wait)
			}
		})
	}
}
