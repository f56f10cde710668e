package opencti

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// FollowOptions say which stream is followed, and from where.
type FollowOptions struct {
	Stream string // id of the collection
	// From is the event up to which everything is known, such as that of StreamPosition. The
	// connection begins a minute before it, so events come again that were told already; a log that
	// begins in that minute is no tail.Gap, one that begins later is. Nil is from the first connection on.
	From       *state.Position
	Unfiltered bool          // the collection has no filters: a platform that cannot follow it never will
	Silence    time.Duration // without a message, after which a connection is given up; default 45 s
	MaxMessage int           // bytes of one message, beyond which it is a Gap; default 64 MiB
}

// Silence of a healthy stream is 5 s (contract opencti-api 5.3).
const (
	mostSilence = 45 * time.Second
	mostMessage = 64 << 20 // the data; see fields
	fields      = 64 << 10 // for the names of the fields, id and event
)

// steady is how long a connection has to give messages to count as a success: the waits between
// attempts then begin anew.
const steady = 30 * time.Second

// Why a stream ended.
var (
	ErrStreamStopped = errors.New("the stream is stopped")
	ErrStreamRefused = errors.New("the stream is not served to this account")
	ErrStreamBare    = errors.New("the stream has no filters, and this OpenCTI cannot follow one without")
	ErrStreamEnded   = errors.New("the platform ended the stream")
)

// Follow tells what happens in a live stream until ctx ends or the caller breaks (contract opencti-api
// 5). It connects again after every end of the stream, silence and failure, with growing waits, from
// the last safe position. A tail.Lost has ErrStreamEnded if the platform ended the stream in order, otherwise
// an *Error. What ends it is the last error, without a signal: a *StreamError, which trying
// again does not mend, or that of ctx. While the caller handles a signal nothing is read and no silence
// counted; the platform may end the connection meanwhile, which loses nothing.
func (c *Client) Follow(ctx context.Context, o FollowOptions) iter.Seq2[tail.Signal, error] {
	if o.Silence <= 0 {
		o.Silence = mostSilence
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = mostMessage
	}
	return func(yield func(tail.Signal, error) bool) {
		if o.Stream == "" { // which would be the raw stream, for administrators alone
			yield(nil, errors.New("OpenCTI: no live stream is named; set connector.live_stream_id"))
			return
		}
		f := follower{c: c, o: o}
		if o.From != nil {
			f.reading = since(*o.From)
		}
		f.secrets = c.secrets
		for failures := 0; ; failures++ {
			held, err := f.connection(ctx, func(s tail.Signal) bool { return yield(s, nil) })
			if errors.Is(err, errBreak) {
				return
			}
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
			if _, final := errors.AsType[*StreamError](err); final {
				yield(nil, err)
				return
			}
			if held {
				failures = 0
			}
			wait := c.o.Retry.Backoff(failures)
			if e, ok := errors.AsType[*Error](err); ok && e.After > 0 {
				wait = max(wait, min(e.After, c.o.Retry.MaxWait))
			}
			if !yield(tail.Lost{Err: err, Wait: wait}, nil) {
				return
			}
			if err := c.o.Retry.Sleep(ctx, wait); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}
