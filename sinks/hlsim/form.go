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

// form is a request's body, with what is wrong with its members. All of them are named at once, as the
// manager does (contract harfanglab-api 1.7).
type form struct {
	members  map[string]json.RawMessage
	problems map[string][]string
}

// said is a member that is a text: whether it is there, and whether it is null.
type said struct {
	given, null bool
	text        string
}

// into sets a field to what was said, if anything was.
func (v said) into(field *string) {
	if v.given {
		*field = v.text
	}
}

// readForm takes JSON objects only.
func readForm(r *http.Request) (*form, *answer) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, detail(http.StatusBadRequest, "the body cannot be read")
	}
	f := &form{problems: map[string][]string{}}
	if !json.Valid(b) {
		return nil, detail(http.StatusBadRequest, "JSON parse error - the body is not JSON")
	}
	if err := json.Unmarshal(b, &f.members); err != nil || f.members == nil {
		return nil, &answer{status: http.StatusBadRequest, body: map[string][]string{"non_field_errors": {"Invalid data. Expected a dictionary."}}}
	}
	return f, nil
}

func (f *form) refuse(name, why string) { f.problems[name] = append(f.problems[name], why) }

// bad is the answer to a form with problems, nil when it has none.
func (f *form) bad() *answer {
	if len(f.problems) == 0 {
		return nil
	}
	return &answer{status: http.StatusBadRequest, body: f.problems}
}

// text is a member that may be a number too, which stands for its digits.
func (f *form) text(name string) said {
	raw := f.members[name]
	if raw == nil {
		return said{}
	}
	v := said{given: true}
	switch c := raw[0]; {
	case c == 'n':
		v.null = true
	case c == '-' || c >= '0' && c <= '9':
		v.text = string(raw)
	case json.Unmarshal(raw, &v.text) != nil:
		f.refuse(name, "Not a valid string.")
	case strings.ContainsRune(v.text, 0):
		f.refuse(name, "Null characters are not allowed.")
	}
	return v
}

// filled is a text that may be neither null nor blank, and not left out where it is required.
func (f *form) filled(name string, required bool) said {
	v := f.text(name)
	switch {
	case !v.given && required:
		f.refuse(name, "This field is required.")
	case v.null:
		f.refuse(name, "This field may not be null.")
	case v.given && f.problems[name] == nil && strings.TrimSpace(v.text) == "":
		f.refuse(name, "This field may not be blank.")
	}
	return v
}

// limit refuses a text of more characters than most; 0 is no limit.
func (f *form) limit(name, v string, most int) {
	if most > 0 && utf8.RuneCountInString(v) > most {
		f.refuse(name, fmt.Sprintf("Ensure this field has no more than %d characters.", most))
	}
}

// choice is a text that must be one of some words. Null is only for those that a rule can be without.
func (f *form) choice(name string, words []string, optional bool) said {
	v := f.text(name)
	switch {
	case v.null && !optional:
		f.refuse(name, "This field may not be null.")
	case v.given && !v.null && f.problems[name] == nil && !slices.Contains(words, v.text):
		f.refuse(name, fmt.Sprintf("%q is not a valid choice.", v.text))
	}
	return v
}

// flag is nil when the form does not have the member.
func (f *form) flag(name string) *bool {
	raw := f.members[name]
	if raw == nil {
		return nil
	}
	var v *bool
	if json.Unmarshal(raw, &v) != nil {
		f.refuse(name, "Must be a valid boolean.")
	} else if v == nil {
		f.refuse(name, "This field may not be null.")
	}
	return v
}

// texts is nil when the form does not have the member.
func (f *form) texts(name string) *[]string {
	raw := f.members[name]
	if raw == nil {
		return nil
	}
	var v []string
	if json.Unmarshal(raw, &v) != nil || v == nil {
		f.refuse(name, "Expected a list of items.")
	}
	return &v
}

// require refuses a form without a member.
func (f *form) require(name string) {
	if f.members[name] == nil {
		f.refuse(name, "This field is required.")
	}
}

// ids is a list of texts and numbers that must be there, each as its text.
func (f *form) ids(name string) (ids []string) {
	f.require(name)
	raw := f.members[name]
	if raw != nil && raw[0] != '[' {
		f.refuse(name, "Expected a list of items.")
	}
	for _, one := range elements(raw) {
		id := text(one)
		if id == "" {
			f.refuse(name, "Not a valid id.")
		}
		ids = append(ids, id)
	}
	return ids
}
