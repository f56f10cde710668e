package exclude_test

import (
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/exclude"
)

func TestUnblockedCoversWhatHitsTheSameThing(t *testing.T) {
	var list []reconcile.Unblock
	for _, v := range []string{"evil.example", "198.51.100.7", "203.0.113.0/24", "https://shop.example/x", "79054025255fb1a26e4bc422aef54eb4", "Setup.exe", "xn--bcher-kva.example",
		"0a1b2c3d-0000-4000-8000-000000000001", "2001:db8::7"} {
		list = append(list, reconcile.Unblock{Value: v})
	}
	of := exclude.Unblocked(list)
	for _, tt := range []struct {
		name, typ, value string
		want             int
	}{
		{"the domain", "domain_name", "evil.example", 0},
		{"a name under it is another", "domain_name", "www.evil.example", -1},
		{"a URL on it", "url", "http://evil.example:8080/a", 0},
		{"a URL on it in another spelling", "url", "http://EVIL.example./a", 0},
		{"a URL that names it in its path", "url", "http://other.example/evil.example", -1},
		{"the address", "ip_both", "198.51.100.7", 1},
		{"the address as a destination", "ip_dst", "198.51.100.7", 1},
		{"a network that holds it", "ip_src", "198.51.100.0/24", 1},
		{"another network", "ip_both", "198.51.101.0/24", -1},
		{"a URL on it in hex", "url", "http://0xc6336407/", 1},
		{"an address in the network", "ip_both", "203.0.113.9", 2},
		{"the URL", "url", "https://shop.example/x", 3},
		{"another page", "url", "https://shop.example/y", -1},
		{"the domain of a URL", "domain_name", "shop.example", -1},
		{"the hash", "hash", "79054025255fb1a26e4bc422aef54eb4", 4},
		{"the file name in another case", "filename", "SETUP.EXE", 5},
		{"an international name", "domain_name", "xn--bcher-kva.example", 6},
		{"an address of IPv6", "ip_both", "2001:db8::7", 8},
		{"something else", "domain_name", "good.example", -1},
	} {
		if got := of(reconcile.IOC, reconcile.Value{Type: tt.typ, Value: tt.value}, nil); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	const id = "0a1b2c3d-0000-4000-8000-000000000001"
	if got := of(reconcile.YARA, reconcile.Value{}, []string{"other", id}); got != 7 {
		t.Errorf("a YARA file of the indicator: %d", got)
	}
	if got := of(reconcile.Sigma, reconcile.Value{Value: "0A1B2C3D-0000-4000-8000-000000000001"}, nil); got != 7 {
		t.Errorf("a Sigma rule with the id: %d", got)
	}
	if got := of(reconcile.Sigma, reconcile.Value{}, []string{"other"}); got != -1 {
		t.Errorf("another Sigma rule: %d", got)
	}
}

func TestPublicSuffix(t *testing.T) {
	for name, want := range map[string]bool{
		"com": true, "co.uk": true, "github.io": true, "www.ck": false, "evil.com": false, "evil.example": false, "nobody": false, "not a value": false, "198.51.100.7": false,
	} {
		if got := exclude.PublicSuffix(name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
