package config

import (
	"errors"
	"strings"
)

// Inspect is Load for a command that says what is wrong and goes on with the rest: the Config holds what
// could be read, and zero values where a problem stands. What a problem is about must not be used:
// ssl_verify is then false, too.
func Inspect(in Sources) (*Config, []*Problem) {
	c, err := load(in)
	return c, problemsOf(err)
}

// problemsOf takes the joined errors of Load apart.
func problemsOf(err error) []*Problem {
	if p, ok := err.(*Problem); ok {
		return []*Problem{p}
	}
	var all []*Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, problemsOf(e)...)
		}
	} else if p, ok := errors.AsType[*Problem](err); ok {
		all = append(all, p)
	}
	return all
}

// About says whether a problem leaves a section of the settings, such as opencti, unusable. One of a file
// as a whole leaves them all so, and one of a successor connector's section is one of harfanglab.
func (p *Problem) About(section string) bool {
	head, _, _ := strings.Cut(p.Setting, ".")
	for _, s := range successors {
		if head == s {
			head = "harfanglab"
		}
	}
	return head == "" || head == section
}
