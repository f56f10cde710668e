package hlsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// body is a request's body, with what is wrong with its members. All of them are named at once, as the
// manager does (contract harfanglab-api 1.7).
type body struct {
	members  map[string]json.RawMessage
	problems map[string][]string
	broken   *answer // to what is no object at all
}

// field is a member that is a text: whether it is there, and whether it is null.
type field struct {
	given, null bool
	text        string
}

// into sets a variable to what was said, if anything was.
func (v field) into(to *string) {
	if v.given {
		*to = v.text
	}
}

// readBody takes JSON objects only.
func readBody(r *http.Request) *body {
	b := &body{problems: map[string][]string{}}
	raw, err := io.ReadAll(r.Body)
	if err != nil || !json.Valid(raw) {
		b.broken = detail(http.StatusBadRequest, "JSON parse error - the body is not JSON")
	} else if json.Unmarshal(raw, &b.members) != nil || b.members == nil {
		b.broken = refused("non_field_errors", "Invalid data. Expected a dictionary.")
	}
	return b
}

func (b *body) refuse(name, why string) { b.problems[name] = append(b.problems[name], why) }

// bad is the answer to a body with problems, nil when it has none.
func (b *body) bad() *answer {
	if b.broken != nil || len(b.problems) == 0 {
		return b.broken
	}
	return &answer{http.StatusBadRequest, b.problems}
}

// text is a member that may be a number too, which stands for its digits.
func (b *body) text(name string) field {
	raw := b.members[name]
	if raw == nil {
		return field{}
	}
	v := field{given: true}
	switch c := raw[0]; {
	case c == 'n':
		v.null = true
	case c == '-' || c >= '0' && c <= '9':
		v.text = string(raw)
	case json.Unmarshal(raw, &v.text) != nil:
		b.refuse(name, "Not a valid string.")
	case strings.ContainsRune(v.text, 0):
		b.refuse(name, "Null characters are not allowed.")
	}
	return v
}

// filled is a text that may be neither null nor blank, and not left out where it is required.
func (b *body) filled(name string, required bool) field {
	v := b.text(name)
	switch {
	case !v.given && required:
		b.refuse(name, "This field is required.")
	case v.null:
		b.refuse(name, "This field may not be null.")
	case v.given && b.problems[name] == nil && strings.TrimSpace(v.text) == "":
		b.refuse(name, "This field may not be blank.")
	}
	return v
}

// limit refuses a text of more characters than most; 0 is no limit.
func (b *body) limit(name, v string, most int) {
	if most > 0 && utf8.RuneCountInString(v) > most {
		b.refuse(name, fmt.Sprintf("Ensure this field has no more than %d characters.", most))
	}
}

// choice is a text that must be one of some words. Null is only for those that a rule can be without.
func (b *body) choice(name string, words []string, optional bool) field {
	v := b.text(name)
	switch {
	case v.null && !optional:
		b.refuse(name, "This field may not be null.")
	case v.given && !v.null && b.problems[name] == nil && !slices.Contains(words, v.text):
		b.refuse(name, fmt.Sprintf("%q is not a valid choice.", v.text))
	}
	return v
}

// flag is nil when the body does not have the member.
func (b *body) flag(name string) *bool { return member[bool](b, name, "Must be a valid boolean.") }

// texts is nil when the body does not have the member.
func (b *body) texts(name string) *[]string {
	return member[[]string](b, name, "Expected a list of items.")
}

// member is nil when the body does not have it; what is of no such type is refused with a reason.
func member[T any](b *body, name, why string) *T {
	raw := b.members[name]
	if raw == nil {
		return nil
	}
	v := new(T)
	if json.Unmarshal(raw, v) != nil {
		b.refuse(name, why)
	} else if raw[0] == 'n' {
		b.refuse(name, "This field may not be null.")
	}
	return v
}

// require refuses a body without a member.
func (b *body) require(name string) {
	if b.members[name] == nil {
		b.refuse(name, "This field is required.")
	}
}

// ids is a list of texts and numbers that must be there, each as its text.
func (b *body) ids(name string) (ids []string) {
	b.require(name)
	raw := b.members[name]
	if raw != nil && raw[0] != '[' {
		b.refuse(name, "Expected a list of items.")
	}
	for _, one := range elements(raw) {
		id := text(one)
		if id == "" {
			b.refuse(name, "Not a valid id.")
		}
		ids = append(ids, id)
	}
	return ids
}
