package octisim

import (
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestTrimIsJavaScripts(t *testing.T) {
	simtest.Is(t, "trim", "x\u0085", trim("\ufeff\u00a0x\u0085\u2028"))
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
			simtest.Is(t, "text", tt.want, got)
			if again := normalisePattern(parseVersion(tt.version), got); again != got && tt.name != "NOT gets two spaces" {
				t.Errorf("once more: %s", again)
			}
		})
	}
}
