package hlsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const sampleHash = "3b1f0a6a1d0c9b5e2f7d4c8a9e6b1d3c5f7a9b0c2d4e6f8091a2b3c4d5e6f708"

// armed is a manager with rules of every type, named by their comments or names.
func armed(t testing.TB, o Options) *manager {
	t.Helper()
	m := start(t, o)
	off, err := m.AddSource(IOC, "off")
	simtest.Fine(t, err)
	for _, r := range []Rule{
		{Type: "hash", Value: strings.ToUpper(sampleHash), Comment: "hash", RuleLevelOverride: "high"},
		{Type: "filename", Value: "a tool.exe", Comment: "filename"},
		{Type: "filepath", Value: `C:\a=b\a tool.exe`, Comment: "filepath"},
		{Type: "ip_src", Value: "198.51.100.7", Comment: "src"},
		{Type: "ip_dst", Value: "198.51.100.7", Comment: "dst"},
		{Type: "ip_both", Value: "198.51.100.0/24", Comment: "net"},
		{Type: "ip_both", Value: "2001:DB8::1", Comment: "six"},
		{Type: "domain_name", Value: "c2.example.org", Comment: "domain", HLStatus: "testing", GlobalState: "quarantine"},
		{Type: "url", Value: "https://c2.example.org/a?b=c d", Comment: "url"},
		{Type: "url", Value: "198.51.100.7", Comment: "bare"},
		{Type: "domain_name", Value: "off.example.org", Comment: "disabled", GlobalState: "disabled"},
		{Type: "domain_name", Value: "off.example.org", Comment: "of a disabled list", SourceID: off},
		{Type: "domain_name", Value: "back.example.org", Comment: "backend", GlobalState: "backend_alert"},
	} {
		r.Enabled = r.GlobalState != "disabled"
		m.makeRule(IOC, r)
	}
	if !m.DisableSource(IOC, off) || m.DisableSource(IOC, "none") {
		t.Fatal("the wrong list was disabled")
	}
	content := strings.Replace(sigmaSample, "status: test", "status: test\ndescription: |\n  Someone hides: a=b.\n  Look.\nreferences: ['https://cti.example.org/42']", 1)
	m.Add(Sigma, Rule{SourceID: m.list[Sigma], Name: "shown", Content: content, Enabled: true})
	m.Add(Sigma, Rule{SourceID: m.list[Sigma], Name: "log", Content: strings.Replace(titled(otherID), "category: process_creation", "service: security", 1), Enabled: true})
	m.Add(YARA, Rule{SourceID: m.list[YARA], Name: "loader.yar", Content: yaraSample + "rule second { condition: true }\n", Enabled: true})
	m.Add(YARA, Rule{SourceID: m.list[YARA], Name: "off.yar", Content: yaraSample})
	return m
}

// fired are the names of the rules whose alerts a sighting made, by what their rule_content says.
func (m *manager) fired(ids []string) string {
	m.t.Helper()
	var out []string
	for _, id := range ids {
		d := m.document(id)
		content, _ := d["rule_content"].(string)
		switch d["alert_type"] {
		case IOC:
			out = append(out, content[strings.LastIndex(content, ",")+1:])
		case Sigma:
			out = append(out, d["rule_id"].(string))
		default:
			out = append(out, d["rule_name"].(string))
		}
	}
	return strings.Join(out, ", ")
}

// saws makes so many alerts.
func (m *manager) saws(n int, seen Sighting) []string {
	m.t.Helper()
	ids, err := m.Saw(seen)
	if err != nil || len(ids) != n {
		m.t.Fatalf("%d alerts, %v, want %d", len(ids), err, n)
	}
	return ids
}

// saw makes one alert, and gives its id.
func (m *manager) saw(seen Sighting) string { m.t.Helper(); return m.saws(1, seen)[0] }

// document is the alert that the API shows.
func (m *manager) document(id string) object {
	m.t.Helper()
	return m.get(alertPath+id+"/details/").want(m.t, 200, "").json["alert"].(object)
}

// Contract harfanglab-api 12.29.
func TestSawFiresWhatFits(t *testing.T) {
	tests := []struct {
		name string
		seen Sighting
		want string
	}{
		{"a hash, without case", Sighting{Type: "hash", Value: sampleHash}, "hash"},
		{"a hash of no type", Sighting{Value: sampleHash}, "hash"},
		{"another hash", Sighting{Type: "hash", Value: sampleHash[1:] + "0"}, ""},
		{"a file name", Sighting{Value: "a tool.exe"}, "filename"},
		{"a file name in another case", Sighting{Value: "A tool.exe"}, ""},
		{"a path, not its name", Sighting{Value: `C:\a=b\a tool.exe`}, "filepath"},
		{"a source address", Sighting{Type: "ip_src", Value: "198.51.100.7"}, "src, net"},
		{"a target address", Sighting{Type: "ip_dst", Value: "198.51.100.7"}, "dst, net"},
		{"an address of either kind", Sighting{Type: "ip_both", Value: "198.51.100.7"}, "src, dst, net"},
		{"an address in a network", Sighting{Type: "ip_dst", Value: "198.51.100.200"}, "net"},
		{"an address of no type", Sighting{Value: "198.51.100.7"}, "src, dst, net, bare"},
		{"IPv4 within IPv6", Sighting{Type: "ip_src", Value: "::ffff:198.51.100.7"}, "src, net"},
		{"IPv6 in another spelling", Sighting{Type: "ip_src", Value: "2001:db8:0::1"}, "six"},
		{"an address that is a URL", Sighting{Type: "url", Value: "198.51.100.7"}, "bare"},
		{"an address next to it", Sighting{Value: "198.51.101.7"}, ""},
		{"no address", Sighting{Type: "ip_dst", Value: "198.51.100"}, ""},
		{"a network as such", Sighting{Type: "ip_dst", Value: "198.51.100.0/24"}, "net"},
		{"a domain", Sighting{Value: "c2.example.org"}, "domain"},
		{"a name below it", Sighting{Value: "a.c2.example.org"}, ""},
		{"a URL", Sighting{Type: "url", Value: "https://c2.example.org/a?b=c d"}, "url"},
		{"a part of it", Sighting{Type: "url", Value: "https://c2.example.org/a"}, ""},
		{"what is disabled", Sighting{Value: "off.example.org"}, ""},
		{"what only the backend judges", Sighting{Value: "back.example.org"}, "backend"},
		{"a value of another type", Sighting{Type: "filename", Value: "c2.example.org"}, ""},
		{"a Sigma rule by id", Sighting{Rule: strings.ToUpper(sigmaID)}, sigmaID},
		{"a Sigma rule by name", Sighting{Rule: "shown"}, sigmaID},
		{"Sigma rules by title", Sighting{Rule: "Encoded PowerShell", Type: Sigma}, sigmaID + ", " + otherID},
		{"a YARA rule", Sighting{Rule: "second"}, "YARA binary check: second"},
		{"a YARA file", Sighting{Rule: "loader.yar"}, "YARA binary check: loader"},
		{"a YARA rule that is in a disabled file too", Sighting{Rule: "loader", Type: YARA}, "YARA binary check: loader"},
		{"a YARA file that is disabled", Sighting{Rule: "off.yar"}, ""},
		{"a rule that is not there", Sighting{Rule: "none"}, ""},
		{"a Sigma rule as YARA", Sighting{Rule: "shown", Type: YARA}, ""},
	}
	m := armed(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids, err := m.Saw(tt.seen)
			if got := m.fired(ids); got != tt.want || err != nil {
				t.Errorf("fired %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	for _, seen := range []Sighting{{}, {Value: "a", Rule: "b"}, {Type: "ip", Value: "a"}, {Type: "hash", Rule: "a"}} {
		if ids, err := m.Saw(seen); err == nil || len(ids) > 0 {
			t.Errorf("%+v made %d alerts", seen, len(ids))
		}
	}
}

// Rules that go, or are disabled by whatever way, fire no more; those that come back do.
func TestSawFollowsTheRules(t *testing.T) {
	m := start(t, Options{})
	path := m.makeIOC("c2.example.org", object{"hl_status": "testing"})
	seen := Sighting{Type: "domain_name", Value: "c2.example.org"}
	m.saws(1, seen) // made
	m.do("PATCH", path, object{"enabled": false}).want(t, 200, "")
	m.saws(0, seen) // disabled
	m.do("PATCH", path, object{"global_state": "block"}).want(t, 200, "")
	m.saws(1, seen) // blocking
	m.get(path).want(t, 200, `"alert_count":2`).want(t, 200, `"test_maturity_current_count":2`)
	m.do("PATCH", path, object{"hl_status": "stable"}).want(t, 200, `"test_maturity_current_count":0`).want(t, 200, `"alert_count":2`)
	m.do("DELETE", path, nil).want(t, 204, "")
	m.saws(0, seen) // deleted
	m.get(alertPath+"?alert_type=ioc").want(t, 200, `"count":2`)
}

// Contract harfanglab-api 7.4: how an alert says what fired, in every form.
func TestAlertSpellings(t *testing.T) {
	comment := `{"indicator_id": "x", "n": 1}`
	tests := []struct {
		name  string
		knobs AlertKnobs
		want  object // of the members below
	}{
		{"plain", AlertKnobs{}, object{}},
		{"another rule_id", AlertKnobs{AlertSpelling: AlertSpelling{RuleIDs: RuleIDRandom}}, object{"rule_id": "another"}},
		{"without ioc_matches", AlertKnobs{AlertSpelling: AlertSpelling{Matches: MatchesAbsent}}, object{"ioc_matches": nil}},
		{"a colon", AlertKnobs{AlertSpelling: AlertSpelling{Message: MessageColon}}, object{"msg": "URL request was found malicious by an IOC: url:https://c2.example.org/a?b=c d,e"}},
		{"the value alone", AlertKnobs{AlertSpelling: AlertSpelling{Message: MessageBare}}, object{"msg": "URL request was found malicious by an IOC: https://c2.example.org/a?b=c d,e"}},
		{"a bare comment", AlertKnobs{AlertSpelling: AlertSpelling{RuleContent: ContentBare}}, object{"rule_content": "url,https://c2.example.org/a?b=c d,e," + comment}},
		{"a comment in single quotes", AlertKnobs{AlertSpelling: AlertSpelling{RuleContent: ContentSingle}}, object{"rule_content": "url,https://c2.example.org/a?b=c d,e,'" + comment + "'"}},
		{"no rule_content", AlertKnobs{AlertSpelling: AlertSpelling{RuleContent: ContentAbsent}}, object{"rule_content": nil}},
		{"a threat by number", AlertKnobs{ThreatIDs: IDsInt}, object{"threat_key": 4201.0}},
		{"a number as a text", AlertKnobs{ThreatIDs: IDsInt, ThreatKeys: KeysText}, object{"threat_key": "4201"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, with(Knobs{AlertKnobs: tt.knobs}))
			path := m.makeIOC("https://c2.example.org/a?b=c d,e", object{"type": "url", "comment": comment})
			id := m.saw(Sighting{Value: "https://c2.example.org/a?b=c d,e", At: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)})
			d := m.document(id)
			rule := strings.TrimSuffix(strings.TrimPrefix(path, iocs), "/")
			want := merge(object{
				"msg": "URL request was found malicious by an IOC: url=https://c2.example.org/a?b=c d,e", "rule_name": "IOC URL check", "rule_id": rule,
				"rule_content": `url,"https://c2.example.org/a?b=c d,e","{""indicator_id"": ""x"", ""n"": 1}"`, "last_update": nil, "threat_key": "a UUID",
				"ioc_matches": []any{object{"source_id": m.list[IOC], "type": "url", "value": "https://c2.example.org/a?b=c d,e"}},
				"alert_time":  "2026-03-02T08:00:00.000000Z", "maturity": "stable", "level": "medium", "level_int": 30.0,
			}, tt.want)
			got := object{"ioc_matches": d["process"].(object)["ioc_matches"]}
			for name := range want {
				if name != "ioc_matches" {
					got[name] = d[name]
				}
			}
			if id, _ := got["rule_id"].(string); id != rule {
				got["rule_id"] = "another"
			}
			if id, _ := got["threat_key"].(string); len(id) == 36 {
				got["threat_key"] = "a UUID"
			}
			simtest.Same(t, "alert", want, got)
		})
	}
}

func TestSightingsOfFiles(t *testing.T) {
	md5 := strings.Repeat("a", 32)
	file := object{"md5": md5, "sha1": nil, "sha256": sampleHash}
	tests := []struct {
		name      string
		seen      Sighting
		detection any
		written   any
		image     any
		own       bool // the process is the file
	}{
		{"the file ran", Sighting{Path: `D:\x y.exe`}, object{"file_path": `D:\x y.exe`, "file_hashes": file}, nil, `D:\x y.exe`, true},
		{"the program is the file", Sighting{Process: `D:\x y.exe`}, object{"file_path": `D:\x y.exe`, "file_hashes": file}, nil, `D:\x y.exe`, true},
		{"another program holds it", Sighting{Path: "/tmp/x", Process: "/bin/sh"}, object{"file_path": "/tmp/x", "file_hashes": file}, nil, "/bin/sh", false},
		{"another program wrote it", Sighting{Path: `D:\x`, Process: `C:\w.exe`, Written: true}, object{}, file, `C:\w.exe`, false},
		{"a service wrote it", Sighting{Written: true}, object{}, file, `C:\Windows\System32\svchost.exe`, false},
		{"no process", Sighting{NoProcess: true, Path: `D:\x`}, object{"file_path": `D:\x`, "file_hashes": file}, nil, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := armed(t, Options{})
			tt.seen.Value, tt.seen.Hashes.MD5, tt.seen.Host, tt.seen.User = sampleHash, md5, "WKS-9", `EXAMPLE\x`
			id := m.saw(tt.seen)
			d := m.document(id)
			event, _ := d["details_windows_filesystem_event"].(object)
			process, _ := d["process"].(object)
			hashes, _ := process["hashes"].(object)
			got := []any{d["detection"], event["written_file_hashes"], process["image_name"], hashes["sha256"] == sampleHash, d["level"]}
			simtest.Same(t, "detection, written, image, own, level", []any{tt.detection, tt.written, tt.image, tt.own, "high"}, got)
			if process != nil && (process["username"] != `EXAMPLE\x` || process["process_name"] == "") {
				t.Errorf("process %v", process)
			}
			agent := d["agent"].(object)
			if system := map[bool]string{true: "linux", false: "windows"}[strings.HasPrefix(tt.seen.Process, "/")]; agent["hostname"] != "WKS-9" || agent["ostype"] != system {
				t.Errorf("agent %v", agent)
			}
			matches, _ := process["ioc_matches"].([]any)
			if log, _ := d["eventlog"].(object); process == nil {
				matches, _ = log["ioc_matches"].([]any)
			}
			if len(matches) != 1 {
				t.Errorf("ioc_matches %v", matches)
			}
		})
	}
}

// What was seen stands in a part of its own, unless the manager is an older one.
func TestAlertsShowWhatWasSeen(t *testing.T) {
	sigma := func(category string) string {
		field := map[string]string{"library_event": "ImageLoaded", "registry_event": "TargetObject", "file_create": "TargetFilename"}[category]
		return "title: T\nid: " + newID() + "\nlogsource:\n  product: windows\n  category: " + category + "\ndetection:\n  sel:\n    " + cmp.Or(field, "Image") + ": x\n  condition: sel\n"
	}
	for part, tt := range map[string]struct {
		typ, value string // of an IOC
		category   string // of a Sigma rule
		seen       Sighting
		want       object // of its members
	}{
		"details_url_request":              {typ: "url", value: "https://c2.example.org:8443/a?b=c d", want: object{"url": "https://c2.example.org:8443/a?b=c d", "host": "c2.example.org"}},
		"details_dns_resolution":           {typ: "domain_name", value: "c2.example.org", want: object{"requested_name": "c2.example.org"}},
		"details_network":                  {typ: "ip_both", value: "198.51.100.0/24", seen: Sighting{Value: "198.51.100.7"}, want: object{"daddr": "198.51.100.7", "direction": "out"}},
		"details_network from":             {typ: "ip_src", value: "198.51.100.7", want: object{"saddr": "198.51.100.7", "direction": "in"}},
		"details_library":                  {category: "library_event", want: object{"image_loaded": `C:\Users\alice\AppData\Local\Temp\version.dll`}},
		"details_registry":                 {category: "registry_event", want: object{"target_object": `HKLM\Software\Microsoft\Windows\CurrentVersion\Run\x`}},
		"details_file":                     {category: "file_create", want: object{"target_filename": `C:\Users\alice\a b.lnk`}},
		"details_network of a rule":        {category: "network_connection", want: object{"daddr": "203.0.113.7"}},
		"details_dns_resolution of a rule": {category: "dns_query", want: object{"requested_name": "c2.example.org"}},
	} {
		t.Run(part, func(t *testing.T) {
			m := start(t, Options{})
			name, _, _ := strings.Cut(part, " ")
			if tt.category == "" {
				m.makeIOC(tt.value, object{"type": tt.typ})
				tt.seen.Value = cmp.Or(tt.seen.Value, tt.value)
			} else {
				m.makeRule(Sigma, Rule{Name: "shown", Content: sigma(tt.category), Enabled: true})
				tt.seen.Rule = "shown"
			}
			shown, _ := m.document(m.saw(tt.seen))[name].(object)
			got := object{}
			for member := range tt.want {
				got[member] = shown[member]
			}
			simtest.Same(t, "shown", tt.want, got)
			m.SetKnobs(func(k *Knobs) { k.Details = DetailsAbsent })
			if older, there := m.document(m.saw(tt.seen))[name]; there {
				t.Errorf("an older manager shows %v", older)
			}
		})
	}
}

func TestSightingsByRule(t *testing.T) {
	m := armed(t, Options{})
	only := func(seen Sighting, names ...string) object {
		t.Helper()
		id := m.saw(seen)
		d, out := m.document(id), object{}
		for _, name := range names {
			out[name] = d[name]
		}
		process, _ := d["process"].(object)
		out["matched"], out["process"] = process["matched_rules"], process != nil
		return out
	}
	content := map[string]string{}
	for _, r := range m.Rules(Sigma) {
		content[r.Name] = r.Content
	}
	want := object{
		"alert_type": "sigma", "rule_name": "Encoded PowerShell", "rule_id": sigmaID, "msg": "Someone hides: a=b.\nLook.\n", "rule_content": content["shown"], "level": "high",
		"tags": []any{"attack.execution", "attack.t1059.001"}, "mitre_cells": []any{"execution__t1059.001"}, "references": []any{"https://cti.example.org/42"}, "matched": nil, "process": true,
	}
	simtest.Same(t, "Sigma", want, only(Sighting{Rule: "shown"}, "alert_type", "rule_name", "rule_id", "msg", "rule_content", "level", "tags", "mitre_cells", "references"))
	simtest.Same(t, "Sigma of a log", object{"alert_subtype": "eventlog", "msg": "", "matched": nil, "process": false}, only(Sighting{Rule: "log"}, "alert_subtype", "msg"))
	m.SetKnobs(func(k *Knobs) { k.YARA = YARA2021 })
	want = object{
		"rule_name": "YARA binary check", "rule_id": "YARA binary check", "msg": "Binary was found malicious by 1 rule(s) with a score of 100", "process": true,
		"matched": []any{object{"namespace": "loader.yar", "rulename": "second", "source": "from_OpenCTI"}},
	}
	simtest.Same(t, "YARA of 2021", want, only(Sighting{Rule: "second"}, "rule_name", "rule_id", "msg"))
	if d := m.document(m.saw(Sighting{Value: "c2.example.org"})); d["quarantine"] != 1.0 || d["maturity"] != "testing" {
		t.Errorf("quarantine %v, maturity %v", d["quarantine"], d["maturity"])
	}
}

// Alerts of one host join its open threat.
func TestSawGroups(t *testing.T) {
	m := armed(t, Options{})
	saw := func(host string) string {
		t.Helper()
		id := m.saw(Sighting{Value: "c2.example.org", Host: host})
		return fmt.Sprint(m.document(id)["threat_key"])
	}
	a, b, again := saw("A"), saw("B"), saw("A")
	m.TriageThreat(a, "investigating", false)
	investigated := saw("A")
	m.TriageThreat(a, "closed", false)
	next, after := saw("A"), saw("A")
	switch {
	case a == b:
		t.Error("two hosts share a threat")
	case again != a || investigated != a:
		t.Error("an alert did not join an open threat")
	case next == a || next != after:
		t.Error("an alert joined a closed threat, or a new one each time")
	}
	for _, ids := range []string{IDsInt, IDsMixed} {
		m.SetKnobs(func(k *Knobs) { k.ThreatIDs, k.ThreatKeys = ids, KeysMixed })
		for i := range 12 {
			saw(fmt.Sprint("host", ids, i))
		}
	}
	numbers, texts, threats := 0, 0, m.Threats()
	for _, raw := range m.Alerts() {
		var d struct {
			Key json.RawMessage `json:"threat_key"`
		}
		simtest.Fine(t, json.Unmarshal(raw, &d))
		switch {
		case d.Key[0] != '"':
			numbers++
		case len(d.Key) < 38:
			texts++
		}
		if !slices.ContainsFunc(threats, func(x Threat) bool { return string(x.ID) == text(d.Key) }) {
			t.Errorf("no threat for %s", d.Key)
		}
	}
	if numbers == 0 || texts == 0 || numbers+texts < 18 || len(threats) != 27 {
		t.Errorf("%d numbers, %d texts of numbers, %d threats", numbers, texts, len(m.Threats()))
	}
}

// The same history gives the same alerts, but for what is random in the rules.
func TestSawIsTheSameEachTime(t *testing.T) {
	run := func() string {
		at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		s := New(Options{Now: func() time.Time { return at }, Knobs: Knobs{AlertKnobs: AlertKnobs{AlertSpelling: AlertSpelling{RuleIDs: RuleIDRandom, Matches: MatchesAbsent, Times: TimesMixed}}}})
		list, err := s.AddSource(IOC, "l")
		simtest.Fine(t, err)
		s.Add(IOC, Rule{SourceID: list, Type: "url", Value: "u", Enabled: true})
		for range 3 {
			if _, err := s.Saw(Sighting{Value: "u"}); err != nil {
				t.Fatal(err)
			}
		}
		all, err := json.Marshal(s.Alerts())
		simtest.Fine(t, err)
		return string(all)
	}
	simtest.Same(t, "alerts", run(), run())
}
