package stix_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/sources/stix/stixtest"
)

// Whatever an alert holds, its bundle is sound and its facts are read back.
func TestAnyAlertIsImported(t *testing.T) {
	m := maker(t)
	text := rapid.OneOf(rapid.String(), rapid.StringMatching("[`\\\\/:a-z.=<>\\[\\]\\n \u202e-]{0,20}"), rapid.SampledFrom([]string{"", "WKS-042", `C:\x\y.exe`, "/a/b", "198.51.100.7", "c2.example", "x" + strings.Repeat("é", 600), toolMD5, toolSHA256}))
	when := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMicro(rapid.Int64Range(-1<<54, 1<<54).Draw(t, "time")) })
	rapid.Check(t, func(t *rapid.T) {
		s := func(name string) string { return text.Draw(t, name) }
		a := &alert.Alert{
			ID: s("id") + "1", Type: rapid.SampledFrom([]string{"ioc", "sigma", "yara", "driver", "x", ""}).Draw(t, "type"), Status: alert.Status(s("status")), Level: s("level"),
			RuleID: s("rule id"), RuleName: s("rule"), Message: rapid.SampledFrom([]string{"", "x: url=", "x: hash=", "x: ip_dst=", "x: domain_name=", "filepath="}).Draw(t, "engine") + s("message"),
			RuleContent: s("content"), Tags: []string{s("tag"), "attack.t1059"}, Time: when.Draw(t, "time"), EventTime: when.Draw(t, "event"), LastUpdate: when.Draw(t, "update"),
			ThreatKey: s("threat"), Detected: alert.File{Path: s("path"), SHA256: s("hash")}, Written: alert.File{Path: s("written")}, Agent: alert.Agent{ID: s("agent"), Hostname: s("host")},
			Process: &alert.Process{Image: s("image"), CommandLine: s("command"), User: s("user"), UserSID: s("sid"), WorkingDirectory: s("folder"), File: alert.File{MD5: s("md5")}},
			Files:   []alert.File{{Path: s("library"), SHA256: s("library's hash")}, {Path: s("driver"), MD5: s("driver's hash")}}, Registry: []string{s("key")},
			Network: []reconcile.Value{{Type: rapid.SampledFrom([]string{"url", "domain_name", "ip_src", "ip_dst", ""}).Draw(t, "far type"), Value: s("far")}, {Type: "ip_dst", Value: s("address")}},
			YARA:    []alert.YARAMatch{{Rule: s("matched rule"), File: s("file"), Source: s("list")}}, Correlated: []alert.Rule{{ID: s("correlated"), Name: s("title")}},
			Matches: []alert.Match{{Type: s("match"), Value: s("value")}, {Type: "filename", Value: s("name")}, {Type: "url", Value: s("url")}},
		}
		objects, err := m.Alert(a, []string{indicator}, none)
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := m.Bundle(objects)
		if err != nil {
			t.Fatal(err)
		}
		if err := stixtest.Check(bundle, onPlatform); err != nil {
			t.Fatalf("%v\n%s", err, bundle)
		}
		facts, ok := reader.Read(members(objects[0])["description"].(string))
		if !ok || facts.Endpoint != m.EndpointID(a) {
			t.Errorf("facts %+v, %v; want the endpoint %q", facts, ok, m.EndpointID(a))
		}
	})
}

func TestEveryStatusIsReadBack(t *testing.T) {
	m := maker(t)
	rapid.Check(t, func(t *rapid.T) {
		status := rapid.StringMatching("[a-z_`]{1,30}").Draw(t, "status")
		a := fileAlert()
		a.Status = alert.Status(status)
		a.Agent.Hostname = rapid.StringMatching("[A-Za-z0-9`._ -]{2,40}").Draw(t, "host")
		objects, err := m.Alert(a, nil, none)
		if err != nil {
			t.Fatal(err)
		}
		facts, ok := reader.Read(members(objects[0])["description"].(string))
		if want := (alert.Facts{Status: a.Status, Endpoint: m.EndpointID(a)}); !ok || facts != want {
			t.Errorf("%+v, %v; want %+v", facts, ok, want)
		}
	})
}
