package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with the settings. Load and Require join all they find.
type Problem struct {
	Setting string // such as harfanglab.url; "" when it is about a file as a whole
	Origin  string // where the value came from; "" when there is none
	Value   string // as given; "" for a secret, and where it may hold one
	Message string // what is wrong with the value
	Remedy  string // what to do
}

// Error is one line: what, what is wrong, where it was said, and the way out.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Setting != "" {
		b.WriteString(p.Setting + ": ")
	}
	if p.Value != "" {
		fmt.Fprintf(&b, "%q ", p.Value)
	}
	b.WriteString(p.Message)
	if p.Origin != "" {
		b.WriteString(" (" + p.Origin + ")")
	}
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// fault is what is wrong with one value, before it is known whose value it is.
type fault struct {
	message, remedy string
	hide            bool   // the value may hold a secret although the setting is none
	where           string // a line, where the value has several
}

func (f *fault) Error() string { return f.message }

func bad(message, remedy string) error { return &fault{message: message, remedy: remedy} }
