package pattern

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// The broadest networks that a rule may name, in prefix bits.
const (
	broadestIPv4 = 16
	broadestIPv6 = 32
)

var mappedIPv4 = netip.MustParsePrefix("::ffff:0:0/96")

// translated are the ranges of IPv6 whose addresses stand for addresses of IPv4. broadest is how many bits
// a network in one has to fix, so that it stands for none that is broader than a rule may be. 2002::/16 (6to4) needs no line: it does so
// with the 32 bits that every rule fixes.
var translated = []struct {
	prefix   netip.Prefix
	broadest int
	what     string
}{
	{netip.MustParsePrefix("::/96"), 96 + broadestIPv4, "IPv4-compatible, RFC 4291"},
	{mappedIPv4, 96 + broadestIPv4, "IPv4-mapped, RFC 4291"},
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 96 + broadestIPv4, "IPv4-translated, RFC 2765"},
	{netip.MustParsePrefix("64:ff9b::/96"), 96 + broadestIPv4, "NAT64, RFC 6052"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 96 + broadestIPv4, "local NAT64, RFC 8215"},
	{netip.MustParsePrefix("2001::/32"), 64, "Teredo, RFC 4380"}, // behind 64 bits stand the clients
}

// ParseAddress reads an address or a CIDR: masked, IPv4 taken out of IPv4-mapped IPv6, a lone
// address as its full-length prefix. It refuses zones, ports, brackets and leading zeros.
func ParseAddress(s string) (netip.Prefix, bool) {
	text, length, isCIDR := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, false
	}
	bits := addr.BitLen()
	if isCIDR {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > bits || strconv.Itoa(n) != length {
			return netip.Prefix{}, false
		}
		bits = n
	}
	if addr.Is4In6() && bits >= mappedIPv4.Bits() {
		addr, bits = addr.Unmap(), bits-mappedIPv4.Bits()
	}
	// Masking gives a 4-in-6 address below /96 its plain IPv6 form.
	return netip.PrefixFrom(addr, bits).Masked(), true
}

// canonicalAddress prints what ParseAddress read. Networks that are too broad to block come with
// their canonical form and an error.
func canonicalAddress(s string) (string, *ValueError) {
	p, ok := ParseAddress(s)
	if !ok {
		return "", invalid("the value is no IP address and no CIDR")
	}
	text := printAddress(p, s)
	if p.Addr().Is4() {
		if p.Bits() < broadestIPv4 {
			return text, &ValueError{reconcile.TooBroad, "the network is broader than /16"}
		}
		return text, nil
	}
	if p.Bits() < broadestIPv6 {
		return text, &ValueError{reconcile.TooBroad, "the network is broader than /32"}
	}
	for _, t := range translated {
		if p.Bits() < t.broadest && p.Overlaps(t.prefix) {
			return text, &ValueError{reconcile.TooBroad, "the network stands for IPv4 networks broader than /16: " + t.what}
		}
	}
	return text, nil
}

// printAddress gives s itself when it is canonical already, which saves an allocation.
func printAddress(p netip.Prefix, s string) string {
	var buf [64]byte
	text := p.Addr().AppendTo(buf[:0])
	if !p.IsSingleIP() {
		text = strconv.AppendInt(append(text, '/'), int64(p.Bits()), 10)
	}
	if string(text) == s {
		return s
	}
	return string(text)
}

// looksLikeAddress decides what a network-traffic reference names when its type is not given. A
// domain name has neither colon nor slash, and its last label is not a number; everything else can
// only be meant as an address.
func looksLikeAddress(s string) bool {
	s = strings.TrimRight(strings.TrimSpace(s), ".")
	if strings.ContainsAny(s, ":/") {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	for i := range len(last) {
		if !isDigit(last[i]) {
			return false
		}
	}
	return last != ""
}
