package exclude

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/sources/pattern"
)

// hostOf gives the host of a URL as whoever opens it reads it: unescaped, in lower case, without its last dot.
func hostOf(text string) string {
	host := pattern.Host(text)
	if plain, err := url.PathUnescape(host); err == nil {
		host = plain
	}
	if name, err := pattern.Canonical(pattern.DomainName, host); err == nil {
		return name
	}
	return strings.TrimRight(strings.ToLower(host), ".")
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// hostAddress gives the address that a host of a URL is, in whatever notation: IPv6 with a zone or with IPv4 mapped
// into it, the names that every system has for itself, and the numbers that browsers and libraries take for IPv4,
// such as 0x7f000001, 2130706433, 0177.0.0.1 and 127.1 (URL standard, IPv4 parser).
func hostAddress(host string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.WithZone("").Unmap(), true
	}
	if host == "localhost" || host == "localhost.localdomain" || strings.HasSuffix(host, ".localhost") {
		return loopback, true
	}
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var sum uint64
	for i, part := range parts {
		n, ok := number(part)
		limit, shift := uint64(256), 8*(3-i)
		if i == len(parts)-1 { // it fills what is left
			limit, shift = 1<<(8*(5-len(parts))), 0
		}
		if !ok || n >= limit {
			return netip.Addr{}, false
		}
		sum += n << shift
	}
	return netip.AddrFrom4([4]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}), true
}

// number reads decimal, octal behind 0, and hex behind 0x; 0x alone is 0.
func number(s string) (uint64, bool) {
	base := 10
	if digits, hex := strings.CutPrefix(s, "0x"); hex {
		s, base = "0"+digits, 16
	} else if len(s) > 1 && s[0] == '0' {
		base = 8
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}

var (
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
	compatible = netip.MustParsePrefix("::/96")
	sixToFour  = netip.MustParsePrefix("2002::/16")
)

// embedded gives the IPv4 network that an IPv6 network stands for.
func embedded(p netip.Prefix) (netip.Prefix, bool) {
	b, from := p.Addr().As16(), 12
	switch {
	case nat64.Overlaps(p), compatible.Overlaps(p) && b[12] != 0:
	case sixToFour.Overlaps(p):
		from = 2
	default:
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[from:from+4])), min(max(p.Bits()-8*from, 0), 32)).Masked(), true
}
