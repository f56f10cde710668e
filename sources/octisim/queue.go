package octisim

import (
	"encoding/json"
	"slices"
	"time"
)

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
	objects, ok := bundled([]byte(text))
	if con == nil || !ok {
		return nil, errBundle
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
	at, _ := slices.BinarySearchFunc(s.queue, d.due, func(q *delivery, due time.Time) int {
		if q.due.After(due) {
			return 1
		}
		return -1
	})
	s.queue = slices.Insert(s.queue, at, d)
	if k.ImportDelay > 0 && s.realTime {
		time.AfterFunc(k.ImportDelay, func() {
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

// bundled takes the objects out of a bundle; false is one that the platform refuses.
func bundled(text []byte) ([]json.RawMessage, bool) {
	var b map[string]json.RawMessage // names count with their case
	if json.Unmarshal(text, &b) != nil {
		return nil, false
	}
	var kind string
	var objects []json.RawMessage
	if json.Unmarshal(b["type"], &kind) != nil || json.Unmarshal(b["objects"], &objects) != nil {
		return nil, false
	}
	return objects, kind == "bundle" && len(objects) > 0
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
// reported. A bundle of one object is counted by nobody. Since 6.8.7 that of a dead work is dropped.
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
	} else {
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
