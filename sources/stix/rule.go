package stix

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// Fired finds in an alert's texts which rule fired: the most telling clue first, as ordered in
// alert.Clue. Hints of one clue belong together, since an alert may be of several rules; a later clue
// counts only where the earlier ones lead to no rule.
//
// What an engine says of its own does not hint at a rule of ours: the message of a Sigma rule is prose,
// and the hashes of a file that matched by its name fired nothing. Equal alerts give equal hints, and
// what was hinted at by an earlier clue is not hinted at again.
func (*Maker) Fired(a *alert.Alert) []alert.Hint {
	h := &hints{engine: engineOf(a.Type)}
	h.ruleID(a)
	for _, m := range a.Matches {
		h.values(alert.ByMatch, m.SourceID, typed(m.Type, m.Value))
	}
	if h.engine.lists {
		for _, v := range messageValues(a.Message, h.engine.kind == reconcile.IOC) {
			h.values(alert.ByMessage, "", []reconcile.Value{v})
		}
	}
	h.content(a.RuleContent)
	h.hashes(a)
	h.names(a)
	return h.out
}

// engine is what fires alerts of one type.
type engine struct {
	kind  reconcile.Kind // of the rules that it fires, 0 when that is not known
	rules bool           // the alert's rule id and name are those of a rule we may hold
	lists bool           // it compares with lists of values
}

// engineOf knows the types of contract harfanglab-api 7.3. The rule id of a driver alert is that of a
// list. An unknown type may be anything.
func engineOf(typ string) engine {
	switch strings.ToLower(trim(typ)) {
	case "ioc":
		return engine{kind: reconcile.IOC, rules: true, lists: true}
	case "driver":
		return engine{kind: reconcile.IOC, lists: true}
	case "sigma":
		return engine{kind: reconcile.Sigma, rules: true}
	case "yara":
		return engine{kind: reconcile.YARA, rules: true}
	case "hlai", "vt", "ransom", "hurukaiav", "selfprotection", "correlation":
		return engine{}
	}
	return engine{rules: true, lists: true}
}

// hints gathers them in order, each once.
type hints struct {
	engine engine
	out    []alert.Hint
}

func (h *hints) add(n alert.Hint) {
	same := func(o alert.Hint) bool {
		o.From = n.From
		return reflect.DeepEqual(o, n)
	}
	if !slices.ContainsFunc(h.out, same) {
		h.out = append(h.out, n)
	}
}

// ruleID hints at the rule's own id, and at those of the rules that a correlation is of. Early YARA alerts
// repeat the name in its place.
func (h *hints) ruleID(a *alert.Alert) {
	if id := trim(a.RuleID); h.engine.rules && id != "" && !strings.ContainsAny(id, " \t\n") {
		h.add(alert.Hint{From: alert.ByRuleID, Kind: h.engine.kind, RuleID: id})
	}
	for _, r := range a.Correlated {
		if id := trim(r.ID); id != "" {
			h.add(alert.Hint{From: alert.ByRuleID, Kind: reconcile.Sigma, RuleID: id})
		}
	}
}

// values hints at rules by what they block. A value as the alert spells it goes first: that may be the
// spelling of a row. Then comes the one in which we write it.
func (h *hints) values(from alert.Clue, source string, vs []reconcile.Value) {
	for _, v := range vs {
		for _, s := range []string{v.Value, spelled(v)} {
			h.add(alert.Hint{From: from, Kind: reconcile.IOC, SourceID: trim(source), Type: v.Type, Value: s})
		}
	}
}

// hashes hints at rules for the file that matched, and for the one that was written. The process may be
// another program. A rule for another value than a hash leaves nothing to find here.
func (h *hints) hashes(a *alert.Alert) {
	if !h.engine.lists {
		return
	}
	if fired := firedValues(a); len(fired) > 0 && !slices.ContainsFunc(fired, func(v reconcile.Value) bool { return v.Type == "hash" || v.Type == "" }) {
		return
	}
	for _, f := range []alert.File{a.Detected, a.Written} {
		for _, s := range []string{hash(f.SHA256, sha256Digits), hash(f.SHA1, sha1Digits), hash(f.MD5, md5Digits)} {
			if s != "" {
				h.add(alert.Hint{From: alert.ByHash, Kind: reconcile.IOC, Type: "hash", Value: s})
			}
		}
	}
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// names hints at rules by what they are called. Lists name no rules: the name of an IOC alert is that of
// a check.
func (h *hints) names(a *alert.Alert) {
	name := trim(a.RuleName)
	if h.engine.rules && h.engine.kind != reconcile.IOC && h.engine.kind != reconcile.YARA && name != "" {
		h.add(alert.Hint{From: alert.ByName, Kind: reconcile.Sigma, Name: name})
	}
	if h.engine.rules && (h.engine.kind == reconcile.YARA || h.engine.kind == 0) {
		rule := trim(name[strings.LastIndexByte(name, ':')+1:])
		if identifier.MatchString(rule) && (h.engine.kind == reconcile.YARA || rule != name) {
			h.add(alert.Hint{From: alert.ByName, Kind: reconcile.YARA, YARARule: rule})
		}
	}
	for _, m := range a.YARA {
		if rule := trim(m.Rule); rule != "" {
			h.add(alert.Hint{From: alert.ByName, Kind: reconcile.YARA, YARARule: rule, Name: trim(m.File), Source: trim(m.Source)})
		}
	}
}

// spelled is the spelling in which we write a value, where that is another. Without a type only the value
// is known.
func spelled(v reconcile.Value) string {
	switch {
	case strings.HasPrefix(v.Type, "ip_"):
		if _, a := address(v.Value); a != "" {
			return a
		}
	case v.Type == "domain_name":
		if d := domain(v.Value); d != "" {
			return d
		}
	case v.Type == "":
		if _, a := address(v.Value); a != "" {
			return a
		}
		return strings.TrimRight(v.Value, ".")
	}
	return v.Value
}

// valueTypes are the types of IOC rules, and the words for hashes that alerts use beside them.
const valueTypes = `hash|filename|filepath|ip_src|ip_dst|ip_both|url|domain_name|md5|sha1|sha256`

var valueType = regexp.MustCompile(`(?i)^(?:` + valueTypes + `)$`)

// typed makes sense of a type and a value as written, with more text possibly behind the value: of a
// hash its leading digits count, of a name or address of the network its first word. It gives nothing for
// what cannot be a value of that type.
func typed(typ, text string) []reconcile.Value {
	typ, text = strings.ToLower(trim(typ)), value(text)
	if !valueType.MatchString(typ) || text == "" {
		return nil
	}
	switch typ {
	case "hash", "md5", "sha1", "sha256":
		if s := hash(leadingHex(text), md5Digits, sha1Digits, sha256Digits); s != "" {
			return []reconcile.Value{{Type: "hash", Value: s}}
		}
		return nil
	case "ip_src", "ip_dst", "ip_both":
		word := strings.TrimRight(strings.Fields(text)[0], ".,;")
		if kind, _ := address(word); kind == "" {
			return nil
		}
		return []reconcile.Value{{Type: typ, Value: word}}
	case "domain_name":
		return []reconcile.Value{{Type: typ, Value: strings.TrimRight(strings.Fields(text)[0], ",;")}}
	}
	return []reconcile.Value{{Type: typ, Value: text}}
}

var (
	typeEquals = regexp.MustCompile(`(?i)\b(` + valueTypes + `)\s*=\s*`)
	typeColon  = regexp.MustCompile(`(?i)\b(` + valueTypes + `)\s*:\s*`)
)

// messageValues reads the message of a list engine: a text, a colon, a type, an equals sign and the value,
// which runs to the end of the line and may hold anything, even another type with an equals sign. So the
// last type that does not stand inside a value goes first, then the others. Older managers wrote a colon
// for the equals sign, or a colon alone (contract harfanglab-api 7.4); the latter is believed only of IOC
// alerts.
func messageValues(msg string, ioc bool) []reconcile.Value {
	equals, within := pairs(typeEquals, msg)
	colon, deep := pairs(typeColon, msg)
	inside := append(within, deep...)
	switch {
	case len(equals) > 0:
		inside = within
	case len(colon) == 0 && ioc:
		equals = bare(msg)
	}
	const most = 8
	out := slices.Concat(equals, inside)
	if len(equals) == 0 {
		out = slices.Concat(colon, inside)
	}
	return out[:min(len(out), most)]
}

// bare reads a value that has no type before it.
func bare(msg string) []reconcile.Value {
	_, rest, _ := strings.Cut(msg, ":")
	rest = value(line(rest))
	begins := func(form *regexp.Regexp) bool { at := form.FindStringIndex(rest); return at != nil && at[0] == 0 }
	if rest == "" || begins(typeEquals) || begins(typeColon) {
		return nil
	}
	if s := typed("hash", rest); len(s) > 0 {
		return s
	}
	return []reconcile.Value{{Value: rest}}
}

// pairs are the types and values that a form finds: those that stand apart, the last one first, and those
// inside another value.
func pairs(form *regexp.Regexp, msg string) (apart, inside []reconcile.Value) {
	for _, at := range slices.Backward(form.FindAllStringSubmatchIndex(msg, -1)) {
		vs := typed(msg[at[2]:at[3]], line(msg[at[1]:]))
		if at[0] == 0 || strings.ContainsAny(msg[at[0]-1:at[0]], " \t\r\n:([\"'") {
			apart = append(apart, vs...)
		} else {
			inside = append(inside, vs...)
		}
	}
	return apart, inside
}

// line is a text up to the end of its line.
func line(s string) string {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// firedValues are what the alert says that matched, for what it shows: all of ioc_matches, and what the
// message says, or else the rule.
func firedValues(a *alert.Alert) []reconcile.Value {
	var out []reconcile.Value
	for _, m := range a.Matches {
		out = append(out, typed(m.Type, m.Value)...)
	}
	if e := engineOf(a.Type); e.lists {
		if vs := messageValues(a.Message, e.kind == reconcile.IOC); len(vs) > 0 {
			out = append(out, guessed(vs[0]))
		}
	}
	if len(out) == 0 {
		if vs := contentValues(a.RuleContent); len(vs) > 0 {
			out = append(out, vs[0])
		}
	}
	return out
}

// guessed gives a value that has no type the one that it can only be: of an address, a URL or a path.
func guessed(v reconcile.Value) reconcile.Value {
	typ, _ := address(v.Value)
	switch {
	case v.Type != "":
	case typ != "":
		v.Type = "ip_both"
	case strings.Contains(v.Value, "://"):
		v.Type = "url"
	case strings.ContainsAny(v.Value, `/\`):
		v.Type = "filepath"
	}
	return v
}
