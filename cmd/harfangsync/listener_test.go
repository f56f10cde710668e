package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/metrics"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// served is what a process answers where its log says that it listens; 0 while it does not.
func served(log, path string) (code int, body string) {
	b, _ := os.ReadFile(log)
	m := regexp.MustCompile(`"address":"([^"]+)"`).FindSubmatch(b)
	if m == nil {
		return 0, ""
	}
	resp, err := http.Get("http://" + string(m[1]) + path)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// A tail and repeated runs serve on loopback the metrics that they write to a file, and their health.
func TestWhatGoesOnServesItsMetrics(t *testing.T) {
	for _, args := range [][]string{{"tail"}, {"run", "--every", "1h"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			w := newChaosWorld(t)
			w.stix(1, domainPattern("first.example"))
			w.octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
			dir := t.TempDir()
			text, log := filepath.Join(dir, "harfangsync.prom"), filepath.Join(dir, "log")
			w.env = append(w.env, "CONNECTOR_LIVE_STREAM_ID="+demoStream, "HARFANGSYNC_LISTEN=:0", "HARFANGSYNC_METRICS_TEXTFILE="+text)
			cmd := w.logged(t, log, append(args, "--log-format", "json")...)
			until(t, "its health", func() bool {
				code, body := served(log, "/healthz")
				return code == http.StatusOK && strings.HasPrefix(body, "ok: in sync ")
			})
			until(t, "the metrics of the file", func() bool {
				_, body := served(log, "/metrics")
				want, _ := os.ReadFile(text)
				return body == string(want) && strings.Contains(body, "\nharfangsync_in_sync 1\n")
			})
			if b, _ := os.ReadFile(log); !strings.Contains(string(b), `"address":"127.0.0.1:`) {
				t.Errorf("not on loopback:\n%s", b)
			}
			_ = cmd.Process.Signal(syscall.SIGTERM)
			if code := exitOf(t, cmd.Wait()); code != exit.Signal+int(syscall.SIGTERM) {
				t.Errorf("code %d", code)
			}
		})
	}
}

// An address that is taken is a mistake of the settings; a command that ends listens nowhere.
func TestListensWhereItMayAlone(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	w := newChaosWorld(t)
	w.env = append(w.env, "HARFANGSYNC_LISTEN="+ln.Addr().String())
	if out := w.must(t, exit.Usage, "run", "--every", "1h"); !strings.Contains(out, "sync.listen: listen tcp 127.0.0.1:") {
		t.Errorf("it is not said why:\n%s", out)
	}
	w.must(t, exit.OK, "run")
}

// A lock that was lost shows in the health of what held it, once its renewal has found out.
func TestTheHealthKnowsOfALostLock(t *testing.T) {
	t.Parallel()
	w := newLeasedWorld(t, 1)
	p := w.program(io.Discard, io.Discard)
	p.listener = &listener{}
	p.listener.Expect(time.Hour)
	p.listener.Publish(&metrics.Report{LastSuccess: time.Now()})
	health := func() int {
		rec := httptest.NewRecorder()
		p.listener.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		return rec.Code
	}
	err := p.on(t.Context(), &shaping{command: "run"}, false, func(context.Context, *target) error {
		if code := health(); code != http.StatusOK {
			t.Errorf("%d with the lock", code)
		}
		if err := w.store("{}"); err != nil { // an administrator resets the state
			t.Error(err)
		}
		until(t, "the loss of the lock", func() bool { return health() == http.StatusServiceUnavailable })
		return nil
	})
	if code := p.code(err); code != exit.Partly {
		t.Errorf("code %d: %v", code, err)
	}
	if code := health(); code != http.StatusOK {
		t.Errorf("%d after the run, with no lock to lose", code)
	}
}
