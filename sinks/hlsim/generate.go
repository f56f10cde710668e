package hlsim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Spec says what Generate makes.
type Spec struct {
	Seed     uint64         `json:"seed"`               // the same seed, rules and times give the same documents, and so the same ids
	Count    int            `json:"count"`              // of alerts; 0 is one of each shape
	Shapes   []string       `json:"shapes,omitempty"`   // the names of those that are made by turns; all when empty
	From     time.Time      `json:"from,omitzero"`      // the alert_times are spread from here; a day before To when zero
	To       time.Time      `json:"to,omitzero"`        // up to here; now when zero
	Hosts    int            `json:"hosts,omitempty"`    // on so many endpoints; 0 is 10
	Known    bool           `json:"known,omitempty"`    // IOC alerts are of rules that are held, of the right type, while there are any
	Spelling *AlertSpelling `json:"spelling,omitempty"` // how all of them are spelled; nil mixes every way
	Plain    bool           `json:"plain,omitempty"`    // new, in no threat, without what is odd about some
}

// Generate holds alerts of every shape, without regard to whether their rules are there; they count in
// none. It gives their ids, in the order of their alert_time. Nothing is held after an error: a shape
// that does not exist, times the wrong way round. An alert with an id that is taken, as after the same
// spec before, is an error too, and the others are held.
func (s *Sim) Generate(spec Spec) (ids []string, err error) {
	docs, err := s.Documents(spec)
	if err != nil {
		return nil, err
	}
	return s.LoadAlerts(docs)
}

// Documents are what Generate would hold. Nothing is held.
func (s *Sim) Documents(spec Spec) ([]json.RawMessage, error) {
	g, err := s.newGenerator(spec)
	if err != nil {
		return nil, err
	}
	docs := make([]json.RawMessage, 0, g.Count)
	for i := range g.Count {
		doc, err := encode(g.next(i))
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// generator makes one alert after the other.
type generator struct {
	Spec
	random
	order []shape
	known map[string][]Rule // of each type
	list  string            // id of the list that invented rules are in
	step  time.Duration
}

func (s *Sim) newGenerator(spec Spec) (*generator, error) {
	g := &generator{Spec: spec, random: newRandom(spec.Seed), order: shapes, known: map[string][]Rule{}}
	if len(spec.Shapes) > 0 {
		g.order = nil
	}
	for _, name := range spec.Shapes {
		i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no shape of an alert is called %q", name)
		}
		g.order = append(g.order, shapes[i])
	}
	if g.Count == 0 {
		g.Count = len(g.order)
	}
	if g.To.IsZero() {
		g.To = s.options.Now()
	}
	if g.From.IsZero() {
		g.From = g.To.Add(-24 * time.Hour)
	}
	if g.Hosts == 0 {
		g.Hosts = 10
	}
	if g.Count < 0 || g.Hosts < 0 || g.From.After(g.To) {
		return nil, errors.New("count and hosts are at least 0, and from is not after to")
	}
	g.step = g.To.Sub(g.From) / time.Duration(g.Count)
	g.list = g.uuid()
	if spec.Known {
		g.known = s.enabledIOCs(g.Count)
	}
	return g, nil
}

// enabledIOCs are the first most rules of each type that could fire.
func (s *Sim) enabledIOCs(most int) map[string][]Rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string][]Rule{}
	for _, src := range s.kinds[IOC].sources {
		src.rows.walk(0, func(r *row) bool {
			if src.Enabled && r.state != stateDisabled && len(out[r.typ]) < most {
				out[r.typ] = append(out[r.typ], r.rule())
			}
			return true
		})
	}
	return out
}

// next is the ith alert.
func (g *generator) next(i int) document {
	at := g.From.Add(time.Duration(i) * g.step)
	if g.step > 0 {
		at = at.Add(time.Duration(g.Int64N(int64(g.step))))
	}
	host := g.IntN(g.Hosts)
	seen := Sighting{At: at, Host: fmt.Sprintf("WKS-%03d", host+1), User: `EXAMPLE\` + g.one("alice", "bob", "mallory", "svc backup")}
	spelling := g.spelling()
	x := &generated{alertBuilder: newAlertBuilder(seen, g.random, spelling, at), g: g}
	d := g.order[i%len(g.order)].make(x, g.indexID())
	if !g.Plain {
		g.vary(x, d, host)
	}
	return d
}

func (g *generator) indexID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 20)
	for i := range b {
		b[i] = letters[g.IntN(len(letters))]
	}
	return string(b)
}

// form is how the next alert is spelled.
func (g *generator) spelling() AlertSpelling {
	if g.Spelling != nil {
		return *g.Spelling
	}
	return AlertSpelling{
		RuleIDs: g.one(RuleIDSame, RuleIDRandom), Matches: g.one(MatchesGiven, MatchesGiven, MatchesAbsent),
		Message:     g.one(MessageEquals, MessageEquals, MessageEquals, MessageColon, MessageBlank, MessageBare, MessageClose),
		RuleContent: g.one(ContentCSV, ContentBare, ContentSingle, ContentAbsent), YARA: g.one(YARA2023, YARA2021), Times: TimesMixed, Written: g.one(WrittenTarget, WrittenTarget, WrittenPath),
		Details: g.one(DetailsGiven, DetailsGiven, DetailsAbsent),
	}
}

// vary adds what alerts of any shape may have or lack.
func (g *generator) vary(x *generated, d document, host int) {
	if g.IntN(4) == 0 {
		status, moved := g.one("investigating", "false_positive", "closed", "probable_false_positive"), x.At.Add(time.Duration(1+g.IntN(3600))*time.Second)
		d["status"], d["last_update"] = status, seconds(moved)
		d["status_history"] = []any{
			document{"action": "created", "timestamp": x.time(0)},
			document{"action": "status_changed", "timestamp": seconds(moved), "status": status, "username": analyst.username},
		}
	}
	if g.IntN(6) == 0 {
		d["detection_date"] = nil
	}
	if g.IntN(8) == 0 {
		d["x_added_later"] = document{"of": []any{"no", 1, true, nil}}
	}
	if g.IntN(10) == 0 {
		delete(d, "groups")
	}
	number := 5000 + host
	switch g.IntN(5) {
	case 0: // in no threat
	case 1:
		d["threat_key"] = number
	case 2:
		d["threat_key"] = strconv.Itoa(number)
	default:
		d["threat_key"] = sameAs(fmt.Sprintf("threat %d %d", g.Seed, host))
	}
}

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
		x.spelling.YARA = YARA2021
		return x.yara(id, x.yaraRule(), "loader_strings", "from_OpenCTI")
	}},
	{"yara 2023", func(x *generated, id string) document {
		x.spelling.YARA = YARA2023
		return x.yara(id, x.yaraRule(), "loader_strings", "from_OpenCTI")
	}},
	{"ioc domain_name with its resolution", func(x *generated, id string) document {
		x.spelling.Details = DetailsGiven
		return x.ioc(id, x.rule("domain_name", "c2-"+x.hex(6)+".example.org"))
	}},
	{"ioc url with its request", func(x *generated, id string) document {
		x.spelling.Details = DetailsGiven
		return x.ioc(id, x.rule("url", "https://cdn.example.net/"+x.hex(6)))
	}},
	{"ioc ip_dst with its connection", func(x *generated, id string) document {
		x.spelling.Details = DetailsGiven
		return x.ioc(id, x.rule("ip_dst", x.address()))
	}},
	{"sigma library", func(x *generated, id string) document {
		x.spelling.Details = DetailsGiven
		return x.sigma(id, x.sigmaRule("category: image_load"))
	}},
	{"sigma registry", func(x *generated, id string) document {
		x.spelling.Details = DetailsGiven
		return x.sigma(id, x.sigmaRule("category: registry_set"))
	}},
	{"sigma file, process at the top", func(x *generated, id string) document {
		x.NoProcess, x.spelling.Details = true, DetailsGiven
		return x.sigma(id, x.sigmaRule("category: file_event")).add(document{
			"image_name": `C:\Windows\explorer.exe`, "username": x.User, "pid": strconv.Itoa(x.IntN(60_000)), "commandline": "explorer.exe"})
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

// random is the chance in what alerts are made of; the same seed falls the same way.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0x5eed))} }

// Read fills b, as uuid wants it.
func (d random) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return len(b), nil
}

func (d random) uuid() string { return uuid.Must(uuid.NewRandomFromReader(d)).String() }

// hex is a word of n hexadecimal digits.
func (d random) hex(n int) string {
	b := make([]byte, (n+1)/2)
	_, _ = d.Read(b)
	return hex.EncodeToString(b)[:n]
}

// one is one of some words.
func (d random) one(of ...string) string { return of[d.IntN(len(of))] }

// Hashes are those of one file; those that are not known are empty.
type Hashes struct {
	MD5    string `json:"md5,omitempty"`
	SHA1   string `json:"sha1,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// hashes are those of some file.
func (d random) hashes() Hashes { return Hashes{d.hex(32), d.hex(40), d.hex(64)} }

// hashesOf are those of a program, the same for the same path.
func hashesOf(path string) Hashes {
	sum := sha256.Sum256([]byte(path))
	return newRandom(binary.BigEndian.Uint64(sum[:])).hashes()
}

// with sets the hash that has the length of one, in lower case.
func (h Hashes) with(hash string) Hashes {
	switch hash = strings.ToLower(hash); len(hash) {
	case 32:
		h.MD5 = hash
	case 40:
		h.SHA1 = hash
	case 64:
		h.SHA256 = hash
	}
	return h
}

// document shows hashes; those that are not known are null.
func (h Hashes) document() document {
	return document{"md5": orNull(h.MD5), "sha1": orNull(h.SHA1), "sha256": orNull(h.SHA256)}
}

// sameAs gives ids that follow from a name, such as that of a host.
func sameAs(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("harfanglab:"+name)).String()
}

// spell is a moment as the manager writes it: with six digits of fraction, or with any number of them
// and either zone.
func (d random) spell(form string, t time.Time) string {
	if form == TimesMicro {
		return t.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	digits := d.IntN(10)
	layout := "2006-01-02T15:04:05"
	if digits > 0 {
		layout += "." + strings.Repeat("0", digits)
	}
	return t.UTC().Format(layout) + d.one("Z", "+00:00")
}
