package octisim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
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
	inner := e.kind()
	name := inner
	switch {
	case is && was, is && inner != "update":
	case inner == "merge":
		return
	case is:
		name = "create"
	case was:
		name = "delete"
	case inner == "update" && l.filter != nil && e.after.visible(l.allowed) && l.contained(e.after):
	default:
		return
	}
	state := e.after
	if name == "delete" {
		if !l.deletes {
			return
		}
		if inner == "delete" || l.transitions() {
			state = e.before
		}
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

// connectorsGroup is the group of every user.
const connectorsGroup = "22e7dfdb-748f-424f-bc11-7b7178e0970c"

// main is the data of an event in full. Crossing is an update that makes the indicator appear to, or
// vanish from, this client.
func (l *listener) main(e *event, state *indicator, inner string, crossing bool) []byte {
	o := jsonObject{
		"version": "4", "type": inner, "scope": "external", "message": l.sim.said(inner+"s", state), "data": l.sim.stix(state), "event_id": e.at.String(),
		"origin": jsonObject{"socket": "query", "user_id": e.by(), "group_ids": []string{connectorsGroup}, "organization_ids": []string{}},
	}
	if e.by() == systemUser {
		o["origin"] = jsonObject{"socket": "internal", "user_id": systemUser}
	}
	if inner == "create" || inner == "delete" {
		return jsonText(o)
	}
	forth, back := diff("", l.sim.stix(e.before), l.sim.stix(e.after))
	context := jsonObject{"patch": forth, "reverse_patch": back}
	if inner == "merge" {
		sources, names := []jsonObject{}, []string{}
		for _, m := range e.merged() {
			sources, names = append(sources, l.sim.stix(m)), append(names, "`"+m.name+"`")
		}
		o["message"] = "merges Indicator " + strings.Join(names, ", ") + " in `" + state.name + "`"
		context["sources"] = sources
	} else {
		changes := changesOf(forth, back)
		o["message"] = "Update " + strconv.Itoa(len(changes)) + " elements"
		context["changes"], context["related_restrictions"], context["pir_ids"] = changes, jsonObject{"markings": []string{}}, []string{}
	}
	if o["context"] = context; crossing && l.transitions() {
		o["context"] = jsonObject{}
	}
	return jsonText(o)
}

// changesOf says what patches change, but for the times that every change moves.
func changesOf(forth, back []jsonObject) []jsonObject {
	raw := func(op jsonObject) []jsonObject {
		if v, ok := op["value"]; ok {
			return []jsonObject{{"raw": fmt.Sprint(v)}}
		}
		return []jsonObject{}
	}
	out := []jsonObject{}
	for i, op := range forth {
		path, _ := op["path"].(string)
		name := path[strings.LastIndex(path, "/")+1:]
		if name != "modified" && name != "updated_at" {
			out = append(out, jsonObject{"field": "Indicator--" + name, "changes_removed": raw(back[i]), "changes_added": raw(op)})
		}
	}
	return out
}

// extra is the data of what is sent without being an event: for lack of a cause it has neither type
// nor scope (contract opencti-api 5.4).
func (l *listener) extra(v item, referer string) []byte {
	return jsonText(jsonObject{
		"version": "4", "message": l.sim.said("creates", v), "origin": jsonObject{"referer": referer}, "data": l.sim.stix(v),
	})
}

// said is the sentence on what is done to an object.
func (s *Sim) said(does string, v item) string {
	kind := func(v item) string { return strings.TrimPrefix(v.core().entity, "Stix") }
	r, ok := v.(*relation)
	if !ok {
		return does + " a " + kind(v) + " `" + s.display(v) + "`"
	}
	end := func(id string) string {
		if v := s.items[id]; v != nil {
			return "`" + s.display(v) + "` (" + kind(v) + ")"
		}
		return "`Restricted`"
	}
	return does + " the relation " + r.entity + " from " + end(r.from) + " to " + end(r.to)
}

// position is the id of an event: milliseconds, then a number within them.
type position struct {
	ms  moment
	seq int
}

func (p position) String() string {
	return strconv.FormatInt(int64(p.ms), 10) + "-" + strconv.Itoa(p.seq)
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.ms, q.ms), cmp.Compare(p.seq, q.seq))
}

// event is one change of an indicator: before is nil for a creation, after for a deletion.
type event struct {
	at            position
	before, after *indicator
	cause         *cause // nil for most: the platform itself did it
}

// cause is what few events have. There may be millions.
type cause struct {
	by     string       // internal id of the user who did it; empty is the platform itself
	merged []*indicator // those that became part of after, and are gone
}

func (e *event) merged() []*indicator {
	if e.cause == nil {
		return nil
	}
	return e.cause.merged
}

// kind is what happened: create, update, delete or merge.
func (e *event) kind() string {
	switch {
	case e.merged() != nil:
		return "merge"
	case e.before == nil:
		return "create"
	case e.after == nil:
		return "delete"
	}
	return "update"
}

// by is the internal id of the user who did it.
func (e *event) by() string {
	if e.cause == nil {
		return systemUser
	}
	return cmp.Or(e.cause.by, systemUser)
}

// eventLog is the platform's one log of changes, oldest first, cut at its oldest end.
type eventLog struct {
	start  position // where an empty log stands
	floor  position // ids that readers have been told of without an event; what comes is later
	events []event
	size   int           // most events kept
	by     string        // whose changes come now, as in cause
	wake   chan struct{} // closed by ring; nil while nobody waits
}

func (l *eventLog) add(at moment, before, after *indicator) {
	e := event{before: before, after: after}
	if l.by != "" {
		e.cause = &cause{by: l.by}
	}
	l.append(at, e)
}

func (l *eventLog) append(at moment, e event) {
	e.at = position{ms: at}
	last := l.last()
	if l.floor.compare(last) > 0 {
		last = l.floor
	}
	if e.at.ms <= last.ms {
		e.at = position{last.ms, last.seq + 1} // ids only grow, also when the clock does not
	}
	l.events = append(l.events, e)
	if n := len(l.events) - l.size; n > l.size/8 {
		l.trim(l.size)
	}
	l.ring()
}

// trim forgets all but the newest events. The log still knows where it stands when none is left.
func (l *eventLog) trim(keep int) {
	if keep <= 0 {
		l.start = l.last()
	}
	if n := len(l.events) - max(keep, 0); n > 0 {
		l.events = append([]event(nil), l.events[n:]...)
	}
}

// since gives at most n events after p, the oldest first. It says nothing of events that were
// trimmed (contract opencti-api 5.6). The slice is for reading, and may be read without a lock.
func (l *eventLog) since(p position, n int) []event {
	i, found := slices.BinarySearchFunc(l.events, p, func(e event, p position) int { return e.at.compare(p) })
	if found {
		i++
	}
	return l.events[i:min(i+n, len(l.events))]
}

// bell gives a channel that the next ring closes.
func (l *eventLog) bell() <-chan struct{} {
	if l.wake == nil {
		l.wake = make(chan struct{})
	}
	return l.wake
}

// ring wakes everybody who waits for events, or for anything else that concerns a stream.
func (l *eventLog) ring() {
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

func (l *eventLog) first() position {
	if len(l.events) == 0 {
		return l.start
	}
	return l.events[0].at
}

func (l *eventLog) last() position {
	if len(l.events) == 0 {
		return l.start
	}
	return l.events[len(l.events)-1].at
}

// A connection remembers what it has sent, so that dependencies go out once (contract opencti-api
// 5.5).
const (
	sentMost = 5000
	sentFor  = 2 * time.Hour
)

// sentCache holds the internal ids of what was sent, the oldest first.
type sentCache struct {
	until map[string]time.Time
	order []sentEntry
}

type sentEntry struct {
	id    string
	until time.Time
}

// add is false when the id was sent and is still remembered.
func (c *sentCache) add(id string, now time.Time) bool {
	if c.until == nil {
		c.until = map[string]time.Time{}
	}
	if t, ok := c.until[id]; ok && now.Before(t) {
		return false
	}
	for len(c.order) > 0 && (len(c.until) >= sentMost || !now.Before(c.order[0].until)) {
		if old := c.order[0]; c.until[old.id] == old.until {
			delete(c.until, old.id)
		}
		c.order = c.order[1:]
	}
	c.until[id] = now.Add(sentFor)
	c.order = append(c.order, sentEntry{id, c.until[id]})
	return true
}

// refs are the objects that an object names: its author and markings, and the ends of what joins two.
func (s *Sim) refs(v item) []item {
	var out []item
	if a := s.items[v.core().told().author]; a != nil {
		out = append(out, a)
	}
	for _, m := range v.core().markings {
		out = append(out, m)
	}
	if r, ok := v.(*relation); ok {
		for _, id := range []string{r.from, r.to} {
			if end := s.items[id]; end != nil {
				out = append(out, end)
			}
		}
	}
	return out
}

// depend sends ahead what an object needs to be understood, under the position of its own event: what
// it refers to, and unless the client does without, what it is related to and sighted in.
func (l *listener) depend(v item, at position) {
	l.sent.add(v.core().id, l.now)
	for _, r := range l.sim.refs(v) {
		l.dependency(r, at)
	}
	if !l.dependencies {
		return
	}
	id := v.core().id
	for _, r := range slices.Concat(l.sim.from[id], l.sim.to[id]) {
		if l.access(l.sim.items[r.from]) && l.access(l.sim.items[r.to]) {
			l.dependency(r, at)
		}
	}
}

// dependency sends an object unless the client has it, after what that refers to.
func (l *listener) dependency(v item, at position) {
	if !l.access(v) || !l.sent.add(v.core().id, l.now) {
		return
	}
	for _, r := range l.sim.refs(v) {
		l.dependency(r, at)
	}
	l.emit(message{id: at.String(), event: "create", dependency: true, data: l.extra(v, "init-dependencies")})
}

// access tells whether the user may see an object, which is there at all.
func (l *listener) access(v item) bool {
	if v == nil {
		return false
	}
	if m, ok := v.(*marking); ok {
		return l.allowed == nil || l.allowed[m]
	}
	return v.core().visible(l.allowed)
}
