package exclude_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

func TestBuiltinNamesEntryAndSource(t *testing.T) {
	tests := []struct{ name, typ, value, want string }{
		{"a private address", "ip_both", "10.1.2.3", "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"a private address as a source", "ip_src", "192.168.1.1", "192.168.0.0/16 (RFC 1918, private use; built-in list 2)"},
		{"a private address as a destination", "ip_dst", "172.31.255.255", "172.16.0.0/12 (RFC 1918, private use; built-in list 2)"},
		{"just outside of a private network", "ip_both", "172.32.0.0", ""},
		{"loopback", "ip_both", "127.0.0.53", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"link-local", "ip_both", "169.254.169.254", "169.254.0.0/16 (RFC 3927, link-local; built-in list 2)"},
		{"multicast", "ip_both", "239.255.255.250", "224.0.0.0/4 (RFC 5771, multicast; built-in list 2)"},
		{"unspecified", "ip_both", "0.0.0.0", `0.0.0.0/8 (RFC 791, "this network", with the unspecified address; built-in list 2)`},
		{"carriers' shared space", "ip_both", "100.64.0.1", "100.64.0.0/10 (RFC 6598, shared address space of carriers; built-in list 2)"},
		{"unspecified IPv6", "ip_both", "::", ":: (RFC 4291, unspecified; built-in list 2)"},
		{"loopback IPv6", "ip_both", "::1", "::1 (RFC 4291, loopback; built-in list 2)"},
		{"unique local IPv6", "ip_both", "fd00::1", "fc00::/7 (RFC 4193, unique local; built-in list 2)"},
		{"link-local IPv6", "ip_both", "fe80::1", "fe80::/10 (RFC 4291, link-local; built-in list 2)"},
		{"multicast IPv6", "ip_both", "ff02::fb", "ff00::/8 (RFC 4291, multicast; built-in list 2)"},
		{"documentation is allowed", "ip_both", "198.51.100.7", ""},
		{"documentation IPv6 is allowed", "ip_both", "2001:db8::7", ""},
		{"a resolver", "ip_both", "8.8.8.8", "8.8.8.8 (well-known public resolver: Google; built-in list 2)"},
		{"a resolver in IPv6", "ip_dst", "2606:4700:4700::1111", "2606:4700:4700::1111 (well-known public resolver: Cloudflare; built-in list 2)"},
		{"a network with a resolver in it", "ip_both", "9.9.9.0/24", "9.9.9.9 (well-known public resolver: Quad9; built-in list 2)"},
		{"a network beside a resolver", "ip_both", "9.9.8.0/24", ""},
		{"a network inside of a private one", "ip_both", "10.9.0.0/16", "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"a network around loopback", "ip_both", "::/120", ":: (RFC 4291, unspecified; built-in list 2)"},
		{"the name of a resolver", "domain_name", "dns.google", "=dns.google (well-known public resolver: Google; built-in list 2)"},
		{"a name under the name of a resolver", "domain_name", "x.dns.google", ""},
		{"the MD5 of nothing", "hash", "d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e (MD5 of the empty file; built-in list 2)"},
		{"the SHA-1 of nothing", "hash", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709 (SHA-1 of the empty file; built-in list 2)"},
		{"the SHA-256 of nothing", "hash", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 (SHA-256 of the empty file; built-in list 2)"},
		{"another hash", "hash", "79054025255fb1a26e4bc422aef54eb4", ""},
		{"a Windows name in any case", "filename", "SvcHost.EXE", "file:svchost.exe (common system file name: Windows; built-in list 2)"},
		{"a Linux name", "filename", "bash", "file:bash (common system file name: Linux; built-in list 2)"},
		{"a macOS name", "filename", ".DS_Store", "file:.ds_store (common system file name: macOS; built-in list 2)"},
		{"a system name in a path", "filepath", `C:\Users\Public\svchost.exe`, ""},
		{"a system file in its usual place", "filepath", `C:\Windows\System32\svchost.exe`, `path:C:\Windows\System32\svchost.exe (usual path of a system file: Windows; built-in list 2)`},
		{"a system file in its usual place in another case", "filepath", `c:\WINDOWS\syswow64\CMD.EXE`, `path:C:\Windows\SysWOW64\cmd.exe (usual path of a system file: Windows; built-in list 2)`},
		{"a system file behind a variable", "filepath", `%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe`, `path:C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe (usual path of a system file: Windows; built-in list 2)`},
		{"a system file with slashes and a prefix", "filepath", `\\?\C:/Windows//System32/lsass.exe`, `path:C:\Windows\System32\lsass.exe (usual path of a system file: Windows; built-in list 2)`},
		{"a system file on a device", "filepath", `\Device\HarddiskVolume3\Windows\explorer.exe`, `path:C:\Windows\explorer.exe (usual path of a system file: Windows; built-in list 2)`},
		{"a system file of the kernel", "filepath", `\SystemRoot\Sysnative\ntoskrnl.exe`, `path:C:\Windows\System32\ntoskrnl.exe (usual path of a system file: Windows; built-in list 2)`},
		{"a shell of Linux", "filepath", "/bin/sh", "path:/bin/sh (usual path of a system file: Linux; built-in list 2)"},
		{"a shell of Linux with two slashes", "filepath", "/usr//bin/bash", "path:/usr/bin/bash (usual path of a system file: Linux; built-in list 2)"},
		{"a program of macOS", "filepath", "/sbin/launchd", "path:/sbin/launchd (usual path of a system file: macOS; built-in list 2)"},
		{"a system name in a place where none belongs", "filepath", `C:\Windows\svchost.exe`, ""},
		{"a shell in a place where none belongs", "filepath", "/tmp/bin/sh", ""},
		{"a system name as a domain", "domain_name", "svchost.exe", ""},
		{"a registry's suffix", "domain_name", "co.uk", "co.uk (Public Suffix List; built-in list 2)"},
		{"a company's suffix", "domain_name", "github.io", "github.io (Public Suffix List; built-in list 2)"},
		{"a suffix with a dot before it", "domain_name", ".com", ".com (Public Suffix List; built-in list 2)"},
		{"an international suffix", "domain_name", "xn--55qx5d.cn", "xn--55qx5d.cn (Public Suffix List; built-in list 2)"},
		{"the parent of a wildcard", "domain_name", "compute.amazonaws.com", "compute.amazonaws.com (Public Suffix List; built-in list 2)"},
		{"a host below a wildcard", "domain_name", "ec2-203-0-113-9.compute.amazonaws.com", ""},
		{"a registry's wildcard", "domain_name", "kawasaki.jp", "kawasaki.jp (Public Suffix List; built-in list 2)"},
		{"a host below a registry's wildcard", "domain_name", "evil.kawasaki.jp", ""},
		{"an exception of a wildcard", "domain_name", "city.kawasaki.jp", ""},
		{"an address is no suffix", "domain_name", "124.168.91.178", ""},
		{"an IPv6 address is no suffix", "domain_name", "2001:db8::1", ""},
		{"a name under a suffix", "domain_name", "evil.co.uk", ""},
		{"a name under a company's suffix", "domain_name", "evil.github.io", ""},
		{"a name under no known suffix", "domain_name", "host.corp", ""},
		{"a URL on a private address", "url", "http://192.168.1.1:8080/gate", "192.168.0.0/16 (RFC 1918, private use; built-in list 2)"},
		{"a URL on an IPv6 loopback", "url", "http://[::1]:8080/gate", "::1 (RFC 4291, loopback; built-in list 2)"},
		{"a URL without scheme on a private address", "url", "10.0.0.1/gate", "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"a URL on loopback in hex", "url", "http://0x7f000001/gate", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on loopback in decimal", "url", "http://2130706433:8080/gate", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on loopback in octal", "url", "http://0177.0.0.01/gate", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on loopback in two parts", "url", "http://127.1/", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on a private address in three mixed parts", "url", "https://user@0xC0.168.257/x", "192.168.0.0/16 (RFC 1918, private use; built-in list 2)"},
		{"a URL on loopback by its name", "url", "http://LocalHost./gate", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on a name under localhost", "url", "http://app.localhost:3000/", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on loopback, escaped", "url", "http://%6cocalhost/%31", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on IPv4 mapped into IPv6", "url", "http://[::ffff:10.0.0.1]/", "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"a URL on IPv4 behind NAT64", "url", "http://[64:ff9b::7f00:1]/", "127.0.0.0/8 (RFC 1122, loopback; built-in list 2)"},
		{"a URL on a link-local address with its zone", "url", "http://[fe80::1%25eth0]/", "fe80::/10 (RFC 4291, link-local; built-in list 2)"},
		{"a URL on a resolver in hex", "url", "https://0x08080808/dns-query", "8.8.8.8 (well-known public resolver: Google; built-in list 2)"},
		{"a UNC path on a private address", "url", `\\10.0.0.1\share\x.dll`, "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"a URL on another address in hex", "url", "http://0xcb007109/gate", ""},
		{"a URL on a name of digits", "url", "http://0x7f000001.example.org/", ""},
		{"a URL on numbers that are no address", "url", "http://256.256.256.256/", ""},
		{"a URL on a number beyond IPv4", "url", "http://4294967296/", ""},
		{"an address behind NAT64", "ip_both", "64:ff9b::808:808", "8.8.8.8 (well-known public resolver: Google; built-in list 2)"},
		{"an address behind 6to4", "ip_both", "2002:a00:1::1", "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"a network behind NAT64 with a resolver in it", "ip_both", "64:ff9b::808:0/112", "8.8.4.4 (well-known public resolver: Google; built-in list 2)"},
		{"a network behind 6to4", "ip_both", "2002:a00:1::/48", "10.0.0.0/8 (RFC 1918, private use; built-in list 2)"},
		{"another network behind 6to4", "ip_both", "2002:cb00:7100::/40", ""},
		{"another address behind NAT64", "ip_both", "64:ff9b::cb00:7109", ""},
		{"a name under localhost", "domain_name", "app.localhost", "localhost (RFC 6761, loopback; built-in list 2)"},
		{"a URL with a user that looks like an address", "url", "http://10.0.0.1@c2.example.org/", ""},
		{"a URL with an address in its path", "url", "http://c2.example.org/10.0.0.1", ""},
		{"a URL on a resolver's name", "url", "https://dns.google/resolve?name=c2.example.org", ""},
		{"a URL on a suffix", "url", "https://github.io/", ""},
		{"a value of an unknown type", "mutex", "10.0.0.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, hit := exclude.Builtin().Match(reconcile.Value{Type: tt.typ, Value: tt.value})
			if got != tt.want || hit != (tt.want != "") {
				t.Errorf("%s %s: got %q, %v; want %q", tt.typ, tt.value, got, hit, tt.want)
			}
		})
	}
}

const userFile = "\ufeff# what our own people use\r\n" + `
198.51.100.0/24     # the lab
203.0.113.9
2001:DB8:1::/48
::ffff:203.0.113.77

Example.COM         # with the names under it
=Exact.example.net
bücher.example
corp
79054025255FB1A26E4BC422AEF54EB4
file:Updater.EXE
https://Portal.example.org/Path#part
portal.example.org/Path
198.51.101.0/24 # begins where the lab ends
`

func TestUserEntries(t *testing.T) {
	list, err := exclude.New(false, exclude.File{Name: "ours.txt", Content: []byte(userFile)})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, typ, value, want string }{
		{"an address in a listed network", "ip_src", "198.51.100.200", "198.51.100.0/24 (ours.txt line 3)"},
		{"a listed address", "ip_both", "203.0.113.9", "203.0.113.9 (ours.txt line 4)"},
		{"the address after it", "ip_both", "203.0.113.10", ""},
		{"a network around a listed address", "ip_dst", "203.0.113.8/30", "203.0.113.9 (ours.txt line 4)"},
		{"a network around a listed network", "ip_dst", "198.51.0.0/16", "198.51.100.0/24 (ours.txt line 3)"},
		{"a network beside all entries", "ip_dst", "203.0.113.128/25", ""},
		{"an address in a listed IPv6 network", "ip_both", "2001:db8:1:ffff::1", "2001:DB8:1::/48 (ours.txt line 5)"},
		{"IPv4 listed as IPv6", "ip_both", "203.0.113.77", "::ffff:203.0.113.77 (ours.txt line 6)"},
		{"a listed domain", "domain_name", "example.com", "Example.COM (ours.txt line 8)"},
		{"a name under a listed domain", "domain_name", "a.b.example.com", "Example.COM (ours.txt line 8)"},
		{"a name that only ends alike", "domain_name", "notexample.com", ""},
		{"the domain above a listed one", "domain_name", "example.net", ""},
		{"an exact domain", "domain_name", "exact.example.net", "=Exact.example.net (ours.txt line 9)"},
		{"a name under an exact domain", "domain_name", "a.exact.example.net", ""},
		{"an international domain", "domain_name", "www.xn--bcher-kva.example", "bücher.example (ours.txt line 10)"},
		{"a name under a single label", "domain_name", "dc1.corp", "corp (ours.txt line 11)"},
		{"a hash", "hash", "79054025255fb1a26e4bc422aef54eb4", "79054025255FB1A26E4BC422AEF54EB4 (ours.txt line 12)"},
		{"a file name in any case", "filename", "UPDATER.exe", "file:Updater.EXE (ours.txt line 13)"},
		{"a file name in a path", "filepath", `C:\updater.exe`, ""},
		{"a URL with a fragment", "url", "https://portal.example.org/Path#part", "https://Portal.example.org/Path#part (ours.txt line 14)"},
		{"another page", "url", "https://portal.example.org/Path", ""},
		{"a URL without a scheme", "url", "portal.example.org/Path", "portal.example.org/Path (ours.txt line 15)"},
		{"a URL on a name under a listed domain", "url", "https://www.example.com:8443/x", "Example.COM (ours.txt line 8)"},
		{"a URL without a scheme on a listed international domain", "url", "www.Bücher.example/x", "bücher.example (ours.txt line 10)"},
		{"a URL on an exact domain", "url", "https://exact.example.net/x", "=Exact.example.net (ours.txt line 9)"},
		{"a URL on a name under an exact domain", "url", "https://a.exact.example.net/x", ""},
		{"a URL with a listed domain in its path", "url", "https://c2.example.org/example.com", ""},
		{"a URL on a listed address", "url", "https://203.0.113.9/x", "203.0.113.9 (ours.txt line 4)"},
		{"a public suffix is another list's matter", "domain_name", "co.uk", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, hit := list.Match(reconcile.Value{Type: tt.typ, Value: tt.value})
			if got != tt.want || hit != (tt.want != "") {
				t.Errorf("%s %s: got %q, %v; want %q", tt.typ, tt.value, got, hit, tt.want)
			}
		})
	}
}

func TestWarningListsOfMISPAreReadAsTheyAre(t *testing.T) {
	files := []exclude.File{
		{Name: "hosts.json", Content: []byte(`{"description": "x", "version": 20, "name": "Office", "type": "hostname", "matching_attributes": ["domain", "hostname", "url"],
			"list": ["Office.example", ".cdn.example", "*.mail.example", "autodiscover.*.example", "198.51.100.9", ""]}`)},
		{Name: "nets.json", Content: []byte("\ufeff\n" + `{"name": "Scanners", "type": "cidr", "list": ["203.0.113.0/24", "2001:db8:5::/48", "198.51.100.77", "nonsense"]}`)},
		{Name: "texts.json", Content: []byte(`{"name": "Sinkholes", "type": "string", "list": ["sink.example", "79054025255FB1A26E4BC422AEF54EB4", "https://good.example/Path", "198.51.100.80", "Setup.exe"]}`)},
		{Name: "names.json", Content: []byte(`{"name": "Names", "type": "string", "matching_attributes": ["filename", "filename|md5"], "list": ["only.a.file"]}`)},
		{Name: "top.json", Content: []byte(`{"name": "Top", "type": "string", "matching_attributes": ["domain"], "list": ["only.a.domain"]}`)},
	}
	list, err := exclude.New(false, files...)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, typ, value, want string }{
		{"a listed name", "domain_name", "office.example", `Office.example (hosts.json, warning list "Office")`},
		{"a name under it", "domain_name", "www.office.example", `Office.example (hosts.json, warning list "Office")`},
		{"a URL on it", "url", "https://www.office.example/x", `Office.example (hosts.json, warning list "Office")`},
		{"a name behind a dot", "domain_name", "a.cdn.example", `.cdn.example (hosts.json, warning list "Office")`},
		{"a name behind a star", "domain_name", "mail.example", `*.mail.example (hosts.json, warning list "Office")`},
		{"a name around a star is not", "domain_name", "autodiscover.x.example", ""},
		{"an address among names", "ip_dst", "198.51.100.9", `198.51.100.9 (hosts.json, warning list "Office")`},
		{"a listed network", "ip_both", "203.0.113.7", `203.0.113.0/24 (nets.json, warning list "Scanners")`},
		{"a listed network of IPv6", "ip_both", "2001:db8:5::7", `2001:db8:5::/48 (nets.json, warning list "Scanners")`},
		{"an address among networks", "url", "http://198.51.100.77/", `198.51.100.77 (nets.json, warning list "Scanners")`},
		{"a listed text as a domain", "domain_name", "sink.example", `sink.example (texts.json, warning list "Sinkholes")`},
		{"a name under a listed text is not", "domain_name", "a.sink.example", ""},
		{"a listed text as a hash", "hash", "79054025255fb1a26e4bc422aef54eb4", `79054025255FB1A26E4BC422AEF54EB4 (texts.json, warning list "Sinkholes")`},
		{"a listed text as a URL", "url", "https://good.example/Path", `https://good.example/Path (texts.json, warning list "Sinkholes")`},
		{"another URL on the same host is not", "url", "https://good.example/", ""},
		{"a listed text as an address", "ip_src", "198.51.100.80", `198.51.100.80 (texts.json, warning list "Sinkholes")`},
		{"a listed text as a file name", "filename", "setup.EXE", `Setup.exe (texts.json, warning list "Sinkholes")`},
		{"a list of file names", "filename", "only.a.file", `only.a.file (names.json, warning list "Names")`},
		{"a list of file names has no domains", "domain_name", "only.a.file", ""},
		{"a list of domains", "domain_name", "only.a.domain", `only.a.domain (top.json, warning list "Top")`},
		{"a list of domains has no file names", "filename", "only.a.domain", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := list.Match(reconcile.Value{Type: tt.typ, Value: tt.value}); got != tt.want {
				t.Errorf("%s %s: got %q, want %q", tt.typ, tt.value, got, tt.want)
			}
		})
	}
}

func TestAWarningListThatCannotBeReadIsAnError(t *testing.T) {
	for content, want := range map[string]string{
		`{"name": "x", "type": "regex", "list": ["^a$"]}`:           `x.json: a warning list of type "regex" cannot be used`,
		`{"name": "x", "type": "hostname", "list": ["a.example"]`:   "x.json: is no warning list of MISP",
		`{"name": "x", "type": "hostname", "list": [7]}`:            "x.json: is no warning list of MISP",
		`{"name": "x", "type": "cidr", "list": ["a.example", ""]}`:  "x.json: a warning list without an entry",
		`{"name": "x", "type": "hostname", "list": []}`:             "x.json: a warning list without an entry",
		`{"name": "x", "type": "hostname", "list": ["a.example"]}x`: "x.json: is no warning list of MISP",
	} {
		_, err := exclude.New(false, exclude.File{Name: "x.json", Content: []byte(content)})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", content, err, want)
		}
		// Of a whole folder only what is broken is an error.
		list, err := exclude.New(false, exclude.File{Name: "x.json", Content: []byte(content), OneOf: true})
		if broken := strings.Contains(want, "is no warning list"); (err != nil) != broken || !broken && len(list.Passed()) != 1 {
			t.Errorf("%s, one of a folder: %v", content, err)
		}
	}
}

func TestEveryBadLineIsReportedWithFileAndNumber(t *testing.T) {
	const bad = `good.example
10.0.0.0/33
10.0.0.256
*.example.com
=
file:
file:C:\x.exe
two words
2001:db8::zz
fe80::1%eth0
c2.example.org:443
79054025255fb1a26e4bc422aef54eb
`
	_, err := exclude.New(false, exclude.File{Name: "bad.txt", Content: []byte(bad)})
	if err == nil {
		t.Fatal("no error")
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		where, _, _ := strings.Cut(line, ": ")
		got = append(got, where)
	}
	var want []string
	for n := 2; n <= 12; n++ {
		want = append(want, fmt.Sprintf("bad.txt:%d", n))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%v\n(-want +got):\n%s", err, diff)
	}
	if !strings.Contains(err.Error(), "write example.com") {
		t.Errorf("no way out named: %v", err)
	}
}

func TestNamesOfAnyLength(t *testing.T) {
	list, err := exclude.New(true, exclude.File{Name: "a.txt", Content: []byte("corp.example\n")})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []reconcile.Value{{Type: "domain_name", Value: strings.Repeat("a.", 1000) + "corp.example"}, {Type: "url", Value: "https://" + strings.Repeat("a.", 1000) + "corp.example/"}} {
		if entry, hit := list.Match(v); !hit || entry != "corp.example (a.txt line 1)" {
			t.Errorf("%s: %q", v.Type, entry)
		}
	}
	if _, err := exclude.New(true, exclude.File{Name: "a.txt", Content: []byte(strings.Repeat("a.", 130) + "example\n")}); err == nil || !strings.Contains(err.Error(), "a.txt:1: ") {
		t.Errorf("an entry that no name can match: %v", err)
	}
}

func TestALineWithoutEndIsAnError(t *testing.T) {
	_, err := exclude.New(false, exclude.File{Name: "long.txt", Content: []byte("a.example\n" + strings.Repeat("x", 2<<20))})
	if err == nil || !strings.Contains(err.Error(), "long.txt:2") {
		t.Errorf("got %v", err)
	}
}

func TestAllFilesCountAndTheFirstIsNamed(t *testing.T) {
	all, err := exclude.New(true, exclude.File{Name: "a.txt", Content: []byte("8.8.8.8\na.example\n")}, exclude.File{Name: "b.txt", Content: []byte("a.example\nb.example\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"8.8.8.8 (well-known public resolver: Google; built-in list 2)",
		"a.example (a.txt line 2)", "b.example (b.txt line 2)", "co.uk (Public Suffix List; built-in list 2)", "",
	}
	var got []string
	for _, v := range []reconcile.Value{
		{Type: "ip_both", Value: "8.8.8.8"}, {Type: "domain_name", Value: "x.a.example"},
		{Type: "domain_name", Value: "b.example"}, {Type: "domain_name", Value: "co.uk"},
		{Type: "domain_name", Value: "c.example"},
	} {
		entry, _ := all.Match(v)
		got = append(got, entry)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if exclude.Version() != "2" {
		t.Errorf("version %q", exclude.Version())
	}
	var none *exclude.List
	if entry, hit := none.Match(reconcile.Value{Type: "ip_both", Value: "8.8.8.8"}); hit || entry != "" {
		t.Error("no list excludes something")
	}
}

func TestAFilesDomainCoversURLsThoughABuiltInEntryHasTheNameToo(t *testing.T) {
	list, err := exclude.New(true, exclude.File{Name: "ours.txt", Content: []byte("dns.google\n=one.one.one.one\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"https://dns.google/resolve":      "dns.google (ours.txt line 1)",
		"https://one.one.one.one/":        "=one.one.one.one (ours.txt line 2)",
		"https://dns.quad9.net/dns-query": "",
	}
	got := map[string]string{}
	for url := range want {
		got[url], _ = list.Match(reconcile.Value{Type: "url", Value: url})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOverlap compares the search with a walk over all entries.
func TestOverlap(t *testing.T) {
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		if rapid.Bool().Draw(t, "v6") {
			a := netip.AddrFrom16([16]byte{0x20, 1, rapid.Byte().Draw(t, "a") & 3, 15: rapid.Byte().Draw(t, "b") & 3})
			return netip.PrefixFrom(a, rapid.SampledFrom([]int{16, 22, 24, 120, 126, 127, 128}).Draw(t, "bits")).Masked()
		}
		a := netip.AddrFrom4([4]byte{198, rapid.Byte().Draw(t, "a") & 3, 0, rapid.Byte().Draw(t, "b") & 3})
		return netip.PrefixFrom(a, rapid.SampledFrom([]int{8, 14, 15, 16, 24, 30, 31, 32}).Draw(t, "bits")).Masked()
	})
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOf(prefix).Draw(t, "entries")
		value := prefix.Draw(t, "value")
		var text strings.Builder
		want := false
		for _, e := range entries {
			fmt.Fprintln(&text, e)
			want = want || e.Overlaps(value)
		}
		list, err := exclude.New(false, exclude.File{Name: "x", Content: []byte(text.String())})
		if err != nil {
			t.Fatal(err)
		}
		if entry, hit := list.Match(reconcile.Value{Type: "ip_both", Value: value.String()}); hit != want {
			t.Fatalf("%v: got %q, %v; want %v", value, entry, hit, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(userFile)
	f.Add("file:\n=\n#\n*.x\n://\n/")
	f.Add(`{"type": "string", "list": ["a.example", "*", "://", "10.0.0.0/8"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := exclude.New(true, exclude.File{Name: "x", Content: []byte(text)})
		if (list == nil) == (err == nil) {
			t.Fatalf("list %v, error %v", list, err)
		}
		for line := range strings.Lines(text) {
			for _, typ := range []string{"ip_both", "domain_name", "url", "hash", "filename"} {
				if v, err := pattern.Canonical(typ, line); err == nil {
					list.Match(reconcile.Value{Type: typ, Value: v})
				}
			}
		}
	})
}

// BenchmarkMatchOfManyLabels is the time for a name of 200 kB, which takes as long as its length.
func BenchmarkMatchOfManyLabels(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "host%d.example\n", i)
	}
	list, err := exclude.New(true, exclude.File{Name: "names.txt", Content: []byte(text.String())})
	if err != nil {
		b.Fatal(err)
	}
	name := strings.Repeat("a.", 100_000) + "example"
	for b.Loop() {
		for _, v := range []reconcile.Value{{Type: "domain_name", Value: name}, {Type: "url", Value: "https://" + name + "/"}} {
			if entry, hit := list.Match(v); hit {
				b.Fatal(entry)
			}
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	var text strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&text, "198.%d.%d.0/%d\nhost%d.example\n", i>>8&255, i&255, 24+i%8, i)
	}
	list, err := exclude.New(true, exclude.File{Name: "big.txt", Content: []byte(text.String())})
	if err != nil {
		b.Fatal(err)
	}
	values := []reconcile.Value{
		{Type: "ip_both", Value: "203.0.113.9"}, {Type: "ip_both", Value: "203.0.113.0/24"},
		{Type: "domain_name", Value: "c2.example.org"}, {Type: "url", Value: "https://c2.example.org/gate"},
		{Type: "hash", Value: "79054025255fb1a26e4bc422aef54eb4"},
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if entry, hit := list.Match(values[i%len(values)]); hit {
			b.Fatal(entry)
		}
	}
}
