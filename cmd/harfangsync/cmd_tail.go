package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

func (p *program) tailCommand() *cli.Command {
	s := shaping{command: "tail", endless: true} // sync.deadline is for jobs that end
	s.check = func(t *target) error {
		if t.cfg.Connector.LiveStreamID == "" {
			return exit.Usagef("connector.live_stream_id: tail follows a stream, and none is named; create one in OpenCTI under Data sharing and set its id")
		}
		return nil
	}
	return &cli.Command{
		Name:  "tail",
		Usage: "follow OpenCTI's live stream until interrupted; full runs at the start and every sync.tail.full_every",
		Flags: append(s.flags(), p.settingFlags()...),
		Action: func(c *cli.Context) error {
			return p.on(c.Context, &s, false, func(ctx context.Context, t *target) error { return p.tail(ctx, t, 0, false) })
		},
	}
}

// tail follows the stream for a while, 0 being until ctx ends, and prints what it does as text or as JSON
// lines.
func (p *program) tail(ctx context.Context, t *target, span time.Duration, asJSON bool) error {
	t.source.Stream = t.cfg.Connector.LiveStreamID
	if t.cfg.Sync.State == config.InOpenCTI && t.ident.Can("MODULES") {
		t.source.Connector = t.cfg.Connector.ID
	}
	if t.held != nil {
		t.held.Endure(t.cfg.Sync.Tail.Patience)
	}
	if span > 0 {
		t.job.Overrides = reconcile.Overrides{} // they were the run's
	}
	follower := &tail.Tail{
		Job: t.job, Leases: t.leases, Stream: t.cfg.Connector.LiveStreamID, For: span, Log: p.log,
		Quiet: t.cfg.Sync.Tail.Quiet, FullEvery: t.cfg.Sync.Tail.FullEvery, PullEvery: t.cfg.Sync.Tail.PullEvery,
		Position: func(ctx context.Context) (state.Position, error) {
			return t.octi.StreamPosition(ctx, opencti.FollowOptions{Stream: t.cfg.Connector.LiveStreamID, Unfiltered: t.unfiltered})
		},
		Follow: func(ctx context.Context, from state.Position) iter.Seq2[tail.Signal, error] {
			return t.octi.Follow(ctx, opencti.FollowOptions{Stream: t.cfg.Connector.LiveStreamID, From: &from, Silence: p.silence, Unfiltered: t.unfiltered})
		},
		Wait:     p.tailWait,
		Refilter: func(ctx context.Context) (bool, error) { return t.refilter(ctx, p) },
		Beat: func(planned *run.Planned, err error, began time.Time) {
			var doc *planfile.Document
			if planned != nil {
				doc = t.document(planned)
			}
			p.reporter.plans(planned, doc)
			p.reporter.beat(ctx, err, began)
		},
		Told: func(planned *run.Planned, r *run.Report) error { return p.toldTail(t, planned, r, asJSON) },
	}
	if p.mayPull(t) {
		follower.Pull = func(ctx context.Context) func() func() error {
			work := p.pulling(ctx, t, &importing{idly: true, json: asJSON})
			return func() func() error {
				tell := work()
				return func() error {
					done, err := tell()
					end := p.pullEnd(done, err)
					if end != nil && err == nil {
						return &exit.Status{Code: p.code(end), Err: errors.New("some alerts failed; see above")}
					}
					return end
				}
			}
		}
		follower.Pulled = span > 0 // by the run that it follows
	}
	err := follower.Run(ctx)
	if doc := p.reporter.doc; err == nil && doc != nil && len(doc.SwitchedOff()) > 0 { // of the last plan, as after an apply
		return &exit.Status{Code: exit.Partly, Err: errors.New(render.OffLine(doc) + " Enable them in the console")}
	}
	return err
}

// refilter adopts the stream's filters again, and says whether they are others than before.
func (t *target) refilter(ctx context.Context, p *program) (changed bool, err error) {
	stream, own, err := t.stream(ctx, p, true)
	if err != nil {
		return false, err
	}
	selection := t.cfg.Sync.Selection(own, t.job.Selection.Kinds...)
	digest := filterDigest(stream.Digest(), &selection)
	if digest == t.job.Filter {
		return false, nil
	}
	p.log.Warn("the filters of the stream have changed")
	t.job.Selection, t.job.Filter, t.job.OwnFilter = selection, digest, stream == nil
	t.source.Filter, t.source.Selection = stream, &selection
	return true, nil
}

// toldTail prints what a tail does: a plan, and what became of it.
func (p *program) toldTail(t *target, planned *run.Planned, r *run.Report, asJSON bool) error {
	doc := t.document(planned)
	if r == nil {
		whole := *doc
		p.reporter.plans(planned, &whole)
		if doc.Changes.Len() > 0 && !planned.Plan.Stopped() {
			p.reporter.begins()
		}
		if doc.Applyable { // what is left alone was said by a plan, and would be said again with every event
			doc.Held, doc.Skipped = reconcile.AllHeld{}, reconcile.AllSkipped{}
		}
		if slices.Equal(doc.Unblocked, t.unblocked) { // likewise
			doc.Unblocked = nil
		} else {
			t.unblocked = doc.Unblocked
		}
		if waits := render.Waits(doc); waits != "" && waits == t.waits { // likewise
			doc.Held, doc.Skipped = reconcile.AllHeld{}, reconcile.AllSkipped{}
			if doc.Changes.Len() == 0 {
				return nil
			}
		} else {
			t.waits = waits
		}
		if asJSON {
			return render.PlanEvents(p.stdout, doc)
		}
		o := p.look(p.stdout)
		o.Brief = !terminal(p.stdout)
		return render.Text(p.stdout, doc, o)
	}
	a := applying{json: asJSON}
	if _, err := a.tell(p, doc, r); err != nil || asJSON {
		return err
	}
	_, err := fmt.Fprintln(p.stdout)
	return err
}

// tailToo follows the stream after a run, and ends with the graver of both codes.
func (p *program) tailToo(ctx context.Context, t *target, span time.Duration, asJSON bool, before error) error {
	if t.cfg.Connector.LiveStreamID == "" {
		return exit.Usagef("connector.live_stream_id: --tail follows a stream, and none is named; the run itself is done")
	}
	return p.graver(before, p.tail(ctx, t, span, asJSON))
}

// markings are those that the account may see now.
func (t *target) markings(ctx context.Context) ([]string, error) {
	ident, err := t.octi.Ident(ctx)
	if err != nil {
		return nil, err
	}
	t.ident = ident
	return slices.Sorted(slices.Values(ident.MarkingNames())), nil
}
