package hlsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// grouped are alerts of three threats: a number, a UUID that users did nothing in, and another number.
var grouped = []string{
	`{"id": "a", "alert_time": "2026-03-02T08:00:00.9Z", "alert_type": "ioc", "level": "medium", "threat_key": 4257, "rule_id": "r1", "rule_name": "IOC file check", "msg": "m",
	  "agent": {"agentid": "1", "hostname": "WKS-1", "ostype": "windows", "osproducttype": "Windows 11 Pro"}, "groups": [{"id": "g", "name": "G"}],
	  "process": {"username": "EXAMPLE\\mallory", "usersid": "S-1"}, "mitre_cells": ["persistence__t1547.001", "persistence__t1098"]}`,
	`{"id": "b", "alert_time": "2026-03-02T09:00:00Z", "alert_type": "ioc", "level": "high", "threat_key": "4257", "rule_id": "r1", "rule_name": "IOC file check",
	  "agent": {"agentid": "1", "hostname": "WKS-1"}, "process": {"username": "EXAMPLE\\mallory", "usersid": "S-1"}}`,
	`{"id": "c", "alert_time": "2026-03-02T07:00:00Z", "level": "severe", "threat_key": "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d", "rule_id": "r2", "agent": {"agentid": "2", "hostname": "SRV-2", "ostype": "linux"}}`,
	`{"id": "d", "alert_time": "2026-03-02T10:00:00Z", "level": "low", "threat_key": 4300}`,
	`{"id": "e", "alert_time": "2026-03-02T11:00:00Z"}`,
}

const uuidThreat = "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d"

// Contract harfanglab-api 8.1.
func TestThreatViews(t *testing.T) {
	m := held(t, Options{}, grouped...)
	whole := `{"id":4257,"slug":"` + slug("4257") + `","status":"new","level":"high","creation_date":"2026-03-02T08:00:00Z","first_seen":"2026-03-02T08:00:00Z",` +
		`"last_seen":"2026-03-02T09:00:00Z","last_update":"2026-03-02T09:00:00Z","total_security_event_count":2,` +
		`"security_event_count_by_level":{"critical":0,"high":1,"low":0,"medium":1},"agent_count":1,"rule_count":1,"impacted_user_count":1,` +
		`"top_agents":[{"agent_id":"1","agent_hostname":"WKS-1","agent_ostype":"","agent_osproducttype":""}],` +
		`"top_impacted_users":[{"user_name":"EXAMPLE\\mallory","user_sid":"S-1"}],` +
		`"top_rules":[{"id":1,"rule_id":"r1","rule_name":"IOC file check","rule_level":"medium","rule_type":"ioc","rule_msg":"m","rule_os":"","security_event_count":2}],` +
		`"mitre_tactics":["persistence"],"note":null}` + "\n"
	tests := []struct {
		name, path string
		status     int
		text       string
	}{
		{"one is not wrapped", "4257/", 200, whole},
		{"a UUID is a text", uuidThreat + "/", 200, `{"id":"` + uuidThreat + `"`},
		{"no user is no user", uuidThreat + "/", 200, `"impacted_user_count":0,"top_agents":[{"agent_id":"2"`},
		{"an unknown level is the highest there is", uuidThreat + "/", 200, `"level":"severe"`},
		{"no agent is no agent", "4300/", 200, `"top_agents":[],"top_impacted_users":[]`},
		{"fields of one", "4257/?fields=id,level", 200, `{"id":4257,"level":"high"}`},
		{"none", "1/", 404, `{"detail":"Not found."}`},
		{"below one", "4257/x/", 404, ""},
		{"its rules", "rules/?threat_id=4257&fields=rule_level,rule_name,security_event_count", 200, `{"count":1,"next":null,"previous":null,"results":[{"rule_level":"medium","rule_name":"IOC file check","security_event_count":2}]}`},
		{"the rules of none", "rules/?threat_id=1", 200, `"results":[]`},
		{"the rules of nothing", "rules/", 400, `{"threat_id":[`},
		{"all", "", 200, `{"count":3,`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { m.get(threatPath+tt.path).want(t, tt.status, tt.text) })
	}
	m.do("POST", threatPath, "{}").want(t, 405, "")
	t.Run("every seventh hides its top lists", func(t *testing.T) {
		count := func(knob int) (hidden int) {
			m := start(t, Options{})
			m.SetKnobs(func(k *Knobs) { k.EmptyTops = knob })
			for i := range 14 {
				_, _ = m.LoadAlerts([]json.RawMessage{fmt.Appendf(nil, `{"threat_key":%d,"agent":{"agentid":"a"},"process":{"username":"u"}}`, i)})
			}
			for _, row := range m.get(threatPath).rows(t) {
				if len(row["top_agents"].([]any)) == 0 && len(row["top_impacted_users"].([]any)) == 0 && row["agent_count"] == 1.0 {
					hidden++
				}
			}
			return hidden
		}
		if a, b, c := count(0), count(2), count(-1); a != 2 || b != 7 || c != 0 {
			t.Errorf("hidden by default %d, every second %d, none %d", a, b, c)
		}
	})
}

func TestThreatFilters(t *testing.T) {
	m := held(t, Options{Now: func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }}, grouped...)
	m.TriageThreat(uuidThreat, "investigating", false)
	tests := []struct{ name, query, want string }{
		{"the newest come first", "", "4300 4257 " + uuidThreat},
		{"the oldest", "ordering=creation_date", uuidThreat + " 4257 4300"},
		{"by last_update", "ordering=-last_update&limit=2", uuidThreat + " 4300"},
		{"by last_seen", "ordering=last_seen", uuidThreat + " 4257 4300"},
		{"a status", "status=new", "4300 4257"},
		{"levels", "level=low,severe", "4300 " + uuidThreat},
		{"made since", "creation_date__gte=2026-03-02T08:00:01Z", "4300"},
		{"changed since", "last_update__gte=2026-03-02T11:00:00Z", uuidThreat},
		{"from", "from=2026-03-02T08:00:00Z&status=new", "4300 4257"},
		{"ids after a number are numbers", "id__gt=4257", "4300"},
		{"some ids", "id__exact=4257," + uuidThreat, "4257 " + uuidThreat},
		{"not some", "id__exact!=4257", "4300 " + uuidThreat},
		{"a path of names has no effect", "top_agents.agent_id=1", "4300 4257 " + uuidThreat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := []string{}
			for _, row := range m.get(threatPath + "?" + tt.query).rows(t) {
				got = append(got, fmt.Sprint(row["id"]))
			}
			simtest.Is(t, "found", tt.want, strings.Join(got, " "))
		})
	}
	m.get(threatPath+"?id__gt=x").want(t, 400, `{"id__gt":[`)
	m.get(threatPath+"?creation_date__gte=2026-03-02T08:00:00.5Z").want(t, 400, `{"creation_date__gte":[`)
}

// Contract harfanglab-api 8.2: tag_security_events cascades.
func TestThreatStatus(t *testing.T) {
	tests := []struct {
		name    string
		body    object
		status  int
		text    string
		threats string // statuses
		alerts  string
	}{
		{"of a threat alone", object{"threat_ids": []any{4257}, "new_status": "closed", "update_by_query": true}, 200, `{"status":"1 threats updated"}`, "closed new new", "- - - - -"},
		{"with its alerts", object{"threat_ids": []any{"4257"}, "new_status": "false_positive", "update_by_query": true, "tag_security_events": true}, 200, `{"status":"1 threats updated"}`, "false_positive new new", "- false_positive false_positive - -"},
		{"not with them when told not to", object{"threat_ids": []any{uuidThreat, 1, 4300}, "new_status": "investigating", "tag_security_events": false}, 200, `{"status":"2 threats updated"}`, "new investigating investigating", "- - - - -"},
		{"a status that is none", object{"threat_ids": []any{4257}, "new_status": "probable_false_positive"}, 400, `{"new_status":[`, "new new new", "- - - - -"},
		{"nothing", object{}, 400, `{"new_status":["This field is required."],"threat_ids":["This field is required."]}`, "new new new", "- - - - -"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := held(t, Options{ReadOnlyToken: "ro"}, grouped...)
			m.do("PATCH", threatPath+"status/", tt.body).want(t, tt.status, tt.text)
			var threats, alerts []string
			for _, one := range m.Threats() {
				threats = append(threats, one.Status)
			}
			for _, raw := range m.Alerts() {
				var d struct{ Status string }
				simtest.Fine(t, json.Unmarshal(raw, &d))
				if d.Status == "" {
					d.Status = "-"
				}
				alerts = append(alerts, d.Status)
			}
			if got := strings.Join(threats, " ") + "|" + strings.Join(alerts, " "); got != tt.threats+"|"+tt.alerts {
				t.Errorf("%s, want %s|%s", got, tt.threats, tt.alerts)
			}
			m.head["Authorization"] = "Token ro"
			m.do("PATCH", threatPath+"status/", tt.body).want(t, 403, "")
		})
	}
}

// Contract harfanglab-api 8.4.
func TestNotes(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	m := held(t, Options{Now: func() time.Time { return at }}, grouped...)
	note := threatPath + "4257/note/"
	if r := m.get(note).want(t, 200, ""); r.text != "" || r.header.Get("Content-Type") != "" {
		t.Errorf("no note: %q as %q", r.text, r.header.Get("Content-Type"))
	}
	m.WriteNote("4257", "swift-otter-42", "a <b>\nc")
	m.get(note).want(t, 200, `{"title":"swift-otter-42","content":"a <b>\nc","creation_date":"2026-03-02T12:00:00Z","last_update":"2026-03-02T12:00:00Z"}`)
	at = at.Add(time.Minute)
	m.WriteNote("4257", "t", "d")
	m.get(threatPath+"4257/").want(t, 200, `"note":{"title":"t","content":"d","creation_date":"2026-03-02T12:00:00Z","last_update":"2026-03-02T12:01:00Z"}`)
	m.get(threatPath+"?last_update__gte=2026-03-02T12:00:00Z").want(t, 200, `{"count":1,`)
	m.get(threatPath+"1/note/").want(t, 404, "")
	if !m.DropThreat("4257") || m.DropThreat("4257") || m.Triage("none", "new") || m.TriageThreat("none", "new", true) || m.WriteNote("none", "", "") {
		t.Error("something was done to what is not there")
	}
	m.get(threatPath+"4257/").want(t, 404, "")
	m.get(alertPath+"?threat_key=4257").want(t, 200, `{"count":2,`)
}

func TestAgents(t *testing.T) {
	m := held(t, Options{}, grouped...)
	tests := []struct {
		name, query string
		status      int
		text        string
	}{
		{"all", "?limit=1", 200, `{"count":2,"next":"` + agentPath + `?limit=1&offset=1","previous":null,"results":[{"`},
		{"one", "1/", 200, `"firstseen":"2026-03-02T08:00:00Z","groups":[{"id":"g","name":"G"}],"hostname":"WKS-1","id":"1"`},
		{"none", "9/", 404, `{"detail":`},
		{"by host", "?hostname=SRV-2&fields=id,ostype,status", 200, `"results":[{"id":"2","ostype":"linux","status":"online"}]`},
		{"by threat", "?threat_id=4257&fields=id", 200, `"results":[{"id":"1"}]`},
		{"by a threat that is not there", "?threat_id=1", 200, `"results":[]`},
		{"by status", "?status=offline", 200, `"count":0`},
		{"by system", "?ostype=linux,macos&fields=id", 200, `"results":[{"id":"2"}]`},
		{"ordered", "?ordering=firstseen&fields=id", 200, `"results":[{"id":"2"},{"id":"1"}]`},
		{"ordered backwards", "?ordering=-firstseen&fields=id", 200, `"results":[{"id":"1"},{"id":"2"}]`},
		{"below one", "1/x/", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { m.get(agentPath+tt.query).want(t, tt.status, tt.text) })
	}
	m.do("POST", agentPath, "{}").want(t, 405, "")
}
