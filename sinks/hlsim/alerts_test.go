package hlsim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const (
	alertPath  = "/api/data/alert/alert/Alert/"
	threatPath = "/api/data/alert/alert/Threat/"
	agentPath  = "/api/data/endpoint/Agent/"
)

// held is a manager with alerts, each given as JSON.
func held(t testing.TB, o Options, docs ...string) *manager {
	t.Helper()
	m := start(t, o)
	var raw []json.RawMessage
	for _, d := range docs {
		raw = append(raw, json.RawMessage(d))
	}
	if ids, err := m.LoadAlerts(raw); err != nil || len(ids) != len(docs) {
		t.Fatalf("%d of %d held: %v", len(ids), len(docs), err)
	}
	return m
}

// ids are those of a page.
func ids(t testing.TB, r reply) string { t.Helper(); return strings.Join(r.column(t, "id"), " ") }

// some are alerts that differ in all that filters ask for; their times are spelled in several ways.
var some = []string{
	`{"id": "a", "alert_time": "2026-03-02T08:00:00Z", "alert_type": "ioc", "status": "new", "level": "low", "maturity": "stable", "threat_key": 7,
	  "agent": {"agentid": "1", "hostname": "WKS-1"}, "process": {"hashes": {"sha256": "aa"}, "ioc_matches": [{"value": "x"}, {"value": "y"}]}}`,
	`{"id": "b", "alert_time": "2026-03-02T08:00:00.5+00:00", "alert_type": "sigma", "status": "investigating", "level": "high", "maturity": "testing", "threat_key": "7",
	  "agent": {"agentid": "2", "hostname": "SRV-2"}, "process": null, "last_update": "2026-03-02T10:00:00Z", "rule_id": "r1"}`,
	`{"id": "c", "alert_time": "2026-03-02T09:30:01.000000001+01:00", "alert_type": "yara", "status": "closed", "level": "severe", "threat_key": "u-u",
	  "agent": null, "last_update": "2026-03-02T09:00:00.25Z", "rule_name": "YARA, and more"}`,
	`{"id": "d", "alert_time": "2026-03-02T09:00:00.123456789Z", "alert_type": "quantum", "level": 5, "status": null, "process": {"hashes": null}}`,
}

// Contract harfanglab-api 7.1, 12.25.
func TestAlertFilters(t *testing.T) {
	tests := []struct {
		name, query string
		knobs       AlertKnobs
		want        string
	}{
		{"the newest come first", "limit=9", AlertKnobs{}, "d c b a"},
		{"no limit is needed", "", AlertKnobs{}, "d c b a"},
		{"knob: the oldest come first", "", AlertKnobs{OldestFirst: true}, "a b c d"},
		{"ascending", "ordering=alert_time", AlertKnobs{}, "a b c d"},
		{"descending", "ordering=-alert_time", AlertKnobs{OldestFirst: true}, "d c b a"},
		{"an unencoded plus is a blank and ascending", "ordering=+alert_time", AlertKnobs{}, "a b c d"},
		{"an encoded plus is no known order", "ordering=%2Balert_time", AlertKnobs{}, "d c b a"},
		{"by last_update, those without it last", "ordering=last_update", AlertKnobs{}, "c b a d"},
		{"by last_update backwards, those without it last", "ordering=-last_update", AlertKnobs{}, "b c d a"},
		{"an unknown order has no effect", "ordering=size", AlertKnobs{}, "d c b a"},
		{"a status", "status=new", AlertKnobs{}, "a"},
		{"several statuses", "status=new,closed", AlertKnobs{}, "c a"},
		{"an empty filter has no effect", "status=&alert_type=", AlertKnobs{}, "d c b a"},
		{"types", "alert_type=ioc,quantum", AlertKnobs{}, "d a"},
		{"levels", "level=high,5", AlertKnobs{}, "d b"},
		{"maturity leaves out alerts without one", "maturity=stable", AlertKnobs{}, "a"},
		{"a threat by number finds both spellings", "threat_key=7", AlertKnobs{}, "b a"},
		{"a threat by name", "threat_key=u-u", AlertKnobs{}, "c"},
		{"all at once", "status=new,investigating&level=high&threat_key=7", AlertKnobs{}, "b"},
		{"from a moment on", "alert_time__gte=2026-03-02T08:30:01Z", AlertKnobs{}, "d c"},
		{"after a moment", "alert_time__gt=2026-03-02T08:00:00Z", AlertKnobs{}, "d c b"},
		{"until a moment", "alert_time__lte=2026-03-02T08:00:00Z", AlertKnobs{}, "a"},
		{"before a moment", "alert_time__lt=2026-03-02T08:30:01%2B00:00", AlertKnobs{}, "b a"},
		{"between", "alert_time__gt=2026-03-02T08:00:00Z&alert_time__lt=2026-03-02T09:00:00Z", AlertKnobs{}, "c b"},
		{"another zone", "alert_time__gte=2026-03-02T10:00:00%2B01:00", AlertKnobs{}, "d"},
		{"an empty window", "alert_time__gte=2027-01-01T00:00:00Z", AlertKnobs{}, ""},
		{"a window the wrong way round", "alert_time__gte=2026-03-02T09:00:00Z&alert_time__lte=2026-03-02T08:00:00Z", AlertKnobs{}, ""},
		{"knob: bounds leave out their moment", "alert_time__gte=2026-03-02T08:00:00Z&alert_time__lte=2026-03-02T09:00:00Z", AlertKnobs{ExclusiveBounds: true}, "c b"},
		{"changed since", "last_update__gte=2026-03-02T09:00:00Z", AlertKnobs{}, "c b"},
		{"changed until never finds what has no last_update", "last_update__lte=2099-01-01T00:00:00Z", AlertKnobs{}, "c b"},
		{"happened since", "@event_create_date__lte=2099-01-01T00:00:00Z", AlertKnobs{}, ""},
		{"from is alert_time", "from=2026-03-02T08:00:00.5%2B00:00", AlertKnobs{}, "d c b"},
		{"knob: from is something else", "from=2026-03-02T09:30:00Z", AlertKnobs{FromField: "last_update"}, "b"},
		{"an empty from has no effect", "from=", AlertKnobs{}, "d c b a"},
		{"only some ids", "id__exact=a,d", AlertKnobs{}, "d a"},
		{"without some ids", "id__exact!=a,d", AlertKnobs{}, "c b"},
		{"without many ids", "id__exact!=a,0,1,2,3,4,5,6,7,8,9", AlertKnobs{}, "d c b"},
		{"without a status finds what has none", "status__exact!=new,closed", AlertKnobs{}, "d b"},
		{"a rule", "rule_id=r1", AlertKnobs{}, "b"},
		{"commas cut names too", "rule_name=YARA, and more", AlertKnobs{}, ""},
		{"a path of names", "process.hashes.sha256=aa", AlertKnobs{}, "a"},
		{"a path through a list", "process.ioc_matches.value=y", AlertKnobs{}, "a"},
		{"a path to nothing", "process.hashes.md5.of=x", AlertKnobs{}, ""},
		{"a host", "agent.hostname=WKS-1", AlertKnobs{}, "a"},
		{"not a host", "agent.agentid__exact!=1", AlertKnobs{}, "d c b"},
		{"unknown parameters have no effect", "status__like=x&size=1&alert_time=x&alert_time__gte!=x&level__gt=3&id__gt=x", AlertKnobs{}, "d c b a"},
		{"knob: dates with fractions", "alert_time__gte=2026-03-02T08:30:01.000000001Z", AlertKnobs{LooseDates: true}, "d c"},
		{"knob: dates without a zone", "alert_time__gte=2026-03-02T09:00:00", AlertKnobs{LooseDates: true}, "d"},
	}
	m := held(t, Options{}, some...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { k.AlertKnobs = tt.knobs })
			query := strings.ReplaceAll(tt.query, " ", "%20")
			simtest.Is(t, "found", tt.want, ids(t, m.get(alertPath+"?"+query).want(t, 200, fmt.Sprint(`"count":`, len(strings.Fields(tt.want))))))
		})
	}
	t.Run("knob: an ignored filter", func(t *testing.T) {
		m.SetKnobs(func(k *Knobs) { *k = Knobs{IgnoreFilters: []string{"status", "limit"}} })
		m.get(alertPath+"?status=new&limit=1").want(t, 200, `"count":4,"next":null`)
	})
}

func TestAlertRefusals(t *testing.T) {
	date := "Enter a valid date/time."
	tests := []struct {
		name, query string
		knobs       AlertKnobs
		text        string
	}{
		{"fractional seconds", "alert_time__gte=2026-03-01T10:20:30.5Z", AlertKnobs{}, `{"alert_time__gte":["` + date + `"]}`},
		{"fractional seconds after a comma", "alert_time__gte=2026-03-01T10:20:30,5Z", AlertKnobs{}, date},
		{"fractional seconds of a change", "last_update__gte=2026-03-01T10:20:30.000Z", AlertKnobs{}, `{"last_update__gte":`},
		{"no zone", "alert_time__lt=2026-03-01T10:20:30", AlertKnobs{}, date},
		{"the form of rules", "alert_time__lt=2026-03-01 10:20:30", AlertKnobs{}, date},
		{"a zone whose plus was not encoded", "alert_time__lt=2026-03-01T10:20:30+00:00", AlertKnobs{}, date},
		{"a date", "from=2026-03-01", AlertKnobs{}, `{"from":["` + date + `"]}`},
		{"nonsense with the knob", "alert_time__lt=now", AlertKnobs{LooseDates: true}, date},
		{"knob: a list without limit", "offset=0", AlertKnobs{LimitRequired: true}, `{"limit":["This field is required."]}`},
		{"knob: unknown parameters", "limit=1&sise=1", AlertKnobs{RefuseUnknown: true}, `{"sise":["Unknown filter."]}`},
		{"knob: from of a field that is none", "from=2026-03-01T10:20:30Z", AlertKnobs{FromField: "level"}, date},
	}
	m := held(t, Options{}, some...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { k.AlertKnobs = tt.knobs })
			m.get(alertPath+"?"+strings.ReplaceAll(tt.query, " ", "%20")).want(t, 400, tt.text)
		})
	}
}

func TestAlertViews(t *testing.T) {
	doc := `{"id":"a","alert_time":"2026-03-02T08:00:00.1Z","n":1e2,"rule_content":"x <y>","details_file":{"p":1},"agent":{"hostname":"h","os":"w"},"list":[{"a":1,"b":2}]}`
	tests := []struct {
		name, query string
		knobs       AlertKnobs
		want        string
	}{
		{"as it came", "?limit=1", AlertKnobs{}, "[" + doc + "]"},
		{"fields", "?fields=id,n,none", AlertKnobs{}, `[{"id":"a","n":1e2}]`},
		{"fields of a field", "?fields=agent.os,agent.none,id.x", AlertKnobs{}, `[{"agent":{"os":"w"},"id":"a"}]`},
		{"the whole of it wins", "?fields=agent.os,agent", AlertKnobs{}, `[{"agent":{"hostname":"h","os":"w"}}]`},
		{"a list stays whole", "?fields=list.a", AlertKnobs{}, `[{"list":[{"a":1,"b":2}]}]`},
		{"empty fields are all", "?fields=", AlertKnobs{}, "[" + doc + "]"},
		{"knob: short", "", AlertKnobs{ShortAlerts: true}, `[{"agent":{"hostname":"h","os":"w"},"alert_time":"2026-03-02T08:00:00.1Z","id":"a","list":[{"a":1,"b":2}],"n":1e2}]`},
		{"knob: short fields", "?fields=id,rule_content", AlertKnobs{ShortAlerts: true}, `[{"id":"a"}]`},
	}
	m := held(t, Options{}, doc)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { k.AlertKnobs = tt.knobs })
			m.get(alertPath+tt.query).want(t, 200, `"results":`+tt.want+`}`)
			m.get(alertPath+"a/details/").want(t, 200, `{"alert":`+doc+`}`)
		})
	}
	m.get(alertPath+"b/details/").want(t, 404, `{"detail":`)
	m.get(alertPath+"a/").want(t, 404, "")
	m.get(alertPath+"a/details/x/").want(t, 404, "")
	m.do("POST", alertPath, "{}").want(t, 405, "")
	m.do("PUT", alertPath+"tag/", "{}").want(t, 405, "")
	m.do("DELETE", alertPath+"a/details/", nil).want(t, 405, "")
	simtest.Is(t, "Allow", "GET, OPTIONS", m.do("OPTIONS", alertPath, nil).header.Get("Allow"))
}

// Contract harfanglab-api 12.27.
func TestTag(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 987_000_000, time.UTC)
	tests := []struct {
		name   string
		body   any
		knobs  AlertKnobs
		status int
		text   string
	}{
		{"one", object{"ids": []string{"a"}, "new_status": "investigating"}, AlertKnobs{}, 200, `{"status":"1 alerts updated"}`},
		{"several, and some that are not there", object{"ids": []string{"b", "x", "c"}, "new_status": "closed"}, AlertKnobs{}, 200, `{"status":"2 alerts updated"}`},
		{"none", object{"ids": []string{}, "new_status": "new"}, AlertKnobs{}, 200, `{"status":"0 alerts updated"}`},
		{"knob: no body", object{"ids": []string{"a"}, "new_status": "false_positive"}, AlertKnobs{TagStatus: 204}, 204, ``},
		{"a status that cannot be set", object{"ids": []string{"a"}, "new_status": "probable_false_positive"}, AlertKnobs{}, 400, `{"new_status":[`},
		{"no status", object{"ids": []string{"a"}}, AlertKnobs{}, 400, `{"new_status":["This field is required."]}`},
		{"no ids", object{"new_status": "closed"}, AlertKnobs{}, 400, `{"ids":["This field is required."]}`},
		{"no list", object{"ids": "a", "new_status": "closed"}, AlertKnobs{}, 400, `{"ids":["Expected a list of items."]}`},
		{"no ids in it", object{"ids": []any{nil}, "new_status": "closed"}, AlertKnobs{}, 400, `{"ids":["Not a valid id."]}`},
		{"no JSON", "{", AlertKnobs{}, 400, `{"detail":`},
	}
	m := held(t, Options{Now: func() time.Time { return at }, ReadOnlyToken: "ro"}, some...)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { k.AlertKnobs = tt.knobs })
			m.do("POST", alertPath+"tag/", tt.body).want(t, tt.status, tt.text)
		})
	}
	type triaged struct {
		Status, Time, Updated string
		History               []string
	}
	got := map[string]triaged{}
	for _, raw := range m.Alerts() {
		var d struct {
			ID, Status string
			Time       string                                                 `json:"alert_time"`
			Updated    string                                                 `json:"last_update"`
			History    []struct{ Timestamp, Action, Status, Username string } `json:"status_history"`
		}
		simtest.Fine(t, json.Unmarshal(raw, &d))
		one := triaged{d.Status, d.Time, d.Updated, nil}
		for _, h := range d.History {
			one.History = append(one.History, h.Timestamp+" "+h.Action+" "+h.Status+" "+h.Username)
		}
		got[d.ID] = one
	}
	const now, line = "2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z status_changed "
	want := map[string]triaged{
		"a": {"false_positive", "2026-03-02T08:00:00Z", now, []string{line + "investigating opencti-bridge", line + "false_positive opencti-bridge"}},
		"b": {"closed", "2026-03-02T08:00:00.5+00:00", now, []string{line + "closed opencti-bridge"}},
		"c": {"closed", "2026-03-02T09:30:01.000000001+01:00", now, []string{line + "closed opencti-bridge"}},
		"d": {"", "2026-03-02T09:00:00.123456789Z", "", nil},
	}
	simtest.Same(t, "alerts", want, got)
	simtest.Is(t, "found by their change", "c b", ids(t, m.get(alertPath+"?last_update__gte="+now+"&status=closed")))
	m.head["Authorization"] = "Token ro"
	m.do("POST", alertPath+"tag/", object{"ids": []string{"a"}, "new_status": "new"}).want(t, 403, `{"detail":`)
	m.get(alertPath+"?status=new").want(t, 200, `"count":0`)
}

// Contract harfanglab-api 12.25: an alert is seen some seconds after its alert_time.
func TestIndexDelay(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	m := held(t, Options{Now: func() time.Time { return now }}, some...)
	m.SetKnobs(func(k *Knobs) { k.IndexDelay = 90 })
	steps := []struct {
		after time.Duration
		want  string
	}{{0, ""}, {89 * time.Second, ""}, {90 * time.Second, "a"}, {91 * time.Second, "b a"}, {time.Hour, "c b a"}, {2 * time.Hour, "d c b a"}}
	from := now
	for _, step := range steps {
		now = from.Add(step.after)
		if got := ids(t, m.get(alertPath+"?limit=10")); got != step.want {
			t.Errorf("after %v: %q, want %q", step.after, got, step.want)
		}
	}
	now = from
	m.get(alertPath+"a/details/").want(t, 404, "")
	m.do("POST", alertPath+"tag/", object{"ids": []string{"a"}, "new_status": "closed"}).want(t, 200, "0 alerts")
	m.SetKnobs(func(k *Knobs) { k.IndexDelay = 0 })
	m.get(alertPath+"?limit=10").want(t, 200, `"count":4`)
}

// tiny are n alerts, one a second.
func tiny(n int) []json.RawMessage {
	docs := make([]json.RawMessage, n)
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range docs {
		docs[i] = fmt.Appendf(nil, `{"id":"%d","alert_time":%q,"status":"new","threat_key":%d}`, i, seconds(from.Add(time.Duration(i)*time.Second)), i)
	}
	return docs
}

// Contract harfanglab-api 12.26.
func TestIndexWindow(t *testing.T) {
	m := start(t, Options{})
	if _, err := m.LoadAlerts(tiny(10_050)); err != nil {
		t.Fatal(err)
	}
	const refused = `{"detail":"Result window is too large`
	tests := []struct {
		name, query string
		knobs       AlertKnobs
		status      int
		text        string
	}{
		{"the count ends", "limit=1", AlertKnobs{}, 200, `{"count":10000,"next":"`},
		{"the last page leads nowhere", "limit=100&offset=9900", AlertKnobs{}, 200, `{"count":10000,"next":null`},
		{"knob: it leads on", "limit=100&offset=9900", AlertKnobs{NextBeyond: true}, 200, `{"count":10000,"next":"/api`},
		{"a page that reaches past it", "limit=101&offset=9900", AlertKnobs{}, 400, refused},
		{"a page past it", "limit=1&offset=10000", AlertKnobs{}, 400, refused},
		{"a page at the end of numbers", "limit=1&offset=9223372036854775807", AlertKnobs{}, 400, refused},
		{"whatever the filter finds", "limit=100&offset=9950&id__exact=1", AlertKnobs{}, 400, refused},
		{"knob: 500", "limit=1&offset=10000", AlertKnobs{BeyondWindow: BeyondFails}, 500, refused},
		{"knob: an empty page", "limit=1&offset=10000", AlertKnobs{BeyondWindow: BeyondEmpty}, 200, `{"count":10000,"next":null,"previous":"`},
		{"knob: another window", "limit=1", AlertKnobs{IndexWindow: 7}, 200, `{"count":7,`},
		{"knob: its end", "limit=1&offset=7", AlertKnobs{IndexWindow: 7}, 400, refused},
		{"knob: no window", "limit=1&offset=10049", AlertKnobs{IndexWindow: -1}, 200, `{"count":10050,"next":null`},
		{"a limit is clamped before", "limit=20000", AlertKnobs{}, 200, `{"count":10000,"next":null`},
		{"less than the window is counted", "limit=1&alert_time__gte=2026-03-01T02:00:00Z", AlertKnobs{}, 200, `{"count":2850,`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { k.AlertKnobs = tt.knobs })
			m.get(alertPath+"?"+tt.query).want(t, tt.status, tt.text)
			if strings.Contains(tt.query, "alert_time") || strings.Contains(tt.query, "id__exact") {
				return // threats have other columns
			}
			m.get(threatPath+"?"+tt.query).want(t, tt.status, tt.text)
		})
	}
	t.Run("every alert of a small window is on one page", func(t *testing.T) {
		m.SetKnobs(func(k *Knobs) { k.AlertKnobs = AlertKnobs{} })
		seen := map[string]bool{}
		for offset := 0; ; {
			r := m.get(alertPath + "?" + url.Values{"limit": {"700"}, "offset": {strconv.Itoa(offset)}, "alert_time__lt": {"2026-03-01T01:00:00Z"}}.Encode())
			for _, id := range r.column(t, "id") {
				seen[id] = true
				offset++
			}
			if r.json["next"] == nil {
				break
			}
		}
		simtest.Is(t, "alerts seen", 3600, len(seen))
	})
}

// A list sees what arrives and what changes between its pages.
func TestAlertPagesSeeChanges(t *testing.T) {
	var m *manager
	var pages []string
	m = held(t, with(Knobs{BeforePage: func(kind string, page int) {
		pages = append(pages, fmt.Sprint(kind, page))
		if kind == "alert" && page == 2 {
			_, _ = m.LoadAlerts([]json.RawMessage{[]byte(`{"id": "late", "alert_time": "2026-03-02T08:00:00.25Z", "status": "new"}`)})
			m.Triage("a", "closed")
		}
	}}), some...)
	query := alertPath + "?limit=2&ordering=alert_time&status=new,investigating"
	first, second := ids(t, m.get(query)), ids(t, m.get(query+"&offset=2"))
	m.get(threatPath).want(t, 200, "")
	if got := first + "|" + second + "|" + ids(t, m.get(query)) + " " + strings.Join(pages, " "); got != "a b||late b alert1 alert2 threat1 alert1" {
		t.Errorf("pages %s", got)
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
	simtest.Is(t, "log", "POST "+alertPath+"tag/? reset_after, GET "+alertPath+"?status=new cut, GET "+alertPath+"?status=new ", strings.Join(log, ", "))
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
				for _, path := range []string{alertPath + "?status=investigating&limit=5&fields=id,status", threatPath + "?ordering=-last_update", agentPath, "/_sim/alerts"} {
					m.get(path).want(t, 200, "")
				}
				m.SetKnobs(func(k *Knobs) { k.ShortAlerts, k.OldestFirst = i%2 == 0, i%3 == 0 })
			}
		})
	}
	all.Wait()
	simtest.Is(t, "alerts", 2*clients*each, m.AlertCount())
	if r := m.Rules(IOC); !slices.ContainsFunc(r, func(r Rule) bool { return r.Value == "c2.example.org" && r.AlertCount == clients*each }) {
		t.Error("the rule did not count its alerts")
	}
}

func TestLoadAlerts(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		name, lines string
		held        int
		err         string
		want        string // a part of the list
	}{
		{"one a line", "{\"id\":\"a\"}\n\n  \r\n{\"id\":\"b\"}", 2, "", `{"alert_time":"2026-03-02T08:00:00.000000Z","id":"b"}`},
		{"an id is given where there is none", `{"alert_time":"2026-03-02T07:00:00Z"}`, 1, "", `"id":"`},
		{"a null id is none", `{"id":null,"alert_time":null}`, 1, "", `{"alert_time":"2026-03-02T08:00:00.000000Z","id":"`},
		{"an alert_time that is no time is kept", `{"id":"a","alert_time":"noon"}`, 1, "", `"alert_time":"noon"`},
		{"an id twice", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n\n{\"id\":\"a\"}", 0, `the alert "a" already exists`, `"count":0`},
		{"an id that is a number", `{"id":1}`, 0, "line 1: its id is no text", `"count":0`},
		{"an empty id", "{}\n{\"id\":\"\"}", 0, "line 2: its id is no text", `"count":0`},
		{"no JSON", "x", 0, "line 1: invalid character", `"count":0`},
		{"two objects", `{"id":"b"} {}`, 0, "line 1: invalid character", `"count":0`},
		{"a list", "[]", 0, "line 1: it is no object", `"count":0`},
		{"null", "null", 0, "line 1: it is no object", `"count":0`},
		{"no UTF-8", "{\"a\":\"\xff\"}", 0, "line 1: it is not UTF-8", `"count":0`},
		{"members of other shapes are kept", `{"id":"a","agent":[1],"process":"p","mitre_cells":{},"threat_key":{},"level":[],"status":7,"last_update":5}`, 1, "", `"agent":[1]`},
		{"nothing", "", 0, "", `"results":[]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, Options{Now: func() time.Time { return at }})
			n, err := m.LoadAlertsJSONL(strings.NewReader(tt.lines))
			if n != tt.held || n != m.AlertCount() || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d held (%d), %v", n, m.AlertCount(), err)
			}
			m.get(alertPath).want(t, 200, tt.want)
		})
	}
	t.Run("ids look like those of an index", func(t *testing.T) {
		m := held(t, Options{}, `{}`, `{}`)
		got := m.get(alertPath).column(t, "id")
		if like := regexp.MustCompile(`^[A-Za-z0-9_-]{20}$`); !like.MatchString(got[0]) || !like.MatchString(got[1]) || got[0] == got[1] {
			t.Errorf("ids %v", got)
		}
	})
}

// A list is what a naive reading of the alerts gives, whatever order they came in.
func TestAlertListsEqualANaiveReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{})
		type one struct {
			id, status string
			at         time.Time
		}
		var all []one
		from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		statuses := []string{"new", "closed", "investigating"}
		for i := range rapid.IntRange(1, 4).Draw(t, "loads") {
			var docs []json.RawMessage
			for j := range rapid.IntRange(0, 30).Draw(t, "alerts") {
				e := one{fmt.Sprint(i, "-", j), rapid.SampledFrom(statuses).Draw(t, "status"), from.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "at")) * time.Second / 2)}
				all = append(all, e)
				docs = append(docs, fmt.Appendf(nil, `{"id":%q,"status":%q,"alert_time":%q}`, e.id, e.status, e.at.Format(time.RFC3339Nano)))
			}
			if _, err := s.LoadAlerts(docs); err != nil {
				t.Fatal(err)
			}
		}
		lower, upper := rapid.IntRange(0, 21).Draw(t, "lower"), rapid.IntRange(0, 21).Draw(t, "upper")
		status, down := rapid.SampledFrom(statuses).Draw(t, "asked"), rapid.Bool().Draw(t, "down")
		not := rapid.Bool().Draw(t, "not")
		q := url.Values{
			"alert_time__gte": {seconds(from.Add(time.Duration(lower) * time.Second))}, "alert_time__lt": {seconds(from.Add(time.Duration(upper) * time.Second))},
			"ordering": {"alert_time"}, "status__exact": {status},
		}
		if not {
			q.Del("status__exact")
			q.Set("status__exact!", status)
		}
		if down {
			q.Set("ordering", "-alert_time")
		}
		want := []string{}
		slices.SortStableFunc(all, func(a, b one) int { return a.at.Compare(b.at) })
		for _, e := range all {
			if after := e.at.Sub(from); after >= time.Duration(lower)*time.Second && after < time.Duration(upper)*time.Second && (e.status == status) != not {
				want = append(want, e.id)
			}
		}
		if down {
			slices.Reverse(want)
		}
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		got := []string{}
		for offset := 0; ; offset += limit {
			q.Set("limit", fmt.Sprint(limit))
			q.Set("offset", fmt.Sprint(offset))
			var page struct {
				Count   int
				Next    *string
				Results []struct{ ID string }
			}
			code, body := ask(s, alertPath+"?"+q.Encode())
			if err := json.Unmarshal(body, &page); code != 200 || err != nil {
				t.Fatal(code, string(body), err)
			}
			if page.Count != len(want) {
				t.Fatalf("count %d, want %d", page.Count, len(want))
			}
			for _, r := range page.Results {
				got = append(got, r.ID)
			}
			if page.Next == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
	})
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
