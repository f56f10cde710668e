package hlsim

import (
	"testing"
)

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
		{"a sighting of nothing", "POST", "saw", `{}`, 400, "needs a value or a rule"},
		{"all alerts", "GET", "alerts", "", 200, `"threat_key":7`},
		{"all threats", "GET", "threats", "", 200, `"alerts":["a"]`},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { m.do(s.method, "/_sim/"+s.path, s.body).want(t, s.status, s.text) })
	}
	if n := m.AlertCount(); n != 6 {
		t.Errorf("%d alerts are held", n)
	}
	if n := m.HTTP.Count(); n != 0 {
		t.Errorf("controls count as %d requests", n)
	}
}
