package octisim

import "slices"

// work counts what one run of a connector pushed (contract opencti-api 7).
type work struct {
	base
	name, connector, user          string
	multi                          bool
	received, processed, completed moment // 0 is not yet
	expected, done                 *int   // nil is nothing reported so far
	reported                       moment
	messages, errors               []workMessage
}

func (*work) typename() string { return "Work" }

type workMessage struct {
	at           moment
	text, source string
	sequence     int
}

// mostErrors is how many errors of reports a work keeps.
const mostErrors = 100

func (w *work) status() string {
	if w.completed != 0 {
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

// settled tells whether everything expected was reported. Before 7.260422.0 it took equality and
// something expected at all.
func (w *work) settled(v version) bool {
	if v.atLeast("7.260422.0") {
		return count(w.done) >= count(w.expected)
	}
	return count(w.expected) > 0 && count(w.done) == count(w.expected)
}

// frozen tells whether the counters have stopped: a work in parts no longer counts once complete.
func (w *work) frozen() bool { return w.multi && w.completed != 0 }

// expect raises the number of objects to wait for.
func (w *work) expect(n int) {
	if !w.frozen() {
		w.expected = new(count(w.expected) + n)
	}
}

// report counts one object, with what went wrong with it, and completes the work if that was the
// last one.
func (w *work) report(v version, now moment, message, source string, failed bool) {
	if w.frozen() {
		return
	}
	w.done = new(count(w.done) + 1)
	w.reported = now
	if failed && len(w.errors) < mostErrors {
		w.errors = append(w.errors, workMessage{now, message, source, len(w.errors)})
	}
	if w.settled(v) && w.completed == 0 && (!w.multi || w.processed != 0) {
		w.completed = now
	}
}

// process is toProcessed: the sender is done. It completes the work when everything is settled, and
// also when nothing has been expected so far, however much is still queued.
func (w *work) process(v version, now moment, message string, failed bool) {
	w.processed = now
	w.messages = append(w.messages, workMessage{now, message, "", len(w.messages)})
	if failed && len(w.errors) < mostErrors {
		w.errors = append(w.errors, workMessage{now, message, "", len(w.errors)})
	}
	if w.completed == 0 && (w.settled(v) || count(w.expected) == 0) {
		w.completed = now
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
	w := c.sim.newWork(c.args["connectorId"].(string), name, c.user.ID)
	w.multi, _ = c.args["isMultiPartWork"].(bool)
	return w, nil
}

// newWork adds a work. Its id holds the time, a little later when another one has that already.
func (s *Sim) newWork(connector, name, user string) *work {
	now := momentOf(s.now())
	s.lastWork = max(now, s.lastWork+1)
	id := "work_" + connector + "_" + s.lastWork.String()
	w := &work{
		base: base{id: id, standard: id, entity: "work", createdAt: now, updatedAt: now},
		name: name, connector: connector, user: user, received: now,
	}
	s.works = append(s.works, w)
	s.workIDs[id] = w
	return w
}

// forget drops the works that is picks.
func (s *Sim) forget(is func(*work) bool) {
	s.works = slices.DeleteFunc(s.works, func(w *work) bool {
		gone := is(w)
		if gone {
			delete(s.workIDs, w.id)
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

var workFields = map[string]resolver{
	"id":             on(func(w *work) any { return w.id }),
	"name":           on(func(w *work) any { return text(w.name) }),
	"status":         on(func(w *work) any { return w.status() }),
	"received_time":  on(func(w *work) any { return orNever(w.received) }),
	"processed_time": on(func(w *work) any { return orNever(w.processed) }),
	"completed_time": on(func(w *work) any { return orNever(w.completed) }),
	"completed_number": on(func(w *work) any {
		if w.completed == 0 {
			return nil
		}
		return count(w.done)
	}),
	"messages": on(func(w *work) any { return listOf[workMessage](w.messages) }),
	"errors":   on(func(w *work) any { return listOf[workMessage](w.errors) }),
	"tracking": on(func(w *work) any { return w }),
}

var workMessageFields = map[string]resolver{
	"timestamp": on(func(m workMessage) any { return m.at }),
	"message":   on(func(m workMessage) any { return text(m.text) }),
	"source":    on(func(m workMessage) any { return text(m.source) }),
	"sequence":  on(func(m workMessage) any { return m.sequence }),
}

var trackingFields = map[string]resolver{
	"import_expected_number":  on(func(w *work) any { return valueOf(w.expected) }),
	"import_processed_number": on(func(w *work) any { return valueOf(w.done) }),
	"import_last_processed":   on(func(w *work) any { return orNever(w.reported) }),
}
