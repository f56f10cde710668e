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

	"harfangsync/cmd/httpclient"
)

// reach is what is known of the way to one side.
type reach struct {
	side   string // section of its settings
	title  string
	url    *url.URL // nil when the address is wrong or not set
	verify bool
	bundle string
	usable bool // its settings are right: only then anything secret is sent

	clock clock
}

// The limits of a doctor: a person is waiting.
const (
	doctorTimeout  = 20 * time.Second // for one request
	doctorAttempts = 2
	doctorMaxWait  = 5 * time.Second // when a side asks for more
)

// reachOf takes what the settings say of a side.
func (d *Doctor) reachOf(side string) *reach {
	r := &reach{side: side, title: "OpenCTI", usable: !d.broken(side)}
	address := d.Config.OpenCTI.URL
	r.verify, r.bundle = d.Config.OpenCTI.SSLVerify, d.Config.OpenCTI.CABundle
	if side == "harfanglab" {
		r.title, address = "HarfangLab", d.Config.HarfangLab.URL
		r.verify, r.bundle = d.Config.HarfangLab.SSLVerify, d.Config.HarfangLab.CABundle
	}
	if address != "" {
		r.url, _ = url.Parse(address) // which the settings have checked
	}
	return r
}

// checkWay tries everything below the API of a side: proxy, name, connection and certificate. It sends no
// credentials. ok says that something answers.
func (d *Doctor) checkWay(ctx context.Context, r *reach) (ok bool) {
	if r.url == nil {
		d.skip(r.side, "its address is not known", "proxy", "dns", "connect", "tls")
		return false
	}
	proxy := d.checkProxy(r)
	d.checkName(ctx, r, proxy)
	resp, took, err := d.hello(ctx, r)
	if err != nil {
		d.note(r.side, "connect", isFail, "no answer from "+r.url.Host+": "+err.Error(), "check "+r.side+".url with its port, the network, firewalls and the proxy")
		d.skip(r.side, "nothing answers", "tls")
		return false
	}
	d.note(r.side, "connect", isOK, fmt.Sprintf("%s answers in %s", r.url.Host, max(took.Round(time.Millisecond), time.Millisecond)), "")
	d.checkCertificate(r, resp)
	return true
}

// checkProxy says which proxy of the environment is in effect; nil is none.
func (d *Doctor) checkProxy(r *reach) *url.URL {
	env := httpproxy.FromEnvironment()
	set, name := env.HTTPSProxy, "HTTPS_PROXY"
	if r.url.Scheme == "http" {
		set, name = env.HTTPProxy, "HTTP_PROXY"
	}
	proxy, err := env.ProxyFunc()(r.url)
	_, wrong := url.Parse(set)
	switch {
	case err != nil:
		d.note(r.side, "proxy", isFail, err.Error(), "unset "+name)
	case proxy != nil: // without its credentials
		d.note(r.side, "proxy", isOK, "through the proxy "+proxy.Scheme+"://"+proxy.Host+" of "+name, "")
	case wrong != nil:
		d.note(r.side, "proxy", isWarn, name+" is no address and is ignored", "mend or unset it")
	case set != "":
		d.note(r.side, "proxy", isOK, "directly: NO_PROXY excepts this address from "+name+", or it is one of this host", "")
	default:
		d.note(r.side, "proxy", isOK, "directly: the environment names no proxy", "")
	}
	return proxy
}

// checkName resolves the name of the side, or of the proxy that does so in our place.
func (d *Doctor) checkName(ctx context.Context, r *reach, proxy *url.URL) {
	host, whose, remedy := r.url.Hostname(), "", "check the name in "+r.side+".url and the name servers of this host"
	if proxy != nil {
		host, whose, remedy = proxy.Hostname(), "the proxy ", "check the proxy's name in the environment and the name servers of this host"
	}
	if _, err := netip.ParseAddr(host); err == nil {
		d.note(r.side, "dns", isOK, whose+host+" is an address", "")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	addresses, err := d.lookup(ctx, host)
	if err != nil {
		d.note(r.side, "dns", isFail, fmt.Sprintf("the name %s does not resolve: %v", host, err), remedy)
		return
	}
	d.note(r.side, "dns", isOK, whose+host+" is "+strings.Join(addresses, ", "), "")
}

// hello sends one request without credentials, and accepts any certificate: what is wrong with it is said
// afterwards.
func (d *Doctor) hello(ctx context.Context, r *reach) (*http.Response, time.Duration, error) {
	o := d.options(r)
	o.SSLVerify, o.CABundle = false, ""
	c, err := httpclient.New(o)
	if err != nil {
		return nil, 0, err
	}
	defer c.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String()+"/", nil)
	if err != nil {
		return nil, 0, err
	}
	began := time.Now()
	resp, err := r.clock.watch(c.Transport).RoundTrip(req)
	if err != nil {
		return nil, 0, err
	}
	took := time.Since(began)
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // a page for people, as a rule
	return resp, took, resp.Body.Close()
}

func (d *Doctor) options(r *reach) httpclient.Options {
	o := httpclient.Options{Platform: httpclient.GraphQL, SSLVerify: r.verify, CABundle: r.bundle, Parallelism: 1, RateLimit: d.Config.Sync.RateLimit,
		Timeout: doctorTimeout, ReadOnly: true, Log: d.Log, Version: d.Version}
	if r.side == "harfanglab" {
		o.Platform = httpclient.REST
	}
	if t := d.Config.Sync.RequestTimeout; t > 0 {
		o.Timeout = min(t, doctorTimeout)
	}
	if d.RetryWait != nil {
		o.MostGap = d.RetryWait(0)
	}
	return o
}

// dial makes the client that the adapter of a side gets. It cannot write.
func (d *Doctor) dial(r *reach) (*http.Client, error) {
	c, err := httpclient.New(d.options(r))
	if err != nil {
		return nil, err
	}
	d.clients = append(d.clients, c)
	hc := *c.Client
	hc.Transport = r.clock.watch(hc.Transport)
	return &hc, nil
}

// checkClock compares our clock with what the side's answers say.
func (d *Doctor) checkClock(r *reach) {
	const (
		most   = 5 * time.Minute // more than the validity dates of indicators and the overlap of reads bear
		remark = time.Minute
	)
	skew, known := r.clock.skew()
	if !known {
		d.note(r.side, "clock", skipped, "no answer named its time", "")
		return
	}
	ahead := fmt.Sprintf("%s's clock is %s ahead of ours", r.title, skew.Abs())
	if skew < 0 {
		ahead = fmt.Sprintf("%s's clock is %s behind ours", r.title, skew.Abs())
	}
	const remedy = "synchronise both clocks (NTP)"
	switch {
	case skew.Abs() > most:
		d.note(r.side, "clock", isFail, ahead+": validity dates would be judged wrongly", remedy)
	case skew.Abs() > remark:
		d.note(r.side, "clock", isWarn, ahead, remedy)
	default:
		d.note(r.side, "clock", isOK, fmt.Sprintf("%s's clock and ours agree within %s", r.title, max(skew.Abs(), time.Second)), "")
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
