package main

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/httpclient"
	"github.com/harfangsync/harfangsync/cmd/metrics"
	"github.com/harfangsync/harfangsync/cmd/notify"
	"github.com/harfangsync/harfangsync/cmd/otlp"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/run"

	"go.opentelemetry.io/otel/trace"
)

// reporter gathers what a command that writes does, and tells it when the command ends: as metrics, and
// in a notice. Those that only read tell nothing (gate G12).
type reporter struct {
	p       *program
	command string
	ends    bool // the command writes and comes to an end, which is an event
	beside  bool // it is no run: what metrics say of the last one stays
	cfg     *config.Config
	t       *target
	metrics metrics.Report
	planned *run.Planned
	doc     *planfile.Document
	done    *run.Report
	said    []string // what a command did that is no plan, in sentences
	pulls   *pull.Report
	began   time.Time // when the run began
	reached time.Time // when the platforms were about to be asked
	applies time.Time // when the apply began

	collector *otlp.Collector // nil for none
	span      trace.Span      // of the command; nil without a collector, and of a tail
}

// reaches notes that both platforms are about to be asked.
func (r *reporter) reaches(t *target) {
	r.t, r.reached = t, time.Now()
}

// plans notes the plan that was made, or taken from a file.
func (r *reporter) plans(pl *run.Planned, doc *planfile.Document) {
	if pl == r.planned {
		return // a tail says so before it applies a plan, and after
	}
	r.planned, r.doc, r.done = pl, doc, nil
	if pl == nil {
		r.metrics.Forget()
		return
	}
	r.metrics.SetPlan(doc)
	if !pl.Saved {
		took := time.Since(pl.Started)
		read := cmp.Or(pl.ReadTime, took) // of a restore most is reading
		r.phase(metrics.Read, pl.Started, read)
		r.phase(metrics.Plan, pl.Started.Add(read), took-read)
	}
}

// begins notes that the plan is being applied.
func (r *reporter) begins() {
	r.applies = time.Now()
	r.metrics.Applied = nil // until it has ended, nobody knows
}

// applied notes what became of the plan.
func (r *reporter) applied(done *run.Report) {
	r.done = done
	r.metrics.SetApplied(done)
	r.phase(metrics.Apply, r.applies, time.Since(r.applies))
}

// say notes in a sentence what a command did.
func (r *reporter) say(what string) { r.said = append(r.said, what) }

// pulled notes an import of alerts.
func (r *reporter) pulled(done *pull.Report, took time.Duration) {
	r.pulls = done
	r.phase(metrics.Pull, time.Now().Add(-took), took)
	r.metrics.Cursor = cmp.Or(done.Cursor, r.metrics.Cursor)
}

// tell writes the metrics and sends a notice. err is what the command ends with. Whatever goes wrong with that is a
// warning and never changes the exit code.
func (r *reporter) tell(ctx context.Context, err error) {
	code := r.p.code(err)
	r.close(code)
	if !r.beside {
		r.writeMetrics(ctx)
	}
	r.notify(ctx, code, err)
	r.work(ctx, code, err)
}

// work shows in OpenCTI what a run changed, refused or failed at; of one that had nothing to do there is
// nothing to show.
func (r *reporter) work(ctx context.Context, code int, err error) {
	if r.command != "run" || len(r.was(code)) == 0 || r.t == nil || r.t.away != nil || !r.t.ident.Can("CONNECTORAPI") {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, run.SaveTimeout)
	defer cancel()
	text := render.Escape(strings.Join(r.lines(code, err), " "))
	if err := r.t.connector(false).Tell(ctx, "harfangsync run", text, code != exit.OK); err != nil {
		r.p.log.Warn("the run is not shown in OpenCTI", "error", err)
	}
}

// complete is the record by which the log of a run ends, and of each full run of a tail. What the run does not know is
// not in it.
func (r *reporter) complete(command string, code int, began time.Time) {
	if r.p.records == nil {
		return
	}
	level, members := slog.LevelInfo, []any{"command", command, "code", code, "seconds", time.Since(began).Round(time.Millisecond).Seconds()}
	if code != exit.OK && code != exit.Changes {
		level = slog.LevelError
	}
	if r.doc != nil {
		counts := maps.Clone(r.doc.Summary.ByAction)
		if r.done != nil {
			counts["applied"], counts["not_attempted"] = r.done.Count(run.Applied, ""), r.done.Count(run.NotAttempted, "")
			counts["failed"] = len(r.done.Items) - counts["applied"] - counts["not_attempted"]
		}
		members = append(members, "gates", render.Refused(r.doc), "counts", counts, "digest", r.doc.Digest, "source_digest", r.doc.Source.Digest)
	}
	if r.pulls != nil {
		members = append(members, "alerts", r.pulls.Summary())
	}
	r.p.log.Log(context.Background(), level, "run_complete", members...)
}

// beat writes the metrics of a command that goes on, not too often. began is when the full run that has ended began, zero
// of a batch.
func (r *reporter) beat(ctx context.Context, err error, began time.Time) {
	if !began.IsZero() {
		r.reached = began
		r.complete("tail", exit.Code(err, 0), began)
		r.fullRun(began, exit.Code(err, 0))
		r.pulls = nil
	}
	const seldom = 10 * time.Second
	if err == nil && time.Since(r.metrics.Ended) < seldom {
		return
	}
	r.close(exit.Code(err, 0))
	r.writeMetrics(ctx)
}

func (r *reporter) writeMetrics(ctx context.Context) {
	m := &r.cfg.Sync.Metrics
	if m.TextFile != "" {
		if err := r.metrics.WriteFile(m.TextFile); err != nil {
			r.p.log.Warn("the metrics are not written", "error", render.Escape(err.Error()), "remedy", "let sync.metrics.textfile name a file in a directory that can be written")
		}
	}
	r.p.listener.publish(&r.metrics)
	if err := r.collector.Metrics(ctx, r.metrics.All(), r.began, r.metrics.Ended); err != nil {
		r.p.log.Warn("the metrics are not told to the collector", "error", render.Escape(err.Error()), "remedy", "check OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	if m.PushGateway != "" {
		client := httpclient.Plain(notify.Timeout, version(), false)
		defer client.CloseIdleConnections()
		to := metrics.Gateway{URL: m.PushGateway, Login: m.Login, Password: m.Password, Instance: r.cfg.Connector.ID, HTTP: client}
		if err := r.metrics.Push(ctx, to); err != nil {
			r.p.log.Warn("the metrics are not pushed", "error", render.Escape(err.Error()), "remedy", "check sync.metrics.pushgateway and its credentials")
		}
	}
}

// close fills in what is known only at the end.
func (r *reporter) close(code int) {
	m := &r.metrics
	m.Ended, m.ExitCode = time.Now().UTC(), code
	m.InSync = r.inSync(code)
	if m.InSync != nil && *m.InSync {
		m.LastSuccess = m.Ended
	}
	if r.t == nil {
		return
	}
	if r.t.job != nil && r.t.job.Keeper != nil {
		if good := r.t.job.Keeper.Document().LastGood.At; good.After(m.LastSuccess) {
			m.LastSuccess = good
		}
	}
	if r.doc == nil {
		m.SetPhase(metrics.Read, time.Since(r.reached)) // and ended there
	}
	m.Requests = map[metrics.Request]int64{}
	for side, c := range map[string]*httpclient.Client{"opencti": r.t.octiHTTP, "harfanglab": r.t.hlHTTP} {
		if c == nil {
			continue
		}
		for _, n := range c.Tallies() {
			m.Requests[metrics.Request{Side: side, Method: n.Method, Status: n.Status}] = n.Requests
		}
	}
}

// inSync says whether HarfangLab holds what OpenCTI wants; nil where the run does not know: it failed, or put back a
// backup, which says nothing about OpenCTI.
func (r *reporter) inSync(code int) *bool {
	known := code == exit.OK || code == exit.Refused || code == exit.Partly
	if !known || r.doc == nil || r.planned.Restore {
		return nil
	}
	return new(code == exit.OK && r.doc.Complete && len(r.doc.SwitchedOff()) == 0)
}

// was is what a run was: it changed something, a gate refused its plan, or it failed.
func (r *reporter) was(code int) (was []string) {
	applied := len(r.said) > 0 || r.done != nil && r.done.Count(run.Applied, "") > 0
	interrupted := code > exit.Signal
	asked := 0
	for _, n := range r.metrics.Requests {
		asked += int(n)
	}
	mistake := code == exit.Usage && (r.doc != nil || asked == 0) // of the command line, or the word no at the terminal
	switch {
	case code == exit.Refused:
		was = append(was, config.OnRefusal)
	case code == exit.Locked, mistake, interrupted && !applied, code == exit.OK:
	default:
		was = append(was, config.OnFailure)
	}
	if applied {
		was = append(was, config.OnApply)
	}
	return was
}

// event is what a notice is about, "" for none: the first of those asked for that the run was.
func (r *reporter) event(code int) string {
	for _, e := range r.was(code) {
		if slices.Contains(r.cfg.Sync.Notify.On, e) {
			return e
		}
	}
	return ""
}

func (r *reporter) notify(ctx context.Context, code int, err error) {
	hook := r.cfg.Sync.Notify.Webhook
	event := r.event(code)
	if !hook.Set() || event == "" {
		return
	}
	n := notify.New(r.command, r.cfg.OpenCTI.URL, r.cfg.HarfangLab.URL, r.lines(code, err)...)
	n.Event, n.ExitCode = event, code
	if r.doc != nil {
		n.Summary = r.doc.Summary
		n.Refuse(r.doc.Gates)
	}
	if r.done != nil {
		n.Applied = r.done.Count(run.Applied, "")
		n.Failed = len(r.done.Items) - n.Applied
	}
	client := httpclient.Plain(notify.Timeout, version(), false)
	defer client.CloseIdleConnections()
	h := notify.Hook{URL: hook, HTTP: client}
	if r.p.retryWait != nil {
		h.Pause = r.p.retryWait(0)
	}
	if err := h.Send(ctx, n); err != nil {
		r.p.log.Warn("no notice was sent", "error", err, "remedy", "check sync.notify.webhook")
	}
}

// lines say what happened, the stable summary line first where there is one.
func (r *reporter) lines(code int, err error) []string {
	lines := slices.Clone(r.said)
	switch {
	case r.done != nil && len(r.done.Items) == 0 && code == exit.Refused: // all that was planned is held
		lines = append(lines, render.LastLine(r.doc))
	case r.done != nil:
		lines = append(lines, closingLine(r.doc, r.done))
		lines = append(lines, r.done.Problems...)
		if r.done.Stopped != nil {
			lines = append(lines, "Ended early: "+r.done.Stopped.Error()+".")
		}
	case r.doc != nil:
		lines = append(lines, render.LastLine(r.doc))
	}
	if code == exit.Refused && r.doc != nil {
		for i := range r.doc.Gates {
			if g := &r.doc.Gates[i]; !g.OK {
				lines = append(lines, "Refused by gate "+g.ID+": "+g.Message+".")
			}
		}
	}
	if exit.Unsaid(err) {
		lines = append(lines, strings.TrimSuffix(err.Error(), ".")+".")
	}
	return lines
}
