package octisim

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// connector is a registered connector. Unlike the objects of the store it changes in place.
type connector struct {
	base
	Name    string         `json:"name"`
	Kind    string         `json:"connector_type"`
	Scope   listOf[string] `json:"connector_scope"`
	Auto    bool           `json:"auto"`
	Context bool           `json:"only_contextual"`
	State   *string        `json:"connector_state"`
	Reset   bool           `json:"connector_state_reset"` // by an administrator, and no ping has seen it yet
	StateAt moment         `json:"connector_state_timestamp"`
	User    string         `json:"connector_user_id"`
	Info    map[string]any `json:"connector_info"`
}

func (*connector) typename() string { return "Connector" }

// Connector is the state text that the platform keeps for a connector: empty when there is none.
func (s *Sim) Connector(id string) (state string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if !ok || c.State == nil {
		return "", ok
	}
	return *c.State, true
}

// SetConnector stores a state text for a registered connector, as another client of the same
// connector would. It is false for an unknown id.
func (s *Sim) SetConnector(id, state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if ok {
		c.State = &state
	}
	return ok
}

// ResetConnector empties the state of a connector as an administrator does: the next ping stores
// nothing and learns of it, and bundles that wait for their import are lost (contract opencti-api
// 6.2). It is false for an unknown id.
func (s *Sim) ResetConnector(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	c, ok := s.connectors[id]
	if ok {
		c.State, c.Reset, c.StateAt = new(""), true, momentOf(s.now())
		s.queue = slices.DeleteFunc(s.queue, func(d *delivery) bool { return d.connector == id })
	}
	return ok
}

var mutationFields = map[string]resolver{
	"registerConnector": register,
	"pingConnector":     ping,
	"workAdd":           workAdd,
	"workEdit":          workEdit,
	"stixBundlePush":    push,

	"streamCollectionAdd":  addStream,
	"streamCollectionEdit": func(c *call) (any, error) { return c.args["id"].(string), nil },
}

func register(c *call) (any, error) {
	in, _ := c.args["input"].(map[string]any)
	name, _ := in["name"].(string)
	if len([]rune(name)) < 2 || trim(name) == "" {
		return nil, badInput("Invalid value for name: must be at least 2 characters in length")
	}
	id := in["id"].(string)
	now := momentOf(c.sim.now())
	con := c.sim.connectors[id]
	if con == nil {
		con = &connector{StateAt: never, base: base{
			id: id, standard: standardID("connector", contributing{"internal_id": id}), entity: "Connector", createdAt: now,
		}}
		c.sim.connectors[id] = con
	}
	con.Name, con.Kind, con.User, con.updatedAt = name, in["type"].(string), c.user.ID, now
	con.Scope, _ = textList(in["scope"])
	con.Auto, _ = in["auto"].(bool)
	con.Context, _ = in["only_contextual"].(bool)
	return con, nil
}

func ping(c *call) (any, error) {
	con := c.sim.connectors[c.args["id"].(string)]
	if con == nil {
		return nil, functional("No connector found with the specified ID")
	}
	if happens(&c.sim.knobs.LockPings) {
		return nil, internal("LOCK_ERROR: Execution timeout, too many concurrent call on the same entities")
	}
	now := momentOf(c.sim.now())
	con.updatedAt = now
	if info, ok := c.args["connectorInfo"].(map[string]any); ok {
		con.Info = info
	}
	if con.Reset {
		con.Reset, con.State = false, new("") // what was sent is dropped
		return con, nil
	}
	con.State, con.StateAt = nil, now
	if state, ok := c.args["state"].(string); ok {
		con.State = &state
		if state != "" && !json.Valid([]byte(state)) { // kept all the same
			return nil, internal("Unexpected token in JSON at position 0")
		}
	}
	return con, nil
}

// over tells whether a work finished more than a week ago.
func (s *Sim) over(w *work) bool {
	return w.Completed != never && w.Completed < momentOf(s.now().AddDate(0, 0, -7))
}

// work counts what one run of a connector pushed (contract opencti-api 7).
type work struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	connector string
	multi     bool
	Received  moment              `json:"received_time"`
	Processed moment              `json:"processed_time"` // never is not yet
	Completed moment              `json:"completed_time"`
	Messages  listOf[workMessage] `json:"messages"`
	Errors    listOf[workMessage] `json:"errors"`
	tracking
}

type tracking struct {
	Expected *int   `json:"import_expected_number"` // nil is nothing reported so far
	Done     *int   `json:"import_processed_number"`
	Reported moment `json:"import_last_processed"`
}

type workMessage struct {
	At       moment `json:"timestamp"`
	Text     string `json:"message"`
	Source   string `json:"source"`
	Sequence int    `json:"sequence"`
}

// mostErrors is how many errors of reports a work keeps.
const mostErrors = 100

func (w *work) status() string {
	if w.Completed != never {
		return "complete"
	}
	return "progress"
}

func count(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}

// counting is the version from which the platform itself counts what is pushed.
const counting = "7.260817.0"

// settled tells whether everything expected was reported. Before 7.260422.0 it took equality and
// something expected at all.
func (w *work) settled(v version) bool {
	if v.atLeast("7.260422.0") {
		return count(w.Done) >= count(w.Expected)
	}
	return count(w.Expected) > 0 && count(w.Done) == count(w.Expected)
}

// frozen tells whether the counters have stopped: a work in parts no longer counts once complete.
func (w *work) frozen() bool { return w.multi && w.Completed != never }

// expect raises the number of objects to wait for.
func (w *work) expect(n int) {
	if !w.frozen() {
		w.Expected = new(count(w.Expected) + n)
	}
}

// report counts one object, with what went wrong with it, and completes the work if that was the
// last one.
func (w *work) report(v version, now moment, message, source string, failed bool) {
	if w.frozen() {
		return
	}
	w.Done = new(count(w.Done) + 1)
	w.Reported = now
	if failed && len(w.Errors) < mostErrors {
		w.Errors = append(w.Errors, workMessage{now, message, source, len(w.Errors)})
	}
	if w.settled(v) && w.Completed == never && (!w.multi || w.Processed != never) {
		w.Completed = now
	}
}

// process is toProcessed: the sender is done. It completes the work when everything is settled, and
// also when nothing has been expected so far, however much is still queued.
func (w *work) process(v version, now moment, message string, failed bool) {
	w.Processed = now
	w.Messages = append(w.Messages, workMessage{now, message, "", len(w.Messages)})
	if failed && len(w.Errors) < mostErrors {
		w.Errors = append(w.Errors, workMessage{now, message, "", len(w.Errors)})
	}
	if w.Completed != never || !w.settled(v) && count(w.Expected) != 0 {
		return
	}
	w.Completed = now
	if w.Expected == nil && v.atLeast(counting) {
		w.Expected, w.Done = new(1), new(1)
	}
}

func (s *Sim) workList() []*work {
	s.forget(s.over)
	return s.works
}

// work is the work with an id; nil when it is not, or no longer, there.
func (s *Sim) work(id string) *work {
	w := s.workIDs[id]
	if w != nil && s.over(w) {
		return nil
	}
	return w
}

func workAdd(c *call) (any, error) {
	name, _ := c.args["friendlyName"].(string)
	w := c.sim.newWork(c.args["connectorId"].(string), name)
	w.multi, _ = c.args["isMultiPartWork"].(bool)
	return w, nil
}

// newWork adds a work. Its id holds the time, a little later when another one has that already.
func (s *Sim) newWork(connector, name string) *work {
	now := momentOf(s.now())
	s.lastWork = max(now, s.lastWork+1)
	id := "work_" + connector + "_" + s.lastWork.String()
	w := &work{ID: id, Name: name, connector: connector, Received: now, Processed: never, Completed: never, tracking: tracking{Reported: never}}
	s.works = append(s.works, w)
	s.workIDs[id] = w
	return w
}

// forget drops the works that is picks.
func (s *Sim) forget(is func(*work) bool) {
	s.works = slices.DeleteFunc(s.works, func(w *work) bool {
		gone := is(w)
		if gone {
			delete(s.workIDs, w.ID)
		}
		return gone
	})
}

// editing is a work that workEdit names, which need not be there.
type editing struct {
	id   string
	work *work
}

func workEdit(c *call) (any, error) {
	id := c.args["id"].(string)
	return editing{id, c.sim.work(id)}, nil
}

// edits makes a resolver of a change to a work; of one that is gone nothing is left to change.
func edits(change func(c *call, w *work, now moment)) resolver {
	return func(c *call) (any, error) {
		e := c.source.(editing)
		if e.work != nil {
			change(c, e.work, momentOf(c.sim.now()))
		}
		return e.id, nil
	}
}

var workEditFields = map[string]resolver{
	"delete": edits(func(c *call, w *work, _ moment) {
		c.sim.forget(func(x *work) bool { return x == w })
	}),
	"reportExpectation": edits(func(c *call, w *work, now moment) {
		in, failed := c.args["error"].(map[string]any)
		message, _ := in["error"].(string)
		source, _ := in["source"].(string)
		w.report(c.version, now, message, source, failed)
	}),
	"addExpectations": edits(func(c *call, w *work, _ moment) {
		n, _ := c.args["expectations"].(int)
		w.expect(n)
	}),
	"toProcessed": edits(func(c *call, w *work, now moment) {
		message, _ := c.args["message"].(string)
		failed, _ := c.args["inError"].(bool)
		w.process(c.version, now, message, failed)
	}),
}

var workFields = members[work](map[string]resolver{
	"status":   on(func(w *work) any { return w.status() }),
	"tracking": on(func(w *work) any { return &w.tracking }),
	"completed_number": on(func(w *work) any {
		if w.Completed == never {
			return nil
		}
		return count(w.Done)
	}),
})

// Work is a work of a connector as it stands.
type Work struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Connector string      `json:"connector"`
	Complete  bool        `json:"complete"`
	Expected  int         `json:"expected"` // objects
	Processed int         `json:"processed"`
	Messages  []string    `json:"messages,omitempty"`
	Errors    []WorkError `json:"errors,omitempty"` // the first 100
}

// WorkError is what went wrong with one object: a message that begins with the code, and the object as
// it was pushed.
type WorkError struct {
	Message string `json:"message"`
	Source  string `json:"source"`
}

// Works is every work that is still there, oldest first.
func (s *Sim) Works() []Work {
	s.lock()
	defer s.mu.Unlock()
	out := []Work{}
	for _, w := range s.workList() {
		one := Work{ID: w.ID, Name: w.Name, Connector: w.connector, Complete: w.Completed != never, Expected: count(w.Expected), Processed: count(w.Done)}
		for _, m := range w.Messages {
			one.Messages = append(one.Messages, m.Text)
		}
		for _, e := range w.Errors {
			one.Errors = append(one.Errors, WorkError{e.Text, e.Source})
		}
		out = append(out, one)
	}
	return out
}

// DeleteWork deletes a work, as an administrator does. A bundle of it that waits is dropped when its
// time comes. It is false for an unknown id.
func (s *Sim) DeleteWork(id string) bool {
	s.lock()
	defer s.mu.Unlock()
	w := s.work(id)
	s.forget(func(x *work) bool { return x == w })
	return w != nil
}

// delivery is a pushed bundle on its way to the worker.
type delivery struct {
	due       time.Time
	connector string
	work      string // id; it may be gone by then
	by        *User
	objects   []json.RawMessage
	times     int  // it is delivered
	stuck     bool // the last report never comes
}

// push is stixBundlePush: the bundle is checked, and imported when its time has come. Imports happen
// under the simulator's clock, before whatever looks at the platform next; when that is the real
// clock, a timer looks.
func push(c *call) (any, error) {
	s := c.sim
	con := s.connectors[c.args["connectorId"].(string)]
	text := c.args["bundle"].(string)
	objects, err := bundled([]byte(text))
	if con == nil {
		err = errors.New("connector not found")
	}
	if err != nil {
		return nil, &failure{"UNSUPPORTED_ERROR", "Invalid bundle", "TECHNICAL", 500, jsonObject{"cause": jsonObject{"name": "Error", "message": err.Error()}}}
	}
	id, _ := c.args["work_id"].(string)
	if id != "" && s.work(id) == nil && s.version.atLeast("6.9.19") {
		return nil, errDeadWork
	}
	if id == "" {
		id = s.newWork(con.id, con.Name+" run @ "+momentOf(s.now()).String()).ID
	}
	k := &s.knobs
	d := &delivery{due: s.now().Add(k.ImportDelay), connector: con.id, work: id, by: c.user, objects: objects, times: 1}
	if happens(&k.ImportTwice) {
		d.times = 2
	}
	d.stuck = happens(&k.StuckWorks)
	if happens(&k.DropWorks) {
		s.forget(func(w *work) bool { return w.ID == id })
		return true, nil
	}
	if happens(&k.DropBundles) {
		return true, nil
	}
	if ready := con.createdAt.time().Add(k.NewQueueDelay); d.due.Before(ready) {
		d.due = ready
	}
	at, _ := slices.BinarySearchFunc(s.queue, d.due, func(q *delivery, due time.Time) int {
		if q.due.After(due) {
			return 1
		}
		return -1
	})
	s.queue = slices.Insert(s.queue, at, d)
	if wait := d.due.Sub(s.now()); wait > 0 && s.realTime {
		time.AfterFunc(wait, func() {
			s.lock()
			s.mu.Unlock()
		})
	}
	s.drain()
	return true, nil
}

// happens counts a knob down.
func happens(n *int) bool {
	if *n == 0 {
		return false
	}
	if *n > 0 {
		*n--
	}
	return true
}

// bundled takes the objects out of a bundle; an error is why the platform refuses it.
func bundled(text []byte) ([]json.RawMessage, error) {
	var b map[string]json.RawMessage // names count with their case
	var kind string
	var objects []json.RawMessage
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, err
	}
	if json.Unmarshal(b["type"], &kind) != nil || kind != "bundle" {
		return nil, errors.New("JSON data type is not a STIX2 bundle")
	}
	if json.Unmarshal(b["objects"], &objects) != nil || len(objects) == 0 {
		return nil, errors.New("JSON data objects is empty")
	}
	return objects, nil
}

// lock is mu.Lock, and brings in what is due.
func (s *Sim) lock() {
	s.mu.Lock()
	s.drain()
}

func (s *Sim) drain() {
	for len(s.queue) > 0 && !s.queue[0].due.After(s.now()) {
		d := s.queue[0]
		s.queue = s.queue[1:]
		for range d.times {
			s.deliver(d)
		}
	}
}

// deliver is the worker: several objects are split and counted on the work, each is imported and
// reported. A bundle of one object is counted by nobody before 7.260817.0. Since 6.8.7 that of a dead
// work is dropped.
func (s *Sim) deliver(d *delivery) {
	w := s.work(d.work)
	if w == nil && s.version.atLeast("6.8.7") {
		return
	}
	if w == nil {
		w = &work{Completed: never, Processed: never} // nobody sees what is reported
	}
	objects := split(d.objects)
	if len(d.objects) == 1 {
		objects = []*object{parseObject(d.objects[0])}
	}
	if len(d.objects) > 1 || s.version.atLeast(counting) {
		w.expect(len(objects))
	}
	im := s.importer(d.by)
	s.log.by = d.by.ID
	defer func() { s.log.by = "" }()
	for i, o := range objects {
		fail := im.take(o)
		switch {
		case d.stuck && i == len(objects)-1:
		case fail != nil:
			w.report(s.version, im.at, fail.code+": "+fail.message, string(o.raw), true)
		default:
			w.report(s.version, im.at, "", "", false)
		}
	}
}

func (im *importer) refuses(o *object) bool { return im.refusing != nil && im.refusing.Match(o.raw) }
