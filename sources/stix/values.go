package stix

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/harfangsync/harfangsync/sources/pattern"
)

// Longest texts that are shown, in characters. Names stay far under the 512 that the platform's search
// still compares.
const (
	maxName    = 200
	maxMessage = 1000
	maxCommand = 2000
)

// value is a text as the platform would hold it: valid UTF-8, without NUL, outer blanks off.
func value(s string) string {
	return trim(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD"))
}

// oneLine is a text from outside on one line, outer blanks off, cut to most characters. What cannot be
// seen, or changes the direction of what can, is shown as an escape. Doing it twice changes nothing.
func oneLine(s string, most int) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			b.WriteByte(' ')
		case unicode.In(r, unicode.Cf, unicode.Co):
			fmt.Fprintf(&b, `\u{%x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	out := strings.TrimSpace(b.String())
	if runes := []rune(out); len(runes) > most {
		return strings.TrimSpace(string(runes[:most-1])) + "…"
	}
	return out
}

// label is what a host name or domain consists of. The platform refuses other names than these.
const label = `[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?`

var (
	hostForm   = regexp.MustCompile(`^` + label + `(?:\.` + label + `)*$`)
	domainForm = regexp.MustCompile(`^(?:` + label + `\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
)

const longestHost = 253

var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false))

// hostName is a host name in its own case. It is "" for what is none, and for an address.
func hostName(s string) string {
	s = strings.TrimRight(trim(s), ".")
	if _, err := netip.ParseAddr(s); err == nil || len(s) > longestHost || !hostForm.MatchString(lower(s)) {
		return ""
	}
	return s
}

// domain folds a domain name, with international ones in punycode. It is "" for what is none.
func domain(s string) string {
	s = foldedHost(s)
	if ascii, err := lookup.ToASCII(s); err == nil {
		s = ascii
	}
	if len(s) > longestHost || !domainForm.MatchString(s) {
		return ""
	}
	return s
}

func foldedHost(s string) string { return strings.TrimRight(folded(s), ".") }

// address is an address or a network in the form of RFC 5952, IPv4 taken out of IPv6, and the type of
// its object. Both are "" for what is none, such as an address with a zone.
func address(s string) (typ, out string) {
	p, ok := pattern.ParseAddress(trim(s))
	switch {
	case !ok:
		return "", ""
	case p.Addr().Is4():
		typ = "ipv4-addr"
	default:
		typ = "ipv6-addr"
	}
	if p.IsSingleIP() {
		return typ, p.Addr().String()
	}
	return typ, p.String()
}

// Lengths of hashes in hex digits.
const (
	md5Digits    = 32
	sha1Digits   = 40
	sha256Digits = 64
)

// hash folds a hash of one of the given lengths, and is "" for anything else.
func hash(s string, digits ...int) string {
	s = folded(s)
	for _, n := range digits {
		if len(s) == n && leadingHex(s) == s {
			return s
		}
	}
	return ""
}

func leadingHex(s string) string {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return s[:i]
		}
	}
	return s
}

// path is a path taken apart. Whole has no separator at its end, unless it is a root; then base is "".
type path struct {
	whole, dir, base string
	windows          bool
}

// splitPath takes a path apart. One with a backslash that does not begin with a slash is one of Windows.
func splitPath(s string) path {
	s = value(s)
	p := path{windows: strings.Contains(s, `\`) && !strings.HasPrefix(s, "/") || windowsRoot.MatchString(s)}
	seps := "/"
	if p.windows {
		seps = `\/`
	}
	for p.whole = s; ; p.whole = s { // a blank may come to stand at the end
		if s = value(cutTail(s, seps)); s == p.whole {
			break
		}
	}
	switch i := strings.LastIndexAny(p.whole, seps); {
	case i == len(p.whole)-1: // a root, or nothing
		p.dir = p.whole
	case i < 0:
		p.base = p.whole
	default:
		p.dir, p.base = value(cutTail(p.whole[:i+1], seps)), value(p.whole[i+1:])
	}
	return p
}

var windowsRoot = regexp.MustCompile(`^[A-Za-z]:[\\/]`)

// cutTail drops separators at the end of a path, but never makes a root of something else.
func cutTail(path, seps string) string {
	cut := strings.TrimRight(path, seps)
	if cut == "" {
		return path[:min(len(path), 1)]
	}
	if len(cut) == 2 && cut[1] == ':' && len(path) > 2 {
		return path[:3]
	}
	return cut
}
