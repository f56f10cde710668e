package main

import (
	"context"
	"errors"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/state"
	"harfangsync/sources/opencti"
)

// openctiSource lets a run read OpenCTI through one filter.
type openctiSource struct {
	client      *opencti.Client
	filter      *opencti.FilterGroup // the stream's; nil is none
	selection   *reconcile.Selection // our own, as far as the platform can evaluate it; nil is none
	asOf        *time.Time           // the moment at which validity dates are judged; nil is that of the reading
	observables bool
	moving      bool // look-ups judge validity now, and not as the last read did

	now time.Time // of the last read
}

// at is the whole filter at one moment.
func (s *openctiSource) at(now time.Time) *opencti.FilterGroup {
	if s.asOf != nil {
		now = *s.asOf
	}
	if s.selection == nil {
		return s.filter
	}
	return opencti.And(s.filter, opencti.Selecting(s.selection, now))
}

// Read visits every indicator of the filter.
func (s *openctiSource) Read(ctx context.Context, start time.Time, visit func([]reconcile.Indicator) error) (int, error) {
	s.now = start
	report, err := s.client.Read(ctx, s.at(start), start, s.observables, visit)
	return report.Count, err
}

// ByIDs asks for single indicators.
func (s *openctiSource) ByIDs(ctx context.Context, ids []string, filtered bool) ([]reconcile.Found, error) {
	var filter *opencti.FilterGroup
	if filtered {
		if s.now.IsZero() || s.moving {
			s.now = time.Now().UTC()
		}
		filter = s.at(s.now)
	}
	found, err := s.client.ByIDs(ctx, ids, filter, s.observables)
	if err != nil {
		return nil, err
	}
	out := make([]reconcile.Found, len(found))
	for i, f := range found {
		out[i] = reconcile.Found{Asked: f.Asked, Indicator: f.Indicator}
	}
	return out, nil
}

// connectorState keeps the state document in OpenCTI. Only commands that write register the
// connector; the others read what is there.
type connectorState struct {
	client   *opencti.Client
	id       string
	name     string
	scope    []string
	readOnly bool
}

// Load reads the stored text.
func (c *connectorState) Load(ctx context.Context) (string, error) {
	if c.readOnly {
		text, _, err := c.client.ConnectorState(ctx, c.id)
		return text, err
	}
	return c.client.Register(ctx, c.id, c.name, c.scope)
}

// Save stores the text. When the platform answers another state than was sent, an administrator
// reset it (contract opencti-api 6.2).
func (c *connectorState) Save(ctx context.Context, text string) error {
	if c.readOnly {
		return nil
	}
	stored, err := c.client.Ping(ctx, c.id, text)
	if errors.Is(err, opencti.ErrUnknownConnector) {
		if _, err = c.client.Register(ctx, c.id, c.name, c.scope); err == nil {
			stored, err = c.client.Ping(ctx, c.id, text)
		}
	}
	if err != nil {
		return err
	}
	if stored != text {
		return state.ErrReset
	}
	return nil
}
