package harfanglab_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// only reads the one alert of a manager that holds a row.
func only(t testing.TB, raw string) alert.Alert {
	t.Helper()
	x := &index{rows: []*row{{raw: raw}}}
	var all []alert.Alert
	err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{}, func(rows []alert.Alert, bad []alert.Bad) error {
		for _, b := range bad {
			t.Errorf("unreadable: %v", b.Err)
		}
		all = append(all, rows...)
		return nil
	})
	if err != nil || len(all) != 1 {
		t.Fatalf("read %d alerts, %v, of %s", len(all), err, raw)
	}
	return all[0]
}

const (
	md5    = "0123456789abcdef0123456789abcdef"
	sha1   = "0123456789abcdef0123456789abcdef01234567"
	sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestAnAlertIsReadWhole(t *testing.T) {
	got := only(t, `{
		"id": "Zk3xPq0vB7mQ1tYwRa5c", "alert_unique_id": "b1d6f0aa-0d5e-4f3e-9d2c-6a1f6c1e0001", "alert_type": "ioc", "alert_subtype": "process", "status": "probable_false_positive",
		"level": "high", "level_int": 40, "maturity": "testing", "rule_id": "5c1b7d9e-1111-4222-8333-444455556666", "rule_name": "IOC file check",
		"msg": "File was found malicious by an IOC: url=http://a.test/?q=1 2", "rule_content": "hash,`+sha256+`,note",
		"tags": ["attack.execution", "attack.t1059.001"], "mitre_cells": ["persistence__t1547.001"], "references": ["https://cti.test/1"],
		"alert_time": "2026-03-02T08:15:30.482657Z", "@event_create_date": "2026-03-02T10:15:29.198243+02:00", "@timestamp": "2026-03-02T09:00:00Z", "last_update": "2026-03-02T08:16:00Z",
		"threat_key": 4257,
		"detection": {"file_path": "C:\\Users\\m\\tool.exe", "file_hashes": {"md5": "`+strings.ToUpper(md5)+`", "sha1": "`+sha1+`", "sha256": "`+sha256+`"}},
		"details_windows_filesystem_event": {"written_file_hashes": {"md5": "`+md5+`"}, "path": "C:\\out.bin"},
		"agent": {"agentid": "agent-1", "hostname": "WKS-042", "domainname": "EXAMPLE", "dnsdomainname": "corp.test", "ipaddress": "192.0.2.42", "ostype": "windows",
			"osproducttype": "Windows 11 Pro", "osversion": "10.0.22631", "version": "5.12.30", "additional_info": null},
		"process": {"process_name": "svc.exe", "image_name": "C:\\Windows\\svc.exe", "commandline": "svc.exe -k \"a b\"", "current_directory": "C:\\Windows", "pid": 4120, "username": "EXAMPLE\\m",
			"usersid": "S-1-5-21-1", "hashes": {"md5": null, "sha1": null, "sha256": "`+sha256+`"}, "parent_image": "C:\\p.exe", "parent_commandline": "p.exe", "create_time": "2022/03/15 07:24:54.438105",
			"ioc_matches": [{"source_id": "list-1", "type": "hash", "value": "`+sha256+`"}],
			"matched_rules": [{"namespace": "loader.yar", "rulename": "loader_strings", "source": "from_OpenCTI"}]},
		"driverload": {"ioc_matches": [{"source_id": "list-1", "type": "hash", "value": "`+sha256+`"}, {"source_id": "list-2", "type": "hash", "value": "x"}]},
		"eventlog": {"event_id": 4732, "ioc_matches": []},
		"a_member_of_tomorrow": {"x": [1, {"y": null}]}
	}`)
	want := alert.Alert{
		ID: "Zk3xPq0vB7mQ1tYwRa5c", UniqueID: "b1d6f0aa-0d5e-4f3e-9d2c-6a1f6c1e0001", Type: "ioc", Subtype: "process", Status: alert.ProbableFalsePositive, Level: "high", Maturity: "testing",
		RuleID: "5c1b7d9e-1111-4222-8333-444455556666", RuleName: "IOC file check", Message: "File was found malicious by an IOC: url=http://a.test/?q=1 2", RuleContent: "hash," + sha256 + ",note",
		Tags: []string{"attack.execution", "attack.t1059.001"}, MitreCells: []string{"persistence__t1547.001"}, References: []string{"https://cti.test/1"},
		Time: time.Date(2026, 3, 2, 8, 15, 30, 482657000, time.UTC), EventTime: time.Date(2026, 3, 2, 8, 15, 29, 198243000, time.UTC), LastUpdate: time.Date(2026, 3, 2, 8, 16, 0, 0, time.UTC),
		ThreatKey: "4257", Detected: alert.File{Path: `C:\Users\m\tool.exe`, MD5: md5, SHA1: sha1, SHA256: sha256}, Written: alert.File{Path: `C:\out.bin`, MD5: md5},
		Process: &alert.Process{
			Name: "svc.exe", Image: `C:\Windows\svc.exe`, CommandLine: `svc.exe -k "a b"`, WorkingDirectory: `C:\Windows`, PID: 4120, User: `EXAMPLE\m`, UserSID: "S-1-5-21-1",
			File: alert.File{Path: `C:\Windows\svc.exe`, SHA256: sha256}, ParentImage: `C:\p.exe`, ParentCommand: "p.exe",
		},
		Agent: alert.Agent{ID: "agent-1", Hostname: "WKS-042", Domain: "EXAMPLE", DNSDomain: "corp.test", Address: "192.0.2.42", OS: "windows", OSProduct: "Windows 11 Pro", OSVersion: "10.0.22631",
			Version: "5.12.30"},
		Matches: []alert.Match{{SourceID: "list-1", Type: "hash", Value: sha256}, {SourceID: "list-2", Type: "hash", Value: "x"}},
		YARA:    []alert.YARAMatch{{File: "loader.yar", Rule: "loader_strings", Source: "from_OpenCTI"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("alert (-want +got):\n%s", d)
	}
}

// The awkward forms of contract harfanglab-api 7.3 and 7.4: an alert is imported with what it has.
func TestAlertsInAwkwardForms(t *testing.T) {
	at := func(hour, minute, second, nano int) time.Time {
		return time.Date(2022, 3, 15, hour, minute, second, nano, time.UTC)
	}
	for _, tt := range []struct {
		name, members string
		want          alert.Alert // beside id and time
	}{
		{"nothing else", ``, alert.Alert{}},
		{"objects that are null", `"process": null, "detection": null, "agent": null, "driverload": null, "eventlog": null, "details_windows_filesystem_event": null`, alert.Alert{}},
		{"objects that are empty", `"process": {}, "detection": {}, "agent": {}, "driverload": {}, "eventlog": {}`, alert.Alert{}},
		{"objects that are none", `"process": "x", "detection": [1], "agent": 7, "driverload": true`, alert.Alert{}},
		{"a detection without hashes", `"detection": {"file_path": "C:\\x", "file_hashes": null}`, alert.Alert{Detected: alert.File{Path: `C:\x`}}},
		{"lists that are null", `"tags": null, "mitre_cells": null, "references": null, "process": {"ioc_matches": null, "matched_rules": null}`, alert.Alert{}},
		{"lists of odd things", `"tags": [null, "a", 5, {"x": 1}, ["y"], ""], "references": {"a": 1}`, alert.Alert{Tags: []string{"a", "5"}}},
		{"a text where a list is due", `"mitre_cells": "persistence__t1098"`, alert.Alert{MitreCells: []string{"persistence__t1098"}}},
		{"matches of odd things", `"process": {"ioc_matches": [null, "x", {"type": "url"}, {"value": "v"}]}, "eventlog": {"ioc_matches": {"value": "w"}}`,
			alert.Alert{Matches: []alert.Match{{Value: "v"}, {Value: "w"}}}},
		{"matched rules of odd things", `"process": {"matched_rules": [null, "x", {"namespace": "n"}, {"rulename": "r"}]}`, alert.Alert{YARA: []alert.YARAMatch{{Rule: "r"}}}},
		{"a rule that names itself", `"rule_name": "YARA binary check", "rule_id": "YARA binary check"`, alert.Alert{RuleID: "YARA binary check", RuleName: "YARA binary check"}},
		{"a type, a level and a status of tomorrow", `"alert_type": "quantum", "level": "dire", "status": "reopened"`, alert.Alert{Type: "quantum", Level: "dire", Status: "reopened"}},
		{"a threat as a number", `"threat_key": 4257`, alert.Alert{ThreatKey: "4257"}},
		{"a threat as digits", `"threat_key": "4257"`, alert.Alert{ThreatKey: "4257"}},
		{"a threat as UUID", `"threat_key": "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d"`, alert.Alert{ThreatKey: "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d"}},
		{"no threat", `"threat_key": null`, alert.Alert{}},
		{"hashes that are null", `"process": {"image_name": "C:\\x", "hashes": null}`, alert.Alert{Process: &alert.Process{Image: `C:\x`, File: alert.File{Path: `C:\x`}}}},
		{"hashes of the wrong length", `"process": {"hashes": {"md5": "` + sha1 + `", "sha1": "` + md5 + `", "sha256": "` + sha256[:63] + `g"}}`, alert.Alert{}},
		{"hashes that are no texts", `"detection": {"file_hashes": {"md5": 5, "sha1": {}, "sha256": []}}`, alert.Alert{}},
		{"a URL that was requested", `"details_url_request": {"url": "http://c2.test/a", "host": "c2.test"}`,
			alert.Alert{Network: []reconcile.Value{{Type: "url", Value: "http://c2.test/a"}, {Type: "domain_name", Value: "c2.test"}}}},
		{"a name that was resolved", `"details_dns_resolution": {"requested_name": "C2.test", "ip_addresses": ["203.0.113.7", null, ["x"]], "status": "success"}`,
			alert.Alert{Network: []reconcile.Value{{Type: "domain_name", Value: "C2.test"}, {Type: "ip_dst", Value: "203.0.113.7"}}}},
		{"a connection to the outside", `"details_network": {"saddr": "10.0.0.1", "daddr": "203.0.113.7", "direction": "Out"}`, alert.Alert{Network: []reconcile.Value{{Type: "ip_dst", Value: "203.0.113.7"}}}},
		{"a connection from the outside", `"details_network_event": {"saddr": "203.0.113.7", "daddr": "10.0.0.1", "direction": "in"}`, alert.Alert{Network: []reconcile.Value{{Type: "ip_src", Value: "203.0.113.7"}}}},
		{"a connection of whatever direction", `"details_network": {"saddr": "192.0.2.1", "daddr": "203.0.113.7"}, "agent": {"ipaddress": "192.0.2.1"}`,
			alert.Alert{Network: []reconcile.Value{{Type: "ip_dst", Value: "203.0.113.7"}}, Agent: alert.Agent{Address: "192.0.2.1"}}},
		{"a file that was written, as captured", `"details_windows_filesystem_event": {"target_filename": "C:\\out.bin", "written_file_hashes": {"md5": "` + md5 + `"}}`,
			alert.Alert{Written: alert.File{Path: `C:\out.bin`, MD5: md5}}},
		{"a file that was written, under names in capitals", `"Details_Windows_Filesystem_Event": {"TARGET_FILENAME": "C:\\out.bin"}`, alert.Alert{Written: alert.File{Path: `C:\out.bin`}}},
		{"a library", `"details_library": {"image_loaded": "C:\\x.dll", "hashes": {"md5": "` + md5 + `"}}`, alert.Alert{Files: []alert.File{{Path: `C:\x.dll`, MD5: md5}}}},
		{"a file that was opened", `"details_file": {"target_filename": "C:\\x.lnk"}`, alert.Alert{Files: []alert.File{{Path: `C:\x.lnk`}}}},
		{"a registry key", `"details_registry": {"target_object": "HKLM\\Run\\x", "event_type": "SetValue"}`, alert.Alert{Registry: []string{`HKLM\Run\x`}}},
		{"a driver", `"driverload": {"imagepath": "C:\\x.sys", "hashes": {"sha256": "` + sha256 + `"}}, "image_name": "c:\\X.sys"`, alert.Alert{Files: []alert.File{{Path: `C:\x.sys`, SHA256: sha256}}}},
		{"details that are none", `"details_url_request": "x", "details_dns_resolution": [1], "details_network": null, "details_file": {"target_filename": {}}, "details_registry": {"target_object": []}`, alert.Alert{}},
		{"a part that nobody knows", `"details_pipe": {"url": "http://c2.test", "ioc_matches": [{"value": "v"}]}`, alert.Alert{Network: []reconcile.Value{{Type: "url", Value: "http://c2.test"}}, Matches: []alert.Match{{Value: "v"}}}},
		{"a process at the top", `"image_name": "C:\\x.exe", "username": "E\\m", "pid": "41", "commandline": "x.exe /run"`,
			alert.Alert{Process: &alert.Process{Image: `C:\x.exe`, User: `E\m`, PID: 41, CommandLine: "x.exe /run", File: alert.File{Path: `C:\x.exe`}}}},
		{"a process beside the top", `"process": {"image_name": "C:\\x.exe"}, "username": "E\\m"`, alert.Alert{Process: &alert.Process{Image: `C:\x.exe`, File: alert.File{Path: `C:\x.exe`}}}},
		{"a correlation", `"correlation": {"events": [{"rule_id": "r1", "rule_name": "one"}, "x", {"rule_id": "r2", "details_url_request": {"url": "http://c2.test"}}]}`,
			alert.Alert{Correlated: []alert.Rule{{ID: "r1", Name: "one"}, {ID: "r2"}}, Network: []reconcile.Value{{Type: "url", Value: "http://c2.test"}}}},
		{"a pid as text", `"process": {"pid": " 41 "}`, alert.Alert{Process: &alert.Process{PID: 41}}},
		{"a pid that is none", `"process": {"pid": "many"}`, alert.Alert{}},
		{"an event without a time", `"@event_create_date": null, "detection_date": "2022-03-15T07:24:54.482657123+00:00"`, alert.Alert{EventTime: at(7, 24, 54, 482657123)}},
		{"an event with slashes", `"@event_create_date": "2022/03/15 07:24:54.438105"`, alert.Alert{EventTime: at(7, 24, 54, 438105000)}},
		{"an event without a zone", `"@event_create_date": "2022-03-15T07:24:54.1"`, alert.Alert{EventTime: at(7, 24, 54, 100000000)}},
		{"an event in a bare zone", `"@event_create_date": "2022-03-15T07:24:54.000-0500"`, alert.Alert{EventTime: at(12, 24, 54, 0)}},
		{"times that are none", `"@event_create_date": "soon", "detection_date": 5, "last_update": {}`, alert.Alert{}},
	} {
		if tt.members != "" {
			tt.members = ", " + tt.members
		}
		tt.want.ID, tt.want.Time = "17", noon
		if d := cmp.Diff(tt.want, only(t, `{"id": 17, "alert_time": "2026-03-02T12:00:00+00:00"`+tt.members+`}`)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestAlertTimesInEverySpelling(t *testing.T) {
	for _, text := range []string{
		"2026-03-02T12:00:00Z", "2026-03-02T12:00:00.000000000Z", "2026-03-02T12:00:00+00:00", "2026-03-02T14:00:00.0+02:00", "2026-03-02T07:00:00-05:00", " 2026-03-02T12:00:00Z ",
		"2026/03/02 12:00:00", "2026-03-02 12:00:00", "2026-03-02T12:00:00",
	} {
		if a := only(t, fmt.Sprintf(`{"id": "a", "alert_time": %q}`, text)); !a.Time.Equal(noon) || a.Time.Location() != time.UTC {
			t.Errorf("%q is %v", text, a.Time)
		}
	}
	for n := 1; n <= 9; n++ {
		fraction := "123456789"[:n]
		want, err := time.ParseDuration("0." + fraction + "s")
		if err != nil {
			t.Fatal(err)
		}
		if a := only(t, `{"id": "a", "alert_time": "2026-03-02T12:00:00.`+fraction+`Z"}`); a.Time.Sub(noon) != want {
			t.Errorf("%d digits: %v after noon, want %v", n, a.Time.Sub(noon), want)
		}
	}
}

// Whatever a row holds: no panic, no failed page, and either an alert or a word about it.
func FuzzAlertRow(f *testing.F) {
	for _, seed := range []string{
		"null", "{}", "[]", `"x"`, "5", `{"id": 1, "alert_time": "2026-03-02T12:00:00Z"}`, `{"id": "a", "alert_time": "x"}`, `{"id": "a", "alert_time": "2026-03-02T12:00:00Z", "process": {"pid": -1, "hashes": []}}`,
		`{"id": "a", "alert_time": "2026-03-02T12:00:00Z", "tags": [[[]]], "agent": {"hostname": "\u0000\ud800"}, "detection": {"file_hashes": {"md5": "` + md5 + `"}}}`,
		`{"id": "a", "ID": {}, "alert_time": "0000-01-01T00:00:00Z", "last_update": "9999-12-31T23:59:59.999999999+14:00"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) {
			return
		}
		x := &index{rows: []*row{{id: "before", at: noon}, {raw: raw}, {id: "behind", at: noon}}}
		var all []alert.Alert
		bad := 0
		err := x.serve(t).Alerts(t.Context(), pull.AlertQuery{}, func(rows []alert.Alert, b []alert.Bad) error {
			all = append(all, rows...)
			for _, one := range b {
				if bad++; one.Err == nil || strings.ContainsAny(one.Err.Error(), "\n\x1b") {
					t.Errorf("unreadable: %q", one.Err)
				}
			}
			return nil
		})
		if err != nil {
			// Only a row that takes the id of another one makes fewer of them.
			if !strings.Contains(err.Error(), "2 different rows came") {
				t.Fatal(err)
			}
			return
		}
		ids := map[string]bool{}
		for _, a := range all {
			ids[a.ID] = true
			if a.ID == "" || a.Time.Location() != time.UTC {
				t.Errorf("alert %+v", a)
			}
			for _, file := range []alert.File{a.Detected, a.Written} {
				if n := len(file.MD5); n != 0 && n != 32 || strings.ToLower(file.SHA256) != file.SHA256 {
					t.Errorf("file %+v", file)
				}
			}
		}
		if !ids["before"] || !ids["behind"] || len(all)+bad < 3 {
			t.Errorf("of %q came %d alerts, %d unreadable ones", raw, len(all), bad)
		}
	})
}
