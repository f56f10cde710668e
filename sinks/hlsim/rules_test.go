package hlsim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// Contract harfanglab-api 12.8, 12.9.
func TestIdentityOfIOCs(t *testing.T) {
	const twin = `{"__all__":["['Ioc rule with this Type, Value and Source already exists.']"]}` + "\n"
	m := start(t, Options{})
	other, err := m.AddSource(IOC, "other")
	simtest.Fine(t, err)
	held := m.makeIOC("c2.example.org")
	tests := []struct {
		name   string
		body   object
		status int
	}{
		{"a twin", m.ioc("c2.example.org"), 400},
		{"another case is another value", m.ioc("C2.example.org"), 201},
		{"another type", m.ioc("c2.example.org", object{"type": "url"}), 201},
		{"another source", m.ioc("c2.example.org", object{"source_id": other}), 201},
		{"a twin there", m.ioc("c2.example.org", object{"source_id": other}), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := m.do("POST", iocs, tt.body).want(t, tt.status, "")
			if tt.status == 400 && r.text != twin {
				t.Errorf("got  %s\nwant %s", r.text, twin)
			}
		})
	}
	t.Run("updates collide too", func(t *testing.T) {
		path := m.makeIOC("free.example.org")
		simtest.Is(t, "got", twin, m.do("PATCH", path, object{"value": "c2.example.org"}).want(t, 400, "").text)
		m.do("PUT", path, m.ioc("c2.example.org")).want(t, 400, "already exists")
		m.do("PUT", held, m.ioc("c2.example.org", object{"description": "of itself it is no twin"})).want(t, 200, "no twin")
		m.do("PATCH", path, object{"value": "moved.example.org"}).want(t, 200, `"value":"moved.example.org"`)
		m.do("POST", iocs, m.ioc("free.example.org")).want(t, 201, "")
	})
	t.Run("a rule moves to another list", func(t *testing.T) {
		path := m.makeIOC("wanders.example.org")
		m.do("PATCH", path, object{"source_id": other}).want(t, 200, other)
		simtest.Is(t, "in the other list", 1, len(m.get(iocs+"?source_id="+other+"&search=wanders").column(t, "value")))
		m.do("PATCH", path, object{"source_id": "none"}).want(t, 400, `{"source_id":["`)
	})
}

// Contract harfanglab-api 12.10: the members of 4.2, in whatever order.
func TestCreatedIOC(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 20, 30, 10_000, time.UTC)
	m := start(t, Options{Now: func() time.Time { return at }})
	got := m.do("POST", iocs, m.ioc("c2.example.org", object{
		"description": "Loader C2", "comment": `{"a": 1}`, "hl_status": "stable", "enabled": true,
		"rule_level_override": "high", "rule_confidence_override": "strong", "references": []string{"https://cti.example.org/r/42"},
	})).want(t, 201, "").json
	if id, _ := got["id"].(string); len(id) != 36 {
		t.Errorf("id %v", got["id"])
	}
	delete(got, "id")
	want := object{
		"source_id": m.list[IOC], "source": m.list[IOC], "type": "domain_name", "value": "c2.example.org", "name": nil, "description": "Loader C2",
		"comment": `{"a": 1}`, "info": nil, "category": nil, "references": []any{"https://cti.example.org/r/42"}, "enabled": true, "hl_status": "stable",
		"hl_testing_start_time": "2026-03-01T10:20:30.000001Z", "test_maturity_current_count": 0.0, "test_maturity_delay": 7.0, "test_maturity_threshold": 10.0,
		"alert_count": 0.0, "silent": false, "block_on_agent": false, "quarantine_on_agent": false, "endpoint_detection": true, "global_state": "alert",
		"rule_level": nil, "rule_level_override": "high", "rule_effective_level": "high", "rule_confidence_override": "strong",
		"last_modifier": object{"id": 3.0, "username": "opencti-bridge"}, "creation_date": "2026-03-01T10:20:30.000010Z", "last_update": "2026-03-01T10:20:30.000007Z",
	}
	simtest.Same(t, "created", want, got)
	bare := m.do("POST", iocs, m.ioc("bare.example.org", object{"port": 443, "hl_local_testing_status": "validated", "unknown": 1})).want(t, 201, "").json
	for name, v := range map[string]any{"description": nil, "comment": nil, "enabled": true, "hl_status": "stable", "rule_effective_level": "medium", "rule_level_override": nil, "references": []any{}} {
		simtest.Same(t, fmt.Sprintf("%s without a word about it", name), v, bare[name])
	}
	if _, shown := bare["port"]; shown {
		t.Error("the port is shown")
	}
}

// Contract harfanglab-api 12.11.
func TestSearch(t *testing.T) {
	m := start(t, Options{})
	ip := object{"type": "ip_both"}
	m.makeIOC("198.51.100.1", ip, object{"comment": `{"id": "indicator--AA"}`})
	m.makeIOC("198.51.100.10", ip, object{"description": "Émotet loader"})
	m.makeIOC("x198-51-100-1.example", object{"name": "198.51.100.1"})
	tests := []struct {
		name, search string
		want         []string
	}{
		{"near matches are found", "198.51.100.1", []string{"198.51.100.1", "198.51.100.10"}},
		{"comments, in any case", "INDICATOR--aa", []string{"198.51.100.1"}},
		{"descriptions", "LOADER", []string{"198.51.100.10"}},
		{"other alphabets in any case", "éMOTET", []string{"198.51.100.10"}},
		{"nothing", "nowhere", []string{}},
		{"an empty one is none", "", []string{"198.51.100.1", "198.51.100.10", "x198-51-100-1.example"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			simtest.Same(t, "found", tt.want, m.get(iocs+"?search="+tt.search).column(t, "value"))
		})
	}
}

// Contract harfanglab-api 4.2, 12.4 and 12.12.
func TestIOCFilters(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	m := start(t, Options{Now: func() time.Time { at = at.Add(time.Minute); return at }})
	m.makeIOC("a.example")                                 // 10:01
	m.makeIOC("b.example", object{"name": "bee"})          // 10:02
	m.makeIOC("a.example", object{"type": "url"})          // 10:03
	m.makeIOC("a.example.org", object{"enabled": false})   // 10:04
	m.makeIOC("a,b.example", object{"type": "filename"})   // 10:05
	m.makeIOC("c.example", object{"hl_status": "testing"}) // 10:06
	all := []string{"a.example", "b.example", "a.example", "a.example.org", "a,b.example", "c.example"}
	tests := []struct {
		name, query string
		knobs       Knobs
		want        []string
	}{
		{"type", "type=url", Knobs{}, []string{"a.example"}},
		{"value", "value=b.example", Knobs{}, []string{"b.example"}},
		{"value__exact", "value__exact=a.example", Knobs{}, []string{"a.example", "a.example"}},
		{"the connectors' look-up", "source_id=" + m.list[IOC] + "&type=url&value__exact=a.example", Knobs{}, []string{"a.example"}},
		{"the look-up without a source", "type=filename&value__exact=a,b.example", Knobs{}, []string{"a,b.example"}},
		{"the look-up of what is not there", "type=url&value__exact=b.example", Knobs{}, []string{}},
		{"the look-up with one more filter", "type=url&value__exact=a.example&search=zz", Knobs{}, []string{}},
		{"name__exact", "name__exact=bee", Knobs{}, []string{"b.example"}},
		{"a source that is not there", "source_id=none", Knobs{}, []string{}},
		{"since", "last_update__gte=2026-03-01+10:04:30", Knobs{}, []string{"a,b.example", "c.example"}},
		{"until", "last_update__lte=2026-03-01+10:02:00", Knobs{}, []string{"a.example", "b.example"}},
		{"between", "last_update__gte=2026-03-01+10:01:30&last_update__lte=2026-03-01+10:02:30", Knobs{}, []string{"b.example"}},
		{"unknown parameters have no effect", "enabled=false&rule_id=x&fields=id&value__iexact=q", Knobs{}, all},
		{"ordering", "ordering=-last_update&limit=2", Knobs{}, []string{"c.example", "a,b.example"}},
		{"ordering by value", "ordering=value&type=domain_name", Knobs{}, []string{"a.example", "a.example.org", "b.example", "c.example"}},
		{"ordering by name", "ordering=-name&limit=1", Knobs{}, []string{"b.example"}},
		{"ordering by creation", "ordering=creation_date&limit=1", Knobs{}, []string{"a.example"}},
		{"an unknown ordering has no effect", "ordering=colour", Knobs{}, all},
		{"knob: any form of date", "last_update__gte=2026-03-01T10:04:30Z", Knobs{AnyDateForm: true}, []string{"a,b.example", "c.example"}},
		{"knob: filters that are unknown", "type=url&value__exact=a.example&search=zz", Knobs{IgnoreFilters: []string{"type", "value__exact", "search"}}, all},
		{"knob: commas part values", "value__exact=b.example,c.example", Knobs{CommaOr: true}, []string{"b.example", "c.example"}},
		{"commas are part of a value", "value__exact=a,b.example", Knobs{}, []string{"a,b.example"}},
		{"knob: the newest first", "limit=2", Knobs{NewestFirst: true}, []string{"c.example", "a,b.example"}},
		{"knob: the newest first, filtered", "type=domain_name&limit=2", Knobs{NewestFirst: true}, []string{"c.example", "a.example.org"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { *k = tt.knobs })
			simtest.Same(t, "found", tt.want, m.get(iocs+"?"+tt.query).column(t, "value"))
		})
	}
	for _, form := range []string{"2026-03-01T10:04:30Z", "2026-03-01", "now"} {
		t.Run("no date in the form "+form, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { *k = Knobs{} })
			m.get(iocs+"?last_update__lte="+form).want(t, 400, `{"last_update__lte":["`)
		})
	}
}

// Contract harfanglab-api 12.13.
func TestValues(t *testing.T) {
	hex := func(n int) string { return strings.Repeat("aB", n/2) }
	tests := []struct {
		typ       string
		good, bad []string
	}{
		{"hash", []string{hex(32), hex(40), hex(64)}, []string{hex(128), hex(31), hex(34), strings.Repeat("g", 32), ""}},
		{"domain_name", []string{"a.b", "xn--e1afmkfd.example"}, []string{"localhost", "a b.example", "a.example/x", ".", "a."}},
		{"ip_src", []string{"192.0.2.1", "2001:db8::/32"}, []string{"192.0.2", "192.0.2.1/33", "fe80::1%eth0", "a.example"}},
		{"ip_dst", []string{"2001:db8::1"}, []string{"192.0.2.1:80"}},
		{"ip_both", []string{"192.0.2.0/24"}, []string{"192.0.2.1|80"}},
		{"url", []string{"https://a.example/x?y=z", "bare-host", "192.0.2.1"}, []string{" ", ""}},
		{"filename", []string{"evil.exe"}, []string{""}},
		{"filepath", []string{`C:\evil dir\evil.exe`}, []string{"a\nb"}},
	}
	m := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.typ, func(t *testing.T) {
			for _, v := range tt.good {
				m.do("POST", iocs, m.ioc(v, object{"type": tt.typ})).want(t, 201, "")
			}
			for _, v := range tt.bad {
				r := m.do("POST", iocs, m.ioc(v, object{"type": tt.typ})).want(t, 400, `{"value":["`)
				if strings.Contains(r.text, "already exists") {
					t.Errorf("%q looks like a duplicate: %s", v, r.text)
				}
			}
		})
	}
	path := m.makeIOC("held.example")
	m.do("PATCH", path, object{"value": "held"}).want(t, 400, `{"value":["`)
	m.do("PATCH", path, object{"type": "hash"}).want(t, 400, `{"value":["`)
}

// Contract harfanglab-api 1.7 and 4.1.
func TestIOCForm(t *testing.T) {
	m := start(t, Options{})
	tests := []struct {
		name string
		body any
		want string
	}{
		{"nothing", object{}, `{"source_id":["This field is required."],"type":["This field is required."],"value":["This field is required."]}`},
		{"nulls", m.ioc("a.example", object{"type": nil, "hl_status": nil, "enabled": nil}), `{"enabled":["This field may not be null."],"hl_status":["This field may not be null."],"type":["This field may not be null."]}`},
		{"an unknown type", m.ioc("a.example", object{"type": "domain"}), `{"type":["\"domain\" is not a valid choice."]}`},
		{"an unknown source", m.ioc("a.example", object{"source_id": "5b0c2f0e"}), `{"source_id":["`},
		{"enumerations", m.ioc("a.example", object{"hl_status": "old", "global_state": "on", "rule_level_override": "none", "rule_confidence_override": "sure"}),
			`{"global_state":["\"on\" is not a valid choice."],"hl_status":["\"old\" is not a valid choice."],"rule_confidence_override":["\"sure\" is not a valid choice."],"rule_level_override":["\"none\" is not a valid choice."]}`},
		{"other types", m.ioc("a.example", object{"comment": object{}, "enabled": 1, "references": "x"}), `{"comment":["Not a valid string."],"enabled":["Must be a valid boolean."],"references":["Expected a list of items."]}`},
		{"a NUL", m.ioc("a.example", object{"comment": "a\x00"}), `{"comment":["Null characters are not allowed."]}`},
		{"a long name", m.ioc("a.example", object{"name": strings.Repeat("é", 101)}), `{"name":["Ensure this field has no more than 100 characters."]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { m.do("POST", iocs, tt.body).want(t, 400, tt.want) })
	}
	t.Run("numbers stand for their digits", func(t *testing.T) {
		m.do("POST", iocs, m.ioc("n.example", object{"description": 42})).want(t, 201, `"description":"42"`)
	})
}

// Contract harfanglab-api 12.14.
func TestIOCUpdates(t *testing.T) {
	m := start(t, Options{})
	path := m.makeIOC("a.example", object{"description": "d", "comment": "c", "rule_level_override": "low", "rule_confidence_override": "weak", "references": []string{"r"}})
	before := m.get(path).json
	after := m.do("PATCH", path, object{"comment": ""}).want(t, 200, "").json
	changed := []string{}
	for name := range before {
		if !cmp.Equal(before[name], after[name]) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	simtest.Same(t, "a PATCH of the comment changed", []string{"comment", "last_update"}, changed)
	m.do("PATCH", path, object{"comment": nil, "rule_level_override": nil, "rule_confidence_override": nil}).want(t, 200, `"comment":null`).want(t, 200, `"rule_effective_level":"medium"`)
	m.do("PATCH", path, object{"references": []string{}, "name": "n"}).want(t, 200, `"references":[]`).want(t, 200, `"name":"n"`)
	for _, name := range []string{"type", "value", "source_id"} {
		whole := m.ioc("a.example")
		delete(whole, name)
		m.do("PUT", path, whole).want(t, 400, fmt.Sprintf(`{%q:["This field is required."]}`, name))
	}
	m.do("PUT", path, m.ioc("a.example", object{"enabled": false, "source": m.list[IOC]})).want(t, 200, `"enabled":false`)
	for _, method := range []string{"GET", "PATCH", "PUT", "DELETE"} {
		m.do(method, iocs+"none/", m.ioc("x.example")).want(t, 404, `{"detail":"Not found."}`)
	}
	m.do("DELETE", path, nil).want(t, 204, "")
	m.do("DELETE", path, nil).want(t, 404, `{"detail":`)
	m.do("POST", iocs, m.ioc("a.example")).want(t, 201, "")
}

// Contract harfanglab-api 4.5, 12.15.
func TestState(t *testing.T) {
	type flags struct {
		state                      string
		enabled, block, quarantine bool
	}
	off, on := flags{"disabled", false, false, false}, flags{"alert", true, false, false}
	blocks, takes := flags{"block", true, true, false}, flags{"quarantine", true, true, true}
	tests := []struct {
		name     string
		from, to object
		knobs    Knobs
		want     flags
	}{
		{"nothing is said", nil, nil, Knobs{}, on},
		{"disabled by its flag", nil, object{"enabled": false}, Knobs{}, off},
		{"disabled by its state", nil, object{"global_state": "disabled"}, Knobs{}, off},
		{"enabled by its flag", object{"enabled": false}, object{"enabled": true}, Knobs{}, on},
		{"a block flag", nil, object{"block_on_agent": true}, Knobs{}, blocks},
		{"a quarantine flag blocks as well", nil, object{"quarantine_on_agent": true}, Knobs{}, takes},
		{"no block is no quarantine", object{"global_state": "quarantine"}, object{"block_on_agent": false}, Knobs{}, on},
		{"no quarantine still blocks", object{"global_state": "quarantine"}, object{"quarantine_on_agent": false}, Knobs{}, blocks},
		{"disabling forgets blocking", object{"global_state": "block"}, object{"enabled": false}, Knobs{}, off},
		{"a block flag does not enable", object{"enabled": false}, object{"block_on_agent": true}, Knobs{}, off},
		{"the state wins", nil, object{"global_state": "block", "enabled": false}, Knobs{}, blocks},
		{"knob: the flags win", nil, object{"global_state": "block", "enabled": false}, Knobs{FlagsWin: true}, off},
		{"backend_alert is a state of IOCs", nil, object{"global_state": "backend_alert"}, Knobs{}, flags{"backend_alert", true, false, false}},
		{"and its older spelling", nil, object{"endpoint_detection": false}, Knobs{}, flags{"backend_alert", true, false, false}},
	}
	read := func(r reply) flags {
		return flags{r.json["global_state"].(string), r.json["enabled"].(bool), r.json["block_on_agent"].(bool), r.json["quarantine_on_agent"].(bool)}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, with(tt.knobs))
			path := m.makeIOC("a.example", tt.from)
			simtest.Is(t, "by PATCH", tt.want, read(m.do("PATCH", path, merge(object{}, tt.to)).want(t, 200, "")))
			if tt.from == nil {
				simtest.Is(t, "by POST", tt.want, read(m.do("POST", iocs, m.ioc("b.example", tt.to)).want(t, 201, "")))
			}
		})
	}
	for _, path := range []string{sigmas, yaras} {
		t.Run("backend_alert is stored as alert in "+path, func(t *testing.T) {
			m := start(t, Options{})
			item := m.makeFile(path, merge(m.sigma("x", sigmaSample), map[bool]object{true: m.yara("x", yaraSample)}[path == yaras], object{"global_state": "block"}))
			simtest.Is(t, "made", blocks, read(m.get(item)))
			simtest.Is(t, "changed", on, read(m.do("PATCH", item, object{"global_state": "backend_alert"})))
			simtest.Is(t, "disabled", off, read(m.do("PATCH", item, object{"global_state": "disabled", "enabled": false})))
		})
	}
}

// Contract harfanglab-api 12.15, the knob.
func TestOldGeneration(t *testing.T) {
	m := start(t, with(Knobs{OldGeneration: true}))
	r := m.do("POST", iocs, m.ioc("a.example", object{"global_state": "disabled", "name": "n", "rule_confidence_override": "?"})).want(t, 201, `"enabled":true`)
	file := m.get(m.makeFile(sigmas, m.sigma("s", sigmaSample)))
	for _, name := range []string{"global_state", "name", "rule_effective_level", "rule_confidence_override"} {
		if _, shown := r.json[name]; shown {
			t.Errorf("an IOC shows %s", name)
		}
		if _, shown := file.json[name]; shown != (name == "name") {
			t.Errorf("a Sigma rule shows %s: %v", name, shown)
		}
	}
	m.do("PATCH", iocs+r.json["id"].(string)+"/", object{"enabled": false}).want(t, 200, `"enabled":false`)
}

// What becomes of texts on their way in, each behind its knob.
func TestTexts(t *testing.T) {
	const yara = "\n  rule a { condition: true }\r\n// é\n  "
	tests := []struct {
		name  string
		knobs Knobs
		path  string
		give  object
		want  object
	}{
		{"they are kept", Knobs{}, iocs, object{"description": " D É ", "comment": "\tC\r\n"}, object{"description": " D É ", "comment": "\tC\r\n"}},
		{"empty is not null", Knobs{}, iocs, object{"description": "", "comment": nil, "name": ""}, object{"description": "", "comment": nil, "name": ""}},
		{"knob: empty is null", Knobs{EmptyToNull: true}, iocs, object{"description": "", "comment": "", "name": ""}, object{"description": nil, "comment": nil, "name": nil}},
		{"knob: trimmed", Knobs{TrimTexts: true}, iocs, object{"description": " D ", "comment": "\tC\r\n"}, object{"description": "D", "comment": "C"}},
		{"knob: cut in characters", Knobs{CutDescription: 2, CutComment: 3}, iocs, object{"description": "éèê", "comment": "ab"}, object{"description": "éè", "comment": "ab"}},
		{"knob: cut after trimming", Knobs{CutComment: 1, TrimTexts: true}, iocs, object{"comment": "  abc"}, object{"comment": "a"}},
		{"knob: folded", Knobs{FoldDescriptions: true}, iocs, object{"description": "Loader É", "comment": "Kept"}, object{"description": "loader é", "comment": "Kept"}},
		{"knob: values folded", Knobs{FoldValues: true}, iocs, object{"value": "C2.Example.org"}, object{"value": "c2.example.org"}},
		{"knob: hashes in upper case", Knobs{UpperHashes: true}, iocs, object{"type": "hash", "value": "9e107d9d372bb6826bd81d3542a419d6"}, object{"value": "9E107D9D372BB6826BD81D3542A419D6"}},
		{"but not hosts", Knobs{UpperHashes: true}, iocs, object{"value": "c2.example.org"}, object{"value": "c2.example.org"}},
		{"knob: values trimmed", Knobs{TrimValues: true}, iocs, object{"value": " c2.example.org\n"}, object{"value": "c2.example.org"}},
		{"contents are kept", Knobs{}, yaras, object{"content": yara}, object{"content": yara}},
		{"knob: contents trimmed", Knobs{TrimTexts: true}, yaras, object{"content": yara}, object{"content": "rule a { condition: true }\r\n// é"}},
		{"knob: contents cut", Knobs{CutContent: 8}, yaras, object{"content": yara}, object{"content": "\n  rule "}},
		{"knob: a first comment dropped", Knobs{DropComments: true}, yaras, object{"content": "// note\nrule a { condition: true }\n// kept"}, object{"content": "rule a { condition: true }\n// kept"}},
		{"knob: names folded", Knobs{FoldNames: true}, yaras, object{"name": "Loader A", "content": yara}, object{"name": "loader a"}},
		{"knob: contents with CRLF", Knobs{CRLF: true}, yaras, object{"content": yara}, object{"content": "\r\n  rule a { condition: true }\r\n// é\r\n  "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, with(tt.knobs))
			pick := func(r reply) object {
				got := object{}
				for name := range tt.want {
					got[name] = r.json[name]
				}
				return got
			}
			var path string
			if tt.path == yaras {
				path = m.makeFile(yaras, m.yara("f", "", tt.give))
			} else {
				path = m.makeIOC("plain.example", tt.give)
			}
			simtest.Same(t, "made", tt.want, pick(m.get(path)))
			simtest.Same(t, "changed", tt.want, pick(m.do("PATCH", path, tt.give).want(t, 200, "")))
		})
	}
}

func TestTextsThatAreRefused(t *testing.T) {
	m := start(t, with(Knobs{MaxComment: 3, MaxDescription: 2}))
	m.do("POST", iocs, m.ioc("a.example", object{"comment": "éèêë"})).want(t, 400, `{"comment":["Ensure this field has no more than 3 characters."]}`)
	m.do("POST", iocs, m.ioc("a.example", object{"description": "éèê"})).want(t, 400, `{"description":["Ensure this field has no more than 2 characters."]}`)
	path := m.makeIOC("a.example", object{"comment": "éèê"})
	m.do("PATCH", path, object{"comment": "1234"}).want(t, 400, `{"comment":["`)
	m.get(path).want(t, 200, `"comment":"éèê"`)
}

func TestFoldedValuesAreUnique(t *testing.T) {
	m := start(t, with(Knobs{FoldValues: true}))
	m.makeIOC("a.example")
	m.do("POST", iocs, m.ioc("A.Example")).want(t, 400, "already exists")
}

func TestValuesWithBlanksAreRefused(t *testing.T) {
	m := start(t, Options{})
	m.do("POST", iocs, m.ioc(" a.example")).want(t, 400, `{"value":["`)
}

func TestNoDisableEdit(t *testing.T) {
	m := start(t, with(Knobs{NoDisableEdit: true}))
	ioc := m.makeIOC("a.example", object{"comment": "c"})
	file := m.makeFile(yaras, m.yara("f", yaraSample))
	m.do("PATCH", ioc, object{"enabled": false, "comment": "d"}).want(t, 400, `{"comment":["A rule cannot be edited`)
	m.do("PATCH", file, object{"enabled": false, "content": yaraSample + "\n"}).want(t, 400, `{"content":["`)
	m.do("PATCH", ioc, object{"enabled": false, "comment": "c"}).want(t, 200, `"enabled":false`)
	m.do("PATCH", ioc, object{"comment": "d"}).want(t, 200, `"comment":"d"`)
	m.do("PATCH", file, object{"enabled": false}).want(t, 200, `"enabled":false`)
	m.do("PATCH", file, object{"enabled": true, "content": yaraSample + "\n"}).want(t, 200, `"enabled":true`)
}

func TestBareRules(t *testing.T) {
	m := start(t, with(Knobs{BareRule: true}))
	for _, path := range []string{m.makeIOC("a.example"), m.makeFile(sigmas, m.sigma("s", sigmaSample)), m.makeFile(yaras, m.yara("y", yaraSample))} {
		for _, name := range []string{"source", "source_id"} {
			if _, shown := m.get(path).json[name]; shown {
				t.Errorf("%s shows its %s", path, name)
			}
		}
	}
}

func TestWhatAnUpdateLeavesOutStays(t *testing.T) {
	m := start(t, Options{})
	path := m.makeIOC("A.example", object{"description": " Long One ", "comment": "Long Two"})
	m.SetKnobs(func(k *Knobs) {
		*k = Knobs{TrimTexts: true, CutDescription: 1, CutComment: 1, FoldDescriptions: true, FoldValues: true}
	})
	m.do("PATCH", path, object{"enabled": false}).want(t, 200, `"value":"A.example"`).want(t, 200, `"description":" Long One ","comment":"Long Two"`)
}
