package stix

import (
	"encoding/json"
	"html"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// content hints at rules by what comes of the rule itself: the marker in it, and else its id or its
// value. It may be of any kind, whatever the alert's type says.
func (h *hints) content(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	if m, class := iocMarker(text); class != marker.None {
		h.direct(alert.Hint{Kind: reconcile.IOC, Owners: m.Owners, Standard: m.StandardID, Instance: m.Instance})
	}
	if l, ok := yaraMarker(text); ok {
		h.direct(alert.Hint{Kind: reconcile.YARA, Owners: l.Owners, Instance: l.Instance})
	}
	r, ok := sigmaRule(text)
	if ok && r.Class == marker.Ours {
		h.direct(alert.Hint{Kind: reconcile.Sigma, Owners: []string{r.Ref.Owner}, Instance: r.Ref.Instance})
	}
	h.values(alert.ByContent, "", contentValues(text))
	if ok && r.ID != "" {
		h.add(alert.Hint{From: alert.ByContent, Kind: reconcile.Sigma, RuleID: r.ID})
	}
}

// direct adds a marker's hint, without ids that cannot be any.
func (h *hints) direct(n alert.Hint) {
	bad := func(id string) bool { return id == "" || strings.ContainsFunc(id, notInID) }
	n.From = alert.ByContent
	n.Owners = slices.DeleteFunc(slices.Clone(n.Owners), bad)
	if bad(n.Standard) {
		n.Standard = ""
	}
	if len(n.Owners) == 0 {
		n.Owners = nil
	}
	if n.Direct() {
		h.add(n)
	}
}

func notInID(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
}

// memberID is what every comment of ours and of the old connectors has, and what no quoting changes.
const memberID = "indicator_id"

// iocMarker finds the comment of an IOC rule in the line type,value,comment. How the engine quotes the
// comment is unknown, so its quotings are taken off one after the other, in every order up to three deep:
// doubled quotes, backslashes, entities, escapes of characters, single quotes, percent signs.
func iocMarker(text string) (found marker.IOC, class marker.Class) {
	if !strings.Contains(text, memberID) {
		return marker.IOC{}, marker.None
	}
	for s := range unquoted(text) {
		m, c := readComment(s)
		switch {
		case c == marker.Ours && !m.Partial:
			return m, c
		case c == marker.Ours && class != marker.Ours, c == marker.Old && class == marker.None:
			found, class = m, c
		}
	}
	return found, class
}

// readComment reads the first comment in a text: whole, or as far as it goes. Of what looks like one it
// tries eight.
func readComment(s string) (marker.IOC, marker.Class) {
	const tries = 8
	from := 0
	for range tries {
		i := strings.Index(s[from:], memberID)
		if i < 0 {
			break
		}
		at := from + i
		from = at + len(memberID)
		open := strings.LastIndexByte(s[:at], '{')
		if open < 0 {
			continue
		}
		comment := s[open:]
		var whole json.RawMessage
		if json.NewDecoder(strings.NewReader(comment)).Decode(&whole) == nil {
			comment = string(whole)
		}
		if m, class := marker.ParseIOC(comment); class != marker.None {
			return m, class
		}
	}
	return marker.IOC{}, marker.None
}

var (
	backslashes = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\'`, `'`, `\/`, `/`)
	characters  = regexp.MustCompile(`\\(?:u00|x)([0-9A-Fa-f]{2})`)

	// quotings take one way of quoting off.
	quotings = []func(string) string{
		func(s string) string { return strings.ReplaceAll(s, `""`, `"`) },
		backslashes.Replace,
		html.UnescapeString,
		func(s string) string {
			return characters.ReplaceAllStringFunc(s, func(m string) string {
				n, _ := strconv.ParseUint(m[len(m)-2:], 16, 8)
				return string(rune(n))
			})
		},
		func(s string) string { return strings.ReplaceAll(s, "'", `"`) },
		func(s string) string {
			if t, err := url.PathUnescape(s); err == nil {
				return t
			}
			return s
		},
	}
)

// unquoted are the readings of a text, the least changed first.
func unquoted(text string) iter.Seq[string] {
	const deep, longest = 3, 1 << 16
	return func(yield func(string) bool) {
		seen := []string{text[:min(len(text), longest)]}
		if !yield(seen[0]) {
			return
		}
		level := seen
		for range deep {
			var next []string
			for _, s := range level {
				for _, off := range quotings {
					t := off(s)
					if slices.Contains(seen, t) {
						continue
					}
					seen, next = append(seen, t), append(next, t)
					if !yield(t) {
						return
					}
				}
			}
			level = next
		}
	}
}

// yaraMarker finds our line in what comes of a YARA file.
func yaraMarker(text string) (marker.YARALine, bool) {
	for one := range strings.Lines(text) {
		if !strings.Contains(one, "//") || !strings.Contains(one, marker.Product) {
			continue
		}
		if l, _, class := marker.SplitYARA(one); class == marker.Ours {
			return l, true
		}
	}
	return marker.YARALine{}, false
}

var markedLink = regexp.MustCompile(`[^\s"'<>\[\]]+#` + marker.Product + `=[^\s"'<>\[\]]+`)

// sigmaRule reads the YAML of a Sigma rule. Of a text that is no YAML, such as one cut short, the
// reference that marks the rule is still read.
func sigmaRule(text string) (*marker.SigmaRule, bool) {
	r, err := marker.ReadSigma(text)
	if err == nil && (r.Title != "" || r.Class == marker.Ours) {
		return r, true
	}
	for _, s := range markedLink.FindAllString(text, -1) {
		if r, err := marker.ReadSigma("references: [" + strconv.Quote(s) + "]"); err == nil && r.Class == marker.Ours {
			return r, true
		}
	}
	return nil, false
}

// contentValues reads the line type,value,comment. A value may hold commas, and it is not known whether
// it is then quoted: unless it is, or a comment of ours ends it, it may end at the first comma or at the
// last.
func contentValues(text string) []reconcile.Value {
	typ, rest, ok := strings.Cut(strings.TrimLeft(text, " \t\r\n\ufeff\""), ",")
	if typ = strings.Trim(typ, ` "`); !ok || !valueType.MatchString(typ) {
		return nil
	}
	rest = strings.TrimLeft(rest, " ")
	if s, ok := strings.CutPrefix(rest, `"`); ok {
		return typed(typ, quotedField(s))
	}
	rest = line(rest)
	if i := strings.Index(rest, memberID); i >= 0 {
		if open := strings.LastIndexByte(rest[:i], '{'); open >= 0 {
			return typed(typ, strings.TrimSuffix(strings.TrimRight(rest[:open], `"'\ `), ","))
		}
	}
	first, _, _ := strings.Cut(rest, ",")
	out := typed(typ, first)
	if i := strings.LastIndexByte(rest, ','); i > len(first) {
		out = append(out, typed(typ, rest[:i])...)
	}
	return out
}

// quotedField is a CSV field without its first quote, up to the last.
func quotedField(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			if i+1 == len(s) || s[i+1] != '"' {
				break
			}
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
