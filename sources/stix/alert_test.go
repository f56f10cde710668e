package stix_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/sources/stix"
)

func TestEveryFormOfAlertIsImported(t *testing.T) {
	m := maker(t)
	all := forms()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			a := all[name]
			objects := made(t)(m.Alert(a, []string{indicator, other, indicator}, none))
			text := checked(t, m, objects)
			if again := checked(t, m, made(t)(m.Alert(all[name], []string{indicator, other}, none))); again != text {
				t.Errorf("the same alert gives another bundle (-first +then):\n%s", cmp.Diff(text, again))
			}
			if objects[0].Type != "incident" || objects[0].ID != m.IncidentID(a) || objects[0].ID == "" {
				t.Errorf("the first object is %s, want the incident %s", objects[0].ID, m.IncidentID(a))
			}
			facts, ok := reader.Read(members(objects[0])["description"].(string))
			if want := (alert.Facts{Status: a.Status, Endpoint: m.EndpointID(a)}); !ok || facts != want {
				t.Errorf("read back as %+v (%v), want %+v", facts, ok, want)
			}
			for _, o := range objects {
				if o.Type == "indicator" || strings.Contains(string(o.JSON), "based-on") || strings.Contains(string(o.JSON), "x_opencti_create_") {
					t.Errorf("%s: an alert makes no indicator and attaches nothing to one", o.JSON)
				}
				if v := members(o); len(v["object_marking_refs"].([]any)) != 1 || v["created_by_ref"] == nil && v["x_opencti_created_by_ref"] == nil {
					t.Errorf("%s: without marking or author", o.JSON)
				}
			}
		})
	}
}

func TestWhatAnAlertBecomes(t *testing.T) {
	tool := "file tool.exe MD5 SHA-1 SHA-256"
	incident := "incident " + toolSHA256 + " on WKS-042 (IOC file check) #e455a8"
	shell := []string{"file explorer.exe SHA-256", `process C:\Windows\explorer.exe`, "hostname WKS-042", `user-account EXAMPLE\mallory`, `directory C:\Windows\system32`}
	for _, tt := range []struct {
		name  string
		a     *alert.Alert
		shown []string // besides the shell
	}{
		{"file by hash", fileAlert(), []string{tool, `directory C:\Users\mallory\Downloads`}},
		{"file by name", networkAlert("filename", "tool.exe"), []string{"file tool.exe"}},
		{"file by path", networkAlert("filepath", `C:\a b\x = y: z.exe`), []string{"file x = y: z.exe", `directory C:\a b`}},
		{"address", networkAlert("ip_dst", "2001:0DB8:0:0::1"), []string{"ipv6-addr 2001:db8::1"}},
		{"domain", networkAlert("domain_name", "C2.Example.org."), []string{"domain-name c2.example.org"}},
		{"URL", networkAlert("url", "https://evil.example/?a=1&hash=c"), []string{"url https://evil.example/?a=1&hash=c"}},
		{"domain that is none", networkAlert("domain_name", "c2_.example"), nil},
		{"address that is none", networkAlert("ip_dst", "300.1.1.1"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			objects := made(t)(maker(t).Alert(tt.a, []string{indicator}, none))
			head := "incident " + members(objects[0])["name"].(string)
			want := []string{head, "identity WKS-042", head + " > targets > identity WKS-042", "hostname WKS-042 > related-to > identity WKS-042", indicator + " > indicates > " + head}
			for _, s := range append(slices.Clone(shell), tt.shown...) {
				want = append(want, s, s+" > related-to > "+head)
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, brief(objects)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := brief(made(t)(maker(t).Alert(fileAlert(), nil, none))); !slices.Contains(got, incident) {
		t.Errorf("no %q in %q", incident, got)
	}
}

// What an event was about is shown, and what matched is told from what was near.
func TestEvidenceOfEveryPart(t *testing.T) {
	a := eventLogAlert()
	a.Files = []alert.File{{Path: `C:\x\lib.dll`, MD5: toolMD5}}
	a.Written, a.Registry = alert.File{Path: `C:\y\out.bin`, SHA256: toolSHA256}, []string{`HKLM\Run\x`}
	a.Network = []reconcile.Value{{Type: "url", Value: "http://c2.example/a"}, {Type: "domain_name", Value: "C2.example"}, {Type: "ip_dst", Value: "203.0.113.7"}, {Type: "ip_dst", Value: "127.0.0.1"}, {Type: "ip_src", Value: "x"}}
	a.Matches = []alert.Match{{SourceID: ourList, Type: "domain_name", Value: "c2.example"}, {SourceID: ourList, Type: "filename", Value: "OUT.bin"}}
	a.YARA, a.Correlated = []alert.YARAMatch{{Rule: "loader_strings"}}, []alert.Rule{{ID: "r1", Name: "Recon"}, {ID: "r2"}}
	objects := made(t)(maker(t).Alert(a, nil, none))
	about, got := map[string]string{}, []string{}
	for _, o := range objects {
		m := members(o)
		if m["relationship_type"] != "related-to" {
			about[o.ID] = brief([]alert.Object{o})[0]
			continue
		}
		got = append(got, about[m["source_ref"].(string)])
		if m["description"] != nil {
			got[len(got)-1] += " " + m["description"].(string)
		}
	}
	slices.Sort(got)
	want := []string{`directory C:\x`, `directory C:\y`, "domain-name c2.example matched", "file lib.dll MD5", "file out.bin SHA-256 matched", "hostname WKS-042", "hostname WKS-042", "ipv4-addr 203.0.113.7", "url http://c2.example/a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text := members(objects[0])["description"].(string)
	for _, line := range []string{"Matched: `domain_name=c2.example`, `filename=OUT.bin`", "Matched rules: `loader_strings`, `Recon`, `r2`", "Written file: `C:\\y\\out.bin`", "Files: `C:\\x\\lib.dll`",
		"Network: `http://c2.example/a`, `C2.example`, `203.0.113.7`", "Registry keys: `HKLM\\Run\\x`"} {
		if !strings.Contains(text, "- "+line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

func TestOneFileIsOneObject(t *testing.T) {
	a := fileAlert()
	a.Written = alert.File{Path: `C:\Users\mallory\Downloads\tool.exe`}          // by its path
	a.Process.File = alert.File{Path: `C:\Temp\renamed.exe`, SHA256: toolSHA256} // by its hash
	files := ofType(made(t)(maker(t).Alert(a, nil, none)), "file")
	apart := fileAlert() // until the image tells that they are one
	apart.Detected, apart.Written = alert.File{Path: `C:\tool.exe`, MD5: toolMD5}, alert.File{Path: `C:\renamed.exe`, SHA256: toolSHA256}
	apart.Process.File = alert.File{MD5: toolMD5, SHA256: toolSHA256}
	if got := ofType(made(t)(maker(t).Alert(apart, nil, none)), "file"); len(got) != 1 || got[0]["name"] != "tool.exe" {
		t.Errorf("%v", got)
	}
	if len(files) != 1 || files[0]["name"] != "tool.exe" || !cmp.Equal(files[0]["x_opencti_additional_names"], []any{"renamed.exe"}) {
		t.Errorf("%v", files)
	}
}

func TestTechniques(t *testing.T) {
	const (
		t1059, oldT1059 = "attack-pattern--2564d78f-c102-5432-99eb-c6bb50177e94", "attack-pattern--bab942ff-7c9c-5062-9e92-3392bfb2fd74"
		sub, oldSub     = "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a", "attack-pattern--5a9d0c10-3eab-5b54-9d30-d9ae590d238b"
	)
	a := eventLogAlert()
	a.Tags = []string{"attack.execution", "attack.T1059", "attack.g0016", "attack.s0002", "cve.2024.1", "t1059", "attack.t10590", "detection.t1059x"}
	a.MitreCells = []string{"execution__t1059.001", "lateral-movement__t1059", "execution__", "x"}
	m := maker(t)
	if diff := cmp.Diff([]string{t1059, oldT1059, sub, oldSub}, m.TechniqueIDs(a)); diff != "" {
		t.Errorf("to look up (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name       string
		known      func(string) bool
		uses, sent []string
	}{
		{"a platform that has none gets them", func(string) bool { return false }, []string{t1059, sub}, []string{"T1059 T1059", "T1059.001 T1059.001"}},
		{"a technique that exists is never sent, so never renamed", func(id string) bool { return id == t1059 }, []string{t1059, sub}, []string{"T1059.001 T1059.001"}},
		{"nor is one that an old platform knows by another id", func(id string) bool { return id == oldT1059 || id == oldSub }, []string{oldT1059, oldSub}, nil},
		{"nothing is sent to a platform that was not asked", nil, []string{t1059, sub}, nil},
	} {
		objects := made(t)(m.Alert(a, nil, alert.Known{Technique: tt.known}))
		var uses, sent []string
		for _, r := range ofType(objects, "relationship") {
			if r["relationship_type"] == "uses" {
				uses = append(uses, r["target_ref"].(string))
			}
		}
		for _, p := range ofType(objects, "attack-pattern") {
			sent = append(sent, p["name"].(string)+" "+p["x_mitre_id"].(string))
		}
		if !slices.Equal(uses, tt.uses) || !slices.Equal(sent, tt.sent) {
			t.Errorf("%s: uses %q, sent %q; want %q, %q", tt.name, uses, sent, tt.uses, tt.sent)
		}
	}
}

func TestSeverityAndLabels(t *testing.T) {
	for level, want := range map[string]string{"informational": "low", "low": "low", "Medium": "medium", "high": "high", "critical": "critical", "": "medium", "odd": "medium"} {
		a := fileAlert()
		a.Level = level
		v := members(made(t)(maker(t).Alert(a, nil, none))[0])
		said := strings.Contains(v["description"].(string), "not a known level")
		if v["severity"] != want || said != (level == "" || level == "odd") {
			t.Errorf("%q: severity %v, said to be unknown: %v", level, v["severity"], said)
		}
	}
	for typ, want := range map[string]any{"ioc": []any{"ioc"}, "hlai": nil, "": nil} {
		a := fileAlert()
		a.Type = typ
		if got := members(made(t)(maker(t).Alert(a, nil, none))[0])["labels"]; !cmp.Equal(got, want) {
			t.Errorf("%q: labels %v, want %v", typ, got, want)
		}
	}
}

func TestTheIncidentStaysItselfThroughEveryStatus(t *testing.T) {
	m, a := maker(t), fileAlert()
	before := members(made(t)(m.Alert(a, nil, none))[0])
	a.Status, a.LastUpdate = alert.FalsePositive, at("2026-03-03T00:00:00Z")
	after := members(made(t)(m.Alert(a, nil, none))[0])
	for _, name := range []string{"id", "name", "created", "labels", "first_seen", "external_references"} {
		if !cmp.Equal(before[name], after[name]) {
			t.Errorf("%s: %v, then %v", name, before[name], after[name])
		}
	}
	if before["description"] == after["description"] || after["modified"] != "2026-03-03T00:00:00.000Z" || after["last_seen"] != after["modified"] {
		t.Errorf("description %v, modified %v", after["description"], after["modified"])
	}
	if b := members(made(t)(m.Alert(eventLogAlert(), nil, none))[0]); b["id"] == before["id"] || b["name"] == before["name"] {
		t.Error("two alerts are one incident")
	}
}

// A name says what matched and where, fits a line, and is the alert's own. One that was given stays.
func TestNamesOfIncidents(t *testing.T) {
	dns := networkAlert("domain_name", "c2.evil.example")
	dns.RuleName = "IOC DNS check"
	twin := *dns
	twin.ID = "another"
	long := networkAlert("url", "https://evil.example/"+strings.Repeat("a", 300))
	long.Agent.Hostname, long.RuleName = strings.Repeat("h", 100), strings.Repeat("r", 300)
	bare := &alert.Alert{ID: "x", Time: at("2026-03-02T08:15:29Z"), RuleName: strings.Repeat("r", 300)}
	unread := fileAlert()
	unread.Message, unread.Matches = "", nil
	for _, tt := range []struct {
		a    *alert.Alert
		want string
	}{
		{dns, "c2.evil.example on WKS-042 (IOC DNS check) #e455a8"},
		{&twin, "c2.evil.example on WKS-042 (IOC DNS check) #ae448a"},
		{eventLogAlert(), "Local admin group changed on WKS-042 #2fb3e3"},
		{unread, "tool.exe on WKS-042 (IOC file check) #e455a8"},
		{long, "https://evil.example… on " + strings.Repeat("h", 31) + "… (" + strings.Repeat("r", 31) + "…) #e455a8"},
		{bare, strings.Repeat("r", 91) + "… #2d7116"},
	} {
		m := maker(t)
		got := members(made(t)(m.Alert(tt.a, nil, none))[0])["name"].(string)
		if got != tt.want || utf8.RuneCountInString(got) > 100 {
			t.Errorf("got %q, want %q", got, tt.want)
		}
		kept := members(made(t)(m.Alert(tt.a, nil, alert.Known{Name: "as it was"}))[0])
		if kept["name"] != "as it was" || kept["id"] != m.IncidentID(tt.a) {
			t.Errorf("%v, once named", kept["name"])
		}
	}
}

// The id of an alert's incident was computed before incidents were named after what matched, and stays.
func TestIDsOutliveNames(t *testing.T) {
	if got := maker(t).IncidentID(fileAlert()); got != "incident--1bc70ed9-8003-5462-b541-749bb3fe6821" {
		t.Error(got)
	}
	upper, lower := fileAlert(), fileAlert()
	lower.Agent.Hostname = "wks-042"
	if m := maker(t); m.IncidentID(upper) != m.IncidentID(lower) || m.EndpointID(upper) != m.EndpointID(lower) {
		t.Error("the case of a host name makes another incident or endpoint")
	}
}

// A host name is written as the manager spells it, unless only the one in lower case that we once wrote is there.
func TestHostNamesKeepTheirCase(t *testing.T) {
	m := maker(t)
	ids := m.HostnameIDs(fileAlert())
	if len(ids) != 2 || m.HostnameIDs(&alert.Alert{Agent: alert.Agent{Hostname: "wks-042"}}) != nil {
		t.Fatalf("to look up: %q", ids)
	}
	for _, tt := range []struct {
		there []string
		want  string
	}{{nil, "WKS-042"}, {ids, "WKS-042"}, {ids[:1], "WKS-042"}, {ids[1:], "wks-042"}} {
		known := alert.Known{Hostname: func(id string) bool { return slices.Contains(tt.there, id) }}
		if got := ofType(made(t)(m.Alert(fileAlert(), nil, known)), "hostname"); len(got) != 1 || got[0]["value"] != tt.want {
			t.Errorf("with %q there: %v", tt.there, got)
		}
	}
}

func TestTheConsolesPages(t *testing.T) {
	a := fileAlert()
	a.ID = "a/b?c"
	got := members(made(t)(maker(t).Alert(a, nil, none))[0])["external_references"]
	want := []any{map[string]any{"source_name": "HarfangLab", "external_id": "a/b?c", "url": "https://edr.example:8443/security-event/a%2Fb%3Fc/summary"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m, err := stix.New(stix.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ofType(made(t)(m.Alert(fileAlert(), nil, none)), "incident") {
		if refs := r["external_references"].([]any); refs[0].(map[string]any)["url"] != nil {
			t.Errorf("%v links to no console", refs)
		}
	}
}

func TestAlertsThatCannotBeFoundAgain(t *testing.T) {
	m := maker(t)
	for name, tt := range map[string]struct {
		change func(*alert.Alert)
		refs   []string
		want   string
	}{
		"no id":                 {func(a *alert.Alert) { a.ID, a.UniqueID = "", " " }, nil, `the rule "IOC file check" has no id`},
		"no time":               {func(a *alert.Alert) { a.Time, a.EventTime = time.Time{}, time.Time{} }, nil, "alert kJx3fZcBv0mQ7tYwPa1c has no time"},
		"a time beyond years":   {func(a *alert.Alert) { a.Time = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC); a.EventTime = time.Time{} }, nil, "has no time"},
		"an odd indicator":      {func(*alert.Alert) {}, []string{"indicator--x"}, `"indicator--x" is not the standard id of an indicator`},
		"something else's id":   {func(*alert.Alert) {}, []string{m.EndpointID(fileAlert())}, "is not the standard id of an indicator"},
		"an id of the platform": {func(*alert.Alert) {}, []string{owner}, "is not the standard id of an indicator"},
	} {
		a := fileAlert()
		tt.change(a)
		objects, err := m.Alert(a, tt.refs, none)
		if err == nil || !strings.Contains(err.Error(), tt.want) || objects != nil {
			t.Errorf("%s: %v, %v; want %q", name, objects, err, tt.want)
		}
		if id := m.IncidentID(a); (id == "") != (tt.refs == nil) {
			t.Errorf("%s: the incident's id is %q", name, id)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		o    stix.Options
		want string
	}{
		{stix.Options{}, ""},
		{stix.Options{Marking: "tlp:white"}, ""},
		{stix.Options{Marking: "PAP:RED"}, `marking "PAP:RED" is no TLP marking`},
		{stix.Options{Author: "x"}, "under two characters"},
		{stix.Options{Score: 101}, "score 101"},
		{stix.Options{Score: -1}, "score -1"},
	} {
		_, err := stix.New(tt.o)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.o, err, tt.want)
		}
	}
}

func TestAFileThatAnIndicatorIsBasedOnLearnsNoHash(t *testing.T) {
	const another = "9e107d9d372bb6826bd81d3542a419d6"
	a := fileAlert()
	a.Process = nil
	m := maker(t)
	byMD5, bySHA1, bySHA256 := fileWith(t, toolMD5, "", ""), fileWith(t, "", toolSHA1, ""), fileWith(t, "", "", toolSHA256)
	if diff := cmp.Diff([]string{byMD5, bySHA1, bySHA256}, m.FileIDs(a)); diff != "" {
		t.Errorf("to look up (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name  string
		based map[string]map[string]string // by the id of a hash
		want  []map[string]any             // the hashes of the files, in order
	}{
		{"one that none is based on learns all", nil, []map[string]any{{"MD5": toolMD5, "SHA-1": toolSHA1, "SHA-256": toolSHA256}}},
		{"one with an MD5 stays one with an MD5", map[string]map[string]string{byMD5: {"MD5": toolMD5}}, []map[string]any{{"MD5": toolMD5}}},
		{"one that is known by its SHA-256 too keeps it", map[string]map[string]string{byMD5: {"MD5": toolMD5, "SHA-256": toolSHA256}}, []map[string]any{{"MD5": toolMD5, "SHA-256": toolSHA256}}},
		{"one with another SHA-256 does not change it", map[string]map[string]string{byMD5: {"MD5": toolMD5, "SHA-256": strings.Repeat("0", 64)}}, []map[string]any{{"MD5": toolMD5}}},
		{"two are two", map[string]map[string]string{byMD5: {"MD5": toolMD5}, bySHA256: {"SHA-256": toolSHA256}}, []map[string]any{{"MD5": toolMD5}, {"SHA-256": toolSHA256}}},
		{"one that lost the hash that it was found by is not sent", map[string]map[string]string{byMD5: {"MD5": another}}, nil},
	} {
		objects := made(t)(m.Alert(a, nil, alert.Known{File: func(id string) map[string]string { return tt.based[id] }}))
		var got []map[string]any
		for _, o := range ofType(objects, "file") {
			got = append(got, o["hashes"].(map[string]any))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		checked(t, m, objects)
	}
}

// fileWith is the id of a file that an alert shows with these hashes.
func fileWith(t *testing.T, md5, sha1, sha256 string) string {
	t.Helper()
	a := &alert.Alert{ID: "one", Time: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Detected: alert.File{MD5: md5, SHA1: sha1, SHA256: sha256}}
	return ofType(made(t)(maker(t).Alert(a, nil, none)), "file")[0]["id"].(string)
}
