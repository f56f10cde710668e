package sigma

import (
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// What the comparisons of a path are about.
const (
	whole     = iota // a field's whole text
	name             // the last part of a path
	directory        // all of a path but the last part
	digest
	address
	host // an address or a host name
	port
	protocol
)

// subject is the field of an event that a path of STIX speaks of, and how.
type subject struct {
	category, field string
	about           int
}

// subjects are the fields for each object and path. An object whose paths name several categories gives a rule for each.
var subjects = map[string][]subject{
	"process:command_line":   {{"process_creation", "CommandLine", whole}},
	"process:cwd":            {{"process_creation", "CurrentDirectory", whole}},
	"process:name":           {{"process_creation", "Image", name}},
	"process:image_ref.name": {{"process_creation", "Image", name}},
	"process:image_ref.parent_directory_ref.path": {{"process_creation", "Image", directory}},
	"process:image_ref.hashes.MD5":                {{"process_creation", "md5", digest}},
	"process:image_ref.hashes.SHA-1":              {{"process_creation", "sha1", digest}},
	"process:image_ref.hashes.SHA-256":            {{"process_creation", "sha256", digest}},
	"process:parent_ref.command_line":             {{"process_creation", "ParentCommandLine", whole}},
	"process:parent_ref.name":                     {{"process_creation", "ParentImage", name}},
	"process:parent_ref.image_ref.name":           {{"process_creation", "ParentImage", name}},
	"file:name":                                   {{"process_creation", "Image", name}, {"file_create", "TargetFilename", name}},
	"file:parent_directory_ref.path":              {{"process_creation", "Image", directory}, {"file_create", "TargetFilename", directory}},
	"file:hashes.MD5":                             {{"process_creation", "md5", digest}},
	"file:hashes.SHA-1":                           {{"process_creation", "sha1", digest}},
	"file:hashes.SHA-256":                         {{"process_creation", "sha256", digest}},
	"windows-registry-key:values[*].data":         {{"registry_event", "Details", whole}},
	"network-traffic:dst_ref.value":               {{"network_connection", "Destination", host}},
	"network-traffic:src_ref.value":               {{"network_connection", "SourceIp", address}},
	"network-traffic:dst_port":                    {{"network_connection", "DestinationPort", port}},
	"network-traffic:src_port":                    {{"network_connection", "SourcePort", port}},
	"network-traffic:protocols[*]":                {{"network_connection", "Protocol", protocol}},
	"domain-name:value":                           {{"dns_query", "QueryName", whole}},
	"url:value":                                   {{"url_request", "RequestUrl", whole}},
}

// clausesOf says one term for one product, for each category that can: all of its comparisons are about one
// object there, and one of them says what is there.
func clausesOf(term []pattern.Comparison, product string, excluded func(reconcile.Value) (string, bool)) map[string]*clause {
	positive := false // something that is no well-known file is asked for
	for i := range term {
		c := &term[i]
		if c.Object != term[0].Object || banned(c, excluded, rulesOf(c)...) {
			return nil
		}
		positive = positive || !c.Negated && !strings.ContainsAny(c.Op, "<>") && !banned(c, excluded, "filename", "filepath")
	}
	if !positive {
		return nil
	}
	out := map[string]*clause{}
	for _, category := range []string{"process_creation", "file_create", "registry_event", "network_connection", "dns_query", "url_request"} {
		if known().Products[product].Categories[category] == nil {
			continue
		}
		w := writer{product: product, category: category, clause: &clause{taken: map[string]int{}}}
		if w.term(term) {
			out[category] = w.clause
		}
	}
	return out
}

// rulesOf are the types of the rules that could hold the values of a comparison, but for names and paths of files.
func rulesOf(c *pattern.Comparison) []string {
	path := c.Object + ":" + c.Path
	switch path {
	case "domain-name:value":
		return []string{"domain_name", "ip_both"}
	case "url:value":
		return []string{"url"}
	}
	for _, s := range subjects[path] {
		switch s.about {
		case digest:
			return []string{"hash"}
		case address, host:
			return []string{"ip_both", "domain_name"}
		}
	}
	return nil
}

// banned says whether a comparison asks for a value of some types that is never deployed.
func banned(c *pattern.Comparison, excluded func(reconcile.Value) (string, bool), types ...string) bool {
	if excluded == nil || c.Negated {
		return false
	}
	for _, v := range c.Values {
		if c.Op != "=" && c.Op != "ISSUBSET" && (c.Op != "LIKE" || strings.ContainsAny(v, "%_")) {
			continue
		}
		for _, typ := range types {
			canonical, err := pattern.Canonical(typ, v)
			if canonical == "" {
				continue
			}
			if _, hit := excluded(reconcile.Value{Type: typ, Value: canonical}); hit || err != nil { // too broad
				return true
			}
		}
	}
	return false
}

// writer says the comparisons of one term.
type writer struct {
	product, category string
	clause            *clause
}

const (
	widerCase    = "wider: STIX compares with case, this rule without"
	narrowerCase = "narrower: what differs from a value that is ruled out in case alone"
)

func (w *writer) term(term []pattern.Comparison) bool {
	var rest []pattern.Comparison
	var key registryKey
	for _, c := range term {
		if c.Object == "windows-registry-key" && (c.Path == "key" || c.Path == "values[*].name") {
			if !key.take(c) {
				return false
			}
			continue
		}
		rest = append(rest, c)
	}
	if term[0].Object == "windows-registry-key" {
		if w.category != "registry_event" || !key.taken() {
			return false
		}
		w.add("TargetObject|re", key.patterns(), false)
		w.add("EventType", []string{"SetValue"}, false)
		w.note("narrower: values that are not written")
		w.note(widerCase)
	}
	for i := range rest {
		if !w.comparison(&rest[i], term) {
			return false
		}
	}
	return true
}

func (w *writer) note(text string) {
	if !slices.Contains(w.clause.notes, text) {
		w.clause.notes = append(w.clause.notes, text)
	}
}

// add writes a test: beside the others, in a mapping that does not have its key yet.
func (w *writer) add(key string, values []string, negated bool) {
	c := w.clause
	if negated {
		c.without = append(c.without, map[string][]string{key: values})
		return
	}
	if c.taken[key] < len(c.mappings) {
		c.mappings[c.taken[key]][key] = values
	} else {
		c.mappings = append(c.mappings, map[string][]string{key: values})
	}
	c.taken[key]++
}

func (w *writer) comparison(c *pattern.Comparison, term []pattern.Comparison) bool {
	if c.Object == "network-traffic" && (c.Path == "dst_ref.type" || c.Path == "src_ref.type") {
		return w.category == "network_connection" && typeSaid(c, term)
	}
	for _, s := range subjects[c.Object+":"+c.Path] {
		if s.category != w.category {
			continue
		}
		key, values, ok := w.test(s, c)
		if !ok || !w.table(key) {
			return false
		}
		w.add(key, values, c.Negated)
		if s.about == whole || s.about == name || s.about == directory {
			if c.Negated {
				w.note(narrowerCase)
			} else if c.Op != "MATCHES" {
				w.note(widerCase)
			}
		}
		return true
	}
	return false
}

// table says whether agents have the field of a key.
func (w *writer) table(key string) bool {
	field, _, _ := strings.Cut(key, "|")
	return known().field(w.product, w.category, field)
}

// typeSaid says whether the type of an end of a connection is that of the address or the name beside it.
func typeSaid(c *pattern.Comparison, term []pattern.Comparison) bool {
	end, _, _ := strings.Cut(c.Path, ".")
	return !c.Negated && c.Op == "=" && slices.ContainsFunc(term, func(o pattern.Comparison) bool {
		if o.Path != end+".value" || o.Negated || o.Op != "=" && o.Op != "ISSUBSET" {
			return false
		}
		return !slices.ContainsFunc(o.Values, func(v string) bool {
			addr, ok := pattern.ParseAddress(v)
			typ := "domain-name"
			if ok && addr.Addr().Is4() {
				typ = "ipv4-addr"
			} else if ok {
				typ = "ipv6-addr"
			}
			return !slices.Contains(c.Values, typ)
		})
	})
}

// each is what a comparison's values become under a key, all or none.
func each(c *pattern.Comparison, key string, as func(string) (string, bool)) (_ string, values []string, ok bool) {
	for _, v := range c.Values {
		text, good := as(v)
		if !good {
			return "", nil, false
		}
		values = append(values, text)
	}
	return key, values, true
}

var portOps = map[string]string{"=": "", "<": "|lt", "<=": "|lte", ">": "|gt", ">=": "|gte"}

// test is a comparison as a key and its values.
func (w *writer) test(s subject, c *pattern.Comparison) (key string, values []string, ok bool) {
	op, ordered := portOps[c.Op]
	switch {
	case s.about == address || s.about == host:
		return addressTest(s, c)
	case s.about == port && ordered:
		return each(c, s.field+op, func(v string) (string, bool) { _, err := strconv.ParseUint(v, 10, 16); return v, err == nil })
	case s.about == digest && c.Op == "=":
		return each(c, s.field, func(v string) (string, bool) { return v, isHex(v) })
	case s.about == protocol && c.Op == "=":
		return each(c, s.field, func(v string) (string, bool) { v = strings.ToLower(v); return v, v == "tcp" || v == "udp" })
	case s.about == whole:
		return wholeTest(s.field, c)
	case s.about == name:
		return w.nameTest(s.field, c)
	case s.about == directory && (c.Op == "=" || c.Op == "LIKE"):
		return each(c, s.field+"|re", func(v string) (string, bool) {
			v = strings.TrimRight(v, `\/`)
			return `(?i)^` + likeRegexp(v, c.Op == "LIKE", ".") + `[\\/][^\\/]*$`, v != "" && !(c.Op == "LIKE" && anything(v))
		})
	}
	return "", nil, false
}

// anything says of a LIKE that it says nothing.
func anything(v string) bool { return strings.Trim(v, `%_\/`) == "" }

// wholeTest compares the whole text of a field.
func wholeTest(field string, c *pattern.Comparison) (string, []string, bool) {
	switch c.Op {
	case "=":
		return each(c, field, func(v string) (string, bool) { return escaped(v), v != "" })
	case "LIKE":
		return each(c, field, func(v string) (string, bool) { return likeWildcards(v), strings.Trim(v, "%") != "" })
	case "MATCHES":
		return each(c, field+"|re", func(v string) (string, bool) { _, ok := parseRegexp(v); return v, ok })
	}
	return "", nil, false
}

// nameTest compares the last part of a path.
func (w *writer) nameTest(field string, c *pattern.Comparison) (string, []string, bool) {
	separator := "/"
	if w.product == "windows" {
		separator = `\`
	}
	plain := func(v string) bool { return v != "" && !strings.ContainsAny(v, `\/`) }
	switch c.Op {
	case "=":
		return each(c, field+"|endswith", func(v string) (string, bool) { return escaped(separator + v), plain(v) })
	case "LIKE":
		return each(c, field+"|re", func(v string) (string, bool) {
			return `(?i)[\\/]` + likeRegexp(v, true, `[^\\/]`) + `$`, plain(v) && !anything(v)
		})
	case "MATCHES":
		return each(c, field+"|re", func(v string) (string, bool) {
			text, ok := nameMatches(v)
			return text, ok && !matchesOdd(v)
		})
	}
	return "", nil, false
}

// addressTest compares an end of a connection.
func addressTest(s subject, c *pattern.Comparison) (string, []string, bool) {
	field := s.field
	if s.about == host {
		field = "DestinationIp"
	}
	isAddress := func(v string) (string, bool) {
		a, err := netip.ParseAddr(v)
		return a.Unmap().String(), err == nil
	}
	switch c.Op {
	case "ISSUBSET":
		return each(c, field+"|cidr", func(v string) (string, bool) { p, err := netip.ParsePrefix(v); return p.Masked().String(), err == nil })
	case "=":
		if key, values, ok := each(c, field, isAddress); ok || s.about != host {
			return key, values, ok
		}
		return each(c, "DestinationHostname", func(v string) (string, bool) {
			_, isAddr := pattern.ParseAddress(v)
			return escaped(v), !isAddr && v != ""
		})
	case "LIKE":
		return each(c, "DestinationHostname", func(v string) (string, bool) {
			return likeWildcards(v), s.about == host && strings.ContainsAny(strings.ToLower(v), "ghijklmnopqrstuvwxyz") // no address
		})
	}
	return "", nil, false
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// escaped is a text in which no rune has a meaning of Sigma's.
func escaped(s string) string { return sigmaText(s, false) }

// likeWildcards is the pattern of a LIKE in Sigma's wildcards.
func likeWildcards(s string) string { return sigmaText(s, true) }

// sigmaText writes a text for Sigma: a backslash only has to be doubled before what it would take the
// meaning of. like says that % and _ are wildcards.
func sigmaText(s string, like bool) string {
	var parts []string
	for _, r := range s {
		switch {
		case like && r == '%':
			parts = append(parts, "*")
		case like && r == '_':
			parts = append(parts, "?")
		case r == '*' || r == '?':
			parts = append(parts, `\`+string(r))
		default:
			parts = append(parts, string(r))
		}
	}
	for i := range parts {
		if parts[i] == `\` && i+1 < len(parts) && strings.ContainsAny(parts[i+1][:1], `*?\`) {
			parts[i] = `\\`
		}
	}
	return strings.Join(parts, "")
}

// likeRegexp is a text as a regular expression. like says that % and _ are wildcards, of one kind of rune.
func likeRegexp(s string, like bool, one string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case like && r == '%':
			b.WriteString(one + "*")
		case like && r == '_':
			b.WriteString(one)
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String()
}

// nameMatches makes of an expression for a name one for a path that ends in such a name. Only what names the
// beginning and the end at its ends can be moved.
func nameMatches(v string) (string, bool) {
	re, ok := parseRegexp(v)
	if !ok {
		return "", false
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = slices.Clone(re.Sub)
	}
	before, after := `[\\/][^\\/]*`, `[^\\/]*$`
	if len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		parts, before = parts[1:], `[\\/]`
	}
	if n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText {
		parts, after = parts[:n-1], `$`
	}
	var b strings.Builder
	for _, p := range parts {
		if !withoutSeparators(&b, p) {
			return "", false
		}
	}
	return before + b.String() + after, b.Len() > 0
}

// withoutSeparators writes an expression that matches what re does where no separator of a path is in it, and says
// whether there is one. (Regexp.String folds each rune of each class.)
func withoutSeparators(b *strings.Builder, re *syntax.Regexp) bool {
	between, after := "", ""
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpLiteral:
		text := regexp.QuoteMeta(string(re.Rune))
		if re.Flags&syntax.FoldCase != 0 {
			text = "(?i:" + text + ")"
		}
		b.WriteString(text)
		return !slices.Contains(re.Rune, '/') && !slices.Contains(re.Rune, '\\')
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteString(`[^\\/]`)
		return true
	case syntax.OpCharClass:
		return writeClass(b, re.Rune)
	case syntax.OpAlternate:
		between = "|"
	case syntax.OpStar:
		after = "*"
	case syntax.OpPlus:
		after = "+"
	case syntax.OpQuest:
		after = "?"
	case syntax.OpRepeat:
		after = "{" + itoa(re.Min) + "," + itoa(re.Max) + "}"
		if re.Max < 0 {
			after = "{" + itoa(re.Min) + ",}"
		}
	case syntax.OpConcat, syntax.OpCapture:
	default:
		return false // the ends of lines and of words
	}
	b.WriteString("(?:")
	for i, sub := range re.Sub {
		if i > 0 {
			b.WriteString(between)
		}
		if !withoutSeparators(b, sub) {
			return false
		}
	}
	b.WriteString(")" + after)
	return true
}

// writeClass writes the ranges of a class without the separators of a path, and says whether any is left.
func writeClass(b *strings.Builder, runes []rune) bool {
	some := false
	one := func(r rune) string {
		if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return string(r)
		}
		return fmt.Sprintf(`\x{%x}`, r)
	}
	write := func(from, to rune) {
		if from < to {
			b.WriteString(one(from) + "-" + one(to))
		} else if from == to {
			b.WriteString(one(from))
		}
		some = some || from <= to
	}
	b.WriteByte('[')
	for i := 0; i+1 < len(runes); i += 2 {
		from, to := runes[i], runes[i+1]
		for _, gap := range []rune{'/', '\\'} {
			if from <= gap && gap <= to {
				write(from, gap-1)
				from = gap + 1
			}
		}
		write(from, to)
	}
	b.WriteByte(']')
	return some
}

// registryKey gathers what a term says of a key and the name of a value.
type registryKey struct{ key, name *pattern.Comparison }

func (k *registryKey) take(c pattern.Comparison) bool {
	at := &k.key
	if c.Path != "key" {
		at = &k.name
	}
	if c.Negated || c.Op != "=" && c.Op != "LIKE" || *at != nil || slices.Contains(c.Values, "") || c.Op == "LIKE" && slices.ContainsFunc(c.Values, anything) {
		return false
	}
	*at = &c
	return true
}

func (k *registryKey) taken() bool { return k.key != nil || k.name != nil }

// patterns are expressions for the whole path of a value.
func (k *registryKey) patterns() []string {
	names := []string{`\\[^\\]*`}
	if k.name != nil {
		names = nil
		for _, v := range k.name.Values {
			names = append(names, `\\`+likeRegexp(v, k.name.Op == "LIKE", `[^\\]`))
		}
	}
	keys := []string{".*"}
	if k.key != nil {
		keys = nil
		for _, v := range k.key.Values {
			keys = append(keys, hive(v, k.key.Op == "LIKE"))
		}
	}
	var out []string
	for _, key := range keys {
		for _, name := range names {
			out = append(out, `(?i)^`+key+name+`$`)
		}
	}
	return out
}

var hives = [][2]string{{"HKEY_LOCAL_MACHINE", "HKLM"}, {"HKEY_CURRENT_USER", "HKCU"}, {"HKEY_USERS", "HKU"}, {"HKEY_CLASSES_ROOT", "HKCR"}, {"HKEY_CURRENT_CONFIG", "HKCC"}}

// hive is a key as an expression, its hive in both spellings. The hive is no part of what a LIKE reads.
func hive(key string, like bool) string {
	first, rest, _ := strings.Cut(key, `\`)
	for _, h := range hives {
		if strings.EqualFold(first, h[0]) || strings.EqualFold(first, h[1]) {
			return "(" + h[0] + "|" + h[1] + `)\\` + likeRegexp(strings.TrimRight(rest, `\`), like, ".")
		}
	}
	return likeRegexp(strings.TrimRight(key, `\`), like, ".")
}

func itoa(n int) string { return strconv.Itoa(n) }
