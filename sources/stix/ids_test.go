package stix

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The ids are what the platform computes itself, found with its own libraries.
func TestIDsAreThePlatforms(t *testing.T) {
	const (
		md5    = "d41d8cd98f00b204e9800998ecf8427e"
		sha1   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
		sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

		ipIndicator = "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968"
		beaconing   = "incident--0dd27c59-e170-57ee-8f53-fadc094093bd"
		corp        = "identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"
	)
	when := func(s string) time.Time { return instant(t, s) }
	address := func(s string) string {
		typ, a := address(s)
		return valueID(typ, "value", a)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"an organization", identityID("organization", "Example Corp"), corp},
		{"an organization in other case, with blanks", identityID("Organization", "  EXAMPLE corp "), corp},
		{"an organization with two blanks inside", identityID("organization", "Example  Corp"), "identity--a4578b58-ae6a-5c9d-8093-5095f41f1233"},
		{"an organization beyond ASCII", identityID("organization", "Société Générale d’Étude"), "identity--61bf3d8f-7799-5be2-b38a-2ae37921bbb4"},
		{"a system", identityID("system", "srv-db-01.corp.example"), "identity--81f298e7-4bb5-5459-8451-8bca41e52c14"},
		{"a system in capitals", identityID("system", "SRV-DB-01"), "identity--973d5cbe-8806-51a0-a400-6de2e49edcf2"},
		{"a system by its address", identityID("system", "192.0.2.10"), "identity--6ef65dca-172c-5534-b888-1dca194142a7"},

		{"an incident", namedID("incident", "Alert 4711: beaconing", when("2026-03-01T10:00:00Z")), beaconing},
		{"an incident, its time cut and not rounded", namedID("incident", "Alert 4711: beaconing", when("2026-03-01T10:00:00.000999Z")), beaconing},
		{"an incident, its time from elsewhere", namedID("incident", "Alert 4711: beaconing", when("2026-03-01T12:00:00+02:00")), beaconing},
		{"an incident a millisecond later", namedID("incident", "Alert 4711: beaconing", when("2026-03-01T10:00:00.001Z")), "incident--f9ea6adf-ac3c-572e-b946-661b29cc8f81"},
		{"an incident in other case", namedID("incident", " ALERT 4711: Beaconing", when("2026-03-01T10:00:00Z")), beaconing},
		{"a case", namedID("case-incident", "Case 99 – phishing wave", when("2026-03-02T09:30:15.25+01:00")), "case-incident--5a1c766f-0734-5129-ad64-1199e7d7e487"},
		{"a case in capitals", namedID("case-incident", "CASE 100", when("2026-03-02T08:30:15Z")), "case-incident--795840e3-3482-5462-8dff-5980204f3c82"},

		{"a note", noteID("Analyst comment", "", when("2026-03-02T09:00:00Z")), "note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34"},
		{"a note with an abstract", noteID("Analyst comment", "Triage", when("2026-03-02T09:00:00Z")), "note--5debf649-153a-5eee-8fe8-0839948985ff"},
		{"a note keeps its case", noteID("\n  Analyst Comment \n", "", when("2026-03-02T09:00:00Z")), "note--d1d194d1-fe07-5584-90b8-aa075c7cba3a"},
		{"a note with a blank abstract", noteID("Analyst comment", "   ", when("2026-03-02T09:00:00Z")), "note--7f65a6f1-b6c1-5fec-a53f-dccca351bf34"},
		{"a note with quotes, tabs and tags", noteID("## Findings\n- \"quoted\"\t<tag>\n- back\\slash", "", when("2026-03-02T09:00:00Z")), "note--440d960e-a14b-5d06-b04e-44ab14148193"},

		{"a technique", attackPatternID("T1059"), "attack-pattern--2564d78f-c102-5432-99eb-c6bb50177e94"},
		{"a technique within one", attackPatternID("T1059.001"), "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"},
		{"a technique in lower case", attackPatternID("t1059.001"), "attack-pattern--b4d20430-6a7e-59fd-b2e4-8d3f6be56a6a"},
		{"a technique on an old platform", oldAttackPatternID("T1059"), "attack-pattern--bab942ff-7c9c-5062-9e92-3392bfb2fd74"},
		{"a technique within one on an old platform", oldAttackPatternID("T1059.001"), "attack-pattern--5a9d0c10-3eab-5b54-9d30-d9ae590d238b"},

		{"a file by SHA-256", fileID(hashes{SHA256: sha256}, ""), "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"},
		{"a file by MD5 before all others", fileID(hashes{MD5: md5, SHA1: sha1, SHA256: sha256}, ""), "file--02fff920-f614-527c-81d1-6353633a6d21"},
		{"a file by SHA-1 before SHA-256", fileID(hashes{SHA1: sha1, SHA256: sha256}, ""), "file--fa6e66a5-f019-51f9-8ab5-812023e58c6e"},
		{"a file with a hash, whatever its name", fileID(hashes{SHA256: sha256}, "payload.exe"), "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"},
		{"a file by name", fileID(hashes{}, "payload.exe"), "file--551d9698-9e57-547a-bd63-1f46262137c5"},
		{"a file by name in capitals", fileID(hashes{}, "PAYLOAD.EXE"), "file--cabd0403-1046-5244-adaa-9159f3338eb7"},
		{"a file by a hash in capitals", fileID(hashes{MD5: hash("D41D8CD98F00B204E9800998ECF8427E", md5Digits)}, ""), "file--02fff920-f614-527c-81d1-6353633a6d21"},

		{"a host name", valueID("hostname", "value", hostName("srv-db-01.corp.example")), "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1"},
		{"a host name in capitals", valueID("hostname", "value", hostName("SRV-DB-01")), "hostname--95b09471-cfab-5f9b-87f1-278533d0f890"},
		{"a domain", valueID("domain-name", "value", domain("EVIL.Example")), "domain-name--69228563-c8d2-54ae-aeca-5f4134cb59aa"},
		{"a domain below another", valueID("domain-name", "value", domain("c2.evil.example.")), "domain-name--490ac41b-41c8-5c9c-bb47-f2ece64875bc"},
		{"an international domain", valueID("domain-name", "value", domain("Bücher.example")), "domain-name--2756bcd2-4f67-5280-b058-56605b46834f"},
		{"an IPv4 address", address("198.51.100.7"), "ipv4-addr--12592121-be4c-5a93-a813-5a5af16e50db"},
		{"an IPv4 address in IPv6", address("::ffff:198.51.100.7"), "ipv4-addr--12592121-be4c-5a93-a813-5a5af16e50db"},
		{"an IPv4 network", address("198.51.100.0/24"), "ipv4-addr--1ea47840-aa39-5aa8-b4a2-cd203eb6662a"},
		{"another IPv4 address", address("203.0.113.255"), "ipv4-addr--d8c27499-38ea-58a9-8ee5-57a9212d0422"},
		{"an IPv6 address", address("2001:db8::1"), "ipv6-addr--6469e3a9-b053-5e34-a025-9396ae051d26"},
		{"an IPv6 address at length", address("2001:0DB8:0:0:0:0:0:1"), "ipv6-addr--6469e3a9-b053-5e34-a025-9396ae051d26"},
		{"an IPv6 network", address("2001:db8::/32"), "ipv6-addr--8da31feb-e0f9-54c3-ab30-bd8ccea361dd"},
		{"a URL", valueID("url", "value", "http://evil.example/path"), "url--db114699-49d3-52ca-bf14-fb40706373a4"},
		{"a URL with what HTML escapes", valueID("url", "value", "https://evil.example/?a=1&b=<x>&c=é"), "url--52ec6f8d-1219-536b-a109-24d12c83dbbc"},
		{"a URL keeps its case", valueID("url", "value", "HTTP://EVIL.example/Path"), "url--b7fbaeae-7f85-5adc-b48a-f0aadff89606"},
		{"a folder of Windows", valueID("directory", "path", splitPath(`C:\Windows\Temp\`).whole), "directory--65bf9886-c2fc-5ab1-b872-66a740617647"},
		{"a folder of Unix", valueID("directory", "path", splitPath("/var/tmp/").whole), "directory--4bc10abe-bfef-519f-b868-3c43b01a09ff"},
		{"a process", valueID("process", "command_line", "powershell.exe -nop -enc SQBFAFgA"), "process--9ccfdb9b-8ce1-5cce-aefe-42b46bddaf55"},
		{"a process with quotes and backslashes", valueID("process", "command_line", `"C:\Program Files\x\y.exe" /c "a&b"`), "process--b8e25fb5-8016-5e2a-9e39-1075d8fd0e52"},
		{"an account by its name", userAccountID("jdoe", ""), "user-account--bc11eaab-cfd6-5ad8-bf02-2386bf690e12"},
		{"an account by its id", userAccountID("", "1001"), "user-account--6c60cab0-c5a6-54cf-be81-94eff8deeb9e"},

		{"indicator indicates incident", relationshipID("indicates", "indicator--4085ccb3-051d-5f93-9a2e-e75dfe732425", beaconing), "relationship--56f92db6-b4e5-574e-976c-54a77e8d8ab2"},
		{"incident uses technique", relationshipID("uses", beaconing, attackPatternID("T1059.001")), "relationship--5243e47f-4a01-5602-8762-a051d7eb9904"},
		{"observable related to incident", relationshipID("related-to", "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c", beaconing), "relationship--64e01275-c844-5a25-a1c8-60587a7addb4"},
		{"incident targets system", relationshipID("targets", beaconing, identityID("system", "srv-db-01.corp.example")), "relationship--17f0b045-864c-538d-9bbb-17bae1e54f50"},
		{"a sighting, without its dates", sightingID(ipIndicator, corp), "sighting--d672d126-1884-549a-a4fe-ee0cf2f8f3a5"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	for _, tt := range []struct {
		name       string
		value      contributing
		want, uuid string
	}{
		{"what HTML escapes", contributing{"value": "a<b>&c"}, `{"value":"a<b>&c"}`, "d21bc2b3-f532-57c2-9712-e1e0df28e2fa"},
		{"separators of lines", contributing{"value": "line\u2028sep\u2029"}, "{\"value\":\"line\u2028sep\u2029\"}", "2f4a383c-d713-58b2-b3bd-11c147c9fcc3"},
		{"controls with a letter", contributing{"value": "tab\tnl\nbs\bff\fcr\r"}, `{"value":"tab\tnl\nbs\bff\fcr\r"}`, "6986e585-e727-54c6-82c0-fb91119313be"},
		{"controls without", contributing{"value": "\x01\x1f\x7f"}, "{\"value\":\"\\u0001\\u001f\x7f\"}", "112427ef-f44a-512f-a074-d48184ac55d3"},
		{"quotes and slashes", contributing{"value": `"quoted" back\slash /slash`}, `{"value":"\"quoted\" back\\slash /slash"}`, "7033fca9-a952-54f5-a52f-864e2af25174"},
		{"beyond ASCII", contributing{"value": "é ü 日本 😀"}, `{"value":"é ü 日本 😀"}`, "3d6a9ae5-96b6-5978-9a8e-5f7c596f898d"},
		{"other values", contributing{"b": 1, "a": []any{1, 2, "x"}, "A": true}, `{"A":true,"a":[1,2,"x"],"b":1}`, "0bba516b-7b7d-5248-b213-93449ad7483b"},
		{"names in the order of UTF-16", contributing{"€": 1, "\r": 2, "1": 3, "\u0080": 4, "😀": 5, "\ufb33": 6}, "{\"\\r\":2,\"1\":3,\"\u0080\":4,\"€\":1,\"😀\":5,\"\ufb33\":6}", "46617d70-7499-5bbf-865c-09d5dcd0bd11"},
	} {
		got := canonical(tt.value)
		if id := uuid.NewSHA1(space, got).String(); string(got) != tt.want || id != tt.uuid {
			t.Errorf("%s: got %s, %s; want %s, %s", tt.name, got, id, tt.want, tt.uuid)
		}
	}
}

func TestTimesAreCut(t *testing.T) {
	for in, want := range map[string]string{
		"2026-03-01T10:00:00Z":           "2026-03-01T10:00:00.000Z",
		"2026-03-01T10:00:00.5Z":         "2026-03-01T10:00:00.500Z",
		"2026-03-01T10:00:00.123456Z":    "2026-03-01T10:00:00.123Z",
		"2026-03-01T10:00:00.999999999Z": "2026-03-01T10:00:00.999Z",
		"2026-03-01T12:00:00+02:00":      "2026-03-01T10:00:00.000Z",
		"2026-02-28T23:30:00.25-01:30":   "2026-03-01T01:00:00.250Z",
		"1969-12-31T23:59:59.999Z":       "1969-12-31T23:59:59.999Z",
	} {
		if got := stamp(instant(t, in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// As JavaScript does both, whose results these are.
func TestTrimAndLowerCaseAreJavaScripts(t *testing.T) {
	if got := trim("\ufeff\u00a0\u3000x\u0085\v\u2028"); got != "x\u0085" {
		t.Errorf("trim: %q", got)
	}
	for in, want := range map[string]string{"İx": "i̇x", "ΑΣ": "ας", "ΣΑΣ Σ": "σας σ", "ΑΣ-Β": "ας-β", "ÄÖẞ": "äöß", "ǅ": "ǆ", "WKS-042": "wks-042"} {
		if got := lower(in); got != want {
			t.Errorf("lower(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCanonicalJSONOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		got := string(canonical(contributing{"value": s}))
		inner := strings.TrimSuffix(strings.TrimPrefix(got, `{"value":"`), `"}`)
		if back := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t", `\r`, "\r", `\b`, "\b", `\f`, "\f").Replace(inner); !strings.Contains(inner, `\u00`) && back != s {
			t.Errorf("%q became %s", s, got)
		}
	})
}

func TestPaths(t *testing.T) {
	for in, want := range map[string]path{
		`C:\Users\a\x.exe`:   {`C:\Users\a\x.exe`, `C:\Users\a`, "x.exe", true},
		`C:\x.exe`:           {`C:\x.exe`, `C:\`, "x.exe", true},
		`C:\Windows\`:        {`C:\Windows`, `C:\`, "Windows", true},
		`C:\`:                {`C:\`, `C:\`, "", true},
		`C:/Users/x.exe`:     {`C:/Users/x.exe`, `C:/Users`, "x.exe", true},
		`\\srv\share\x.exe`:  {`\\srv\share\x.exe`, `\\srv\share`, "x.exe", true},
		`dir\x.exe`:          {`dir\x.exe`, "dir", "x.exe", true},
		"x.exe":              {"x.exe", "", "x.exe", false},
		"/usr/bin/x":         {"/usr/bin/x", "/usr/bin", "x", false},
		`/tmp/a\b`:           {`/tmp/a\b`, "/tmp", `a\b`, false},
		"/x":                 {"/x", "/", "x", false},
		"/":                  {"/", "/", "", false},
		"/var/tmp//":         {"/var/tmp", "/var", "tmp", false},
		" \t":                {},
		"a = b: c/d e.exe\n": {"a = b: c/d e.exe", "a = b: c", "d e.exe", false},
	} {
		if got := splitPath(in); got != want {
			t.Errorf("%q: got %+v, want %+v", in, got, want)
		}
	}
}

func TestValuesThatThePlatformRefuses(t *testing.T) {
	hosts := map[string]string{"WKS-042": "WKS-042", "srv.corp.example.": "srv.corp.example", "my_host": "", "192.0.2.1": "", "a b": "", "-x": "", "": "", "bücher": "", strings.Repeat("a", 64): ""}
	for in, want := range hosts {
		if got := hostName(in); got != want {
			t.Errorf("host %q: got %q, want %q", in, got, want)
		}
	}
	domains := map[string]string{"localhost": "", "a..b": "", "evil.example": "evil.example", "198.51.100.7": "", "x.123": "", "_x.example": "", "a b.example": "", strings.Repeat("a.", 130) + "example": ""}
	for in, want := range domains {
		if got := domain(in); got != want {
			t.Errorf("domain %q: got %q, want %q", in, got, want)
		}
	}
	addresses := map[string]string{"198.51.100.7/24": "198.51.100.0/24", "198.51.100.7/32": "198.51.100.7", "::ffff:198.51.100.7/120": "198.51.100.0/24", "fe80::1%eth0": "", "198.51.100": "", "198.051.100.7": "", "198.51.100.7:80": "", "": ""}
	for in, want := range addresses {
		if _, got := address(in); got != want {
			t.Errorf("address %q: got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{strings.Repeat("A", 32): strings.Repeat("a", 32), strings.Repeat("a", 33): "", strings.Repeat("g", 32): "", "": ""} {
		if got := hash(in, md5Digits, sha1Digits, sha256Digits); got != want {
			t.Errorf("hash %q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\u202eb\n\x00 c`", 5)
	f.Add("\ufeff \u0085x", 200)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = 2 + max(most, -most)%300
		once := oneLine(s, most)
		if again := oneLine(once, most); again != once || len([]rune(once)) > most || strings.ContainsAny(once, "\r\n\x00") || trim(once) != once {
			t.Errorf("%q: %q, again %q", s, once, again)
		}
		if once == "" {
			return
		}
		span := code(once)
		if back, ok := decode(span); !ok || back != once || strings.ContainsAny(span, "\r\n") {
			t.Errorf("%q: %q read as %q", once, span, back)
		}
		fence := span[:len(span)-len(strings.TrimLeft(span, "`"))]
		if strings.Count(span[len(fence):len(span)-len(fence)], fence) != 0 {
			t.Errorf("%q: the fence stands inside", span)
		}
	})
}
