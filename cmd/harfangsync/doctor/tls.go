package doctor

import (
	"crypto/x509"
	"fmt"
	"github.com/harfangsync/harfangsync/reconcile"
	"net"
	"net/http"
	"strings"
	"time"
)

// soon is how long before its end a certificate should have been replaced.
const soon = 14 * 24 * time.Hour

// checkCertificate judges the certificates that a side showed, as a run would.
func (s *side) checkCertificate(resp *http.Response) {
	if s.url.Scheme == "http" {
		if ip := net.ParseIP(s.url.Hostname()); s.url.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			s.ok("tls", "plain HTTP, on this host alone")
			return
		}
		s.warn("tls", "plain HTTP: whoever is in between may read the token", "use https in "+s.name+".url")
		return
	}
	if resp.TLS == nil || len(resp.TLS.PeerCertificates) == 0 {
		s.fail("tls", "no certificate was shown", "check what is in front of "+s.title)
		return
	}
	shown := resp.TLS.PeerCertificates
	o := x509.VerifyOptions{DNSName: s.url.Hostname(), Roots: s.tls.Client().RootCAs, Intermediates: x509.NewCertPool(), CurrentTime: s.now()}
	for _, c := range shown[1:] {
		o.Intermediates.AddCert(c)
	}
	chains, err := shown[0].Verify(o)
	switch {
	case !s.tls.SSLVerify && err != nil:
		s.warn("tls", fmt.Sprintf("%s.ssl_verify is off, so whoever is in between may read the token; the certificate would not be accepted: %v", s.name, err), remedyOf(s.name, err)+", and set "+s.name+".ssl_verify to true")
	case !s.tls.SSLVerify:
		s.warn("tls", s.name+".ssl_verify is off, so whoever is in between may read the token; the certificate would be accepted", "set "+s.name+".ssl_verify to true")
	case err != nil:
		s.fail("tls", "the certificate is not accepted: "+err.Error(), remedyOf(s.name, err))
	default:
		s.chain(chains[0])
	}
}

// chain notes a certificate that is accepted, who vouches for it, and when that ends.
func (s *side) chain(chain []*x509.Certificate) {
	ends, names := chain[0].NotAfter, make([]string, 0, len(chain))
	for i, c := range chain {
		if c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
		if i > 0 {
			names = append(names, nameOf(c))
		}
	}
	left := ends.Sub(s.now())
	detail := fmt.Sprintf("certificate of %s", nameOf(chain[0]))
	if len(names) > 0 {
		detail += ", by " + strings.Join(names, ", by ")
	}
	detail += fmt.Sprintf("; ends in %s (%s)", reconcile.Count(int(left.Hours()/24), "day"), ends.UTC().Format(time.DateOnly))
	if beside := len(s.tls.Authorities); beside > 0 {
		detail += fmt.Sprintf("; beside the system's authorities, %d of %s.ca_bundle are trusted", beside, s.name)
	}
	if left < soon {
		s.warn("tls", detail, "replace the certificate in time")
		return
	}
	s.ok("tls", detail)
}

func nameOf(c *x509.Certificate) string {
	switch {
	case c.Subject.CommonName != "":
		return c.Subject.CommonName
	case len(c.DNSNames) > 0:
		return c.DNSNames[0]
	case len(c.Subject.Organization) > 0:
		return c.Subject.Organization[0]
	}
	return "an unnamed one"
}
