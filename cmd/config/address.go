package config

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/harfangsync/harfangsync/reconcile/secret"
)

// address is the URL of a platform: http or https, a host, perhaps a port and a path; without
// trailing slash.
func address(at *string) kind {
	return scalar(at, parseAddress, same).described("http or https URL", object{"type": "string"})
}

const addressForm = "write it as https://host, https://host:port or https://host/path"

func parseAddress(s string) (string, error) {
	// What is wrong may be that it is a token, a password or a key, or that one was pasted into it.
	wrong := func(message, remedy string) (string, error) {
		return "", &Problem{Message: message, Remedy: remedy, hide: !hostForm.MatchString(s)}
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
	case u.Hostname() == "" || strings.ContainsFunc(u.Host, noHost):
		return wrong("names no host", addressForm)
	case strings.HasSuffix(u.Host, ":"):
		return wrong("has a colon and no port", addressForm)
	}
	if tokenForm.MatchString(u.Hostname()) || slices.ContainsFunc(strings.Split(u.Path, "/"), tokenForm.MatchString) {
		return wrong("has what looks like a token in it", "write the address alone and the token in its own setting")
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return wrong("has a port that is not one", "a port is a number from 1 to 65535")
	}
	return strings.ToLower(u.Scheme+"://"+u.Host) + strings.TrimRight(u.EscapedPath(), "/"), nil
}

func noHost(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }

func isPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 1 && n <= 65535
}

// hostForm is what of an address that is none may be repeated: a name of a host, perhaps with another scheme or a port.
// tokenForm is a part of an address that names no host and no path: OpenCTI's tokens are UUIDs or long and random.
var (
	hostForm  = regexp.MustCompile(`^([a-z]{1,8}://)?[A-Za-z0-9-]{1,24}(\.[A-Za-z0-9-]{1,24})*(:[0-9]{0,6})?/?$`)
	tokenForm = regexp.MustCompile(`(?i)^(flgrn_[a-z]+_.*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,})$`)
)

// encrypted warns of an address at which what is sent can be read on its way.
func encrypted(l *loader, s *setting) error {
	u, err := url.Parse(s.value().(string))
	if err != nil || u.Scheme != "http" {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if name := u.Hostname(); name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	l.warn("%s is an http address: tokens, and all that is read and written, can be read and changed on their way; use https", s.path)
	return nil
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

// caNames are the variables by which compose files name authorities, for pycti and for Python's requests.
var caNames = []string{"HTTPS_CA_CERTIFICATES", "REQUESTS_CA_BUNDLE"}

// bundle is a PEM file, or the PEM text itself, whose line ends may be written as \n.
func bundle(at *string) kind {
	parse := func(s string) (string, error) {
		s = strings.TrimSpace(s)
		if isPEM(s) && strings.Contains(s, "PRIVATE KEY") { // which would be shown with the rest
			return "", &Problem{Message: "holds a private key", Remedy: "write the certificates of authorities alone", hide: true}
		}
		if isPEM(s) {
			return strings.ReplaceAll(s, `\n`, "\n"), nil
		}
		if hidden(given{text: s}) {
			return "", bad("has characters that do not print", "write it anew")
		}
		return s, nil
	}
	k := scalar(at, parse, same).described("file, or PEM text", plainSchema)
	k.verbatim = true
	return k
}

// pemFile is the name of a file that holds a certificate or its key. What is that text itself is not shown.
func pemFile(at *string) kind {
	parse := func(s string) (string, error) {
		s = strings.TrimSpace(s)
		if hidden(given{text: s}) || strings.Contains(s, "-----BEGIN ") {
			return "", &Problem{Message: "is no name of a file", Remedy: "write the certificate, or the key, to a file and name that", hide: true}
		}
		return s, nil
	}
	k := scalar(at, parse, same).described("text", plainSchema)
	k.verbatim = true
	return k
}

func isPEM(s string) bool { return strings.HasPrefix(s, "-----BEGIN ") }

// endpoint is where this program listens. Nobody but this host reaches it unless a host is named.
func endpoint(at *string) kind {
	const form = "write it as 9090, :9090 or 0.0.0.0:9090"
	parse := func(s string) (string, error) {
		if !strings.Contains(s, ":") {
			s = ":" + s
		}
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return "", bad("is no host and port", form)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
			return "", bad("has no port from 0 to 65535", form)
		}
		if host != "" && net.ParseIP(host) == nil && !hostForm.MatchString(host) {
			return "", bad("names no host", form)
		}
		return net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port), nil
	}
	return scalar(at, parse, same).described("port, or host:port", object{"anyOf": []any{object{"type": "string"}, object{"type": "integer", "minimum": 0, "maximum": 65535}}})
}

// ourHeaders are set by this program.
var ourHeaders = []string{"Accept", "Authorization", "Content-Length", "Content-Type", "Host"}

// headers are Name: value pairs, cut at semicolons, as pycti reads them.
func headers(at *secret.Text) kind {
	parse := func(s string) (secret.Text, error) {
		_, err := headersOf(s)
		return secret.Text(s), err
	}
	return secretText(at, parse).described("`Name: value` pairs, cut at `;`", plainSchema)
}

func headersOf(s string) (http.Header, error) {
	h := http.Header{}
	for pair := range strings.SplitSeq(s, ";") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, ":")
		name, value = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return nil, bad("has a pair that is no header", "write Name: value; Name: value")
		case slices.Contains(ourHeaders, name):
			return nil, bad("holds the header "+name+", which this program sets", "leave it out")
		}
		h.Add(name, value)
	}
	return h, nil
}

// Hidden are the values of the custom headers.
func (o *OpenCTI) Hidden() (values []string) {
	for _, v := range o.Headers() {
		values = append(values, v...)
	}
	return values
}

// Headers are the custom headers, as a request has them.
func (o *OpenCTI) Headers() http.Header {
	h, _ := headersOf(o.CustomHeaders.Reveal()) // which were read when they were set
	return h
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
