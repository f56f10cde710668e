package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// Permanent says whether a failed request was not carried out and will not be by trying again: one that
// says so itself, such as one that a read-only command must not send, or a certificate that is not trusted.
func Permanent(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return untrusted || Withheld(err)
}

// Withheld says whether a request did not reach its platform and the error itself says so, and why: a lock that is lost,
// a command that only reads, a proxy.
func Withheld(err error) bool {
	p, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	return ok && p.Permanent()
}

// Bare drops the URL that net/http puts in front, which the adapters' errors say themselves.
func Bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Cut names the request that the end of ctx cut off; other errors stay as they are.
func Cut(ctx context.Context, request string, err error) error {
	if err == nil || err != ctx.Err() {
		return err
	}
	return fmt.Errorf("%s was cut off: %w", request, err)
}

// OneLine is what a server says on one line, at most so many characters of it, without what cannot be seen.
func OneLine(s string, most int) string {
	const wide = 64 // so many bytes are looked at for each character that may be shown
	more := len(s) > wide*most
	if more {
		s = s[:wide*most]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	if more {
		s += "…"
	}
	return s
}

// Secrets are kept out of what a server, or something in front of it, echoes.
type Secrets []string

// Hide is a text without them.
func (all Secrets) Hide(s string) string {
	for _, one := range all {
		if one != "" {
			s = strings.ReplaceAll(s, one, "***")
		}
	}
	return s
}

// Redirect says where a redirect of a request leads, without what may be secret.
func Redirect(from *url.URL, location string) string {
	u, err := from.Parse(location)
	if err != nil || location == "" {
		return "redirect to an unnamed address"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return "redirect to " + u.String()
}
