package simhttp_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp"
	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// streaming says something and goes on until the client leaves.
func streaming(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	if _, err := io.WriteString(w, "event: connected\n\n"); err != nil {
		return
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	<-r.Context().Done()
}

func TestStreamsGoThrough(t *testing.T) {
	h := simhttp.Wrap(http.HandlerFunc(streaming))
	srv := httptest.NewServer(h)
	defer srv.Close()
	r, err := http.Get(srv.URL + "/stream/x")
	simtest.Fine(t, err)
	defer r.Body.Close()
	got := make([]byte, len("event: connected\n\n"))
	if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "event: connected\n\n" {
		t.Errorf("read %q, %v while the handler goes on", got, err)
	}
	if l := h.Requests(); h.Count() != 1 || len(l) != 1 || l[0].Path != "/stream/x" || l[0].Status != 200 {
		t.Errorf("the log has %+v while the stream goes on", l)
	}
	srv.CloseClientConnections()
}

// A fault hits a stream as it hits any answer, and ends although the stream would not.
func TestFaultsHitStreams(t *testing.T) {
	const whole = "event: connected\n\n"
	tests := []struct {
		name   string
		fault  simhttp.Fault
		status int // 0 when there is no answer at all
		body   string
		cut    bool // the body breaks off
	}{
		{"credentials refused", simhttp.Fault{Do: simhttp.Answer, Status: 401}, 401, "", false},
		{"a page of a proxy", simhttp.Fault{Do: simhttp.Answer, Header: map[string]string{"Content-Type": "text/html"}, Payload: "<html>"}, 200, "<html>", false},
		{"a reset", simhttp.Fault{Do: simhttp.Reset}, 0, "", false},
		{"a reset once the stream has begun", simhttp.Fault{Do: simhttp.ResetAfter}, 0, "", false},
		{"another answer once the stream has begun", simhttp.Fault{Do: simhttp.AnswerAfter, Status: 502}, 502, "", false},
		{"half of what was said, as all", simhttp.Fault{Do: simhttp.Truncate}, 200, whole[:len(whole)/2], false},
		{"half of what was said", simhttp.Fault{Do: simhttp.Cut}, 200, whole[:len(whole)/2], true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := simhttp.Wrap(http.HandlerFunc(streaming))
			tt.fault.Path = "^/stream/"
			simtest.Fine(t, h.Fail(tt.fault))
			srv := httptest.NewServer(h)
			defer srv.Close()
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			r, err := client.Get(srv.URL + "/stream/x")
			if tt.status == 0 {
				if err == nil {
					r.Body.Close()
					t.Errorf("status %d, want a broken connection", r.StatusCode)
				}
				return
			}
			simtest.Fine(t, err)
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if r.StatusCode != tt.status || string(body) != tt.body || errors.Is(err, io.ErrUnexpectedEOF) != tt.cut {
				t.Errorf("status %d, body %q, error %v", r.StatusCode, body, err)
			}
		})
	}
}

// A handler that takes the connection tells the log what it is going to answer.
func TestAnswersOutsideOfHTTPAreLogged(t *testing.T) {
	h := simhttp.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.(interface{ Answered(int) }).Answered(410)
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 410 It is stopped\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = c.Close()
	}))
	srv := httptest.NewServer(h)
	defer srv.Close()
	r, err := http.Get(srv.URL)
	simtest.Fine(t, err)
	r.Body.Close()
	if l := h.Requests(); !strings.HasSuffix(r.Status, "It is stopped") || len(l) != 1 || l[0].Status != 410 {
		t.Errorf("status line %q, log %+v", r.Status, l)
	}
}
