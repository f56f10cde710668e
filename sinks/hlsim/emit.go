package hlsim

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
	if x.form.RuleIDs == RuleIDRandom {
		d["rule_id"] = x.uuid()
	}
	d["msg"] = e.text + x.form.found(r)
	if x.form.RuleContent != ContentAbsent {
		d["rule_content"] = x.form.line(r)
	}
	d.ofRule(r)
	if d["threat_type"], d["threat_values"] = "new", []string{}; e == fileEngine {
		x.sawFile(d, r)
	} else {
		x.sawNetwork(d, r)
	}
	if matches := []any{document{"source_id": r.SourceID, "type": r.Type, "value": r.Value}}; x.form.Matches == MatchesGiven {
		if p, ok := d["process"].(document); ok {
			p["ioc_matches"] = matches
		} else {
			d["eventlog"] = document{"event_id": 5156, "log_name": "Security", "source_name": "Microsoft-Windows-Security-Auditing", "ioc_matches": matches}
		}
	}
	return d
}

// found is what the msg says of the value.
func (f AlertForm) found(r Rule) string {
	switch f.Message {
	case MessageColon:
		return ": " + r.Type + ":" + r.Value
	case MessageBare:
		return ": " + r.Value
	}
	return ": " + r.Type + "=" + r.Value
}

// line is the rule_content of an IOC alert.
func (f AlertForm) line(r Rule) string {
	switch f.RuleContent {
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
		d["details_windows_filesystem_event"] = document{"operation": "write", "path": file, "written_file_hashes": hashes.document()}
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

// sawNetwork adds the program that made a connection.
func (x *alertBuilder) sawNetwork(d document, r Rule) {
	if r.Type == "url" {
		d["details_url_request"] = document{"url": r.Value}
	}
	if x.NoProcess {
		return
	}
	image := cmp.Or(x.Process, `C:\Program Files\Example Browser\browser.exe`)
	d["image_name"] = image
	d["process"] = x.program(image, hashesOf(image))
}

// sigmaHead is what an alert shows of a Sigma rule.
type sigmaHead struct {
	Description string    `yaml:"description"`
	Tags        []string  `yaml:"tags"`
	References  []string  `yaml:"references"`
	Source      sigmaFrom `yaml:"logsource"`
}

type sigmaFrom struct {
	Service string `yaml:"service"`
}

// sigma is the alert of a Sigma rule. One about a service's log comes without a process.
func (x *alertBuilder) sigma(id string, r Rule) document {
	var head sigmaHead
	_ = yaml.Unmarshal([]byte(r.Content), &head) // what of it fits counts
	d := x.base(id, "sigma", "process")
	d.ofRule(r)
	d.add(document{"rule_name": r.RuleName, "rule_id": r.RuleID, "msg": head.Description, "threat_type": "commandline", "threat_values": []string{}})
	if x.form.RuleContent != ContentAbsent {
		d["rule_content"] = r.Content
	}
	if len(head.Tags) > 0 {
		d["tags"], d["mitre_cells"] = head.Tags, techniqueCells(head.Tags)
	}
	if len(head.References) > 0 {
		d["references"] = head.References
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
	if x.form.YARA == YARA2021 {
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
