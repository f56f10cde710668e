package hlsim

import (
	"strings"
	"testing"
	"time"
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
	if len(m.Rules("hash"))+len(m.Sources("hash"))+m.Count("hash") != 0 {
		t.Error("a kind that does not exist holds something")
	}
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
	if m.Load(IOC, "none", []Rule{rule}) == nil || m.Load("hash", "", []Rule{rule}) == nil {
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
