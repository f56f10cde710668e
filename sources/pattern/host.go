package pattern

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// lookup turns international names to punycode as browsers do before they ask DNS, and lets pass
// what DNS itself allows, such as underscores.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.VerifyDNSLength(false))

// canonicalDomain repeats until nothing changes: mapping can bring forth a dot or a blank at an end,
// as with an ideographic full stop.
func canonicalDomain(s string) (string, *ValueError) {
	for range 5 {
		t := strings.TrimRight(strings.TrimSpace(s), ".")
		t = canonicalHost(t)
		if t != s {
			s = t
			continue
		}
		if s == "" {
			return "", invalid("the domain name is empty")
		}
		if strings.IndexByte(s, '.') < 0 {
			return "", invalid("a domain name has a dot")
		}
		if strings.ContainsFunc(s, noDomain) {
			return "", invalid("a domain name holds no blank and none of / : * [ @")
		}
		if s[0] == '.' || strings.Contains(s, "..") {
			return "", invalid("a domain name has no empty label")
		}
		return s, nil
	}
	return "", invalid("the domain name has no stable form")
}

func noDomain(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/:*[@", r) }

// canonicalHost gives a host in lower case and in punycode. A name that IDNA refuses stays as it is
// but for case: the manager would take it.
func canonicalHost(s string) string {
	for i := range len(s) {
		if s[i] < utf8.RuneSelf {
			continue
		}
		if ascii, err := lookup.ToASCII(s); err == nil {
			return strings.ToLower(ascii)
		}
		break
	}
	return strings.ToLower(s)
}

// canonicalURL changes the host alone. A URL without a scheme has no host that can be told from a
// path, and stays as written; so does one whose host, mapped, would read as another part of a URL.
func canonicalURL(s string) string {
	start, end := hostSpan(s)
	if start < 0 {
		return s
	}
	host := canonicalHost(s[start:end])
	if host == s[start:end] {
		return s
	}
	out := s[:start] + host + s[end:]
	if i, j := hostSpan(out); out[i:j] != host || canonicalHost(host) != host || strings.TrimSpace(out) != out {
		return s
	}
	return out
}

// Host gives the host that a URL names, without port and brackets, "" if it names none. Without a
// scheme the URL begins with its host, or with two slashes before it. A UNC path such as \\host@80\share has the
// port behind an @ where a URL has the user before one.
func Host(url string) string {
	start, end := hostSpan(url)
	if start < 0 {
		if _, err := netip.ParseAddr(url); err == nil {
			return url
		}
		if unc, ok := strings.CutPrefix(url, `\\`); ok {
			return unc[:strings.IndexAny(unc+`\`, `\/@`)]
		}
		start, end = authoritySpan(url, len(url)-len(strings.TrimPrefix(url, "//")))
	}
	return strings.Trim(url[start:end], "[]")
}

// hostSpan finds the host in a URL with a scheme, or gives -1.
func hostSpan(url string) (start, end int) {
	i := strings.Index(url, "://")
	if i < 1 {
		return -1, -1
	}
	for j := range i {
		if c := url[j]; c == '_' || !isNameStart(c) && (j == 0 || !isDigit(c) && c != '+' && c != '-' && c != '.') {
			return -1, -1
		}
	}
	return authoritySpan(url, i+len("://"))
}

// authoritySpan finds the host in the authority that begins at i: what follows the last @ and ends
// before the port. A backslash ends the authority, as it does in browsers.
func authoritySpan(url string, i int) (start, end int) {
	start, end = i, len(url)
	if n := strings.IndexAny(url[i:], `/?#\`); n >= 0 {
		end = i + n
	}
	if at := strings.LastIndexByte(url[start:end], '@'); at >= 0 {
		start += at + 1
	}
	if colon := strings.LastIndexByte(url[start:end], ':'); colon >= 0 && !strings.ContainsRune(url[start+colon:end], ']') {
		end = start + colon
	}
	return start, end
}
