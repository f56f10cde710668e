package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// source is one of the places that values come from.
type source int

// A value that nobody gave is not set, has its default, or follows from another one.
const (
	unset source = iota
	byDefault
	followed
	implied
	fromFile
	fromEnvironment
	fromFlag
)

var sourceWords = [...]string{"not set", "default", "follows ", "implied by ", "", "environment ", "flag "}

// Origin is where a value comes from.
type Origin struct {
	source source
	at     string // the variable, the flag, the place in the file, or what it follows from
}

// String is for people, such as "environment HARFANGLAB_URL".
func (o Origin) String() string { return sourceWords[o.source] + o.at }

// Given says whether somebody asked for the value.
func (o Origin) Given() bool { return o.source >= implied }

// Problem is one thing that is wrong with the settings. Load and Require join all they find.
type Problem struct {
	Setting string // such as harfanglab.url; "" when it is about a file as a whole
	Origin  Origin // where the value came from; the zero one when there is none
	Value   string // as given; "" for a secret, and where it may hold one
	Message string // what is wrong with the value
	Remedy  string // what to do

	hide bool // the value may hold a secret although the setting is none
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
	if p.Origin.source > byDefault {
		b.WriteString(" (" + p.Origin.String() + ")")
	}
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return remote.OneLine(b.String(), 4000) // names and values come from files
}

// bad is what is wrong with one value, before it is known whose value it is.
func bad(message, remedy string) error { return &Problem{Message: message, Remedy: remedy} }

// problemOf is an error as a problem, with the origin and the value where it has none yet.
func problemOf(err error, origin Origin, value string) *Problem {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		p = &Problem{Message: err.Error()}
	}
	p.Origin = cmp.Or(p.Origin, origin)
	if !p.hide {
		p.Value = cmp.Or(p.Value, value)
	}
	return p
}

// parts takes joined errors apart.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}

// Inspect is Load for a command that says what is wrong and goes on with the rest: the Config holds what
// could be read, and zero values where a problem stands. What a problem is about must not be used:
// ssl_verify is then false, too.
func Inspect(in Sources) (*Config, []*Problem) {
	c, err := load(in)
	var all []*Problem
	for _, e := range parts(err) {
		all = append(all, problemOf(e, Origin{}, ""))
	}
	return c, all
}

// About says whether a problem leaves a section of the settings, such as opencti, unusable. One of a file
// as a whole leaves them all so, and one of a successor connector's section is one of harfanglab.
func (p *Problem) About(section string) bool {
	head, _, _ := strings.Cut(p.Setting, ".")
	if slices.Contains(successors, head) {
		head = "harfanglab"
	}
	return head == "" || head == section
}
