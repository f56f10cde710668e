package hlsim

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"hash/fnv"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/sinks/hlsim/evaluate"
)

// Sighting is what an agent sees: a value, or something that a Sigma or YARA rule describes.
type Sighting struct {
	// Type is an IOC type, with Rule also sigma or yara. An address of ip_src or ip_dst is met by rules of
	// that type and of ip_both, one of ip_both by all three. Empty is any type that the value fits.
	Type  string `json:"type,omitempty"`
	Value string `json:"value,omitempty"`
	// Event is what happened, in HarfangLab's own terms: the Sigma rules fire that see it.
	Event *evaluate.Event `json:"event,omitempty"`
	Rule  string          `json:"rule,omitempty"` // id or name of a Sigma rule or a YARA file, title of the one, name of a rule in the other

	Host string    `json:"host,omitempty"` // WKS-001 when empty
	User string    `json:"user,omitempty"` // EXAMPLE\alice when empty
	At   time.Time `json:"at,omitzero"`    // alert_time; now when zero

	Process   string `json:"process,omitempty"`    // path of the program that is there; one that fits when empty
	NoProcess bool   `json:"no_process,omitempty"` // the alert has none
	Path      string `json:"path,omitempty"`       // of the file that is seen; one that fits when empty
	Hashes    Hashes `json:"hashes,omitzero"`      // of that file, beside the value
	Written   bool   `json:"written,omitempty"`    // the file was written by the process: detection is empty
}

// alertBuilder makes the documents of alerts about one sighting.
type alertBuilder struct {
	Sighting
	random
	spelling AlertSpelling
}

// newAlertBuilder fills what a sighting leaves open.
func newAlertBuilder(seen Sighting, d random, spelling AlertSpelling, now time.Time) *alertBuilder {
	if seen.Host == "" {
		seen.Host = "WKS-001"
	}
	if seen.User == "" {
		seen.User = `EXAMPLE\alice`
	}
	if seen.At.IsZero() {
		seen.At = now
	}
	return &alertBuilder{Sighting: seen, random: d, spelling: spelling}
}

func (x *alertBuilder) time(before time.Duration) string {
	return x.spell(x.spelling.Times, x.At.Add(-before))
}

var confidenceInt = map[string]int{"weak": 100, "moderate": 200, "strong": 300}

// base are the members that alerts of all types have (contract harfanglab-api 7.3).
func (x *alertBuilder) base(id, typ, subtype string) document {
	d := document{
		"id": id, "alert_unique_id": x.uuid(), "alert_type": typ, "alert_subtype": subtype,
		"status": "new", "status_history": []any{document{"action": "created", "timestamp": x.time(0)}},
		"alert_time": x.time(0), "@event_create_date": x.time(1284414 * time.Microsecond), "detection_date": x.time(1180 * time.Millisecond),
		"ingestion_date": x.time(300 * time.Millisecond), "@timestamp": x.time(290 * time.Millisecond), "detection_timestamp": x.time(1180 * time.Millisecond),
		"execution": 0, "quarantine": 4, "detection_origin": "agent", "detection": document{}, "agent": x.agent(),
		"groups":          []any{document{"id": sameAs("group Workstations"), "name": "Workstations"}},
		"aggregation_key": x.hex(64), "tags": []string{}, "mitre_cells": []string{}, "references": []string{},
		"tenant": "", "type": "rtlogs", "log_type": "alert", "@version": "1", "job_id": x.uuid(),
	}
	d.grade("medium", "moderate", "stable")
	return d
}

// grade sets level, confidence and maturity.
func (d document) grade(level, confidence, maturity string) {
	d["level"], d["confidence"], d["maturity"] = level, confidence, maturity
	if n, known := levelInt[level]; known {
		d["level_int"] = n
	}
	if n, known := confidenceInt[confidence]; known {
		d["confidence_int"] = n
	}
}

// add takes over members.
func (d document) add(more document) document {
	maps.Copy(d, more)
	return d
}

// linux says whether the endpoint is none of Windows: the paths tell.
func (x *alertBuilder) linux() bool {
	return strings.HasPrefix(x.Process, "/") || strings.HasPrefix(x.Path, "/")
}

func (x *alertBuilder) agentID() string { return sameAs("agent " + x.Host) }

// agent follows from the host's name.
func (x *alertBuilder) agent() document {
	n := number(x.Host)
	d := document{
		"agentid": x.agentID(), "hostname": x.Host, "domainname": "EXAMPLE", "dnsdomainname": "corp.example.org", "domain": nil,
		"ipaddress": "192.0.2." + strconv.Itoa(1+n%254), "ostype": "windows", "osproducttype": "Windows 11 Pro", "osversion": "10.0.22631",
		"producttype": "workstation", "distroid": nil, "version": "5.12.30", "additional_info": nil,
	}
	if x.linux() {
		d.add(document{"domainname": nil, "ostype": "linux", "osproducttype": "Debian GNU/Linux 12", "osversion": "6.1.0", "producttype": "server", "distroid": "debian"})
	}
	return d
}

// number is one below 10,000 that follows from a word.
func number(word string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(word)) // never fails
	return int(h.Sum32() % 10_000)
}

// baseName is the last part of a path of either kind.
func baseName(p string) string { return path.Base(strings.ReplaceAll(p, `\`, "/")) }

// folder is what is before it.
func folder(p string) string {
	if i := strings.LastIndexAny(p, `\/`); i >= 0 {
		return p[:i+1]
	}
	return ""
}

// program is the process of an alert, with the hashes of its image.
func (x *alertBuilder) program(image string, hashes Hashes) document {
	d := document{
		"process_name": baseName(image), "image_name": image, "commandline": `"` + image + `" /run`, "current_directory": folder(image),
		"pid": 1000 + x.IntN(60_000), "ppid": 800, "process_unique_id": x.uuid(), "parent_unique_id": x.uuid(),
		"username": x.User, "usersid": "S-1-5-21-1-2-3-" + strconv.Itoa(1000+number(x.User)), "integrity_level": "Medium",
		"hashes": hashes.document(), "size": 10_000 + x.IntN(9_000_000), "signed": true,
		"create_time":  x.At.UTC().Add(-time.Minute).Format("2006/01/02 15:04:05.000000"),
		"parent_image": `C:\Windows\explorer.exe`, "parent_commandline": `C:\Windows\explorer.exe`,
		"grandparent_image": `C:\Windows\System32\userinit.exe`, "grandparent_commandline": "userinit.exe",
		"session": 1, "logonid": 300_000 + x.IntN(100_000), "status": 0, "status_msg": "", "error_msg": "",
	}
	if x.linux() {
		d.add(document{"commandline": image + " --run", "usersid": strconv.Itoa(1000 + number(x.User)%1000), "integrity_level": "", "signed": false,
			"parent_image": "/usr/bin/bash", "parent_commandline": "-bash", "grandparent_image": "/usr/sbin/sshd", "grandparent_commandline": "sshd: alice"})
	}
	return d
}

// techniqueCells are the mitre_cells of tags: every tactic with every technique.
func techniqueCells(tags []string) []string {
	cells := []string{}
	for _, tactic := range tags {
		name, ok := strings.CutPrefix(tactic, "attack.")
		if !ok || technique.MatchString(name) {
			continue
		}
		for _, t := range tags {
			if id := technique.FindString(t); id != "" {
				cells = append(cells, strings.ReplaceAll(name, "-", "_")+"__"+strings.ToLower(id))
			}
		}
	}
	slices.Sort(cells)
	return cells
}

// engine is how the manager words what an IOC rule of some type found. Only the text about files was
// ever seen (contract harfanglab-api 7.4).
type engine struct{ label, text string }

var (
	fileEngine    = engine{"IOC file check", "File was found malicious by an IOC"}
	networkEngine = engine{"IOC network check", "Network connection was found malicious by an IOC"}
	dnsEngine     = engine{"IOC DNS check", "DNS resolution was found malicious by an IOC"}
	urlEngine     = engine{"IOC URL check", "URL request was found malicious by an IOC"}
)

func engineOf(typ string) engine {
	switch typ {
	case "ip_src", "ip_dst", "ip_both":
		return networkEngine
	case "domain_name":
		return dnsEngine
	case "url":
		return urlEngine
	}
	return fileEngine
}

// ioc is the alert of an IOC rule.
func (x *alertBuilder) ioc(id string, r Rule) document {
	e := engineOf(r.Type)
	d := x.base(id, "ioc", "process")
	d["rule_name"], d["rule_id"] = e.label, r.ID
	if x.spelling.RuleIDs == RuleIDRandom {
		d["rule_id"] = x.uuid()
	}
	d["msg"] = e.text + x.spelling.found(r)
	if x.spelling.RuleContent != ContentAbsent {
		d["rule_content"] = x.spelling.line(r)
	}
	d.ofRule(r)
	if d["threat_type"], d["threat_values"] = "new", []string{}; e == fileEngine {
		x.sawFile(d, r)
	} else {
		x.sawNetwork(d, r)
	}
	if matches := []any{document{"source_id": r.SourceID, "type": r.Type, "value": r.Value}}; x.spelling.Matches == MatchesGiven {
		if p, ok := d["process"].(document); ok {
			p["ioc_matches"] = matches
		} else {
			d["eventlog"] = document{"event_id": 5156, "log_name": "Security", "source_name": "Microsoft-Windows-Security-Auditing", "ioc_matches": matches}
		}
	}
	return d
}

// found is what the msg says of the value.
func (s AlertSpelling) found(r Rule) string {
	switch s.Message {
	case MessageColon:
		return ": " + r.Type + ":" + r.Value
	case MessageBlank:
		return ": " + r.Type + ": " + r.Value
	case MessageClose:
		return ":" + r.Value
	case MessageBare:
		return ": " + r.Value
	}
	return ": " + r.Type + "=" + r.Value
}

// written is what the path of a written file is called.
func (s AlertSpelling) written() string { return cmp.Or(s.Written, "target_filename") }

// line is the rule_content of an IOC alert.
func (s AlertSpelling) line(r Rule) string {
	switch s.RuleContent {
	case ContentBare:
		return r.Type + "," + r.Value + "," + r.Comment
	case ContentSingle:
		return r.Type + "," + r.Value + ",'" + r.Comment + "'"
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{r.Type, r.Value, r.Comment}) // into memory
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// ofRule takes over what an alert has of its rule.
func (d document) ofRule(r Rule) {
	d.grade(cmp.Or(r.RuleLevelOverride, r.RuleLevel, "medium"), cmp.Or(r.RuleConfidenceOverride, "moderate"), cmp.Or(r.HLStatus, "stable"))
	if r.GlobalState == stateQuarantine {
		d["quarantine"] = 1
	}
	if len(r.References) > 0 {
		d["references"] = r.References
	}
}

// sawFile puts the file of an IOC alert where the manager puts it: into detection, or, when it was
// written, into the event. The process may be another program.
func (x *alertBuilder) sawFile(d document, r Rule) {
	file := x.Path
	switch {
	case file != "":
	case r.Type == "filepath":
		file = r.Value
	case r.Type == "filename":
		file = `C:\Users\alice\Downloads\` + r.Value
	case x.Process != "" && !x.Written:
		file = x.Process
	default:
		file = `C:\Users\alice\Downloads\tool.exe`
	}
	hashes := x.Hashes
	if r.Type == "hash" {
		hashes = hashes.with(r.Value)
	}
	image := cmp.Or(x.Process, file)
	if x.Written {
		image = cmp.Or(x.Process, `C:\Windows\System32\svchost.exe`)
		d["details_windows_filesystem_event"] = document{"operation": "write", x.spelling.written(): file, "written_file_hashes": hashes.document()}
		d["image_name"] = image
	} else {
		d["detection"] = document{"file_path": file, "file_hashes": hashes.document()}
		d["image_name"] = file
	}
	if x.NoProcess {
		return
	}
	own := hashes
	if image != file {
		own = hashesOf(image)
	}
	d["process"] = x.program(image, own)
}

// sawNetwork adds a connection, a resolution or a request, and the program that made it.
func (x *alertBuilder) sawNetwork(d document, r Rule) {
	if x.spelling.Details != DetailsAbsent {
		d.add(x.network(r.Type, cmp.Or(x.Value, r.Value)))
	}
	if x.NoProcess {
		return
	}
	image := cmp.Or(x.Process, `C:\Program Files\Example Browser\browser.exe`)
	d["image_name"] = image
	d["process"] = x.program(image, hashesOf(image))
}

// network is the part of an alert that shows a value of a type of IOC.
func (x *alertBuilder) network(typ, value string) document {
	switch typ {
	case "url":
		part := document{"url": value}
		if u, err := url.Parse(value); err == nil && u.Hostname() != "" {
			part["host"] = u.Hostname()
		}
		return document{"details_url_request": part}
	case "domain_name":
		return document{"details_dns_resolution": document{"requested_name": value, "query_type": "A", "ip_addresses": []string{"203.0.113." + strconv.Itoa(1+number(value)%254)}, "status": "success"}}
	}
	address, _, _ := strings.Cut(value, "/") // of a network the first
	own := x.agent()["ipaddress"]
	if typ == "ip_src" {
		return document{"details_network": document{"saddr": address, "sport": 50_123, "daddr": own, "dport": 445, "direction": "in"}}
	}
	return document{"details_network": document{"saddr": own, "sport": 50_123, "daddr": address, "dport": 443, "direction": "out"}}
}

// event is the part of an alert that shows an event of a Sigma category; nil where none does.
func (x *alertBuilder) event(category string) document {
	field := func(name, otherwise string) string {
		if x.Event == nil {
			return otherwise
		}
		return cmp.Or(x.Event.Fields[name], otherwise)
	}
	switch category {
	case "library_event", "image_load":
		image := field("ImageLoaded", `C:\Users\alice\AppData\Local\Temp\version.dll`)
		return document{"details_library": document{"image_loaded": image, "hashes": hashesOf(image).document()}}
	case "registry_event", "registry_set":
		return document{"details_registry": document{"event_type": "SetValue", "target_object": field("TargetObject", `HKLM\Software\Microsoft\Windows\CurrentVersion\Run\x`)}}
	case "file_create", "file_read", "file_write", "file_remove", "filesystem_event", "file_event":
		return document{"details_file": document{"target_filename": field("TargetFilename", `C:\Users\alice\a b.lnk`)}}
	case "dns_query":
		return x.network("domain_name", field("QueryName", "c2.example.org"))
	case "network_connection":
		return x.network("ip_dst", field("DestinationIp", "203.0.113.7"))
	}
	return nil
}

// sigmaHead is what an alert shows of a Sigma rule.
type sigmaHead struct {
	Description string    `yaml:"description"`
	Tags        []string  `yaml:"tags"`
	References  []string  `yaml:"references"`
	Source      sigmaFrom `yaml:"logsource"`
}

type sigmaFrom struct {
	Category string `yaml:"category"`
	Service  string `yaml:"service"`
}

// sigma is the alert of a Sigma rule. One about a service's log comes without a process.
func (x *alertBuilder) sigma(id string, r Rule) document {
	var head sigmaHead
	_ = yaml.Unmarshal([]byte(r.Content), &head) // what of it fits counts
	d := x.base(id, "sigma", "process")
	d.ofRule(r)
	d.add(document{"rule_name": r.RuleName, "rule_id": r.RuleID, "msg": head.Description, "threat_type": "commandline", "threat_values": []string{}})
	if x.spelling.RuleContent != ContentAbsent {
		d["rule_content"] = r.Content
	}
	if len(head.Tags) > 0 {
		d["tags"], d["mitre_cells"] = head.Tags, techniqueCells(head.Tags)
	}
	if len(head.References) > 0 {
		d["references"] = head.References
	}
	if x.spelling.Details != DetailsAbsent {
		d.add(x.event(head.Source.Category))
	}
	if head.Source.Service != "" || x.NoProcess {
		d["alert_subtype"] = "eventlog"
		d["eventlog"] = document{"event_id": 4732, "log_name": "Security", "source_name": "Microsoft-Windows-Security-Auditing", "ioc_matches": []any{}}
		return d
	}
	image := cmp.Or(x.Process, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`)
	d["process"] = x.program(image, hashesOf(image))
	d["image_name"] = image
	return d
}

// yara is the alert of a rule in a YARA file that a list holds, in either form.
func (x *alertBuilder) yara(id string, r Rule, rule, list string) document {
	d := x.base(id, "yara", "process")
	d.ofRule(r)
	image := cmp.Or(x.Process, x.Path, `C:\Users\alice\Downloads\tool.exe`)
	hashes := cmp.Or(x.Hashes, hashesOf(image))
	p := x.program(image, hashes)
	d.add(document{"image_name": image, "threat_type": "new", "threat_values": []string{}, "detection": document{"file_path": image, "file_hashes": hashes.document()}})
	if x.spelling.YARA == YARA2021 {
		d["rule_name"], d["rule_id"] = "YARA binary check", "YARA binary check"
		d["msg"] = "Binary was found malicious by 1 rule(s) with a score of 100"
		p["matched_rules"] = []any{document{"namespace": r.Name, "rulename": rule, "source": list}}
		p["matched_rules_count"], p["score"] = 1, 100
	} else {
		d["rule_name"], d["rule_id"] = "YARA binary check: "+rule, x.uuid()
		d["msg"] = "Binary was found malicious by a YARA rule"
	}
	if !x.NoProcess {
		d["process"] = p
	}
	return d
}
