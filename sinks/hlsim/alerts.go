package hlsim

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// alertIndex is what alerts can be asked for, beside any path of names with dots.
var alertIndex = index[*alert]{
	main: "alert_time",
	columns: map[string]column[*alert]{
		"id":                 {text: func(e *alert) string { return e.id }},
		"alert_unique_id":    {text: func(e *alert) string { return e.uniqueID }},
		"alert_type":         {text: func(e *alert) string { return e.typ }},
		"status":             {text: func(e *alert) string { return e.status }},
		"level":              {text: func(e *alert) string { return e.level }},
		"maturity":           {text: func(e *alert) string { return e.maturity }},
		"threat_key":         {text: func(e *alert) string { return e.threatKey }},
		"rule_id":            {text: func(e *alert) string { return e.ruleID }},
		"rule_name":          {text: func(e *alert) string { return e.ruleName }},
		"agent.hostname":     {text: func(e *alert) string { return e.host }},
		"alert_time":         {moment: func(e *alert) time.Time { return e.at }},
		"last_update":        {moment: func(e *alert) time.Time { return e.updated }},
		"@event_create_date": {moment: func(e *alert) time.Time { return moment(objectOf(e.raw)["@event_create_date"]) }},
	},
	path: func(name string) column[*alert] {
		return column[*alert]{has: func(e *alert, match func(string) bool) bool { return dig(e.raw, name, match) }}
	},
}

func (s *Sim) listAlerts(r *http.Request, _ *user) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	if k.LimitRequired && q.Get("limit") == "" {
		return refused("limit", "This field is required.")
	}
	w := q.window(k)
	want, bad := alertIndex.parse(k, q)
	if bad != nil {
		return bad
	}
	for _, name := range []string{"limit", "offset", "fields"} {
		q.Del(name)
	}
	if k.BeforePage != nil {
		k.BeforePage("alert", w.page())
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.alerts.search(k, want, q.Encode(), s.options.Now())
	return paged(k, r, w, found, func(e *alert) any { return k.viewAlert(e, want.fields) })
}

// viewAlert is an alert in a list.
func (k *Knobs) viewAlert(e *alert, fields []string) any {
	if !k.ShortAlerts {
		return slim(e.raw, fields)
	}
	all := objectOf(e.raw)
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool {
		return name == "rule_content" || strings.HasPrefix(name, "details_")
	})
	return slim(all, fields)
}

// slim keeps of a view the fields that are named, all when none are.
func slim(view any, fields []string) any {
	if fields == nil {
		return view
	}
	raw, err := encode(view)
	if err != nil {
		return view
	}
	return project(raw, fields)
}

func (s *Sim) alertDetails(r *http.Request, _ *user) *answer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.alerts.seen(s.knobs.Load(), r.PathValue("id"), s.options.Now())
	if e == nil {
		return notFound
	}
	return ok(map[string]any{"alert": e.raw})
}

// triages are the statuses that a request may set (contract harfanglab-api 7.2, 8.1).
var triages = []string{"new", "investigating", "false_positive", "closed"}

// tagAlerts changes the status of alerts. Ids of no alert are left out of the count.
func (s *Sim) tagAlerts(r *http.Request, by *user) *answer {
	b := readBody(r)
	ids, status := b.ids("ids"), b.choice("new_status", triages, false)
	b.require("new_status")
	if bad := b.bad(); bad != nil {
		return bad
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k, now, n := s.knobs.Load(), s.options.Now(), 0
	for _, id := range ids {
		if e := s.alerts.seen(k, id, now); e != nil {
			s.alerts.triage(e, status.text, now, by)
			n++
		}
	}
	return k.tagged(n, "alerts")
}

// tagged is the answer to a change of status; contract harfanglab-api 8.2 shows it for threats.
func (k *Knobs) tagged(n int, what string) *answer {
	a := &answer{status: k.tagStatus()}
	if a.status != http.StatusNoContent {
		a.body = map[string]string{"status": fmt.Sprintf("%d %s updated", n, what)}
	}
	return a
}

// alert is one as it is held: its document, and of that what lists, threats and agents ask for.
type alert struct {
	id          string
	seq         int             // in the order of arrival
	raw         json.RawMessage // replaced, never written to
	at, updated time.Time       // alert_time, or the arrival where it says none; last_update, zero when there is none

	status, typ, level, maturity string
	threatKey, uniqueID          string
	ruleID, ruleName, msg        string
	username, usersid            string
	tactics                      []string
	groups                       json.RawMessage // of the agent

	rawAgent json.RawMessage // until it is held
	agent    *agent          // nil when the document names none by its id
	host     string          // what the document calls it
}

// readAlert takes any object. Where it lacks an id and an alert_time it gets them; an alert_time that
// is no time is held as it is spelled. What has another shape than expected is as if absent.
func (s *Sim) readAlert(raw []byte) (*alert, error) {
	var all map[string]json.RawMessage
	switch err := json.Unmarshal(raw, &all); {
	case !utf8.Valid(raw):
		return nil, errors.New("it is not UTF-8")
	case err != nil && !json.Valid(raw):
		return nil, err
	case all == nil:
		return nil, errors.New("it is no object")
	case !absent(all["id"]) && (all["id"][0] != '"' || text(all["id"]) == ""):
		return nil, errors.New("its id is no text")
	}
	e := &alert{raw: bytes.TrimSpace(raw), at: s.options.Now()}
	if absent(all["id"]) || absent(all["alert_time"]) {
		if absent(all["id"]) {
			all["id"] = quoted(s.nextAlertID())
		}
		if absent(all["alert_time"]) {
			all["alert_time"] = quoted(stamp(e.at.UnixMicro()))
		}
		e.raw, _ = encode(all) // parts of what was decoded
	}
	if at := moment(all["alert_time"]); !at.IsZero() {
		e.at = at
	}
	e.updated = moment(all["last_update"])
	process := objectOf(all["process"])
	for _, field := range []struct {
		to   *string
		from json.RawMessage
	}{
		{&e.id, all["id"]}, {&e.uniqueID, all["alert_unique_id"]}, {&e.threatKey, all["threat_key"]}, {&e.status, all["status"]},
		{&e.typ, all["alert_type"]}, {&e.level, all["level"]}, {&e.maturity, all["maturity"]}, {&e.ruleID, all["rule_id"]},
		{&e.ruleName, all["rule_name"]}, {&e.msg, all["msg"]}, {&e.username, process["username"]}, {&e.usersid, process["usersid"]},
	} {
		*field.to = text(field.from)
	}
	for _, cell := range elements(all["mitre_cells"]) {
		tactic, _, _ := strings.Cut(text(cell), "__")
		e.tactics = append(e.tactics, tactic)
	}
	e.rawAgent, e.groups = all["agent"], all["groups"]
	return e, nil
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

func quoted(s string) json.RawMessage {
	b, _ := encode(s) // a string can be encoded
	return b
}

// nextAlertID is the id of the next document in the index: 20 letters and digits of base64 (contract
// harfanglab-api 7.3), the same for Sims of the same history.
func (s *Sim) nextAlertID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "alert %d", s.alertIDs.Add(1)))
	return base64.RawURLEncoding.EncodeToString(sum[:15])
}

// LoadAlerts holds alert documents: any JSON objects, with the members of contract harfanglab-api 7.3.
// One without id or alert_time is given them. A threat that an alert names by threat_key is made if it
// is not there. It gives their ids, in their order. When one is no object, which the error names by its
// place from 1, or has an id that is taken, none is held. The documents must not be written to
// afterwards.
func (s *Sim) LoadAlerts(docs []json.RawMessage) (ids []string, err error) {
	all := make([]*alert, len(docs))
	for i, doc := range docs {
		if all[i], err = s.readAlert(doc); err != nil {
			return nil, fmt.Errorf("alert %d: %w", i+1, err)
		}
		ids = append(ids, all[i].id)
	}
	if err := s.holdAlerts(all); err != nil {
		return nil, err
	}
	return ids, nil
}

func (s *Sim) holdAlerts(all []*alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.alerts.hold(all...)
}

// LoadAlertsJSONL reads one alert document a line, as LoadAlerts takes them; blank lines are passed
// over. It gives their number.
func (s *Sim) LoadAlertsJSONL(r io.Reader) (int, error) {
	var all []*alert
	lines := bufio.NewReaderSize(r, 1<<20)
	for at := 1; ; at++ {
		line, end := lines.ReadBytes('\n')
		if end != nil && !errors.Is(end, io.EOF) {
			return 0, end
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			e, err := s.readAlert(line)
			if err != nil {
				return 0, fmt.Errorf("line %d: %w", at, err)
			}
			all = append(all, e)
		}
		if end != nil {
			break
		}
	}
	if err := s.holdAlerts(all); err != nil {
		return 0, err
	}
	return len(all), nil
}

// AlertCount is the number of alerts that are held, whether the index shows them or not.
func (s *Sim) AlertCount() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.alerts.byID)
}

// Alerts are all documents that are held, the oldest alert_time first. They must not be written to.
func (s *Sim) Alerts() []json.RawMessage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]json.RawMessage, 0, len(s.alerts.byTime))
	for _, e := range s.alerts.byTime {
		out = append(out, e.raw)
	}
	return out
}

// Triage changes the status of an alert as an analyst does in the console, to any word. It is false
// when there is no such alert.
func (s *Sim) Triage(id, status string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.alerts.byID[id]
	if e != nil {
		s.alerts.triage(e, status, s.options.Now(), analyst)
	}
	return e != nil
}

// alertStore holds all alerts with what is told from them: threats and agents. The lock of the Sim
// guards it.
type alertStore struct {
	byID    map[string]*alert
	byTime  []*alert // by alert_time, then by arrival
	threats threats
	agents  agents
	arrived int    // how many ever
	version uint64 // moves with every change
	found   alertCache
}

func newAlertStore() *alertStore {
	return &alertStore{byID: map[string]*alert{}, threats: newThreats(), agents: agents{byID: map[string]*agent{}, descriptions: map[string]*description{}}}
}

// before is the order of the index.
func (e *alert) before(o *alert) int { return cmp.Or(e.at.Compare(o.at), cmp.Compare(e.seq, o.seq)) }

// hold adds alerts, or none of them if an id is taken.
func (s *alertStore) hold(in ...*alert) error {
	for i, e := range in {
		if s.byID[e.id] != nil {
			for _, o := range in[:i] {
				delete(s.byID, o.id)
			}
			return fmt.Errorf("the alert %q %w", e.id, errTaken)
		}
		s.byID[e.id] = e
	}
	sorted := true
	for _, e := range in {
		s.arrived++
		e.seq = s.arrived
		s.agents.note(e)
		if e.threatKey != "" {
			s.threats.join(e)
		}
		if n := len(s.byTime); n > 0 && s.byTime[n-1].before(e) > 0 {
			if len(in) == 1 { // one late alert is put in its place, many are sorted at once
				at, _ := slices.BinarySearchFunc(s.byTime, e, (*alert).before)
				s.byTime = slices.Insert(s.byTime, at, e)
				continue
			}
			sorted = false
		}
		s.byTime = append(s.byTime, e)
	}
	if !sorted {
		slices.SortFunc(s.byTime, (*alert).before)
	}
	s.version++
	return nil
}

// visible are the alerts that the index shows at a moment, in its order.
func (s *alertStore) visible(k *Knobs, now time.Time) []*alert {
	if k.IndexDelay <= 0 {
		return s.byTime
	}
	return s.byTime[:sort.Search(len(s.byTime), func(i int) bool { return !s.byTime[i].indexed(k, now) })]
}

// indexed says whether the index shows the alert at a moment.
func (e *alert) indexed(k *Knobs, now time.Time) bool {
	return k.IndexDelay <= 0 || !e.at.After(now.Add(-time.Duration(k.IndexDelay)*time.Second))
}

// seen is an alert that the index shows at a moment, nil for any other.
func (s *alertStore) seen(k *Knobs, id string, now time.Time) *alert {
	if e := s.byID[id]; e != nil && e.indexed(k, now) {
		return e
	}
	return nil
}

// alertCache keeps the alerts that the last list found, so that its other pages need no search. It has
// a lock of its own, since readers share it.
type alertCache struct {
	sync.Mutex
	version uint64
	visible int
	knobs   *Knobs
	asked   string
	rows    []*alert
}

// search gives the alerts that a query finds, in its order. What it gives is shared.
func (s *alertStore) search(k *Knobs, q *indexQuery[*alert], key string, now time.Time) []*alert {
	rows := s.visible(k, now)
	s.found.Lock()
	defer s.found.Unlock()
	c := &s.found
	if c.version == s.version && c.visible == len(rows) && c.knobs == k && c.asked == key {
		return c.rows
	}
	c.version, c.visible, c.knobs, c.asked = s.version, len(rows), k, key
	c.rows = q.pick(rows)
	return c.rows
}

// triage changes the status of an alert, and leaves the moment and a line of its history (contract
// harfanglab-api 12.27). The alert_time stays.
func (s *alertStore) triage(e *alert, status string, now time.Time, by *user) {
	all, at := objectOf(e.raw), seconds(now)
	all["status"], all["last_update"] = quoted(status), quoted(at)
	line, _ := encode(map[string]string{"action": "status_changed", "timestamp": at, "status": status, "username": by.username})
	all["status_history"], _ = encode(append(elements(all["status_history"]), line)) // parts of what was decoded
	e.raw, _ = encode(all)
	e.status, e.updated = status, now.UTC().Truncate(time.Second)
	s.version++
}
