package octisim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// indexed is the longest text, in characters, that the search database keeps for comparison and
// order; a longer one counts as missing there (contract opencti-api 3.3).
const indexed = 512

// keyword is s as the database compares it: without case and accents, and nothing when too long.
func keyword(s string) string {
	if len(s) > indexed && utf8.RuneCountInString(s) > indexed {
		return ""
	}
	return fold(s)
}

// fold takes case and accents off.
func fold(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || 'A' <= r && r <= 'Z' }) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(s)) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return ligatures.Replace(b.String())
}

var ligatures = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ł", "l")

// trim removes what JavaScript's trim removes, which is not what strings.TrimSpace removes
// (contract opencti-api 10.1).
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		switch r {
		case '\t', '\n', '\v', '\f', '\r', '\u2028', '\u2029', '\ufeff':
			return true
		}
		return unicode.Is(unicode.Zs, r)
	})
}

// appendJSON writes s as a JSON string the way JavaScript does: escaped only where it must be. It is
// also RFC 8785's form, which ids are computed over.
func appendJSON(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r >= utf8.RuneSelf }) {
		return append(append(append(b, '"'), s...), '"')
	}
	return append(b, goEscapes.Replace(string(jsonText(s)))...)
}

// goEscapes undoes the escapes that only Go makes, and knows an escaped backslash before one.
var goEscapes = strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029", `\ufffd`, "\ufffd")

// moment is a platform time: milliseconds since 1970, UTC.
type moment int64

// never stands for null.
const never = moment(math.MinInt64)

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return never
	}
	return moment(t.UnixMilli())
}

func (m moment) time() time.Time {
	if m == never {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// unknown tells whether m is one of the dates that mean "not known": the start of 1970 and the year
// 5138 (contract opencti-api 3.3).
func (m moment) unknown() bool {
	return m == never || m == 0 || m.time().Year() == 5138
}

func (m moment) String() string { return string(m.append(nil)) }

// MarshalJSON writes m as the platform does.
func (m moment) MarshalJSON() ([]byte, error) { return append(m.append([]byte{'"'}), '"'), nil }

// append writes m as the platform does: UTC, three digits of a fraction, Z.
func (m moment) append(b []byte) []byte { return m.time().AppendFormat(b, "2006-01-02T15:04:05.000Z") }

// parseMoment reads a DateTime input: an RFC 3339 time with a zone; finer fractions are cut.
func parseMoment(s string) (moment, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return never, err
	}
	return momentOf(t), nil
}

var relative = regexp.MustCompile(`^now(?:([+-])(\d{1,6})([smhHdwMy]))?(?:/[smhdwMy])?$`)

var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "H": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// parseFilterDate reads the value of a date filter, which the search database understands: a time, a
// bare date, milliseconds, or a distance from now such as now-7d.
func parseFilterDate(s string, now time.Time) (moment, error) {
	if m, err := parseMoment(s); err == nil {
		return m, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return momentOf(t), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return moment(n), nil
	}
	g := relative.FindStringSubmatch(s)
	if g == nil {
		return never, fmt.Errorf("failed to parse date field [%s]", s)
	}
	n, _ := strconv.Atoi(g[2])
	if g[1] == "-" {
		n = -n
	}
	switch g[3] {
	case "y":
		now = now.AddDate(n, 0, 0)
	case "M":
		now = now.AddDate(0, n, 0)
	default:
		now = now.Add(time.Duration(n) * units[g[3]])
	}
	return momentOf(now), nil
}

// jsonObject is a JSON object: STIX objects and the events around them are built of it, compared and
// written.
type jsonObject map[string]any

// set adds a member unless it is empty: the stream leaves out null, empty texts, lists and objects
// and dates that mean "unknown"; false and 0 stay (contract opencti-api 5.8).
func (o jsonObject) set(name string, value any) {
	if m, ok := value.(moment); ok && m.unknown() {
		return
	}
	switch r := reflect.ValueOf(value); r.Kind() {
	case reflect.Invalid:
		return
	case reflect.String, reflect.Slice, reflect.Map:
		if r.Len() == 0 {
			return
		}
	}
	o[name] = value
}

// jsonText writes JSON as JavaScript does.
func jsonText(v any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // of texts, numbers and times
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// pointerEscape writes a member's name as part of a JSON pointer.
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// diff gives the JSON patches from was to now and back. Objects are compared member by member, lists of
// as many objects entry by entry, other lists as a whole.
func diff(path string, was, now jsonObject) (forth, back []jsonObject) {
	forth, back = []jsonObject{}, []jsonObject{}
	deeper := func(at string, a, b jsonObject) {
		f, r := diff(at, a, b)
		forth, back = append(forth, f...), append(back, r...)
	}
	all := maps.Clone(was)
	maps.Copy(all, now)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := path + "/" + pointerEscape.Replace(name)
		a, before := was[name]
		b, after := now[name]
		x, isObject := a.(jsonObject)
		y, areObjects := b.(jsonObject)
		l, isList := a.([]jsonObject)
		m, areLists := b.([]jsonObject)
		switch {
		case !after:
			forth, back = append(forth, jsonObject{"op": "remove", "path": at}), append(back, jsonObject{"op": "add", "path": at, "value": a})
		case !before:
			forth, back = append(forth, jsonObject{"op": "add", "path": at, "value": b}), append(back, jsonObject{"op": "remove", "path": at})
		case isObject && areObjects:
			deeper(at, x, y)
		case isList && areLists && len(l) == len(m):
			for i := range l {
				deeper(at+"/"+strconv.Itoa(i), l[i], m[i])
			}
		case !reflect.DeepEqual(a, b):
			forth, back = append(forth, jsonObject{"op": "replace", "path": at, "value": b}), append(back, jsonObject{"op": "replace", "path": at, "value": a})
		}
	}
	return forth, back
}
