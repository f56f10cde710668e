// Package secret holds the one type that tokens and passwords live in, so that no log line, error,
// plan or panic can print one by accident.
package secret

import (
	"fmt"
	"log/slog"
)

const mask = "***"

// Text is a token or a password. Every way of printing it says ***; only Reveal gives the value.
type Text string

// Reveal is the value itself, for the one place that puts it on the wire.
func (t Text) Reveal() string { return string(t) }

// Set says whether there is a value at all.
func (t Text) Set() bool { return t != "" }

// String is the mask, or nothing when there is no value.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return mask
}

// GoString is the mask for %#v.
func (t Text) GoString() string { return `secret.Text("` + t.String() + `")` }

// Format masks every other verb, such as %x and %q.
func (t Text) Format(s fmt.State, verb rune) {
	if verb == 'v' && s.Flag('#') {
		_, _ = fmt.Fprint(s, t.GoString())
		return
	}
	_, _ = fmt.Fprint(s, t.String())
}

// LogValue masks the value in structured logs.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText masks the value in JSON and YAML.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
