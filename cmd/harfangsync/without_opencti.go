package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// openSnapshot opens the file that stands in for OpenCTI, and proves that it may, before any platform is asked. The
// settings' own source and stream are the file's from here on.
func (t *target) openSnapshot(path string) error {
	file, err := snapshot.Open(path)
	if err != nil {
		return asUsage("--from", err)
	}
	t.snap = file
	h, cfg := &file.Header, t.cfg
	err = file.Check(snapshot.Expect{URL: cfg.OpenCTI.URL, Stream: cfg.Connector.LiveStreamID, Now: t.started,
		MaxAge: cfg.Sync.Limits.PlanAge, Selection: t.snapshotSelection(h.Source.OwnFilter)})
	if err != nil {
		return err
	}
	t.doWithout(h.Source.URL)
	cfg.Connector.LiveStreamID = h.Source.Stream
	return nil
}

// doWithout lets a command go on without OpenCTI: what it needs of it is in a file. url is where that came from.
func (t *target) doWithout(url string) {
	t.optional = true
	if t.cfg.OpenCTI.URL == "" || !t.cfg.OpenCTI.Token.Set() {
		t.away = errNotNamed
	}
	t.cfg.OpenCTI.URL = url
}

// identify learns who we are to OpenCTI.
func (t *target) identify(ctx context.Context, p *program) error {
	if t.away != nil {
		p.log.Warn("OpenCTI is not asked", "reason", t.away)
		return nil
	}
	ident, err := t.octi.Ident(ctx)
	if err == nil && !ident.Can("KNOWLEDGE") {
		err = &opencti.RightError{Capability: "KNOWLEDGE"}
	}
	if err != nil && t.leave(ctx, p, err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, w := range ident.Warnings {
		p.log.Warn(w)
	}
	t.ident = ident
	return nil
}

// leave gives OpenCTI up after a failure, where a file stands in for it, and says whether it did.
func (t *target) leave(ctx context.Context, p *program, err error) bool {
	if !t.optional || ctx.Err() != nil || !exit.SideFailed(err) {
		return false
	}
	p.log.Warn("OpenCTI is not asked", "reason", err)
	t.away = err
	return true
}

// awayWords say why OpenCTI is not asked. They stand in plans, of which equal ones have equal bytes: how exactly the
// platform failed is for the log.
func (t *target) awayWords() string {
	if errors.Is(t.away, errNotNamed) {
		return errNotNamed.Error()
	}
	return "OpenCTI could not be reached, or refused the account"
}

// planFrom makes the job read the snapshot.
func (t *target) planFrom(now time.Time) error {
	h, j := &t.snap.Header, t.job
	source := &snapshotSource{file: t.snap, selection: &j.Selection, now: now, asks: j.Source}
	if t.away != nil {
		source.asks = nil
		j.Unasked = t.awayWords()
	} else if t.source.Filter.Digest() != h.Source.StreamDigest {
		return t.snap.Refuse("the filters of its stream have changed since; make a new one")
	}
	j.Source, j.ReadAt, j.Markings = source, h.Time, h.Markings
	if t.away == nil { // what the file does not show may be hidden from who asks for it now, and the other way round
		j.AskMarkings = func(ctx context.Context) ([]string, error) {
			now, err := t.markings(ctx)
			return slices.DeleteFunc(now, func(m string) bool { return !slices.Contains(h.Markings, m) }), err
		}
	}
	j.Filter, j.OwnFilter = filterDigest(h.Source.StreamDigest, &j.Selection), h.Source.OwnFilter
	return nil
}

// errNotNamed says why OpenCTI is not asked.
var errNotNamed = errors.New("the settings do not name an OpenCTI and its token")
