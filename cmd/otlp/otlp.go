// Package otlp tells an OpenTelemetry collector what runs do, by OTLP over HTTP: a trace of each run, and the metrics
// that are told elsewhere, too. It is off, and costs nothing, unless OTEL_EXPORTER_OTLP_ENDPOINT is set.
//
// The SDK makes the traces and reads its own variables (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER,
// OTEL_BSP_...). Its HTTP exporters would link gRPC into the program, 3 MB of it, so what they do is done here. Nothing that
// is told holds a secret, a value of a rule or the text of an error.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	tracing "go.opentelemetry.io/otel/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

const (
	scope          = "harfangsync"
	defaultTimeout = 10 * time.Second // as OTEL_EXPORTER_OTLP_TIMEOUT has it
)

// Collector is a collector that is told of runs. A nil one is told nothing.
type Collector struct {
	to       *collector
	provider *trace.TracerProvider
	resource *resource.Resource
}

// Options are what does not stand in the environment.
type Options struct {
	Version  string
	Instance string // which of our installations this is
	HTTP     *http.Client
	Log      *slog.Logger
}

// Settings are the variables of the environment that say where to and how. The zero value is off.
type Settings struct {
	endpoint string // without trailing slash
	headers  http.Header
	Timeout  time.Duration // of one request
}

// Off says that nobody is told.
func (s *Settings) Off() bool { return s.endpoint == "" }

// Read takes the settings from an environment. What is wrong in them is an error, which repeats no value.
func Read(env []string) (Settings, error) {
	vars := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "OTEL_") {
			vars[name] = strings.TrimSpace(value)
		}
	}
	s := Settings{endpoint: strings.TrimSuffix(vars["OTEL_EXPORTER_OTLP_ENDPOINT"], "/"), headers: http.Header{}, Timeout: defaultTimeout}
	if s.endpoint == "" || strings.EqualFold(vars["OTEL_SDK_DISABLED"], "true") {
		return Settings{}, nil
	}
	if u, err := url.Parse(s.endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return Settings{}, errors.New("OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address, or holds credentials; write it as http://host:4318")
	}
	if p := vars["OTEL_EXPORTER_OTLP_PROTOCOL"]; p != "" && p != "http/protobuf" {
		return Settings{}, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: http/protobuf alone is spoken, on port 4318 of a collector as a rule")
	}
	for pair := range strings.SplitSeq(vars["OTEL_EXPORTER_OTLP_HEADERS"], ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil {
			return Settings{}, errors.New("OTEL_EXPORTER_OTLP_HEADERS: write it as name=value,name=value, values escaped as in a URL")
		}
		s.headers.Set(strings.TrimSpace(name), value)
	}
	if t := vars["OTEL_EXPORTER_OTLP_TIMEOUT"]; t != "" {
		ms, err := strconv.ParseUint(t, 10, 31)
		if err != nil || ms == 0 {
			return Settings{}, errors.New("OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds")
		}
		s.Timeout = time.Duration(ms) * time.Millisecond
	}
	return s, nil
}

// New begins to tell; nil where the settings are off. What cannot be told is a warning, once.
func New(ctx context.Context, s Settings, o Options) (*Collector, error) {
	if s.Off() {
		return nil, nil
	}
	to := &collector{Settings: s, http: o.HTTP}
	res, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", scope), attribute.String("service.version", o.Version),
		attribute.String("service.instance.id", o.Instance)), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	exporter, err := otlptrace.New(ctx, to)
	if err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { // of the SDK, which has no other place for them
		to.once.Do(func() {
			o.Log.Warn("traces are not told to the collector", "error", err, "remedy", "check OTEL_EXPORTER_OTLP_ENDPOINT")
		})
	}))
	return &Collector{to: to, resource: res, provider: trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(res))}, nil
}

// Tracer makes spans; nil where nobody is told.
func (t *Collector) Tracer() tracing.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer(scope)
}

// Close sends what waits and ends.
func (t *Collector) Close(ctx context.Context) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, t.to.Timeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// collector takes traces and metrics.
type collector struct {
	Settings
	http *http.Client
	once sync.Once
}

// Start and Stop are the exporter's; there is no connection to make or to end.
func (*collector) Start(context.Context) error { return nil }

// Stop does nothing.
func (*collector) Stop(context.Context) error { return nil }

// UploadTraces sends spans. A request of the trace service has the same bytes as TracesData.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	return c.send(ctx, "/v1/traces", &tracepb.TracesData{ResourceSpans: spans})
}

// mostAnswer bounds what is read of an answer, of which only the status counts.
const mostAnswer = 64 << 10

func (c *collector) send(ctx context.Context, path string, m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+path, strings.NewReader(string(b)))
	if err != nil {
		return errors.New("the collector's address is none")
	}
	for name, values := range c.headers {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the collector cannot be reached: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, mostAnswer))
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}
