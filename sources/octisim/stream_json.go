package octisim

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

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

// diff gives the JSON patches from was to now and back. Objects are compared member by member, lists
// as a whole.
func diff(path string, was, now jsonObject) (forth, back []jsonObject) {
	forth, back = []jsonObject{}, []jsonObject{}
	all := maps.Clone(was)
	maps.Copy(all, now)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := path + "/" + pointerEscape.Replace(name)
		a, before := was[name]
		b, after := now[name]
		x, isObject := a.(jsonObject)
		y, areObjects := b.(jsonObject)
		switch {
		case !after:
			forth, back = append(forth, jsonObject{"op": "remove", "path": at}), append(back, jsonObject{"op": "add", "path": at, "value": a})
		case !before:
			forth, back = append(forth, jsonObject{"op": "add", "path": at, "value": b}), append(back, jsonObject{"op": "remove", "path": at})
		case isObject && areObjects:
			f, r := diff(at, x, y)
			forth, back = append(forth, f...), append(back, r...)
		case !reflect.DeepEqual(a, b):
			forth, back = append(forth, jsonObject{"op": "replace", "path": at, "value": b}), append(back, jsonObject{"op": "replace", "path": at, "value": a})
		}
	}
	return forth, back
}
