package hlsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/google/uuid"
)

func newID() string { return uuid.NewString() }

// object is a request's body, member by member.
type object map[string]json.RawMessage

func members(r *http.Request) (object, *answer) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		a := detail(http.StatusBadRequest, "body unreadable")
		return nil, &a
	}
	var o object
	if err := json.Unmarshal(b, &o); err != nil || o == nil {
		a := detail(http.StatusBadRequest, "JSON parse error - the body is not a JSON object")
		return nil, &a
	}
	return o, nil
}

// texts sets the members that are present; null is "". A member of another type is a 400.
func (o object) texts(into map[string]*string) *answer {
	for name, p := range into {
		raw, ok := o[name]
		if !ok {
			continue
		}
		if string(raw) == "null" {
			*p = ""
			continue
		}
		if err := json.Unmarshal(raw, p); err != nil {
			a := fields(name, "Not a valid string.")
			return &a
		}
	}
	return nil
}

func (o object) flags(into map[string]*bool) *answer {
	for name, p := range into {
		raw, ok := o[name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, p); err != nil || string(raw) == "null" {
			a := fields(name, "Must be a valid boolean.")
			return &a
		}
	}
	return nil
}

// choices checks the members that are enumerations.
func (o object) choices(allowed map[string][]string) *answer {
	for name, words := range allowed {
		raw, ok := o[name]
		if !ok || string(raw) == "null" {
			continue
		}
		var v string
		if json.Unmarshal(raw, &v) == nil {
			for _, w := range words {
				if w == v {
					v = ""
				}
			}
			if v == "" {
				continue
			}
		}
		a := fields(name, fmt.Sprintf("%q is not a valid choice.", v))
		return &a
	}
	return nil
}
