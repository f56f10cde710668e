package hlsim

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strconv"
	"time"
)

// threat is a group of alerts. What it shows of them is counted when it is asked for.
type threat struct {
	id     string // a number or any other word
	nth    int    // in the order of their making, from 1
	status string
	alerts []*event // in the order of their arrival

	agents        map[string]bool // the ids of those that its alerts name, false for those that they named before
	created, last time.Time       // the first and the last alert_time
	touched       time.Time       // of the last change by a person; zero when there is none
	level         string          // the highest

	note     *ThreatNote // nil when there is none
	comments []string
}

// threats are all of them.
type threats struct {
	byID    map[string]*threat
	order   []*threat            // of their making
	made    int                  // how many ever
	ofAgent map[string][]*threat // those that ever had an alert of an agent
	numbers int                  // the highest number among the ids
}

func newThreats() threats {
	return threats{byID: map[string]*threat{}, ofAgent: map[string][]*threat{}, numbers: 4200}
}

// join adds an alert to the threat that it names, which is made if it is not there.
func (l *threats) join(e *event) {
	t := l.byID[e.threatKey]
	if t == nil {
		l.made++
		t = &threat{id: e.threatKey, nth: l.made, status: "new", agents: map[string]bool{}}
		l.byID[t.id] = t
		l.order = append(l.order, t)
		if n, err := strconv.Atoi(t.id); err == nil && n < 1<<52 {
			l.numbers = max(l.numbers, n)
		}
	}
	e.threat = t
	if t.alerts = append(t.alerts, e); len(t.alerts) == 1 {
		t.reset()
	}
	l.count(t, e)
}

// move counts an alert anew that changed, in another threat if it names another one. One whose threat
// was taken away stays without.
func (l *threats) move(e *event, was string) {
	switch t := e.threat; {
	case t != nil && e.threatKey == was:
		l.recount(t)
		return
	case t != nil: // one that all have left is shown as it was
		e.threat = nil
		if t.alerts = slices.DeleteFunc(t.alerts, func(o *event) bool { return o == e }); len(t.alerts) > 0 {
			l.recount(t)
		}
	}
	if e.threatKey != "" && e.threatKey != was {
		l.join(e)
	}
}

func (l *threats) recount(t *threat) {
	t.reset()
	for _, e := range t.alerts {
		l.count(t, e)
	}
}

// reset forgets what was counted.
func (t *threat) reset() {
	t.level, t.created, t.last = "", time.Time{}, time.Time{}
	for id := range t.agents {
		t.agents[id] = false
	}
}

// count takes one alert more into account.
func (l *threats) count(t *threat, e *event) {
	if a := e.agent; a != nil {
		if _, listed := t.agents[a.id]; !listed {
			l.ofAgent[a.id] = append(l.ofAgent[a.id], t)
		}
		t.agents[a.id] = true
	}
	if t.created.IsZero() || e.at.Before(t.created) {
		t.created = e.at
	}
	if e.at.After(t.last) {
		t.last = e.at
	}
	if t.level == "" || levelInt[e.level] > levelInt[t.level] {
		t.level = e.level
	}
}

// updated is the moment of the last change, by an alert or by a person.
func (t *threat) updated() time.Time {
	if t.touched.After(t.last) {
		return t.touched
	}
	return t.last
}

// hit says whether a threat has an alert of an agent. The threat "" has all.
func (l *threats) hit(id string, a *agent) bool {
	if id == "" {
		return true
	}
	t := l.byID[id]
	return t != nil && t.agents[a.id]
}

// levelInt is the order of levels (contract harfanglab-api 7.3). Unknown ones are the lowest.
var levelInt = map[string]int{"informational": 10, "low": 20, "medium": 30, "high": 40, "critical": 50}

// slug is a name for people, the same for the same id.
func slug(id string) string {
	sum := sha256.Sum256([]byte(id))
	first := []string{"swift", "quiet", "amber", "brave", "distant", "early", "gentle", "hidden"}
	second := []string{"otter", "heron", "badger", "falcon", "marten", "lynx", "raven", "viper"}
	return first[sum[0]%8] + "-" + second[sum[1]%8] + "-" + strconv.Itoa(int(sum[2])%100)
}

// tally is what some alerts share, such as a user.
type tally struct {
	n     int
	first *event // the first of them to arrive
}

// tallies counts alerts by a key, the most frequent first, then by arrival. Those without it are left
// out.
func tallies(alerts []*event, key func(*event) string) []tally {
	at := map[string]int{}
	var out []tally
	for _, e := range alerts {
		k := key(e)
		if k == "" {
			continue
		}
		i, known := at[k]
		if !known {
			i = len(out)
			at[k] = i
			out = append(out, tally{first: e})
		}
		out[i].n++
	}
	slices.SortStableFunc(out, func(a, b tally) int { return cmp.Compare(b.n, a.n) })
	return out
}

// drop takes a threat away; its alerts name it still.
func (l *threats) drop(id string) bool {
	t := l.byID[id]
	if t == nil {
		return false
	}
	for _, e := range t.alerts {
		e.threat = nil
	}
	delete(l.byID, id)
	is := func(o *threat) bool { return o == t }
	l.order = slices.DeleteFunc(l.order, is)
	for agentID := range t.agents {
		l.ofAgent[agentID] = slices.DeleteFunc(l.ofAgent[agentID], is)
	}
	return true
}
