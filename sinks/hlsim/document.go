package hlsim

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// document is a JSON object that is being made.
type document map[string]any

// encode is compact JSON that leaves <, > and & as they are.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// The functions below take JSON that was found to be sound before.

// text is what a JSON text, number or boolean says, "" for anything else.
func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		_ = json.Unmarshal(raw, &s)
		return s
	case c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f':
		return string(raw)
	}
	return ""
}

// objectOf gives the members of an object, none for anything else.
func objectOf(raw json.RawMessage) (all map[string]json.RawMessage) {
	if len(raw) > 0 && raw[0] == '{' {
		_ = json.Unmarshal(raw, &all)
	}
	return all
}

// elements are those of a list, none for anything else.
func elements(raw json.RawMessage) (all []json.RawMessage) {
	if len(raw) > 0 && raw[0] == '[' {
		_ = json.Unmarshal(raw, &all)
	}
	return all
}

// dig says whether something at a path of names, cut at dots, matches. Lists on the way are gone
// through.
func dig(raw json.RawMessage, path string, match func(string) bool) bool {
	if len(raw) > 0 && raw[0] == '[' {
		for _, one := range elements(raw) {
			if dig(one, path, match) {
				return true
			}
		}
		return false
	}
	if path == "" {
		return match(text(raw))
	}
	name, rest, _ := strings.Cut(path, ".")
	next, there := objectOf(raw)[name]
	return there && dig(next, rest, match)
}

// project keeps of an object what some names ask for; a.b is the member b of a.
func project(raw json.RawMessage, names []string) json.RawMessage {
	if len(raw) == 0 || raw[0] != '{' {
		return raw
	}
	whole, parts := map[string]bool{}, map[string][]string{}
	for _, n := range names {
		name, rest, deeper := strings.Cut(n, ".")
		if deeper {
			parts[name] = append(parts[name], rest)
		} else {
			whole[name] = true
		}
	}
	kept := map[string]json.RawMessage{}
	for name, v := range objectOf(raw) {
		switch {
		case whole[name]:
			kept[name] = v
		case parts[name] != nil:
			kept[name] = project(v, parts[name])
		}
	}
	out, _ := encode(kept)
	return out
}

// moment is a time of a document, whatever its fraction; zero when it is none.
func moment(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text(raw))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// seconds is how the manager spells the moment of a change (contract harfanglab-api 7.4, 8.1).
func seconds(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
