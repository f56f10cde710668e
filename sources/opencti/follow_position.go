package opencti

import (
	"context"
	"errors"

	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// tellPosition is the version from which redisStreamInfo tells where the stream ends (contract
// opencti-api 12.1).
const tellPosition = "6.8.0"

// StreamPosition is where the live stream ends at this moment: what a full read that begins now does not
// see comes after it (contract opencti-api 5.6, 13). A platform that cannot be asked for it tells on
// connecting to a stream, the one of o; it is connected to also where it may be one that cannot be. That
// is a *StreamError.
func (c *Client) StreamPosition(ctx context.Context, o FollowOptions) (state.Position, error) {
	const op = "StreamPosition"
	if !o.Unfiltered && c.since(tellPosition) {
		var w struct {
			Info *struct {
				Last string `json:"lastEventId"`
			} `json:"redisStreamInfo"`
		}
		err := c.query(ctx, request{op: op, document: "stream_position"}, &w)
		e, failed := errors.AsType[*Error](err)
		switch {
		case failed && e.Code == "GRAPHQL_VALIDATION_FAILED": // of an older platform than was thought
		case err != nil:
			return state.Position{}, err
		case w.Info != nil:
			p, err := state.ParsePosition(w.Info.Last)
			if err != nil {
				return state.Position{}, misshapen(op, err.Error())
			}
			return p, nil
		}
	}
	attempt := 0
	for s, err := range c.Follow(ctx, o) {
		if err != nil {
			return state.Position{}, err
		}
		switch s := s.(type) {
		case tail.Connected:
			return s.Last, nil
		case tail.Lost:
			if attempt++; attempt >= c.o.Retry.Attempts {
				return state.Position{}, s.Err
			}
		case tail.Gap:
			return state.Position{}, &Error{Op: op, Transport: true, Message: s.Reason}
		default: // events, which would come for ever
			return state.Position{}, &Error{Op: op, Transport: true, Message: unclear}
		}
	}
	return state.Position{}, ctx.Err()
}
