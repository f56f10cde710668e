package opencti

import (
	"context"
	"time"

	"harfangsync/reconcile"
)

// Source is what a platform lets through one filter. It is a reconcile.Source: one call at a time.
type Source struct {
	Client      *Client
	Filter      *FilterGroup         // the stream's; nil is none
	Selection   *reconcile.Selection // our own, as far as the platform can evaluate it; nil is none
	AsOf        *time.Time           // the moment at which validity dates are judged; nil is that of the reading
	Observables bool
	Moving      bool // look-ups judge validity now, and not as the last read did

	now time.Time // of the last read
}

// Read visits every indicator of the filter.
func (s *Source) Read(ctx context.Context, start time.Time, visit func(page []reconcile.Indicator, total int) error) (int, error) {
	s.now = start
	return s.Client.Read(ctx, s.at(start), start, s.Observables, visit)
}

// ByIDs asks for single indicators.
func (s *Source) ByIDs(ctx context.Context, ids []string, filtered bool) ([]reconcile.Found, error) {
	var filter *FilterGroup
	if filtered {
		if s.now.IsZero() || s.Moving {
			s.now = time.Now().UTC()
		}
		filter = s.at(s.now)
	}
	return s.Client.ByIDs(ctx, ids, filter, s.Observables)
}

// at is the whole filter at one moment.
func (s *Source) at(now time.Time) *FilterGroup {
	if s.AsOf != nil {
		now = *s.AsOf
	}
	if s.Selection == nil {
		return s.Filter
	}
	return And(s.Filter, Selecting(s.Selection, now))
}
