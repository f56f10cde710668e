package tail

import (
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Signal is one thing that a live stream tells: Connected, Dirty, Safe, Gap or Lost.
type Signal interface{ signal() }

// Connected says that a connection stands, and where the platform's log of events begins and ends, which
// is 0-0 when it is empty. Where the platform does not say, there is a Gap in its place.
type Connected struct{ First, Last state.Position }

// Dirty says that something happened to indicators: what they are now has to be asked for. One event
// may come more than once.
type Dirty struct {
	IDs []string // internal ids, or the standard id of one that came without; never empty, each once
}

// Safe is a position worth saving: every event up to it was told before. It comes once a message with a
// later id has arrived, since a dependency carries the id of the event that follows it (contract
// opencti-api 5.6); it only grows. On a quiet stream there is one with each heartbeat, every 5 s.
//
// A Safe after a Gap says nothing of what the gap swallowed: it is worth saving once a full run that
// began after the Gap has succeeded.
type Safe struct{ Position state.Position }

// Gap says that events are missing, or may be, so that only a full run gives the truth. Reason is one
// line. The stream goes on.
type Gap struct{ Reason string }

// Lost says that the connection is gone, and that there will be another one after Wait. Nothing is missing
// because of it: the next connection begins before the last safe position.
type Lost struct {
	Err  error
	Wait time.Duration
}

func (Connected) signal() {}
func (Dirty) signal()     {}
func (Safe) signal()      {}
func (Gap) signal()       {}
func (Lost) signal()      {}
