package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

const (
	shapeMD5    = "0cc175b9c0f1b6a831c399e269772661"
	shapeSHA1   = "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"
	shapeSHA256 = "3b1f0a6a1d0c9b5e2f7d4c8a9e6b1d3c5f7a9b0c2d4e6f8091a2b3c4d5e6f708"
	shapeSigma  = "7f3b1c52-9a0e-4c6d-8a3e-5d2f1b7c9e01"
)

// shapes are alerts as managers show them, each with the indicators that it sights and what else comes of it. The
// list's id stands for OURS.
var shapes = []struct {
	name, members string
	sights        string   // numbers of indicators
	shows         []string // observables, related to the incident
	says          []string // in the incident's description
}{
	{"domain by equals", `"msg": "DNS resolution was found malicious by an IOC: domain_name=c2.example"`, "1", []string{"domain-name c2.example"}, nil},
	{"domain by equals and blanks", `"msg": "malicious by an IOC: domain_name = C2.Example."`, "1", []string{"domain-name c2.example"}, nil},
	{"domain by colon", `"msg": "malicious by an IOC: domain_name: c2.example"`, "1", []string{"domain-name c2.example"}, nil},
	{"domain by colon without a blank", `"msg": "malicious by an IOC: domain_name:c2.example"`, "1", []string{"domain-name c2.example"}, nil},
	{"domain by a colon alone", `"msg": "malicious by an IOC: c2.example"`, "1", nil, []string{"Matched: `c2.example`"}},
	{"domain by a colon alone without a blank", `"msg": "malicious by an IOC:c2.example"`, "1", nil, nil},
	{"domain with its resolution", `"msg": "IOC: domain_name=c2.example", "details_dns_resolution": {"requested_name": "C2.example", "ip_addresses": ["203.0.113.9"]}`, "1", []string{"domain-name c2.example", "ipv4-addr 203.0.113.9"}, nil},
	{"domain in matches alone", `"process": {"ioc_matches": [{"source_id": "OURS", "type": "domain_name", "value": "c2.example"}]}`, "1", []string{"domain-name c2.example"}, nil},
	{"domain in matches of an event log", `"eventlog": {"ioc_matches": [{"source_id": "OURS", "type": "domain_name", "value": "c2.example"}]}`, "1", []string{"domain-name c2.example"}, nil},
	{"domain in matches at the top", `"ioc_matches": [{"source_id": "OURS", "type": "domain_name", "value": "c2.example"}]`, "1", []string{"domain-name c2.example"}, nil},
	{"domain in matches of details", `"details_dns_resolution": {"ioc_matches": {"source_id": "OURS", "type": "domain_name", "value": "c2.example"}}`, "1", []string{"domain-name c2.example"}, nil},
	{"domain in another list's matches", `"msg": "IOC: domain_name=c2.example", "process": {"ioc_matches": [{"source_id": "another", "type": "domain_name", "value": "c2.example"}]}`, "", []string{"domain-name c2.example"}, nil},
	{"domain in the rule's content", `"rule_content": "domain_name,c2.example,", "rule_name": "IOC DNS check"`, "1", []string{"domain-name c2.example"}, nil},
	{"domain of no rule of ours", `"msg": "IOC: domain_name=other.example"`, "", []string{"domain-name other.example"}, nil},
	{"URL", `"msg": "IOC: url=https://evil.example/a?x=1&b=2"`, "2", []string{"url https://evil.example/a?x=1&b=2"}, nil},
	{"URL by a colon alone", `"msg": "IOC: https://evil.example/a?x=1&b=2"`, "2", []string{"url https://evil.example/a?x=1&b=2"}, nil},
	{"URL with its request", `"msg": "IOC: url=https://evil.example/a?x=1&b=2", "details_url_request": {"url": "https://evil.example/a?x=1&b=2", "host": "evil.example"}`, "2", []string{"url https://evil.example/a?x=1&b=2", "domain-name evil.example"}, nil},
	{"URL request of a Sigma alert", `"alert_type": "sigma", "rule_id": "none", "rule_name": "Odd", "details_url_request": {"url": "http://near.example/x"}`, "", []string{"url http://near.example/x"}, []string{"Network: `http://near.example/x`"}},
	{"URL request in capitals", `"DETAILS_URL_REQUEST": {"URL": "http://near.example/y"}`, "", []string{"url http://near.example/y"}, nil},
	{"address to which", `"msg": "IOC: ip_dst=198.51.100.7"`, "3", []string{"ipv4-addr 198.51.100.7"}, nil},
	{"address from which", `"msg": "IOC: ip_src=198.51.100.7"`, "3", []string{"ipv4-addr 198.51.100.7"}, nil},
	{"address either way", `"msg": "IOC: ip_both=198.51.100.7"`, "3", []string{"ipv4-addr 198.51.100.7"}, nil},
	{"address by a colon alone", `"msg": "IOC:198.51.100.7"`, "3", []string{"ipv4-addr 198.51.100.7"}, nil},
	{"address within IPv6", `"msg": "IOC: ip_dst=::ffff:198.51.100.7"`, "3", []string{"ipv4-addr 198.51.100.7"}, nil},
	{"address in a sentence", `"msg": "IOC: ip_dst=198.51.100.7, seen twice"`, "3", []string{"ipv4-addr 198.51.100.7"}, nil},
	{"address in a network of ours", `"msg": "IOC: ip_dst=203.0.113.77"`, "4", []string{"ipv4-addr 203.0.113.77"}, nil},
	{"address in no network of ours", `"msg": "IOC: ip_dst=192.0.2.77"`, "", []string{"ipv4-addr 192.0.2.77"}, nil},
	{"network itself", `"msg": "IOC: ip_both=203.0.113.0/24"`, "4", []string{"ipv4-addr 203.0.113.0/24"}, nil},
	{"connection outwards", `"details_network": {"saddr": "10.1.1.1", "daddr": "198.51.100.9", "direction": "out"}`, "", []string{"ipv4-addr 198.51.100.9"}, nil},
	{"connection inwards", `"details_network": {"saddr": "198.51.100.10", "daddr": "10.1.1.1", "direction": "in"}`, "", []string{"ipv4-addr 198.51.100.10"}, nil},
	{"hash with its file", `"msg": "IOC: hash=` + shapeSHA256 + `", "detection": {"file_path": "C:\\x\\tool.exe", "file_hashes": {"md5": "` + shapeMD5 + `", "sha1": "` + shapeSHA1 + `", "sha256": "` + shapeSHA256 + `"}}`, "5", []string{"stixfile tool.exe"}, []string{"Matched file: `C:\\x\\tool.exe`"}},
	{"hash in capitals", `"msg": "IOC: HASH = ` + strings.ToUpper(shapeSHA256) + ` (SHA-256)"`, "5", nil, nil},
	{"hash by its algorithm", `"msg": "IOC: sha256=` + shapeSHA256 + `"`, "5", nil, nil},
	{"hash by a colon alone", `"msg": "IOC:` + shapeSHA256 + `"`, "5", nil, nil},
	{"hash in detection alone", `"detection": {"file_path": "C:\\x\\other.exe", "file_hashes": {"sha256": "` + shapeSHA256 + `"}}`, "5", nil, nil},
	{"hash of a written file", `"details_windows_filesystem_event": {"target_filename": "C:\\w\\written.exe", "written_file_hashes": {"sha256": "` + shapeSHA256 + `"}}`, "5", nil, []string{"Written file: `C:\\w\\written.exe`"}},
	{"hash that only the process has", `"msg": "IOC: filename=nothing.exe", "process": {"image_name": "C:\\x\\p.exe", "hashes": {"sha256": "` + shapeSHA256 + `"}}`, "", nil, nil},
	{"driver", `"alert_type": "driver", "msg": "driver hash=` + shapeSHA256 + ` is blacklisted, not blocked", "driverload": {"imagepath": "C:\\d\\old.sys", "hashes": {"sha256": "` + shapeSHA256 + `"}}`, "5", nil, []string{"Files: `C:\\d\\old.sys`"}},
	{"driver in matches", `"alert_type": "driver", "driverload": {"imagepath": "C:\\d\\old.sys", "ioc_matches": [{"source_id": "OURS", "type": "hash", "value": "` + shapeSHA256 + `"}]}`, "5", nil, nil},
	{"library", `"alert_type": "hlai", "details_library": {"image_loaded": "C:\\l\\lib.dll", "hashes": {"md5": "` + shapeMD5 + `"}}`, "", nil, []string{"Files: `C:\\l\\lib.dll`"}},
	{"opened file", `"alert_type": "ransom", "details_file": {"target_filename": "C:\\f\\report.docx"}`, "", []string{"stixfile report.docx"}, nil},
	{"registry", `"alert_type": "sigma", "details_registry": {"target_object": "HKLM\\Run\\x"}`, "", nil, []string{"Registry keys: `HKLM\\Run\\x`"}},
	{"file name with brackets and colons", `"msg": "IOC: filename=a b (1) [x]: y=z.exe"`, "6", nil, nil},
	{"file name by colon", `"msg": "IOC: filename: a b (1) [x]: y=z.exe"`, "6", nil, nil},
	{"file name by a colon alone", `"msg": "IOC: a b (1) [x]: y=z.exe"`, "6", nil, nil},
	{"file name in another case", `"msg": "IOC: filename=A B (1) [X]: Y=Z.EXE"`, "6", nil, nil},
	{"file name on a line of many", `"msg": "Two engines agree: score=3.\nIOC: filename=a b (1) [x]: y=z.exe\nSee the policy."`, "6", nil, nil},
	{"Sigma by its id", `"alert_type": "sigma", "rule_id": "` + shapeSigma + `", "rule_name": "Whoami", "tags": ["attack.discovery", "attack.t1033"]`, "7", nil, []string{"Rule: `Whoami`"}},
	{"Sigma by its name", `"alert_type": "sigma", "rule_name": "indicator 7"`, "7", nil, nil},
	{"Sigma by its title", `"alert_type": "sigma", "rule_name": "Whoami"`, "7", nil, nil},
	{"Sigma in another case of type", `"alert_type": "Sigma", "rule_id": "` + shapeSigma + `"`, "7", nil, nil},
	{"correlation over a rule of ours", `"alert_type": "correlation", "rule_name": "Burst", "correlation": {"events": [{"rule_id": "else", "rule_name": "Else"}, {"rule_id": "` + shapeSigma + `", "rule_name": "Whoami"}]}`, "7", nil, []string{"Matched rules: `Else`, `Whoami`"}},
	{"correlation of others", `"alert_type": "correlation", "rule_name": "Burst", "correlation": {"events": {"rule_id": "else"}}`, "", nil, nil},
	{"correlation of another shape", `"alert_type": "correlation", "rule_name": "Burst", "correlation": "x"`, "", nil, nil},
	{"YARA by its rule", `"alert_type": "yara", "rule_name": "YARA binary check: loader_strings"`, "8", nil, nil},
	{"YARA in matched rules", `"alert_type": "yara", "rule_name": "YARA binary check", "rule_id": "YARA binary check", "process": {"image_name": "C:\\x\\y.exe", "matched_rules": [{"namespace": "l.yar", "rulename": "loader_strings", "source": "from_OpenCTI"}]}`, "8", nil, nil},
	{"YARA of another list", `"alert_type": "yara", "rule_name": "YARA binary check", "process": {"matched_rules": [{"rulename": "their_rule", "source": "theirs"}]}`, "", nil, []string{"Matched rules: `their_rule`"}},
	{"process at the top", `"alert_type": "vt", "image_name": "C:\\t\\top.exe", "username": "EXAMPLE\\bob", "pid": "77", "commandline": "top.exe /x"`, "", []string{"stixfile top.exe", "process top.exe /x", "user-account EXAMPLE\\bob"}, []string{"User: `EXAMPLE\\bob`"}},
	{"process without hashes", `"process": {"image_name": "C:\\x\\nohash.exe", "hashes": null, "commandline": "nohash"}`, "", []string{"stixfile nohash.exe"}, nil},
	{"everything of another shape", `"process": [1], "detection": "x", "details_url_request": 5, "details_registry": [], "driverload": "y", "tags": {}, "msg": null`, "", nil, nil},
	{"a type and a level that nobody knows", `"alert_type": "quantum", "level": "dire", "msg": "Something: url=https://evil.example/a?x=1&b=2"`, "2", nil, []string{"not a known level"}},
	{"a host by its agent", `"msg": "IOC: domain_name=c2.example", "agent": {"agentid": "agent-7"}`, "1", nil, []string{"Endpoint: `agent-7`"}},
}

// Every shape gives its incident, what it shows and its sighting, once, however often and through whatever end of a
// run it is imported.
func TestAlertsAsManagersShowThem(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	for n, pattern := range []string{"[domain-name:value = 'c2.example']", "[url:value = 'https://evil.example/a?x=1&b=2']", "[ipv4-addr:value = '198.51.100.7']", "[ipv4-addr:value = '203.0.113.0/24']",
		"[file:hashes.'SHA-256' = '" + shapeSHA256 + "']", "[file:name = 'a b (1) [x]: y=z.exe']"} {
		w.stix(n+1, pattern)
	}
	w.put(7, "indicator 7", "sigma", "title: Whoami\nid: "+shapeSigma+"\nlogsource:\n  product: windows\n  category: process_creation\ndetection:\n  sel:\n    Image|endswith: \\whoami.exe\n  condition: sel\n", "")
	w.put(8, "indicator 8", "yara", "rule loader_strings { strings: $a = \"xyzzy-loader\" condition: $a }", "")
	w.pulls(t, "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all")
	list := w.rule(t, hlsim.IOC, "c2.example").SourceID
	want := map[string]int{} // sightings by indicator
	for i, s := range shapes {
		members := strings.ReplaceAll(s.members, "OURS", list)
		w.alertDoc(t, fmt.Sprintf(`{"id": "shape-%02d", "alert_time": %q, %s}`, i, time.Now().Add(-time.Hour+time.Duration(i)*time.Second).UTC().Format(time.RFC3339), members))
		if s.sights != "" {
			want[s.sights]++
		}
	}
	dir := t.TempDir()
	w.octi.HTTP.SetLatency(10 * time.Millisecond) // or all is there before the end
	killed := w.process(t, dir, new(bytes.Buffer), "pull")
	until(t, "the first incidents", func() bool { return len(w.octi.Incidents()) > 0 })
	_ = killed.Process.Kill()
	_ = killed.Wait()
	if n := len(w.octi.Incidents()); n == len(shapes) {
		t.Errorf("all of %d are there before the run that is to be killed is", n)
	}
	w.octi.HTTP.SetLatency(0)
	w.ends(t, 0, dir, "pull")
	w.ends(t, 0, dir, "pull")

	label := map[string]string{}
	for _, o := range w.octi.Indicators() {
		label[o.StandardID] = strings.TrimPrefix(o.Name, "indicator ")
	}
	for _, o := range w.octi.Observables() {
		label[o.StandardID] = strings.ToLower(o.EntityType) + " " + cmp.Or(o.Value, o.Name)
	}
	related := map[string][]string{} // what is related to an incident, by its id
	for _, r := range w.octi.Relations() {
		if l := label[r.From]; r.EntityType == "indicates" || r.EntityType == "related-to" {
			related[r.To] = append(related[r.To], l)
		}
	}
	incidents := w.octi.Incidents()
	if len(incidents) != len(shapes) {
		t.Fatalf("%d shapes gave %d incidents", len(shapes), len(incidents))
	}
	for _, o := range incidents {
		i, err := strconv.Atoi(strings.TrimPrefix(o.References[0].ExternalID, "shape-"))
		if err != nil || !strings.HasSuffix(o.References[0].URL, "/security-event/shape-"+fmt.Sprintf("%02d", i)+"/summary") {
			t.Fatalf("%s links to %+v", o.Name, o.References)
		}
		sighted := slices.DeleteFunc(slices.Clone(related[o.StandardID]), func(l string) bool { return len(l) != 1 })
		if got := strings.Join(sighted, " "); got != shapes[i].sights {
			t.Errorf("%s: sights %q, want %q", shapes[i].name, got, shapes[i].sights)
		}
		for _, l := range shapes[i].shows {
			if !slices.Contains(related[o.StandardID], l) {
				t.Errorf("%s: no %q among %q", shapes[i].name, l, related[o.StandardID])
			}
		}
		for _, l := range shapes[i].says {
			if !strings.Contains(o.Description, l) {
				t.Errorf("%s: no %q in\n%s", shapes[i].name, l, o.Description)
			}
		}
	}
	for _, s := range w.octi.Sightings() {
		want[label[s.From]] -= s.Count
		if len(s.References) == 0 || !strings.Contains(s.References[0].URL, "/security-event/shape-") {
			t.Errorf("the sighting of indicator %s links to %+v", label[s.From], s.References)
		}
	}
	for n, left := range want {
		if left != 0 {
			t.Errorf("%d alerts of indicator %s are in no sighting", left, n)
		}
	}
}
