package otlp_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/harfangsync/harfangsync/cmd/otlp"
)

func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		name, env, wrong string
		off              bool
		timeout          time.Duration
	}{
		{"nothing is off", "", "", true, 0},
		{"an empty address is none", "OTEL_EXPORTER_OTLP_ENDPOINT=", "", true, 0},
		{"switched off", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318 OTEL_SDK_DISABLED=true", "", true, 0},
		{"an address", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/", "", false, 10 * time.Second},
		{"a timeout", "OTEL_EXPORTER_OTLP_ENDPOINT=https://c/otlp OTEL_EXPORTER_OTLP_TIMEOUT=500", "", false, 500 * time.Millisecond},
		{"no timeout", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_OTLP_TIMEOUT=5s", "OTEL_EXPORTER_OTLP_TIMEOUT", true, 0},
		{"no address", "OTEL_EXPORTER_OTLP_ENDPOINT=s3cret:4317", "OTEL_EXPORTER_OTLP_ENDPOINT", true, 0},
		{"credentials in the address", "OTEL_EXPORTER_OTLP_ENDPOINT=http://u:s3cret@c:4318", "OTEL_EXPORTER_OTLP_ENDPOINT", true, 0},
		{"gRPC", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_PROTOCOL", true, 0},
		{"headers without a name", "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318 OTEL_EXPORTER_OTLP_HEADERS=s3cret", "OTEL_EXPORTER_OTLP_HEADERS", true, 0},
	} {
		s, err := otlp.Read(strings.Fields(tt.env))
		if tt.wrong != "" {
			if err == nil || !strings.HasPrefix(err.Error(), tt.wrong) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v", tt.name, err)
			}
		} else if err != nil || s.Off() != tt.off || s.Timeout != tt.timeout {
			t.Errorf("%s: off %t, timeout %s, %v", tt.name, s.Off(), s.Timeout, err)
		}
	}
}

// collector keeps what it is told.
type collector struct {
	*httptest.Server
	status  int
	traces  tracepb.TracesData
	metrics metricspb.MetricsData
	header  http.Header
}

func newCollector(t *testing.T) *collector {
	c := &collector{status: http.StatusOK}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		into := map[string]proto.Message{"/v1/traces": &c.traces, "/v1/metrics": &c.metrics}[r.URL.Path]
		if into == nil || proto.Unmarshal(b, into) != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s: %q", r.Method, r.URL.Path, b)
		}
		c.header = r.Header
		w.WriteHeader(c.status)
	}))
	t.Cleanup(c.Close)
	return c
}

func tell(t *testing.T, c *collector, log io.Writer, env ...string) *otlp.Collector {
	t.Helper()
	s, err := otlp.Read(append(env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL))
	if err != nil {
		t.Fatal(err)
	}
	tele, err := otlp.New(t.Context(), s, otlp.Options{Version: "v1.2.3", Instance: "the-instance", HTTP: c.Client(), Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return tele
}

func TestTracesAndMetricsArrive(t *testing.T) {
	c := newCollector(t)
	tele := tell(t, c, io.Discard, "OTEL_EXPORTER_OTLP_HEADERS=api-key=a%20key, x = y")
	ctx, span := tele.Tracer().Start(context.Background(), "run")
	_, below := tele.Tracer().Start(ctx, "read")
	below.End()
	span.End()
	tele.Close(t.Context())
	spans := c.traces.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 2 || spans[0].Name != "read" || string(spans[0].ParentSpanId) != string(spans[1].SpanId) {
		t.Errorf("spans %v", spans)
	}
	resource := map[string]string{}
	for _, a := range c.traces.ResourceSpans[0].Resource.Attributes {
		resource[a.Key] = a.Value.GetStringValue()
	}
	if resource["service.name"] != "harfangsync" || resource["service.version"] != "v1.2.3" || resource["service.instance.id"] != "the-instance" {
		t.Errorf("resource %v", resource)
	}
	if c.header.Get("Api-Key") != "a key" || c.header.Get("X") != "y" {
		t.Errorf("headers %v", c.header)
	}

	reg := prometheus.NewRegistry()
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"side"})
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "in_sync"})
	reg.MustRegister(counter, gauge)
	counter.WithLabelValues("opencti").Add(3)
	gauge.Set(1)
	began := time.Unix(100, 0)
	if err := tele.Metrics(t.Context(), reg, began, began.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range c.metrics.ResourceMetrics[0].ScopeMetrics[0].Metrics {
		for _, p := range append(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints()...) {
			line := m.Name
			for _, a := range p.Attributes {
				line += " " + a.Key + "=" + a.Value.GetStringValue()
			}
			got = append(got, line+" "+time.Duration(p.GetAsDouble()).String()+" "+time.Duration(p.StartTimeUnixNano).String()+" "+time.Duration(p.TimeUnixNano).String())
		}
	}
	if d := cmp.Diff([]string{"in_sync 1ns 0s 2m40s", "requests_total side=opencti 3ns 1m40s 2m40s"}, got); d != "" {
		t.Errorf("metrics (-want +got):\n%s", d)
	}
}

// A collector that refuses costs a warning, once, and nothing else.
func TestACollectorThatRefusesIsAWarning(t *testing.T) {
	c := newCollector(t)
	c.status = http.StatusUnauthorized
	t.Setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1") // a request for each span
	var log bytes.Buffer
	tele := tell(t, c, &log)
	for range 2 {
		_, span := tele.Tracer().Start(context.Background(), "run")
		span.End()
	}
	tele.Close(t.Context())
	if got := strings.Count(log.String(), "level=WARN"); got != 1 || !strings.Contains(log.String(), "the collector answers 401 Unauthorized") {
		t.Errorf("%d warnings:\n%s", got, log.String())
	}
	if err := tele.Metrics(t.Context(), prometheus.NewRegistry(), time.Now(), time.Now()); err == nil {
		t.Error("no error")
	}
}

// Without a collector nothing is made, and everything may be called.
func TestOffDoesNothing(t *testing.T) {
	tele, err := otlp.New(t.Context(), otlp.Settings{}, otlp.Options{})
	if tele != nil || err != nil {
		t.Fatalf("%v, %v", tele, err)
	}
	if tele.Tracer() != nil || tele.Metrics(t.Context(), nil, time.Time{}, time.Time{}) != nil {
		t.Error("it does something")
	}
	tele.Close(t.Context())
}
