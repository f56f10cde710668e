package opencti

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// overlap is how far before the last safe position a connection begins, since the platform moves a
// position along with its own clock, which may differ from that of its log (contract opencti-api 5.6).
const overlap = time.Minute

// reading is how far a stream was read. It turns messages into signals, and does nothing else.
type reading struct {
	secrets remote.Secrets // hidden where the platform echoes them
	known   bool           // safe is known; otherwise reading begins at the moment of the connection
	safe    state.Position // everything up to it was told
	last    state.Position // newest id of this connection
	held    state.Position // newest event that the platform's log is known to have held
}

// since is a reading of what comes after an event.
func since(p state.Position) reading { return reading{known: true, safe: p, held: p} }

// connect begins a connection: what the last one said of ids that are not safe does not count for it.
// start is the position to ask for, "" for none.
func (r *reading) connect() (start string) {
	if !r.known {
		return ""
	}
	r.last = r.safe
	return r.safe.Back(overlap).String()
}

// see takes the id of a message.
func (r *reading) see(id string) []tail.Signal {
	p, err := state.ParsePosition(id)
	if err != nil || p.Compare(r.last) <= 0 {
		return nil
	}
	before := r.last
	r.last = p
	switch {
	case !r.known:
		r.known, r.safe = true, p.Back(time.Millisecond) // p itself may be that of a dependency
	case before.Compare(r.safe) > 0:
		r.safe = before
		return []tail.Signal{tail.Safe{Position: before}}
	}
	return nil
}

// message is what a message tells, in order. The error is an *Error without an operation: the connection
// is of no use any more.
func (r *reading) message(m message) ([]tail.Signal, error) {
	if m.Cut {
		return append(r.see(m.ID), tail.Gap{Reason: fmt.Sprintf("the message at %s is too large to be read", spot(m.ID))}), nil
	}
	switch m.Event {
	case "connected":
		return r.connected(m.Data), nil
	case "heartbeat", "consumer_metrics":
		return r.see(m.ID), nil
	case "create", "update", "delete", merged: // an indicator that no longer passes the stream's filter is deleted
		if p, err := state.ParsePosition(m.ID); err == nil && p.Compare(r.held) > 0 {
			r.held = p // unlike a heartbeat's, which is of the platform's clock
		}
		return append(r.see(m.ID), change(m)...), nil
	case "error":
		why := "the platform reports an error in the stream: " + r.spoken(m.Data)
		return []tail.Signal{tail.Gap{Reason: why}}, &Error{Transport: true, Message: why}
	}
	// Others are ignored, with their ids: that of no-recover is the platform's time, which may be past
	// events that are still to come.
	return nil, nil
}

// merged is the event of an indicator that stays, and of those that are gone.
const merged = "merge"

// ignored says whether message makes nothing of this event.
func ignored(event string) bool {
	return !slices.Contains([]string{"connected", "heartbeat", "consumer_metrics", "error", "create", "update", "delete", merged}, event)
}

const unclear = "the platform does not say where its stream begins and ends"

func (r *reading) connected(data string) []tail.Signal {
	var w struct{ FirstEventID, LastEventID string }
	_ = json.Unmarshal([]byte(data), &w) // what is missing is no position
	first, err1 := state.ParsePosition(w.FirstEventID)
	last, err2 := state.ParsePosition(w.LastEventID)
	if err1 != nil || err2 != nil {
		return []tail.Signal{tail.Gap{Reason: unclear}}
	}
	out := []tail.Signal{tail.Connected{First: first, Last: last}}
	switch {
	case !r.known:
		r.known, r.safe, r.last = true, last, last
	case !r.safe.IsZero() && first.Compare(r.safe) > 0:
		// The platform begins at its oldest event without a word.
		out = append(out, tail.Gap{Reason: fmt.Sprintf("the platform keeps no events before %s any more, and those up to %s were read", first, r.safe)})
		r.safe, r.last = first, first // nothing before it will ever come
	case last.Compare(r.held) < 0:
		out = append(out, tail.Gap{Reason: fmt.Sprintf("the platform's events end at %s, and went to %s before: it has lost some", last, r.held)})
	}
	r.held = last
	return out
}

type wireObject struct {
	Type       string          `json:"type"`
	ID         string          `json:"id"`
	Extensions json.RawMessage `json:"extensions"`
}

// wireExtensions holds OpenCTI's own extension of STIX (contract opencti-api 5.8).
type wireExtensions struct {
	OpenCTI struct {
		ID       string `json:"id"`
		Inferred bool   `json:"is_inferred"`
	} `json:"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"`
}

// indicator is the id of an object, internal if there is one; "" for what is no indicator or is inferred.
func (w *wireObject) indicator() (string, error) {
	switch {
	case w == nil:
		return "", errors.New("no object")
	case w.Type == "":
		return "", errors.New("an object without a type")
	case w.Type != "indicator":
		return "", nil
	}
	var ext wireExtensions
	if len(w.Extensions) > 0 {
		if err := json.Unmarshal(w.Extensions, &ext); err != nil {
			return "", err
		}
	}
	switch {
	case ext.OpenCTI.Inferred:
		return "", nil
	case plausible(ext.OpenCTI.ID):
		return ext.OpenCTI.ID, nil
	case ext.OpenCTI.ID == "" && plausible(w.ID):
		return w.ID, nil
	}
	return "", errors.New("an indicator without an id")
}

// plausible says whether a text may be an id: it will be asked for and shown.
func plausible(id string) bool {
	const most = 200
	return id != "" && len(id) <= most && !strings.ContainsFunc(id, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsGraphic(r) || r == ' ' })
}

// change is what a change of an object means. Which change it is only the name of the event says: the
// inner type differs from it, or is missing (contract opencti-api 5.4, 5.5).
func change(m message) (out []tail.Signal) {
	ids, err := indicators(m)
	if len(ids) > 0 {
		out = append(out, tail.Dirty{IDs: ids})
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		err = errors.New("it has another shape") // the library names Go's types
	}
	if err != nil {
		out = append(out, tail.Gap{Reason: fmt.Sprintf("the %s event at %s cannot be read: %s", m.Event, spot(m.ID), oneLine(err.Error()))})
	}
	return out
}

// indicators are the ids in a change, as far as they can be read; the error is the first thing that
// cannot.
func indicators(m message) (ids []string, err error) {
	var w struct {
		Data    *wireObject     `json:"data"`
		Context json.RawMessage `json:"context"`
	}
	if err := json.Unmarshal([]byte(m.Data), &w); err != nil {
		return nil, err
	}
	objects := []*wireObject{w.Data}
	if m.Event == merged && w.Data != nil && w.Data.Type == "indicator" {
		var context struct {
			Sources []*wireObject `json:"sources"`
		}
		if len(w.Context) > 0 {
			err = json.Unmarshal(w.Context, &context)
		}
		if err == nil && len(context.Sources) == 0 {
			err = errors.New("it does not say what was merged away")
		}
		objects = append(objects, context.Sources...)
	}
	for _, o := range objects {
		id, broken := o.indicator()
		if err == nil {
			err = broken
		}
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// spoken is the text of an error event, in one line.
func (r *reading) spoken(data string) string {
	var w struct {
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(data), &w) != nil || w.Message == "" {
		return "it does not say which"
	}
	return oneLine(r.secrets.Hide(w.Message))
}

// spot is the id of a message as it may be shown.
func spot(id string) string {
	if p, err := state.ParsePosition(id); err == nil {
		return p.String()
	}
	return "an unknown position"
}
