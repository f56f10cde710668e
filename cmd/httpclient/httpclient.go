// Package httpclient builds the *http.Client that the adapter of one platform gets: paced, with
// timeouts, without redirects, and refusing writes where a command only reads (gate G12). What a
// request means is the adapter's business; this package repeats nothing.
package httpclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/net/http/httpproxy"
	"golang.org/x/time/rate"
)

// Platform is the kind of API on the other side; it decides what counts as a write.
type Platform int

// The platforms. A REST request is a write unless it is a GET or HEAD; a GraphQL request unless its
// document holds queries alone.
const (
	REST Platform = iota
	GraphQL
)

// Options say how a platform is reached. The zero value of a number takes its default.
type Options struct {
	Platform    Platform
	Name        string      // of the platform in logs and errors, and of its section in the settings
	TLS         *tls.Config // default: the system's authorities, no certificate of ours
	Parallelism int         // requests in flight; default 8
	RateLimit   float64
	// Timeout covers one request from its first byte to the last of the answer, not the wait for its
	// turn; default 120 s. A request that accepts text/event-stream has it for the header alone, and
	// takes no place among the requests in flight, since it may last for days.
	Timeout  time.Duration
	MostGap  time.Duration // between two requests while the other side says that there are too many; default 2 s
	ReadOnly bool          // refuse writes with a *ReadOnlyError
	// MayWrite is asked when a REST write has waited for its turn and is about to be sent; its error is then what
	// becomes of the write. May be nil.
	MayWrite func() error
	Version  string       // of this program, for User-Agent
	Headers  http.Header  // of every request, beside its own; never logged
	Tracer   trace.Tracer // makes a span of each request that belongs to a trace; nil for none
	Log      *slog.Logger
}

const (
	defaultParallelism = 8
	defaultTimeout     = 120 * time.Second
	connectTimeout     = 10 * time.Second
	defaultMostGap     = 2 * time.Second
)

// Client is an *http.Client that counts. The embedded client may be copied and its Transport wrapped.
type Client struct {
	*http.Client
	tallies   *tallies
	transport *http.Transport
}

// CloseIdleConnections ends the connections that no request uses. The embedded client's own does not see them.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// New builds a client.
func New(o Options) *Client {
	o.Name = cmp.Or(o.Name, map[Platform]string{REST: "harfanglab", GraphQL: "opencti"}[o.Platform])
	o.Parallelism = cmp.Or(max(o.Parallelism, 0), defaultParallelism)
	o.Timeout = cmp.Or(max(o.Timeout, 0), defaultTimeout)
	o.MostGap = cmp.Or(max(o.MostGap, 0), defaultMostGap)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	o.Version = cmp.Or(o.Version, "dev")
	tallies, transport := new(tallies), transport(o)
	var rt http.RoundTripper = &wire{
		next: transport, platform: o.Name, agent: "harfangsync/" + o.Version,
		timeout: o.Timeout, log: o.Log, tallies: tallies, headers: o.Headers, proxy: proxyOf(),
	}
	if o.Tracer != nil {
		rt = &traced{next: rt, tracer: o.Tracer, platform: o.Name}
	}
	limit := rate.Inf
	if o.RateLimit > 0 {
		limit = rate.Limit(o.RateLimit)
	}
	if o.MayWrite != nil && o.Platform == REST {
		rt = &allowed{next: rt, may: o.MayWrite}
	}
	rt = &pace{next: rt, rate: rate.NewLimiter(limit, 1), limiter: newLimiter(o.Parallelism), spacing: spacing{most: o.MostGap}, log: o.Log, platform: o.Name}
	if o.ReadOnly {
		rt = &guard{next: rt, platform: o.Platform}
	}
	return &Client{
		Client: &http.Client{
			Transport: rt,
			// A redirected POST could arrive as a GET and look like success.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tallies: tallies, transport: transport,
	}
}

// proxyOf says which proxy of the environment a request goes through; http.ProxyFromEnvironment reads that
// once in the life of the process.
func proxyOf() func(*url.URL) (*url.URL, error) { return httpproxy.FromEnvironment().ProxyFunc() }

func transport(o Options) *http.Transport {
	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	proxy := proxyOf()
	return &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		OnProxyConnectResponse: func(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
			return refusedBy(proxy, "HTTPS_PROXY", resp)
		},
		DialContext:           (&net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       o.TLS,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: o.Timeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          o.Parallelism + 1, // and the live stream
		MaxIdleConnsPerHost:   o.Parallelism + 1,
		ForceAttemptHTTP2:     true,
	}
}
