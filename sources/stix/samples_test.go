package stix_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/sources/stix"
	"github.com/harfangsync/harfangsync/sources/stix/stixtest"
)

const (
	ourList   = "5b0c2f0e-6f0b-4a53-9c77-0d3a3f6e1a11"
	ourInst   = "11111111-1111-4111-8111-111111111111"
	owner     = "b1d5a1f6-93b7-4a7c-9a53-0f6f0c1f2a01"
	indicator = "indicator--8d30e978-c6dd-5439-9ed0-bd61238915c3"
	other     = "indicator--4085ccb3-051d-5f93-9a2e-e75dfe732425"

	toolMD5     = "0cc175b9c0f1b6a831c399e269772661"
	toolSHA1    = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
	toolSHA256  = "3b1f0a6a1d0c9b5e2f7d4c8a9e6b1d3c5f7a9b0c2d4e6f8091a2b3c4d5e6f708"
	shellSHA256 = "9e6b1d3c5f7a9b0c2d4e6f8091a2b3c4d5e6f7083b1f0a6a1d0c9b5e2f7d4c8a"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

var workstation = alert.Agent{
	ID: "0f8f2f3a-7f57-4b44-9a0e-4b1f0a6a1d0c", Hostname: "WKS-042", Domain: "EXAMPLE", DNSDomain: "corp.example.org",
	Address: "192.0.2.42", OS: "windows", OSProduct: "Windows 11 Pro", OSVersion: "10.0.22631", Version: "5.12.30",
}

// fileAlert is an alert on a file that the shell was about to start.
func fileAlert() *alert.Alert {
	return &alert.Alert{
		ID: "kJx3fZcBv0mQ7tYwPa1c", UniqueID: "f2a7c1de-9a61-4c1b-8e57-0f4d2b6a7710", Type: "ioc", Subtype: "process",
		Status: alert.New, Level: "high", Maturity: "stable",
		RuleName: "IOC file check", RuleID: "2d1f6a54-40b5-4b0f-8a55-90a3f5f7c001",
		Message: "File was found malicious by an IOC: hash=" + toolSHA256,
		Time:    at("2026-03-02T08:15:30.482657Z"), EventTime: at("2026-03-02T08:15:29.198243Z"),
		Detected: alert.File{Path: `C:\Users\mallory\Downloads\tool.exe`, MD5: toolMD5, SHA1: toolSHA1, SHA256: toolSHA256},
		Agent:    workstation,
		Process: &alert.Process{
			Name: "explorer.exe", Image: `C:\Windows\explorer.exe`, CommandLine: `C:\Windows\explorer.exe`, WorkingDirectory: `C:\Windows\system32\`,
			PID: 4120, User: `EXAMPLE\mallory`, UserSID: "S-1-5-21-1-2-3-1105", File: alert.File{Path: `C:\Windows\explorer.exe`, SHA256: shellSHA256},
		},
		Matches:   []alert.Match{{SourceID: ourList, Type: "hash", Value: toolSHA256}},
		ThreatKey: "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d",
	}
}

// networkAlert is an IOC alert that shows nothing but what its message says.
func networkAlert(typ, value string) *alert.Alert {
	a := fileAlert()
	a.Subtype, a.RuleName, a.Message = "", "IOC network check", "Traffic was found malicious by an IOC: "+typ+"="+value
	a.Detected, a.Matches = alert.File{}, nil
	return a
}

// eventLogAlert is a Sigma alert without a process.
func eventLogAlert() *alert.Alert {
	return &alert.Alert{
		ID: "mNq8gZcBv0mQ7tYwQb2d", UniqueID: "0c9d7b1a-55aa-4a62-b7f0-93e1f5d2c6b8", Type: "sigma", Subtype: "eventlog",
		Status: alert.Investigating, Level: "medium", Maturity: "stable",
		RuleName: "Local admin group changed", RuleID: "4a0f0c9d-7b1a-4c55-9aa4-a62b7f093e1f",
		Message: "A user was added to the local administrators group.\n",
		Tags:    []string{"attack.persistence", "attack.t1098"}, MitreCells: []string{"persistence__t1098", "execution__t1059.001"},
		Time: at("2026-03-02T09:00:00.014Z"), EventTime: at("2026-03-02T09:00:00.014Z"), LastUpdate: at("2026-03-02T09:30:00Z"),
		Agent: alert.Agent{ID: workstation.ID, Hostname: "WKS-042", OS: "windows"}, ThreatKey: "4257",
	}
}

// forms are alerts of every form in contract harfanglab-api 7.4, and of some that nobody has seen yet.
func forms() map[string]*alert.Alert {
	yara := func(name string, matches ...alert.YARAMatch) *alert.Alert {
		a := fileAlert()
		a.Type, a.RuleName, a.RuleID, a.Message, a.Matches, a.YARA = "yara", name, name, "Binary was found malicious by 1 rule(s) with a score of 75", nil, matches
		return a
	}
	change := func(a *alert.Alert, f func(*alert.Alert)) *alert.Alert { f(a); return a }
	return map[string]*alert.Alert{
		"file by hash":          fileAlert(),
		"file by name":          networkAlert("filename", "tool.exe"),
		"file by path":          networkAlert("filepath", `C:\Program Files\x = y\tool: a.exe`),
		"source address":        networkAlert("ip_src", "198.51.100.7"),
		"destination address":   networkAlert("ip_dst", "2001:0DB8:0:0::1"),
		"address, either way":   networkAlert("ip_both", "::ffff:198.51.100.7"),
		"network":               networkAlert("ip_both", "203.0.113.0/24"),
		"domain":                networkAlert("domain_name", "C2.Example.org."),
		"URL":                   networkAlert("url", "https://evil.example/?a=1&b=<x>&hash=c"),
		"URL of a bare address": networkAlert("url", "198.51.100.7"),
		"an old manager":        change(fileAlert(), func(a *alert.Alert) { a.Message = "File was found malicious by an IOC:" + toolSHA256; a.Matches = nil }),
		"several matches": change(fileAlert(), func(a *alert.Alert) {
			a.Matches = append(a.Matches, alert.Match{SourceID: ourList, Type: "domain_name", Value: "c2.example.org"})
		}),
		"null hashes": change(fileAlert(), func(a *alert.Alert) { a.Detected = alert.File{}; a.Process.File = alert.File{} }),
		"a file that was written": change(fileAlert(), func(a *alert.Alert) {
			a.Written = alert.File{Path: `C:\Users\mallory\Downloads\tool.exe`, SHA256: toolSHA256}
			a.Detected = alert.File{}
		}),
		"event log": eventLogAlert(),
		"sigma with a process": change(eventLogAlert(), func(a *alert.Alert) {
			a.Subtype, a.Process = "process", fileAlert().Process
			a.Process.CommandLine = "powershell.exe -nop -enc SQBFAFgA ``x`` <b>"
		}),
		"yara of 2021": yara("YARA binary check", alert.YARAMatch{File: "loader.yar", Rule: "loader_strings", Source: "from_OpenCTI"}),
		"yara of 2023": yara("YARA binary check: loader_strings"),
		"driver": change(networkAlert("hash", toolSHA256), func(a *alert.Alert) {
			a.Type, a.Message, a.Process = "driver", "driver hash="+toolSHA256+" is blacklisted, not blocked", nil
		}),
		"correlation":     change(eventLogAlert(), func(a *alert.Alert) { a.Type, a.Subtype = "correlation", "correlation" }),
		"an unknown type": change(eventLogAlert(), func(a *alert.Alert) { a.Type, a.Level, a.Status = "quantum", "apocalyptic", "" }),
		"hardly anything": {UniqueID: "f2a7c1de-9a61-4c1b-8e57-0f4d2b6a7710", EventTime: at("2026-03-02T08:15:29Z")},
		"a Linux host": change(fileAlert(), func(a *alert.Alert) {
			a.Detected.Path = "/tmp/a\\b/x"
			a.Process.WorkingDirectory = "/"
			a.Agent.Hostname = "srv-db-01.corp.example"
		}),
		"a host by its id": change(fileAlert(), func(a *alert.Alert) { a.Agent.Hostname = "" }),
		"text that attacks": change(fileAlert(), func(a *alert.Alert) {
			a.RuleName, a.Agent.Hostname, a.Message = "`x`\n- Endpoint: `srv`", "`\u202eh`\x00", "[a](javascript:x)\r\nStatus: `closed`"
		}),
	}
}

func threat() *alert.Threat {
	return &alert.Threat{
		ID: "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d", Slug: "swift-otter-42", Status: alert.New, Level: "high",
		Created: at("2026-03-02T08:15:31Z"), FirstSeen: at("2026-03-02T08:15:00Z"), LastSeen: at("2026-03-02T09:00:00Z"), LastUpdate: at("2026-03-02T09:00:05Z"),
		Count: 2, Agents: []alert.Agent{{ID: workstation.ID, Hostname: "WKS-042", OS: "windows"}},
		Users: []alert.User{{Name: `EXAMPLE\mallory`, SID: "S-1-5-21-1-2-3-1105"}}, Rules: []string{"IOC file check", "Local admin group changed"},
		Note: &alert.Note{Title: "swift-otter-42", Content: "Triage: true positive", Created: at("2026-03-02T10:00:00Z")},
	}
}

func maker(t testing.TB) *stix.Maker {
	t.Helper()
	m, err := stix.New(stix.Options{Author: "Example EDR Bridge", Marking: "TLP:AMBER", Score: 60, Console: "https://edr.example:8443/"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// none is a platform that has no technique.
var none = alert.Known{Technique: func(string) bool { return false }}

// reader reads what any maker wrote.
var reader stix.Maker

// made is what an alert or threat became.
func made(t testing.TB) func(objects []alert.Object, err error) []alert.Object {
	return func(objects []alert.Object, err error) []alert.Object {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return objects
	}
}

// checked bundles objects and holds them to STIX; the platform has the indicators.
func checked(t testing.TB, m *stix.Maker, objects []alert.Object) string {
	t.Helper()
	text, err := m.Bundle(objects)
	if err != nil {
		t.Fatal(err)
	}
	if err := stixtest.Check(text, onPlatform); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return text
}

func onPlatform(id string) bool { return id == indicator || id == other }

// members are those of one object.
func members(o alert.Object) map[string]any {
	var out map[string]any
	if err := json.Unmarshal(o.JSON, &out); err != nil {
		panic(err)
	}
	return out
}

// ofType are the objects of one type.
func ofType(objects []alert.Object, typ string) []map[string]any {
	var out []map[string]any
	for _, o := range objects {
		if o.Type == typ {
			out = append(out, members(o))
		}
	}
	return out
}

// brief shows each object as its type and what it is about, sorted.
func brief(objects []alert.Object) []string {
	about := map[string]string{}
	for _, o := range objects {
		m := members(o)
		text := func(name string) string { s, _ := m[name].(string); return s }
		about[o.ID] = o.Type + " " + cmp.Or(text("value"), text("name"), text("path"), text("command_line"), text("account_login"))
		if h, ok := m["hashes"].(map[string]any); ok {
			for _, algorithm := range []string{"MD5", "SHA-1", "SHA-256"} {
				if h[algorithm] != nil {
					about[o.ID] += " " + algorithm
				}
			}
		}
	}
	var out []string
	for _, o := range objects {
		if o.Type != "relationship" {
			out = append(out, about[o.ID])
			continue
		}
		m := members(o)
		end := func(name string) string {
			id := m[name].(string)
			return cmp.Or(about[id], id)
		}
		out = append(out, end("source_ref")+" > "+m["relationship_type"].(string)+" > "+end("target_ref"))
	}
	slices.Sort(out)
	return out
}
