package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// tracesTold is what a collector was sent: its bytes, its spans and its metrics.
type tracesTold struct {
	mu      sync.Mutex
	bytes   bytes.Buffer
	spans   []*tracepb.Span
	metrics []string
}

func (c *tracesTold) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes.Write(b)
	var traces tracepb.TracesData
	var metrics metricspb.MetricsData
	switch r.URL.Path {
	case "/v1/traces":
		_ = proto.Unmarshal(b, &traces)
	case "/v1/metrics":
		_ = proto.Unmarshal(b, &metrics)
	}
	for _, res := range traces.ResourceSpans {
		c.spans = append(c.spans, res.ScopeSpans[0].Spans...)
	}
	for _, res := range metrics.ResourceMetrics {
		for _, m := range res.ScopeMetrics[0].Metrics {
			c.metrics = append(c.metrics, m.Name)
		}
	}
}

func attributeOf(s *tracepb.Span, key string) int64 {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetIntValue()
		}
	}
	return -1
}

// A collector that the environment names is told of a run: its parts and requests in one trace, the code it ended with, and
// its metrics; never a token, a value or an error's text.
func TestARunIsTraced(t *testing.T) {
	w := newChaosWorld(t)
	w.stix(1, domainPattern("value-of-a-rule.example"))
	c := &tracesTold{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	w.env = append(w.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL)
	fails(t, w.hl.HTTP, simhttp.Fault{Method: http.MethodGet, Times: 1, Do: simhttp.Answer, Status: 503})
	w.must(t, exit.OK, "run")

	var root *tracepb.Span
	names := map[string]int{}
	for _, s := range c.spans {
		names[s.Name]++
		if len(s.ParentSpanId) == 0 {
			root = s
		}
	}
	if root == nil || root.Name != "run" || attributeOf(root, "harfangsync.exit_code") != 0 || attributeOf(root, "harfangsync.planned.create") != 1 {
		t.Fatalf("root %v among %v", root, names)
	}
	failed := 0
	for _, s := range c.spans {
		if s != root && (string(s.ParentSpanId) != string(root.SpanId) || string(s.TraceId) != string(root.TraceId)) {
			t.Errorf("%s is no part of the run", s.Name)
		}
		if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR && attributeOf(s, "http.response.status_code") == 503 {
			failed++
		}
	}
	for _, name := range []string{"read", "plan", "apply"} {
		if names[name] != 1 {
			t.Errorf("%d spans %s", names[name], name)
		}
	}
	sent := len(w.hl.HTTP.Requests())
	if got := names["GET harfanglab"] + names["POST harfanglab"] + names["PATCH harfanglab"]; got != sent || names["POST opencti"] == 0 || failed != 1 {
		t.Errorf("%d requests to HarfangLab, %d spans, %d failed: %v", sent, got, failed, names)
	}
	for _, m := range []string{"harfangsync_in_sync", "harfangsync_last_success_timestamp_seconds", "harfangsync_requests_total"} {
		if !strings.Contains(strings.Join(c.metrics, " "), m) {
			t.Errorf("no metric %s among %q", m, c.metrics)
		}
	}
	for _, secret := range []string{simOpenCTIToken, simHarfangLabToken, "value-of-a-rule"} {
		if bytes.Contains(c.bytes.Bytes(), []byte(secret)) {
			t.Errorf("the collector is told %s", secret)
		}
	}
}

// A collector that is away changes no code, and a command that only reads tells nothing.
func TestTracesNeverFailARun(t *testing.T) {
	w := newChaosWorld(t)
	w.env = append(w.env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1")
	if out := w.must(t, exit.OK, "run"); !strings.Contains(out, "traces are not told to the collector") || !strings.Contains(out, "the metrics are not told to the collector") {
		t.Errorf("it is not said:\n%s", out)
	}
	if out := w.must(t, exit.OK, "plan"); strings.Contains(out, "collector") {
		t.Errorf("a plan tells a collector:\n%s", out)
	}
	w.env[len(w.env)-1] = "OTEL_EXPORTER_OTLP_ENDPOINT=nowhere"
	if out := w.must(t, exit.OK, "run"); !strings.Contains(out, "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address") {
		t.Errorf("it is not said what is wrong:\n%s", out)
	}
}
