// Package marker holds the texts of rules: the forms in which two of them are compared, and the
// marker by which a row is known to be ours.
//
// Each kind carries its marker where its users may see it: an IOC rule in the JSON of its comment,
// a Sigma rule in the references of its own YAML, a YARA file in its first line. A marker names the
// indicators that want the rule, the instance of harfangsync that wrote it, and what was applied.
// Markers never take part in the digests of the text they mark.
package marker

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Class says whose a row is by its marker alone.
type Class uint8

// The classes. Ours means a marker of some instance; the caller compares the instance.
const (
	None Class = iota // no marker
	Ours              // a marker of harfangsync
	Old               // the comment of an old connector
)

// Product is the word by which every marker is recognised.
const Product = "harfangsync"

// Applied is what a marker notes about our last write, written
// "1:<sent>-<maturity>[-<stored>][-m<asked>[<kept>]][-t<source>]".
// The number is the version of the digest algorithm; a note of another version is not Known, and
// what is not known is never a difference.
type Applied struct {
	Known    bool
	Sent     uint64 // digest of the text that was wanted then
	Maturity string // rule maturity that was set then
	Stored   uint64 // digest of what the server made of that text, an IOC's without platforms; 0 when it kept it
	Asked    Fields // that a mapping asked for; zero for none
	Kept     Fields // what the server holds of these instead, where it did not take them; zero when it took all
	Source   uint64 // digest of the text as its author wrote it, where another was wanted; 0 where that was
}

const appliedVersion = "1"

// String is the marker's form.
func (a Applied) String() string {
	s := fmt.Sprintf("%s:%016x-%s", appliedVersion, a.Sent, a.Maturity)
	if a.Stored != 0 {
		s += fmt.Sprintf("-%016x", a.Stored)
	}
	if !a.Asked.None() {
		s += "-m" + a.Asked.String()
		if a.Kept != (Fields{}) {
			s += a.Kept.String()
		}
	}
	if a.Source != 0 {
		s += fmt.Sprintf("-t%016x", a.Source)
	}
	return s
}

// ParseApplied reads String's form; anything else is not Known.
func ParseApplied(s string) Applied {
	rest, ok := strings.CutPrefix(s, appliedVersion+":")
	if !ok {
		return Applied{}
	}
	parts := strings.Split(rest, "-")
	if len(parts) < 2 {
		return Applied{}
	}
	sent, err := strconv.ParseUint(parts[0], 16, 64)
	if err != nil {
		return Applied{}
	}
	a := Applied{Known: true, Sent: sent, Maturity: parts[1]}
	parts = parts[2:]
	if n := len(parts); n > 0 && strings.HasPrefix(parts[n-1], "t") {
		if a.Source, err = strconv.ParseUint(parts[n-1][1:], 16, 64); err != nil {
			return Applied{}
		}
		parts = parts[:n-1]
	}
	if len(parts) > 0 && !strings.HasPrefix(parts[0], "m") {
		if a.Stored, err = strconv.ParseUint(parts[0], 16, 64); err != nil {
			return Applied{}
		}
		parts = parts[1:]
	}
	if len(parts) > 0 && !a.parseFields(parts[0]) || len(parts) > 1 {
		return Applied{}
	}
	return a
}

// parseFields reads "m<asked>[<kept>]".
func (a *Applied) parseFields(s string) (ok bool) {
	s, ok = strings.CutPrefix(s, "m")
	if !ok || len(s) < len(a.Asked) {
		return false
	}
	if a.Asked, ok = ParseFields(s[:len(a.Asked)]); !ok || len(s) == len(a.Asked) {
		return ok
	}
	a.Kept, ok = ParseFields(s[len(a.Asked):])
	return ok
}

// Author is the digest of the text as its author wrote it.
func (a Applied) Author() uint64 { return cmp.Or(a.Source, a.Sent) }

// Hash is a digest of parts that tells ("ab","c") from ("a","bc"). It is never 0.
func Hash(parts ...string) uint64 {
	b := sum(parts)
	n := binary.BigEndian.Uint64(b[:8])
	if n == 0 {
		return 1
	}
	return n
}

// Key is a digest wide enough to be an identity.
func Key(parts ...string) [16]byte {
	b := sum(parts)
	return [16]byte(b[:16])
}

func sum(parts []string) [sha256.Size]byte {
	var stack [512]byte
	buf := stack[:0]
	for _, p := range parts {
		buf = binary.AppendUvarint(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	return sha256.Sum256(buf)
}

// MaxText is the longest description or comment that is sent, in runes (contract harfanglab-api
// 13.9: no published limit, so we set one).
const MaxText = 1000

// Normal is the form in which descriptions are compared and sent: valid UTF-8 in NFC, LF line ends,
// no outer blanks, at most MaxText runes. It is idempotent.
func Normal(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = norm.NFC.String(s)
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	return strings.TrimSpace(cut(strings.TrimSpace(s), MaxText))
}

// cut shortens s to at most n runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// MaxName is the longest display name a Sigma or YARA rule may have, in characters (contract
// harfanglab-api 4.3).
const MaxName = 100

// Name is the display name of a rule: the indicator's name on one line, outer blanks off, and when
// it is longer than MaxName, cut and closed with ~ and the first eight hex digits of the indicator's
// internal id.
func Name(name, indicatorID string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD")))
	if len([]rune(name)) <= MaxName {
		return name
	}
	tail := "~" + firstHex(indicatorID, 8)
	return strings.TrimSpace(cut(name, MaxName-len(tail))) + tail
}

func firstHex(s string, n int) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if b.Len() < n && (r >= '0' && r <= '9' || r >= 'a' && r <= 'f') {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// OldNames are the names an old connector may have given the rule of an indicator: the whole name,
// cut at 100 and cut at 99 characters, blanks trimmed as the server does (contract harfanglab-api
// 4.3).
func OldNames(name string) []string {
	whole := strings.TrimSpace(name)
	names := []string{whole}
	for _, n := range []int{100, 99} {
		if short := strings.TrimSpace(cut(name, n)); short != names[len(names)-1] {
			names = append(names, short)
		}
	}
	return names
}
