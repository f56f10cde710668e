package harfanglab

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// maybe is an object that may be absent, null or something else; all of these are the zero T. told says
// that it is an object or null.
type maybe[T any] struct {
	v    T
	told bool
}

func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	var v T
	if isObject(b) && remote.Decode(b, &v) == nil {
		m.v, m.told = v, true
	}
	m.told = m.told || bytes.Equal(b, []byte("null"))
	return nil
}

// many is a list of which only the elements that are a T are kept. One that stands alone counts as a
// list of it; null and other things are an empty list.
type many[T any] []T

func (m *many[T]) UnmarshalJSON(b []byte) error {
	*m = nil
	var raw []json.RawMessage
	if remote.Decode(b, &raw) != nil {
		raw = []json.RawMessage{b}
	}
	for _, r := range raw {
		var v T
		if !bytes.Equal(r, []byte("null")) && remote.Decode(r, &v) == nil {
			*m = append(*m, v)
		}
	}
	return nil
}

// texts are the elements that say something.
func texts(m many[loose]) []string {
	var out []string
	for _, l := range m {
		if l != "" {
			out = append(out, string(l))
		}
	}
	return out
}

// whole is an integer, whether written as a number or as a text; what is none is 0.
func whole(l loose) int {
	n, err := strconv.Atoi(strings.TrimSpace(string(l)))
	if err != nil {
		return 0
	}
	return n
}

// stamp is a time in one of the spellings that occur, mixed even inside one document (contract
// harfanglab-api 1.6): RFC 3339 with up to nine digits of fraction, or date and time with a blank or
// slashes and no zone, which is taken for UTC. What is absent or none of these is zero; unread keeps the
// text of the latter.
type stamp struct {
	time.Time
	unread string
}

var stampForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006/01/02 15:04:05",
}

func (s *stamp) UnmarshalJSON(b []byte) error {
	*s = stamp{}
	if bytes.Equal(b, []byte("null")) || bytes.Equal(b, []byte(`""`)) {
		return nil
	}
	var t loose
	_ = t.UnmarshalJSON(b) // never fails
	if s.Time = timeOf(t); s.IsZero() {
		s.unread = oneLine(string(b))
	}
	return nil
}

// timeOf is a time in any of the spellings, zero when it is none.
func timeOf(l loose) time.Time {
	for _, form := range stampForms {
		if at, err := time.Parse(form, strings.TrimSpace(string(l))); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// firstOf is the first time that is known.
func firstOf(stamps ...stamp) time.Time {
	for _, s := range stamps {
		if !s.IsZero() {
			return s.Time
		}
	}
	return time.Time{}
}

func isObject(b []byte) bool {
	t := bytes.TrimSpace(b)
	return len(t) > 0 && t[0] == '{'
}
