package httpclient_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
)

func TestRequestsAreCountedByMethodAndStatus(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		status, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	})
	c := newClient(t, httpclient.Options{MostGap: time.Millisecond})
	if got := c.Tallies(); len(got) != 0 {
		t.Errorf("before the first request: %v", got)
	}
	for _, r := range []struct{ method, path string }{
		{"GET", "/200"}, {"GET", "/204"}, {"GET", "/429"}, {"GET", "/503"}, {"POST", "/201"}, {"POST", "/0"}, {"PATCH", "/400"}, {"DELETE", "/301"}, {"PROPFIND", "/200"},
	} {
		req, err := http.NewRequest(r.method, s.URL+r.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	want := []httpclient.Tally{
		{"DELETE", "3xx", 1}, {"GET", "2xx", 2}, {"GET", "4xx", 1}, {"GET", "5xx", 1}, {"OTHER", "2xx", 1}, {"PATCH", "4xx", 1}, {"POST", "2xx", 1}, {"POST", "error", 1},
	}
	if d := cmp.Diff(want, c.Tallies()); d != "" {
		t.Errorf("tallies (-want +got):\n%s", d)
	}
}

func TestRefusedRequestsAreNotCounted(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	c := newClient(t, httpclient.Options{ReadOnly: true})
	if _, err := c.Post(s.URL, "application/json", strings.NewReader("{}")); !errors.Is(err, httpclient.ErrReadOnly) {
		t.Errorf("error %v", err)
	}
	if got := c.Tallies(); len(got) != 0 {
		t.Errorf("counted: %v", got)
	}
}

func TestPlainClients(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/slow":
			<-release
		default:
			_, _ = io.WriteString(w, r.Method+" "+r.UserAgent())
		}
	})
	defer close(release)
	post := func(c *http.Client, path string) (int, string, error) {
		defer c.CloseIdleConnections()
		resp, err := c.Post(s.URL+path, "application/json", strings.NewReader("{}"))
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), err
	}
	if status, body, err := post(httpclient.Plain(time.Minute, "1.2.3", false), "/"); status != 200 || body != "POST harfangsync/1.2.3" || err != nil {
		t.Errorf("got %d %q %v, want our name", status, body, err)
	}
	if status, _, err := post(httpclient.Plain(time.Minute, "1", false), "/moved"); status != http.StatusFound || err != nil {
		t.Errorf("got %d %v, want the redirect itself", status, err)
	}
	if _, _, err := post(httpclient.Plain(time.Minute, "1", true), "/"); !errors.Is(err, httpclient.ErrReadOnly) {
		t.Errorf("a client that only reads sent a POST: %v", err)
	}
	if _, _, err := post(httpclient.Plain(20*time.Millisecond, "1", false), "/slow"); err == nil {
		t.Error("a request without an answer did not end")
	}
	tls := httptest.NewUnstartedServer(http.NotFoundHandler())
	tls.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the handshake that we refuse
	tls.StartTLS()
	defer tls.Close()
	if _, err := httpclient.Plain(time.Minute, "1", false).Get(tls.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody was accepted: %v", err)
	}
}
