package octisim

import (
	"bytes"
	"slices"
	"strings"
)

// StreamFault tells how a live stream goes wrong at matching messages, which are counted over all
// connections. The first fault that is still live wins.
type StreamFault struct {
	// Event is the name of the message, such as create or heartbeat; dependency is what goes ahead of
	// an event, main the events themselves, and empty both.
	Event string
	Skip  int // matching messages let through first
	Times int // then so many are hit; 0 means every one
	Do    StreamAction
	Size  int // for StreamLong: bytes added to the line
}

// StreamAction is what a fault does to a message of a stream.
type StreamAction string

const (
	// StreamEnd ends the body instead of sending the message.
	StreamEnd StreamAction = "end"
	// StreamEndAfter ends the body once the message is sent.
	StreamEndAfter StreamAction = "end_after"
	// StreamHalf ends the body, properly, after half of the message.
	StreamHalf StreamAction = "half"
	// StreamCut cuts the connection after half of the message: the body never ends.
	StreamCut StreamAction = "cut"
	// StreamLong makes the message's line longer by Size bytes.
	StreamLong StreamAction = "long"
	// StreamUnknown sends an event nobody has heard of before the message.
	StreamUnknown StreamAction = "unknown"
	// StreamTwice sends the message twice.
	StreamTwice StreamAction = "twice"
	// StreamError sends an error event instead, after which the connection lives on without events.
	StreamError StreamAction = "error"
	// StreamSilence sends neither the message nor anything after it on this connection, which stays.
	StreamSilence StreamAction = "silence"
)

var streamActions = []StreamAction{
	StreamEnd, StreamEndAfter, StreamHalf, StreamCut, StreamLong, StreamUnknown, StreamTwice, StreamError, StreamSilence,
}

type liveFault struct {
	StreamFault
	seen int
}

// FailStream adds a fault. It is false, and nothing is added, for an unknown action.
func (s *Sim) FailStream(f StreamFault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(streamActions, f.Do) {
		return false
	}
	s.live.faults = append(s.live.faults, &liveFault{StreamFault: f})
	return true
}

// HealStream removes every fault of streams. Connections that went silent stay so.
func (s *Sim) HealStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live.faults = nil
}

var mainEvents = []string{"create", "update", "delete", "merge"}

func (f *StreamFault) matches(m message) bool {
	isMain := slices.Contains(mainEvents, m.event) && !m.dependency
	switch f.Event {
	case "":
		return isMain || m.dependency
	case "main":
		return isMain
	case "dependency":
		return m.dependency
	}
	return f.Event == m.event
}

// fault picks the fault that hits a message; nil is none.
func (s *Sim) fault(m message) *StreamFault {
	for _, f := range s.live.faults {
		if !f.matches(m) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Times > 0 && f.seen > f.Skip+f.Times {
			continue
		}
		return &f.StreamFault
	}
	return nil
}

// emit queues a message to be written, with what faults make of it. Nothing is queued once the
// connection is to end or has gone silent, and no event once it is useless.
func (l *listener) emit(m message) {
	if l.verdict != goesOn || l.silent || l.useless && (m.dependency || slices.Contains(mainEvents, m.event)) {
		return
	}
	f := l.sim.fault(m)
	if f == nil {
		l.out = m.append(l.out)
		return
	}
	whole := m.append(nil)
	switch f.Do {
	case StreamEnd:
		l.finish(ended)
	case StreamEndAfter:
		l.out = append(l.out, whole...)
		l.finish(ended)
	case StreamHalf, StreamCut:
		l.out = append(l.out, whole[:len(whole)/2]...)
		l.finish(map[StreamAction]verdict{StreamHalf: ended, StreamCut: cutOff}[f.Do])
	case StreamLong:
		if body, ok := bytes.CutPrefix(m.data, []byte("{")); ok {
			padding := `{"padding":"` + strings.Repeat("x", max(f.Size, 0)) + `",`
			m.data = append([]byte(padding), body...)
		}
		l.out = m.append(l.out)
	case StreamUnknown:
		l.out = message{id: m.id, event: "unheard_of", data: []byte(`{"version":"4"}`)}.append(l.out)
		l.out = append(l.out, whole...)
	case StreamTwice:
		l.out = append(append(l.out, whole...), whole...)
	case StreamError:
		l.out = l.failure("Error in stream").append(l.out)
		l.useless = true
	case StreamSilence:
		l.silent = true
	}
}

func (l *listener) finish(v verdict) {
	if l.verdict == goesOn {
		l.verdict = v
	}
}
