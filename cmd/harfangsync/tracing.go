package main

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/httpclient"
	"github.com/harfangsync/harfangsync/cmd/metrics"
	"github.com/harfangsync/harfangsync/cmd/otlp"
)

// observe begins to tell a collector of this command, where the environment names one: a trace of it, to which the requests
// in the context belong. A tail has no end, so each of its full runs is a trace of its own, without requests.
func (r *reporter) observe(ctx context.Context, endless bool) context.Context {
	s, err := otlp.Read(r.p.env)
	if err == nil && !s.Off() {
		client := httpclient.Plain(s.Timeout, version(), false)
		r.collector, err = otlp.New(ctx, s, otlp.Options{Version: version(), Instance: r.cfg.Connector.ID, HTTP: client, Log: r.p.log})
	}
	if err != nil {
		r.p.log.Warn("no collector is told of this command", "error", err)
	}
	if r.collector == nil || endless {
		return ctx
	}
	ctx, r.span = r.collector.Tracer().Start(ctx, r.command, trace.WithTimestamp(r.began))
	return ctx
}

// unobserve ends the trace, and sends what waits.
func (r *reporter) unobserve(ctx context.Context, code int) {
	if r.collector == nil {
		return
	}
	if r.span != nil {
		r.ended(r.span, code)
		r.span.End()
	}
	r.collector.Close(ctx)
}

// ended notes what came of a run: numbers alone.
func (r *reporter) ended(span trace.Span, code int) {
	span.SetAttributes(attribute.Int("harfangsync.exit_code", code))
	if r.doc != nil {
		for action, n := range r.doc.Summary.ByAction {
			span.SetAttributes(attribute.Int("harfangsync.planned."+string(action), n))
		}
	}
	if code != exit.OK && code != exit.Changes {
		span.SetStatus(codes.Error, "")
	}
}

// phase notes a part of a run, in its trace as well.
func (r *reporter) phase(p metrics.Phase, began time.Time, took time.Duration) {
	r.metrics.SetPhase(p, took)
	if r.span == nil {
		return
	}
	_, span := r.collector.Tracer().Start(trace.ContextWithSpan(context.Background(), r.span), string(p), trace.WithTimestamp(began))
	span.End(trace.WithTimestamp(began.Add(took)))
}

// fullRun is the trace of a full run of a tail.
func (r *reporter) fullRun(began time.Time, code int) {
	if r.collector == nil {
		return
	}
	_, span := r.collector.Tracer().Start(context.Background(), "full run", trace.WithTimestamp(began))
	r.ended(span, code)
	span.End()
}
