package octisim

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	mailForm = regexp.MustCompile(`^[^\s@]+@[^\s@]+$`)
	macForm  = regexp.MustCompile(`^(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$`)
	hexForm  = regexp.MustCompile(`^[0-9A-Fa-f]+$`)
	hostPart = regexp.MustCompile(`^[\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_-]{0,61}[\p{L}\p{M}\p{N}_])?$`)
)

var hashLengths = map[string]int{"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128}

// host tells whether s is a host name of at least so many labels.
func host(s string, labels int) bool {
	parts := strings.Split(s, ".")
	return len(s) <= 253 && len(parts) >= labels && !slices.ContainsFunc(parts, func(p string) bool { return !hostPart.MatchString(p) })
}

// wellFormed tells whether the platform takes an observable: the values of names, addresses, mailboxes
// and hashes are checked, others only have to be there (contract opencti-api 9).
func wellFormed(o *Observable) bool {
	switch o.EntityType {
	case "Domain-Name":
		return host(o.Value, 2)
	case "Hostname":
		return host(o.Value, 1)
	case "IPv4-Addr":
		return address(o.Value, netip.Addr.Is4)
	case "IPv6-Addr":
		return address(o.Value, netip.Addr.Is6)
	case "Email-Addr":
		return mailForm.MatchString(o.Value)
	case "Mac-Addr":
		return macForm.MatchString(o.Value)
	case "StixFile", "Artifact":
		for _, h := range o.Hashes {
			if n, ok := hashLengths[strings.ToUpper(h.Algorithm)]; ok && (len(trim(h.Hash)) != n || !hexForm.MatchString(trim(h.Hash))) {
				return false
			}
		}
		return len(o.Hashes) > 0 || trim(o.Name) != "" || trim(o.Value) != ""
	case "User-Account":
		id, _ := o.Props["user_id"].(string)
		kind, _ := o.Props["account_type"].(string)
		return trim(o.Value+id+kind) != ""
	default:
		return trim(o.Value) != ""
	}
}

// address takes an address or a network of one family.
func address(s string, is func(netip.Addr) bool) bool {
	if a, err := netip.ParseAddr(s); err == nil {
		return is(a) && a.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return err == nil && is(p.Addr())
}

// patternTypes are the built-in ones; nobody can add others by an import.
var patternTypes = []string{"stix", "pcre", "sigma", "snort", "suricata", "yara", "tanium-signal", "spl", "eql", "shodan"}

func knownPatternType(v version, t string) bool {
	return slices.Contains(patternTypes, t) || t == "nova" && v.atLeast("7")
}

var yaraRule = regexp.MustCompile(`(?s)\brule\s+\w+.*\{.*\bcondition\s*:.*\}`)

// goodPattern tells whether a pattern has the form of its type. It sees what is plainly broken and
// no more; the platform has a parser for each.
func goodPattern(kind, pattern string) bool {
	switch kind {
	case "stix":
		open := 0
		for _, p := range cut(pattern) {
			switch p.text {
			case "[":
				open++
			case "]":
				open--
			}
			if open < 0 || open > 1 || p.kind == 'w' && strings.HasPrefix(p.text, "'") { // a quote that never closes
				return false
			}
		}
		return open == 0 && strings.Contains(pattern, "[") && slices.ContainsFunc(cut(pattern), func(p piece) bool {
			return p.kind == '=' || p.text == "IN" || p.text == "LIKE" || p.text == "MATCHES" || p.text == "EXISTS" || p.text == "ISSUBSET" || p.text == "ISSUPERSET"
		})
	case "yara":
		return yaraRule.MatchString(pattern)
	case "sigma":
		var rule map[string]any
		return yaml.Unmarshal([]byte(pattern), &rule) == nil && rule["detection"] != nil
	}
	return trim(pattern) != ""
}
