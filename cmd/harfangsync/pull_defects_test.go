package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// pulls is a world whose rules are in force and whose alerts are imported by pull.
func (w *chaosWorld) pulls(t testing.TB, settings ...string) {
	t.Helper()
	w.must(t, 0, "apply", "--auto-approve")
	w.env = append([]string{"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true"}, settings...)
}

func (w *chaosWorld) sees(t testing.TB, s hlsim.Sighting) (id string) {
	t.Helper()
	ids, err := w.hl.Saw(s)
	if err != nil || len(ids) != 1 {
		t.Fatalf("%+v: alerts %v, %v", s, ids, err)
	}
	return ids[0]
}

// resolved is a world whose one rule, of c2.example, an endpoint has met.
func (w *chaosWorld) resolved(t testing.TB, settings ...string) (alert string) {
	t.Helper()
	w.stix(1, domainPattern("c2.example"))
	w.pulls(t, settings...)
	return w.sees(t, hlsim.Sighting{Value: "c2.example"})
}

// alertDoc holds an alert as the manager lists it: members, which win over those that every alert has.
func (w *chaosWorld) alertDoc(t testing.TB, members string) {
	t.Helper()
	doc := map[string]any{"alert_type": "ioc", "status": "new", "level": "high", "maturity": "stable", "rule_name": "IOC file check", "alert_time": time.Now().UTC().Add(-time.Minute),
		"agent": map[string]string{"agentid": "a", "hostname": "WKS-042", "ostype": "windows"}}
	if err := json.Unmarshal([]byte(members), &doc); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.hl.LoadAlerts([]json.RawMessage{b}); err != nil {
		t.Fatal(err)
	}
}

// wantGraph requires lines that begin so, and that no line begins with what is marked with "!".
func (w *chaosWorld) wantGraph(t testing.TB, want ...string) {
	t.Helper()
	lines := graphOf(w.octi)
	for _, p := range want {
		begins, never := strings.CutPrefix(p, "!")
		if has := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, begins) }); has == never {
			t.Errorf("line %q there: %v, among\n%s", begins, has, strings.Join(lines, "\n"))
		}
	}
}

const (
	defectMD5    = "9e107d9d372bb6826bd81d3542a419d6"
	defectSHA256 = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
)

// Every defect of the importers that pull replaces, end to end.
func TestDefectsOfTheOldImporters(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *chaosWorld){
		"aborts on alerts of addresses, domains, URLs and file names": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[ipv4-addr:value = '198.51.100.7']")
			w.stix(2, "[domain-name:value = 'c2.example']")
			w.stix(3, "[url:value = 'https://evil.example/x']")
			w.stix(4, "[file:name = 'mallory.exe']")
			w.stix(5, "[network-traffic:src_ref.type = 'ipv4-addr' AND network-traffic:src_ref.value = '203.0.113.9']")
			w.pulls(t)
			for _, v := range []string{"198.51.100.7", "c2.example", "https://evil.example/x", "mallory.exe", "203.0.113.9"} {
				w.sees(t, hlsim.Sighting{Value: v, NoProcess: v == "c2.example"})
			}
			w.must(t, 0, "pull")
			for n := 1; n <= 5; n++ {
				w.wantGraph(t, fmt.Sprintf("sighting indicator indicator %d on system WKS-001: 1, positive", n))
			}
		},
		"aborts on missing hashes": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[file:hashes.MD5 = '"+defectMD5+"']")
			w.pulls(t)
			w.alertDoc(t, `{"id": "nohashesnohashesnoh1", "msg": "File was found malicious by an IOC: hash=`+defectMD5+`", "detection": {"file_path": "C:\\x\\tool.exe", "file_hashes": {"md5": null, "sha1": null}}, "process": {"image_name": "C:\\x\\run.exe", "hashes": null}}`)
			w.alertDoc(t, `{"id": "nohashesnohashesnoh2", "msg": "File was found malicious by an IOC: hash=`+defectMD5+`", "detection": null, "process": null, "agent": {"hostname": "WKS-043"}}`)
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-042: 1, positive", "sighting indicator indicator 1 on system WKS-043: 1, positive")
		},
		"watermark ahead of the push": func(t *testing.T, w *chaosWorld) {
			w.resolved(t)
			fails(t, w.octi.HTTP, simhttp.Fault{Body: "stixBundlePush", Do: simhttp.Answer, Status: 503})
			w.command(t.Context(), "pull")
			w.octi.HTTP.Heal()
			state, _ := w.octi.Connector(simConnectorID)
			if strings.Contains(state, `"alerts":"`) {
				t.Errorf("the cursor moved over an alert that was not pushed: %s", state)
			}
			// By the next run the alert is far behind others.
			w.sees(t, hlsim.Sighting{Value: "c2.example", Host: "WKS-002"})
			w.must(t, 0, "pull", "--retry-failed")
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-001: 1, positive", "sighting indicator indicator 1 on system WKS-002: 1, positive")
		},
		"state read once": func(t *testing.T, w *chaosWorld) {
			w.resolved(t)
			w.must(t, 0, "pull")
			w.octi.ResetConnector(simConnectorID)
			out := w.must(t, 0, "pull")
			if !strings.Contains(out, " 1 unchanged") {
				t.Errorf("after a reset nothing is read again: %s", out)
			}
			if state, _ := w.octi.Connector(simConnectorID); !strings.Contains(state, `"alerts":"`) {
				t.Errorf("and what was read is not remembered: %s", state)
			}
		},
		"invented patterns and detection on": func(t *testing.T, w *chaosWorld) {
			w.stix(1, domainPattern("c2.example"))
			w.pulls(t, "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all")
			if _, err := w.hl.Generate(hlsim.Spec{Seed: 5, Hosts: 3}); err != nil {
				t.Fatal(err)
			}
			before := w.octi.Indicators()
			w.must(t, 0, "pull")
			if w.octi.Held().Incidents == 0 {
				t.Fatal("nothing was imported")
			}
			if after := w.octi.Indicators(); len(after) != len(before) || !after[0].UpdatedAt.Equal(before[0].UpdatedAt) || after[0].Pattern != before[0].Pattern {
				t.Errorf("indicators before %+v\nafter %+v", before, after)
			}
			w.wantGraph(t, "!relation based-on")
			if out := w.must(t, 0, "plan"); !strings.Contains(out, "No changes.") {
				t.Errorf("what was imported is a wanted value: %s", out)
			}
		},
		"process hashes instead of the matched file's": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[file:hashes.MD5 = '"+defectMD5+"']")
			w.stix(2, "[file:hashes.'SHA-256' = '"+defectSHA256+"']")
			w.pulls(t)
			w.alertDoc(t, `{"id": "writtenwrittenwritt1", "msg": "File was found malicious by an IOC: hash=`+defectMD5+`", "detection": {"file_path": "C:\\x\\tool.exe", "file_hashes": {"md5": "`+defectMD5+`"}}, "process": {"image_name": "C:\\Windows\\svchost.exe", "hashes": {"sha256": "`+defectSHA256+`"}}}`)
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-042: 1, positive", "!sighting indicator indicator 2", "!relation indicates indicator indicator 2")
		},
		"what was seen came back as rules": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[file:hashes.MD5 = '"+defectMD5+"']")
			w.octi.Edit(chaosID(1), func(i *octisim.Indicator) {
				i.Observables = []octisim.Observable{{EntityType: "StixFile", Hashes: octisim.Hashes{{Algorithm: "MD5", Hash: defectMD5}}}}
			})
			w.pulls(t)
			w.alertDoc(t, `{"id": "knowsallhashesknows1", "msg": "File was found malicious by an IOC: hash=`+defectMD5+`", "detection": {"file_path": "C:\\x\\tool.exe",
				"file_hashes": {"md5": "`+defectMD5+`", "sha1": "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", "sha256": "`+defectSHA256+`"}}}`)
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-042: 1, positive")
			if out := w.must(t, 0, "plan"); !strings.Contains(out, "No changes.") {
				t.Error(out)
			}
		},
		"a case names the file that its indicator knows by another hash": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[file:hashes.'SHA-256' = '"+defectSHA256+"']")
			w.octi.Attach(chaosID(1), octisim.Observable{EntityType: "StixFile", Hashes: octisim.Hashes{{Algorithm: "SHA-256", Hash: defectSHA256}}})
			w.pulls(t, "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true")
			w.sees(t, hlsim.Sighting{Value: defectSHA256, Hashes: hlsim.Hashes{MD5: defectMD5, SHA256: defectSHA256}})
			w.must(t, 0, "pull")
			if out := w.must(t, 0, "plan"); !strings.Contains(out, "No changes.") {
				t.Error(out)
			}
			for _, o := range w.octi.Observables() {
				if len(o.Hashes) > 0 && o.Hashes[0].Hash == defectSHA256 && !slices.Contains(w.octi.Cases()[0].Objects, o.ID) && !slices.Contains(w.octi.Cases()[0].Objects, o.StandardID) {
					t.Errorf("case of %v, without %+v", w.octi.Cases()[0].Objects, o)
				}
			}
		},
		"first word of a Sigma title as a name": func(t *testing.T, w *chaosWorld) {
			w.put(1, "Suspicious logon from abroad", "sigma", fmt.Sprintf(chaosSigma, "Suspicious logon from abroad", chaosID(901), "one"), "")
			w.put(2, "Suspicious download by a shell", "sigma", fmt.Sprintf(chaosSigma, "Suspicious download by a shell", chaosID(902), "two"), "")
			w.pulls(t)
			w.alertDoc(t, `{"id": "sigmasigmasigmasigm1", "alert_type": "sigma", "rule_name": "Suspicious download by a shell", "msg": "words", "tags": ["attack.t1059.001"]}`)
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator Suspicious download by a shell on system WKS-042: 1, positive", "!sighting indicator Suspicious logon", "incident Suspicious download by a shell on WKS-042", "technique T1059.001")
		},
		"relation reversed": func(t *testing.T, w *chaosWorld) {
			w.resolved(t)
			w.must(t, 0, "pull")
			w.wantGraph(t, "relation indicates indicator indicator 1 -> incident ", "relation targets incident ", "relation related-to domain-name c2.example -> incident ",
				"!relation related-to incident", "!relation indicates incident")
		},
		"equals sign in URLs": func(t *testing.T, w *chaosWorld) {
			const u = "https://evil.example/a?x=1&y=hash=2"
			w.stix(1, "[url:value = '"+u+"']")
			for _, spelling := range []hlsim.AlertSpelling{{}, {RuleIDs: hlsim.RuleIDRandom}, {RuleIDs: hlsim.RuleIDRandom, Matches: hlsim.MatchesAbsent}, {RuleIDs: hlsim.RuleIDRandom, Matches: hlsim.MatchesAbsent, RuleContent: hlsim.ContentAbsent}} {
				w.hl.SetKnobs(func(k *hlsim.Knobs) { k.AlertSpelling = spelling })
				if w.hl.Count("ioc") == 0 {
					w.pulls(t)
				}
				w.sees(t, hlsim.Sighting{Value: u})
			}
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-001: 4, positive", "url "+u)
		},
		"HTTP errors as no data": func(t *testing.T, w *chaosWorld) {
			w.resolved(t)
			for _, f := range []simhttp.Fault{
				{Path: "/alert/Alert/", Do: simhttp.Answer, Status: 500},
				{Path: "/alert/Alert/", Do: simhttp.Answer, Status: 403},
				{Path: "/alert/Alert/", Do: simhttp.Answer, Status: 200, Payload: "<html>", Header: map[string]string{"Content-Type": "text/html"}},
				{Path: "/alert/Alert/", Do: simhttp.Answer, Status: 200, Payload: "null", Header: map[string]string{"Content-Type": "application/json"}},
				{Path: "/alert/Alert/", Do: simhttp.Truncate},
			} {
				fails(t, w.hl.HTTP, f)
				if out := w.must(t, exit.Side, "pull"); !strings.Contains(out, "HarfangLab: GET /api/data/alert/alert/Alert/") {
					t.Errorf("%s %d is not named: %s", f.Do, f.Status, out)
				}
				w.hl.HTTP.Heal()
				if state, _ := w.octi.Connector(simConnectorID); strings.Contains(state, `"alerts":"`) {
					t.Errorf("%s %d moved the cursor: %s", f.Do, f.Status, state)
				}
			}
			fails(t, w.octi.HTTP, simhttp.Fault{Body: "incidents", Do: simhttp.Answer, Status: 500})
			w.must(t, exit.Side, "pull")
			w.octi.HTTP.Heal()
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-001: 1, positive")
		},
		"only stable rules": func(t *testing.T, w *chaosWorld) {
			w.env = []string{"HARFANGLAB_RULE_MATURITY=testing"}
			w.stix(1, domainPattern("c2.example"))
			w.must(t, 0, "apply", "--auto-approve")
			w.pulls(t, "HARFANGLAB_RULE_MATURITY=testing")
			w.alertDoc(t, `{"id": "testingtestingtesti1", "maturity": "testing", "msg": "DNS resolution was found malicious by an IOC: domain_name=c2.example"}`)
			w.must(t, 0, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-042: 1, positive")
			for _, r := range w.hl.HTTP.Requests() {
				if q, err := url.ParseQuery(r.Query); err != nil || q.Has("maturity") {
					t.Errorf("%s?%s, %v", r.Path, r.Query, err)
				}
			}
		},
		"status never updated": func(t *testing.T, w *chaosWorld) {
			id := w.resolved(t)
			w.must(t, 0, "pull")
			for status, sign := range map[string]string{"false_positive": "negative", "investigating": "positive", "probable_false_positive": "negative", "closed": "positive"} {
				w.hl.Triage(id, status)
				w.must(t, 0, "pull")
				w.wantGraph(t, "sighting indicator indicator 1 on system WKS-001: 1, "+sign)
				if first, _, _ := strings.Cut(w.octi.Incidents()[0].Description, "\n"); first != "Status: `"+status+"`" {
					t.Errorf("%s: the incident says %s", status, first)
				}
			}
		},
		"threats frozen": func(t *testing.T, w *chaosWorld) {
			w.resolved(t, "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true")
			w.must(t, 0, "pull")
			before := w.octi.Cases()[0]
			w.sees(t, hlsim.Sighting{Value: "c2.example"})
			w.hl.WriteNote(fmt.Sprint(w.hl.Threats()[0].ID), "Title", "what we know")
			w.must(t, 0, "pull")
			if n := w.octi.Held(); n.Cases != 1 || n.Notes != 1 {
				t.Errorf("%d cases, %d notes", n.Cases, n.Notes)
			}
			if after := w.octi.Cases()[0]; len(after.Objects) <= len(before.Objects) || after.Description == before.Description {
				t.Errorf("before %+v\nafter %+v", before, after)
			}
		},
		"TLP:CLEAR on internal data": func(t *testing.T, w *chaosWorld) {
			w.resolved(t, "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true")
			w.must(t, 0, "pull")
			var objects []octisim.Object
			for _, i := range w.octi.Incidents() {
				objects = append(objects, i.Object)
			}
			for _, c := range w.octi.Cases() {
				objects = append(objects, c.Object)
			}
			for _, s := range w.octi.Sightings() {
				objects = append(objects, s.Object)
			}
			for _, r := range w.octi.Relations() {
				objects = append(objects, r.Object)
			}
			if len(objects) < 5 {
				t.Fatalf("only %d objects", len(objects))
			}
			for _, o := range objects {
				if len(o.Markings) != 1 || o.Markings[0] != "TLP:AMBER" {
					t.Errorf("%s %s is marked %v", o.EntityType, o.StandardID, o.Markings)
				}
			}
		},
		"history from 1970 in one bundle": func(t *testing.T, w *chaosWorld) {
			w.stix(1, domainPattern("c2.example"))
			w.pulls(t, "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all")
			now := time.Now()
			if _, err := w.hl.Generate(hlsim.Spec{Seed: 6, Count: 40, Plain: true, From: now.AddDate(-2, 0, 0), To: now.AddDate(-1, 0, 0)}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.hl.Generate(hlsim.Spec{Seed: 7, Count: 230, Plain: true, From: now.Add(-48 * time.Hour), To: now.Add(-time.Minute)}); err != nil {
				t.Fatal(err)
			}
			w.must(t, 0, "pull")
			if n := w.octi.Held(); n.Incidents != 230 || n.Works < 230/50 {
				t.Errorf("%d incidents in %d bundles", n.Incidents, n.Works)
			}
			for _, r := range w.hl.HTTP.Requests() {
				if strings.Contains(r.Query, "1970") {
					t.Errorf("asked for all of history: %s", r.Query)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newChaosWorld(t))
		})
	}
}
