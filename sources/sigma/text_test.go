package sigma_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/sigma"
)

// Rules are written short here: a head is put before them.
const head = "title: t\n"

func TestTextIsEditedWhereItMustBeAndNowhereElse(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"nothing to say in other words", "logsource: {product: windows, category: process_creation}\ndetection:\n  s:   {Image|endswith: '\\a.exe'}   # why\n  condition: s\n", "="},
		{"block style", `
logsource:
    category: file_event   # Sysmon 11
    product: windows
detection:
    # the dropper 😀
    selection:
        Image|endswith:
            - '\cmd.exe'   # by hand
            - "\\powershell.exe"
        TargetFilename|contains: ':\Temp\'
    condition:   selection
level: high
`, `
logsource:
    category: file_create   # Sysmon 11
    product: windows
detection:
    # the dropper 😀
    selection:
        ProcessImage|endswith:
            - '\cmd.exe'   # by hand
            - "\\powershell.exe"
        TargetFilename|contains: ':\Temp\'
    condition:   selection
level: high
`},
		{"flow style", "logsource: {product: windows,category: registry_set}\ndetection: {s: {TargetObject: 'x'}, condition: \"s\"}\n",
			"logsource: {product: windows,category: registry_event}\ndetection: {s: {TargetObject: 'x'}, harfanglab: {EventType: SetValue}, condition: \"(s) and harfanglab\"}\n"},
		{"a folded condition", `
logsource: {product: windows, category: registry_add}
detection:
  s: {TargetObject: x}
  f: {Image: y}
  condition: s and
    not f   # not ours
`, `
logsource: {product: windows, category: registry_event}
detection:
  s: {TargetObject: x}
  f: {Image: y}
  harfanglab:
      EventType: CreateKey
  condition: (s and
    not f) and harfanglab   # not ours
`},
		{"a condition as a block", "logsource: {product: windows, category: ps_module}\ndetection:\n  s: {Payload: x}\n  condition: >-\n    s or\n    s\n",
			"logsource: {product: windows, service: powershell}\ndetection:\n  s: {Payload: x}\n  harfanglab:\n      EventID: 4103\n  condition: >-\n    (s or\n    s) and harfanglab\n"},
		{"without a line end", "logsource: {product: macos, category: file_event}\ndetection:\n  condition: s\n  s: {TargetFilename: x}",
			"logsource: {product: macos, category: filesystem_event}\ndetection:\n  condition: (s) and harfanglab\n  s: {Path: x}\n  harfanglab:\n      Kind: create"},
		{"a service with no name of its own", "logsource: {product: windows, service: ntlm}\ndetection: {s: {EventID: 8001}, condition: s}\n",
			"logsource: {product: windows, category: eventlog}\ndetection: {s: {EventID: 8001}, harfanglab: {LogName: 'Microsoft-Windows-NTLM/Operational'}, condition: (s) and harfanglab}\n"},
		{"hashes of one algorithm", "logsource: {product: windows, category: process_creation}\ndetection:\n  s:\n    Hashes|contains:\n      - 'IMPHASH=0123456789abcdef0123456789abcdef' # one\n      - \"imphash=0123456789ABCDEF0123456789ABCDEF\"\n  condition: s\n",
			"logsource: {product: windows, category: process_creation}\ndetection:\n  s:\n    Imphash:\n      - '0123456789abcdef0123456789abcdef' # one\n      - \"0123456789ABCDEF0123456789ABCDEF\"\n  condition: s\n"},
		{"hashes of several, as alternatives", `
logsource: {product: windows, category: process_creation}
detection:
  s:
    Hashes|contains: ['MD5=0123456789abcdef0123456789abcdef', 'SHA1=0123']
    Image|endswith: '\a.exe'
  condition: s
`, `
logsource: {product: windows, category: process_creation}
detection:
  s:
      - md5: '0123456789abcdef0123456789abcdef'
        Image|endswith: '\a.exe'
      - sha1|startswith: '0123'
        Image|endswith: '\a.exe'
  condition: s
`},
		{"hashes that all have to be there", `
logsource: {product: windows, category: process_creation}
detection:
  s:
    Hashes|contains|all: ['MD5=0123456789abcdef0123456789abcdef', 'SHA1=0123']
  condition: s
`, `
logsource: {product: windows, category: process_creation}
detection:
  s:
      md5: '0123456789abcdef0123456789abcdef'
      sha1|startswith: '0123'
  condition: s
`},
		{"a value that cannot be said beside one that can", "logsource: {product: windows, category: driver_load}\ndetection:\n  s:\n    Hashes|contains:\n      - 'IMPHASH=0123456789abcdef0123456789abcdef'\n      - 'SHA256=01'\n  condition: s\n",
			"logsource: {product: windows, category: driver_load}\ndetection:\n  s:\n    DriverSha256|startswith:\n      - '01'\n  condition: s\n"},
		{"them, which would take our selection", "logsource: {product: windows, category: registry_set}\ndetection:\n  a: {TargetObject: x}\n  b: {TargetObject: y}\n  _c: {TargetObject: z}\n  condition: 1 of them and not _c\n",
			"logsource: {product: windows, category: registry_event}\ndetection:\n  a: {TargetObject: x}\n  b: {TargetObject: y}\n  _c: {TargetObject: z}\n  harfanglab:\n      EventType: SetValue\n  condition: ((a or b) and not _c) and harfanglab\n"},
		{"a pattern that would take our selection", "logsource: {product: windows, category: registry_set}\ndetection:\n  h1: {TargetObject: x}\n  condition: all of h*\n",
			"logsource: {product: windows, category: registry_event}\ndetection:\n  h1: {TargetObject: x}\n  only_harfanglab:\n      EventType: SetValue\n  condition: (all of h*) and only_harfanglab\n"},
		{"a branch that cannot be said", "logsource: {product: windows, category: process_creation}\ndetection:\n  a: {Image: x}\n  b:\n    - Unheard: y\n  c: {Image: z}\n  condition: (a or b) and c\n",
			"logsource: {product: windows, category: process_creation}\ndetection:\n  a: {Image: x}\n  c: {Image: z}\n  condition: (a) and c\n"},
		{"a reference to a field", "logsource: {product: windows, category: file_event}\ndetection:\n  s: {TargetFilename|fieldref: Image}\n  condition: s\n",
			"logsource: {product: windows, category: file_create}\ndetection:\n  s: {TargetFilename|fieldref: ProcessImage}\n  condition: s\n"},
		{"anchors, which are written out", "logsource: &l {product: windows, category: file_delete}\ndetection:\n  s: &s {Image: x}\n  f: *s\n  condition: s and not f\n",
			"logsource: {product: windows, category: file_remove}\ndetection:\n    s: {ProcessImage: x}\n    f: {ProcessImage: x}\n    condition: s and not f\n"},
		{"what says its event already", "logsource: {product: windows, category: registry_set}\ndetection:\n  s: {EventType: SetValue, TargetObject: x}\n  condition: s\n",
			"logsource: {product: windows, category: registry_event}\ndetection:\n  s: {EventType: SetValue, TargetObject: x}\n  condition: s\n"},
		{"what names its event in a filter alone", "logsource: {product: windows, category: registry_set}\ndetection:\n  s: {Details: x}\n  f: {EventType: SetValue}\n  condition: s and not f\n",
			"logsource: {product: windows, category: registry_event}\ndetection:\n  s: {Details: x}\n  f: {EventType: SetValue}\n  harfanglab:\n      EventType: SetValue\n  condition: (s and not f) and harfanglab\n"},
		{"a rule of HarfangLab's own", "logsource: {product: windows, category: registry_event}\ndetection: {s: {EventType: ReadValue}, condition: s}\n", "="},
	} {
		for _, ends := range []struct{ name, eol string }{{"", "\n"}, {", CRLF", "\r\n"}, {", after a byte order mark", "\n"}} {
			text := func(s string) string {
				s = strings.ReplaceAll(head+strings.TrimPrefix(s, "\n"), "\n", ends.eol)
				if strings.Contains(ends.name, "mark") {
					s = "\ufeff" + s
				}
				return s
			}
			if strings.Contains(tt.name, "anchors") && ends.name != "" {
				continue // written anew
			}
			want := tt.want
			if want == "=" {
				want = tt.src
			}
			got, skip := sigma.Translate(text(tt.src))
			if skip != nil {
				t.Errorf("%s%s: skipped: %s, %s", tt.name, ends.name, skip.Reason, skip.Detail)
			} else if d := cmp.Diff(text(want), got.Text); d != "" {
				t.Errorf("%s%s (-want +got):\n%s", tt.name, ends.name, d)
			}
		}
	}
}

func TestWhatCannotBeSaidIsNamed(t *testing.T) {
	for _, tt := range []struct {
		name, logsource, detection string
		why                        reconcile.Reason
		detail                     string
	}{
		{"another product", "product: aws, service: cloudtrail", "s: {a: b}, condition: s", reconcile.UnsupportedLogsource, "no agent knows product aws, service cloudtrail"},
		{"an unknown category", "product: windows, category: wmi_event", "s: {a: b}, condition: s", reconcile.UnsupportedLogsource, "no agent knows product windows, category wmi_event"},
		{"a category of no product", "category: file_event", "s: {a: b}, condition: s", reconcile.UnsupportedLogsource, "no agent knows category file_event"},
		{"a category and a service", "product: windows, category: process_creation, service: security", "s: {a: b}, condition: s", reconcile.UnsupportedLogsource, "no agent knows product windows, category process_creation, service security"},
		{"fields", "product: windows, category: process_creation", "s: {Foo: b, Bar|contains: c, Image: d}, condition: s", reconcile.UnsupportedField, "windows process_creation has no Bar, Foo"},
		{"words", "product: windows, service: system", "s: [a, b], condition: s", reconcile.UnsupportedField, "an event log has no words without a field"},
		{"a field in what is left out of a rule", "product: windows, category: process_creation", "s: {Image: d}, f: [{Foo: b}, {Image: c}], condition: s and not f", reconcile.UnsupportedField, "windows process_creation has no Foo"},
		{"the target of a thread", "product: windows, category: create_remote_thread", "s: {TargetImage: b}, condition: s", reconcile.UnsupportedField, "windows remote_thread has no TargetImage"},
		{"hashes of a service", "product: windows, service: system", "s: {Hashes: b}, condition: s", reconcile.UnsupportedField, "an event log has no Hashes"},
		{"a part of a hash that has to be all", "product: windows, category: process_creation", "s: {Hashes: 'MD5=0123'}, condition: s", reconcile.UnsupportedField, "windows process_creation has no Hashes of MD5=0123"},
		{"one hash that has to be all", "product: windows, category: process_creation", "s: {Hashes: 'MD5=0123456789abcdef0123456789abcdef'}, condition: s", reconcile.UnsupportedField, "windows process_creation has no Hashes of MD5=0123456789abcdef0123456789abcdef and no other algorithm"},
		{"hashes with another between them", "product: windows, category: process_creation", "s: {Hashes|contains: 'MD5=0123456789abcdef0123456789abcdef,IMPHASH=01'}, condition: s", reconcile.UnsupportedField, "windows process_creation has no Hashes of MD5=0123456789abcdef0123456789abcdef,IMPHASH=01"},
		{"a part of a hash with another behind it", "product: windows, category: process_creation", "s: {Hashes|contains: 'MD5=01,SHA256=02'}, condition: s", reconcile.UnsupportedField, "windows process_creation has no Hashes of MD5=01,SHA256=02"},
		{"a part of a hash that ends", "product: windows, category: process_creation", "s: {Hashes|contains: 'MD5=01,'}, condition: s", reconcile.UnsupportedField, "windows process_creation has no Hashes of MD5=01,"},
		{"a channel that agents do not collect", "product: windows, service: dns-server-audit", "s: {EventID: 541}, condition: s", reconcile.UnsupportedLogsource, "no agent knows product windows, service dns-server-audit"},
		{"the process of an event that is about two", "product: windows, category: process_access", "s: {CommandLine: x}, condition: s", reconcile.UnsupportedField, "windows process_access has no CommandLine"},
		{"a public name in HarfangLab's own category", "product: windows, category: file_create", "s: {Image: x}, condition: s", reconcile.UnsupportedField, "windows file_create has no Image"},
		{"a hash of what is left out of a rule", "product: windows, category: driver_load", "s: {ImageLoaded: x}, f: {Hashes|contains: ['IMPHASH=01', 'MD5=02']}, condition: s and not f", reconcile.UnsupportedField, "windows driver_load has no Hashes with IMPHASH"},
		{"an event id", "product: windows, service: security", "s: {EventID: 4673}, condition: s", reconcile.UnsupportedEvent, "HarfangLab has no EventID 4673 in Security"},
		{"a provider", "product: windows, service: application", "s: {Provider_Name: ScreenConnect, EventID: 200}, condition: s", reconcile.UnsupportedEvent, "HarfangLab has no events of ScreenConnect in Application"},
		{"an id of a provider", "product: windows, service: application", "s: {Provider_Name: MSSQLSERVER, EventID: 33205}, condition: s", reconcile.UnsupportedEvent, "HarfangLab has no EventID 33205 in Application"},
		{"a registry event", "product: windows, category: registry_delete", "s: {EventType: DeleteValue}, condition: s", reconcile.UnsupportedEvent, "HarfangLab has no EventType DeleteValue"},
		{"a count beside an added test", "product: windows, category: registry_set", "s: {Details: x}, condition: s | count() > 5", reconcile.UnsupportedField, "windows registry_event has no way to say the condition s | count() > 5"},
		{"a condition about nothing", "product: windows, category: process_creation", "s: {Image: x}, condition: s and t", reconcile.InvalidRule, `Sigma: the condition names "t", which is no selection`},
		{"everything", "product: windows, category: process_creation", "s: {Image: '*'}, condition: s", reconcile.MatchesEverything, "its condition holds for an event that none of its tests knows anything of"},
		{"everything but", "product: windows, category: process_creation", "f: {Image: x}, condition: not f", reconcile.MatchesEverything, "its condition holds for an event that none of its tests knows anything of"},
		{"any name, in a way", "product: windows, category: process_creation", "s: {Image|re: '.*'}, f: {CommandLine|contains: ''}, condition: all of them", reconcile.MatchesEverything, "its condition holds for an event that none of its tests knows anything of"},
		{"any word", "product: windows, category: process_creation", "keywords: ['evil', '*'], condition: keywords", reconcile.MatchesEverything, "its condition holds for an event that none of its tests knows anything of"},
		{"any name that has a letter", "product: windows, category: process_creation", "s: {Image: '?*'}, condition: s", reconcile.MatchesEverything, "its condition holds for an event that none of its tests knows anything of"},
		{"any number", "product: windows, category: network_connection", "s: {DestinationPort|gte: 0}, condition: s", reconcile.MatchesEverything, "its condition holds for an event that none of its tests knows anything of"},
		{"a count", "product: windows, category: process_creation", "s: {Image: x}, condition: s | count(User) by Image > 10", reconcile.UnsupportedField, "windows process_creation has no way to say the condition s | count(User) by Image > 10"},
		{"a selection near another", "product: windows, category: process_creation", "s: {Image: x}, r: {Nofield: x}, condition: s | near r", reconcile.UnsupportedField, "windows process_creation has no way to say the condition s | near r"},
		{"a merge", "product: windows, service: security", "s: {<<: {EventID: '*'}}, condition: s", reconcile.InvalidRule, "Sigma: a selection with a merge (<<), or with another key that is no field"},
		{"a merge in a list", "product: windows, service: security", "s: [{EventID: 1}, {<<: {Hashes|contains: x}}], condition: s", reconcile.InvalidRule, "Sigma: a selection with a merge (<<), or with another key that is no field"},
		{"two selections of one name", "product: windows, category: process_creation", "1: {Image: 'C:\\a'}, '1': {Image: '*'}, condition: '1'", reconcile.InvalidRule, "Sigma: two selections are named 1"},
		{"a list in a list", "product: windows, category: process_creation", "s: {Image: [['*']]}, condition: s", reconcile.InvalidRule, "Sigma: a value of Image that is no text and no number"},
		{"a selection in a list in a list", "product: windows, category: process_creation", "s: [[{Image: '*'}]], condition: s", reconcile.InvalidRule, "Sigma: a list of lists in a selection"},
		{"a mapping as a value", "product: windows, category: process_creation", "s: {EventID: {a: '*'}}, condition: s", reconcile.InvalidRule, "Sigma: a value of EventID that is no text and no number"},
		{"something after all", "product: windows, category: process_creation", "s: {Image: '*', CommandLine: '*x*'}, condition: s", "", ""},
	} {
		_, skip := sigma.Translate(head + "logsource: {" + tt.logsource + "}\ndetection: {" + tt.detection + "}\n")
		if reasonOf(skip) != tt.why || skip != nil && skip.Detail != tt.detail {
			t.Errorf("%s: %+v, want %s: %s", tt.name, skip, tt.why, tt.detail)
		}
	}
}

func TestARuleThatMultipliesIsTranslatedInLittleMemory(t *testing.T) {
	const source = "logsource: {product: windows, category: process_creation}\ndetection:\n"
	for name, tt := range map[string]struct {
		src  string
		want reconcile.Reason // "" where it is translated
	}{
		"300 quantifiers over 300 selections":    {source + numbered("  a%d: {Image: x}\n", 300) + "  condition: a0" + strings.Repeat(" or 1 of a*", 300) + "\n", ""},
		"1000 quantifiers over 1000 selections":  {source + numbered("  a%d: {Image: x}\n", 1000) + "  condition: a0" + strings.Repeat(" or 1 of a*", 1000) + "\n", reconcile.InvalidRule},
		"300 conditions over 1000 selections":    {source + numbered("  a%d: {Image: x}\n", 1000) + "  condition:\n" + strings.Repeat("    - 1 of a*\n", 300), reconcile.InvalidRule},
		"1000 selections that cannot be said":    {source + numbered("  a%d: {Nothing%[1]d: x}\n", 1000) + "  b: {Image: x}\n  condition: b" + numbered(" or a%d", 1000) + "\n", ""},
		"20000 mappings on one line":             {source + "  s: [" + strings.Repeat("{Image: a}, ", 20_000) + "]\n  condition: s\n", ""},
		"hashes of two algorithms, with others":  {source + "  s:\n    Hashes|contains:\n" + strings.Repeat("      - SHA1="+strings.Repeat("a", 40)+",MD5="+strings.Repeat("b", 32)+"\n", 500) + "    Image:\n" + strings.Repeat("      - x\n", 2000) + "  condition: s\n", reconcile.TooLong},
		"all hashes that a rule has room for":    {source + "  s:\n    Image: x\n    Hashes|contains:\n    - MD5=" + strings.Repeat("a", 32) + "\n" + numbered("    - SHA256=%064x\n", 13_400) + "  condition: s\n", ""},
		"pairs of hashes":                        {source + "  s:\n    Hashes|contains:\n" + numbered("      - SHA1=%040x,MD5=%032[1]x\n", 6000) + "    Image: x\n  condition: s\n", ""},
		"an expression of many repetitions":      {source + "  s:\n    Image|re:\n" + strings.Repeat("      - '("+strings.Repeat("ab?", 300)+"){0,1000}'\n", 20) + "  condition: s\n", reconcile.MatchesEverything},
		"an expression of classes to be folded":  {source + "  s:\n    Image|re: '(?i)" + strings.Repeat("[B-\U0001e942]", 2000) + "'\n  condition: s\n", ""},
		"an expression that matches every value": {source + "  s:\n    Image|re: '(?i)^.{0,50}.*$'\n  condition: s\n", reconcile.MatchesEverything},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rule, skip := sigma.Translate(head + tt.src)
		runtime.ReadMemStats(&after)
		got := reconcile.Reason("")
		if skip != nil {
			got = skip.Reason
		}
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(10_000*len(tt.src)); got != tt.want || skip == nil && !strings.Contains(rule.Text, "Image") || len(rule.Notes) > 103 || used > most {
			t.Errorf("%s: %v with %d notes, want %q, in %d bytes of memory, %d for each byte", name, skip, len(rule.Notes), tt.want, used, used/uint64(len(tt.src)))
		}
	}
}

func numbered(form string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i)
	}
	return b.String()
}

func TestWhatARuleMissesIsSaid(t *testing.T) {
	for _, tt := range []struct{ name, logsource, detection, want string }{
		{"a sound one", "product: windows, category: process_creation", "s: {Image: x}, condition: s", ""},
		{"files written over", "product: windows, category: file_event", "s: {TargetFilename: x}, condition: s", "narrower: files that are written over"},
		{"appends", "product: linux, category: file_event", "s: {TargetFilename: x}, condition: s", "wider: appends to a file that was there count as writes"},
		{"one id of two", "product: windows, service: security", "s: {EventID: [4624, 4673]}, condition: s", "narrower: EventID 4673 in Security"},
		{"an id of a filter", "product: windows, service: security", "s: {EventID: 4624}, f: {EventID: 4673}, condition: s and not f", ""},
		{"a branch", "product: windows, category: process_creation", "s_a: {Image: x}, s_b: {Foo: y}, condition: 1 of s_*", "narrower: the branch s_b"},
		{"a mapping of a list", "product: windows, category: process_creation", "s: [{Image: x}, {Foo: y}], condition: s", "narrower: Foo"},
		{"agents of another product", "category: process_creation", "s: {IntegrityLevel: High}, condition: s", "narrower: events of macos, narrower: events of linux"},
	} {
		got, skip := sigma.Translate(head + "logsource: {" + tt.logsource + "}\ndetection: {" + tt.detection + "}\n")
		if notes := strings.Join(got.Notes, ", "); notes != tt.want || skip != nil {
			t.Errorf("%s: %q, want %q; skip %+v", tt.name, notes, tt.want, skip)
		}
	}
}

func TestWhatIsNoRuleStaysAsItIs(t *testing.T) {
	for _, src := range []string{"", "title: x", "- a", "a: [", "title: x\ndetection: {condition: x}", "title: x\nlogsource: {product: windows}\ndetection: []"} {
		if got, skip := sigma.Translate(src); skip != nil || got.Text != src {
			t.Errorf("%q becomes %q, skip %+v", src, got.Text, skip)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add(head + "logsource: {product: windows, category: registry_set}\ndetection:\n  s: {TargetObject: x}\n  condition: 1 of them\n")
	f.Add(head + "logsource:\r\n  product: windows\r\n  category: process_creation\r\ndetection:\r\n  s:\r\n    - Hashes|contains: [MD5=aa, 'SHA1=bb']\r\n      Image: |-\r\n        x\r\n  condition: >\r\n    s\r\n")
	f.Add(head + "logsource: &a {product: windows, service: system}\ndetection: {s: {Provider_Name: x, EventID: 1}, condition: [s, not s]}\n")
	f.Fuzz(func(t *testing.T, src string) {
		got, skip := sigma.Translate(src)
		if skip != nil {
			return
		}
		again, skip := sigma.Translate(got.Text)
		if skip != nil || again.Text != got.Text {
			t.Errorf("%q becomes %q, and then %q (%+v)", src, got.Text, again.Text, skip)
		}
	})
}
