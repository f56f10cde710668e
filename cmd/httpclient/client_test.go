package httpclient_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
)

func newClient(t *testing.T, o httpclient.Options) *httpclient.Client {
	t.Helper()
	c := httpclient.New(o)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// get is the status and body of a GET.
func get(c *httpclient.Client, url string) (int, string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the handshake that we refuse
	s.StartTLS()
	t.Cleanup(s.Close)
	trusted := &tls.Config{RootCAs: x509.NewCertPool()}
	trusted.RootCAs.AddCert(s.Certificate())
	named := strings.Replace(s.URL, "127.0.0.1", "localhost", 1) // a name that the certificate lacks
	for _, tt := range []struct {
		name string
		o    httpclient.Options
		url  string
		want []string // in the error; none is success
	}{
		{"a certificate of an unknown authority fails and names the setting", httpclient.Options{}, s.URL,
			[]string{"certificate of 127.0.0.1", "unknown authority", "set harfanglab.ca_bundle"}},
		{"the setting is that of the platform", httpclient.Options{Platform: httpclient.GraphQL}, s.URL, []string{"set opencti.ca_bundle"}},
		{"the bundle makes it trusted", httpclient.Options{TLS: trusted}, s.URL, nil},
		{"another name fails and says so", httpclient.Options{TLS: trusted}, named, []string{"localhost", "use a name in harfanglab.url"}},
		{"without ssl_verify anything is accepted", httpclient.Options{TLS: &tls.Config{InsecureSkipVerify: true}}, named, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := get(newClient(t, tt.o), tt.url)
			if len(tt.want) == 0 && err != nil {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v lacks %q", err, w)
				}
			}
		})
	}
}

func TestPlainHTTPNeedsNoCertificate(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.UserAgent()) })
	status, body, err := get(newClient(t, httpclient.Options{Version: "1.2.3"}), s.URL)
	if err != nil || status != 200 || body != "harfangsync/1.2.3" {
		t.Errorf("got %d %q %v, want 200 and our User-Agent", status, body, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var paths []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	status, _, err := get(newClient(t, httpclient.Options{}), s.URL+"/graphql")
	if err != nil || status != http.StatusFound || len(paths) != 1 {
		t.Errorf("got %d %v after %v, want the 302 itself", status, err, paths)
	}
}

func TestProxyComesFromTheEnvironment(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "proxied "+r.URL.String()) })
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("NO_PROXY", "direct.example")
	_, body, err := get(newClient(t, httpclient.Options{}), "http://manager.example/api/version")
	if err != nil || body != "proxied http://manager.example/api/version" {
		t.Errorf("got %q %v, want the proxy's answer", body, err)
	}
}

// A proxy that asks for credentials, by itself or in the place of a tunnel, is named with their place.
func TestAProxyThatAsksForCredentials(t *testing.T) {
	proxy := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	host := strings.TrimPrefix(proxy.URL, "http://")
	for _, tt := range []struct{ name, proxy, url, want string }{
		{"a plain request", proxy.URL, "http://manager.example", "the proxy " + host + " asks for credentials (407); they stand in its address in the environment, as in HTTP_PROXY=http://user:password@" + host},
		{"a tunnel", proxy.URL, "https://manager.example", "the proxy " + host + " asks for credentials (407); they stand in its address in the environment, as in HTTPS_PROXY=http://user:password@" + host},
		{"wrong credentials", "http://soc:s3cret@" + host, "https://manager.example", "the proxy " + host + " does not accept its credentials (407)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("HTTP_PROXY", tt.proxy)
			t.Setenv("HTTPS_PROXY", tt.proxy)
			_, _, err := get(newClient(t, httpclient.Options{}), tt.url)
			p, ok := errors.AsType[*httpclient.ProxyError](err)
			if !ok || !p.Permanent() || !strings.HasPrefix(p.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) })
	if status, _, err := get(newClient(t, httpclient.Options{}), s.URL); err != nil || status != http.StatusProxyAuthRequired {
		t.Errorf("without a proxy: %d %v, want the answer itself", status, err)
	}
}

func TestHeadersOfEveryRequest(t *testing.T) {
	var log bytes.Buffer
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("X-Api-Key")) })
	o := httpclient.Options{Headers: http.Header{"X-Api-Key": {"s3cret"}}, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if _, body, err := get(newClient(t, o), s.URL); err != nil || body != "s3cret" || strings.Contains(log.String(), "s3cret") {
		t.Errorf("got %q %v, logged %s", body, err, &log)
	}
}

// Mutual TLS: a side that asks who we are.
func TestOurOwnCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	plain := &tls.Config{RootCAs: x509.NewCertPool()}
	plain.RootCAs.AddCert(s.Certificate())
	ours := plain.Clone()
	ours.Certificates = s.TLS.Certificates
	if _, body, err := get(newClient(t, httpclient.Options{TLS: ours}), s.URL); err != nil || body != "hello" {
		t.Errorf("with a certificate: %q %v", body, err)
	}
	_, _, err := get(newClient(t, httpclient.Options{TLS: plain}), s.URL)
	if err == nil || !strings.Contains(err.Error(), "does not accept how we prove who we are") || !strings.Contains(err.Error(), "check harfanglab.client_cert and harfanglab.client_key") {
		t.Errorf("without: %v", err)
	}
}

func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "first half")
			w.(http.Flusher).Flush()
		}
		if r.URL.Path == "/stream" {
			w.(http.Flusher).Flush()
			time.Sleep(150 * time.Millisecond)
			_, _ = io.WriteString(w, "data: late\n\n")
			return
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	c := newClient(t, httpclient.Options{Timeout: 60 * time.Millisecond})
	for _, path := range []string{"/header", "/body"} {
		_, _, err := get(c, s.URL+path)
		if e, ok := errors.AsType[*httpclient.TimeoutError](err); !ok || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(e.Error(), "sync.request_timeout") {
			t.Errorf("%s: got %v, want a *TimeoutError that names the setting", path, err)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, s.URL+"/stream", nil)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "data: late\n\n" {
		t.Errorf("a live stream ended with %q, %v; want it to outlast the timeout", b, err)
	}
}

func TestRateLimitWaits(t *testing.T) {
	s := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, httpclient.Options{RateLimit: 50})
	began := time.Now()
	for range 4 {
		if _, _, err := get(c, s.URL); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 55*time.Millisecond {
		t.Errorf("4 requests at 50 a second took %v, want 60 ms", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the wait to end with its context", err)
	}
}

func TestLogsShowNoSecrets(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret-answer") })
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := newClient(t, httpclient.Options{Log: log})
	req, _ := http.NewRequest(http.MethodPost, s.URL+"/api/rule?limit=100&hl_expiring_key=secret-key", strings.NewReader("secret-body"))
	req.Header.Set("Authorization", "Token secret-token")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := logged.String(); strings.Contains(got, "secret") || !strings.Contains(got, "hl_expiring_key=...") || !strings.Contains(got, "limit=100") {
		t.Errorf("logged %s", got)
	}
}
