package octisim

import "testing"

func TestStandardIDs(t *testing.T) {
	newest := parseVersion("7.260817.0")
	observable := func(o Observable) string { return observableID(newest, &o) }
	const sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	tests := []struct{ name, got, want string }{
		{"indicator", indicatorID(newest, "[ipv4-addr:value = '198.51.100.7']"), "indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968"},
		{"a pattern with what HTML escapes", indicatorID(newest, "[url:value = 'http://evil.example/a b?x=1&y=<2>']"), "indicator--29edd621-2bd7-5087-b129-8c3456263331"},
		{"identity, folded", identityID("Organization", " Example Corp "), "identity--69f1df30-eb2f-5845-88e0-64e2d05ab72e"},
		{"file by its strongest known order", observable(Observable{EntityType: "StixFile", Hashes: Hashes{{"SHA-256", sha256}}}), "file--22f8ff52-8f62-5f03-a53a-6f50f54fd74c"},
		{"file by MD5 before SHA-256", observable(Observable{EntityType: "StixFile", Hashes: Hashes{{"SHA-256", sha256}, {"MD5", "d41d8cd98f00b204e9800998ecf8427e"}}}), "file--02fff920-f614-527c-81d1-6353633a6d21"},
		{"domain, folded", observable(Observable{EntityType: "Domain-Name", Value: " EVIL.example"}), "domain-name--69228563-c8d2-54ae-aeca-5f4134cb59aa"},
		{"hostname", observable(Observable{EntityType: "Hostname", Value: "srv-db-01.corp.example"}), "hostname--a2cb98a0-ca16-5018-b18a-b91aba8c8de1"},
		{"user account", observable(Observable{EntityType: "User-Account", Value: `CORP\jdoe`, Props: map[string]any{"account_type": "windows-domain"}}), "user-account--e44b731b-467d-57ea-9e27-3a40509d28f2"},
		{"process", observable(Observable{EntityType: "Process", Value: "powershell.exe -nop -enc SQBFAFgA"}), "process--9ccfdb9b-8ce1-5cce-aefe-42b46bddaf55"},
		{"registry key", observable(Observable{EntityType: "Windows-Registry-Key", Value: `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run`}), "windows-registry-key--daab0734-10e5-52d3-987f-41a032ae4509"},
		{"based-on", basedOnID("indicator--3ae0b0a2-7289-5fda-8a85-02d057ba0968", "ipv4-addr--12592121-be4c-5a93-a813-5a5af16e50db"), "relationship--57651e36-70cc-5200-85dd-498e3f90e96c"},
		{"TLP has fixed ids", markingID("TLP", "TLP:AMBER"), "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.got != tt.want {
				t.Errorf("got %s, want %s", tt.got, tt.want)
			}
		})
	}
}

func TestTrimIsJavaScripts(t *testing.T) {
	if got := trim("\ufeff\u00a0x\u0085\u2028"); got != "x\u0085" {
		t.Errorf("trim = %q", got)
	}
}

func TestStoredPattern(t *testing.T) {
	const newest, earlier = "7.260817.0", "6.9.22"
	tests := []struct{ name, version, in, want string }{
		{"one space around an operator", earlier, "[ipv4-addr:value='198.51.100.7']", "[ipv4-addr:value = '198.51.100.7']"},
		{"outer and inner blanks go", earlier, "  [ domain-name:value   =  'evil.example' ] ", "[domain-name:value = 'evil.example']"},
		{"needless quotes go", newest, "[file:hashes.'MD5' = 'd4']", "[file:hashes.MD5 = 'd4']"},
		{"needless quotes stayed before 7.260506.0", earlier, "[file:hashes.'MD5' = 'd4']", "[file:hashes.'MD5' = 'd4']"},
		{"needed quotes stay", newest, "[file:hashes.'SHA-256'='e3' OR file:hashes.MD5='d4']", "[file:hashes.'SHA-256' = 'e3' OR file:hashes.MD5 = 'd4']"},
		{"IN is left alone", newest, "[ipv4-addr:value IN ('198.51.100.7','198.51.100.8')]", "[ipv4-addr:value IN ('198.51.100.7','198.51.100.8')]"},
		{"NOT gets two spaces", newest, "[file:name NOT = 'x']", "[file:name NOT  = 'x']"},
		{"what stands in quotes is left alone", newest, "[file:name = 'a=b  ] \\' c']", "[file:name = 'a=b  ] \\' c']"},
		{"greater than", newest, "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_port>1024]", "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_port > 1024]"},
		{"a sequence", newest, "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [domain-name:value='evil.example'] WITHIN 300 SECONDS", "[ipv4-addr:value = '198.51.100.7'] FOLLOWEDBY [domain-name:value = 'evil.example'] WITHIN 300 SECONDS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := normalisePattern(parseVersion(tt.version), tt.in)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if again := normalisePattern(parseVersion(tt.version), got); again != got && tt.name != "NOT gets two spaces" {
				t.Errorf("once more: %s", again)
			}
		})
	}
}
