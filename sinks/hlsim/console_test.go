package hlsim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestControls(t *testing.T) {
	m := start(t, Options{})
	m.head = nil // they are nobody's API
	made := m.do("POST", "/_sim/rules/ioc", `{"type": "domain_name", "value": "a.example", "comment": "by hand"}`).want(t, 201, `{"id":"`)
	id := made.json["id"].(string)
	m.do("POST", "/_sim/rules/ioc", `{"type": "domain_name", "value": "a.example"}`).want(t, 409, "already exists")
	m.do("POST", "/_sim/rules/ioc", `{"type": "domain_name", "value": "a.example", "list": "second", "enabled": false, "hl_status": "testing"}`).want(t, 201, "")
	m.do("POST", "/_sim/rules/ioc", `{"typ": "domain_name"}`).want(t, 400, "typ")
	m.do("POST", "/_sim/rules/hash", `{}`).want(t, 404, "")
	m.get("/_sim/rules/ioc/"+id).want(t, 200, `"comment":"by hand","enabled":true`)
	m.do("PATCH", "/_sim/rules/ioc/"+id, `{"enabled": false, "value": "b.example"}`).want(t, 200, `"global_state":"disabled"`)
	m.do("PATCH", "/_sim/rules/ioc/"+id, `{"enable": true}`).want(t, 400, "enable")
	m.do("PATCH", "/_sim/rules/ioc/none", `{}`).want(t, 404, "")
	m.get("/_sim/rules/ioc/none").want(t, 404, "")
	var lists []Source
	if err := json.Unmarshal([]byte(m.get("/_sim/sources/ioc").want(t, 200, "").text), &lists); err != nil {
		t.Fatal(err)
	}
	want := []Source{{Name: "from_OpenCTI", Enabled: true, Rules: 1}, {Name: "second", Enabled: true, Rules: 1}}
	if diff := cmp.Diff(want, lists, cmpopts.IgnoreFields(Source{}, "ID")); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
	m.get("/_sim/sources/hash").want(t, 404, "")
	m.get("/_sim/rules/hash").want(t, 404, "")
	m.get("/_sim/rules/yara").want(t, 200, "[]")
	m.do("POST", "/_sim/promote", nil).want(t, 200, `{"promoted":1}`)
	m.do("DELETE", "/_sim/rules/ioc/"+id, nil).want(t, 204, "")
	m.do("DELETE", "/_sim/rules/ioc/"+id, nil).want(t, 404, "")
	m.get("/_sim/rules/ioc").want(t, 200, `"hl_status":"stable"`)
	m.do("PATCH", "/_sim/knobs", `{"page_default": 7, "linked": ["x"]}`).want(t, 200, `"page_default":7`)
	m.do("PATCH", "/_sim/knobs", `{"crlf": true}`).want(t, 200, `"page_default":7`)
	m.do("PATCH", "/_sim/knobs", `{"page_defaults": 8}`).want(t, 400, "page_defaults")
	m.get("/_sim/knobs").want(t, 200, `"linked":["x"]`)
	if n := m.HTTP.Count(); n != 0 {
		t.Errorf("controls count as %d requests", n)
	}
}

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
		{"a level", func(r *Rule) { r.RuleLevel, r.AlertCount, r.Info = "low", 3, "i" }, true, `"rule_effective_level":"low"`},
	}
	for _, e := range edits {
		t.Run(e.name, func(t *testing.T) {
			if done := m.Edit(IOC, id, e.change); done != e.done {
				t.Errorf("done: %v", done)
			}
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
	if m.Rules("hash") != nil || m.Sources("hash") != nil || m.Count("hash") != 0 {
		t.Error("a kind that does not exist holds something")
	}
}

func TestConsoleEditsOfContents(t *testing.T) {
	m := start(t, Options{})
	sigma := m.Add(Sigma, Rule{SourceID: m.list[Sigma], Name: "s", Content: sigmaSample})
	if sigma != sigmaID {
		t.Fatalf("made with the id %q", sigma)
	}
	if m.Add(Sigma, Rule{SourceID: m.list[Sigma], Name: "twin", Content: sigmaSample}) != "" {
		t.Error("a twin was made")
	}
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
	if m.Load(IOC, "none", []Rule{rule}) == nil || m.Load("hash", "", nil) == nil {
		t.Error("rules were loaded into no list")
	}
	if err := m.Load(Sigma, m.list[Sigma], []Rule{{Name: "s", Content: sigmaSample}}); err != nil {
		t.Fatal(err)
	}
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
	if n := m.Promote(); n != 1 {
		t.Errorf("%d promoted", n)
	}
	m.get(tested).want(t, 200, `"hl_status":"stable"`)
	m.get(iocs+since).want(t, 200, `"count":1`)
}
