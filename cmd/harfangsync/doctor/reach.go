package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
)

// The limits of a doctor: a person is waiting.
const (
	doctorTimeout  = 20 * time.Second // for one request
	doctorAttempts = 2
	doctorMaxWait  = 5 * time.Second // when a side asks for more
)

// checkWay tries everything below the API of a side: proxy, name, connection and certificate. It sends no
// credentials.
func (s *side) checkWay(ctx context.Context) {
	if s.url == nil {
		s.skip("its address is not known", "proxy", "dns", "connect", "tls")
		return
	}
	proxy := s.checkProxy()
	s.checkName(ctx, proxy)
	resp, took, err := s.hello(ctx)
	if err != nil {
		s.fail("connect", "no answer from "+s.url.Host+": "+err.Error(), "check "+s.name+".url with its port, the network, firewalls and the proxy")
		s.skip("nothing answers", "tls")
		return
	}
	s.ok("connect", fmt.Sprintf("%s answers in %s", s.url.Host, max(took.Round(time.Millisecond), time.Millisecond)))
	s.checkCertificate(resp)
}

// checkProxy says which proxy of the environment is in effect; nil is none.
func (s *side) checkProxy() *url.URL {
	env := httpproxy.FromEnvironment()
	set, name := env.HTTPSProxy, "HTTPS_PROXY"
	if s.url.Scheme == "http" {
		set, name = env.HTTPProxy, "HTTP_PROXY"
	}
	proxy, err := env.ProxyFunc()(s.url)
	_, wrong := url.Parse(set)
	switch {
	case err != nil:
		s.fail("proxy", err.Error(), "unset "+name)
	case proxy != nil: // without its credentials
		s.ok("proxy", "through the proxy "+proxy.Scheme+"://"+proxy.Host+" of "+name)
	case wrong != nil:
		s.warn("proxy", name+" is no address and is ignored", "mend or unset it")
	case set != "":
		s.ok("proxy", "directly: NO_PROXY excepts this address from "+name+", or it is one of this host")
	default:
		s.ok("proxy", "directly: the environment names no proxy")
	}
	return proxy
}

// checkName resolves the name of the side, or of the proxy that does so in our place.
func (s *side) checkName(ctx context.Context, proxy *url.URL) {
	host, whose, remedy := s.url.Hostname(), "", "check the name in "+s.name+".url and the name servers of this host"
	if proxy != nil {
		host, whose, remedy = proxy.Hostname(), "the proxy ", "check the proxy's name in the environment and the name servers of this host"
	}
	if _, err := netip.ParseAddr(host); err == nil {
		s.ok("dns", whose+host+" is an address")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	addresses, err := s.lookup(ctx, host)
	if err != nil {
		s.fail("dns", fmt.Sprintf("the name %s does not resolve: %v", host, err), remedy)
		return
	}
	s.ok("dns", whose+host+" is "+strings.Join(addresses, ", "))
}

// hello sends one request without credentials, and accepts any certificate: what is wrong with it is said
// afterwards.
func (s *side) hello(ctx context.Context) (*http.Response, time.Duration, error) {
	o := s.options()
	o.TLS.InsecureSkipVerify, o.Headers = true, nil
	c := httpclient.New(o)
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String()+"/", nil)
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	resp, err := s.clock.watch(c.Transport).RoundTrip(req)
	if err != nil {
		return nil, 0, err
	}
	took := time.Since(began)
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // a page for people, as a rule
	return resp, took, resp.Body.Close()
}

func (s *side) options() httpclient.Options {
	o := httpclient.Options{Platform: httpclient.GraphQL, TLS: s.tls.Client(), Parallelism: 1, RateLimit: s.Config.Sync.RateLimit,
		Timeout: doctorTimeout, ReadOnly: true, Log: s.Log, Version: s.Version}
	if s.name == "harfanglab" {
		o.Platform = httpclient.REST
	} else if s.usable {
		o.Headers = s.Config.OpenCTI.Headers()
	}
	if t := s.Config.Sync.RequestTimeout; t > 0 {
		o.Timeout = min(t, doctorTimeout)
	}
	if s.RetryWait != nil {
		o.MostGap = s.RetryWait(0)
	}
	return o
}

// dial makes the client that the adapter of a side gets. It cannot write.
func (s *side) dial() *http.Client {
	c := httpclient.New(s.options())
	s.clients = append(s.clients, c)
	hc := *c.Client
	hc.Transport = s.clock.watch(hc.Transport)
	return &hc
}

// checkClock compares our clock with what the side's answers say.
func (s *side) checkClock() {
	const (
		most   = 5 * time.Minute // more than the validity dates of indicators and the overlap of reads bear
		remark = time.Minute
	)
	skew, known := s.clock.skew()
	if !known {
		s.pass("clock", "no answer named its time")
		return
	}
	ahead := fmt.Sprintf("%s's clock is %s ahead of ours", s.title, skew.Abs())
	if skew < 0 {
		ahead = fmt.Sprintf("%s's clock is %s behind ours", s.title, skew.Abs())
	}
	const remedy = "synchronise both clocks (NTP)"
	switch {
	case skew.Abs() > most:
		s.fail("clock", ahead+": validity dates would be judged wrongly", remedy)
	case skew.Abs() > remark:
		s.warn("clock", ahead, remedy)
	default:
		s.ok("clock", fmt.Sprintf("%s's clock and ours agree within %s", s.title, max(skew.Abs(), time.Second)))
	}
}

// clock learns a side's time from the Date of its answers. It believes the quickest answer; one from a
// cache tells the time of another.
type clock struct {
	mu    sync.Mutex
	known bool
	took  time.Duration
	off   time.Duration
}

func (c *clock) watch(next http.RoundTripper) http.RoundTripper { return &watched{next, c} }

// skew is how far the side's clock is ahead of ours, to the second.
func (c *clock) skew() (ahead time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off.Round(time.Second), c.known
}

type watched struct {
	next  http.RoundTripper
	clock *clock
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || resp.Header.Get("Age") != "" {
		return resp, nil
	}
	c := w.clock
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known || took < c.took {
		const half = 500 * time.Millisecond // a Date has whole seconds, cut
		c.known, c.took, c.off = true, took, at.Add(half).Sub(began.Add(took/2))
	}
	return resp, nil
}

// remedyOf a certificate that is not accepted.
func remedyOf(side string, err error) string {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "set " + side + ".ca_bundle to the file of the authority that signed it"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "use a name in " + side + ".url that the certificate has"
	}
	return "replace the certificate"
}
