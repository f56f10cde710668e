package sigma_test

import (
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/sigma"
)

// fact is what happened on an endpoint, once in STIX's objects and once as HarfangLab's event.
type fact struct {
	stix map[string]string // by object and path
	held event
}

var (
	fileNames   = []string{`invoice1.exe`, `invoice_2.pdf.exe`, `a.txt`, `cmd.exe`, `evil1.exe`, `x_y.exe`}
	directories = []string{`C:\Temp`, `C:\Users\e\Temp`, `C:\Windows\System32`}
)

// pool are the values of each path, for facts and for patterns.
var pool = map[string][]string{
	"process:command_line":                        {`cmd.exe /c evil -enc x`, `powershell -NoP`, `a*b?c\d`, `CMD.EXE /C EVIL -ENC X`},
	"process:cwd":                                 {`C:\Temp`, `C:\Users\e`, `C:\Temp\`, `C:\*`},
	"process:parent_ref.name":                     {`winword.exe`, `cmd.exe`},
	"process:name":                                fileNames,
	"file:name":                                   fileNames,
	"file:parent_directory_ref.path":              directories,
	"windows-registry-key:key":                    {`HKEY_LOCAL_MACHINE\Software\Run`, `HKLM\Software\Run`, `HKEY_CURRENT_USER\A_B`, `HKLM\Software\Run\Sub`},
	"windows-registry-key:values[*].name":         {`Updater`, `x.y`, `Run`},
	"windows-registry-key:values[*].data":         {`C:\Temp\evil.exe`, `calc.exe`},
	"network-traffic:dst_ref.value":               {`198.51.100.7`, `198.51.100.9`},
	"network-traffic:dst_port":                    {`443`, `8443`, `53`},
	"network-traffic:protocols[*]":                {`tcp`, `udp`},
	"domain-name:value":                           {`a.evil.example`, `good.example`},
	"url:value":                                   {`https://evil.example/x?y=1*`, `http://good.example/`},
	"process:image_ref.parent_directory_ref.path": directories,
}

var objects = map[string][]string{
	"process":              {"command_line", "cwd", "name", "parent_ref.name", "image_ref.parent_directory_ref.path"},
	"file":                 {"name", "parent_directory_ref.path"},
	"windows-registry-key": {"key", "values[*].name", "values[*].data"},
	"network-traffic":      {"dst_ref.value", "dst_port", "protocols[*]"},
	"domain-name":          {"value"},
	"url":                  {"value"},
}

var objectNames = []string{"process", "file", "windows-registry-key", "network-traffic", "domain-name", "url"}

func drawFact(t *rapid.T) fact {
	category := rapid.SampledFrom([]string{"process_creation", "file_create", "registry_event", "network_connection", "dns_query", "url_request"}).Draw(t, "category")
	f := fact{stix: map[string]string{}, held: event{product: "windows", category: category}}
	at := func(path string) string {
		v := rapid.SampledFrom(pool[path]).Draw(t, path)
		f.stix[path] = v
		return v
	}
	switch category {
	case "process_creation": // which shows a process and the file that it was started from
		f.held.fields = map[string]string{"CommandLine": at("process:command_line"), "CurrentDirectory": at("process:cwd"),
			"Image": at("file:parent_directory_ref.path") + `\` + at("file:name"), "ParentImage": `C:\P\` + at("process:parent_ref.name")}
		f.stix["process:name"], f.stix["process:image_ref.parent_directory_ref.path"] = f.stix["file:name"], f.stix["file:parent_directory_ref.path"]
	case "file_create":
		f.held.fields = map[string]string{"TargetFilename": at("file:parent_directory_ref.path") + `\` + at("file:name")}
	case "registry_event":
		f.held.fields = map[string]string{"EventType": "SetValue", "Image": `C:\x.exe`, "TargetObject": at("windows-registry-key:key") + `\` + at("windows-registry-key:values[*].name"),
			"Details": at("windows-registry-key:values[*].data")}
	case "network_connection":
		f.held.fields = map[string]string{"DestinationIp": at("network-traffic:dst_ref.value"), "DestinationPort": at("network-traffic:dst_port"), "Protocol": at("network-traffic:protocols[*]"), "SourcePort": "1"}
	case "dns_query":
		f.held.fields = map[string]string{"QueryName": at("domain-name:value"), "QueryType": "A"}
	case "url_request":
		f.held.fields = map[string]string{"RequestUrl": at("url:value"), "RequestUrlHost": "x"}
	}
	return f
}

// stixTest is one comparison, with the way it is written.
type stixTest struct {
	path, op string
	negated  bool
	values   []string
}

func (c stixTest) String() string {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	not := ""
	if c.negated {
		not = "NOT "
	}
	path := c.path
	switch {
	case c.op == "IN":
		var all []string
		for _, v := range c.values {
			all = append(all, quote(v))
		}
		return path + " " + not + "IN (" + strings.Join(all, ", ") + ")"
	case strings.HasSuffix(path, "_port"):
		return path + " " + not + c.op + " " + c.values[0]
	}
	return path + " " + not + c.op + " " + quote(c.values[0])
}

// holds evaluates a comparison without case, as Windows compares.
func (c stixTest) holds(f fact) bool {
	held, there := f.stix[c.path]
	if !there {
		return false
	}
	one := func(v string) bool {
		switch c.op {
		case "=", "IN":
			return strings.EqualFold(respelled(held), respelled(v))
		case "LIKE":
			re := "(?is)^" + strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(afterHive(v))) + "$"
			if hiveOf(v) == "" {
				return regexp.MustCompile(re).MatchString(held)
			}
			return strings.EqualFold(hiveOf(held), hiveOf(v)) && regexp.MustCompile(re).MatchString(afterHive(held))
		case "MATCHES":
			return regexp.MustCompile(v).MatchString(held)
		}
		a, _ := strconv.Atoi(held)
		b, _ := strconv.Atoi(v)
		return map[string]bool{"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[c.op]
	}
	for _, v := range c.values {
		if one(v) {
			return !c.negated
		}
	}
	return c.negated
}

var spelled = map[string]string{"HKEY_LOCAL_MACHINE": "HKLM", "HKEY_CURRENT_USER": "HKCU"}

func hiveOf(s string) string {
	first, _, cut := strings.Cut(s, `\`)
	if short := spelled[first]; short != "" {
		return short
	}
	if cut && strings.HasPrefix(first, "HK") {
		return first
	}
	return ""
}

func afterHive(s string) string {
	if hiveOf(s) == "" {
		return s
	}
	_, rest, _ := strings.Cut(s, `\`)
	return rest
}

func respelled(s string) string { return hiveOf(s) + "|" + afterHive(s) }

func drawStix(t *rapid.T) [][]stixTest {
	var terms [][]stixTest
	for range rapid.IntRange(1, 2).Draw(t, "terms") {
		object := rapid.SampledFrom(objectNames).Draw(t, "object")
		var term []stixTest
		for range rapid.IntRange(1, 3).Draw(t, "tests") {
			c := stixTest{path: object + ":" + rapid.SampledFrom(objects[object]).Draw(t, "path"), op: "="}
			value := func() string { return rapid.SampledFrom(pool[c.path]).Draw(t, "value") }
			c.values = []string{value()}
			switch n := rapid.IntRange(0, 9).Draw(t, "op"); {
			case strings.HasSuffix(c.path, "_port"):
				c.op = rapid.SampledFrom([]string{"=", "<", "<=", ">", ">="}).Draw(t, "compare")
			case n < 3:
				v := c.values[0]
				c.op, c.values[0] = "LIKE", rapid.SampledFrom([]string{v[:len(v)-2] + "%", "%" + v[len(v)-3:], v[:2] + "%" + v[len(v)-2:], v[:len(v)-1] + "_"}).Draw(t, "like")
			case n == 3:
				c.op, c.values[0] = "MATCHES", rapid.SampledFrom([]string{"evil", "^[a-z_0-9]+.exe$", "inv.*exe", "[^x]$", "(a|e)vil"}).Draw(t, "re")
			case n == 4:
				c.op, c.values = "IN", append(c.values, value())
			}
			c.negated = rapid.IntRange(0, 4).Draw(t, "negated") == 0
			term = append(term, c)
		}
		terms = append(terms, term)
	}
	return terms
}

// TestACompiledPatternFiresOnWhatItSays draws patterns and facts: a fact for which the pattern holds fires a rule,
// and no rule fires on another, whatever event shows it. A pattern is compared without case, as the rules do.
func TestACompiledPatternFiresOnWhatItSays(t *testing.T) {
	compiled, fired := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		terms := drawStix(t)
		var brackets []string
		for _, term := range terms {
			var tests []string
			for _, c := range term {
				tests = append(tests, c.String())
			}
			brackets = append(brackets, "["+strings.Join(tests, " AND ")+"]")
		}
		ind := reconcile.Indicator{ID: "2a1b2c3d-4e5f-4000-8000-000000000000", Name: "it's: #1", Pattern: strings.Join(brackets, " OR "), Platforms: []string{"windows"}}
		rules := sigma.Compile(&ind, nil)
		if len(rules) == 0 {
			return
		}
		compiled++
		var read []rule
		for _, r := range rules {
			onlyKnownNames(t, r.Text)
			read = append(read, readRule(t, r.Text))
		}
		for range 30 {
			f := drawFact(t)
			want := false
			for _, term := range terms {
				all := true
				for _, c := range term {
					all = all && c.holds(f)
				}
				want = want || all
			}
			got := false
			for _, r := range read {
				got = got || r.fires(f.held)
			}
			if got {
				fired++
			}
			if got != want {
				t.Fatalf("%s\non %v: the pattern holds %t, the rules fire %t\n%s", ind.Pattern, f.held, want, got, rules[0].Text)
			}
		}
	})
	t.Logf("%d patterns compiled, fired %d times", compiled, fired)
}

func TestWhatIsCompiled(t *testing.T) {
	score := 90
	for _, tt := range []struct {
		name, pattern string
		platforms     []string
		want          string // products and categories, "" for none
	}{
		{"a command line", "[process:command_line = 'x']", []string{"Windows"}, "windows process_creation"},
		{"everywhere", "[process:command_line LIKE '%x%']", nil, "linux process_creation, macos process_creation, windows process_creation"},
		{"a file is written and started", "[file:name LIKE 'inv%.exe']", []string{"windows"}, "windows file_create, windows process_creation"},
		{"a registry value", "[windows-registry-key:key = 'HKLM\\\\x' AND windows-registry-key:values[0].name = 'y']", nil, "windows registry_event"},
		{"a registry value on Linux", "[windows-registry-key:key = 'HKLM\\\\x']", []string{"linux"}, ""},
		{"a host and a port", "[network-traffic:dst_ref.type = 'domain-name' AND network-traffic:dst_ref.value = 'c2.example' AND network-traffic:dst_port = 8443]", []string{"macos"}, "macos network_connection"},
		{"an address and a port", "[ipv4-addr:value = '198.51.100.7' AND network-traffic:dst_port = 4444]", []string{"linux"}, "linux network_connection"},
		{"no address and a port", "[ipv4-addr:value != '198.51.100.7' AND network-traffic:dst_port = 4444]", []string{"linux"}, ""},
		{"a name that is ruled out", "[process:command_line LIKE '%x%' AND process:name != 'y.exe']", []string{"linux"}, "linux process_creation"},
		{"an inequality alone", "[process:name != 'y.exe']", nil, ""},
		{"a range alone", "[network-traffic:dst_port > 1024]", nil, ""},
		{"two objects", "[process:command_line = 'x' AND file:name LIKE 'y%']", nil, ""},
		{"two observations", "[process:command_line = 'x'] AND [url:value LIKE 'y%']", nil, ""},
		{"a qualifier", "[process:command_line = 'x'] WITHIN 5 SECONDS", nil, ""},
		{"an account", "[user-account:account_login = 'root']", nil, ""},
		{"half of an OR", "[process:command_line = 'x' OR user-account:account_login = 'root']", nil, ""},
		{"everything", "[process:command_line LIKE '%']", nil, ""},
		{"every name", "[file:name MATCHES '.*' AND process:cwd = 'x']", nil, ""},
		{"a value never deployed", "[domain-name:value = 'never.example' AND domain-name:value LIKE '%r%']", nil, ""},
		{"a file that every system has", "[process:name = 'never.exe' AND process:name LIKE 'n%']", []string{"linux"}, "linux process_creation"},
		{"a value never deployed, by a LIKE", "[domain-name:value LIKE 'never.example' AND domain-name:value LIKE '%r%']", nil, ""},
		{"a network never deployed", "[network-traffic:dst_ref.value ISSUBSET '10.0.0.0/8' AND network-traffic:protocols[*] = 'tcp']", nil, ""},
		{"every address", "[network-traffic:dst_ref.value ISSUBSET '0.0.0.0/0' AND network-traffic:dst_port = 4444]", nil, ""},
		{"a file that every system has, by a LIKE", "[process:name LIKE 'never.exe']", []string{"linux"}, ""},
		{"a port is no address", "[network-traffic:dst_ref.value = '198.51.100.7' AND network-traffic:dst_port = 4444]", []string{"linux"}, "linux network_connection"},
		{"a number is no address", "[windows-registry-key:key = 'HKLM\\\\x' AND windows-registry-key:values[*].data = '1']", nil, "windows registry_event"},
		{"two values of a key", "[windows-registry-key:key = 'HKLM\\\\x' AND windows-registry-key:values[0].name = 'a' AND windows-registry-key:values[1].data = 'b']", nil, ""},
		{"one value of a key", "[windows-registry-key:key = 'HKLM\\\\x' AND windows-registry-key:values[1].name = 'a' AND windows-registry-key:values[1].data = 'b']", nil, "windows registry_event"},
		{"any process", "[process:name LIKE '%']", nil, ""},
		{"any process, by a regular expression", "[process:name MATCHES '.*']", nil, ""},
		{"any file", "[file:name LIKE '_%']", nil, ""},
		{"any directory", "[process:image_ref.parent_directory_ref.path LIKE '%']", nil, ""},
		{"any key", "[windows-registry-key:key LIKE '%']", nil, ""},
		{"a file that every system has, alone", "[process:name = 'never.exe']", []string{"linux"}, ""},
		{"an expression that nobody reads alike", "[process:command_line MATCHES '(?<=a)b']", nil, ""},
		{"existence", "[EXISTS process:command_line]", nil, ""},
	} {
		ind := reconcile.Indicator{ID: "2a1b2c3d-4e5f-4000-8000-000000000000", Name: "n", Score: &score, Pattern: tt.pattern, Platforms: tt.platforms}
		var got []string
		ids := map[string]bool{}
		for _, c := range sigma.Compile(&ind, func(v reconcile.Value) (string, bool) {
			return "x", v.Value == "never.example" || v.Type == "filename" && v.Value == "never.exe" || v.Type == "ip_both" && v.Value == "10.0.0.0/8" || v.Type == "url" && !strings.Contains(v.Value, ".")
		}) {
			r := readRule(t, c.Text)
			got = append(got, r.Logsource.Product+" "+r.Logsource.Category)
			if !strings.Contains(c.Text, "level: high\n") || !strings.Contains(c.Text, "id: "+c.ID+"\n") || ids[c.ID] {
				t.Errorf("%s: id %s in\n%s", tt.name, c.ID, c.Text)
			}
			ids[c.ID] = true
			if translated, skip := sigma.Translate(c.Text); skip != nil || fmt.Sprint(translated.Changes) != "[]" && r.Logsource.Category != "registry_event" {
				t.Errorf("%s: not in HarfangLab's terms: %v, %v", tt.name, translated.Changes, skip)
			}
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, s, tt.want)
		}
	}
}

func TestAPatternThatMultipliesIsCompiledInLittleMemory(t *testing.T) {
	like := func(from, n int) []string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("process:command_line LIKE '%%a%d%%'", from+i))
		}
		return out
	}
	for name, tt := range map[string]struct {
		pattern string
		rules   int
	}{
		"30 terms of 30":      {"[(" + strings.Join(like(0, 30), " OR ") + ") AND " + strings.Join(like(30, 29), " AND ") + "]", 3},
		"400 terms of 400":    {"[(" + strings.Join(like(0, 400), " OR ") + ") AND " + strings.Join(like(400, 399), " AND ") + "]", 0},
		"1000 terms of 1000":  {"[(" + strings.Join(like(0, 1000), " OR ") + ") AND " + strings.Join(like(1000, 999), " AND ") + "]", 0},
		"one term of 1000":    {"[" + strings.Join(like(0, 1000), " AND ") + "]", 3},
		"repetitions of much": {"[" + strings.Repeat("process:command_line MATCHES '("+strings.Repeat("ab?", 500)+"){1000}' AND ", 20) + "process:cwd = 'x']", 3},
		"names of much":       {"[process:name MATCHES '" + strings.Repeat("[^a-c]?.", 1000) + "']", 3},
		"classes of much":     {"[process:command_line MATCHES '(?i)" + strings.Repeat("[B-𞥂]", 5000) + "']", 0},
	} {
		ind := reconcile.Indicator{ID: "2a1b2c3d-4e5f-4000-8000-000000000000", Name: "n", Pattern: tt.pattern}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		can := sigma.Compilable(&ind, nil)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; can != (tt.rules > 0) || got > 32<<20 {
			t.Errorf("%s: compilable %t, told in %d bytes of memory", name, can, got)
		}
		if rules := sigma.Compile(&ind, nil); len(rules) != tt.rules {
			t.Errorf("%s: %d rules, want %d", name, len(rules), tt.rules)
		}
	}
}

func TestAnAddressBesideAConnectionIsEitherEnd(t *testing.T) {
	ind := reconcile.Indicator{ID: "2a1b2c3d-4e5f-4000-8000-000000000000", Platforms: []string{"linux"}, Pattern: "[ipv4-addr:value = '198.51.100.7' AND network-traffic:dst_port = 4444]"}
	rules := sigma.Compile(&ind, nil)
	if len(rules) != 1 {
		t.Fatalf("%d rules", len(rules))
	}
	r := readRule(t, rules[0].Text)
	for _, tt := range []struct {
		from, to, port string
		want           bool
	}{{"10.0.0.1", "198.51.100.7", "4444", true}, {"198.51.100.7", "10.0.0.1", "4444", true}, {"10.0.0.1", "198.51.100.7", "443", false}, {"10.0.0.1", "10.0.0.2", "4444", false}} {
		e := event{product: "linux", category: "network_connection", fields: map[string]string{"SourceIp": tt.from, "DestinationIp": tt.to, "DestinationPort": tt.port}}
		if r.fires(e) != tt.want {
			t.Errorf("%v: fires %t in\n%s", e, !tt.want, rules[0].Text)
		}
	}
}

func TestACompiledRuleSaysWhereItComesFrom(t *testing.T) {
	score := 30
	ind := reconcile.Indicator{ID: "2a1b2c3d-4e5f-4000-8000-000000000000", Name: "Loader: #1", Description: "two\nlines", Score: &score, Platforms: []string{"linux"},
		Phases: []string{"mitre-attack:defense-evasion", "mitre-attack:execution", "lockheed:delivery"}, Pattern: "[process:command_line = 'x' AND process:cwd != '/']"}
	const want = `title: 'Loader: #1 (linux process_creation)'
id: d49c4f38-cfd7-5f78-a1d2-1d2b2b5d9c6f
status: experimental
description: "two\nlines"
author: harfangsync
tags:
    - attack.defense-evasion
    - attack.execution
logsource:
    product: linux
    category: process_creation
detection:
    selection_1:
        CommandLine: 'x'
    filter_1:
        -
            CurrentDirectory: '/'
    condition: (selection_1 and not filter_1)
level: low
`
	rules := sigma.Compile(&ind, nil)
	if len(rules) != 1 {
		t.Fatalf("%d rules", len(rules))
	}
	if d := cmp.Diff(strings.Replace(want, "d49c4f38-cfd7-5f78-a1d2-1d2b2b5d9c6f", rules[0].ID, 1), rules[0].Text); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
