package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// wire sends one request: with our name, within its time, counted and logged.
type wire struct {
	next            http.RoundTripper
	platform, agent string
	timeout         time.Duration
	log             *slog.Logger
	tallies         *tallies
	headers         http.Header
	proxy           func(*url.URL) (*url.URL, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if !stream(r) {
		ctx, cancel = context.WithTimeoutCause(ctx, w.timeout, &TimeoutError{w.platform, w.timeout})
	}
	out := r.Clone(ctx) // a RoundTripper must not change its request
	out.Header.Set("User-Agent", w.agent)
	for name, values := range w.headers {
		out.Header[name] = values
	}
	began := time.Now()
	resp, err := w.next.RoundTrip(out)
	if proxy, _ := w.proxy(r.URL); err == nil && proxy != nil {
		if err = refusedBy(proxy, strings.ToUpper(r.URL.Scheme)+"_PROXY", resp); err != nil {
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		err = w.explain(ctx, r, time.Since(began), err)
		cancel()
		w.tallies.add(r.Method, 0)
		w.log.Debug("request failed", "platform", w.platform, "method", r.Method, "path", logPath(r.URL),
			"took", time.Since(began).Round(time.Millisecond), "error", err)
		return nil, err
	}
	w.tallies.add(r.Method, resp.StatusCode)
	w.log.Debug("request", "platform", w.platform, "method", r.Method, "path", logPath(r.URL),
		"status", resp.StatusCode, "took", time.Since(began).Round(time.Millisecond))
	if resp.Body == http.NoBody {
		cancel()
		return resp, nil
	}
	resp.Body = &timedBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel}
	return resp, nil
}

// ProxyError is a proxy that lets nothing through without credentials, or not with those it was given.
type ProxyError struct {
	Proxy    *url.URL
	Variable string // of the environment, that names it
}

// Error names the proxy, and the place of its credentials.
func (e *ProxyError) Error() string {
	says := "asks for credentials"
	if e.Proxy.User != nil {
		says = "does not accept its credentials"
	}
	return fmt.Sprintf("the proxy %s %s (407); they stand in its address in the environment, as in %s=%s://user:password@%s", e.Proxy.Host, says, e.Variable, e.Proxy.Scheme, e.Proxy.Host)
}

// Permanent says that the proxy would say so again.
func (e *ProxyError) Permanent() bool { return true }

func refusedBy(proxy *url.URL, variable string, resp *http.Response) error {
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return &ProxyError{proxy, variable}
	}
	return nil
}

// TimeoutError is a request whose whole answer did not come in time. It is also
// context.DeadlineExceeded.
type TimeoutError struct {
	Platform string
	After    time.Duration
}

// Error names the setting.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s gave no whole answer within %v (sync.request_timeout)", e.Platform, e.After)
}

// Timeout says that e is a timeout, as net.Error does.
func (e *TimeoutError) Timeout() bool { return true }

// Is says that e is a deadline.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// explain says what the standard library leaves unsaid: which limit ran out, and what to do about a
// certificate.
func (w *wire) explain(ctx context.Context, r *http.Request, took time.Duration, err error) error {
	if timeout, ok := errors.AsType[*TimeoutError](context.Cause(ctx)); ok {
		return timeout
	}
	// The transport's own limit for the header is as long; either may be the first to notice.
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() && took >= w.timeout {
		return &TimeoutError{w.platform, w.timeout}
	}
	if p, ok := errors.AsType[*ProxyError](err); ok {
		return p
	}
	if alert := err.Error(); strings.Contains(alert, "remote error: tls: ") && strings.Contains(alert, "certificate") {
		return fmt.Errorf("%s does not accept how we prove who we are: %w; check %s.client_cert and %s.client_key", r.URL.Host, err, w.platform, w.platform)
	}
	if c, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of %s is not accepted: %w; %s", r.URL.Host, c, w.remedy(c))
	}
	return err
}

func (w *wire) remedy(c *tls.CertificateVerificationError) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](c); ok {
		return "set " + w.platform + ".ca_bundle to the file of the authority that signed it"
	}
	if _, ok := errors.AsType[x509.HostnameError](c); ok {
		return "use a name in " + w.platform + ".url that the certificate has"
	}
	return "replace the certificate"
}

// timedBody is an answer under a time limit, which ends with it.
type timedBody struct {
	io.ReadCloser
	ctx    context.Context // of this request alone; its cause is the error of a late Read
	cancel context.CancelFunc
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		if timeout, ok := errors.AsType[*TimeoutError](context.Cause(b.ctx)); ok {
			err = timeout
		}
	}
	return n, err
}

func (b *timedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// logPath is the path with the names of its query. Of the values only numbers are kept, which page;
// others may be keys.
func logPath(u *url.URL) string {
	if u.RawQuery == "" {
		return u.Path
	}
	var parts []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if _, err := strconv.ParseUint(value, 10, 32); err != nil {
			value = "..."
		}
		parts = append(parts, name+"="+value)
	}
	return u.Path + "?" + strings.Join(parts, "&")
}
