package opencti

import (
	"context"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Source is what a platform lets through one filter. It is a reconcile.Source: one call at a time.
type Source struct {
	Client      *Client
	Filter      *FilterGroup         // the stream's; nil is none
	Selection   *reconcile.Selection // our own, as far as the platform can evaluate it; nil is none
	AsOf        *time.Time           // the moment at which validity dates are judged; nil is that of the reading
	Observables bool
	Stream      string // that is followed: look-ups judge validity now, and not as the last read did; "" is none

	Connector string // whose state is read along, for a stream; "" is none

	now time.Time // of the last read
}

// Read visits every indicator of the filter.
func (s *Source) Read(ctx context.Context, start time.Time, visit func(page []reconcile.Indicator, total int) error) (int, error) {
	s.now = start
	return s.Client.Read(ctx, s.at(start), start, s.Observables, visit)
}

// Ask asks for single indicators: of a stream in one request, if they are few; else each question for itself, those
// that do not pass the filter once more without one.
func (s *Source) Ask(ctx context.Context, ids []string) (reconcile.Answer, error) {
	if s.now.IsZero() || s.Stream != "" {
		s.now = time.Now().UTC()
	}
	filter := s.at(s.now)
	if s.Stream != "" && s.Observables {
		a, stream, ok, err := s.Client.Look(ctx, ids, filter, s.Stream, s.Connector)
		if ok || err != nil {
			a.Refiltered = ok && stream.Digest() != s.Filter.Digest()
			return a, err
		}
	}
	var a reconcile.Answer
	if s.Stream != "" {
		now, err := s.Client.Stream(ctx, s.Stream)
		if err != nil {
			return a, err
		}
		a.Refiltered = now.Filters.Digest() != s.Filter.Digest()
	}
	passing, err := s.Client.ByIDs(ctx, ids, filter, s.Observables)
	if err != nil {
		return a, err
	}
	there := map[string]bool{}
	for _, f := range passing {
		there[f.Asked] = true
	}
	others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return there[id] })
	if len(others) == 0 {
		a.Found = together(passing, nil)
		return a, nil
	}
	rest, err := s.Client.ByIDs(ctx, others, nil, s.Observables)
	a.Found = together(passing, rest)
	return a, err
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
