package otlp

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
)

// Metrics sends what a run tells, under the names that it has elsewhere. Counters count from when the run began.
func (t *Collector) Metrics(ctx context.Context, from prometheus.Gatherer, began, ended time.Time) error {
	if t == nil {
		return nil
	}
	families, err := from.Gather()
	if err != nil {
		return err
	}
	scoped := &metricspb.ScopeMetrics{Scope: &commonpb.InstrumentationScope{Name: scope}}
	for _, f := range families {
		m := &metricspb.Metric{Name: f.GetName(), Description: f.GetHelp()}
		var points []*metricspb.NumberDataPoint
		for _, one := range f.GetMetric() {
			points = append(points, point(one, ended))
		}
		if f.GetType() == dto.MetricType_COUNTER {
			for _, p := range points {
				p.StartTimeUnixNano = uint64(began.UnixNano())
			}
			m.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{DataPoints: points, IsMonotonic: true, AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE}}
		} else {
			m.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: points}}
		}
		scoped.Metrics = append(scoped.Metrics, m)
	}
	res := &resourcepb.Resource{}
	for _, a := range t.resource.Attributes() {
		res.Attributes = append(res.Attributes, text(string(a.Key), a.Value.String()))
	}
	return t.to.send(ctx, "/v1/metrics", &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{Resource: res, ScopeMetrics: []*metricspb.ScopeMetrics{scoped}}}})
}

func point(m *dto.Metric, at time.Time) *metricspb.NumberDataPoint {
	value := m.GetGauge().GetValue()
	if c := m.GetCounter(); c != nil {
		value = c.GetValue()
	}
	p := &metricspb.NumberDataPoint{TimeUnixNano: uint64(at.UnixNano()), Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: value}}
	for _, l := range m.GetLabel() {
		p.Attributes = append(p.Attributes, text(l.GetName(), l.GetValue()))
	}
	return p
}

func text(name, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: name, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}
