package hlsim

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// Contract harfanglab-api 12.16: the modes of a creation's answer.
func TestCreationAnswers(t *testing.T) {
	const duplicate = `{"id":["Sigma rule with this Id already exists."]}`
	broken := strings.Replace(sigmaSample, "condition: sel", "condition: nothing", 1)
	tests := []struct {
		name   string
		knobs  Knobs
		body   func(*manager) object
		status int
		text   string
		held   int
	}{
		{"success", Knobs{}, func(m *manager) object { return m.sigma("New", titled(otherID)) }, 201, `{"status":[{"id":"` + otherID + `","filename":"New","content":"`, 2},
		{"its entry ends so", Knobs{}, func(m *manager) object { return m.sigma("New", titled(otherID)) }, 201, `"status":true,"code":""}]}`, 2},
		{"a refused content is 201", Knobs{}, func(m *manager) object { return m.sigma("Broken", broken) }, 201,
			`{"status":[{"filename":"Broken","content":"condition references unknown selection nothing","status":false,"code":"invalid_sigma_content"}]}`, 1},
		{"a duplicate id", Knobs{}, func(m *manager) object { return m.sigma("Twin", sigmaSample) }, 400, duplicate, 1},
		{"its case does not matter", Knobs{}, func(m *manager) object { return m.sigma("Twin", titled(strings.ToUpper(sigmaID))) }, 400, duplicate, 1},
		{"nor the source", Knobs{}, func(m *manager) object {
			id, _ := m.AddSource(Sigma, "other")
			return m.sigma("Twin", sigmaSample, object{"source_id": id})
		}, 400, duplicate, 1},
		{"knob: a duplicate is an entry", Knobs{DuplicateAsEntry: true}, func(m *manager) object { return m.sigma("Twin", sigmaSample) }, 201, `"status":false,"code":"duplicate_rule"}]}`, 1},
		{"knob: 200", Knobs{CreateStatus: 200}, func(m *manager) object { return m.sigma("New", titled(otherID)) }, 200, `"status":true`, 2},
		{"knob: an empty list", Knobs{CreateAnswer: AnswerEmpty}, func(m *manager) object { return m.sigma("New", titled(otherID)) }, 201, `{"status":[]}`, 1},
		{"knob: no status", Knobs{CreateAnswer: AnswerNoStatus}, func(m *manager) object { return m.sigma("New", titled(otherID)) }, 201, `{"status":[{"filename":"New","content":"`, 1},
		{"knob: a bare object", Knobs{CreateAnswer: AnswerObject}, func(m *manager) object { return m.sigma("New", titled(otherID)) }, 201, `{"id":"` + otherID + `","rule_id":"` + otherID + `","name":"New"`, 2},
		{"overwrite changes the rule with that id", Knobs{}, func(m *manager) object { return m.sigma("Twin", sigmaSample, object{"overwrite": true}) }, 201, `"status":true`, 1},
		{"an unknown source", Knobs{}, func(m *manager) object { return m.sigma("New", titled(otherID), object{"source_id": "none"}) }, 400, `{"source_id":["`, 1},
		{"a form without anything", Knobs{}, func(*manager) object { return object{} }, 400, `{"content":["This field is required."],"name":["This field is required."],"source_id":["This field is required."]}`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, Options{})
			m.makeFile(sigmas, m.sigma("First", sigmaSample))
			m.SetKnobs(func(k *Knobs) { *k = tt.knobs })
			m.do("POST", sigmas, tt.body(m)).want(t, tt.status, tt.text)
			simtest.Is(t, "rules", tt.held, m.Count(Sigma))
		})
	}
	t.Run("an object has no feedback", func(t *testing.T) {
		m := start(t, with(Knobs{CreateAnswer: AnswerObject}))
		if r := m.do("POST", yaras, m.yara("f", yaraSample)).want(t, 201, ""); strings.Contains(r.text, "errors") || strings.Contains(r.text, "warnings") {
			t.Errorf("got %s", r.text)
		}
	})
}

// Contract harfanglab-api 12.17.
func TestIdentityOfSigma(t *testing.T) {
	m := start(t, Options{})
	path := m.makeFile(sigmas, m.sigma("s", sigmaSample))
	simtest.Is(t, "made", sigmas+sigmaID+"/", path)
	m.get(path).want(t, 200, `"rule_id":"`+sigmaID+`"`).want(t, 200, `"rule_name":"Encoded PowerShell"`)
	m.do("PATCH", path, object{"content": titled(otherID)}).want(t, 400, `{"id":["`)
	m.do("PATCH", path, object{"content": strings.Replace(sigmaSample, "Encoded", "Any", 1)}).want(t, 200, `"rule_name":"Any PowerShell"`)
	m.do("PUT", path, m.sigma("renamed", sigmaSample, object{"overwrite": true})).want(t, 200, `"name":"renamed"`)
	m.do("PUT", path, object{"enabled": false}).want(t, 400, `{"content":["This field is required."]`)
	m.do("PUT", sigmas+otherID+"/", m.sigma("s", titled(otherID))).want(t, 404, `{"detail":`)

	m.SetKnobs(func(k *Knobs) { k.OtherSigmaID = true })
	other := m.makeFile(sigmas, m.sigma("o", titled(otherID)))
	if other == sigmas+otherID+"/" {
		t.Error("knob: the path's id is the rule's")
	}
	m.get(other).want(t, 200, `"rule_id":"`+otherID+`"`)
	m.do("POST", sigmas, m.sigma("o", titled(otherID))).want(t, 400, "already exists")
	nameless := m.makeFile(sigmas, m.sigma("n", strings.Replace(sigmaSample, "id: "+sigmaID+"\n", "", 1)))
	if m.get(nameless).json["rule_id"] == "" {
		t.Error("a rule without an id got none")
	}
	m.do("PATCH", nameless, object{"content": strings.Replace(sigmaSample, "id: "+sigmaID+"\n", "", 1)}).want(t, 200, "")
}

// Contract harfanglab-api 12.18.
func TestNamesOfFiles(t *testing.T) {
	for path, body := range map[string]func(*manager, string) object{
		sigmas: func(m *manager, name string) object { return m.sigma(name, titled(newID())) },
		yaras:  func(m *manager, name string) object { return m.yara(name, yaraSample) },
	} {
		t.Run(path, func(t *testing.T) {
			m := start(t, Options{})
			long := strings.Repeat("é", 100)
			m.do("POST", path, body(m, long)).want(t, 201, `"status":true`)
			m.do("POST", path, body(m, long+"é")).want(t, 400, `{"name":["Ensure this field has no more than 100 characters."]}`)
			m.do("POST", path, body(m, long+"   ")).want(t, 201, `"status":true`)
			m.do("POST", path, body(m, "  ")).want(t, 400, `{"name":["This field may not be blank."]}`)
			item := m.makeFile(path, body(m, " trimmed "))
			m.get(item).want(t, 200, `"name":"trimmed"`)
			m.do("PATCH", item, object{"name": long + "x"}).want(t, 400, `{"name":["`)
			m.do("POST", path, body(m, "trimmed")).want(t, 201, `"status":true`)
			simtest.Is(t, "namesakes", 2, len(m.get(path+"?name__exact=trimmed").rows(t)))
			simtest.Is(t, "filename as it was given", " echo ", m.do("POST", path, body(m, " echo ")).entry(t)["filename"])
		})
	}
}

// Contract harfanglab-api 12.19.
func TestSigmaIsWrittenAnew(t *testing.T) {
	content := "# a comment\n" + strings.Replace(sigmaSample, "    sel:\n", "    base: &b\n        Image: 'x'\n        n: 0123\n        s: '0123'\n    copy: *b\n    text: |\n        two\n        lines\n    sel:\n", 1) +
		"date: 2024-01-05\nmodified: 2024/01/05\nnothing: ~\nyes: on\n"
	m := start(t, Options{})
	e := m.do("POST", sigmas, m.sigma("s", content)).entry(t)
	stored, _ := e["content"].(string)
	if stored == content || strings.Contains(stored, "# a comment") || !strings.Contains(stored, "'Encoded PowerShell'") {
		t.Errorf("stored as it was sent:\n%s", stored)
	}
	if at := []int{strings.Index(stored, "date:"), strings.Index(stored, "\ndetection:"), strings.Index(stored, "\nid:"), strings.Index(stored, "\ntitle:")}; at[0] < 0 || at[0] > at[1] || at[1] > at[2] || at[2] > at[3] {
		t.Errorf("the keys are not sorted:\n%s", stored)
	}
	var was, is any
	simtest.Fine(t, yaml.Unmarshal([]byte(content), &was))
	simtest.Fine(t, yaml.Unmarshal([]byte(stored), &is))
	simtest.Same(t, "it means something else", was, is)
	again := m.do("PATCH", sigmas+sigmaID+"/", object{"content": stored}).want(t, 200, "").json["content"]
	simtest.Is(t, "writing it again changed it", any(stored), again)
	m.SetKnobs(func(k *Knobs) { k.KeepContent = true })
	simtest.Is(t, "knob: kept", any(content), m.do("PATCH", sigmas+sigmaID+"/", object{"content": content}).want(t, 200, "").json["content"])
}

// Contract harfanglab-api 12.19, the second half.
func TestFeedback(t *testing.T) {
	content := strings.NewReplacer("level: high\n", "", "condition: sel", "condition: sel | count() > 3").Replace(sigmaSample)
	m := start(t, Options{})
	if e := m.do("POST", sigmas, m.sigma("s", content)).entry(t); len(e) != 5 || e["status"] != true {
		t.Errorf("the creation says %v", e)
	}
	const want = `"errors":["aggregations are not evaluated"],"warnings":["no level: that of the source applies"]`
	m.do("PATCH", sigmas+sigmaID+"/", object{"enabled": false}).want(t, 200, want)
	m.get(sigmas).want(t, 200, want)
	m.SetKnobs(func(k *Knobs) { k.TextFeedback = true })
	m.get(sigmas).want(t, 200, `"errors":"aggregations are not evaluated","warnings":"no level`)
	m.do("PATCH", sigmas+sigmaID+"/", object{"content": sigmaSample}).want(t, 200, `"errors":null,"warnings":null`).want(t, 200, `"rule_level":"high"`)
	m.do("PATCH", sigmas+sigmaID+"/", object{"content": "title: Broken"}).want(t, 400, `{"content":["logsource is missing"]}`)
	m.SetKnobs(func(k *Knobs) { *k = Knobs{KeepBroken: true} })
	m.do("PATCH", sigmas+sigmaID+"/", object{"content": "title: Broken"}).want(t, 200, `"errors":["logsource is missing"]`).want(t, 200, `"content":"title: Broken"`)
}

// Contract harfanglab-sigma 1: agents ignore a rule over one name that they do not know. The creation does
// not say so.
func TestWhatAgentsDoNotKnow(t *testing.T) {
	tests := []struct {
		name, source, selection string
		want                    []any
	}{
		{"names of the tables", "product: windows, category: process_creation", "{Image|endswith: a, ParentImage: b, Imphash: c, AgentHostname: d}", nil},
		{"the process that caused it", "product: windows, category: dns_query", "{QueryName|contains: a, ProcessParentImage: b, SessionLogonType: c}", nil},
		{"but of a driver", "product: windows, category: driver_load", "{ProcessImage: a}", []any{`no agent knows the field "ProcessImage" of driver_load`}},
		{"public names", "product: windows, category: process_creation", "[{Hashes|contains: a}, {Image: b, Provider_Name: c}]",
			[]any{`no agent knows the field "Hashes" of process_creation`, `no agent knows the field "Provider_Name" of process_creation`}},
		{"another product's", "product: linux, category: process_creation", "{Imphash: a}", []any{`no agent knows the field "Imphash" of process_creation`}},
		{"words", "product: windows, category: process_creation", "[mimikatz]", []any{`no agent knows the field "" of process_creation`}},
		{"a category", "product: windows, category: file_event", "{Image: a}", []any{`no agent knows the category "file_event"`}},
		{"no category", "product: windows", "{Image: a}", []any{`no agent knows the category ""`}},
		{"any product that has it", "category: bpf_event", "{Kind: a}", nil},
		{"a product", "product: aws", "{a: b}", []any{`no agent knows the product "aws"`}},
		{"a service", "product: windows, service: defender", "{EventID: 1, Anything: a}", nil},
		{"another service", "product: windows, service: windefend", "{EventID: 1}", []any{`no agent knows the service "windefend"`}},
		{"a service of Linux", "product: linux, service: security", "{a: b}", []any{`no agent knows the service "security"`}},
		{"any event log", "product: windows, category: eventlog", "{LogName: a, event_data.b: c, d: e}", nil},
	}
	m := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id := newID()
			body := m.sigma(id, fmt.Sprintf("title: t\nid: %s\nlevel: low\nlogsource: {%s}\ndetection: {sel: %s, condition: sel}\n", id, tt.source, tt.selection))
			if text := m.do("POST", sigmas, body).want(t, 201, `"status":true`).text; strings.Contains(text, "no agent") {
				t.Errorf("the creation says %s", text)
			}
			for _, r := range []object{m.get(sigmas + "?name__exact=" + id).rows(t)[0], m.do("PATCH", sigmas+id+"/", object{"enabled": true}).json, m.get(sigmas + id + "/").json} {
				got, _ := r["warnings"].([]any)
				simtest.Same(t, "warnings", tt.want, got)
			}
			for _, lenient := range []bool{false, true} {
				m.SetKnobs(func(k *Knobs) { k.LenientAgents = lenient })
				if ids, err := m.Saw(Sighting{Rule: id}); err != nil || (len(ids) == 1) != (lenient || tt.want == nil) {
					t.Errorf("knob %v: fired %d alerts, %v", lenient, len(ids), err)
				}
			}
		})
	}
	m.SetKnobs(func(k *Knobs) { k.NoFeedback = true })
	m.get(sigmas+"?search=mimikatz").want(t, 200, `"errors":null,"warnings":null`)
}

// Contract harfanglab-api 12.20.
func TestSigmaFilters(t *testing.T) {
	m := start(t, Options{})
	m.makeFile(sigmas, m.sigma("Display", sigmaSample))
	m.makeFile(sigmas, m.sigma("Related", titled(otherID)+"related:\n    - id: "+sigmaID+"\n      type: derived\n"))
	tests := []struct {
		name, query string
		want        []string
	}{
		{"rule_id is no filter", "rule_id=" + sigmaID + "&rule_id__exact=x", []string{"Display", "Related"}},
		{"search finds the id, and what names it", "search=" + strings.ToUpper(sigmaID), []string{"Display", "Related"}},
		{"search finds part of the id", "search=" + otherID[:13], []string{"Related"}},
		{"search finds the title", "search=encoded", []string{"Display", "Related"}},
		{"name__exact", "name__exact=Display", []string{"Display"}},
		{"rule_name__exact", "rule_name__exact=Encoded+PowerShell", []string{"Display", "Related"}},
		{"rule_name__exact is exact", "rule_name__exact=Encoded", []string{}},
		{"type is no filter here", "type=url", []string{"Display", "Related"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simtest.Same(t, "found", tt.want, m.get(sigmas+"?"+tt.query).column(t, "name"))
		})
	}
	simtest.Same(t, "techniques", []any{"attack.t1059.001"}, m.get(sigmas).rows(t)[0]["rule_technique_tags"])
}

func TestSigmaThatIsRefused(t *testing.T) {
	swap := func(old, text string) string { return strings.Replace(sigmaSample, old, text, 1) }
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
	tests := []struct{ name, content, want string }{
		{"no YAML", "title: [", "invalid YAML"},
		{"no mapping", "- a", "invalid YAML"},
		{"a key twice", sigmaSample + "title: again\n", "invalid YAML"},
		{"two documents", sigmaSample + "---\n" + sigmaSample, "more than one document"},
		{"no title", swap("title: Encoded PowerShell\n", ""), "title is missing"},
		{"no logsource", swap("logsource:", "source:"), "logsource is missing"},
		{"no detection", swap("detection:", "detections:"), "detection is missing"},
		{"no condition", swap("    condition: sel\n", ""), "no condition"},
		{"an empty condition", swap("condition: sel", "condition: ''"), "an empty condition"},
		{"an unknown selection", swap("condition: sel", "condition: sel and not filter"), "unknown selection filter"},
		{"no selection of that pattern", swap("condition: sel", "condition: 1 of filter_*"), "unknown selection filter_*"},
		{"parentheses", swap("condition: sel", "condition: (sel"), "unbalanced parentheses"},
		{"an empty selection", swap("    condition:", "    filter:\n    condition:"), "filter is empty"},
		{"an unknown level", swap("level: high", "level: urgent"), "level"},
		{"aliases of aliases", sigmaSample + bomb, ""},
	}
	m := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := m.do("POST", sigmas, m.sigma("s", tt.content)).entry(t)
			if why, _ := e["content"].(string); e["status"] != false || e["code"] != "invalid_sigma_content" || !strings.Contains(why, tt.want) {
				t.Errorf("got %v, want %q", e, tt.want)
			}
		})
	}
	for _, condition := range []string{"1 of sel*", "all of them", "[sel, not sel]", "sel or (sel and not 1 of s?l)"} {
		t.Run("but not "+condition, func(t *testing.T) {
			m.makeFile(sigmas, m.sigma("s", strings.Replace(titled(newID()), "condition: sel", "condition: "+condition, 1)))
		})
	}
}

// Contract harfanglab-api 12.22.
func TestTestingToStable(t *testing.T) {
	for _, on := range []bool{false, true} {
		m := start(t, with(Knobs{TestingToStable: on}))
		want := map[bool]string{false: "testing", true: "stable"}[on]
		testing := object{"hl_status": "testing"}
		for _, path := range []string{m.makeFile(sigmas, m.sigma("s", sigmaSample, testing)), m.makeFile(yaras, m.yara("y", yaraSample, testing))} {
			m.get(path).want(t, 200, `"hl_status":"`+want+`"`)
			m.do("PATCH", path, testing).want(t, 200, `"hl_status":"testing"`)
		}
		m.get(m.makeIOC("a.example", testing)).want(t, 200, `"hl_status":"testing"`)
	}
}

// Contract harfanglab-api 12.23.
func TestLinkedRulesStay(t *testing.T) {
	m := start(t, with(Knobs{Linked: []string{sigmaID}, OtherSigmaID: true}))
	path := m.makeFile(sigmas, m.sigma("s", sigmaSample))
	m.do("DELETE", path, nil).want(t, 400, `{"code":"linked_sigma_rule","linked_correlation":[{"correlation_rule_name":"Recon burst"}]}`)
	m.do("PATCH", path, object{"enabled": false}).want(t, 200, `"enabled":false`)
	m.SetKnobs(func(k *Knobs) { k.Linked = nil })
	m.do("DELETE", path, nil).want(t, 204, "")
}
