package octisim

import "slices"

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
	if w.Completed == never && (w.settled(v) || count(w.Expected) == 0) {
		w.Completed = now
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
