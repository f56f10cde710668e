package octisim

import (
	"bytes"
	"strings"
)

// jsonObject is a JSON object in the order of its members: STIX objects and the events around them are
// built of it, compared and written.
type jsonObject []jsonMember

type jsonMember struct {
	name  string
	value any // string, bool, int, int32, float64, moment, []string, jsonObject, []jsonObject or rawJSON
}

// rawJSON is JSON as it stands.
type rawJSON string

// set adds a member unless it is empty: the stream leaves out null, empty texts, lists and objects
// and dates that mean "unknown"; false and 0 stay (contract opencti-api 5.8).
func (o *jsonObject) set(name string, value any) {
	if !isEmpty(value) {
		*o = append(*o, jsonMember{name, value})
	}
}

// keep adds a member, also an empty one.
func (o *jsonObject) keep(name string, value any) { *o = append(*o, jsonMember{name, value}) }

func (o jsonObject) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case rawJSON:
		return v == ""
	case []string:
		return len(v) == 0
	case jsonObject:
		return len(v) == 0
	case []jsonObject:
		return len(v) == 0
	case moment:
		return v.unknown()
	}
	return false
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case rawJSON:
		return append(b, v...)
	case jsonObject:
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSON(b, m.name), ':')
			b = appendValue(b, m.value)
		}
		return append(b, '}')
	case []jsonObject:
		return appendList(b, v)
	case []string:
		return appendList(b, v)
	}
	b, _ = appendLeaf(b, v)
	return b
}

func appendList[T any](b []byte, l []T) []byte {
	b = append(b, '[')
	for i, v := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, v)
	}
	return append(b, ']')
}

// pointerEscape writes a member's name as part of a JSON pointer.
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

// diff gives the JSON patches from was to now and back. Objects are compared member by member, lists
// as a whole.
func diff(was, now jsonObject) (forth, back []jsonObject) { return diffAt("", was, now) }

func diffAt(path string, was, now jsonObject) (forth, back []jsonObject) {
	op := func(op, path string, value any) jsonObject {
		o := jsonObject{{"op", op}, {"path", path}}
		if op != "remove" {
			o.keep("value", value)
		}
		return o
	}
	for _, m := range was {
		at := path + "/" + pointerEscape.Replace(m.name)
		next, ok := now.get(m.name)
		if !ok {
			forth, back = append(forth, op("remove", at, nil)), append(back, op("add", at, m.value))
			continue
		}
		a, isObject := m.value.(jsonObject)
		b, areObjects := next.(jsonObject)
		switch {
		case isObject && areObjects:
			f, r := diffAt(at, a, b)
			forth, back = append(forth, f...), append(back, r...)
		case !bytes.Equal(appendValue(nil, m.value), appendValue(nil, next)):
			forth, back = append(forth, op("replace", at, next)), append(back, op("replace", at, m.value))
		}
	}
	for _, m := range now {
		if _, ok := was.get(m.name); !ok {
			at := path + "/" + pointerEscape.Replace(m.name)
			forth, back = append(forth, op("add", at, m.value)), append(back, op("remove", at, nil))
		}
	}
	return forth, back
}
