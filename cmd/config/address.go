package config

import (
	"net/url"
	"strconv"
	"strings"

	"harfangsync/reconcile/secret"
)

// address is the URL of a platform: http or https, a host, perhaps a port and a path; without
// trailing slash.
func address(at *string) kind {
	return scalar(at, parseAddress, same).described("http or https URL", object{"type": "string"})
}

const addressForm = "write it as https://host, https://host:port or https://host/path"

func parseAddress(s string) (string, error) {
	// Whatever is wrong with the rest: what may hold a password or a key is not repeated.
	wrong := func(message, remedy string) (string, error) {
		return "", &Problem{Message: message, Remedy: remedy, hide: strings.ContainsAny(s, "@?#")}
	}
	u, err := url.Parse(s)
	if err != nil {
		return wrong("is no address", addressForm)
	}
	if scheme := strings.ToLower(u.Scheme); scheme != "http" && scheme != "https" || u.Opaque != "" {
		return wrong("is no http or https address", addressForm)
	}
	switch {
	case u.User != nil:
		return wrong("has a user name in the address", "write the address alone and the credentials in their own settings")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return wrong("has a query or a fragment", "write the address alone, up to the path")
	case u.Hostname() == "" || strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }):
		return wrong("names no host", addressForm)
	case strings.HasSuffix(u.Host, ":"):
		return wrong("has a colon and no port", addressForm)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return wrong("has a port that is not one", "a port is a number from 1 to 65535")
		}
	}
	return strings.ToLower(u.Scheme+"://"+u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// webhook is an http or https URL that is as secret as a password. It may have credentials and a query.
func webhook(at *secret.Text) kind {
	parse := func(s string) (secret.Text, error) {
		u, err := url.Parse(s)
		if err != nil || u.Opaque != "" || u.Hostname() == "" || !strings.EqualFold(u.Scheme, "http") && !strings.EqualFold(u.Scheme, "https") {
			return "", bad("is no http or https address", "write it as the service shows it, such as https://host/path")
		}
		return secret.Text(s), nil
	}
	return secretText(at, parse).described("http or https URL", object{"type": "string"})
}

// placeholderText says whether a value is one of those that sample files carry to be replaced, or the mask
// that config print shows for a secret. Case and a surrounding host name make no difference.
func placeholderText(s string, secret bool) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "changeme" || secret && (s == "***" || s == "token changeme") {
		return true
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return false
	}
	for label := range strings.SplitSeq(u.Hostname(), ".") {
		if label == "changeme" {
			return true
		}
	}
	return false
}
