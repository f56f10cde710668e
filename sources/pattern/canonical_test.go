package pattern_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

func TestCanonical(t *testing.T) {
	const invalid, broad = reconcile.InvalidValue, reconcile.TooBroad
	tests := []struct {
		name, typ, value, want string
		err                    reconcile.Reason
	}{
		{"a hash in lower case", "hash", " 79054025255FB1A26E4BC422AEF54EB4\n", "79054025255fb1a26e4bc422aef54eb4", ""},
		{"a SHA-512", "hash", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e", "", invalid},
		{"a hash with another letter", "hash", "g9054025255fb1a26e4bc422aef54eb4", "", invalid},
		{"a name keeps its case", "filename", " Setup (1).EXE ", "Setup (1).EXE", ""},
		{"a name that a row holds with a separator", "filename", `bin\x.exe`, `bin\x.exe`, ""},
		{"a path keeps its case", "filepath", `C:\Users\Public\A.exe`, `C:\Users\Public\A.exe`, ""},
		{"nothing", "filepath", " \t", "", invalid},
		{"a control character", "filename", "a\x00b", "", invalid},
		{"a control character beyond ASCII", "filename", "a\u0085b", "", invalid},
		{"delete", "url", "http://a/\x7f", "", invalid},
		{"broken UTF-8", "url", "http://a/\xff", "", invalid},
		{"a mark of direction is text", "filename", "exe.\u202efdp", "exe.\u202efdp", ""},
		{"IPv4", "ip_both", "198.51.100.7", "198.51.100.7", ""},
		{"IPv4 with its full prefix", "ip_src", "198.51.100.7/32", "198.51.100.7", ""},
		{"IPv4 network masked", "ip_dst", "198.51.100.7/24", "198.51.100.0/24", ""},
		{"IPv4 in IPv6", "ip_both", "::FFFF:198.51.100.7", "198.51.100.7", ""},
		{"IPv4 in IPv6 in hex", "ip_both", "0:0:0:0:0:ffff:c633:6407", "198.51.100.7", ""},
		{"IPv4 network in IPv6", "ip_both", "::ffff:198.51.100.7/120", "198.51.100.0/24", ""},
		{"IPv4 in IPv6 with its full prefix", "ip_both", "::ffff:198.51.100.7/128", "198.51.100.7", ""},
		{"IPv6", "ip_both", "2001:DB8:0:0:0:0:0:1", "2001:db8::1", ""},
		{"IPv6 with its full prefix", "ip_both", "2001:db8::1/128", "2001:db8::1", ""},
		{"IPv6 network masked", "ip_both", "2001:db8::1/64", "2001:db8::/64", ""},
		{"broad IPv4", "ip_both", "10.1.0.0/8", "10.0.0.0/8", broad},
		{"the broadest IPv4", "ip_both", "10.1.2.3/16", "10.1.0.0/16", ""},
		{"broad IPv6", "ip_both", "2001:db8::/31", "2001:db8::/31", broad},
		{"the broadest IPv6", "ip_both", "2001:db8::1/32", "2001:db8::/32", ""},
		{"all of IPv4 in IPv6", "ip_both", "::ffff:0:0/96", "0.0.0.0/0", broad},
		{"around all of IPv4 in IPv6", "ip_both", "::/64", "::/64", broad},
		{"the old form of all of IPv4 in IPv6", "ip_both", "::/96", "::/96", broad},
		{"beside all of IPv4 in IPv6", "ip_both", "::1:0:0:0/96", "::1:0:0:0/96", ""},
		{"leading zeros", "ip_both", "198.051.100.7", "", invalid},
		{"three parts", "ip_both", "198.51.100", "", invalid},
		{"a port", "ip_both", "198.51.100.7:80", "", invalid},
		{"brackets", "ip_both", "[2001:db8::1]", "", invalid},
		{"a zone", "ip_both", "fe80::1%eth0", "", invalid},
		{"a prefix with a leading zero", "ip_both", "198.51.100.0/024", "", invalid},
		{"a prefix with a sign", "ip_both", "198.51.100.0/+24", "", invalid},
		{"a prefix too long", "ip_both", "198.51.100.0/33", "", invalid},
		{"no prefix", "ip_both", "198.51.100.0/", "", invalid},
		{"a range", "ip_both", "198.51.100.1-198.51.100.9", "", invalid},
		{"a domain", "domain_name", "WWW.Example.COM.", "www.example.com", ""},
		{"a domain with an underscore", "domain_name", "_x._tcp.Example.com", "_x._tcp.example.com", ""},
		{"a domain with hyphens at the edges", "domain_name", "-a-.example.com", "-a-.example.com", ""},
		{"an international domain", "domain_name", "BÜCHER.example", "xn--bcher-kva.example", ""},
		{"an international domain, decomposed", "domain_name", "bu\u0308cher.example", "xn--bcher-kva.example", ""},
		{"sharp s is kept", "domain_name", "straße.example", "xn--strae-oqa.example", ""},
		{"punycode in capitals", "domain_name", "XN--BCHER-KVA.example", "xn--bcher-kva.example", ""},
		{"an ideographic full stop", "domain_name", "c2。example。", "c2.example", ""},
		{"a label that IDNA refuses", "domain_name", "\u2F80Ⅎ￾.Example.com", "⾀ⅎ￾.example.com", ""},
		{"an empty label first", "domain_name", ".evil.example", "", invalid},
		{"an empty label", "domain_name", "evil..example", "", invalid},
		{"an address of mail", "domain_name", "user@evil.example", "", invalid},
		{"defanged in capitals", "domain_name", "www.evil(DOT)example", "", invalid},
		{"no dot", "domain_name", "localhost", "", invalid},
		{"no dot but the last", "domain_name", "localhost.", "", invalid},
		{"dots alone", "domain_name", "..", "", invalid},
		{"a URL", "url", "HTTP://Example.COM/Path?Q=A#F", "HTTP://example.com/Path?Q=A#F", ""},
		{"a URL with a port and a user", "url", "ftp://Me:Pw@Example.COM:21/P", "ftp://Me:Pw@example.com:21/P", ""},
		{"a URL without a path", "url", "https://Example.COM?Q=A", "https://example.com?Q=A", ""},
		{"a URL with a backslash for a slash", "url", `https://Example.COM\@Evil.Example`, `https://example.com\@Evil.Example`, ""},
		{"a URL with its last dot", "url", "https://Example.COM./", "https://example.com./", ""},
		{"a URL on IPv6", "url", "https://[2001:DB8::1]/P", "https://[2001:db8::1]/P", ""},
		{"an international URL", "url", "https://BÜCHER.example/Ü", "https://xn--bcher-kva.example/Ü", ""},
		{"a URL without a scheme", "url", "Example.COM/Path", "Example.COM/Path", ""},
		{"a URL without a host", "url", "file:///C:/X", "file:///C:/X", ""},
		{"a URL in a URL", "url", "Go/https://Example.COM", "Go/https://Example.COM", ""},
		{"an unknown type", "mutex", " Global\\X ", `Global\X`, ""},
		{"an unknown type without value", "mutex", " ", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pattern.Canonical(tt.typ, tt.value)
			var reason reconcile.Reason
			if e, ok := errors.AsType[*pattern.ValueError](err); ok {
				reason = e.Reason
			}
			if got != tt.want || reason != tt.err || (err != nil) != (tt.err != "") {
				t.Errorf("%s %q: got %q, %v; want %q, %q", tt.typ, tt.value, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestHost(t *testing.T) {
	want := map[string]string{
		"http://c2.example.org/x":             "c2.example.org",
		"http://user:pw@c2.example.org:80/x":  "c2.example.org",
		"http://a@b@c2.example.org":           "c2.example.org",
		"http://[2001:db8::7]:80/x":           "2001:db8::7",
		"http://[2001:db8::7]":                "2001:db8::7",
		"http://198.51.100.7?x=@203.0.113.9":  "198.51.100.7",
		`http://198.51.100.7\@203.0.113.9/`:   "198.51.100.7",
		"198.51.100.7:80/x":                   "198.51.100.7",
		"2001:db8::7":                         "2001:db8::7",
		"c2.example.org/http://203.0.113.9/x": "c2.example.org",
		`\\198.51.100.7\share\x.dll`:          "198.51.100.7",
		`\\198.51.100.7@80\Documents\`:        "198.51.100.7",
		`\\c2.example.org@SSL@443\x`:          "c2.example.org",
		`\\c2.example.org`:                    "c2.example.org",
		`\\`:                                  "",
		"//c2.example.org/x":                  "c2.example.org",
		"/x":                                  "",
		"":                                    "",
	}
	got := map[string]string{}
	for url := range want {
		got[url] = pattern.Host(url)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var types = []string{"hash", "filename", "filepath", "ip_src", "ip_dst", "ip_both", "domain_name", "url", "mutex"}

func FuzzCanonical(f *testing.F) {
	for i, value := range []string{
		"79054025255FB1A26E4BC422AEF54EB4", "A.exe", `C:\A`, "::ffff:1.2.3.4/120", "10.0.0.0/8", "2001:DB8::/31",
		"Bücher.example。", "https://BÜCHER.example:8/Ü", "\u00ad .a\u00ad.", "http://a\uff0fb/", "http://İ.example", "İ.\U0001F1F2",
		"http://x\u00ad \u00ad",
	} {
		f.Add(i%len(types), value)
	}
	f.Fuzz(func(t *testing.T, n int, value string) {
		for _, typ := range []string{types[uint(n)%uint(len(types))], "domain_name", "url"} {
			once, err := pattern.Canonical(typ, value)
			if e, ok := errors.AsType[*pattern.ValueError](err); err != nil && (!ok || once != "" && e.Reason != reconcile.TooBroad) {
				t.Fatalf("%s %q: %q, %v", typ, value, once, err)
			}
			if err != nil && once == "" {
				continue
			}
			twice, again := pattern.Canonical(typ, once)
			if twice != once || (again == nil) != (err == nil) {
				t.Fatalf("%s %q: once %q (%v), twice %q (%v)", typ, value, once, err, twice, again)
			}
		}
	})
}
