package doctor

import (
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

func TestStreams(t *testing.T) {
	w := healthyWorld(t)
	filters := `{"mode":"and","filters":[{"key":["entity_type"],"values":["Indicator"]},{"key":["pattern_type"],"values":["stix"]}],"filterGroups":[]}`
	for i, s := range []octisim.Stream{
		{Name: "live one", Filters: &filters, Live: true},
		{Name: "stopped one", Filters: &filters},
		{Name: "bare one", Live: true},
		{Name: "broken \x1b[31m one", Filters: new(`{"entity_type":[{"id":"Indicator"}]}`), Live: true},
	} {
		s.ID = id(10 + i)
		w.octi.PutStream(s)
	}
	stream := func(n int, env ...string) *diagnosis {
		return examined(t, w, nil, append(env, "CONNECTOR_LIVE_STREAM_ID="+id(n))...)
	}
	f := stream(10, "HARFANGSYNC_MIN_SCORE=70", "HARFANGSYNC_LABELS=edr", "HARFANGSYNC_EXCLUDE_LABELS=test", "HARFANGSYNC_MAX_TLP=amber")
	f.failures(exit.OK)
	f.want("opencti.stream", isOK, `"live one" is started`)
	f.want("opencti.filter", isOK, "the stream lets through: type is Indicator and pattern type is stix; and of that: ", "score at least 70, one of the labels edr, none of the labels test, at most TLP:AMBER")
	f.want("opencti.indicators", isWarn, "no indicator passes") // its score is 60
	if strings.Contains(f.by["opencti.filter"].Detail, "flagged") {
		t.Error("the stream's filter decides on detection")
	}
	f = stream(11)
	f.failures(exit.OK)
	f.want("opencti.stream", isWarn, "stopped", "start it")
	f.want("opencti.indicators", isOK, "1 indicator passes")
	f = stream(12)
	f.failures(exit.OK)
	f.want("opencti.filter", isOK, "the stream has no filters", "flagged for detection")
	f = stream(13)
	f.failures(exit.Usage, "opencti.stream")
	f.want("opencti.stream", isFail, "cannot be understood", "save the stream once more")
	f.want("opencti.filter", skipped)
	f = stream(14)
	f.failures(exit.Usage, "opencti.stream")
	f.want("opencti.stream", isFail, "OpenCTI knows no stream", "leave connector.live_stream_id empty")
	if strings.ContainsAny(f.out, "\x1b") {
		t.Error("the name of a stream writes to the terminal")
	}
}

func TestPagesAreTried(t *testing.T) {
	w := healthyWorld(t)
	for i := range 9 {
		w.put(20 + i)
	}
	f := examined(t, w, nil, "HARFANGSYNC_PAGE_SIZE=5")
	f.want("opencti.page_size", isOK, "pages of 5 come whole")
	f = examined(t, w, nil)
	f.want("opencti.page_size", skipped, "OpenCTI holds 10 indicators")
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.PageCap = 4 })
	f = examined(t, w, nil)
	f.want("opencti.page_size", isWarn, "cuts pages of 500 at 4", "set sync.page_size to 4")
	f.failures(exit.OK)
}

func TestHarfangLabsListsAndRights(t *testing.T) {
	w := healthyWorld(t)
	id, err := w.hl.AddSource("sigma", "from_OpenCTI")
	if err != nil {
		t.Fatal(err)
	}
	w.hl.DisableSource("sigma", id)
	w.hl.HTTP.Forget()
	f := examined(t, w, nil)
	f.failures(exit.OK)
	f.want("harfanglab.list.sigma", isWarn, "is disabled", "enable it in the console")

	f = examined(t, w, nil, "HARFANGLAB_TOKEN=other")
	f.failures(exit.Side, "harfanglab.account")
	f.want("harfanglab.account", isFail, "401", "check the token")
	f.want("opencti.account", isOK)

	_ = w.hl.HTTP.Fail(simhttp.Fault{Path: "YaraSource", Do: simhttp.Answer, Status: 403, Payload: `{"detail": "no permission"}`})
	f = examined(t, w, nil)
	f.failures(exit.Side, "harfanglab.list.yara")
	f.want("harfanglab.account", isOK)
	f.want("harfanglab.list.yara", isFail, "may not read yara lists: 403 no permission", "permissions to view")
	f.want("harfanglab.list.ioc", isOK)
	w.hl.HTTP.Heal()

	// A manager that tells its version to everybody, and alerts that may be read.
	_ = w.hl.HTTP.Fail(simhttp.Fault{Path: "/api/version", Do: simhttp.Answer, Payload: `{"version": "24.12"}`})
	f = examined(t, w, nil, "HARFANGLAB_TOKEN=other")
	f.failures(exit.Side, "harfanglab.account")
	f.want("harfanglab.version", isOK, "24.12")
	_ = w.hl.HTTP.Fail(simhttp.Fault{Path: "/alert/Alert/", Do: simhttp.Answer, Payload: `{"count": 0, "next": null, "results": []}`})
	f = examined(t, w, nil, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true")
	f.failures(exit.OK)
	f.want("harfanglab.alerts", isOK)
	w.hl.HTTP.Heal()

	// Telemetry, which only an impact needs, and which no run fails for.
	f = examined(t, w, nil, "HARFANGSYNC_IMPACT=report")
	f.failures(exit.OK)
	f.want("harfanglab.telemetry", isWarn, "none of these in the last day: process starts, connections, DNS resolutions, driver loads", "let the policies send them live")
	w.hl.SeedTelemetry()
	f = examined(t, w, nil, "HARFANGSYNC_IMPACT=report")
	f.want("harfanglab.telemetry", isOK, "telemetry can be read")
	for _, path := range []string{"/endpoint/Policy/", "/telemetry/DriverLoad/"} {
		_ = w.hl.HTTP.Fail(simhttp.Fault{Path: path, Do: simhttp.Answer, Status: 403, Payload: `{"detail": "no"}`})
		f = examined(t, w, nil, "HARFANGSYNC_IMPACT=report")
		f.failures(exit.OK)
		f.want("harfanglab.telemetry", isWarn, path, "check the token and its right to view telemetry and endpoints")
		w.hl.HTTP.Heal()
	}

	_ = w.hl.HTTP.Fail(simhttp.Fault{Path: "/api/", Do: simhttp.Answer, Payload: "<html>login</html>"})
	f = examined(t, w, nil)
	f.failures(exit.Side, "harfanglab.account")
	f.want("harfanglab.account", isFail, "HTML where JSON is due", "check harfanglab.url")
}

func TestSidesThatCannotBeReached(t *testing.T) {
	w := healthyWorld(t)
	f := examined(t, w, nil, "OPENCTI_URL=http://127.0.0.1:1")
	f.failures(exit.Side, "opencti.connect")
	f.want("opencti.connect", isFail, "connection refused", "check opencti.url")
	f.want("opencti.account", skipped)
	f.want("harfanglab.account", isOK)

	unknown := func(d *Doctor) {
		d.lookup = func(_ context.Context, host string) ([]string, error) {
			if host == "localhost" {
				return []string{"127.0.0.1", "::1"}, nil
			}
			return nil, errors.New("no such host")
		}
	}
	named := strings.Replace(w.hlURL, "127.0.0.1", "localhost", 1)
	f = examined(t, w, unknown, "HARFANGLAB_URL="+named)
	f.want("harfanglab.dns", isOK, "localhost is 127.0.0.1, ::1")
	f = examined(t, w, func(d *Doctor) {
		d.lookup = func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }
	}, "HARFANGLAB_URL="+named)
	f.failures(exit.OK) // it answers all the same
	f.want("harfanglab.dns", isWarn, "the name localhost does not resolve: no such host; the API answers all the same")

	// Only the API is let through.
	_ = w.octi.HTTP.Fail(simhttp.Fault{Method: "GET", Do: simhttp.Reset})
	f = examined(t, w, nil)
	f.failures(exit.OK)
	f.want("opencti.connect", isWarn, "the API answers all the same")
}

func TestClocks(t *testing.T) {
	for _, tt := range []struct {
		name  string
		ahead time.Duration
		age   string // of an answer from a cache
		s     status
		words string
		code  int
	}{
		{"equal", 0, "", isOK, "agree within", exit.OK},
		{"a little off", 30 * time.Second, "", isOK, "agree within", exit.OK},
		{"ahead", 95 * time.Second, "", isWarn, "ahead of ours", exit.OK},
		{"behind", -95 * time.Second, "", isWarn, "behind ours", exit.OK},
		{"far off", -time.Hour, "", isFail, "1h0m", exit.Side},
		{"a cache tells the time of another answer", time.Hour, "3600", skipped, "named its time", exit.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Date", time.Now().Add(tt.ahead).UTC().Format(http.TimeFormat))
				if tt.age != "" {
					rw.Header().Set("Age", tt.age)
				}
				w.octi.ServeHTTP(rw, r)
			}))
			defer s.Close()
			f := examined(t, w, nil, "OPENCTI_URL="+s.URL)
			f.want("opencti.clock", tt.s, tt.words)
			if f.doctor.Code() != tt.code {
				t.Errorf("code %d, want %d", f.doctor.Code(), tt.code)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	w := healthyWorld(t)
	s := httptest.NewUnstartedServer(w.octi)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // handshakes that we refuse
	s.StartTLS()
	defer s.Close()
	dir := t.TempDir()
	bundle, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	for path, content := range map[string][]byte{bundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), empty: []byte("nothing")} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ends := s.Certificate().NotAfter
	at := func(when time.Time) func(*Doctor) {
		return func(d *Doctor) { d.now = func() time.Time { return when } }
	}
	url, trusted := "OPENCTI_URL="+s.URL, "OPENCTI_CA_BUNDLE="+bundle
	named := strings.Replace(url, "127.0.0.1", "localhost", 1) // a name that the certificate lacks

	f := examined(t, w, nil, url)
	f.failures(exit.Side, "opencti.tls")
	f.want("opencti.tls", isFail, "unknown authority", "set opencti.ca_bundle")
	f.want("opencti.account", skipped, "see above")

	f = examined(t, w, nil, url, trusted)
	f.failures(exit.OK)
	f.want("opencti.tls", isOK, "certificate of", "ends in ", "1 of opencti.ca_bundle")
	f.want("opencti.account", isOK)

	f = examined(t, w, nil, named, trusted)
	f.want("opencti.tls", isFail, "not localhost", "use a name in opencti.url")

	f = examined(t, w, at(ends.Add(-5*24*time.Hour)), url, trusted)
	f.want("opencti.tls", isWarn, "ends in 5 days", "replace the certificate in time")
	f = examined(t, w, at(ends.Add(time.Hour)), url, trusted)
	f.want("opencti.tls", isFail, "expired", "replace the certificate")

	f = examined(t, w, nil, url, "OPENCTI_SSL_VERIFY=false")
	f.failures(exit.OK)
	f.want("opencti.tls", isWarn, "ssl_verify is off", "would not be accepted", "set opencti.ca_bundle")
	f.want("opencti.account", isOK)

	f = examined(t, w, nil, url, "OPENCTI_CA_BUNDLE="+filepath.Join(dir, "none.pem"))
	f.failures(exit.Usage, "settings.opencti.ca_bundle", "opencti.tls")
	f = examined(t, w, nil, url, "OPENCTI_CA_BUNDLE="+empty)
	f.failures(exit.Usage, "settings.opencti.ca_bundle", "opencti.tls")
	f.want("settings.opencti.ca_bundle", isFail, "holds no certificate")

	f = examined(t, w, nil, strings.Replace(url, "https", "http", 1))
	f.want("opencti.connect", isOK) // a server that says what it is
	f = examined(t, w, nil, strings.Replace("OPENCTI_URL="+w.octiURL, "http", "https", 1))
	f.failures(exit.Side, "opencti.connect")
	f.want("opencti.connect", isFail, "no answer from ")
}

func TestStateAndLock(t *testing.T) {
	w := healthyWorld(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "state.json")
	write := func(text string) {
		t.Helper()
		if err := state.WriteFile(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	inFile := "HARFANGSYNC_STATE=file:" + file
	f := examined(t, w, nil, inFile)
	f.failures(exit.OK)
	f.want("state.memory", isOK, "nothing is remembered in "+file)
	f.want("state.lock", isOK, "is free")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("a doctor made %v, %v", left, err)
	}
	write("{torn")
	examined(t, w, nil, inFile).want("state.memory", isWarn, "damaged")
	write(state.Document{LastGood: reconcile.LastGood{At: time.Now().AddDate(1, 0, 0)}}.Text())
	examined(t, w, nil, inFile).want("state.memory", isWarn, "yet to come, and not believed")
	write(state.Document{LastGood: reconcile.LastGood{At: time.Now().Add(-30 * 24 * time.Hour), Sources: map[reconcile.Kind]int{reconcile.IOC: 3}}}.Text())
	examined(t, w, nil, inFile).want("state.memory", isWarn, "30 days ago", "with 3 indicators")

	release, err := state.LockFile(t.Context(), file, ".lock", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	examined(t, w, nil, inFile).want("state.lock", isWarn, "another run holds the lock")
	release()
	examined(t, w, nil, inFile).want("state.lock", isOK, "is free")

	f = examined(t, w, nil, "HARFANGSYNC_STATE=file:"+filepath.Join(dir, "no", "state.json"))
	f.failures(exit.Usage, "state.memory")
	f = examined(t, w, nil, "HARFANGSYNC_STATE=file:"+dir)
	f.failures(exit.Usage, "state.memory")

	// In OpenCTI, where another run has a lease.
	var doc state.Document
	doc.Leases = map[string]state.Lease{"k": {Holder: "x", Until: time.Now().Add(20 * time.Second)}}
	w.store(t, doc.Text())
	f = examined(t, w, nil)
	f.failures(exit.OK)
	f.want("state.lock", isWarn, "another run holds the lock in OpenCTI: a run, until ")
	f.want("state.memory", isOK, "no run has ended with code 0")
	f = examined(t, w, func(d *Doctor) { d.now = func() time.Time { return time.Now().Add(2 * time.Minute) } })
	f.want("state.lock", isOK, "is free")
	w.store(t, "{torn")
	f = examined(t, w, nil)
	f.want("state.memory", isWarn, "damaged")
	f = examined(t, w, nil, inFile, "HARFANGSYNC_LOCK=opencti")
	f.want("state.memory", isWarn, "30 days")
	f.want("state.lock", isOK, "is free") // a damaged state holds no lease
	_ = w.octi.HTTP.Fail(simhttp.Fault{Body: "ConnectorState", Do: simhttp.Answer, Status: 500, Payload: "<html>"})
	f = examined(t, w, nil)
	f.failures(exit.Side, "state.memory")
	f.want("state.lock", skipped)
}

func TestTheProxyOfTheEnvironmentIsNamed(t *testing.T) {
	w := healthyWorld(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		t.Setenv(name, "")
	}
	// The simulator is its own proxy: it looks at the path alone.
	t.Setenv("HTTP_PROXY", strings.Replace(w.octiURL, "http://", "http://user:"+hookSecret+"@", 1))
	f := examined(t, w, nil, "OPENCTI_URL=http://opencti.example")
	f.failures(exit.OK)
	f.want("opencti.proxy", isOK, "through the proxy "+w.octiURL+" of HTTP_PROXY")
	f.want("opencti.dns", isOK, "the proxy 127.0.0.1 is an address")
	f.want("opencti.tls", isWarn, "plain HTTP")
	f.want("opencti.account", isOK)
	f.want("harfanglab.proxy", isOK, "directly: NO_PROXY excepts", "one of this host")

	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	f = examined(t, w, nil, "OPENCTI_URL=https://opencti.example")
	f.failures(exit.Side, "opencti.connect")
	f.want("opencti.connect", isFail, "connection refused", "the proxy")
	t.Setenv("HTTPS_PROXY", "http://%zz")
	d := &side{Doctor: &Doctor{}, name: "opencti", url: &url.URL{Scheme: "https", Host: "opencti.example"}}
	d.checkProxy()
	if c := d.checks[0]; c.Status != isWarn || c.Detail != "HTTPS_PROXY is no address and is ignored" {
		t.Errorf("got %+v", c)
	}
}
