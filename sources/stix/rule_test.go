package stix_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// show is one hint on a line.
func show(h alert.Hint) string {
	s := string(h.From)
	if h.Kind != 0 {
		s += " " + h.Kind.String()
	}
	for _, p := range []struct{ name, text string }{
		{"rule", h.RuleID}, {"list", h.SourceID}, {"list named", h.Source}, {"type", h.Type}, {"value", h.Value}, {"name", h.Name}, {"yara", h.YARARule},
		{"owners", strings.Join(h.Owners, ",")}, {"standard", h.Standard}, {"by", h.Instance},
	} {
		if p.text != "" {
			s += " " + p.name + "=" + p.text
		}
	}
	return s
}

func fired(a *alert.Alert) []string {
	var out []string
	for _, h := range reader.Fired(a) {
		out = append(out, show(h))
	}
	return out
}

func comment() string {
	return marker.IOC{StandardID: indicator, Owners: []string{owner, "c2"}, Count: 2, Digest: marker.OwnersDigest(owner, "c2"), Instance: ourInst, Applied: marker.Applied{Known: true, Sent: 1, Maturity: "stable"}}.Comment()
}

const (
	byMarker = "rule_content ioc owners=" + owner + ",c2 standard=" + indicator + " by=" + ourInst
	ruleID   = "rule_id ioc rule=2d1f6a54-40b5-4b0f-8a55-90a3f5f7c001"
)

func TestCluesInTheirOrder(t *testing.T) {
	a := fileAlert()
	a.RuleContent = "hash," + toolSHA256 + "," + comment()
	a.YARA = []alert.YARAMatch{{File: "loader.yar", Rule: "loader_strings", Source: "from_OpenCTI"}}
	want := []string{
		ruleID,
		"ioc_matches ioc list=" + ourList + " type=hash value=" + toolSHA256,
		"message ioc type=hash value=" + toolSHA256,
		byMarker, // its value was looked up already, and so on
		"hashes ioc type=hash value=" + toolSHA1,
		"hashes ioc type=hash value=" + toolMD5,
		"name yara list named=from_OpenCTI name=loader.yar yara=loader_strings",
	}
	if diff := cmp.Diff(want, fired(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if slices.ContainsFunc(reader.Fired(a), func(h alert.Hint) bool { return h.Direct() != (h.From == alert.ByContent && h.Instance != "") }) {
		t.Error("only a marker names owners")
	}
}

// A correlation over a rule of ours is a sighting of its indicator.
func TestACorrelationNamesTheRulesItIsOf(t *testing.T) {
	a := &alert.Alert{Type: "correlation", RuleID: "own", RuleName: "Burst", Correlated: []alert.Rule{{ID: " r1 "}, {Name: "without an id"}, {ID: "r2"}}}
	if diff := cmp.Diff([]string{"rule_id sigma rule=r1", "rule_id sigma rule=r2"}, fired(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMessages(t *testing.T) {
	const text = "File was found malicious by an IOC: "
	hash := func(s string) []string { return []string{"hash " + s} }
	for _, tt := range []struct {
		name, typ, msg string
		want           []string // type and value
	}{
		{"a name", "ioc", text + "filename=a b = c.exe", []string{"filename a b = c.exe"}},
		{"a path", "ioc", text + `filepath=C:\a b\x=y: z.exe`, []string{`filepath C:\a b\x=y: z.exe`}},
		{"a URL with equals signs", "ioc", text + "url=https://e.example:8443/a b?x=1&y==2", []string{"url https://e.example:8443/a b?x=1&y==2"}},
		{"a URL with a type inside", "ioc", text + "url=https://e.example/?hash=0&url=http://f.example", []string{"url https://e.example/?hash=0&url=http://f.example", "url http://f.example"}},
		{"the last of several", "ioc", "process sha256=" + shellSHA256 + " matched: md5=" + toolMD5, []string{"hash " + toolMD5, "hash " + shellSHA256}},
		{"blanks around", "ioc", text + "HASH \t= " + strings.ToUpper(toolSHA1) + " (SHA-1)", hash(toolSHA1)},
		{"more than a hash", "driver", "driver hash=" + toolSHA256 + " is blacklisted, not blocked", hash(toolSHA256)},
		{"no hash", "ioc", text + "hash=abc", nil},
		{"several lines", "ioc", text + "\nfilename=x.exe\nseen twice", []string{"filename x.exe"}},
		{"an address in another form", "ioc", text + "ip_dst=2001:0DB8::0:1.", []string{"ip_dst 2001:0DB8::0:1", "ip_dst 2001:db8::1"}},
		{"an address in a sentence", "ioc", text + "ip_src=198.51.100.7 was contacted", []string{"ip_src 198.51.100.7"}},
		{"no address", "ioc", text + "ip_src=nobody", nil},
		{"a domain in capitals", "ioc", text + "domain_name=C2.Example.", []string{"domain_name C2.Example.", "domain_name c2.example"}},
		{"a colon for the equals sign", "ioc", "malicious: filename: x y.exe", []string{"filename x y.exe"}},
		{"a colon alone", "ioc", `File was found malicious by an IOC:C:\x y.exe`, []string{` C:\x y.exe`}},
		{"a colon alone and a blank", "ioc", `File was found malicious by an IOC: C:\a b (1)\[x]: y=z.exe`, []string{` C:\a b (1)\[x]: y=z.exe`}},
		{"a colon alone and a URL", "ioc", "URL was found malicious by an IOC: https://e.example:8443/?x=1&url=y", []string{" https://e.example:8443/?x=1&url=y", "url y"}},
		{"a colon alone and an address in another form", "ioc", "IOC:2001:0DB8::0:1", []string{" 2001:0DB8::0:1", " 2001:db8::1"}},
		{"a colon and a type inside with an equals sign", "ioc", "IOC: filepath: /tmp/a=url=b (2)", []string{"filepath /tmp/a=url=b (2)", "url b (2)"}},
		{"brackets around", "ioc", text + "filename=[x] (1): y.exe", []string{"filename [x] (1): y.exe"}},
		{"a colon alone and a hash", "ioc", "File was found malicious by an IOC:" + toolMD5, hash(toolMD5)},
		{"a colon alone in what nobody knows", "quantum", "Something: happened", nil},
		{"a type in what nobody knows", "quantum", "Something: url=http://e.example", []string{"url http://e.example"}},
		{"a type in another word", "ioc", "text: my_hash=" + toolMD5, []string{" my_hash=" + toolMD5}},
		{"the prose of a Sigma rule", "sigma", "looks for url=http://e.example", nil},
		{"the prose of another engine", "hlai", "hash=" + toolMD5, nil},
		{"nothing behind", "ioc", text + "url=", nil},
		{"nothing", "ioc", "", nil},
	} {
		a := &alert.Alert{Type: tt.typ, Message: tt.msg}
		var got []string
		for _, h := range reader.Fired(a) {
			if h.From == alert.ByMessage {
				got = append(got, h.Type+" "+h.Value)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q gives %q, want %q", tt.name, tt.msg, got, tt.want)
		}
	}
}

func TestAMarkerIsFoundHoweverItIsQuoted(t *testing.T) {
	csv := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	js := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	plain := func(s string) string { return s }
	unicode := func(s string) string { return strings.NewReplacer(`"`, `\u0022`, "{", `\u007B`).Replace(s) }
	python := func(s string) string { return strings.ReplaceAll(s, `"`, "'") }
	cut := func(s string) string { return s[:strings.Index(s, `"owners_count"`)] }
	for name, quote := range map[string]func(string) string{
		"not at all": plain, "as CSV": csv, "as JSON": js, "as JSON twice": func(s string) string { return js(js(s)) }, "as JSON in CSV": func(s string) string { return csv(js(s)) },
		"as HTML": html.EscapeString, "as HTML in CSV": func(s string) string { return csv(html.EscapeString(s)) }, "by its characters": unicode, "with single quotes": python,
		"in a URL": url.PathEscape, "with text around": func(s string) string { return "note {1}: " + s + ", and {2}" }, "as CSV in JSON": func(s string) string { return js(csv(s)) },
	} {
		for _, value := range []string{toolSHA256, "http://e.example/{a},b"} {
			a := &alert.Alert{Type: "ioc", RuleContent: "url," + value + "," + quote(comment())}
			if got := fired(a); !slices.Contains(got, byMarker) {
				t.Errorf("%s, after %q: %q", name, value, got)
			}
		}
	}
	whole := fmt.Sprintf("rule_content ioc standard=%s by=%s", indicator, ourInst)
	if got := fired(&alert.Alert{Type: "ioc", RuleContent: "hash," + toolMD5 + "," + csv(cut(comment()))}); !slices.Contains(got, whole) {
		t.Errorf("cut short: %q", got)
	}
	old := "rule_content ioc standard=" + indicator
	for _, s := range []string{`{"indicator_id": "` + indicator + `", "indicator_score": 80, "indicator_platforms": []}`, csv(`{"indicator_id":"` + indicator + `","indicator_score":null,"indicator_platforms":["windows"]}`)} {
		if got := fired(&alert.Alert{Type: "ioc", RuleContent: "hash," + toolMD5 + "," + s}); !slices.Contains(got, old) {
			t.Errorf("an old connector's %s: %q", s, got)
		}
	}
	for _, s := range []string{"", "indicator_id", `{"indicator_id":`, `{"indicator_id":"` + indicator + `","managed_by":"another"}`, `{"indicator_id":"a b\n"}`, strings.Repeat(`{"indicator_id":`, 2000)} {
		for _, h := range reader.Fired(&alert.Alert{Type: "ioc", RuleContent: "hash," + toolMD5 + "," + s}) {
			if h.Direct() {
				t.Errorf("%.80q: %s", s, show(h))
			}
		}
	}
}

func TestTheValueInARulesLine(t *testing.T) {
	for content, want := range map[string][]string{
		"hash," + strings.ToUpper(toolMD5) + ",text":         {"hash " + toolMD5},
		"filename,a = b: c.exe,":                             {"filename a = b: c.exe"},
		`filepath,C:\a b\,x`:                                 {`filepath C:\a b\`},
		"url,http://e.example/?a=1,2,note":                   {"url http://e.example/?a=1", "url http://e.example/?a=1,2"},
		"url,http://e.example/?a=1,2," + comment():           {"url http://e.example/?a=1,2"},
		`"url","http://e.example/?a=""1"",2","note, really"`: {`url http://e.example/?a="1",2`},
		"domain_name,c2.example":                             {"domain_name c2.example"},
		"mutex,x,y":                                          nil,
		"title: x, y":                                        nil,
		"hash":                                               nil,
	} {
		var got []string
		for _, h := range reader.Fired(&alert.Alert{Type: "ioc", RuleContent: content}) {
			if h.From == alert.ByContent && !h.Direct() {
				got = append(got, h.Type+" "+h.Value)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q gives %q, want %q", content, got, want)
		}
	}
}

func TestSigma(t *testing.T) {
	ref := marker.SigmaRef{Base: "https://cti.example", Owner: owner, Instance: ourInst, Applied: marker.Applied{Known: true, Sent: 1, Maturity: "stable"}}
	body := "title: 'Local admin: group changed'\nid: 4A0F0C9D-7b1a-4c55-9aa4-a62b7f093e1f\nreferences:\n    - https://example.org\n    - " + ref.String() + "\ndetection:\n    condition: a\n"
	direct := "rule_content sigma owners=" + owner + " by=" + ourInst
	a := eventLogAlert()
	a.RuleContent = body
	want := []string{
		"rule_id sigma rule=4a0f0c9d-7b1a-4c55-9aa4-a62b7f093e1f",
		direct,
		"name sigma name=Local admin group changed",
	}
	if diff := cmp.Diff(want, fired(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, content := range map[string]string{
		"cut inside":       body[:strings.Index(body, "detection")] + "detection: {a: [",
		"as JSON":          strconv.Quote(body),
		"another document": body + "---\ntitle: b\n",
	} {
		a.RuleContent = content
		if !slices.Contains(fired(a), direct) {
			t.Errorf("%s: %q", name, fired(a))
		}
	}
}

func TestDefectFirstWordOfASigmaTitle(t *testing.T) {
	a := eventLogAlert()
	a.RuleID, a.RuleName = "", " Suspicious: a = b  title "
	if diff := cmp.Diff([]string{"name sigma name=Suspicious: a = b  title"}, fired(a)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestYARA(t *testing.T) {
	line := marker.YARALine{Owners: []string{owner, "c2"}, Instance: ourInst, Applied: marker.Applied{Known: true, Sent: 1, Maturity: "stable"}}.String()
	direct := "rule_content yara owners=" + owner + ",c2 by=" + ourInst
	for _, tt := range []struct {
		name string
		a    alert.Alert
		want []string
	}{
		{"2021", alert.Alert{RuleName: "YARA binary check", RuleID: "YARA binary check", YARA: []alert.YARAMatch{{File: "loader.yar", Rule: "loader_strings", Source: "from_OpenCTI"}, {Rule: ""}}},
			[]string{"name yara list named=from_OpenCTI name=loader.yar yara=loader_strings"}},
		{"2023", alert.Alert{RuleName: "YARA binary check: in: loader_strings "}, []string{"name yara yara=loader_strings"}},
		{"a name alone", alert.Alert{RuleName: "loader_strings", RuleID: "loader_strings"}, []string{"rule_id yara rule=loader_strings", "name yara yara=loader_strings"}},
		{"a name that is none", alert.Alert{RuleName: "YARA binary check: 2 rules"}, nil},
		{"the file", alert.Alert{RuleContent: line + "\nrule a { condition: true }"}, []string{direct}},
		{"the file under other text", alert.Alert{RuleContent: "\r\n/* x */\r\n  " + line + "\r\nrule a { condition: true }"}, []string{direct}},
	} {
		tt.a.Type = "yara"
		if diff := cmp.Diff(tt.want, fired(&tt.a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestHashesCountOnlyWhereAHashMayHaveFired(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*alert.Alert)
		want   int
	}{
		"a hash":               {func(*alert.Alert) {}, 2}, // besides that of the message
		"nothing said":         {func(a *alert.Alert) { a.Message, a.Matches = "?", nil }, 3},
		"a file that was made": {func(a *alert.Alert) { a.Detected, a.Written = alert.File{}, a.Detected }, 2},
		"a name":               {func(a *alert.Alert) { a.Message, a.Matches = "x: filename=tool.exe", nil }, 0},
		"a name in the list": {func(a *alert.Alert) {
			a.Message = "x: filename=tool.exe"
			a.Matches[0] = alert.Match{Type: "filename", Value: "tool.exe"}
		}, 0},
		"a Sigma rule": {func(a *alert.Alert) { a.Type = "sigma" }, 0},
	} {
		a := fileAlert()
		tt.change(a)
		n := 0
		for _, h := range reader.Fired(a) {
			if h.From == alert.ByHash {
				n++
			}
		}
		if n != tt.want {
			t.Errorf("%s: %d hints by hashes, want %d", name, n, tt.want)
		}
	}
}

func TestWhatIsNotOurEngines(t *testing.T) {
	for _, typ := range []string{"hlai", "vt", "ransom", "hurukaiav", "selfprotection", "correlation", "driver"} {
		a := fileAlert()
		a.Type, a.Message, a.Matches, a.Detected = typ, "", nil, alert.File{}
		if got := fired(a); got != nil {
			t.Errorf("%s: %q", typ, got)
		}
	}
	want := []string{"rule_id rule=2d1f6a54-40b5-4b0f-8a55-90a3f5f7c001", "name sigma name=x: y", "name yara yara=y"}
	if diff := cmp.Diff(want, fired(&alert.Alert{Type: "quantum", RuleID: "2d1f6a54-40b5-4b0f-8a55-90a3f5f7c001", RuleName: "x: y"})); diff != "" {
		t.Errorf("an unknown type (-want +got):\n%s", diff)
	}
}

func FuzzFired(f *testing.F) {
	for _, a := range forms() {
		f.Add(a.Type, a.RuleName, a.Message, a.RuleContent, "hash", toolSHA256)
	}
	f.Add("ioc", "x", "url=http://a/?url=b", "url,\"a\"\"b\",\"{\"\"indicator_id\"\":\"\"i\"\"}\"", "ip_src", "::ffff:1.2.3.4/100")
	f.Add("yara", "a: b", "x:", "// harfangsync indicator=a instance=b applied=c", "domain_name", "İ.example")
	f.Add("sigma", "", "", "references: [https://x/dashboard/observations/indicators/y#harfangsync=a,1:0-b]", "", "")
	f.Fuzz(func(t *testing.T, typ, name, msg, content, matchType, match string) {
		a := fileAlert()
		a.Type, a.RuleName, a.Message, a.RuleContent = typ, name, msg, content
		a.Matches = []alert.Match{{SourceID: ourList, Type: matchType, Value: match}}
		hints := reader.Fired(a)
		if !cmp.Equal(hints, reader.Fired(a)) {
			t.Error("asked twice, answers differ")
		}
		last := 0
		order := []alert.Clue{alert.ByRuleID, alert.ByMatch, alert.ByMessage, alert.ByContent, alert.ByHash, alert.ByName}
		for i, h := range hints {
			at := slices.Index(order, h.From)
			if at < last {
				t.Errorf("%s comes late", show(h))
			}
			last = at
			if h.Kind == reconcile.IOC && h.Type == "hash" && !slices.Contains([]int{32, 40, 64}, len(h.Value)) {
				t.Errorf("%s: no hash", show(h))
			}
			if !h.Direct() && h.RuleID+h.Value+h.Name+h.YARARule == "" {
				t.Errorf("a hint at nothing: %+v", h)
			}
			for _, other := range hints[:i] {
				if cmp.Equal(h, other) {
					t.Errorf("twice: %s", show(h))
				}
			}
		}
		if len(hints) > 64 {
			t.Errorf("%d hints", len(hints))
		}
		m := maker(t)
		checked(t, m, made(t)(m.Alert(a, []string{indicator}, none)))
	})
}
