package pattern

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile"
)

// The HarfangLab IOC types (contract harfanglab-api 4.2).
const (
	Hash       = "hash"
	FileName   = "filename"
	FilePath   = "filepath"
	SourceIP   = "ip_src"
	DestIP     = "ip_dst"
	BothIP     = "ip_both"
	DomainName = "domain_name"
	URL        = "url"
)

// ValueError says why a value cannot be held by a rule. Reason is reconcile.InvalidValue or
// reconcile.TooBroad.
type ValueError struct {
	Reason reconcile.Reason
	Msg    string
}

// Error gives the message; it does not repeat the value.
func (e *ValueError) Error() string { return e.Msg }

func invalid(msg string) *ValueError { return &ValueError{reconcile.InvalidValue, msg} }

// Canonical gives the one spelling under which a value of a HarfangLab IOC type is known: outer
// blanks off; hashes and domains in lower case, domains without their last dot and in punycode;
// addresses and CIDRs in the form of net/netip, with IPv4 out of IPv6, CIDRs masked and full-length
// prefixes dropped; the host of a URL in lower case and punycode. Names, paths and the rest of a URL
// keep their case. Doing it twice changes nothing.
//
// An error is a *ValueError. With reconcile.TooBroad the canonical value is returned as well; with
// reconcile.InvalidValue it is "". Values of an unknown type are trimmed and never an error.
func Canonical(typ, value string) (string, error) {
	out, err := canonical(typ, value)
	if err != nil {
		return out, err // a nil *ValueError would not be a nil error
	}
	return out, nil
}

func canonical(typ, value string) (string, *ValueError) {
	value = strings.TrimSpace(value)
	switch typ {
	case Hash, FileName, FilePath, SourceIP, DestIP, BothIP, DomainName, URL:
	default:
		return value, nil
	}
	if err := checkText(value); err != nil {
		return "", err
	}
	if defanged(typ, value) {
		return "", invalid("the value is defanged: nothing on the wire is spelt so")
	}
	switch typ {
	case Hash:
		return canonicalHash(value)
	case SourceIP, DestIP, BothIP:
		return canonicalAddress(value)
	case DomainName:
		return canonicalDomain(value)
	case URL:
		return canonicalURL(value), nil
	}
	return value, nil
}

// checkText refuses what no rule can hold: nothing, control characters, broken UTF-8.
func checkText(s string) *ValueError {
	switch {
	case s == "":
		return invalid("the value is empty")
	case !utf8.ValidString(s):
		return invalid("the value is not UTF-8")
	case strings.IndexFunc(s, unicode.IsControl) >= 0:
		return invalid("the value holds a control character")
	}
	return nil
}

// defanged reports a value of the network that was made harmless for people, such as hxxp://evil[.]example.
// Of a URL only what comes before its path is looked at: brackets are common behind.
func defanged(typ, s string) bool {
	switch typ {
	case URL:
		if low := strings.ToLower(s); strings.HasPrefix(low, "hxx") || strings.HasPrefix(low, "h**p") {
			return true
		}
		host := 0
		if i := strings.IndexByte(s, '/'); i >= 0 && strings.HasPrefix(s[i:], "//") {
			host = i + len("//")
		}
		if i := strings.IndexAny(s[host:], `/?#\`); i >= 0 {
			s = s[:host+i]
		}
	case DomainName, SourceIP, DestIP, BothIP:
	default:
		return false
	}
	return slices.ContainsFunc(fangs, func(mark string) bool { return strings.Contains(strings.ToLower(s), mark) })
}

// fangs are what stands for a dot or a colon where somebody took care.
var fangs = []string{"[.", ".]", "(.)", "{.}", "[dot]", "(dot)", "[:]", "[://"}

func canonicalHash(s string) (string, *ValueError) {
	if !allHex(s) {
		return "", invalid("a hash holds hex digits only")
	}
	switch len(s) {
	case md5Length, sha1Length, sha256Length:
		return strings.ToLower(s), nil
	}
	return "", invalid(fmt.Sprintf("%d hex digits are no MD5, SHA-1 or SHA-256", len(s)))
}

// Lengths of the supported hashes, in hex digits.
const (
	md5Length    = 32
	sha1Length   = 40
	sha256Length = 64
)
