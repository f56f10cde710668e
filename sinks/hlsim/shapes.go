package hlsim

import (
	"fmt"
	"strings"
)

// shape is one way for an alert to look.
type shape struct {
	name string
	make func(x *generated, id string) document
}

// generated builds one generated alert.
type generated struct {
	*alertBuilder
	g *generator
}

// shapes are all of contract harfanglab-api 7.4 and 12.24. A rule that is invented is as good as one
// that was deleted since.
var shapes = []shape{
	{"ioc hash", func(x *generated, id string) document { return x.ioc(id, x.rule("hash", x.hex(64))) }},
	{"ioc hash sha1", func(x *generated, id string) document { return x.ioc(id, x.rule("hash", x.hex(40))) }},
	{"ioc hash upper case", func(x *generated, id string) document { return x.ioc(id, x.rule("hash", strings.ToUpper(x.hex(32)))) }},
	{"ioc hash by another program", func(x *generated, id string) document {
		x.Process, x.Path = `C:\Windows\explorer.exe`, `C:\Users\alice\Downloads\set up.exe`
		return x.ioc(id, x.rule("hash", x.hex(64)))
	}},
	{"ioc hash written", func(x *generated, id string) document {
		x.Written = true
		return x.ioc(id, x.rule("hash", x.hex(64)))
	}},
	{"ioc hash linux", func(x *generated, id string) document {
		x.Path = "/tmp/.x/a file"
		return x.ioc(id, x.rule("hash", x.hex(64)))
	}},
	{"ioc filename", func(x *generated, id string) document {
		return x.ioc(id, x.rule("filename", "invoice = "+x.hex(4)+" final.exe"))
	}},
	{"ioc filepath", func(x *generated, id string) document {
		return x.ioc(id, x.rule("filepath", `C:\Program Files\a=b\`+x.hex(4)+` v2\tool.exe`))
	}},
	{"ioc ip_src", func(x *generated, id string) document { return x.ioc(id, x.rule("ip_src", x.address())) }},
	{"ioc ip_dst", func(x *generated, id string) document { return x.ioc(id, x.rule("ip_dst", x.address())) }},
	{"ioc ip_both", func(x *generated, id string) document { return x.ioc(id, x.rule("ip_both", "2001:db8::"+x.hex(4)[1:])) }},
	{"ioc domain_name", func(x *generated, id string) document {
		return x.ioc(id, x.rule("domain_name", "c2-"+x.hex(6)+".example.org"))
	}},
	{"ioc url", func(x *generated, id string) document {
		return x.ioc(id, x.rule("url", "https://cdn.example.net:8443/get/"+x.hex(6)+"?id=7&next=http://x.example/?q=a b&url=z"))
	}},
	{"ioc multi-line message", func(x *generated, id string) document {
		d := x.ioc(id, x.rule("hash", x.hex(64)))
		d["msg"] = "Two engines agree: score=100.\n" + d["msg"].(string) + "\nSee the policy: it blocks."
		return d
	}},
	{"ioc without process", func(x *generated, id string) document {
		x.NoProcess = true
		return x.ioc(id, x.rule("domain_name", "c2-"+x.hex(6)+".example.org"))
	}},
	{"ioc null process", func(x *generated, id string) document {
		x.NoProcess = true
		return x.ioc(id, x.rule("hash", x.hex(64))).add(document{"process": nil})
	}},
	{"ioc null hashes", func(x *generated, id string) document {
		d := x.ioc(id, x.rule("url", "http://198.51.100.7/"+x.hex(6)))
		d["process"].(document)["hashes"] = nil
		return d
	}},
	{"ioc partly null hashes", func(x *generated, id string) document {
		x.Process = `C:\Windows\System32\svchost.exe`
		d := x.ioc(id, x.rule("filename", x.hex(8)+".dll"))
		d["process"].(document)["hashes"] = document{"md5": nil, "sha1": nil, "sha256": hashesOf(x.Process).SHA256}
		d["detection"] = document{}
		return d
	}},
	{"sigma process", func(x *generated, id string) document { return x.sigma(id, x.sigmaRule("category: process_creation")) }},
	{"sigma event log", func(x *generated, id string) document { return x.sigma(id, x.sigmaRule("service: security")) }},
	{"yara 2021", func(x *generated, id string) document {
		x.form.YARA = YARA2021
		return x.yara(id, x.yaraRule(), "loader_strings", "from_OpenCTI")
	}},
	{"yara 2023", func(x *generated, id string) document {
		x.form.YARA = YARA2023
		return x.yara(id, x.yaraRule(), "loader_strings", "from_OpenCTI")
	}},
	{"driver", (*generated).driver},
	{"hlai", func(x *generated, id string) document {
		return x.binary(id, "hlai", "HLAI", "Binary was found malicious by HLAI")
	}},
	{"vt", func(x *generated, id string) document {
		return x.binary(id, "vt", "VT", "Binary is known to be malicious")
	}},
	{"ransom", func(x *generated, id string) document {
		return x.binary(id, "ransom", "Ransomguard", "Ransomware behaviour: files=12")
	}},
	{"antivirus", (*generated).antivirus},
	{"self protection", (*generated).selfProtection},
	{"correlation", (*generated).correlation},
	{"unknown type", func(x *generated, id string) document {
		d := x.binary(id, "quantum", "Quantum engine", "Something = new:\n\tof a kind that nobody knows")
		return d.add(document{"alert_subtype": "qubit", "quantum": document{"state": []any{0, 1}}})
	}},
	{"unknown level", func(x *generated, id string) document {
		d := x.sigma(id, x.sigmaRule("category: process_creation"))
		return d.add(document{"level": "severe", "level_int": 60, "confidence": "certain", "confidence_int": 900, "maturity": "retired"})
	}},
}

// rule is one of a type that is held, or one that is made up.
func (x *generated) rule(typ, value string) Rule {
	if held := x.g.known[typ]; len(held) > 0 {
		return held[x.IntN(len(held))]
	}
	return Rule{
		ID: x.uuid(), SourceID: x.g.list, Type: typ, Value: value, HLStatus: "stable", RuleLevel: x.one("low", "medium", "high", "critical"),
		Comment: fmt.Sprintf(`{"indicator_id": "indicator--%s", "indicator_score": %d, "indicator_platforms": ["windows", "it's all"]}`, x.uuid(), 1+x.IntN(100)),
	}
}

func (x *generated) address() string { return fmt.Sprintf("203.0.113.%d", 1+x.IntN(254)) }

func (x *generated) sigmaRule(source string) Rule {
	id := sameAs("sigma " + source)
	return Rule{
		RuleID: id, RuleName: "Local admin group changed: S=1", HLStatus: "stable", RuleLevel: x.one("low", "medium", "high", "critical"),
		Content: "title: 'Local admin group changed: S=1'\nid: " + id + "\ndescription: |\n  A user was added: group=Administrators.\n  Look at who did it.\n" +
			"references:\n  - https://cti.example.org/r/42\ntags:\n  - attack.persistence\n  - attack.t1098\n  - attack.t1547.001\n" +
			"logsource:\n  product: windows\n  " + source + "\ndetection:\n  sel:\n    EventID: 4732\n  condition: sel\n",
	}
}

func (x *generated) yaraRule() Rule {
	return Rule{Name: "loader.yar", RuleNames: []string{"loader_strings"}, HLStatus: "stable", RuleLevel: "high"}
}

// driver is the alert of a driver on the block list; the rule is a list (contract harfanglab-api 7.4).
func (x *generated) driver(id string) document {
	r := x.rule("hash", x.hex(64))
	d := x.base(id, "driver", "driverload")
	d.ofRule(r)
	return d.add(document{
		"rule_name": "Vulnerable drivers", "rule_id": sameAs("list of drivers"), "msg": "driver hash=" + r.Value + " is blacklisted, not blocked",
		"threat_type": "driver_blocklist", "threat_values": []string{r.Value}, "image_name": `C:\Windows\System32\drivers\old one.sys`,
		"driverload": document{
			"imagename": "old one.sys", "imagepath": `C:\Windows\System32\drivers\old one.sys`, "hashes": Hashes{}.with(r.Value).document(), "signed": true,
			"ioc_matches": []any{document{"source_id": r.SourceID, "type": r.Type, "value": r.Value}},
		},
	})
}

// binary is an alert of an engine that judges programs.
func (x *generated) binary(id, typ, name, msg string) document {
	const image = `C:\Users\alice\AppData\Local\Temp\s e t u p.exe`
	d := x.base(id, typ, "process")
	d.grade("high", "weak", "stable")
	p := x.program(image, x.hashes())
	p["score"] = 93
	return d.add(document{"rule_name": name, "rule_id": name, "msg": msg, "image_name": image, "process": p, "threat_type": "new", "threat_values": []string{}})
}

func (x *generated) antivirus(id string) document {
	d := x.base(id, "hurukaiav", "antivirus")
	return d.add(document{
		"rule_name": "Antivirus detection", "rule_id": "av", "msg": "Threat detected: Gen:Variant=7", "threat_type": "av_signature", "threat_values": []string{"Gen:Variant"},
		"av_detection_details": document{"threat_name": "Gen:Variant", "file_path": `C:\Users\alice\a.exe`, "action": "none"},
	})
}

func (x *generated) selfProtection(id string) document {
	d := x.base(id, "selfprotection", "firewall_self_protection")
	return d.add(document{
		"rule_name": "Self protection", "rule_id": "selfprotection", "msg": "A firewall rule was removed", "threat_type": "agent_rule", "threat_values": []string{},
		"firewall_self_protection": document{"rule": "block agent", "action": "restored"},
	})
}

func (x *generated) correlation(id string) document {
	r := x.sigmaRule("service: security")
	d := x.base(id, "correlation", "correlation")
	return d.add(document{
		"rule_name": "Recon burst", "rule_id": sameAs("correlation"), "msg": "Several commands of reconnaissance\nwithin a minute",
		"tags": []string{"attack.discovery", "attack.t1087"}, "mitre_cells": []string{"discovery__t1087"},
		"correlation": document{"events": []any{document{"rule_id": r.RuleID, "rule_name": r.RuleName}, document{"rule_id": x.uuid(), "rule_name": "Another"}}},
	})
}
