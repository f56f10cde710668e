package httpclient

import (
	"net/http"
	"time"
)

// Plain is a client for what is no platform, such as a metrics gateway or a webhook: through the proxy of
// the environment, without redirects, every certificate checked, one request with its whole answer within
// timeout. It logs nothing, because addresses of webhooks are secrets. readOnly refuses every request but
// GET and HEAD with a *ReadOnlyError (gate G12).
func Plain(timeout time.Duration, version string, readOnly bool) *http.Client {
	o := Options{Timeout: timeout, Parallelism: 1}
	var rt http.RoundTripper = &named{next: transport(o), agent: "harfangsync/" + version}
	if readOnly {
		rt = &guard{next: rt, platform: REST}
	}
	return &http.Client{
		Transport: rt, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// named puts our name on requests.
type named struct {
	next  http.RoundTripper
	agent string
}

func (n *named) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context()) // a RoundTripper must not change its request
	out.Header.Set("User-Agent", n.agent)
	return n.next.RoundTrip(out)
}
