package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile"
	"harfangsync/reconcile/marker"
	"harfangsync/reconcile/snapshot"
	"harfangsync/sources/opencti"
)

// snapshotSource lets a run read a snapshot in place of OpenCTI. What OpenCTI would leave out now is left out
// here, so that the plan is the one that OpenCTI's answer would give.
type snapshotSource struct {
	file      *snapshot.File
	selection *reconcile.Selection
	now       time.Time
	asks      reconcile.Source // OpenCTI, for single indicators; nil when it is not asked
}

// Read visits every indicator of the file that OpenCTI would let through now, and later versions of these
// whether or not it would: the run judges them, and they count.
func (s *snapshotSource) Read(ctx context.Context, _ time.Time, visit func([]reconcile.Indicator) error) (int, error) {
	n, seen := 0, map[uint64]bool{}
	versions := s.file.Header.Records > s.file.Header.Count
	err := s.file.Visit(ctx, func(page []reconcile.Indicator) error {
		page = slices.DeleteFunc(page, func(i reconcile.Indicator) bool {
			id := marker.OwnersDigest(i.ID)
			if !s.passes(&i) && !seen[id] {
				return true
			}
			if versions {
				seen[id] = true
			}
			return false
		})
		n += len(page)
		return visit(page)
	})
	return n, err
}

// passes evaluates what opencti.Selecting asks of OpenCTI. Labels and markings are for the run to judge.
func (s *snapshotSource) passes(i *reconcile.Indicator) bool {
	switch why, _ := s.selection.Judge(i, s.now); why {
	case "", reconcile.LabelFiltered, reconcile.MarkingDenied:
		return true
	}
	return false
}

// ByIDs asks OpenCTI, or else the file: it knows what was read, and nothing of the others.
func (s *snapshotSource) ByIDs(ctx context.Context, ids []string, filtered bool) ([]reconcile.Found, error) {
	if s.asks != nil {
		return s.asks.ByIDs(ctx, ids, filtered)
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	latest := map[string]reconcile.Indicator{}
	err := s.file.Visit(ctx, func(page []reconcile.Indicator) error {
		for i := range page {
			for _, id := range []string{page[i].ID, page[i].StandardID} {
				if asked[id] {
					latest[id] = page[i]
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var found []reconcile.Found
	for _, id := range ids {
		if i, ok := latest[id]; ok && (!filtered || s.passes(&i)) {
			found = append(found, reconcile.Found{Asked: id, Indicator: i})
			delete(latest, id)
		}
	}
	return found, nil
}

// openSnapshot opens the file that stands in for OpenCTI, and proves that it may, before any platform is asked. The
// settings' own source and stream are the file's from here on.
func (t *target) openSnapshot(path string) error {
	file, err := snapshot.Open(path)
	if err != nil {
		return slip("--from", err)
	}
	t.snap = file
	h, cfg := &file.Header, t.cfg
	err = file.Check(snapshot.Expect{URL: cfg.OpenCTI.URL, Stream: cfg.Connector.LiveStreamID, Now: t.started,
		MaxAge: cfg.Sync.Limits.PlanAge, Selection: t.snapshotSelection(h.Source.OwnFilter)})
	if err != nil {
		return err
	}
	t.standIn(h.Source.URL)
	cfg.Connector.LiveStreamID = h.Source.Stream
	return nil
}

// errNotNamed says why OpenCTI is not asked.
var errNotNamed = errors.New("the settings do not name an OpenCTI and its token")

// standIn lets a command go on without OpenCTI: what it needs of it is in a file. url is where that came from.
func (t *target) standIn(url string) {
	t.optional = true
	if t.cfg.OpenCTI.URL == "" || !t.cfg.OpenCTI.Token.Set() {
		t.away = errNotNamed
	}
	t.cfg.OpenCTI.URL = url
}

// meet learns who we are to OpenCTI.
func (t *target) meet(ctx context.Context, p *program) error {
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
	j.Filter, j.OwnFilter = filterDigest(h.Source.StreamDigest, &j.Selection), h.Source.OwnFilter
	return nil
}
