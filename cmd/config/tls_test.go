package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
)

// certificate is one that signs itself, and its key, both as PEM text.
func certificate(t *testing.T, ends time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sample := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: ends.Add(-time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, sample, sample, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", der), text("PRIVATE KEY", pkcs8)
}

func TestTheCertificateThatWeShow(t *testing.T) {
	now := time.Now()
	cert, key := certificate(t, now.Add(time.Hour))
	_, otherKey := certificate(t, now.Add(time.Hour))
	old, oldKey := certificate(t, now.Add(-time.Hour))
	f := files{"/cert": cert, "/key": key, "/other": otherKey, "/old": old, "/oldkey": oldKey}
	for _, tt := range []struct{ name, cert, key, problem string }{
		{"none", "", "", ""},
		{"a pair", "/cert", "/key", ""},
		{"a certificate alone", "/cert", "", "opencti.client_cert: is set, but its key is not (environment OPENCTI_CLIENT_CERT); set OPENCTI_CLIENT_KEY in the environment, or opencti.client_key in config.yml"},
		{"a key alone", "", "/key", "opencti.client_key: is set, but its certificate is not (environment OPENCTI_CLIENT_KEY); set OPENCTI_CLIENT_CERT in the environment, or opencti.client_cert in config.yml"},
		{"a file that is not there", "/none", "/key", "opencti.client_cert: a file of the pair cannot be read: /none: file does not exist (environment OPENCTI_CLIENT_CERT)"},
		{"the text of a key", "/cert", key, "opencti.client_key: is no name of a file (environment OPENCTI_CLIENT_KEY); write the certificate, or the key, to a file and name that"},
		{"that in one line", "/cert", strings.ReplaceAll(key, "\n", " "), "opencti.client_key: is no name of a file (environment OPENCTI_CLIENT_KEY); write the certificate, or the key, to a file and name that"},
		{"a key without its frame", "/cert", "MIIEvQIBADANBgkqhkiG", "opencti.client_cert: a file of the pair cannot be read: a name that is no whole path, and is not shown since it may be the secret itself: file does not exist (environment OPENCTI_CLIENT_CERT)"},
		{"another's key", "/cert", "/other", "opencti.client_cert: and its key (opencti.client_key) are no pair: private key does not match public key (environment OPENCTI_CLIENT_CERT); name a certificate and its own unencrypted key, both in PEM form"},
		{"a certificate that has ended", "/old", "/oldkey", "opencti.client_cert: ended on " + now.Add(-time.Hour).UTC().Format(time.DateOnly) + " (environment OPENCTI_CLIENT_CERT); have it renewed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Load(config.Sources{Env: []string{"OPENCTI_CLIENT_CERT=" + tt.cert, "OPENCTI_CLIENT_KEY=" + tt.key}, ReadFile: f.read})
			if got := errorText(err); got != tt.problem {
				t.Errorf("got  %s\nwant %s", got, tt.problem)
			}
			if err != nil {
				return
			}
			if shown := len(c.OpenCTI.TLS.Client().Certificates); (shown == 1) != (tt.cert != "") || len(c.HarfangLab.TLS.Client().Certificates) != 0 {
				t.Errorf("%d certificates are shown", shown)
			}
		})
	}
}

// The names by which compose files say which authorities to trust.
func TestAuthoritiesByOtherNames(t *testing.T) {
	ends := time.Now().Add(time.Hour)
	ours, _ := certificate(t, ends)
	theirs, _ := certificate(t, ends)
	f := files{"/ours.pem": ours, "/theirs.pem": theirs}
	for _, tt := range []struct {
		name, env string
		opencti   string // the text that is trusted
		manager   string
		origin    string // of the manager's
	}{
		{"none", "", "", "", "not set"},
		{"for both sides", "HTTPS_CA_CERTIFICATES=/theirs.pem", theirs, theirs, "environment HTTPS_CA_CERTIFICATES"},
		{"a setting of ours wins, on its side", "HTTPS_CA_CERTIFICATES=/theirs.pem\nOPENCTI_CA_BUNDLE=/ours.pem", ours, theirs, "environment HTTPS_CA_CERTIFICATES"},
		{"the first of two", "REQUESTS_CA_BUNDLE=/ours.pem\nHTTPS_CA_CERTIFICATES=/theirs.pem", theirs, theirs, "environment HTTPS_CA_CERTIFICATES"},
		{"the text itself, with its line ends written out", "REQUESTS_CA_BUNDLE=" + strings.ReplaceAll(theirs, "\n", `\n`), theirs, theirs, "environment REQUESTS_CA_BUNDLE"},
		{"in quotes", `HTTPS_CA_CERTIFICATES="/theirs.pem"`, theirs, theirs, "environment HTTPS_CA_CERTIFICATES"},
		{"none where nothing is checked, and no word of it", "HTTPS_CA_CERTIFICATES=/none.pem\nHARFANGLAB_SSL_VERIFY=false\nOPENCTI_SSL_VERIFY=no", "", "", "environment HTTPS_CA_CERTIFICATES"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Load(config.Sources{Env: lines(tt.env), ReadFile: f.read})
			if err != nil {
				t.Fatal(err)
			}
			if quotes := strings.Contains(tt.env, `"`); len(c.Warnings) > 0 != quotes {
				t.Errorf("warnings %q", c.Warnings)
			}
			for side, trusted := range map[*config.TLS]string{&c.OpenCTI.TLS: tt.opencti, &c.HarfangLab.TLS: tt.manager} {
				got := ""
				for _, a := range side.Authorities {
					got += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Raw}))
				}
				if got != trusted {
					t.Errorf("trusted is\n%s\nwant\n%s", got, trusted)
				}
			}
			for _, e := range c.Effective() {
				if e.Setting == "harfanglab.ca_bundle" && e.Origin.String() != tt.origin {
					t.Errorf("origin %s, want %s", e.Origin, tt.origin)
				}
			}
		})
	}
	_, key := certificate(t, ends)
	_, err := config.Load(config.Sources{Env: []string{"OPENCTI_CA_BUNDLE=" + ours + key}, ReadFile: f.read})
	if err == nil || err.Error() != "opencti.ca_bundle: holds a private key (environment OPENCTI_CA_BUNDLE); write the certificates of authorities alone" {
		t.Errorf("got %v", err)
	}
	_, err = config.Load(config.Sources{Env: []string{"HTTPS_CA_CERTIFICATES=-----BEGIN NOTHING-----"}, ReadFile: f.read})
	if err == nil || strings.Contains(err.Error(), "BEGIN NOTHING") || !strings.Contains(err.Error(), "holds no certificate (environment HTTPS_CA_CERTIFICATES)") {
		t.Errorf("got %v", err)
	}
}

func TestCustomHeaders(t *testing.T) {
	c, err := load("", "OPENCTI_CUSTOM_HEADERS=x-api-key: s3cret; Cf-Access : x:y ;")
	if err != nil {
		t.Fatal(err)
	}
	if h := c.OpenCTI.Headers(); len(h) != 2 || h.Get("X-Api-Key") != "s3cret" || h.Get("Cf-Access") != "x:y" {
		t.Errorf("got %v", h)
	}
	if strings.Contains(printed(t, c), "s3cret") {
		t.Error("a value is printed")
	}
	_, err = load("", "OPENCTI_CUSTOM_HEADERS=X-Api-Key: s3cret; s3cret")
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a value is in %v", err)
	}
}
