package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
)

func (p *program) snapshotCommand() *cli.Command {
	var out string
	return &cli.Command{
		Name:  "snapshot",
		Usage: "write what OpenCTI holds to a file, for plan --from elsewhere",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "the `FILE` to write", Destination: &out},
		}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			if out == "" {
				return exit.Usagef("snapshot needs --out, the file to write")
			}
			if err := canWrite("--out", out); err != nil {
				return err
			}
			return p.takeSnapshot(c.Context, out)
		},
	}
}

// takeSnapshot reads OpenCTI alone. HarfangLab and the state take no part, and nothing is written but the file.
func (p *program) takeSnapshot(ctx context.Context, out string) error {
	p.stdout.works()
	return p.on(ctx, &shaping{alone: true}, true, func(ctx context.Context, t *target) error {
		h, err := t.writeSnapshot(ctx, p, out)
		t.read()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.stdout, "Wrote a snapshot of %s, read from %s on, to %s.\n", reconcile.Count(h.Count, "indicator"), h.Time.Format(time.RFC3339), out)
		return err
	})
}

// writeSnapshot reads OpenCTI into a file, once more if the first read was incomplete. A read that stays
// incomplete gives no file.
func (t *target) writeSnapshot(ctx context.Context, p *program, out string) (snapshot.Header, error) {
	w, err := snapshot.Create(out)
	if err != nil {
		return snapshot.Header{}, err
	}
	defer w.Close()
	for attempt := 1; ; attempt++ {
		h := t.snapshotHeader()
		h.Count, err = t.job.Source.Read(ctx, h.Time, func(page []reconcile.Indicator, _ int) error {
			h.Records += len(page)
			if t.job.Progress != nil {
				t.job.Progress.Reading("indicators", h.Records)
			}
			return w.Add(page)
		})
		if err == nil {
			h.Complete = true
			return h, w.Commit(h)
		}
		if attempt > 1 || !reconcile.FaultOf(err).Incomplete {
			return h, exit.Unproven(err)
		}
		p.log.Warn("OpenCTI was read incompletely, reading once more", "error", err)
		if err := w.Reset(); err != nil {
			return h, err
		}
	}
}

// snapshotHeader is what the settings say of a read that begins now.
func (t *target) snapshotHeader() snapshot.Header {
	return snapshot.Header{
		ToolVersion: version(), Time: time.Now().UTC(), Markings: t.job.Markings,
		Source: snapshot.Source{URL: t.cfg.OpenCTI.URL, Stream: t.cfg.Connector.LiveStreamID, StreamDigest: t.source.Filter.Digest(),
			FilterDigest: t.job.Filter, OwnFilter: t.job.OwnFilter},
		Selection: t.snapshotSelection(t.job.OwnFilter),
	}
}

// snapshotSelection is what of a selection OpenCTI evaluates, so that it keeps indicators out of a read.
func (t *target) snapshotSelection(ownFilter bool) snapshot.Selection {
	s := t.cfg.Sync.Selection(ownFilter)
	return snapshot.Selection{Detection: s.NeedDetection, MinScore: s.MinScore, Observables: t.cfg.Sync.Observables()}
}
