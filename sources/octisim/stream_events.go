package octisim

import (
	"slices"
	"strconv"

	"github.com/google/uuid"
)

// message is one message of a stream on its way out. An empty id is none.
type message struct {
	id, event  string
	data       []byte
	dependency bool // sent ahead of the event it belongs to
}

// append writes the message as server-sent events are written.
func (m message) append(b []byte) []byte {
	if m.id != "" {
		b = append(append(append(b, "id: "...), m.id...), '\n')
	}
	b = append(append(append(b, "event: "...), m.event...), '\n')
	b = append(append(append(b, "data: "...), m.data...), '\n')
	return append(b, '\n')
}

// sees tells whether a state of an indicator passes the stream's filter and the user's rights.
func (l *listener) sees(i *indicator, e *event) bool {
	if i == nil || !i.visible(l.allowed) {
		return false
	}
	return l.filter == nil || l.filter.passes(i, e)
}

// event sends what a change of an indicator means to this client (contract opencti-api 5.5).
func (l *listener) event(e *event) {
	if !l.origin.who(e.by()) {
		return
	}
	was, is := l.sees(e.before, e), l.sees(e.after, e)
	state, name, inner := e.after, "", "update"
	switch {
	case e.merged() != nil:
		if is {
			name, inner = "merge", "merge"
		}
	case e.before == nil:
		if is {
			name, inner = "create", "create"
		}
	case e.after == nil:
		if was && l.deletes {
			name, inner, state = "delete", "delete", e.before
		}
	case was && is:
		name = "update"
	case is:
		name = "create"
	case was:
		if l.deletes {
			name = "delete"
			if l.transitions() {
				state = e.before
			}
		}
	case l.filter != nil && e.after.visible(l.allowed) && l.contained(e.after):
		name = "update"
	}
	if name == "" {
		return
	}
	l.delivered++
	if name != "delete" {
		l.depend(state, e.at)
	}
	l.emit(message{id: e.at.String(), event: name, data: l.main(e, state, inner, was != is)})
}

// contained tells whether an indicator is inside a case or a note that the user may see and that passes:
// it is followed then (contract opencti-api 5.5).
func (l *listener) contained(i *indicator) bool {
	for _, kind := range []string{"case-incident", "note"} {
		for _, e := range l.sim.entities[kind].byStandard.list() {
			if !e.dead && slices.Contains(e.told().objects, i.id) && e.visible(l.allowed) && l.filter.containers(e) {
				return true
			}
		}
	}
	return false
}

// transitions tells whether an event that lets an indicator appear or vanish carries the earlier
// state and no context.
func (l *listener) transitions() bool { return l.sim.version.atLeast("7.260811.0") }

// main is the data of an event in full. Crossing is an update that makes the indicator appear to, or
// vanish from, this client.
func (l *listener) main(e *event, state *indicator, inner string, crossing bool) []byte {
	data := l.sim.stix(state)
	var said string
	var context jsonObject
	patches := func() (forth, back []jsonObject) {
		after := data
		if state != e.after {
			after = l.sim.stix(e.after)
		}
		return diff("", l.sim.stix(e.before), after)
	}
	switch inner {
	case "create":
		said = "Create Indicator " + state.name
	case "delete":
		said = "Delete Indicator " + state.name
	case "merge":
		forth, back := patches()
		var sources []jsonObject
		for _, m := range e.merged() {
			sources = append(sources, l.sim.stix(m))
		}
		said = "Merge " + strconv.Itoa(len(sources)) + " Indicators into " + state.name
		context = jsonObject{"patch": forth, "reverse_patch": back, "sources": sources}
	default:
		said, context = "Update Indicator "+state.name, jsonObject{}
		if crossing && l.transitions() {
			break
		}
		forth, back := patches()
		said = "Update " + strconv.Itoa(len(forth)) + " elements"
		context = jsonObject{
			"patch": forth, "reverse_patch": back, "changes": []jsonObject{}, "related_restrictions": jsonObject{}, "pir_ids": []string{},
		}
	}
	o := jsonObject{
		"version": "4", "type": inner, "scope": "external", "message": said,
		"origin": jsonObject{"socket": "query", "ip": "127.0.0.1", "user_id": e.by()},
		"data":   data, "event_id": uuid.NewSHA1(idSpace, []byte(e.at.String())).String(),
	}
	if context != nil {
		o["context"] = context
	}
	return jsonText(o)
}

// extra is the data of what is sent without being an event: for lack of a cause it has neither type
// nor scope (contract opencti-api 5.4).
func (l *listener) extra(v item, referer string) []byte {
	return jsonText(jsonObject{
		"version": "4", "message": referer, "origin": jsonObject{"referer": referer}, "data": l.sim.stix(v),
	})
}
