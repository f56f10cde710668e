package main

import (
	"context"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
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
func (s *snapshotSource) Read(ctx context.Context, _ time.Time, visit func(page []reconcile.Indicator, total int) error) (int, error) {
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
		return visit(page, s.file.Header.Count)
	})
	return n, err
}

// passes evaluates what opencti.Selecting asks of OpenCTI. Labels and markings are for the run to judge.
func (s *snapshotSource) passes(i *reconcile.Indicator) bool {
	switch why, _ := s.selection.Judge(i, s.now); why {
	case "", reconcile.LabelFiltered, reconcile.MarkingDenied, reconcile.Unreadable:
		return true
	}
	return false
}

// Ask asks OpenCTI, or else the file: it knows what was read, and nothing of the others.
func (s *snapshotSource) Ask(ctx context.Context, ids []string) (a reconcile.Answer, err error) {
	if s.asks != nil {
		return s.asks.Ask(ctx, ids)
	}
	asked := make(map[string]bool, len(ids))
	for _, id := range ids {
		asked[id] = true
	}
	latest := map[string]reconcile.Indicator{}
	err = s.file.Visit(ctx, func(page []reconcile.Indicator) error {
		for i := range page {
			for _, id := range []string{page[i].ID, page[i].StandardID} {
				if asked[id] {
					latest[id] = page[i]
				}
			}
		}
		return nil
	})
	for _, id := range ids {
		if i, ok := latest[id]; ok {
			a.Found = append(a.Found, reconcile.Found{Asked: id, Indicator: i, Passes: s.passes(&i)})
			delete(latest, id)
		}
	}
	return a, err
}
