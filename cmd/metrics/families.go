package metrics

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/harfangsync/harfangsync/reconcile"
)

// The reasons that metrics name; each is a closed set (reconcile.Reason). A word that is none of them,
// from a saved plan, counts as other: labels come from a list, never from data.
var (
	skipReasons = []reconcile.Reason{
		reconcile.PatternSyntax, reconcile.PatternAnd, reconcile.PatternNegation, reconcile.PatternOperator, reconcile.PatternTemporal,
		reconcile.UnsupportedType, reconcile.UnsupportedHash, reconcile.InvalidValue, reconcile.InvalidRule, reconcile.TooLong, reconcile.TooBroad,
		reconcile.Excluded, reconcile.BelowThreshold, reconcile.MarkingDenied, reconcile.LabelFiltered, reconcile.NotYetValid, reconcile.Expired,
		reconcile.DetectionOff, reconcile.ExistsElsewhere, reconcile.DuplicateMerged, reconcile.Unreadable,
		reconcile.UnsupportedLogsource, reconcile.UnsupportedField, reconcile.UnsupportedEvent, reconcile.MatchesEverything, reconcile.Unblocked,
	}
	heldReasons = []reconcile.Reason{
		reconcile.Pinned, reconcile.Refused, reconcile.Unmanaged, reconcile.ForeignOwner, reconcile.Ambiguous, reconcile.ChangedMeanwhile, reconcile.PolicyHeld,
		reconcile.GateHeld, reconcile.Unblocked,
	}
)

const otherReason reconcile.Reason = "other"

// gateCount is the number of safety gates, G1 to G15.
const gateCount = 15

// success holds when a run last succeeded, which outlives the run.
func (r *Report) success() *prometheus.Registry {
	f := families{prometheus.NewRegistry()}
	if !r.LastSuccess.IsZero() {
		f.gauge("last_success_timestamp_seconds", "When a run last ended with code 0, in seconds since 1970.", seconds(r.LastSuccess))
	}
	return f.Registry
}

// All is everything that a report tells.
func (r *Report) All() prometheus.Gatherer { return prometheus.Gatherers{r.registry(), r.success()} }

// registry holds the metrics of this run.
func (r *Report) registry() *prometheus.Registry {
	f := families{prometheus.NewRegistry()}
	f.gauge("last_run_timestamp_seconds", "When a run last ended, with whatever code, in seconds since 1970.", seconds(r.Ended))
	f.gauge("last_exit_code", "Exit code of the last run.", float64(r.ExitCode))
	if r.InSync != nil {
		f.gauge("in_sync", "1 if HarfangLab held what OpenCTI wants when the last run ended, 0 if it did not; absent if the run does not know.", truth(*r.InSync))
	}
	if r.Planned != nil {
		f.plan(r)
	}
	if r.Applied != nil {
		f.gauge("failed", "Planned changes that the last run did not make.", float64(r.Failed))
		applied := f.gauges("applied", "Changes that the last run made.", "action")
		for _, a := range reconcile.Actions {
			applied.WithLabelValues(string(a)).Set(float64(r.Applied[a]))
		}
	}
	took := f.gauges("phase_seconds", "How long each part of the last run took.", "phase")
	for p, d := range r.Phases {
		took.WithLabelValues(string(p)).Set(d.Seconds())
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "requests_total",
		Help: "Requests that the last run sent, by side, method and class of the answer."}, []string{"side", "method", "status"})
	f.MustRegister(requests)
	for q, n := range r.Requests {
		requests.WithLabelValues(q.Side, q.Method, q.Status).Add(float64(n))
	}
	if !r.Cursor.IsZero() {
		f.gauge("cursor_lag_seconds", "How far the import of alerts was behind when the last run ended.", max(r.Ended.Sub(r.Cursor), 0).Seconds())
	}
	return f.Registry
}

// plan tells what was planned, and what was left alone.
func (f families) plan(r *Report) {
	f.gauge("pinned", "Rules that stay as a person left them.", float64(r.Held[reconcile.Pinned]))
	planned := f.gauges("planned", "Changes that the last run planned.", "action", "kind")
	for _, a := range reconcile.Actions {
		for _, k := range reconcile.Kinds {
			planned.WithLabelValues(string(a), k.String()).Set(float64(r.Planned[Sort{a, k}]))
		}
	}
	reasons(f.gauges("skipped", "What could not become a rule, by reason.", "reason"), skipReasons, r.Skipped)
	reasons(f.gauges("held", "What was considered and left alone, by reason.", "reason"), heldReasons, r.Held)
	gates := f.gauges("gate_refused", "1 for each safety gate that refused the last plan, else 0.", "gate")
	for n := range gateCount {
		id := fmt.Sprintf("G%d", n+1)
		gates.WithLabelValues(id).Set(truth(r.Refused[id]))
	}
}

const namespace = "harfangsync"

type families struct{ *prometheus.Registry }

func (f families) gauge(name, help string, v float64) {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	g.Set(v)
	f.MustRegister(g)
}

func (f families) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
	f.MustRegister(g)
	return g
}

// reasons counts by the words of a closed set, and everything else as other.
func reasons(g *prometheus.GaugeVec, known []reconcile.Reason, counts map[reconcile.Reason]int) {
	other := 0
	for why, n := range counts {
		if !slices.Contains(known, why) {
			other += n
		}
	}
	for _, why := range known {
		g.WithLabelValues(string(why)).Set(float64(counts[why]))
	}
	g.WithLabelValues(string(otherReason)).Set(float64(other))
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
