package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
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
	roots, beside, err := authorities(s.bundle)
	if err != nil {
		s.fail("tls", err.Error(), "let "+s.name+".ca_bundle name a readable file with certificates in PEM form")
		return
	}
	o := x509.VerifyOptions{DNSName: s.url.Hostname(), Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: s.now()}
	for _, c := range shown[1:] {
		o.Intermediates.AddCert(c)
	}
	chains, err := shown[0].Verify(o)
	switch {
	case !s.verify && err != nil:
		s.warn("tls", fmt.Sprintf("%s.ssl_verify is off, so whoever is in between may read the token; the certificate would not be accepted: %v", s.name, err), remedyOf(s.name, err)+", and set "+s.name+".ssl_verify to true")
	case !s.verify:
		s.warn("tls", s.name+".ssl_verify is off, so whoever is in between may read the token; the certificate would be accepted", "set "+s.name+".ssl_verify to true")
	case err != nil:
		s.fail("tls", "the certificate is not accepted: "+err.Error(), remedyOf(s.name, err))
	default:
		s.chain(chains[0], beside)
	}
}

// chain notes a certificate that is accepted, who vouches for it, and when that ends.
func (s *side) chain(chain []*x509.Certificate, beside int) {
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
	detail += fmt.Sprintf("; ends in %d days (%s)", int(left.Hours()/24), ends.UTC().Format(time.DateOnly))
	if beside > 0 {
		detail += fmt.Sprintf("; %d authorities of %s.ca_bundle are trusted beside the system's", beside, s.name)
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

// authorities are the system's, and those of a bundle unless it is ""; beside counts the latter.
func authorities(bundle string) (roots *x509.CertPool, beside int, err error) {
	if roots, err = x509.SystemCertPool(); err != nil {
		roots = x509.NewCertPool() // a container without authorities of its own
	}
	if bundle == "" {
		return roots, 0, nil
	}
	content, err := os.ReadFile(bundle)
	if err != nil {
		return nil, 0, err
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); block.Type == "CERTIFICATE" && err == nil {
			roots.AddCert(c)
			beside++
		}
	}
	if beside == 0 {
		return nil, 0, fmt.Errorf("%s holds no certificate in PEM form", bundle)
	}
	return roots, beside, nil
}
