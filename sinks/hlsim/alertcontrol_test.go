package hlsim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAlertControls(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := armed(t, Options{Now: func() time.Time { return at }})
	m.head = nil // they are nobody's API
	steps := []struct {
		name, method, path string
		body               string
		status             int
		text               string
	}{
		{"nothing is held", "GET", "/_sim/alerts", "", 200, "[]"},
		{"a document", "POST", "/_sim/alerts", `{"id": "a", "alert_time": "2026-03-02T08:00:00Z", "threat_key": 7}`, 201, `{"alerts":1,"ids":["a"]}`},
		{"the same again", "POST", "/_sim/alerts", `{"id": "a"}`, 400, `{"alerts":0,"ids":[],"errors":["alert 1: the alert \"a\" already exists"]}`},
		{"a document that looks like a trigger", "POST", "/_sim/alerts", `{"id": "b", "saw": {}, "threat_key": 7}`, 201, `"ids":["b"]`},
		{"an empty document", "POST", "/_sim/alerts", `{}`, 201, `{"alerts":1,`},
		{"a list goes on after what is bad", "POST", "/_sim/alerts", `[{"id": "c"}, 7, {"saw": {"value": "c2.example.org"}}, {"saw": {"valeu": "x"}}, {"saw": {"value": ""}}, {"generate": {"count": 3}}, {"generate": {"shapes": ["no"]}}, {"generate": {"x": 1}}]`, 400,
			`"errors":["alert 2: it is no object","sighting 4: json: unknown field \"valeu\"","sighting 5: a sighting needs a value or a rule","generate 7: no shape of an alert is called \"no\"","generate 8: json: unknown field \"x\""]}`},
		{"no JSON", "POST", "/_sim/alerts", `[{]`, 400, "invalid character"},
		{"no body", "POST", "/_sim/alerts", ``, 400, `"errors":["alert 1: `},
		{"a sighting", "POST", "/_sim/saw", `{"type": "domain_name", "value": "c2.example.org", "host": "SRV-9", "at": "2026-03-02T09:00:00Z"}`, 201, `{"alerts":1,"ids":["`},
		{"a sighting of nothing", "POST", "/_sim/saw", `{"value": "off.example.org"}`, 201, `{"alerts":0,"ids":[]}`},
		{"sightings", "POST", "/_sim/saw", `[{"rule": "shown"}, {"value": "198.51.100.7", "type": "ip_dst", "hashes": {"md5": "x"}}]`, 201, `{"alerts":3,`},
		{"a bad sighting", "POST", "/_sim/saw", `{"rule": "x", "value": "y"}`, 400, `"errors":["sighting 1: a sighting has a value or a rule, not both"]`},
		{"one alert", "GET", "/_sim/alerts/a", "", 200, `{"id":"a","alert_time":"2026-03-02T08:00:00Z","threat_key":7}`},
		{"no alert", "GET", "/_sim/alerts/none", "", 404, ""},
		{"triage in the console", "PATCH", "/_sim/alerts/a", `{"status": "probable_false_positive"}`, 200, `"last_update":"2026-03-02T12:00:00Z","status":"probable_false_positive","status_history":[{"action":"status_changed","status":"probable_false_positive","timestamp":"2026-03-02T12:00:00Z","username":"analyst"}],`},
		{"a change that is no triage", "PATCH", "/_sim/alerts/a", `{"status": "closed", "last_update": null, "level": "high"}`, 200, `"last_update":null,"level":"high","status":"closed","status_history":[{"action":"status_changed","status":"probable`},
		{"another id", "PATCH", "/_sim/alerts/a", `{"id": "z"}`, 400, "cannot be changed"},
		{"no change", "PATCH", "/_sim/alerts/a", `[]`, 400, "it is no object"},
		{"a change of nothing", "PATCH", "/_sim/alerts/none", `{}`, 404, ""},
		{"all threats", "GET", "/_sim/threats", "", 200, `[{"id":7,"slug":"`},
		{"one threat", "GET", "/_sim/threats/7", "", 200, `"alerts":["a","b"]`},
		{"no threat", "GET", "/_sim/threats/8", "", 404, ""},
		{"a threat is closed with its alerts", "PATCH", "/_sim/threats/7", `{"status": "closed", "cascade": true, "note": {"title": "t", "content": "c"}}`, 200, `"status":"closed"`},
		{"its note", "GET", "/_sim/threats/7", "", 200, `"note":{"title":"t","content":"c","creation_date":"2026-03-02T12:00:00Z"`},
		{"its alerts", "GET", "/_sim/alerts/b", "", 200, `"status":"closed"`},
		{"an unknown member", "PATCH", "/_sim/threats/7", `{"statuss": "closed"}`, 400, "statuss"},
		{"a change of no threat", "PATCH", "/_sim/threats/8", `{"status": "closed"}`, 404, ""},
		{"a threat is dropped", "DELETE", "/_sim/threats/7", "", 204, ""},
		{"once", "DELETE", "/_sim/threats/7", "", 404, ""},
		{"its alerts stay", "GET", "/_sim/alerts/b", "", 200, `"threat_key":7`},
		{"the knobs are among the others", "PATCH", "/_sim/knobs", `{"index_delay": 90, "rule_ids": "random"}`, 200, `"index_delay":90`},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { m.do(s.method, s.path, s.body).want(t, s.status, s.text) })
	}
	if n := len(m.Alerts()); n != 12 || n != m.AlertCount() {
		t.Errorf("%d alerts are held", n)
	}
	if n := m.HTTP.Count(); n != 1 { // armed disables a list
		t.Errorf("controls count as %d requests", n-1)
	}
}

// Contract harfanglab-api 12.5: faults hit alerts as they hit rules, and the log names their requests.
func TestAlertFaults(t *testing.T) {
	m := held(t, Options{}, some...)
	m.do("POST", "/_sim/faults", `{"path": "Alert/tag/", "times": 1, "do": "reset_after"}`).want(t, 200, "")
	m.do("POST", "/_sim/faults", `{"path": "Alert/\\?", "times": 1, "do": "cut"}`).want(t, 200, "")
	m.do("POST", alertPath+"tag/", object{"ids": []string{"a"}, "new_status": "closed"}).want(t, 0, "")
	m.get(alertPath+"?status=new").want(t, 0, "")
	m.get(alertPath+"?status=new").want(t, 200, `"count":0`)
	var log []string
	for _, r := range m.HTTP.Requests() {
		log = append(log, r.Method+" "+r.Path+"?"+r.Query+" "+string(r.Fault))
	}
	if got := strings.Join(log, ", "); got != "POST "+alertPath+"tag/? reset_after, GET "+alertPath+"?status=new cut, GET "+alertPath+"?status=new " {
		t.Errorf("log %s", got)
	}
}

// Many read, load, see and triage at once; run with -race.
func TestAlertsByManyAtOnce(t *testing.T) {
	m := armed(t, Options{})
	var all sync.WaitGroup
	const clients, each = 4, 8
	for c := range clients {
		all.Go(func() {
			for i := range each {
				ids, err := m.Saw(Sighting{Value: "c2.example.org", Host: fmt.Sprint("H", i)})
				if err != nil || len(ids) != 1 {
					t.Error(ids, err)
					return
				}
				m.do("POST", alertPath+"tag/", object{"ids": ids, "new_status": "investigating"}).want(t, 200, "1 alerts")
				m.do("PATCH", threatPath+"status/", object{"threat_ids": []string{"7"}, "new_status": "closed", "tag_security_events": true}).want(t, 200, "")
				_, _ = m.LoadAlerts([]json.RawMessage{fmt.Appendf(nil, `{"id":"%d-%d","threat_key":7,"agent":{"agentid":"%d"}}`, c, i, i)})
			}
		})
		all.Go(func() {
			for i := range each {
				for _, path := range []string{alertPath + "?status=investigating&limit=5&fields=id,status", threatPath + "?ordering=-last_update", agentPath, "/_sim/alerts", "/_sim/threats"} {
					m.get(path).want(t, 200, "")
				}
				m.SetKnobs(func(k *Knobs) { k.ShortAlerts, k.OldestFirst = i%2 == 0, i%3 == 0 })
			}
		})
	}
	all.Wait()
	if n := m.AlertCount(); n != 2*clients*each {
		t.Errorf("%d alerts", n)
	}
	if r := m.Rules(IOC); !slices.ContainsFunc(r, func(r Rule) bool { return r.Value == "c2.example.org" && r.AlertCount == clients*each }) {
		t.Error("the rule did not count its alerts")
	}
}

// Whatever is asked for, the answer is a list or a 400 that says why.
func FuzzAlertQuery(f *testing.F) {
	for _, q := range []string{"limit=1&offset=1", "alert_time__gte=2026-03-02T08:00:00Z&ordering=-last_update", "id__exact!=a,b&fields=id,a.b", "id__gt=7", "from=x", "a.b__lt=3&.=x&..__exact!=y", "limit=9999999999999999999&offset=10000"} {
		f.Add(q, true)
		f.Add(q, false)
	}
	s := New(Options{})
	for _, doc := range append(some, grouped[2:]...) {
		if _, err := s.LoadAlertsJSONL(strings.NewReader(strings.ReplaceAll(doc, "\n", " "))); err != nil && !strings.Contains(err.Error(), "already exists") {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, query string, strict bool) {
		if _, err := url.ParseQuery(query); err != nil {
			return
		}
		q := (&url.URL{Path: "/", RawQuery: query}).Query()
		s.SetKnobs(func(k *Knobs) { k.RefuseUnknown, k.LooseDates = strict, !strict })
		for _, path := range []string{alertPath, threatPath, threatPath + "rules/", agentPath} {
			code, body := ask(s, path+"?"+q.Encode())
			var e struct {
				Count   *int
				Results []json.RawMessage
			}
			switch err := json.Unmarshal(body, &e); {
			case code == 200 && (err != nil || e.Count == nil || len(e.Results) > *e.Count):
				t.Fatalf("%s?%s: %d %s", path, query, code, body)
			case code != 200 && (code != 400 || len(body) < 10):
				t.Fatalf("%s?%s: %d %s", path, query, code, body)
			}
		}
	})
}
