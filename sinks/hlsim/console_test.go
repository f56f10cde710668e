package hlsim

import (
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestConsole(t *testing.T) {
	m := start(t, Options{})
	plain := Rule{SourceID: m.list[IOC], Type: "domain_name", Value: "a.example", Enabled: true}
	id := m.Add(IOC, plain)
	switch {
	case id == "":
		t.Fatal("not made")
	case m.Add(IOC, plain) != "":
		t.Error("a twin was made")
	case m.Add(IOC, Rule{SourceID: "none"}) != "" || m.Add("hash", plain) != "":
		t.Error("a rule was made in no list")
	}
	m.get(iocs+id+"/").want(t, 200, `"username":"analyst"`).want(t, 200, `"description":null`)
	edits := []struct {
		name   string
		change func(*Rule)
		done   bool
		want   string
	}{
		{"a text", func(r *Rule) { r.Description = "d" }, true, `"description":"d"`},
		{"disabled", func(r *Rule) { r.Enabled = false }, true, `"global_state":"disabled"`},
		{"a state", func(r *Rule) { r.GlobalState = "quarantine" }, true, `"block_on_agent":true`},
		{"a flag", func(r *Rule) { r.BlockOnAgent = false }, true, `"global_state":"alert"`},
		{"an id stays", func(r *Rule) { r.ID = "x" }, true, id},
		{"no list", func(r *Rule) { r.SourceID = "none" }, false, m.list[IOC]},
		{"a level", func(r *Rule) { r.RuleLevel, r.AlertCount = "low", 3 }, true, `"rule_effective_level":"low"`},
	}
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			simtest.Is(t, "done", e.done, m.Edit(IOC, id, e.change))
			m.get(iocs+id+"/").want(t, 200, e.want)
		})
	}
	m.makeIOC("b.example")
	if m.Edit(IOC, id, func(r *Rule) { r.Value = "b.example" }) || m.Edit(IOC, "none", func(*Rule) {}) || m.Edit("hash", id, func(*Rule) {}) {
		t.Error("an edit was done that cannot be")
	}
	if !m.Delete(IOC, id) || m.Delete(IOC, id) || m.Delete("hash", id) {
		t.Error("deletes")
	}
	simtest.Is(t, "rules of a kind that does not exist", 0, len(m.Rules("hash"))+len(m.Sources("hash"))+m.Count("hash"))
	if list, err := m.AddSource(IOC, "from_OpenCTI"); err != nil || list != m.list[IOC] {
		t.Errorf("got %q, %v; want the list that is there", list, err)
	}
	if _, err := m.AddSource("hash", "x"); err == nil {
		t.Error("a kind that does not exist was taken")
	}
}

func TestConsoleEditsOfContents(t *testing.T) {
	m := start(t, Options{})
	sigma := m.Add(Sigma, Rule{SourceID: m.list[Sigma], Name: "s", Content: sigmaSample})
	if sigma != sigmaID {
		t.Fatalf("made with the id %q", sigma)
	}
	simtest.Is(t, "id of a twin", "", m.Add(Sigma, Rule{SourceID: m.list[Sigma], Name: "twin", Content: sigmaSample}))
	m.Edit(Sigma, sigma, func(r *Rule) { r.Content = strings.Replace(sigmaSample, "title: Encoded", "title: Other", 1) })
	m.get(sigmas+sigma+"/").want(t, 200, `"rule_name":"Other PowerShell"`)
	m.Edit(Sigma, sigma, func(r *Rule) { r.Content = "title: Broken" })
	m.get(sigmas+sigma+"/").want(t, 200, `"content":"title: Broken"`).want(t, 200, `"rule_id":"`+sigmaID+`"`)
	m.Edit(Sigma, sigma, func(r *Rule) { r.Errors = []string{"an agent dropped it"} })
	m.get(sigmas).want(t, 200, `"errors":["an agent dropped it"]`)
	yara := m.Add(YARA, Rule{SourceID: m.list[YARA], Name: "y", Content: yaraSample})
	m.Edit(YARA, yara, func(r *Rule) { r.Content = "rule other { condition: true }" })
	m.get(yaras+yara+"/").want(t, 200, `"rule_names":["other"]`).want(t, 200, `"rule_technique_tags":[]`)
}

func TestLoad(t *testing.T) {
	m := start(t, Options{})
	rule := Rule{Type: "domain_name", Value: "a.example"}
	if err := m.Load(IOC, m.list[IOC], []Rule{rule, rule}); err == nil || !strings.Contains(err.Error(), "rule 2 (domain_name a.example): already exists") {
		t.Errorf("a twin: %v", err)
	}
	if m.Load(IOC, "none", []Rule{rule}) == nil || m.Load("hash", "", []Rule{rule}) == nil {
		t.Error("rules were loaded into no list")
	}
	simtest.Fine(t, m.Load(Sigma, m.list[Sigma], []Rule{{Name: "s", Content: sigmaSample}}))
	m.get(sigmas).want(t, 200, `"rule_name":"Encoded PowerShell"`)
	if r, ok := m.Rule(Sigma, sigmaID); !ok || r.Content != sigmaSample {
		t.Errorf("the content was not kept: %v", r)
	}
}

func TestPromote(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	m := start(t, Options{Now: func() time.Time { at = at.Add(time.Hour); return at }})
	tested := m.makeIOC("a.example", object{"hl_status": "testing"})
	m.makeIOC("b.example", object{"hl_status": "experimental"})
	since := "?last_update__gte=2026-03-01+12:30:00"
	m.get(iocs+since).want(t, 200, `"count":0`)
	simtest.Is(t, "promoted", 1, m.Promote())
	m.get(tested).want(t, 200, `"hl_status":"stable"`)
	m.get(iocs+since).want(t, 200, `"count":1`)
}

func TestControls(t *testing.T) {
	m := start(t, Options{})
	m.head = nil // they are nobody's API
	m.makeRule(IOC, Rule{ID: "i", Type: "domain_name", Value: "c2.example.org", Enabled: true})
	steps := []struct {
		name, method, path, body string
		status                   int
		text                     string
	}{
		{"a rule", "POST", "rules/ioc", `{"id": "r", "type": "domain_name", "value": "a.example", "comment": "by hand"}`, 200, `{"id":"r"}`},
		{"its twin", "POST", "rules/ioc", `{"type": "domain_name", "value": "a.example"}`, 404, "already exists"},
		{"a rule in a list of its own", "POST", "rules/ioc", `{"type": "domain_name", "value": "a.example", "list": "second", "enabled": false}`, 200, ""},
		{"a slip", "POST", "rules/ioc", `{"typ": "domain_name"}`, 400, "typ"},
		{"no kind", "POST", "rules/hash", `{}`, 400, "no kind"},
		{"all rules", "GET", "rules/ioc", "", 200, `"comment":"by hand","enabled":true`},
		{"those of no kind", "GET", "rules/hash", "", 200, "[]"},
		{"those that changed since", "GET", "rules/ioc?since=2000-01-01T00:00:00.5Z", "", 200, `"comment":"by hand"`},
		{"of which there are none", "GET", "rules/ioc?since=2200-01-01T00:00:00Z", "", 200, "[]"},
		{"no moment", "GET", "rules/ioc?since=today", "", 400, "parsing time"},
		{"an edit", "PATCH", "rules/ioc/r", `{"enabled": false, "value": "b.example"}`, 200, `"global_state":"disabled"`},
		{"a slip in an edit", "PATCH", "rules/ioc/r", `{"enable": true}`, 400, "enable"},
		{"an edit of nothing", "PATCH", "rules/ioc/none", `{}`, 404, ""},
		{"lists", "GET", "sources/ioc", "", 200, `"name":"second","description":"","enabled":true,"rules":1}`},
		{"a delete", "DELETE", "rules/ioc/r", "", 200, ""},
		{"another", "DELETE", "rules/ioc/r", "", 404, ""},
		{"knobs", "PATCH", "knobs", `{"page_default": 7, "linked": ["x"], "index_delay": 0, "rule_ids": "random"}`, 200, `"page_default":7`},
		{"other knobs", "PATCH", "knobs", `{"crlf": true}`, 200, `"page_default":7`},
		{"a knob that is none", "PATCH", "knobs", `{"page_defaults": 8}`, 400, "page_defaults"},
		{"all knobs", "GET", "knobs", "", 200, `"linked":["x"]`},
		{"documents", "POST", "alerts", `{"documents": [{"id": "a", "threat_key": 7}, {}]}`, 200, `{"ids":["a","`},
		{"the same again", "POST", "alerts", `{"documents": [{"id": "b"}, {"id": "a"}]}`, 400, `the alert "a" already exists`},
		{"no document", "POST", "alerts", `{"documents": [7]}`, 400, "alert 1: it is no object"},
		{"no JSON", "POST", "alerts", `{`, 400, "EOF"},
		{"generated", "POST", "alerts", `{"generate": {"count": 3}}`, 200, `{"ids":["`},
		{"no shape", "POST", "alerts", `{"generate": {"shapes": ["no"]}}`, 400, `no shape of an alert is called "no"`},
		{"a sighting", "POST", "saw", `{"value": "c2.example.org", "at": "2026-03-02T09:00:00Z"}`, 200, `{"ids":["`},
		{"a slip in a sighting", "POST", "saw", `{"valeu": "x"}`, 400, "valeu"},
		{"a sighting of nothing", "POST", "saw", `{}`, 400, "needs a value, a rule or an event"},
		{"a fleet", "POST", "telemetry", "", 200, `{"name":"unseen","type":"domain_name","value":"unseen.example"}`},
		{"what it saw", "GET", "telemetry?type=domain_name&value=chatty.example&days=30", "", 200, `{"events":9000,"agents":1,"last":"`},
		{"no number of days", "GET", "telemetry?days=x", "", 400, "invalid syntax"},
		{"all alerts", "GET", "alerts", "", 200, `"threat_key":7`},
		{"all threats", "GET", "threats", "", 200, `"alerts":["a"]`},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { m.do(s.method, "/_sim/"+s.path, s.body).want(t, s.status, s.text) })
	}
	simtest.Is(t, "alerts held", 6, m.AlertCount())
	simtest.Is(t, "requests that controls count as", 0, m.HTTP.Count())
}
