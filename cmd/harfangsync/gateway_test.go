package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// ownCertificate makes a certificate for us, and names the files of it and of its key.
func ownCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sample := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, sample, sample, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pemFile(t, "CERTIFICATE", der), pemFile(t, "PRIVATE KEY", pkcs8)
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Something stands in front of each side that asks for a certificate of ours, and of OpenCTI for a header.
func TestGatewaysInFrontOfBothSides(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.stix(1, "[domain-name:value = 'a.example']")
	front := func(sim http.Handler, header string) (url, authority string) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("X-Gateway"); got != header {
				http.Error(rw, "no entry with "+got, http.StatusForbidden)
				return
			}
			sim.ServeHTTP(rw, r)
		}))
		s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL, pemFile(t, "CERTIFICATE", s.Certificate().Raw)
	}
	var authority string
	w.octiURL, authority = front(w.octi, "s3cret")
	w.hlURL, _ = front(w.hl, "") // no header of OpenCTI's
	cert, key := ownCertificate(t)
	bare := []string{"HTTPS_CA_CERTIFICATES=" + authority}
	sure := append(bare, "OPENCTI_CLIENT_CERT="+cert, "OPENCTI_CLIENT_KEY="+key, "HARFANGLAB_CLIENT_CERT="+cert, "HARFANGLAB_CLIENT_KEY="+key)

	w.env = bare
	if out := w.must(t, exit.Side, "run"); !strings.Contains(out, "check opencti.client_cert and opencti.client_key") {
		t.Errorf("without a certificate: %s", out)
	}
	w.env = append(sure, "OPENCTI_CUSTOM_HEADERS=X-Gateway: s3kr3t-of-old")
	if out := w.must(t, exit.Side, "run"); !strings.Contains(out, "no entry with ***") {
		t.Errorf("with another header: %s", out)
	}
	w.env = append(sure, "OPENCTI_CUSTOM_HEADERS=X-Gateway: s3cret")
	w.must(t, 0, "run")
	w.wantValues(t, "domain_name a.example")
}
